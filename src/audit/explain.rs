//! `opsctl audit-iam explain ROLE ACTION [RESOURCE]`: why a role or user may, or may not.

use std::rc::Rc;

use super::account::{Account, Role, Tag};
use super::evaluate::Engine;
use super::role_view;
use super::trust::{Admission, Principal};
use super::variables;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::{Sourced, condition_text};
use opsctl_iam::time::Instant;

/// The answer, and what it rests on.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub role: String,
    pub action: String,
    pub resource: String,
    pub decision: Decision,
    /// One line per statement or limit that had a say.
    pub lines: Vec<String>,
}

/// Explains whether a role, or else a user, (name or ARN) may do an action to a resource (an ARN; `*` if not
/// given). `None` when the account has neither.
pub fn explain(
    account: &Account,
    role: &str,
    action: &str,
    resource: Option<&str>,
    now: Instant,
) -> Option<Explanation> {
    let parts = account.parts();
    if !parts.is_empty() {
        return parts.iter().find_map(|part| explain(part, role, action, resource, now));
    }
    let engine = Engine::at(account, now);
    let as_role = account.roles.iter().find(|r| r.arn == role || r.name == role);
    let (arn, tags, effective) = match as_role {
        Some(role) => (&role.arn, &role.tags, engine.role(role)),
        None => {
            let user = account.users.iter().find(|u| u.arn == role || u.name == role)?;
            (&user.arn, &user.tags, Rc::new(engine.user(user)))
        }
    };
    let resource = resource.unwrap_or("*");
    let mut lines = Vec::new();
    if engine.catalogue.find(action).is_none() {
        lines.push(format!(
            "{action} is not in the catalogue of {}; it is matched as text",
            Catalogue::embedded().date()
        ));
    }
    lines.extend(evidence(&effective, tags, action, resource));
    if resource == "*"
        && engine
            .catalogue
            .find(action)
            .is_some_and(|id| engine.catalogue.resource_templates(id).next().is_some())
    {
        lines.push("asked for all resources; name an ARN to ask about one".into());
    }
    let (mut decision, open) = variables::decide(&effective, tags, action, resource);
    lines.extend(open);
    let target = account.roles.iter().find(|role| role.arn == resource);
    if let Some(target) = target.filter(|_| action.eq_ignore_ascii_case("sts:AssumeRole")) {
        let (by_trust, told) = trusted(&engine, target, arn, decision);
        decision = by_trust;
        lines.extend(told);
    }
    let lost = account.problems.iter().filter(|problem| problem.resource == *arn);
    let before = lines.len();
    lines.extend(lost.map(|problem| problem.reason.clone()));
    let is_whole = effective.unreadable.is_empty() && lines.len() == before;
    // What could not be read may allow or deny anything; no more than what is denied already, or outside the
    // boundary.
    let decision = match decision {
        Decision::Allowed | Decision::Conditional | Decision::NotAllowed if !is_whole => Decision::Unknown,
        known => known,
    };
    Some(Explanation { role: arn.clone(), action: action.into(), resource: resource.into(), decision, lines })
}

/// What the trust policy of a role that is to be assumed makes of the decision: both must let the caller in,
/// but for one that the trust policy names.
fn trusted<'a>(engine: &Engine<'a>, role: &'a Role, caller: &str, own: Decision) -> (Decision, Vec<String>) {
    let account = engine.account.id.as_str();
    let admissions = role_view::admissions(engine, role);
    let lets = |a: &&Admission<'_>| {
        let is_it = |p: &Principal<'_>| match *p {
            Principal::Anyone => true,
            Principal::Account(id) => id == account,
            Principal::Identity { arn, .. } => arn == caller,
            _ => false,
        };
        a.by("sts:AssumeRole") && a.principals.iter().any(is_it) != a.negated
    };
    let line = |a: &Admission<'_>, what: &str| {
        format!("{}, {}: {what}{}", role.name, a.label(), condition_text(&a.statement, a.restriction))
    };
    let mut open: Vec<&Admission<'_>> = admissions.iter().filter(lets).collect();
    open.sort_by_key(|a| !a.restriction.is_open());
    let Some(first) = open.first() else {
        let told = format!("{}: its trust policy does not let it in", role.name);
        return match own {
            Decision::Allowed | Decision::Conditional => (Decision::NotAllowed, vec![told]),
            other => (other, vec![told]),
        };
    };
    let is_named = |p: &Principal<'_>| matches!(*p, Principal::Identity { arn, .. } if arn == caller);
    let is_open = first.restriction.is_open();
    let decision = match own {
        Decision::Allowed if is_open => Decision::Allowed,
        Decision::Allowed | Decision::Conditional => Decision::Conditional,
        Decision::NotAllowed if is_open && first.principals.iter().any(is_named) => Decision::Allowed,
        other => other,
    };
    (decision, vec![line(first, "lets it in")])
}

/// A line for each statement or limit that has a say.
fn evidence(effective: &Effective, tags: &[Tag], action: &str, resource: &str) -> Vec<String> {
    let names = |s: &&Sourced| s.grant.names(action);
    let mut lines = Vec::new();
    for sourced in effective.allows.iter().chain(&effective.denies).filter(names) {
        let covers = variables::may_reach(&sourced.grant, tags, resource);
        let reach = if covers { "" } else { " (does not cover the resource)" };
        lines.push(format!("{}{reach}", sourced.evidence(action)));
    }
    for sourced in effective.void.iter().filter(names) {
        lines.push(format!("{} (its condition cannot hold now)", sourced.evidence(action)));
    }
    match &effective.ceiling {
        Ceiling::None => {}
        Ceiling::Missing { arn } => lines.push(format!("boundary {arn}: its document is missing")),
        Ceiling::Known { source, .. } => {
            let says = match effective.within_ceiling(action, resource, None) {
                Decision::Allowed => "lets it through",
                Decision::Conditional => "lets it through while a condition holds",
                _ => "does not let it through",
            };
            lines.push(format!("boundary {} {says}", source.name));
        }
    }
    lines.extend(effective.unreadable.iter().map(|(what, why)| format!("{what} could not be read: {why}")));
    lines
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} on {} by {}: {}", self.action, self.resource, self.role, self.decision.words())?;
        self.lines.iter().try_for_each(|line| writeln!(f, "  - {line}"))
    }
}
