//! The rules: one table per family, one row per rule, and beside each row the function that looks.

mod drift;
mod escalation;
mod exposure;
mod federation;
pub(super) mod honesty;
mod hygiene;
mod permissions;
mod trust;
mod usage;
mod validity;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use super::account::is_aws_owned;
use super::account::{Account, Role};
use super::audit::Settings;
use super::evaluate::Engine;
use super::finding::{NotEvaluated, Severity};
use super::graph::Graph;
use super::trust::{Admission, admissions};
use super::usage::Usage;
use opsctl_iam::catalogue::{Catalogue, Named};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective, is_admin};
use opsctl_iam::policy::Policy;

/// One rule. The texts are what `opsctl explain IAM101` prints.
pub struct Rule {
    /// `IAM101`
    pub id: &'static str,
    /// `full-access-policy`
    pub slug: &'static str,
    /// The usual severity; a finding may be higher or lower, and says why.
    pub severity: Severity,
    pub title: &'static str,
    pub what: &'static str,
    pub why: &'static str,
    pub fix: &'static str,
    /// AWS's page on the matter.
    pub page: &'static str,
    pub check: Check,
}

/// How a rule looks.
pub enum Check {
    /// At each role that the rule's family applies to.
    Role(fn(&Context<'_>, &RoleView<'_>) -> Option<Hit>),
    /// At the account as a whole.
    Account(fn(&Context<'_>) -> Vec<Hit>),
    /// At each policy document: a role's inline ones, and each customer managed one.
    Documents(fn(&Context<'_>, &Policy) -> Vec<String>),
    /// Raised while reading, not by looking.
    Reading,
}

/// What a rule saw.
#[derive(Debug, Default)]
pub struct Hit {
    /// Another resource than the role itself.
    pub resource: Option<String>,
    /// Another severity than the rule's usual one.
    pub severity: Option<Severity>,
    /// Another title than the rule's.
    pub title: Option<String>,
    /// More exact advice than the rule's.
    pub fix: Option<String>,
    pub evidence: Vec<String>,
    /// What names the cause: stable over time, shared by findings with one remedy.
    pub cause: String,
}

impl Hit {
    /// A hit with its cause and evidence.
    pub fn new(cause: impl Into<String>, evidence: Vec<String>) -> Self {
        Self { cause: cause.into(), evidence, ..Self::default() }
    }

    /// With another severity than the usual one.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// With another title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// With more exact advice.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// About another resource than the role.
    #[must_use]
    pub fn on(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }
}

/// The resources by rule, reason, and whether the data was optional.
type Unknowns = BTreeMap<(&'static str, String, bool), Vec<String>>;

/// Everything a rule may look at besides the role.
pub struct Context<'a> {
    pub account: &'a Account,
    pub engine: &'a Engine<'a>,
    pub graph: &'a Graph,
    pub catalogue: &'static Catalogue,
    pub usage: &'a Usage,
    pub settings: &'a Settings,
    unknowns: RefCell<Unknowns>,
    /// What misspelled actions probably mean; the same slip tends to be everywhere.
    pub(super) suggestions: RefCell<HashMap<String, String>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        engine: &'a Engine<'a>,
        graph: &'a Graph,
        usage: &'a Usage,
        settings: &'a Settings,
    ) -> Self {
        Self {
            account: engine.account,
            engine,
            graph,
            catalogue: engine.catalogue,
            usage,
            settings,
            unknowns: RefCell::default(),
            suggestions: RefCell::default(),
        }
    }

    /// Notes that a rule could not be evaluated although its data should be there: the audit is incomplete.
    pub fn undecided(&self, rule: &'static str, resource: &str, reason: impl Into<String>) {
        self.note(rule, resource, reason.into(), false);
    }

    /// Notes that a rule was not evaluated because its data was not asked for.
    pub fn without_data(&self, rule: &'static str, resource: &str, reason: impl Into<String>) {
        self.note(rule, resource, reason.into(), true);
    }

    fn note(&self, rule: &'static str, resource: &str, reason: String, optional: bool) {
        let mut unknowns = self.unknowns.borrow_mut();
        let resources = unknowns.entry((rule, reason, optional)).or_default();
        if !resource.is_empty() {
            resources.push(resource.to_owned());
        }
    }

    pub(super) fn not_evaluated(self) -> Vec<NotEvaluated> {
        let entry =
            |((rule, reason, optional), resources)| NotEvaluated { rule, reason, optional, resources };
        self.unknowns.into_inner().into_iter().map(entry).collect()
    }

    /// Whether an account is ours: the audited one, or one that the settings name.
    pub fn is_own(&self, account: &str) -> bool {
        account == self.account.id || self.settings.own_accounts.iter().any(|own| own == account)
    }
}

/// Who manages a role, which decides who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    Ordinary,
    /// AWS writes it and deletes it: nobody can mend it, so no rule applies.
    ServiceLinked,
    /// Made from a permission set of Identity Center; mended there.
    IdentityCenter,
    /// Made by Control Tower, StackSets or the like; its findings are shown apart.
    Platform,
}

/// Names of roles that AWS's own platforms make. Findings on them are muted, and listed as such.
pub const PLATFORM_NAMES: &[&str] = &[
    "AWSControlTower*",
    "aws-controltower-*",
    "OrganizationAccountAccessRole",
    "stacksets-exec-*",
    "AWSCloudFormationStackSet*",
    "AWSAFT*",
    "cdk-*-cfn-exec-role-*",
    "cdk-*-deploy-role-*",
];

impl RoleKind {
    /// Told by the path, else by the name. docs/aws/iam.md#who-manages-a-role.
    pub fn of(role: &Role) -> Self {
        if role.path.starts_with("/aws-service-role/") {
            Self::ServiceLinked
        } else if role.path.starts_with("/aws-reserved/sso.amazonaws.com/") {
            Self::IdentityCenter
        } else if PLATFORM_NAMES.iter().any(|name| opsctl_iam::pattern::matches(name, &role.name)) {
            Self::Platform
        } else {
            Self::Ordinary
        }
    }
}

/// How close a role is to an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admin {
    No,
    /// Its policies say so, but Deny or the boundary contain it.
    Contained,
    /// While a condition holds.
    Conditional,
    Yes,
}

/// A role with what was worked out about it.
pub struct RoleView<'a> {
    pub role: &'a Role,
    /// Place in the account's list.
    pub index: usize,
    pub kind: RoleKind,
    pub effective: Effective,
    pub admissions: Vec<Admission<'a>>,
    pub admin: Admin,
    /// Whether the role may do anything of IAM at all; most may not, which spares them many questions.
    pub touches_iam: bool,
}

impl<'a> RoleView<'a> {
    pub(super) fn new(engine: &Engine<'a>, role: &'a Role, index: usize) -> Self {
        let effective = engine.role(role);
        let admin = Admin::of(&effective, engine.catalogue);
        let mut iam = engine.catalogue.service("iam").unwrap_or(0..0);
        let touches_iam = iam.any(|id| effective.some.contains(id) || effective.held.contains(id));
        Self {
            role,
            index,
            kind: RoleKind::of(role),
            admissions: admissions(role, engine.now),
            effective,
            admin,
            touches_iam,
        }
    }

    /// The action by which the role can write its own permissions, and on what: itself, or a policy it holds.
    pub(super) fn self_rewrite(&self) -> Option<(&'static str, &str)> {
        let own = [self.role.arn.as_str()];
        let held = self.role.attached.iter().filter(|p| !is_aws_owned(&p.arn)).map(|p| p.arn.as_str());
        let on_itself =
            ["iam:PutRolePolicy", "iam:AttachRolePolicy"].into_iter().flat_map(|a| own.map(|arn| (a, arn)));
        let on_policies = held.map(|arn| ("iam:CreatePolicyVersion", arn));
        on_itself
            .chain(on_policies)
            .find(|(action, on)| self.effective.decide(action, on) == Decision::Allowed)
    }

    /// Whether the role can make itself an administrator.
    pub fn rewrites_itself(&self) -> bool {
        self.touches_iam && self.self_rewrite().is_some()
    }

    /// Whether the role is an administrator, can become one, or holds a key to others' rights on all
    /// resources.
    pub fn is_privileged(&self, cx: &Context<'_>) -> bool {
        static KEYS: Named = Named::new(&[
            "iam:PutRolePolicy",
            "iam:AttachRolePolicy",
            "iam:CreatePolicyVersion",
            "iam:UpdateAssumeRolePolicy",
            "iam:PassRole",
            "iam:CreateAccessKey",
            "iam:UpdateLoginProfile",
            "sts:AssumeRole",
        ]);
        self.admin >= Admin::Conditional
            || cx.graph.reaches_admin(self.index)
            || KEYS.any_in(&self.effective.open)
    }

    /// Whether what the role may do is fully known.
    pub fn is_known(&self) -> bool {
        self.effective.unreadable.is_empty() && !matches!(self.effective.ceiling, Ceiling::Missing { .. })
    }
}

impl Admin {
    fn of(effective: &Effective, catalogue: &Catalogue) -> Self {
        if is_admin(&effective.open, catalogue) {
            Self::Yes
        } else if is_admin(&effective.held, catalogue) {
            Self::Conditional
        } else if is_admin(&effective.identity, catalogue) {
            Self::Contained
        } else {
            Self::No
        }
    }
}

/// Every rule, by id.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        permissions::RULES,
        exposure::RULES,
        escalation::RULES,
        trust::RULES,
        usage::RULES,
        hygiene::RULES,
        validity::RULES,
        drift::RULES,
        honesty::RULES,
    ]
    .into_iter()
    .flatten()
}

/// A rule by its id (`IAM101`) or slug (`full-access-policy`), whatever the case.
pub fn find(name: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id.eq_ignore_ascii_case(name) || rule.slug.eq_ignore_ascii_case(name))
}

impl Rule {
    /// What the rule sees at a role.
    pub(super) fn look(&self, cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
        match self.check {
            Check::Role(look) => look(cx, view),
            Check::Documents(look) => validity::inline(cx, view, look),
            Check::Account(_) | Check::Reading => None,
        }
    }

    /// What the rule sees at the account.
    pub(super) fn look_at_account(&self, cx: &Context<'_>) -> Vec<Hit> {
        match self.check {
            Check::Account(look) => look(cx),
            Check::Documents(look) => validity::managed(cx, look),
            Check::Role(_) | Check::Reading => Vec::new(),
        }
    }

    /// Whether the rule's family applies to a role at all.
    pub(super) fn applies_to(&self, cx: &Context<'_>, view: &RoleView<'_>) -> bool {
        match (view.kind, self.family()) {
            (RoleKind::ServiceLinked, _) => false,
            (RoleKind::IdentityCenter, Family::Permissions | Family::Honesty) => true,
            (RoleKind::IdentityCenter, _) => false,
            (_, Family::Usage) => !cx.settings.is_break_glass(view.role),
            _ => true,
        }
    }

    /// The family, which is the first digit of the number.
    pub fn family(&self) -> Family {
        match self.id.as_bytes().get(3) {
            Some(b'1' | b'2') => Family::Permissions,
            Some(b'3') => Family::Trust,
            Some(b'4') => Family::Usage,
            Some(b'5' | b'6') => Family::Hygiene,
            Some(b'7') => Family::Drift,
            _ => Family::Honesty,
        }
    }
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// What roles may do, and what they may make of it.
    Permissions,
    /// Who may become them.
    Trust,
    /// Whether they are used.
    Usage,
    /// How they and their policies are kept.
    Hygiene,
    /// Whether they are what the configuration says.
    Drift,
    /// What the audit itself could not see.
    Honesty,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_apart_and_explained() {
        let rules: Vec<_> = all().collect();
        for (i, rule) in rules.iter().enumerate() {
            assert!(
                rules[..i].iter().all(|other| other.id != rule.id && other.slug != rule.slug),
                "{}",
                rule.id
            );
            for text in [rule.title, rule.what, rule.why, rule.fix] {
                assert!(!text.is_empty(), "{}", rule.id);
            }
            assert!(rule.page.starts_with("https://docs.aws.amazon.com/"), "{}", rule.id);
        }
        assert!(rules.is_sorted_by_key(|rule| rule.id));
        assert_eq!(find("full-access-policy").map(|rule| rule.id), Some("IAM101"));
    }
}
