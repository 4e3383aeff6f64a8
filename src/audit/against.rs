//! Whether a change gives new access: what roles may do and who may become them, before and after.
//!
//! Decided statement by statement, as the check of that name of IAM Access Analyzer answers: what cannot be
//! shown to be covered by what was there counts as new.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-custom-policy-checks.html>

use std::collections::HashMap;

use super::account::{Account, Role};
use super::evaluate::Engine;
use super::trust::{Admission, admissions};
use opsctl_iam::action_set::ActionSet;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::{Grant, Sourced, condition_text};
use opsctl_iam::pattern;
use opsctl_iam::policy::{Document, Selector};
use opsctl_iam::time::Instant;

/// What a role gains by a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Gain {
    /// The role's ARN.
    pub role: String,
    /// One line each: the statement that gives more, who is let in, what no longer holds back.
    pub lines: Vec<String>,
}

/// The roles that may do more after a change, or that more may become; by ARN, else by name where a plan does
/// not know the account.
pub fn new_access(before: &Account, after: &Account, now: Instant) -> Vec<Gain> {
    let (old, new) = (Engine::at(before, now), Engine::at(after, now));
    let by_arn: HashMap<&str, &Role> = before.roles.iter().map(|role| (role.arn.as_str(), role)).collect();
    let by_name: HashMap<&str, &Role> = before.roles.iter().map(|role| (role.name.as_str(), role)).collect();
    let mut gains = Vec::new();
    for role in &after.roles {
        let was = by_arn.get(role.arn.as_str()).or_else(|| by_name.get(role.name.as_str())).copied();
        let mut lines = permissions(was.map(|was| old.role(was)).as_ref(), &new.role(role));
        lines.extend(trust(was, role, now));
        if !lines.is_empty() {
            gains.push(Gain { role: role.arn.clone(), lines });
        }
    }
    gains
}

fn permissions(old: Option<&Effective>, new: &Effective) -> Vec<String> {
    let nothing = Vec::new();
    let (allowed, denied) = old.map_or((&nothing, &nothing), |old| (&old.allows, &old.denies));
    let mut lines: Vec<String> = Vec::new();
    for sourced in &new.allows {
        if !covered(&sourced.grant, allowed) {
            lines.push(format!("may {}", statement(sourced)));
        }
    }
    // A Deny that is gone matters where there is something to deny.
    for sourced in denied.iter().filter(|deny| !covered(&deny.grant, &new.denies)) {
        let hits = |allow: &Sourced| meets(&allow.grant.actions, &sourced.grant.actions);
        if new.allows.iter().any(hits) {
            lines.push(format!("no longer held back by {}", statement(sourced)));
        }
    }
    if let Some(Ceiling::Known { source, grants: was }) = old.map(|old| &old.ceiling) {
        let was: Vec<Sourced> =
            was.iter().map(|grant| Sourced { source: source.clone(), grant: grant.clone() }).collect();
        match &new.ceiling {
            Ceiling::None => lines.push(format!("no longer within the boundary {}", source.name)),
            Ceiling::Known { grants, .. } => {
                let wider = grants.iter().find(|g| g.statement.allow && !covered(g, &was));
                lines.extend(wider.map(|grant| {
                    let label = grant.statement.label(grant.index);
                    format!("the boundary allows more: {label}")
                }));
            }
            Ceiling::Missing { arn } => lines.push(format!("what the boundary {arn} allows is not known")),
        }
    }
    lines.extend(new.unreadable.iter().map(|(what, why)| format!("{what} could not be read: {why}")));
    lines
}

fn statement(sourced: &Sourced) -> String {
    let action = sourced.grant.statement.actions.patterns().first().map_or("*", String::as_str);
    sourced.evidence(action)
}

fn meets(a: &ActionSet, b: &ActionSet) -> bool {
    let mut both = a.clone();
    both.intersect(b);
    !both.is_empty()
}

/// Whether what a statement says is said already, by one statement or by several together.
fn covered(grant: &Grant, by: &[Sourced]) -> bool {
    let same_effect =
        || by.iter().map(|s| &s.grant).filter(|old| old.statement.allow == grant.statement.allow);
    if same_effect().any(|old| old.covers(grant) && names_unknown(grant, old)) {
        return true;
    }
    let Some(Selector::Only(resources)) = &grant.statement.resources else { return false };
    // Actions that the catalogue does not know are compared as they are written.
    let fitting = |resource: &str| -> Vec<&Grant> {
        let reaches = |old: &&Grant| {
            let fewer = old.statement.conditions.iter().all(|c| grant.statement.conditions.contains(c));
            let named = match &old.statement.resources {
                Some(Selector::Only(wider)) => wider.iter().any(|wider| pattern::matches(wider, resource)),
                _ => false,
            };
            fewer && named
        };
        same_effect().filter(reaches).collect()
    };
    resources.iter().all(|resource| {
        let olds = fitting(resource);
        let mut left = ActionSet::clone(&grant.actions);
        olds.iter().for_each(|old| left.subtract(&old.actions));
        left.is_empty() && olds.iter().any(|old| names_unknown(grant, old))
    })
}

/// Whether one statement names what another names beyond the catalogue.
fn names_unknown(grant: &Grant, old: &Grant) -> bool {
    match (&grant.statement.actions, &old.statement.actions) {
        (Selector::Only(patterns), _) => {
            let is_known = |p: &String| {
                pattern::is_wild(p) || opsctl_iam::catalogue::Catalogue::embedded().find(p).is_some()
            };
            patterns.iter().filter(|p| !is_known(p)).all(|action| old.names(action))
        }
        (Selector::Except(new), Selector::Except(old)) => old.iter().all(|pattern| new.contains(pattern)),
        (Selector::Except(_), Selector::Only(old)) => {
            old.iter().any(|pattern| pattern::is_everything(pattern))
        }
    }
}

fn trust(was: Option<&Role>, role: &Role, now: Instant) -> Vec<String> {
    if let Document::Malformed(why) = &role.trust {
        return vec![format!("its trust policy could not be read: {why}")];
    }
    let old = was.map(|was| admissions(was, Some(now))).unwrap_or_default();
    let new = admissions(role, Some(now));
    let is_old = |a: &Admission<'_>| {
        old.iter().any(|b| {
            let fewer = b.statement.conditions.iter().all(|c| a.statement.conditions.contains(c));
            let principals = b.negated == a.negated && a.principals.iter().all(|p| b.principals.contains(p));
            fewer && principals && a.statement.actions.patterns().iter().all(|action| b.by(action))
        })
    };
    let line = |a: &Admission<'_>| {
        let listed = a.statement.principals.iter().flat_map(|principals| &principals.listed);
        let who: Vec<String> = listed.map(|(_, value)| value.clone()).collect();
        let but = if a.negated { "everybody but " } else { "" };
        let condition = condition_text(&a.statement, a.restriction);
        format!("may be assumed by {but}{}{condition}", opsctl_iam::grant::shorten(&who))
    };
    new.iter().filter(|a| !is_old(a)).map(line).collect()
}
