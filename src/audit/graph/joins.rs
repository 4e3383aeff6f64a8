//! Groups that a user may put itself into: what they give is its own after one call, whatever it leads to.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddUserToGroup.html>

use std::rc::Rc;

use super::{Graph, Via, takeover};
use crate::audit::account::{Group, User};
use crate::audit::evaluate::Engine;
use crate::audit::node::Asking;
use crate::audit::role_view;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Effective, is_admin};
use opsctl_iam::grant::shorten;

const JOIN: &str = "iam:AddUserToGroup";

/// A user in groups that it may put itself into.
#[derive(Clone)]
pub(super) struct Joined {
    pub user: usize,
    /// The names of the groups.
    pub groups: String,
    /// What it may do there.
    pub effective: Rc<Effective>,
}

impl Joined {
    /// The call that does it.
    pub fn call(&self, graph: &Graph) -> String {
        format!("{JOIN} of {} to {}", graph.arn(self.user), self.groups)
    }
}

impl Graph {
    /// Adds what a user can become in the groups that it may join: all that deny nothing, and each that does.
    pub(super) fn add_joined(
        &mut self,
        index: usize,
        user: &User,
        alone: &Effective,
        engine: &Engine<'_>,
        asking: &[Asking],
    ) {
        if !alone.may_ever(JOIN) {
            return;
        }
        let is_new = |group: &&Group| !user.groups.contains(&group.name);
        let joins = |group: &&Group| alone.decide(JOIN, &group.arn) == Decision::Allowed;
        let gives = |group: &&Group| !(group.inline.is_empty() && group.attached.is_empty());
        let open = engine.account.groups.iter().filter(|g| is_new(g) && gives(g) && joins(g));
        let (free, denying): (Vec<&Group>, Vec<&Group>) =
            open.partition(|group| engine.group(group).denies.is_empty());
        let mut sets: Vec<Vec<&Group>> = Vec::new();
        sets.extend((!free.is_empty()).then(|| free.clone()));
        sets.extend(denying.into_iter().map(|one| [&free[..], &[one]].concat()));
        for set in sets {
            let mut effective = Rc::new(engine.user_in(user, &set));
            self.note_waiting(index, &effective);
            if let Some(then) = self.moment.and_then(|moment| role_view::at(&effective, moment, true)) {
                effective = then;
            }
            let groups = shorten(&set.iter().map(|group| group.name.clone()).collect::<Vec<_>>());
            self.add_member(Joined { user: index, groups, effective }, engine, asking);
        }
    }

    /// Adds the node that stands for a user in such groups, where they give it anything that leads further.
    fn add_member(&mut self, joined: Joined, engine: &Engine<'_>, asking: &[Asking]) {
        let Joined { user, effective, .. } = &joined;
        let (index, effective) = (*user, Rc::clone(effective));
        let known = std::mem::take(&mut self.edges[index]);
        self.add_edges(index, &effective, true, engine);
        self.add_tagged(index, &effective, asking);
        let mut further = std::mem::replace(&mut self.edges[index], known);
        further.retain(|edge| !self.edges[index].contains(edge));
        let has_arrived = is_admin(&effective.open, engine.catalogue);
        if further.is_empty() && !has_arrived && !takeover::may_write(&effective) {
            return;
        }
        let member = self.edges.len();
        self.edges.push(further);
        self.edges[index].push((member, Via::Join));
        self.joined.insert(member, joined);
        self.arrived.extend(has_arrived.then_some(member));
    }
}
