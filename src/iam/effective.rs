//! What all policies of a principal allow together, minus Deny, within the boundary, with every condition
//! weighed. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::rc::Rc;

use crate::action_set::{ActionId, ActionSet};
use crate::catalogue::{Catalogue, KnownActions};
use crate::circumstance::is_on_circumstance;
use crate::condition;
use crate::grant::{Grant, Source, Sourced};

/// The ceiling on a role.
#[derive(Debug)]
pub enum Ceiling {
    /// It has no boundary.
    None,
    /// The boundary's statements.
    Known {
        /// Where they are written.
        source: Rc<Source>,
        /// The statements.
        grants: Rc<[Grant]>,
    },
    /// A boundary whose document is missing: neither unlimited nor empty, but unknown.
    Missing {
        /// The policy that is the boundary.
        arn: String,
    },
}

/// The effective permissions of a role or user.
#[derive(Debug)]
pub struct Effective {
    /// What is allowed.
    pub allows: Vec<Sourced>,
    /// What is denied.
    pub denies: Vec<Sourced>,
    /// What the boundary lets through.
    pub ceiling: Ceiling,
    /// Statements that cannot apply to the role: they are over, or for somebody else.
    pub void: Vec<Sourced>,
    /// Policies whose document is missing or malformed, and why: what they grant is unknown.
    pub unreadable: Vec<(String, String)>,
    /// Before Deny and boundary: allowed without leaving out a resource, whatever the condition.
    pub identity: ActionSet,
    /// Allowed on all resources, restricted by nothing that matters.
    pub open: ActionSet,
    /// Allowed on all resources, perhaps under a condition. Contains `open`.
    pub held: ActionSet,
    /// Allowed on some resource, without a restriction but on what is asked for. Contains `open`.
    pub some: ActionSet,
    /// Whether any statement asks for tags of what is acted upon.
    pub asks_tags: bool,
    /// The number of what several principals have in common; `None` for one that has its own.
    pub serial: Option<u32>,
}

struct Reach {
    open: ActionSet,
    held: ActionSet,
    some: ActionSet,
}

impl Reach {
    fn of<'g>(allows: impl Iterator<Item = &'g Grant>) -> Self {
        let mut reach =
            Self { open: ActionSet::default(), held: ActionSet::default(), some: ActionSet::default() };
        for grant in allows {
            reach.held.union(&grant.unlimited);
            if grant.restriction.is_open() {
                reach.open.union(&grant.unlimited);
                reach.some.union(&grant.actions);
            } else if condition::is_by_form(&grant.statement) {
                reach.some.union(&grant.actions);
            }
        }
        reach
    }
}

/// What a Deny leaves on some resources only, under a strong condition only, and under one on more than what
/// is asked for.
fn confined<'g>(denies: impl Iterator<Item = &'g Grant>) -> [ActionSet; 3] {
    let [mut by_resource, mut by_condition, mut by_caller] = <[ActionSet; 3]>::default();
    for deny in denies {
        if deny.statement.conditions.is_empty() {
            by_resource.union(&deny.confines);
        } else if condition::is_guard(&deny.statement) {
            [&deny.unlimited, &deny.confines].iter().for_each(|gone| by_condition.union(gone));
            if condition::guards_by_form(&deny.statement) {
                continue;
            }
            by_caller.union(&deny.unlimited);
            // What it spares is left on some resources, whatever the circumstances.
            if !deny.statement.conditions.iter().all(is_on_circumstance) {
                by_caller.union(&deny.confines);
            }
        }
    }
    [by_resource, by_condition, by_caller]
}

/// What is denied whatever the resource and the circumstances. A Deny under a condition takes nothing away
/// for sure, not even under one that everybody can meet: they can also not meet it.
fn everywhere<'g>(denies: impl Iterator<Item = &'g Grant>) -> ActionSet {
    let mut denied = ActionSet::default();
    denies.filter(|deny| deny.statement.conditions.is_empty()).for_each(|deny| denied.union(&deny.unlimited));
    denied
}

impl Effective {
    /// What these statements amount to. `void` cannot apply, `unreadable` is what no document was found for.
    pub fn of(
        allows: Vec<Sourced>,
        denies: Vec<Sourced>,
        ceiling: Ceiling,
        void: Vec<Sourced>,
        unreadable: Vec<(String, String)>,
    ) -> Self {
        let allowed = Reach::of(allows.iter().map(|s| &s.grant));
        let denied = everywhere(denies.iter().map(|s| &s.grant));
        let (mut open, mut held, mut some) = (allowed.open, allowed.held, allowed.some);
        let identity = held.clone();
        [&mut open, &mut held, &mut some].into_iter().for_each(|set| set.subtract(&denied));
        let [by_resource, by_condition, by_caller] = confined(denies.iter().map(|s| &s.grant));
        [&mut open, &mut held].into_iter().for_each(|set| set.subtract(&by_resource));
        open.subtract(&by_condition);
        some.subtract(&by_caller);
        // What nobody can read may leave nothing: that is unknown, and told as such.
        if let Ceiling::Missing { .. } = &ceiling {
            [&mut open, &mut held, &mut some].into_iter().for_each(|set| *set = ActionSet::default());
        }
        if let Ceiling::Known { grants, .. } = &ceiling {
            let mut limit = Reach::of(grants.iter().filter(|g| g.statement.allow));
            let denied = everywhere(grants.iter().filter(|g| !g.statement.allow));
            [&mut limit.open, &mut limit.held, &mut limit.some]
                .into_iter()
                .for_each(|set| set.subtract(&denied));
            let [by_resource, by_condition, by_caller] =
                confined(grants.iter().filter(|g| !g.statement.allow));
            [&mut limit.open, &mut limit.held].into_iter().for_each(|set| set.subtract(&by_resource));
            limit.open.subtract(&by_condition);
            limit.some.subtract(&by_caller);
            open.intersect(&limit.open);
            held.intersect(&limit.held);
            some.intersect(&limit.some);
        }
        let limits: &[Grant] = match &ceiling {
            Ceiling::Known { grants, .. } => grants,
            _ => &[],
        };
        let asks = |grant: &Grant| {
            grant.statement.conditions.iter().any(|c| condition::resource_tag(&c.key).is_some())
        };
        let asks_tags = allows.iter().chain(&denies).map(|s| &s.grant).chain(limits).any(asks);
        Self {
            allows,
            denies,
            ceiling,
            void,
            unreadable,
            identity,
            open,
            held,
            some,
            asks_tags,
            serial: None,
        }
    }

    /// Whether an action is allowed everywhere at the right moment: with MFA, from the office, through a
    /// service.
    pub fn allows_at_times(&self, action: ActionId) -> bool {
        let at_times = |s: &&Sourced| {
            s.grant.unlimited.contains(action) && condition::is_circumstance(&s.grant.statement)
        };
        let guards = self
            .denies
            .iter()
            .map(|s| &s.grant)
            .filter(|deny| deny.unlimited.contains(action) && condition::is_guard(&deny.statement));
        self.held.contains(action)
            && self.allowing(action).any(|s| at_times(&s))
            && guards.into_iter().all(|deny| condition::guards_by_circumstance(&deny.statement))
    }

    /// The allowing statements that name a catalogued action.
    pub fn allowing(&self, action: ActionId) -> impl Iterator<Item = &Sourced> {
        self.allows.iter().filter(move |s| s.grant.actions.contains(action))
    }

    /// The statements that give an action on all resources first, then the others; one line each, at most
    /// `most`.
    pub fn evidence(&self, catalogue: &Catalogue, action: ActionId, most: usize) -> Vec<String> {
        let mut found: Vec<&Sourced> = self.allowing(action).collect();
        found.sort_by_key(|s| (!s.grant.unlimited.contains(action), !s.grant.restriction.is_open()));
        found.into_iter().take(most).map(|s| s.evidence(catalogue.name(action))).collect()
    }

    /// What Deny and the boundary do about the role, for evidence; empty when there is neither.
    pub fn limits(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.ceiling {
            Ceiling::None => {}
            Ceiling::Known { source, .. } => lines.push(format!("boundary {} was applied", source.name)),
            Ceiling::Missing { arn } => lines.push(format!("boundary {arn}: its document is missing")),
        }
        for deny in &self.denies {
            let effect = if deny.grant.statement.conditions.is_empty() {
                "was applied"
            } else {
                "holds only under its condition"
            };
            lines.push(format!(
                "a Deny in {}, {} {effect}",
                deny.source.label(),
                deny.grant.statement.label(deny.grant.index)
            ));
        }
        lines
    }
}

/// How far a set of actions makes its holder an administrator of the account.
pub fn is_admin(set: &ActionSet, catalogue: &Catalogue) -> bool {
    is_everything(set, catalogue) || has_admin_kernel(set, catalogue)
}

/// At least 95 % of all actions.
pub fn is_everything(set: &ActionSet, catalogue: &Catalogue) -> bool {
    set.len() * 100 >= catalogue.len() * 95
}

/// Enough of IAM to make oneself an administrator at will: nearly all of `iam:*`, or the power to rewrite
/// any role together with the power to become or to pass any role.
pub fn has_admin_kernel(set: &ActionSet, catalogue: &Catalogue) -> bool {
    static REWRITES: KnownActions = KnownActions::new(&[
        "iam:PutRolePolicy",
        "iam:AttachRolePolicy",
        "iam:CreatePolicyVersion",
        "iam:UpdateAssumeRolePolicy",
    ]);
    static BECOMES: KnownActions = KnownActions::new(&["iam:PassRole", "sts:AssumeRole"]);
    if !REWRITES.any_in(set) {
        return false;
    }
    let iam = catalogue.service("iam").unwrap_or(0..0);
    let held = iam.clone().filter(|&id| set.contains(id)).count();
    held * 100 >= iam.len() * 95 || BECOMES.any_in(set)
}
