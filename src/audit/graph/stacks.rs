//! Which roles a service may be given, where a condition on the call tells: which role CloudFormation gets,
//! or which instance profile a machine starts with. These keys are of the calls named here, and absent from
//! all others.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>

use std::cell::RefCell;
use std::collections::HashMap;

use super::Via;
use crate::audit::escalate::{EscalationPath, PASSING_WAYS};
use crate::audit::node::Node;
use crate::audit::ways;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::catalogue::{AccountRef, KnownActions};
use opsctl_iam::condition::{self, Operator};
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;
use opsctl_iam::keys::is_form;
use opsctl_iam::policy::Condition;

/// A key that tells what a service is given.
struct Told {
    service: &'static str,
    key: &'static str,
    /// The calls that have it.
    calls: KnownActions,
    /// The type of the things that have it, as ARNs write it; empty: all that they take.
    on: &'static str,
}

static TOLD: [Told; 2] = [
    Told {
        service: "cloudformation.amazonaws.com",
        key: "cloudformation:RoleArn",
        calls: KnownActions::new(&[
            "cloudformation:CreateStack",
            "cloudformation:UpdateStack",
            "cloudformation:CreateChangeSet",
        ]),
        on: "",
    },
    Told {
        service: "ec2.amazonaws.com",
        key: "ec2:InstanceProfile",
        calls: KnownActions::new(&["ec2:RunInstances"]),
        on: ":instance/",
    },
];

impl Told {
    /// What is told of the service of a way.
    fn of(way: usize) -> Option<&'static Self> {
        TOLD.iter().find(|told| told.service == PASSING_WAYS[way].0)
    }

    fn is_in(&self, c: &Condition) -> bool {
        c.key.eq_ignore_ascii_case(self.key)
    }

    /// Whether a condition holds where a role is given.
    fn holds(&self, role: &Node, c: &Condition) -> bool {
        self.values(role, c).iter().any(|value| holds(c, Some(value)))
    }

    /// The ARNs that the key may have where a role is given: of a profile the dump has only the name.
    fn values(&self, node: &Node, c: &Condition) -> Vec<String> {
        if self.on.is_empty() {
            return vec![node.arn.clone()];
        }
        let account = node.arn.split(":role/").next().unwrap_or_default();
        let written = |name: &String| {
            let named = |v: &&String| v.rsplit('/').next() == Some(name) && v.starts_with(account);
            c.values.iter().filter(named).cloned().collect::<Vec<_>>()
        };
        let plain = |name: &String| format!("{account}:instance-profile/{name}");
        node.profiles.iter().flat_map(|name| [vec![plain(name)], written(name)].concat()).collect()
    }
}

/// Whether a statement is about calls that tell of the role which the service of a way is given.
pub(super) fn is_about(grant: &Grant, way: usize) -> bool {
    Told::of(way).is_some_and(|told| told.calls.any_in(&grant.actions))
}

/// Whether such a condition is on the calls of a way's service.
pub(super) fn is_conditional(effective: &Effective, way: usize) -> bool {
    let Some(told) = Told::of(way) else { return false };
    let ceiling: &[Grant] = match &effective.ceiling {
        Ceiling::Known { grants, .. } => grants,
        _ => &[],
    };
    let mut all = effective.allows.iter().chain(&effective.denies).map(|s| &s.grant).chain(ceiling);
    all.any(|g| told.calls.any_in(&g.actions) && g.statement.conditions.iter().any(|c| told.is_in(c)))
}

/// Which roles a service may be given by one of the ways to pass one to it: worked out once for those for
/// whom the conditions hold alike.
pub(super) struct Giving<'e> {
    effective: &'e Effective,
    home: AccountRef<'e>,
    /// `None`: any.
    told: Option<&'static Told>,
    known: RefCell<HashMap<Vec<bool>, bool>>,
}

impl<'e> Giving<'e> {
    /// For what one principal may do, and one way; of another edge than passing, all are given.
    pub fn of(effective: &'e Effective, via: Via, home: AccountRef<'e>) -> Self {
        let told = match via {
            Via::Pass(way) => Told::of(way).filter(|_| is_conditional(effective, way)),
            _ => None,
        };
        Self { effective, home, told, known: RefCell::default() }
    }

    /// Whether the service may be given a role.
    pub fn gives(&self, role: &Node) -> bool {
        let Some(told) = self.told else { return true };
        let asked = conditions(self.effective).filter(|c| told.is_in(c));
        let holding = asked.map(|c| told.holds(role, c)).collect();
        *self.known.borrow_mut().entry(holding).or_insert_with(|| {
            let mut ways = PASSING_WAYS.iter().filter(|(of, _)| of == told.service);
            ways.any(|(_, way)| is_open(self.effective, way, told, Some(role), self.home))
        })
    }
}

/// All conditions on what somebody may do.
fn conditions(effective: &Effective) -> impl Iterator<Item = &Condition> {
    let ceiling: &[Grant] = match &effective.ceiling {
        Ceiling::Known { grants, .. } => grants,
        _ => &[],
    };
    let all = effective.allows.iter().chain(&effective.denies).map(|s| &s.grant).chain(ceiling);
    all.flat_map(|grant| &grant.statement.conditions)
}

/// Whether a way may be taken with some role that no condition tells apart from others.
pub(super) fn may_be_given_any(effective: &Effective, way: usize, home: AccountRef<'_>) -> bool {
    let Some(told) = Told::of(way).filter(|_| is_conditional(effective, way)) else { return true };
    is_open(effective, &PASSING_WAYS[way].1, told, None, home)
}

/// Whether a way may be taken that gives a role, or one that nobody names.
fn is_open(
    effective: &Effective,
    way: &EscalationPath,
    told: &Told,
    role: Option<&Node>,
    home: AccountRef<'_>,
) -> bool {
    /// What nobody writes in a policy.
    const ANY: &str = "\u{1}";
    let counts = |grant: &Grant, action: ActionId, of: &str| {
        let is_told = told.calls.ids().contains(&action) && of.contains(told.on);
        let holds = |c: &Condition| match role {
            _ if !is_told => holds(c, None),
            Some(role) => told.holds(role, c),
            None => holds(c, Some(ANY)),
        };
        let all = &grant.statement.conditions;
        let is_free = match grant.statement.allow {
            // A tag may be set first; see `ways::opening`.
            true => all.iter().all(|c| {
                let is_form = is_form(&c.key) && Operator::parse(&c.operator).is_known();
                is_form
                    || condition::resource_tag(&c.key).is_some()
                    || condition::restriction_of(c, all).is_open()
            }),
            false => all.iter().all(|c| told.is_in(c)) || ways::guards(&grant.statement),
        };
        is_free && all.iter().filter(|c| told.is_in(c)).all(holds)
    };
    ways::is_open(way, effective, home) && ways::is_left_where(way, effective, home, &counts)
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
