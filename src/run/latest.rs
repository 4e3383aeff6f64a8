//! What is named after files that cannot be read here: taken for it is the latest that there is.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::aws::{OpErrorKind, OpResult};
use crate::desired::Desired;
use crate::domain::{KindName, ResourceId};
use crate::engine::{Found, OpCx, Registry, RunContext};

/// Gives each such node the name of its latest generation. What cannot be listed keeps the name that it has;
/// whoever looks at it hears why.
pub(super) async fn take(desired: &mut Desired, registry: &Registry, context: &RunContext) -> OpResult<()> {
    let mut listed: BTreeMap<KindName, Vec<Found>> = BTreeMap::new();
    let Desired { nodes, unread, .. } = desired;
    for node in nodes.iter_mut().filter(|node| unread.contains_key(&node.id)) {
        let (kind, driver) = (node.id.kind, registry.of(node.id.kind));
        if !driver.fingerprinted() {
            continue;
        }
        if let Entry::Vacant(entry) = listed.entry(kind) {
            let cx = OpCx::new(context, ResourceId::new(kind, node.id.name.clone()));
            let found = match context.cancel.reading("looking", driver.owned(&cx)).await {
                Err(error) if error.kind == OpErrorKind::Cancelled => return Err(error),
                found => found.unwrap_or_default(),
            };
            entry.insert(found);
        }
        let generations = listed[&kind].iter();
        let generations = generations.filter(|it| context.scope.is_generation(&node.id.name, &it.physical));
        if let Some(latest) = generations.max_by_key(|found| found.created) {
            node.physical.clone_from(&latest.physical);
        }
    }
    Ok(())
}
