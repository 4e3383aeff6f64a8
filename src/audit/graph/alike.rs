//! Whom a call reaches, worked out once for all of whom the same statements speak of it: roles that hold
//! policies of their own, and one role with other tags of its own, differ mostly in what is beside it.
//! See docs/decisions/0095-asked-once-of-a-kind.md.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use super::moved::UPDATE_USER;
use super::{Graph, Target, Via, stacks};
use crate::audit::escalate::PASSING_WAYS;
use crate::audit::node::Node;
use crate::audit::said::SAYING;
use crate::audit::ways;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::catalogue::{Catalogue, KnownActions};
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::{Grant, Part};
use opsctl_iam::pattern;
use opsctl_iam::policy::{Selector, Statement};

/// What sets the tags that a statement asks for, or takes them off, and what moves a user to where it is
/// about it.
static BEFORE: KnownActions =
    KnownActions::new(&["iam:TagRole", "iam:UntagRole", "iam:TagUser", "iam:UntagUser", UPDATE_USER]);

/// Lists of so many roles are behind a node of their own, which all share that have the list.
const MANY: usize = 8;

/// A statement, whose copies are equal where they say the same.
struct Said {
    statement: Arc<Statement>,
    part: Part,
    /// Of a boundary.
    limits: bool,
}

impl PartialEq for Said {
    fn eq(&self, other: &Self) -> bool {
        (self.part, self.limits) == (other.part, other.limits)
            && (Arc::ptr_eq(&self.statement, &other.statement) || self.statement == other.statement)
    }
}

impl Eq for Said {}

impl Hash for Said {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Statement { allow, actions, resources, conditions, .. } = &*self.statement;
        (self.limits, allow, actions, resources, conditions).hash(state);
    }
}

/// All that is said of a call by way of `via`.
#[derive(PartialEq, Eq, Hash)]
struct About {
    action: ActionId,
    via: Via,
    said: Vec<Said>,
    is_bounded: bool,
}

impl About {
    fn of(effective: &Effective, action: ActionId, via: Via) -> Self {
        let ways: Vec<ActionId> = match via.service() {
            Some(service) => {
                let ways = PASSING_WAYS.iter().filter(|(of, _)| of == service);
                let mut calls: Vec<ActionId> =
                    ways.flat_map(|(_, way)| way.actions.iter().copied()).collect();
                if effective.asks_tags {
                    calls.extend(ways::tagging_calls(&calls));
                }
                calls
            }
            None if via.action() == "sts:AssumeRole" => {
                SAYING.iter().filter_map(|call| Catalogue::embedded().find(call)).collect()
            }
            None => Vec::new(),
        };
        let is_told = |grant: &Grant| matches!(via, Via::Pass(way) if stacks::is_about(grant, way));
        let is_about = |grant: &Grant| {
            let all = &grant.actions;
            all.contains(action)
                || BEFORE.any_in(all)
                || ways.iter().any(|&id| all.contains(id))
                || is_told(grant)
        };
        let said = |grant: &Grant, limits: bool| {
            let (statement, part) = (Arc::clone(&grant.statement), grant.part);
            is_about(grant).then_some(Said { statement, part, limits })
        };
        let own = effective.allows.iter().chain(&effective.denies);
        let own = own.filter_map(|s| said(&s.grant, false));
        let limits = limits(effective).iter().filter_map(|grant| said(grant, true));
        let is_bounded = matches!(effective.ceiling, Ceiling::Known { .. });
        Self { action, via: via.representative(), said: own.chain(limits).collect(), is_bounded }
    }
}

fn limits(effective: &Effective) -> &[Grant] {
    match &effective.ceiling {
        Ceiling::Known { grants, .. } => grants,
        _ => &[],
    }
}

/// A node, and the list that it stands for.
type Listed = (usize, Rc<[Target]>);

/// What was worked out so far.
#[derive(Clone, Default)]
pub(super) struct Alike {
    lists: RefCell<HashMap<Rc<About>, Rc<[Target]>>>,
    /// Equal lists are one.
    distinct: RefCell<HashSet<Rc<[Target]>>>,
    /// The nodes that stand for lists, by their places. The lists are kept, so that no others come to stand
    /// there.
    nodes: HashMap<(Via, *const Target), Listed>,
    listed: HashSet<usize>,
    /// Whether all that one such node leads to is behind another.
    within: HashMap<(usize, usize), bool>,
    /// How often it was asked whether somebody may call something on somebody.
    asked: Cell<usize>,
}

impl Alike {
    /// Forgets whom the ways of a kind reach.
    pub fn forget(&self, via: Via) {
        self.lists.borrow_mut().retain(|about, _| about.via != via);
    }

    /// How often it was asked whether somebody may call something on somebody.
    #[cfg(test)]
    pub fn asked(&self) -> usize {
        self.asked.get()
    }
}

impl Graph {
    /// What an action reaches by way of `via`, as it is for all of whom the same is said.
    pub(super) fn targets_alike(&self, effective: &Effective, action: ActionId, via: Via) -> Rc<[Target]> {
        if is_plain(effective, action, via) {
            return self.find_targets(effective, action, via).into();
        }
        let about = Rc::new(About::of(effective, action, via));
        if let Some(known) = self.alike.lists.borrow().get(&about) {
            return Rc::clone(known);
        }
        let found: Rc<[Target]> = self.find_targets(effective, action, via).into();
        let mut distinct = self.alike.distinct.borrow_mut();
        let found = match distinct.get(&found) {
            Some(known) => Rc::clone(known),
            None => {
                distinct.insert(Rc::clone(&found));
                found
            }
        };
        self.alike.lists.borrow_mut().insert(about, Rc::clone(&found));
        found
    }

    /// Whether a call is allowed on a principal, asked once for those that are of one kind and that the same
    /// statements name.
    pub(super) fn asker<'g>(
        &'g self,
        effective: &'g Effective,
        via: Via,
    ) -> impl Fn(usize) -> bool + use<'g> {
        let action = via.action();
        let all = effective.allows.iter().chain(&effective.denies).map(|s| &s.grant).chain(limits(effective));
        // What names everything names all alike.
        let is_listed = |scope: &Selector| match scope {
            Selector::Only(patterns) => !patterns.iter().any(|p| pattern::is_everything(p)),
            Selector::Except(_) => true,
        };
        let named = |grant: &&Grant| grant.statement.resources.as_ref().is_some_and(is_listed);
        let says = |grant: &&Grant| action == "sts:AssumeRole" && SAYING.iter().any(|call| grant.names(call));
        let about = |grant: &&Grant| grant.names(action) || BEFORE.any_in(&grant.actions) || says(grant);
        let by_name: Vec<&Grant> = all.filter(named).filter(about).collect();
        let known: RefCell<HashMap<(usize, Vec<bool>), bool>> = RefCell::default();
        move |node| {
            let arn = self.arn(node);
            let reached = by_name.iter().map(|grant| grant.reaches(arn)).collect();
            *known.borrow_mut().entry((self.kinds()[node], reached)).or_insert_with(|| {
                self.alike.asked.set(self.alike.asked.get() + 1);
                self.may_call(effective, action, node, via.service())
            })
        }
    }

    /// The kinds of principals that calls may be about, by node: of one kind are those that have the same
    /// tags and the same boundary, and whose trust asks callers to say the same.
    fn kinds(&self) -> &[usize] {
        self.kinds.get_or_init(|| {
            let mut known = HashMap::new();
            let of = |(index, node): (usize, &Node)| {
                (index < self.roles, node.tags.clone(), node.boundary.clone(), node.said.clone())
            };
            let kind = |kind| {
                let next = known.len();
                *known.entry(kind).or_insert(next)
            };
            self.nodes.iter().enumerate().map(of).map(kind).collect()
        })
    }

    /// Leads from a principal to the roles of a list, by a node for many that others have, too.
    pub(super) fn connect_all(&mut self, from: usize, targets: &Rc<[Target]>, via: Via) {
        let roles = || targets.iter().filter_map(Target::role);
        if roles().count() < MANY {
            let edges: Vec<_> = roles().filter(|role| *role != from).map(|role| (role, via)).collect();
            self.edges[from].extend(edges);
            return;
        }
        let key = (via.representative(), targets.as_ptr());
        let next = self.edges.len();
        let node = self.alike.nodes.entry(key).or_insert_with(|| (next, Rc::clone(targets))).0;
        if node == next {
            let edges = roles().map(|role| (role, via)).collect();
            self.edges.push(edges);
            self.alike.listed.insert(node);
        }
        self.edges[from].push((node, via));
    }

    /// Whether an edge leads nowhere that one of others does not lead to in the same way.
    pub(super) fn is_behind(&mut self, edge: (usize, Via), known: &HashSet<(usize, Via)>) -> bool {
        let (node, via) = edge;
        if known.contains(&edge) {
            return true;
        }
        if !self.alike.listed.contains(&node) {
            return false;
        }
        let lists = known.iter().filter(|(other, by)| *by == via && self.alike.listed.contains(other));
        let lists: Vec<usize> = lists.map(|&(other, _)| other).collect();
        lists.into_iter().any(|other| {
            let edges = &self.edges;
            let is_within = || {
                let all: HashSet<_> = edges[other].iter().collect();
                edges[node].iter().all(|edge| all.contains(edge))
            };
            *self.alike.within.entry((node, other)).or_insert_with(is_within)
        })
    }
}

/// Whether nothing but patterns of names decides what an action reaches.
fn is_plain(effective: &Effective, action: ActionId, via: Via) -> bool {
    let is_plain = |grant: &Grant| {
        let statement = &grant.statement;
        statement.conditions.is_empty() && matches!(statement.resources, Some(Selector::Only(_)))
    };
    matches!(effective.ceiling, Ceiling::None)
        && effective.allowing(action).all(|s| is_plain(&s.grant))
        && (!matches!(via, Via::Key(_)) || effective.naming(UPDATE_USER).next().is_none())
        && !effective.denies.iter().any(|s| s.grant.actions.contains(action))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::audit::account::Account;
    use crate::audit::evaluate::Engine;

    /// Roles of five teams, each with a policy of its own, that may tag each other, and rewrite the trust of
    /// those of their team.
    fn asked(size: usize) -> usize {
        let own = "arn:aws:iam::111122223333";
        let other_team = json!({"StringNotEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}});
        let role = |n: usize| -> Value {
            let statements = json!([
                {"Effect": "Allow", "Action": "iam:TagRole", "Resource": "*"},
                {"Effect": "Allow", "Action": "iam:UpdateAssumeRolePolicy", "Resource": "*"},
                {"Effect": "Deny", "Action": "iam:UpdateAssumeRolePolicy", "Resource": "*",
                 "Condition": other_team},
                {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": format!("arn:aws:sqs:*:*:{n}")},
            ]);
            let trust = json!({"Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"AWS": format!("{own}:root")}});
            json!({"RoleName": format!("r{n}"), "RoleId": format!("AROA{n}"), "Path": "/",
                "Arn": format!("{own}:role/r{n}"), "CreateDate": "2026-01-01T00:00:00Z",
                "AssumeRolePolicyDocument": {"Statement": [trust]},
                "Tags": [{"Key": "team", "Value": format!("t{}", n % 5)}],
                "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"Statement": statements}}]})
        };
        let dump = json!({"RoleDetailList": (0..size).map(role).collect::<Vec<_>>()});
        let account = Account::from_json(dump.to_string().as_bytes()).expect("a dump");
        Graph::build(&Engine::new(&account), None).alike.asked()
    }

    #[test]
    fn more_of_the_same_kinds_ask_no_more() {
        let few = asked(20);
        assert!(few > 0, "somebody asks");
        assert_eq!(asked(40), few);
    }
}
