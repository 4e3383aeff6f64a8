//! Which roles CloudFormation may be given, where a condition on `cloudformation:RoleArn` decides it: that
//! key is of the calls that take a role, and absent from all others.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html>

use crate::audit::escalate::PASSING_WAYS;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::catalogue::KnownActions;
use opsctl_iam::condition::{self, Operator};
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;
use opsctl_iam::policy::{Condition, Statement};

const SERVICE: &str = "cloudformation.amazonaws.com";

static TAKES_A_ROLE: KnownActions = KnownActions::new(&[
    "cloudformation:CreateStack",
    "cloudformation:UpdateStack",
    "cloudformation:CreateChangeSet",
]);

fn is_on_role(c: &Condition) -> bool {
    c.key.eq_ignore_ascii_case("cloudformation:RoleArn")
}

/// Whether a way is one whose calls such a condition is on.
pub(super) fn is_conditional(effective: &Effective, way: usize) -> bool {
    let (service, way) = &PASSING_WAYS[way];
    let ceiling: &[Grant] = match &effective.ceiling {
        Ceiling::Known { grants, .. } => grants,
        _ => &[],
    };
    let all = effective.allows.iter().chain(&effective.denies).map(|s| &s.grant).chain(ceiling);
    let names = |grant: &Grant| way.actions.iter().any(|&action| grant.actions.contains(action));
    service == SERVICE && all.into_iter().any(|g| names(g) && g.statement.conditions.iter().any(is_on_role))
}

/// Whether one of the ways to pass a role to the service of `way` may be taken with this one.
pub(super) fn may_be_given(effective: &Effective, way: usize, role: &str) -> bool {
    let service = &PASSING_WAYS[way].0;
    let ways = PASSING_WAYS.iter().filter(|(of, _)| of == service);
    service != SERVICE
        || ways.into_iter().any(|(_, way)| way.actions.iter().all(|&a| is_called(effective, a, role)))
}

/// Whether a way may be taken with some role that no condition tells apart from others.
pub(super) fn may_be_given_any(effective: &Effective, way: usize) -> bool {
    /// What nobody writes in a policy.
    const ANY: &str = "\u{1}";
    let (service, way) = &PASSING_WAYS[way];
    service != SERVICE || way.actions.iter().all(|&action| is_called(effective, action, ANY))
}

fn is_called(effective: &Effective, action: ActionId, role: &str) -> bool {
    let given = TAKES_A_ROLE.ids().contains(&action).then_some(role);
    let fits = |statement: &Statement| {
        statement.conditions.iter().filter(|c| is_on_role(c)).all(|c| holds(c, given))
    };
    let is_free = |grant: &Grant| grant.restriction.is_open() || condition::is_by_form(&grant.statement);
    let lets = |grant: &Grant| grant.actions.contains(action) && is_free(grant) && fits(&grant.statement);
    let denies = |grant: &Grant| {
        let only_by_role = grant.statement.conditions.iter().all(is_on_role);
        grant.unlimited.contains(action) && only_by_role && fits(&grant.statement)
    };
    let within = match &effective.ceiling {
        Ceiling::None => true,
        Ceiling::Missing { .. } => false,
        Ceiling::Known { grants, .. } => {
            grants.iter().any(|g| g.statement.allow && lets(g))
                && !grants.iter().any(|g| !g.statement.allow && denies(g))
        }
    };
    within
        && effective.allows.iter().any(|s| lets(&s.grant))
        && !effective.denies.iter().any(|s| denies(&s.grant))
}

/// Whether a condition on the role holds for a call with this one, or with none.
fn holds(c: &Condition, role: Option<&str>) -> bool {
    let operator = Operator::parse(&c.operator);
    if operator.base.eq_ignore_ascii_case("Null") {
        return c.values.iter().any(|v| v.eq_ignore_ascii_case("true")) == role.is_none();
    }
    match role {
        Some(role) => condition::admits(c, role).unwrap_or(false),
        None => operator.is_negated() || operator.if_exists || operator.for_all,
    }
}
