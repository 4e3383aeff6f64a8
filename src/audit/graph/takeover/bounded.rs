//! Somebody new who must have a boundary: rights are asked for within the one that the making gives, and it
//! is taken off, or swapped, after.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate>

use super::{Finder, Takeover};
use crate::audit::account::{Account, Boundary, Role, User};
use crate::audit::node::{Node, may_make, may_on, may_within};
use opsctl_iam::condition::{Asked, Bound, Tags};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::pattern;

/// So many boundaries of new principals are tried.
const MOST: usize = 16;

/// What is made, and how it comes to its rights.
pub(super) struct Making<'a> {
    /// `Role` or `User`.
    pub kind: &'static str,
    /// The actions that give it any.
    pub rights: &'a [&'static str],
    /// The call that gives it rights otherwise.
    pub other: Option<String>,
}

impl Making<'_> {
    /// The call that gives rights to what has this boundary, or none.
    fn filled(&self, may: impl Fn(&str) -> bool) -> Option<String> {
        let right = self.rights.iter().find(|action| may(action));
        right.map(|action| format!("{action} on it")).or_else(|| self.other.clone())
    }
}

impl Finder<'_> {
    /// The calls that make a role or user of any rights, by the first name that has something more.
    pub(super) fn to_make<T>(
        &self,
        effective: &Effective,
        making: &Making<'_>,
        more: impl Fn(&str) -> Option<T>,
    ) -> Option<(T, Vec<String>)> {
        let kind = making.kind;
        let create = format!("iam:Create{kind}");
        effective.naming(&create).next()?;
        let lifts = match kind {
            "Role" => ["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"],
            _ => ["iam:DeleteUserPermissionsBoundary", "iam:PutUserPermissionsBoundary"],
        };
        let boundaries =
            boundaries_of_new(self.engine.account, effective, &[&[&*create], making.rights].concat());
        let asked = [making.rights, if boundaries.is_empty() { &[] } else { &lifts }].concat();
        self.names(effective, &create, &asked, &kind.to_lowercase()).into_iter().find_map(|arn| {
            let more = more(&arn)?;
            let free = || {
                let filled = making.filled(|action| may_on(effective, action, &arn))?;
                may_make(effective, &create, &arn, None).then(|| vec![filled])
            };
            let within = || {
                boundaries.iter().find_map(|boundary| {
                    let given = Some(Bound::By(boundary));
                    let made = may_make(effective, &create, &arn, given);
                    made.then(|| self.freed_after(effective, making, &lifts, &arn, boundary))?
                })
            };
            let rest = free().or_else(within)?;
            let first = format!("{create} on {arn} or the like");
            Some((more, std::iter::once(first).chain(rest).collect()))
        })
    }

    /// The calls that give rights to what was made within a boundary and that take this off, in an order in
    /// which each is allowed.
    fn freed_after(
        &self,
        effective: &Effective,
        making: &Making<'_>,
        lifts: &[&'static str; 2],
        arn: &str,
        boundary: &str,
    ) -> Option<Vec<String>> {
        let within = |action: &str| may_within(effective, action, arn, Some(boundary));
        let [delete, put] = *lifts;
        let (lift, then) = if within(delete) {
            let then = making.filled(|action| may_within(effective, action, arn, None));
            (format!("{delete} on it"), then)
        } else if may_on(effective, put, arn) {
            // For one that bounds nothing, whichever that is.
            (format!("{put} on it"), making.filled(|action| may_on(effective, action, arn)))
        } else {
            let rewritten = self.engine.new_version(boundary, |action, on| may_on(effective, action, on))?;
            (rewritten, None)
        };
        match then {
            Some(filled) => Some(vec![lift, filled]),
            None => Some(vec![making.filled(within)?, lift]),
        }
    }

    /// The calls by which a principal puts the boundary on itself that its own statements ask for, and writes
    /// any rights of its own within it.
    pub(super) fn bounded_first(&self, node: usize, effective: &Effective) -> Option<Takeover> {
        let account = self.engine.account;
        let user = node.checked_sub(self.graph.role_count()).map(|place| &account.users[place]);
        let (put, writes) = match user {
            None => ("iam:PutRolePermissionsBoundary", ["iam:PutRolePolicy", "iam:AttachRolePolicy"]),
            Some(_) => ("iam:PutUserPermissionsBoundary", ["iam:PutUserPolicy", "iam:AttachUserPolicy"]),
        };
        if !self.graph.is_rewritable(node) || effective.naming(put).next().is_none() {
            return None;
        }
        let now = &self.graph.nodes[node];
        let asked = boundaries_of_new(self.engine.account, effective, &writes);
        let others = asked.into_iter().filter(|arn| now.boundary.as_ref() != Some(arn));
        others.into_iter().find_map(|arn| {
            let given =
                Asked { tags: Tags::Told(&now.tags), boundary: Some(Bound::By(&arn)), ..Asked::default() };
            if effective.decide_for(put, &now.arn, given) != Decision::Allowed {
                return None;
            }
            let then = Node { boundary: Some(arn.clone()), ..now.clone() };
            let permissions_boundary = Some(Boundary { arn: arn.clone() });
            let bounded = match user {
                None => self.engine.role(&Role { permissions_boundary, ..account.roles[node].clone() }),
                Some(user) => self.engine.user(&User { permissions_boundary, ..user.clone() }),
            };
            let write = writes.iter().find(|action| then.admits_call(&bounded, action, None))?;
            let calls = vec![format!("{put} of {arn} on {}", now.arn), format!("{write} on {}", now.arn)];
            let taken =
                Takeover { calls, becomes_admin: true, of: now.arn.clone(), depends: false, by: None };
            self.engine.may_be_admin(&bounded).then_some(taken)
        })
    }
}

/// The policies that conditions name as the boundary of what is made or given rights.
pub(in crate::audit::graph) fn boundaries_of_new(
    account: &Account,
    effective: &Effective,
    actions: &[&str],
) -> Vec<String> {
    let limits = match &effective.ceiling {
        Ceiling::Known { grants, .. } => &grants[..],
        _ => &[],
    };
    let grants = effective.allows.iter().chain(&effective.denies).map(|s| &s.grant).chain(limits);
    let about = grants.filter(|grant| actions.iter().any(|action| grant.names(action)));
    let conditions = about.flat_map(|grant| &grant.statement.conditions);
    let values = conditions.filter(|c| c.key.eq_ignore_ascii_case("iam:PermissionsBoundary"));
    let mut found = Vec::new();
    for value in values.flat_map(|c| &c.values).filter(|value| value.starts_with("arn:")) {
        let policies = account.policies.iter().map(|policy| &policy.arn);
        let known = policies.filter(|arn| pattern::matches(value, arn)).cloned();
        let before = found.len();
        found.extend(known);
        // One that the data does not have.
        found.extend((found.len() == before).then(|| value.replace(['*', '?'], "x")));
    }
    found.sort();
    found.dedup();
    found.truncate(MOST);
    found
}
