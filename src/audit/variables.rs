//! Policy variables, such as `${aws:PrincipalTag/team}`, where one action on one resource is decided.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>
//!
//! What a variable stands for is known with the call. It is decided twice: as if every variable were whatever
//! helps the role, and as if it were whatever does not. Where both say the same, the variables do not matter.

use std::sync::Arc;

use super::account::Tag;
use opsctl_iam::action_set::ActionSet;
use opsctl_iam::condition::Asked;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::{Grant, Sourced};
use opsctl_iam::pattern;
use opsctl_iam::policy::{Selector, Statement};

/// The decision, and a line for each pattern whose variables it depends on.
pub fn decide(
    effective: &Effective,
    tags: &[Tag],
    (action, resource): (&str, &str),
    asked: Asked<'_>,
) -> (Decision, Vec<String>) {
    let of = |helpful: bool| filled_in(effective, tags, helpful).decide_for(action, resource, asked);
    let (most, least) = (of(true), of(false));
    if most == least {
        return (most, Vec::new());
    }
    let own = effective.allows.iter().chain(&effective.denies).map(|s| &s.grant);
    let limits = match &effective.ceiling {
        Ceiling::Known { grants, .. } => &grants[..],
        _ => &[],
    };
    let grants = own.chain(limits).filter(|grant| grant.has_variables && grant.names(action));
    let patterns =
        grants.flat_map(|grant| grant.statement.resources.iter().flat_map(|scope| scope.patterns()));
    let fits = |pattern: &&String| {
        let fits = |helpful| pattern::matches(&put_in(pattern, tags, helpful), resource);
        fits(true) != fits(false)
    };
    let mut open: Vec<String> =
        patterns.filter(fits).map(|p| format!("what {p} is depends on the call")).collect();
    open.dedup();
    (Decision::Conditional, open)
}

/// Whether a statement names a resource for some values of its variables.
pub fn may_reach(grant: &Grant, tags: &[Tag], resource: &str) -> bool {
    fill(grant, tags, true).reaches(resource)
}

/// The statement with every variable filled in, so that it names as much or as little as it may.
fn fill(grant: &Grant, tags: &[Tag], wide: bool) -> Grant {
    if !grant.has_variables {
        return grant.clone();
    }
    let mut statement = Statement::clone(&grant.statement);
    // The more is left out, the less is named.
    let names_more = wide == matches!(statement.resources, Some(Selector::Only(_)));
    for pattern in statement.resources.iter_mut().flat_map(Selector::patterns_mut) {
        *pattern = put_in(pattern, tags, names_more);
    }
    let mut filled = grant.clone();
    filled.statement = Arc::new(statement);
    filled
}

/// The same permissions with every variable filled in, to the role's advantage or not.
fn filled_in(effective: &Effective, tags: &[Tag], helpful: bool) -> Effective {
    let fill = |grant: &Grant| fill(grant, tags, helpful == grant.statement.allow);
    with(effective, effective.allows.iter(), fill)
}

/// The same permissions with some of the statements that allow.
pub(super) fn only(effective: &Effective, wanted: impl Fn(&Sourced) -> bool) -> Effective {
    with(effective, effective.allows.iter().filter(|s| wanted(s)), Grant::clone)
}

fn with<'s>(
    effective: &'s Effective,
    allows: impl Iterator<Item = &'s Sourced>,
    made: impl Fn(&Grant) -> Grant,
) -> Effective {
    let one = |s: &Sourced| Sourced { source: s.source.clone(), grant: made(&s.grant) };
    let ceiling = match &effective.ceiling {
        Ceiling::None => Ceiling::None,
        Ceiling::Missing { arn } => Ceiling::Missing { arn: arn.clone() },
        Ceiling::Known { source, grants } => {
            Ceiling::Known { source: source.clone(), grants: grants.iter().map(&made).collect() }
        }
    };
    let none = ActionSet::default;
    Effective {
        allows: allows.map(one).collect(),
        denies: effective.denies.iter().map(one).collect(),
        ceiling,
        void: Vec::new(),
        unreadable: Vec::new(),
        identity: none(),
        open: none(),
        held: none(),
        some: none(),
        asks_tags: effective.asks_tags,
        serial: None,
    }
}

/// The pattern with the role's tags put in, and `*` or what matches nothing for what the call decides.
fn put_in(pattern: &str, tags: &[Tag], names_more: bool) -> String {
    let (mut filled, mut rest) = (String::new(), pattern);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((variable, after)) = after.split_once('}') else { break };
        let name = variable.split(',').next().unwrap_or_default().trim();
        filled.push_str(before);
        match (name, tag(name, tags)) {
            // `${*}`, `${?}` and `${$}` are these characters; ARNs do not hold them.
            ("*" | "?" | "$", _) => filled.push_str(name),
            (_, Some(tag)) => filled.push_str(tag),
            _ => filled.push_str(if names_more { "*" } else { "\0" }),
        }
        rest = after;
    }
    filled + rest
}

/// What the role's own tag says; keys are compared without regard to case.
fn tag<'r>(variable: &str, tags: &'r [Tag]) -> Option<&'r str> {
    const PREFIX: &str = "aws:PrincipalTag/";
    let is_tag = variable.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    let key = is_tag.then(|| &variable[PREFIX.len()..])?;
    tags.iter().find(|tag| tag.key.eq_ignore_ascii_case(key)).map(|tag| tag.value.as_str())
}
