//! What a destroy leaves because something that it leaves may use it.

use std::collections::BTreeMap;

use super::dependents::whole;
use super::{Foreign, Leftover, Observation, Observed};
use crate::desired::{AnyKind, Desired, Node};
use crate::domain::{Owner, ResourceId};

/// What is needed by what has the name of a wanted resource, or one like it, and is not this project's by its
/// tags. That may be this project's all the same, and at work: tags get lost.
pub struct Kept<'a> {
    want: &'a Desired,
    have: &'a Observed,
    /// By whom.
    users: BTreeMap<&'a ResourceId, &'a ResourceId>,
    /// The same of leftovers, by whom that is not in the config either.
    leftovers: BTreeMap<&'a ResourceId, &'a ResourceId>,
}

impl<'a> Kept<'a> {
    /// Of what is wanted and what is there.
    pub fn of(want: &'a Desired, have: &'a Observed, kinds: &[Box<dyn AnyKind>]) -> Self {
        let mut users: BTreeMap<&ResourceId, &ResourceId> = BTreeMap::new();
        let mut leftovers: BTreeMap<&ResourceId, &ResourceId> = BTreeMap::new();
        for lost in &have.lost {
            for used in &lost.uses {
                match want.node(used) {
                    Some(node) => users.entry(&node.id).or_insert(&lost.id),
                    None => leftovers.entry(used).or_insert(&lost.id),
                };
            }
        }
        loop {
            let known = users.len();
            // Later kinds use earlier ones.
            for node in want.nodes.iter().rev() {
                let user = if stays(node, have) { Some(&node.id) } else { users.get(&node.id).copied() };
                for need in node.needs.iter().filter(|_| user.is_some()) {
                    users.entry(need).or_insert(user.unwrap_or(need));
                }
            }
            // What stays stays with its parts, which need something themselves.
            for node in &want.nodes {
                if let Some(user) = whole(node, kinds).and_then(|whole| users.get(whole)).copied() {
                    users.entry(&node.id).or_insert(user);
                }
            }
            if users.len() == known {
                break;
            }
        }
        Self { want, have, users, leftovers }
    }

    /// What stays and may use it.
    pub fn user(&self, id: &ResourceId) -> Option<&'a ResourceId> {
        self.users.get(id).copied()
    }

    /// What has left the config as well, and uses a leftover.
    pub fn lost_user_of(&self, leftover: &Leftover) -> Option<&'a ResourceId> {
        self.leftovers.get(&leftover.id).copied()
    }

    /// What stays and may use a leftover: the same, or whose is an earlier generation of what it needs, since
    /// it could not be updated while its tags were gone.
    pub fn user_of(&self, leftover: &Leftover) -> Option<&'a ResourceId> {
        let of_kind = self.users.iter().filter(|(id, _)| id.kind == leftover.id.kind);
        let is_earlier = |id: &ResourceId| self.want.scope.is_generation(&id.name, &leftover.physical);
        let earlier = of_kind.filter(|(id, _)| is_earlier(id)).map(|(_, user)| *user).next();
        self.lost_user_of(leftover).or(earlier)
    }

    /// What is to be said of the leftovers that have such a `user`, and of those themselves that are not in
    /// the config.
    pub fn said(&self, user: impl Fn(&Leftover) -> Option<&'a ResourceId>) -> Vec<Foreign> {
        let foreign = |id: &ResourceId, owner: Owner, used_by: Option<&ResourceId>| Foreign {
            target: id.clone(),
            physical: id.name.clone(),
            owner,
            is_untagged: false,
            is_record: false,
            used_by: used_by.cloned(),
        };
        let leftovers = self
            .have
            .leftovers
            .iter()
            .filter_map(|leftover| Some(foreign(&leftover.id, leftover.owner(), Some(user(leftover)?))));
        let lost = self.have.lost.iter().map(|lost| foreign(&lost.id, lost.owner.clone(), None));
        leftovers.chain(lost).collect()
    }
}

/// Whether it is there, at work, and not this project's by its tags. What another project has is its own.
fn stays(node: &Node, have: &Observed) -> bool {
    matches!(have.observations.get(&node.id), Some(Observation::Present(seen)) if seen.is_lost())
}
