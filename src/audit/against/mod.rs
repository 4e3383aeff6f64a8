//! Whether a change gives new access: what roles may do and who may become them, before and after.
//!
//! Decided statement by statement, as the check of that name of IAM Access Analyzer answers: what cannot be
//! shown to be covered by what was there counts as new. So does a way up that the audit did not find before:
//! whom a statement meets may change, and the statement stay as it is.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-custom-policy-checks.html>

mod gaps;
mod overlay;
mod tags;
mod ways;

use std::collections::HashMap;
use std::sync::Arc;

use super::account::{Account, ELSEWHERE, Group, Role, UNTOLD, User};
use super::evaluate::Engine;
use super::trust::{Admission, admissions};
use opsctl_iam::action_set::ActionSet;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::{Grant, Sourced, condition_text, shorten};
use opsctl_iam::narrower::ask_for;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Document, Selector};
use opsctl_iam::time::Instant;

pub use gaps::{gaps, unknown};

/// What somebody gains by a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Gain {
    /// The ARN of a role, a user or a group.
    pub principal: String,
    /// One line each: the statement that gives more, who is let in, what no longer holds back.
    pub lines: Vec<String>,
}

/// The principals that may do more after a change, and the roles that more may become; by ARN, else by name
/// where a plan does not know the account. A plan is compared as what was there with its changes in place.
pub fn new_access(before: &Account, after: &Account, now: Instant) -> Vec<Gain> {
    pairs(before, after).iter().flat_map(|(old, new)| in_one(old, new, now)).collect()
}

/// Each account as it was and as it will be.
fn pairs(before: &Account, after: &Account) -> Vec<(Account, Account)> {
    let (olds, news) = (before.parts(), after.parts());
    if news.is_empty() {
        return vec![overlay::both(before, after)];
    }
    let of = |new: &Account| {
        let same = |old: &&Account| old.id == new.id && old.partition() == new.partition();
        olds.iter().find(same).unwrap_or(before).clone()
    };
    news.iter().map(|new| overlay::both(&of(new), new)).collect()
}

/// The account that a plan or a template is for which is compared with this one.
pub fn home(before: &Account) -> Option<&str> {
    let id = Some(before.id.as_str()).filter(|id| !id.is_empty() && *id != UNTOLD);
    id.filter(|_| before.parts().is_empty())
}

fn known_group<'a>(before: &'a Account, arn: &str) -> Option<&'a Group> {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    before.groups.iter().find(|group| group.arn == arn || group.name == name)
}

fn in_one(before: &Account, after: &Account, now: Instant) -> Vec<Gain> {
    let (old, new) = (Engine::at(before, now), Engine::at(after, now));
    let mut by_tags = tags::gains(&old, &new);
    let mut by_ways = ways::gains(before, after, now);
    let mut gains = Vec::new();
    let mut gain = |principal: &String, mut lines: Vec<String>| {
        lines.extend(by_tags.remove(principal).unwrap_or_default());
        // What gives more to somebody is said already, and why.
        let ways = by_ways.remove(principal).filter(|_| lines.is_empty());
        lines.extend(ways.unwrap_or_default());
        if !lines.is_empty() {
            gains.push(Gain { principal: principal.clone(), lines });
        }
    };
    // Whatever else it holds is held back no longer.
    let is_part = |arn: &str| before.problems.iter().any(|p| p.reason == ELSEWHERE && p.resource == arn);
    let roles = Before::of(&before.roles, |role: &Role| (&role.arn, &role.name));
    for role in &after.roles {
        let was = roles.find(&role.arn, &role.name);
        let part = is_part(&role.arn);
        let mut lines = permissions(was.map(|was| old.role(was)).as_deref(), &new.role(role), part);
        lines.extend(trust(was, role, now));
        gain(&role.arn, lines);
    }
    let users = Before::of(&before.users, |user: &User| (&user.arn, &user.name));
    for user in &after.users {
        let was = users.find(&user.arn, &user.name).map(|was| old.user(was));
        gain(&user.arn, permissions(was.as_deref(), &new.user(user), is_part(&user.arn)));
    }
    let groups = Before::of(&before.groups, |group: &Group| (&group.arn, &group.name));
    for group in &after.groups {
        let was = groups.find(&group.arn, &group.name).map(|was| old.group(was));
        gain(&group.arn, permissions(was.as_ref(), &new.group(group), is_part(&group.arn)));
    }
    let mut others: Vec<_> = by_ways.into_iter().collect();
    others.sort();
    gains.extend(others.into_iter().map(|(principal, lines)| Gain { principal, lines }));
    gains
}

/// What was there, to be found by ARN or by name.
struct Before<'a, T> {
    by_arn: HashMap<&'a str, &'a T>,
    by_name: HashMap<&'a str, &'a T>,
}

impl<'a, T> Before<'a, T> {
    fn of(all: &'a [T], keys: impl Fn(&'a T) -> (&'a String, &'a String)) -> Self {
        Self {
            by_arn: all.iter().map(|one| (keys(one).0.as_str(), one)).collect(),
            by_name: all.iter().map(|one| (keys(one).1.as_str(), one)).collect(),
        }
    }

    fn find(&self, arn: &str, name: &str) -> Option<&'a T> {
        self.by_arn.get(arn).or_else(|| self.by_name.get(name)).copied()
    }
}

/// What is new of what somebody may do. Of one who is known in part only, what else is allowed is not known.
fn permissions(old: Option<&Effective>, new: &Effective, is_part: bool) -> Vec<String> {
    let (allowed, denied) =
        old.map_or_else(Default::default, |old| (literal(&old.allows), literal(&old.denies)));
    let (allows, denies) = (literal(&new.allows), literal(&new.denies));
    let mut lines: Vec<String> = allows.iter().filter_map(|sourced| gained(sourced, &allowed)).collect();
    // A Deny that is gone matters where there is something to deny.
    for sourced in denied.iter().filter(|deny| !covered(&deny.grant, &denies)) {
        let hits = |allow: &Sourced| meets(&allow.grant, &sourced.grant);
        if is_part || allows.iter().any(hits) {
            lines.push(format!("no longer held back by {}", statement(sourced)));
        }
    }
    lines.extend(old.and_then(|old| raised(&old.ceiling, &new.ceiling)));
    // What could not be read before either makes the answer incomplete, and is nothing new.
    let was_unreadable = |entry| old.is_some_and(|old| old.unreadable.contains(entry));
    let unreadable = new.unreadable.iter().filter(|entry| !was_unreadable(entry));
    lines.extend(unreadable.map(|(what, why)| format!("{what} could not be read: {why}")));
    lines
}

/// Statements with the `${` of documents that know no variables written as others write them.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>
fn literal(all: &[Sourced]) -> Vec<Sourced> {
    let is_variable = |text: &str| text.contains("${");
    let plain = |s: &Sourced| {
        let mut plain = s.clone();
        let statement = &s.grant.statement;
        let patterns = statement.resources.iter().flat_map(Selector::patterns);
        let mut texts = patterns.chain(statement.conditions.iter().flat_map(|c| &c.values));
        if !s.grant.has_variables && texts.any(|text| is_variable(text)) {
            plain.grant.statement = Arc::new(statement.without_variables());
        }
        plain
    };
    all.iter().map(plain).collect()
}

/// How a boundary lets more through than before.
fn raised(was: &Ceiling, is: &Ceiling) -> Option<String> {
    match (was, is) {
        (Ceiling::None, _) => None,
        (Ceiling::Known { source, .. }, Ceiling::None) => {
            Some(format!("no longer within the boundary {}", source.name))
        }
        (Ceiling::Missing { arn }, Ceiling::None) => Some(format!("no longer within the boundary {arn}")),
        // What is not known is no gain: see `unknown`.
        (_, Ceiling::Missing { .. }) => None,
        (Ceiling::Missing { arn }, Ceiling::Known { .. }) => {
            Some(format!("what the boundary {arn} allowed before is not known"))
        }
        (Ceiling::Known { source, grants: was }, Ceiling::Known { grants, .. }) => {
            let sourced = |grant: &Grant| Sourced { source: source.clone(), grant: grant.clone() };
            let (was, is): (Vec<Sourced>, Vec<Sourced>) =
                (was.iter().map(sourced).collect(), grants.iter().map(sourced).collect());
            let (was, is) = (literal(&was), literal(&is));
            let wider = is.iter().find(|s| s.grant.statement.allow && !covered(&s.grant, &was));
            let lost = || was.iter().find(|s| !s.grant.statement.allow && !covered(&s.grant, &is));
            let said = |what: &str, s: &Sourced| format!("{what} {}", s.grant.statement.label(s.grant.index));
            wider
                .map(|wider| said("the boundary allows more:", wider))
                .or_else(|| lost().map(|lost| said("the boundary no longer denies:", lost)))
        }
    }
}

/// What of a statement is new: the actions, as they are written, that nothing before gives.
fn gained(sourced: &Sourced, before: &[Sourced]) -> Option<String> {
    if covered(&sourced.grant, before) {
        return None;
    }
    let Selector::Only(patterns) = &sourced.grant.statement.actions else {
        return Some(format!("new in {}", statement(sourced)));
    };
    let is_new = |pattern: &&String| !covered(&sourced.grant.only(pattern), before);
    let new: Vec<String> = patterns.iter().filter(is_new).cloned().collect();
    (!new.is_empty()).then(|| format!("new in {}", sourced.said_of(&shorten(&new))))
}

fn statement(sourced: &Sourced) -> String {
    let action = sourced.grant.statement.actions.patterns().first().map_or("*", String::as_str);
    sourced.evidence(action)
}

/// Whether two statements name an action in common, catalogued or not.
fn meets(allow: &Grant, deny: &Grant) -> bool {
    let mut both = ActionSet::clone(&allow.actions);
    both.intersect(&deny.actions);
    let unknown = || deny.statement.actions.patterns().iter().filter(|pattern| !is_known(pattern));
    let named = |pattern: &String| match &allow.statement.actions {
        Selector::Only(patterns) => patterns.iter().any(|own| meet(own, pattern)),
        // Unless everything that the pattern names is spared.
        Selector::Except(spared) => !names_all(&Selector::Only(spared.clone()), pattern),
    };
    !both.is_empty() || unknown().any(named)
}

fn meet(one: &str, other: &str) -> bool {
    pattern::meet(&one.to_ascii_lowercase(), &other.to_ascii_lowercase())
}

/// Whether the catalogue knows what a pattern of actions names: never so of services to come.
fn is_known(pattern: &str) -> bool {
    let catalogue = Catalogue::embedded();
    let service = pattern.split(':').next().unwrap_or_default();
    match pattern::is_wild(pattern) {
        true => !pattern::is_wild(service) && !catalogue.expand(pattern).is_empty(),
        false => catalogue.find(pattern).is_some(),
    }
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
            ask_for(&grant.statement.conditions, &old.statement.conditions) && old.spans(resource)
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
        (Selector::Only(patterns), old) => {
            patterns.iter().filter(|pattern| !is_known(pattern)).all(|pattern| names_all(old, pattern))
        }
        (Selector::Except(new), Selector::Except(old)) => old.iter().all(|pattern| new.contains(pattern)),
        (Selector::Except(_), Selector::Only(old)) => {
            old.iter().any(|pattern| pattern::is_everything(pattern))
        }
    }
}

/// Whether a statement names everything that a pattern of actions names.
fn names_all(actions: &Selector, pattern: &str) -> bool {
    let lower = pattern.to_ascii_lowercase();
    match actions {
        Selector::Only(wider) => {
            let includes = |wider: &str| pattern::includes(&wider.to_ascii_lowercase(), &lower);
            wider.iter().any(|wider| wider == "*:*" || includes(wider))
        }
        Selector::Except(spared) => !spared.iter().any(|spared| meet(spared, pattern)),
    }
}

fn trust(was: Option<&Role>, role: &Role, now: Instant) -> Vec<String> {
    if let Document::Malformed(why) = &role.trust {
        return vec![format!("its trust policy could not be read: {why}")];
    }
    let old = was.map(|was| admissions(was, &[], Some(now))).unwrap_or_default();
    let new = admissions(role, &[], Some(now));
    let is_old = |a: &Admission<'_>| was_let_in(a, &old);
    let line = |a: &Admission<'_>| {
        let listed = a.statement.principals.iter().flat_map(|principals| &principals.listed);
        let who: Vec<String> = listed.map(|(_, value)| value.clone()).collect();
        let but = if a.negated { "everybody but " } else { "" };
        let condition = condition_text(&a.statement, a.restriction);
        format!("may be assumed by {but}{}{condition}", shorten(&who))
    };
    new.iter().filter(|a| !is_old(a)).map(line).collect()
}

/// Whether those whom a statement of a trust policy lets in were let in before, for each action: each
/// principal by some statement.
fn was_let_in(a: &Admission<'_>, old: &[Admission<'_>]) -> bool {
    let catalogue = Catalogue::embedded();
    let all = catalogue.service("sts").into_iter().flatten().map(|id| catalogue.name(id));
    all.filter(|action| a.by(action)).all(|action| {
        let by =
            |b: &&Admission<'_>| b.by(action) && ask_for(&a.statement.conditions, &b.statement.conditions);
        let mut olds = old.iter().filter(by);
        match a.negated {
            true => olds.any(|b| b.negated && b.principals.iter().all(|p| a.principals.contains(p))),
            false => {
                let olds: Vec<_> = olds.filter(|b| !b.negated).collect();
                a.principals.iter().all(|p| olds.iter().any(|b| b.principals.contains(p)))
            }
        }
    })
}
