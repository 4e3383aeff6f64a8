//! Who changes the rights of others, with what holds for whomever it is about: asked once, not for each of
//! thousands.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::{Finder, Takeover, WRITING, patterns};
use crate::audit::account::Group;
use crate::audit::loosen::DELETE_VERSION;
use crate::audit::node::may_on;
use opsctl_iam::condition::Bound;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::pattern;

/// Who writes.
pub(super) struct Writer {
    pub effective: Rc<Effective>,
    /// The calls that may be allowed on something.
    pub able: Vec<&'static str>,
    /// Those that may be allowed on what a policy bounds, by the place of the policy.
    able_on: RefCell<HashMap<usize, Rc<[&'static str]>>>,
    pub group: Option<ToJoin>,
    changes_roles: bool,
    changes_users: bool,
    lifts: bool,
    takes_off: bool,
    /// What it makes that is new.
    pub new: OnceCell<Option<Takeover>>,
}

/// A group that a user can be put into for its rights.
pub(super) struct ToJoin {
    pub group: String,
    /// The call that gives it any rights, where it has too few.
    pub first: Option<String>,
    /// Whether its rights are not known.
    pub is_unknown: bool,
}

impl Writer {
    /// Whether a call is allowed on something of IAM's.
    pub fn may(&self, action: &str, on: &str) -> bool {
        // What only makes room changes nothing by itself, and is asked of few.
        (self.able.contains(&action) || action == DELETE_VERSION) && may_on(&self.effective, action, on)
    }

    /// Whether anything that it may call changes what a role, or a user, that is there already may do.
    pub fn changes(&self, user: bool) -> bool {
        if user { self.changes_users } else { self.changes_roles }
    }

    /// Whether anything that it may call takes off what holds somebody back: a boundary or a Deny.
    pub fn loosens(&self, held: &Effective) -> bool {
        (self.lifts && matches!(held.ceiling, Ceiling::Known { .. }))
            || (self.takes_off && !held.denies.is_empty())
    }
}

/// Whether an action rewrites a policy of the customer.
fn is_of_version(action: &str) -> bool {
    action.ends_with("PolicyVersion")
}

/// Whether an action changes what somebody of a kind may do, who is there already.
fn is_about(action: &str, kind: &str) -> bool {
    let makes = action.starts_with("iam:Create") || action == "iam:AddUserToGroup";
    is_of_version(action) || (!makes && action.contains(kind))
}

/// Whether an action takes off a Deny. A policy that is put in the place of another does.
fn takes_off(action: &str) -> bool {
    let verbs = ["iam:Delete", "iam:Detach", "iam:Put", "iam:Remove"];
    is_of_version(action) || verbs.iter().any(|verb| action.starts_with(verb))
}

impl Finder<'_> {
    /// A writer, asked once for all who hold the same.
    pub(super) fn writer(&self, effective: &Rc<Effective>) -> Rc<Writer> {
        let make = || {
            let on_somebody = |action: &&'static str| {
                let mut all = self.boundaries.iter();
                all.any(|bound| effective.may_ever_on(action, Bound::of(action, *bound)))
            };
            let able = WRITING.iter().copied().filter(|action| effective.may_ever(action));
            let able: Vec<_> = able.filter(on_somebody).collect();
            let any = |is_one: &dyn Fn(&str) -> bool| able.iter().any(|action| is_one(action));
            let group = self.group_to_join(effective);
            Rc::new(Writer {
                effective: Rc::clone(effective),
                able_on: RefCell::default(),
                changes_roles: any(&|action| is_about(action, "Role")),
                changes_users: group.is_some()
                    || any(&|action| is_about(action, "User") || is_about(action, "Group")),
                lifts: any(&|action| is_of_version(action) || action.ends_with("Boundary")),
                takes_off: any(&takes_off),
                able,
                group,
                new: OnceCell::new(),
            })
        };
        let Some(serial) = effective.serial else { return make() };
        if let Some(known) = self.writers.borrow().get(&serial) {
            return Rc::clone(known);
        }
        let writer = make();
        self.writers.borrow_mut().insert(serial, Rc::clone(&writer));
        writer
    }

    /// Whether a writer may call an action on a principal. What no principal with such a boundary admits is
    /// refused once for all of them.
    pub(super) fn may_call(&self, writer: &Writer, action: &str, node: usize) -> bool {
        if !writer.able.contains(&action) {
            return false;
        }
        let place = self.bound_by[node];
        let make = || {
            let bound = |action: &str| Bound::of(action, self.boundaries[place]);
            let may = |action: &&str| writer.effective.may_ever_on(action, bound(action));
            writer.able.iter().copied().filter(may).collect()
        };
        let able = Rc::clone(writer.able_on.borrow_mut().entry(place).or_insert_with(make));
        able.contains(&action) && self.graph.may_call(&writer.effective, action, node, None)
    }

    /// A group that a user can be put into for its rights.
    fn group_to_join(&self, effective: &Effective) -> Option<ToJoin> {
        if !effective.may_ever("iam:AddUserToGroup") {
            return None;
        }
        let may = |action: &str, on: &str| effective.decide(action, on) == Decision::Allowed;
        let join = "iam:AddUserToGroup";
        let joins = |arn: &str| may(join, arn);
        let known = |group: String, first| Some(ToJoin { group, first, is_unknown: false });
        let mut admins = self.admin_groups.iter();
        if let Some(group) = admins.find(|arn| joins(arn) || self.graph.may_on_moved(effective, join, arn)) {
            return known((*group).to_owned(), self.graph.calls_first(effective, join, group));
        }
        let groups = &self.engine.account.groups;
        let rewrites = |action: &&str| action.contains("GroupPolicy") || is_of_version(action);
        let may_rewrite = WRITING.iter().filter(|a| rewrites(a)).any(|action| effective.may_ever(action));
        let rewrite = |group: &Group| {
            let writes = ["iam:PutGroupPolicy", "iam:AttachGroupPolicy"];
            let direct = writes.into_iter().find(|action| may(action, &group.arn));
            let own = || group.attached.iter().find_map(|policy| self.engine.new_version(&policy.arn, may));
            direct.map(|action| format!("{action} on {}", group.arn)).or_else(own)
        };
        // What it denies stays denied to whoever joins.
        let written = groups.iter().enumerate().filter(|(_, group)| may_rewrite && joins(&group.arn));
        let written = written.into_iter().find_map(|(place, group)| {
            let first = rewrite(group)?;
            self.engine.may_be_admin(&self.engine.group_at(place)).then_some((group, first))
        });
        if let Some((group, first)) = written {
            return known(group.arn.clone(), Some(first));
        }
        if let Some(group) = self.group_to_make(effective) {
            return known(format!("{group}, a new group with any rights"), None);
        }
        // A group that a policy names and the data does not have.
        let named = patterns(effective, "iam:AddUserToGroup").filter(|arn| arn.contains(":group/"));
        let mut unknown =
            named.filter(|arn| !pattern::is_wild(arn) && !groups.iter().any(|group| group.arn == **arn));
        let group = unknown.find(|arn| joins(arn))?;
        Some(ToJoin { group: format!("{group}, which is not in the data"), first: None, is_unknown: true })
    }
}
