//! Users and groups that somebody may rename, or move to another path, so that what is allowed there is
//! allowed on them: the call is asked for the old name and for the new one, and who they are and what they
//! hold stays.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html>

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::takeover::{named_here, names_written};
use super::{Graph, Target, Via};
use crate::audit::account::{Account, name_of};
use crate::audit::evaluate::Engine;
use crate::audit::node::{Asking, Node};
use opsctl_iam::condition::Tags;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::Effective;
use opsctl_iam::policy::{Condition, Selector};

/// What moves a user.
pub(super) const UPDATE_USER: &str = "iam:UpdateUser";

/// The calls that move what has such a place in its ARN. No role is renamed.
const MOVES: [(&str, &str); 2] = [("user", UPDATE_USER), ("group", "iam:UpdateGroup")];

/// So many names that a trust asks for are tried.
const MOST: usize = 32;

/// Patterns of names.
type Patterns = Rc<[String]>;

/// The names of the account.
#[derive(Clone, Default)]
pub(super) struct Names {
    /// `user/boss`, in small letters: names are told apart whatever the path and the case.
    taken: HashSet<String>,
    partition: String,
    account: String,
    /// The patterns of new names by what somebody holds and the call that is to be allowed there.
    patterns: RefCell<HashMap<(u32, String), Patterns>>,
}

impl Names {
    /// Those of the account's principals and groups, none of which is free.
    pub fn of(account: &Account) -> Self {
        let users = account.users.iter().map(|user| taken_by("user", &user.name));
        let groups = account.groups.iter().map(|group| taken_by("group", &group.name));
        let roles = account.roles.iter().map(|role| taken_by("role", &role.name));
        Self {
            taken: users.chain(groups).chain(roles).collect(),
            partition: account.partition().to_owned(),
            account: account.id.clone(),
            patterns: RefCell::default(),
        }
    }

    /// Whether somebody of a kind has a name.
    pub fn is_taken(&self, kind: &str, name: &str) -> bool {
        self.taken.contains(&taken_by(kind, name))
    }

    /// An ARN here that a pattern matches, for what has a name already.
    fn filled(&self, pattern: &str, own: &str) -> String {
        named_here(pattern, &self.partition, &self.account, |resource| {
            let (path, last) = resource.rsplit_once('/').unwrap_or(("", resource));
            let last = last.replacen('*', own, 1).replace('*', "").replace('?', "x");
            format!("{}/{last}", path.replace(['*', '?'], "x"))
        })
    }

    /// Patterns of the names at which a call, and the move to them, may be allowed.
    fn at(&self, effective: &Effective, action: &str, kind: &str, update: &'static str) -> Patterns {
        let make = || {
            let all = names_written(effective, &[action, update], kind);
            let home = |name: &str| format!("arn:{}:iam::{}:{kind}/{name}", self.partition, self.account);
            all.into_iter().chain(["*", "x-*"].map(home)).collect()
        };
        let Some(serial) = effective.serial else { return make() };
        Rc::clone(self.patterns.borrow_mut().entry((serial, action.to_owned())).or_insert_with(make))
    }
}

fn taken_by(kind: &str, name: &str) -> String {
    format!("{kind}/{}", name.to_ascii_lowercase())
}

/// Whether somebody may move a user or group from one name to another.
fn may_move(effective: &Effective, update: &str, node: &Node, to: &str) -> bool {
    let allowed = |arn: &str| is_allowed(effective, update, node, arn);
    node.arn != to && allowed(&node.arn) && allowed(to)
}

/// Whether a call is allowed on somebody who has this ARN, and is otherwise as it is.
fn is_allowed(effective: &Effective, action: &str, node: &Node, arn: &str) -> bool {
    let there = Node { arn: arn.to_owned(), ..node.clone() };
    there.decide(effective, action, Tags::Told(&node.tags), None) == Decision::Allowed
}

impl Graph {
    /// Where a user or group may be moved so that a call is allowed on it.
    pub(super) fn moved(&self, effective: &Effective, action: &str, node: &Node) -> Option<String> {
        let resource = node.arn.rsplit(':').next()?;
        let (kind, update) = MOVES
            .iter()
            .find(|(kind, _)| resource.strip_prefix(kind).is_some_and(|rest| rest.starts_with('/')))?;
        if effective.naming(update).next().is_none() || !is_allowed(effective, update, node, &node.arn) {
            return None;
        }
        let own = name_of(&node.arn);
        let is_free = |to: &String| {
            let name = name_of(to);
            name.eq_ignore_ascii_case(own) || !self.names.taken.contains(&taken_by(kind, name))
        };
        let patterns = self.names.at(effective, action, kind, update);
        let names = patterns.iter().map(|pattern| self.names.filled(pattern, own)).filter(is_free);
        let fits =
            |to: &String| is_allowed(effective, action, node, to) && may_move(effective, update, node, to);
        names.into_iter().find(fits)
    }

    /// As [`Graph::moved`], as a call.
    pub(super) fn move_first(&self, effective: &Effective, action: &str, node: &Node) -> Option<String> {
        let to = self.moved(effective, action, node)?;
        let update = MOVES.iter().find(|(kind, _)| node.arn.contains(&format!(":{kind}/")))?.1;
        Some(format!("{update} of {} to {to}", node.arn))
    }

    /// Whether a call is allowed on a group after it was moved.
    pub fn may_on_moved(&self, effective: &Effective, action: &str, group: &str) -> bool {
        self.moved(effective, action, &Node::new(group, "", &[])).is_some()
    }

    /// The users of whom keys may be made after they were moved, besides those that are known.
    pub(super) fn movable(&self, effective: &Effective, via: Via, known: &[Target]) -> Vec<usize> {
        if !matches!(via, Via::Key(_)) {
            return Vec::new();
        }
        let mut users: Vec<usize> = Vec::new();
        for grant in effective.naming(UPDATE_USER).map(|s| &s.grant) {
            match &grant.statement.resources {
                Some(Selector::Only(all)) => users.extend(all.iter().flat_map(|p| self.aimed_at(via, p))),
                _ => users.extend(self.roles..self.nodes.len()),
            }
        }
        users.sort_unstable();
        users.dedup();
        let reached: HashSet<usize> = known
            .iter()
            .flat_map(|target| match target {
                Target::Role(node) => vec![*node],
                Target::Pattern(pattern) => self.aimed_at(via, pattern).collect(),
            })
            .collect();
        users.retain(|node| !reached.contains(node));
        users
    }

    /// Roles whose trust asks for a name that a user may give itself.
    pub(super) fn add_renamed(&mut self, index: usize, effective: &Effective, engine: &Engine<'_>) {
        let node = &self.nodes[index];
        if self.name_askers.is_empty() || !is_allowed(effective, UPDATE_USER, node, &node.arn) {
            return;
        }
        let asked: Vec<&Asking> = self.name_askers.iter().filter(|asked| asked.named.is_none()).collect();
        let mut found = Vec::new();
        for asked in asked {
            let names = asked.conditions.iter().flat_map(|c| self.names_asked(c, name_of(&node.arn), engine));
            let is_free = |to: &String| {
                let name = name_of(to);
                name.eq_ignore_ascii_case(name_of(&node.arn))
                    || !self.names.taken.contains(&taken_by("user", name))
            };
            let fits = |to: &String| {
                let there = Node { arn: to.clone(), ..node.clone() };
                asked.conditions.iter().all(|c| there.meets(c))
            };
            let mut names = names.take(MOST).filter(is_free).filter(fits);
            let may = names.any(|to| may_move(effective, UPDATE_USER, node, &to));
            if may && self.comes(effective, index, asked) {
                found.push((asked.role, Via::Renamed));
            }
        }
        let known: HashSet<usize> = self.edges[index].iter().map(|&(to, _)| to).collect();
        found.retain(|(role, _)| !known.contains(role));
        self.edges[index].extend(found);
    }

    /// The ARNs of users that a condition on the name of the caller asks for.
    fn names_asked(&self, c: &Condition, own: &str, engine: &Engine<'_>) -> Vec<String> {
        let filled = |value: &String| match c.key.eq_ignore_ascii_case("aws:username") {
            true => engine.account.iam_arn(&format!("user/{}", value.replace(['*', '?'], "x"))),
            false => self.names.filled(value, own),
        };
        let is_asked = is_on_name(c);
        c.values.iter().filter(|_| is_asked).map(filled).filter(|arn| arn.contains(":user/")).collect()
    }
}

/// Whether a condition is on the name of the caller.
pub(super) fn is_on_name(c: &Condition) -> bool {
    ["aws:PrincipalArn", "aws:username"].iter().any(|key| c.key.eq_ignore_ascii_case(key))
}
