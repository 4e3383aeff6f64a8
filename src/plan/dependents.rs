//! Which resources stand on which others.

use std::collections::BTreeMap;

use super::{Leftover, Observed, Op, Step};
use crate::desired::{AnyKind, Desired, Node, kind_of};
use crate::domain::{KindName, ResourceId};

/// What stands on a resource, looked up instead of searched: projects may have thousands of them.
pub(super) struct Dependents<'a> {
    /// The nodes that need it.
    pub users: BTreeMap<&'a ResourceId, Vec<&'a ResourceId>>,
    /// The wanted parts of a whole.
    pub parts: BTreeMap<&'a ResourceId, Vec<&'a ResourceId>>,
    /// Parts that nobody wants, by the kind and the physical name of their whole.
    pub leftover_parts: BTreeMap<(KindName, &'a str), Vec<&'a Leftover>>,
}

impl<'a> Dependents<'a> {
    /// Of what is wanted and what is there.
    pub fn new(want: &'a Desired, have: &'a Observed, kinds: &[Box<dyn AnyKind>]) -> Self {
        let mut on = Self { users: BTreeMap::new(), parts: BTreeMap::new(), leftover_parts: BTreeMap::new() };
        for node in &want.nodes {
            for need in &node.needs {
                on.users.entry(need).or_default().push(&node.id);
            }
            if let Some(whole) = whole(node, kinds) {
                on.parts.entry(whole).or_default().push(&node.id);
            }
        }
        for part in &have.leftovers {
            let kind = kind_of(kinds, part.id.kind);
            if let (Some(whole), Some(name)) = (kind.part_of(), kind.whole_of(&part.physical)) {
                on.leftover_parts.entry((whole, name)).or_default().push(part);
            }
        }
        on
    }
}

/// The node that carries the tags for `node` ([`crate::desired::Kind::OWNED_WITH`]).
pub fn holder<'n>(node: &'n Node, kinds: &[Box<dyn AnyKind>]) -> Option<&'n ResourceId> {
    let of = kind_of(kinds, node.id.kind).owned_with()?;
    node.needs.iter().find(|need| need.kind == of)
}

/// Whether it is deleted with all that others have put into it.
pub(super) fn goes_whole(id: &ResourceId, steps: &[Step]) -> bool {
    steps.iter().any(|step| step.target == *id && matches!(step.op, Op::DeleteWhole { .. }))
}

/// The node that `node` is a part of.
pub(super) fn whole<'n>(node: &'n Node, kinds: &[Box<dyn AnyKind>]) -> Option<&'n ResourceId> {
    let of = kind_of(kinds, node.id.kind).part_of()?;
    node.needs.iter().find(|need| need.kind == of)
}
