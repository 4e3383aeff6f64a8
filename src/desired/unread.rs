//! What is made of files that cannot be read: by the sections that name them, and by what is needed.

use std::collections::BTreeMap;

use super::Node;
use crate::domain::{KeyPath, ResourceId};

/// The nodes of these sections, and all that need them. Needs point backwards, so one pass finds all.
pub(super) fn of(
    nodes: &[Node],
    origin: &BTreeMap<ResourceId, KeyPath>,
    sections: &BTreeMap<KeyPath, String>,
) -> BTreeMap<ResourceId, String> {
    let mut unread = BTreeMap::new();
    if sections.is_empty() {
        return unread;
    }
    for node in nodes {
        let own = origin.get(&node.id).and_then(|at| sections.get(&at.section()));
        let why = own.or_else(|| node.needs.iter().find_map(|need| unread.get(need))).cloned();
        unread.extend(why.map(|why| (node.id.clone(), why)));
    }
    unread
}
