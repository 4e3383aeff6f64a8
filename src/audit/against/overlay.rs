//! What a plan makes of what is there: all of it, with the changes in place.

use std::collections::HashSet;

use super::{Before, known_group};
use crate::audit::account::{Account, Attachment, ELSEWHERE, Group, InlinePolicy, Role, User};
use crate::audit::removed::{Holder, Removed};

/// Both sides of a comparison. Of a plan or a template that is compared with an account, the rest of the
/// account is there afterwards as well.
pub(super) fn both(before: &Account, after: &Account) -> (Account, Account) {
    match (&before.planned, &after.planned) {
        (None, Some(removed)) => (before.clone(), Overlay { before, after }.made(removed)),
        (Some(_), Some(_)) => two_plans(before, after),
        // A dump has all that there is: what it lacks is not known to be as it was.
        (_, None) => (before.clone(), after.clone()),
    }
}

/// Two plans or templates: what the second leaves out is gone, but for those who are made elsewhere.
fn two_plans(before: &Account, after: &Account) -> (Account, Account) {
    let (mut old, mut new) = (before.clone(), completed(before, after.clone()));
    for role in before.roles.iter().filter(|role| is_elsewhere(before, &role.arn)) {
        if !new.roles.iter().any(|known| known.name == role.name) {
            let (inline, attached) = Default::default();
            new.roles.push(Role { inline, attached, ..role.clone() });
        }
    }
    for user in before.users.iter().filter(|user| is_elsewhere(before, &user.arn)) {
        if !new.users.iter().any(|known| known.name == user.name) {
            let (inline, attached, groups) = Default::default();
            new.users.push(User { inline, attached, groups, ..user.clone() });
        }
    }
    // A policy that somebody held is known, too.
    for role in new.roles.iter().filter(|role| role.is_policy()) {
        let is_known = old.policies.iter().any(|policy| policy.arn == role.arn);
        if is_known && !old.roles.iter().any(|known| known.arn == role.arn) {
            old.roles.push(role.clone());
        }
    }
    (old, new)
}

/// After a change, with the policies and groups that it leaves as they are.
fn completed(before: &Account, mut all: Account) -> Account {
    for policy in &before.policies {
        if !all.policies.iter().any(|known| known.arn == policy.arn) {
            all.policies.push(policy.clone());
        }
    }
    // A user whom the change makes may join a group that it does not.
    let missing = before.groups.iter().filter(|old| !all.groups.iter().any(|new| new.name == old.name));
    let missing: Vec<Group> = missing.cloned().collect();
    all.groups.extend(missing);
    all
}

fn is_elsewhere(account: &Account, arn: &str) -> bool {
    account.problems.iter().any(|problem| problem.reason == ELSEWHERE && problem.resource == arn)
}

/// An account, and a plan that changes it.
struct Overlay<'a> {
    before: &'a Account,
    after: &'a Account,
}

impl Overlay<'_> {
    fn made(&self, removed: &Removed) -> Account {
        let mut rest = self.before.clone();
        take(removed, &mut rest);
        let mut all = self.after.clone();
        all.roles.retain(|role| !role.is_policy());
        let roles = Before::of(&rest.roles, |role: &Role| (&role.arn, &role.name));
        for role in &mut all.roles {
            if let Some(was) = roles.find(&role.arn, &role.name) {
                self.onto_role(was, role);
            }
        }
        let users = Before::of(&rest.users, |user: &User| (&user.arn, &user.name));
        for user in &mut all.users {
            if let Some(was) = users.find(&user.arn, &user.name) {
                self.onto_user(was, user);
            }
        }
        for group in &mut all.groups {
            if let Some(was) = known_group(&rest, &group.arn) {
                group.arn.clone_from(&was.arn);
                keep((&was.inline, &was.attached), (&mut group.inline, &mut group.attached));
            }
        }
        let new: HashSet<&String> = all.roles.iter().map(|role| &role.arn).collect();
        let others = rest.roles.iter().filter(|old| !new.contains(&old.arn));
        let others: Vec<Role> = others.cloned().collect();
        all.roles.extend(others);
        let new: HashSet<&String> = all.users.iter().map(|user| &user.arn).collect();
        let others = rest.users.iter().filter(|old| !new.contains(&old.arn));
        let others: Vec<User> = others.cloned().collect();
        all.users.extend(others);
        completed(&rest, all)
    }

    /// A role that is there, as the plan leaves it. Terraform knows of what it manages only.
    fn onto_role(&self, was: &Role, role: &mut Role) {
        if is_elsewhere(self.after, &role.arn) {
            role.trust = was.trust.clone();
            role.permissions_boundary = was.permissions_boundary.clone();
            role.tags.clone_from(&was.tags);
        }
        role.arn.clone_from(&was.arn);
        role.role_id.clone_from(&was.role_id);
        keep((&was.inline, &was.attached), (&mut role.inline, &mut role.attached));
    }

    fn onto_user(&self, was: &User, user: &mut User) {
        if is_elsewhere(self.after, &user.arn) {
            user.permissions_boundary = was.permissions_boundary.clone();
            user.tags.clone_from(&was.tags);
        }
        user.arn.clone_from(&was.arn);
        user.user_id.clone_from(&was.user_id);
        user.groups.extend(was.groups.iter().cloned());
        keep((&was.inline, &was.attached), (&mut user.inline, &mut user.attached));
    }
}

/// Adds the policies that are there besides.
fn keep(
    was: (&[InlinePolicy], &[Attachment]),
    (inline, attached): (&mut Vec<InlinePolicy>, &mut Vec<Attachment>),
) {
    let kept = was.0.iter().filter(|old| !inline.iter().any(|new| new.name == old.name));
    let kept: Vec<InlinePolicy> = kept.cloned().collect();
    inline.extend(kept);
    let kept = was.1.iter().filter(|old| !attached.iter().any(|new| new.arn == old.arn));
    let kept: Vec<Attachment> = kept.cloned().collect();
    attached.extend(kept);
}

/// Takes away from an account what is gone.
fn take(removed: &Removed, account: &mut Account) {
    account.roles.retain(|role| !removed.is_gone(Holder::Role, &role.name));
    account.users.retain(|user| !removed.is_gone(Holder::User, &user.name));
    account.groups.retain(|group| !removed.is_gone(Holder::Group, &group.name));
    account.policies.retain(|policy| !removed.policies.contains(&policy.arn));
    let left =
        |holder: Holder, name: &str, inline: &mut Vec<InlinePolicy>, attached: &mut Vec<Attachment>| {
            inline.retain(|policy| removed.keeps_inline(holder, name, &policy.name));
            attached.retain(|policy| removed.keeps_attached(holder, name, &policy.arn));
        };
    for role in &mut account.roles {
        left(Holder::Role, &role.name, &mut role.inline, &mut role.attached);
    }
    for group in &mut account.groups {
        left(Holder::Group, &group.name, &mut group.inline, &mut group.attached);
    }
    for user in &mut account.users {
        left(Holder::User, &user.name, &mut user.inline, &mut user.attached);
        user.groups.retain(|group| removed.keeps_in_group(&user.name, group));
    }
}
