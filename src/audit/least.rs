//! Least privilege as a proposal: what a role may do, cut down to the services and actions it used.
//!
//! Never applied; written for a person to review. The proposal keeps every Deny, every condition and every
//! variable as they are written, not as they read for the role today, so that it can only take away, and the
//! engine that judges roles checks that it does.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use serde_json::{Value, json};

use super::account::{InlinePolicy, Role, name_of};
use super::evaluate::Engine;
use super::settings::Settings;
use super::usage::ServiceUse;
use crate::domain::{many, shown};
use opsctl_iam::action_set::{ActionId, ActionSet};
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::effective::Effective;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Document, Policy, Selector, Statement};
use opsctl_iam::time::Instant;

/// A smaller policy for a role.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub role: String,
    /// All policies of the role as one document, pretty-printed.
    pub before: String,
    /// The proposed document.
    pub after: String,
    /// From one to the other, as a unified diff.
    pub diff: String,
    /// Characters that IAM counts (white space is free).
    pub size: usize,
    /// Catalogued actions that the proposal takes away, on some or on all resources.
    pub removed: usize,
    /// Actions that the proposal would add: always none, and checked.
    pub added: usize,
    pub notes: Vec<String>,
    nothing_allowed: bool,
}

impl Proposal {
    /// Whether nothing is left: IAM takes no policy without statements.
    pub fn is_empty(&self) -> bool {
        self.nothing_allowed
    }
}

/// A managed policy holds at most this many characters without white space.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>
pub const MANAGED_LIMIT: usize = 6_144;

/// Proposes a policy for a role from its service-last-accessed data. `None` when part of what the role may do
/// could not be read: then nothing can be proven.
pub fn propose(
    engine: &Engine<'_>,
    role: &Role,
    used: &[ServiceUse],
    settings: &Settings,
) -> Option<Proposal> {
    let effective = engine.role(role);
    if !effective.unreadable.is_empty() {
        return None;
    }
    let recent = |s: &&ServiceUse| {
        s.last_authenticated.is_some_and(|t| t.days_until(settings.now) <= settings.stale_after_days)
    };
    let used: Vec<&ServiceUse> = used.iter().filter(recent).collect();
    let mut cut = Cut { catalogue: engine.catalogue, used, settings, notes: BTreeSet::new() };
    let Written { version, statements: all } = Written::of(engine, role)?;
    let mut kept = Vec::new();
    for statement in &all {
        if !statement.allow {
            kept.push(statement.clone());
            continue;
        }
        let actions = cut.kept(&statement.actions);
        if !actions.is_empty() {
            kept.push(Statement { actions: Selector::Only(actions), ..statement.clone() });
        }
    }
    let nothing_allowed = !kept.iter().any(|statement| statement.allow);
    let (before, after) = (document(version, &all), document(version, &kept));
    let smaller = engine.role(&Role {
        inline: vec![InlinePolicy { name: "proposal".into(), document: Document::read(after.clone()) }],
        attached: Vec::new(),
        ..role.clone()
    });
    let size = after.to_string().chars().filter(|c| !c.is_whitespace()).count();
    let (before, after) = (pretty(&before), pretty(&after));
    let name = shown::line(name_of(&role.arn));
    let diff = similar::TextDiff::from_lines(&before, &after)
        .unified_diff()
        .header(&format!("{name} now"), &format!("{name} proposed"))
        .to_string();
    let (removed, _) = difference(&effective, &smaller);
    let (added, _) = difference(&smaller, &effective);
    let mut notes = vec![format!("removes {}, adds {added}", many(removed, "action"))];
    notes.extend(cut.notes);
    if size > MANAGED_LIMIT {
        notes.push(format!("{size} characters: more than the {MANAGED_LIMIT} of one managed policy"));
    }
    Some(Proposal {
        role: role.arn.clone(),
        before,
        after,
        diff,
        size,
        removed,
        added,
        notes,
        nothing_allowed,
    })
}

/// What a role's policies say, in one document.
struct Written {
    version: &'static str,
    statements: Vec<Statement>,
}

impl Written {
    fn of(engine: &Engine<'_>, role: &Role) -> Option<Self> {
        const KNOWS_VARIABLES: &str = "2012-10-17";
        let inline = role.inline.iter().map(|policy| policy.document.policy().cloned());
        let attached = role.attached.iter().map(|policy| engine.document(&policy.arn)?.policy().cloned());
        let policies: Vec<Policy> = inline.chain(attached).collect::<Option<_>>()?;
        let is_new = |policy: &Policy| policy.version.as_deref() == Some(KNOWS_VARIABLES);
        let any_new = policies.iter().any(is_new);
        let mut taken = HashSet::new();
        let mut statements = Vec::new();
        for policy in &policies {
            for statement in &policy.statements {
                let mut own = match any_new && !is_new(policy) {
                    true => statement.without_variables(),
                    false => Statement::clone(statement),
                };
                own.sid = own.sid.map(|sid| unique(sid, &mut taken));
                statements.push(own);
            }
        }
        Some(Self { version: if any_new { KNOWS_VARIABLES } else { "2008-10-17" }, statements })
    }
}

/// Statement ids are unique within a policy.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html>
fn unique(sid: String, taken: &mut HashSet<String>) -> String {
    let mut own = sid.clone();
    let mut count = 1;
    while !taken.insert(own.clone()) {
        count += 1;
        own = format!("{sid}{count}");
    }
    own
}

/// How many actions the first holds and the second does not, on some and on all resources.
fn difference(of: &Effective, than: &Effective) -> (usize, usize) {
    let minus = |a: &ActionSet, b: &ActionSet| {
        let mut rest = a.clone();
        rest.subtract(b);
        rest
    };
    let any = |e: &Effective| {
        let mut all = e.some.clone();
        all.union(&e.held);
        all
    };
    let mut rest = minus(&any(of), &any(than));
    let everywhere = minus(&of.held, &than.held);
    rest.union(&everywhere);
    (rest.len(), everywhere.len())
}

/// IAM does not track it: a role that starts something that has a role still needs it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html>
const PASS_ROLE: &str = "iam:PassRole";

/// Cuts statements down to what was used.
struct Cut<'a> {
    catalogue: &'a Catalogue,
    used: Vec<&'a ServiceUse>,
    settings: &'a Settings,
    /// What a person has to look at.
    notes: BTreeSet<String>,
}

impl Cut<'_> {
    /// The actions of a statement that were used. A wildcard over services becomes one per service.
    fn kept(&mut self, scope: &Selector) -> Vec<String> {
        let mut kept = BTreeSet::new();
        for service in self.used.clone() {
            let name = service.service_namespace.to_ascii_lowercase();
            match self.catalogue.service(&name) {
                Some(range) => kept.extend(self.of_known(scope, service, &name, range)),
                None => kept.extend(self.of_unknown(scope, &name)),
            }
        }
        let others = || self.used.iter().any(|service| service.service_namespace != "iam");
        if scope.covers(PASS_ROLE, pattern::matches_ignoring_case) && others() {
            let own = match scope {
                Selector::Only(patterns) => patterns.iter().find(|p| p.eq_ignore_ascii_case(PASS_ROLE)),
                Selector::Except(_) => None,
            };
            kept.insert(own.map_or_else(|| PASS_ROLE.to_owned(), Clone::clone));
            self.notes.insert(format!("{PASS_ROLE} stays: AWS does not track its use"));
        }
        kept.into_iter().collect()
    }

    fn is_recent(&self, used: Option<Instant>) -> bool {
        used.is_some_and(|t| t.days_until(self.settings.now) <= self.settings.stale_after_days)
    }

    fn of_known(
        &self,
        scope: &Selector,
        service: &ServiceUse,
        name: &str,
        mut range: Range<ActionId>,
    ) -> Vec<String> {
        let covers = |action: &str| scope.covers(action, pattern::matches_ignoring_case);
        let tracked = |id: ActionId| {
            let action = self.catalogue.name(id).rsplit(':').next().unwrap_or_default();
            service.tracked_actions_last_accessed.iter().find(|a| a.name.eq_ignore_ascii_case(action))
        };
        let is_unused = |id: ActionId| {
            let is_tracked = !self.catalogue.name(id).eq_ignore_ascii_case(PASS_ROLE);
            tracked(id).is_some_and(|a| is_tracked && !self.is_recent(a.last_accessed))
        };
        let named = |id: &ActionId| covers(self.catalogue.name(*id));
        if !range.clone().filter(named).any(is_unused) {
            // Nothing to take from what was written for this service: leave it as it was written.
            if is_whole(scope, name) {
                return vec![format!("{name}:*")];
            }
            let own = of_service(scope, name);
            if !own.is_empty() {
                return own;
            }
        }
        let is_named = |id: ActionId| named(&id) && !is_unused(id);
        let ids: Vec<ActionId> = range.by_ref().filter(|&id| is_named(id)).collect();
        let mut left: Vec<String> = ids.into_iter().map(|id| self.catalogue.name(id).to_owned()).collect();
        // What the catalogue lacks: used, or written in so many words.
        let used = service.tracked_actions_last_accessed.iter().filter(|a| self.is_recent(a.last_accessed));
        let used = used.map(|a| format!("{name}:{}", a.name));
        left.extend(used.filter(|action| covers(action) && self.catalogue.find(action).is_none()));
        let is_unknown = |pattern: &String| self.catalogue.expand(pattern).is_empty();
        left.extend(of_service(scope, name).into_iter().filter(is_unknown));
        left
    }

    /// Of a service that the catalogue lacks, what is written of it.
    fn of_unknown(&mut self, scope: &Selector, name: &str) -> Vec<String> {
        if is_whole(scope, name) {
            return vec![format!("{name}:*")];
        }
        if let Selector::Except(_) = scope {
            let what = "what a NotAction leaves of it is to be added by hand";
            self.notes.insert(format!("{name} was used, and the catalogue lacks it: {what}"));
        }
        of_service(scope, name)
    }
}

/// Whether a statement names all of a service, what it will have one day included.
fn is_whole(scope: &Selector, service: &str) -> bool {
    let all = format!("{service}:*");
    match scope {
        Selector::Only(patterns) => {
            patterns.iter().any(|p| p == "*:*" || pattern::includes(&p.to_ascii_lowercase(), &all))
        }
        Selector::Except(spared) => !spared.iter().any(|p| pattern::meet(&p.to_ascii_lowercase(), &all)),
    }
}

/// The patterns of a statement, as far as they name a service.
fn of_service(scope: &Selector, service: &str) -> Vec<String> {
    let Selector::Only(patterns) = scope else { return Vec::new() };
    let of = |written: &String| match written.split_once(':') {
        Some((of, _)) if of.eq_ignore_ascii_case(service) => Some(written.clone()),
        Some((of, what)) => pattern::matches_ignoring_case(of, service).then(|| format!("{service}:{what}")),
        None => None,
    };
    patterns.iter().filter_map(of).collect()
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a document of text");
    text.push('\n');
    text
}

fn document(version: &str, statements: &[Statement]) -> Value {
    json!({"Version": version, "Statement": statements.iter().map(Statement::to_json).collect::<Vec<_>>()})
}
