//! The audit itself: account, usage and settings in; findings out.

use std::collections::HashMap;

use serde::Serialize;

use super::account::{Account, Role};
use super::compliance;
use super::evaluate::Engine;
use super::finding::{Finding, NotEvaluated, Severity, Status, fingerprint};
use super::graph::Graph;
use super::later;
use super::role_view::{RoleKind, RoleView};
use super::rules::{self, Context, Family, Hit, Rule};
use super::settings::Settings;
use super::usage::Usage;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::time::Instant;

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// Version of this shape.
    pub format: u32,
    pub account: String,
    /// The time that it is about.
    pub at: Instant,
    pub catalogue_date: &'static str,
    pub summary: Summary,
    /// Worst first; one per rule and resource.
    pub findings: Vec<Finding>,
    /// Findings set aside by a tag or because a platform manages the role: shown, never silent.
    pub muted: Vec<Finding>,
    /// Fingerprints of the baseline that no longer occur.
    pub fixed: Vec<String>,
    pub not_evaluated: Vec<NotEvaluated>,
}

/// Counts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub roles: usize,
    pub service_linked: usize,
    pub critical: usize,
    pub high: usize,
    pub medium: usize,
    pub low: usize,
    pub info: usize,
    pub muted: usize,
    pub new: usize,
    pub unchanged: usize,
    pub fixed: usize,
    /// Whether something that should have been seen was not.
    pub incomplete: bool,
}

/// Audits an account.
///
/// # Examples
/// ```
/// use opsctl::audit::{Account, Instant, Settings, Usage, audit};
///
/// // As `aws iam get-account-authorization-details` writes it.
/// let dump = br#"{"RoleDetailList": [{
///     "RoleName": "open", "RoleId": "AROAOPEN", "Arn": "arn:aws:iam::111122223333:role/open",
///     "Path": "/", "CreateDate": "2026-01-01T00:00:00Z",
///     "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
///         {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]},
///     "RolePolicyList": [], "AttachedManagedPolicies": [], "InstanceProfileList": []
/// }]}"#;
/// let account = Account::from_json(dump).expect("a dump");
/// let now = Instant::parse("2026-06-01T00:00:00Z").expect("a time");
/// let audit = audit(&account, &Usage::default(), &Settings::at(now));
/// assert!(audit.findings.iter().any(|finding| finding.rule == "IAM301"));
/// ```
pub fn audit(account: &Account, usage: &Usage, settings: &Settings) -> Audit {
    let parts = account.parts();
    if parts.is_empty() {
        return of_one(account, usage, settings);
    }
    // Whoever has the dumps of several has them all: trust among them is not foreign.
    let mut settings = settings.clone();
    settings.own_accounts.extend(parts.iter().map(|part| part.id.clone()));
    merged(parts.iter().map(|part| of_one(part, usage, &settings)).collect())
}

/// The audits of several accounts as one: what is found names its account in its ARN.
fn merged(audits: Vec<Audit>) -> Audit {
    let mut audits = audits.into_iter();
    let mut all = audits.next().unwrap_or_else(|| unreachable!("a dump of several has accounts"));
    for audit in audits {
        all.account = format!("{}, {}", all.account, audit.account);
        all.summary.roles += audit.summary.roles;
        all.summary.service_linked += audit.summary.service_linked;
        all.findings.extend(audit.findings);
        all.muted.extend(audit.muted);
        for entry in audit.not_evaluated {
            let same = |known: &&mut NotEvaluated| {
                (known.rule, &known.reason, known.optional) == (entry.rule, &entry.reason, entry.optional)
            };
            match all.not_evaluated.iter_mut().find(same) {
                Some(known) => known.resources.extend(entry.resources),
                None => all.not_evaluated.push(entry),
            }
        }
    }
    [&mut all.findings, &mut all.muted].into_iter().for_each(|list| sort(list));
    all.count();
    all
}

/// The worst first, and what has one cause together.
fn sort(list: &mut [Finding]) {
    list.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| a.rule.cmp(b.rule))
            .then_with(|| a.cause.cmp(&b.cause))
            .then_with(|| a.title.cmp(&b.title))
            .then_with(|| a.resource.cmp(&b.resource))
    });
}

/// Audits an account that is one.
pub(super) fn of_one(account: &Account, usage: &Usage, settings: &Settings) -> Audit {
    let engine = Engine::at(account, settings.now);
    let graph = Graph::build(&engine, None);
    let cx = Context::new(&engine, &graph, usage, settings);
    let graphs = later::graphs(&engine, &graph);
    let later = later::all(&engine, &graphs, &graph, usage, settings);
    let (mut findings, mut muted) = (Vec::new(), Vec::new());
    for (index, role) in account.roles.iter().enumerate() {
        let view = RoleView::new(&engine, role, index);
        if view.kind != RoleKind::ServiceLinked {
            rules::honesty::of_role(&cx, &view);
        }
        let views = later::views(&later, &view);
        let mut escalates = false;
        for rule in rules::all().filter(|rule| rule.applies_to(&cx, &view)) {
            if let Some(hit) = later::check(rule, &cx, &view, &later, &views) {
                let mut finding = finding(rule, hit, &view, settings);
                escalates |= rule.id.starts_with("IAM2") && finding.severity > Severity::Info;
                // What nobody uses and is a way up is first to go.
                if escalates && ["IAM401", "IAM402"].contains(&rule.id) {
                    finding.severity = finding.severity.max(Severity::High);
                }
                if finding.muted.is_some() { muted.push(finding) } else { findings.push(finding) }
            }
        }
    }
    rules::honesty::of_account(&cx);
    let by_arn: HashMap<&str, &Role> = account.roles.iter().map(|role| (role.arn.as_str(), role)).collect();
    for rule in rules::all() {
        let mut hits = rule.look_at_account(&cx);
        hits.extend(later::look_at_users(rule, &later, &hits));
        for hit in hits {
            let mut finding = plain(rule, hit, &account.id);
            if let Some(role) = by_arn.get(finding.resource.as_str()) {
                finding.muted = set_aside(role, rule, settings.now);
            }
            if finding.muted.is_some() { muted.push(finding) } else { findings.push(finding) }
        }
    }
    for list in [&mut findings, &mut muted] {
        sort(list);
        place(list, &by_arn, settings);
    }
    let mut audit = Audit {
        format: 1,
        account: account.id.clone(),
        at: settings.now,
        catalogue_date: Catalogue::embedded().date(),
        summary: Summary::default(),
        findings,
        muted,
        fixed: Vec::new(),
        not_evaluated: cx.not_evaluated(),
    };
    audit.summary.roles = account.roles.len();
    let is_linked = |role: &&Role| RoleKind::of(role) == RoleKind::ServiceLinked;
    audit.summary.service_linked = account.roles.iter().filter(is_linked).count();
    audit.count();
    audit
}

/// Findings on roles that the configuration makes are shown at the lines that do.
fn place(findings: &mut [Finding], roles: &HashMap<&str, &Role>, settings: &Settings) {
    let Some(expected) = &settings.expected else { return };
    for finding in findings {
        let role = roles.get(finding.resource.as_str()).and_then(|role| expected.roles.get(&role.name));
        finding.line = role.and_then(|role| role.line);
    }
}

fn finding(rule: &Rule, hit: Hit, view: &RoleView<'_>, settings: &Settings) -> Finding {
    let mut finding = plain(rule, hit, &view.role.arn);
    if view.kind == RoleKind::IdentityCenter {
        finding.fix =
            format!("Change the permission set of Identity Center that made the role. {}", finding.fix);
        // Fixed elsewhere, so shown apart.
        finding.cause.push_str(" (Identity Center)");
    }
    if rule.family() == Family::Permissions && settings.is_break_glass(view.role) {
        finding.severity = finding.severity.lowered();
        finding.evidence.push("lowered one step: the role is tagged for emergencies".into());
    }
    finding.muted = set_aside(view.role, rule, settings.now);
    finding
}

/// Why a finding on a role is not counted, if it is not.
fn set_aside(role: &Role, rule: &Rule, now: Instant) -> Option<String> {
    match RoleKind::of(role) {
        RoleKind::Platform => Some(format!("{} is managed by a platform of AWS", role.name)),
        _ => ignored(role, rule, now),
    }
}

fn plain(rule: &Rule, hit: Hit, resource: &str) -> Finding {
    let resource = hit.resource.unwrap_or_else(|| resource.to_owned());
    Finding {
        rule: rule.id,
        severity: hit.severity.unwrap_or(rule.severity),
        title: hit.title.unwrap_or_else(|| rule.title.to_owned()),
        evidence: hit.evidence,
        fix: hit.fix.unwrap_or_else(|| rule.fix.to_owned()),
        fingerprint: fingerprint(rule.id, &resource, hit.known_by.as_ref().unwrap_or(&hit.cause)),
        status: Status::New,
        cause: hit.cause,
        actions: hit.actions,
        line: None,
        compliance: compliance::of(rule.id, &resource),
        muted: None,
        resource,
    }
}

/// The tag `opsctl:ignore`: rule ids or slugs, and optionally `until=DAY`. IAM allows no `,` or `;` in tag
/// values, so spaces and `/` part them too.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules>
fn ignored(role: &Role, rule: &Rule, now: Instant) -> Option<String> {
    let value = role.tag("opsctl:ignore")?;
    let words = || value.split([' ', ',', ';', '/']).filter(|word| !word.is_empty());
    let until = words().find_map(|word| word.strip_prefix("until="));
    // A limit that cannot be read is no license to ignore forever.
    if until.is_some_and(|day| Instant::parse(day).is_none_or(|day| day < now)) {
        return None;
    }
    words()
        .any(|word| word.eq_ignore_ascii_case(rule.id) || word.eq_ignore_ascii_case(rule.slug))
        .then(|| format!("the role's tag opsctl:ignore = {value}"))
}

impl Audit {
    /// Counts again, after a baseline changed the status of findings.
    pub(super) fn count(&mut self) {
        let of = |severity| self.findings.iter().filter(|f| f.severity == severity).count();
        let unchanged = self.findings.iter().filter(|f| f.status == Status::Unchanged).count();
        self.summary = Summary {
            critical: of(Severity::Critical),
            high: of(Severity::High),
            medium: of(Severity::Medium),
            low: of(Severity::Low),
            info: of(Severity::Info),
            muted: self.muted.len(),
            new: self.findings.len() - unchanged,
            unchanged,
            fixed: self.fixed.len(),
            incomplete: self.not_evaluated.iter().any(|entry| !entry.optional),
            ..self.summary
        };
    }

    /// Whether a finding that is not in the baseline is at least as bad as `limit`.
    pub fn fails(&self, limit: Severity) -> bool {
        self.findings.iter().any(|f| f.status == Status::New && f.severity >= limit)
    }

    /// Whether something that should have been seen was not; then a clean result means nothing.
    pub fn is_incomplete(&self) -> bool {
        self.summary.incomplete
    }

    /// The findings by rule and cause: one shared policy that breaks 300 roles is one group.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for finding in &self.findings {
            // Findings are sorted by severity, rule, cause and title. Titles that count days or actions
            // differ within one group.
            let alike = |group: &&mut Group<'_>| {
                let first = group.first();
                let counts =
                    |f: &Finding| f.rule.starts_with("IAM4") || f.title.contains("n all resources: ");
                let same_title = first.title == finding.title || (counts(first) && counts(finding));
                same_title
                    && (first.rule, first.severity, &first.cause)
                        == (finding.rule, finding.severity, &finding.cause)
            };
            match groups.last_mut().filter(alike) {
                Some(group) => {
                    group.findings.push(finding);
                }
                _ => groups.push(Group { findings: vec![finding] }),
            }
        }
        groups
    }
}

/// Findings of one rule with one cause.
#[derive(Debug)]
pub struct Group<'a> {
    pub findings: Vec<&'a Finding>,
}

impl<'a> Group<'a> {
    /// The one that stands for all.
    pub fn first(&self) -> &'a Finding {
        self.findings[0]
    }
}
