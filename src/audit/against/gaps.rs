//! What is not known of either side of a comparison, so that "no new access" is not known to be true.

use std::collections::HashSet;
use std::rc::Rc;

use super::{known_group, pairs};
use crate::audit::account::{Account, Boundary, ELSEWHERE, Problem, UNTOLD};
use crate::audit::evaluate::Engine;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::time::Instant;

/// What could not be read of either side.
pub fn gaps<'a>(before: &'a Account, after: &'a Account) -> Vec<&'a Problem> {
    let is_known = |problem: &Problem| {
        problem.reason == ELSEWHERE
            && (!problem.resource.contains(":group/") || known_group(before, &problem.resource).is_some())
    };
    let all = before.problems.iter().chain(after.problems.iter().filter(|problem| !is_known(problem)));
    let mut gaps: Vec<&Problem> = Vec::new();
    for problem in all.filter(|problem| !(problem.reason == ELSEWHERE && before.problems.contains(problem))) {
        if !gaps.contains(&problem) {
            gaps.push(problem);
        }
    }
    gaps
}

/// What principals hold or are bounded by that is no policy, or is not there to be read, each once.
pub fn unknown(before: &Account, after: &Account, now: Instant) -> Vec<Problem> {
    let mut told: Vec<Problem> = Vec::new();
    for (before, after) in &pairs(before, after) {
        let (old, new) = (Engine::at(before, now), Engine::at(after, now));
        let another = of_another(before, after).into_iter();
        let all = another.chain(unreadable(&old)).chain(unreadable(&new)).chain(boundaries(&old, &new));
        for gap in all {
            if !told.contains(&gap) {
                told.push(gap);
            }
        }
    }
    told
}

fn gap(resource: &str, reason: String) -> Problem {
    Problem { rule: "IAM901", resource: resource.to_owned(), reason }
}

/// Two accounts of which neither is what becomes of the other.
fn of_another(before: &Account, after: &Account) -> Option<Problem> {
    let is_told = |id: &str| !id.is_empty() && id != UNTOLD;
    let [old, new] = [before, after].map(|account| account.id.as_str());
    let differ = old != new && is_told(old) && is_told(new) && after.planned.is_none();
    differ.then(|| gap("", format!("account {new} is compared with account {old}, by the names in both")))
}

/// The policies of principals that are no policies: what they give is not known.
fn unreadable(engine: &Engine<'_>) -> Vec<Problem> {
    let groups = engine.account.groups.iter();
    let groups = groups.map(|group| (group.arn.as_str(), engine.group(group).unreadable));
    let own = principals(engine).into_iter().map(|(arn, _, held)| (arn, held.unreadable.clone()));
    let all = own.chain(groups).flat_map(|(arn, entries)| {
        entries.into_iter().map(move |(what, why)| gap(arn, format!("{what}: {why}")))
    });
    all.collect()
}

/// The boundaries that may let through more than before, and cannot be read. One who was not bounded may do
/// no more within any.
fn boundaries(old: &Engine<'_>, new: &Engine<'_>) -> Vec<Problem> {
    let free = principals(old).into_iter().filter(|(_, boundary, _)| boundary.is_none());
    let free: HashSet<&str> = free.map(|(arn, ..)| arn).collect();
    let bounded = principals(new).into_iter();
    let bounded = bounded.filter(|(arn, _, held)| !free.contains(arn) && !held.allows.is_empty());
    let unread = bounded.filter_map(|(arn, _, held)| match &held.ceiling {
        Ceiling::Missing { arn: boundary } => {
            Some(gap(arn, format!("boundary {boundary}: its document is missing")))
        }
        _ => None,
    });
    unread.collect()
}

/// The roles and users of an account, what bounds them and what they hold.
fn principals<'a>(engine: &Engine<'a>) -> Vec<(&'a str, Option<&'a Boundary>, Rc<Effective>)> {
    let account = engine.account;
    let roles = account.roles.iter().map(|role| {
        let boundary = role.permissions_boundary.as_ref();
        (role.arn.as_str(), boundary, engine.role(role))
    });
    let users = account.users.iter().map(|user| {
        let boundary = user.permissions_boundary.as_ref();
        (user.arn.as_str(), boundary, engine.user(user))
    });
    roles.chain(users).collect()
}
