//! What a destroy leaves because something that it leaves may use it.

use std::collections::BTreeMap;

use super::{Leftover, Observation, Observed};
use crate::desired::{AnyKind, Desired, Node};
use crate::domain::fingerprint::is_suffix;
use crate::domain::{Owner, Phase, ResourceId};

/// What is needed by what has the name of a wanted resource and is not this project's by its tags. That may
/// be this project's all the same, and at work: tags get lost.
pub(super) struct Kept<'a> {
    want: &'a Desired,
    /// By whom.
    users: BTreeMap<&'a ResourceId, &'a ResourceId>,
}

impl<'a> Kept<'a> {
    /// Of what is wanted and what is there.
    pub fn of(want: &'a Desired, have: &'a Observed, kinds: &[Box<dyn AnyKind>]) -> Self {
        let mut users: BTreeMap<&ResourceId, &ResourceId> = BTreeMap::new();
        // Later kinds use earlier ones.
        for node in want.nodes.iter().rev() {
            let user = if stays(node, have, kinds) { Some(&node.id) } else { users.get(&node.id).copied() };
            for need in node.needs.iter().filter(|_| user.is_some()) {
                users.entry(need).or_insert(user.unwrap_or(need));
            }
        }
        Self { want, users }
    }

    /// What stays and may use it.
    pub fn user(&self, id: &ResourceId) -> Option<&'a ResourceId> {
        self.users.get(id).copied()
    }

    /// What stays and may use a leftover: an earlier generation of what it needs, since it could not be
    /// updated while its tags were gone.
    pub fn user_of(&self, leftover: &Leftover) -> Option<&'a ResourceId> {
        let of_kind = self.users.iter().filter(|(id, _)| id.kind == leftover.id.kind);
        let is_earlier = |id: &ResourceId| {
            let rest = leftover.physical.strip_prefix(&self.want.scope.physical(&id.name));
            rest.and_then(|rest| rest.strip_prefix('-')).is_some_and(is_suffix)
        };
        of_kind.filter(|(id, _)| is_earlier(id)).map(|(_, user)| *user).next()
    }
}

/// Whether what is there has none of this project's tags, or not all. What another project has is its own,
/// and parts and data sets need nothing but what they are on.
fn stays(node: &Node, have: &Observed, kinds: &[Box<dyn AnyKind>]) -> bool {
    let has_tags = kinds.iter().any(|kind| kind.name() == node.id.kind && kind.owned_with().is_none());
    match have.observations.get(&node.id) {
        Some(Observation::Present(seen)) => {
            let is_lost = matches!(seen.owner(), Owner::Partly { .. })
                || (*seen.owner() == Owner::Nobody && seen.status().phase != Phase::Leaving);
            has_tags && is_lost
        }
        _ => false,
    }
}
