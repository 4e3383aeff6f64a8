//! From the config to what should exist: nodes with exact names, and the edges between them. Pure.

mod draft;
mod erased;
mod kind;
mod scale;
mod seen;
mod spec;

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::domain::{Diagnostics, KeyPath, ResourceId, Scope};
use crate::inputs::{Inputs, Source};

pub use draft::Draft;
pub use erased::AnyKind;
pub use kind::{Kind, Log};
pub use scale::{Scaled, Scaling};
pub use seen::{AnySeen, Seen};
pub use spec::AnySpec;

/// A resource as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub id: ResourceId,
    /// Its exact name in AWS (docs/decisions/0002). A new fingerprint is a new name.
    pub physical: String,
    pub spec: AnySpec,
    /// What must be there before it. Edges point to kinds registered earlier, so there is no cycle.
    pub needs: BTreeSet<ResourceId>,
}

impl Node {
    /// Its spec as its kind `K` knows it; `None` for a node of another kind.
    pub fn spec_as<K: Kind>(&self) -> Option<&K::Spec> {
        self.spec.of::<K>()
    }
}

/// Everything that should exist, in an order in which it can be made.
#[derive(Clone, Debug)]
pub struct Desired {
    pub scope: Scope,
    pub nodes: Vec<Node>,
    /// The key of the config that each node comes from.
    pub origin: BTreeMap<ResourceId, KeyPath>,
    /// Why a resource has its size, in the user's own words: `why` of its section.
    pub reasons: BTreeMap<ResourceId, String>,
    /// Where each node stands among `nodes`.
    places: BTreeMap<ResourceId, usize>,
}

impl Desired {
    fn new(scope: Scope, nodes: Vec<Node>, origin: BTreeMap<ResourceId, KeyPath>) -> Self {
        let places = nodes.iter().enumerate().map(|(i, node)| (node.id.clone(), i)).collect();
        Self { scope, nodes, origin, places, reasons: BTreeMap::new() }
    }

    /// Other nodes of the same place.
    pub(crate) fn with(&self, nodes: Vec<Node>) -> Self {
        let desired = Self::new(self.scope.clone(), nodes, self.origin.clone());
        Self { reasons: self.reasons.clone(), ..desired }
    }

    pub fn node(&self, id: &ResourceId) -> Option<&Node> {
        self.places.get(id).map(|place| &self.nodes[*place])
    }

    /// Keeps the chosen nodes and, if wanted, all that they need.
    pub fn only(&self, chosen: impl Fn(&Node) -> bool, with_needs: bool) -> Self {
        let mut keep: BTreeSet<ResourceId> =
            self.nodes.iter().filter(|n| chosen(n)).map(|n| n.id.clone()).collect();
        if with_needs {
            // Needs point backwards only, so one pass from the end finds all.
            for node in self.nodes.iter().rev() {
                if keep.contains(&node.id) {
                    keep.extend(node.needs.iter().cloned());
                }
            }
        }
        let nodes = self.nodes.iter().filter(|n| keep.contains(&n.id)).cloned();
        let nodes = nodes.map(|mut n| {
            n.needs.retain(|need| keep.contains(need));
            n
        });
        self.with(nodes.collect())
    }
}

/// The folders that the config names, for [`Inputs::read`].
pub fn sources(config: &Config, kinds: &[Box<dyn AnyKind>]) -> Vec<Source> {
    kinds.iter().flat_map(|kind| kind.sources(config)).collect()
}

/// Builds the graph, and finds every problem of every section on the way.
pub fn build(
    config: &Config,
    scope: &Scope,
    inputs: &Inputs,
    kinds: &[Box<dyn AnyKind>],
) -> (Desired, Diagnostics) {
    let mut draft = Draft::new(config, scope, inputs);
    // Kinds refer only to kinds registered before them.
    for kind in kinds {
        kind.desired(config, &mut draft);
    }
    draft.finish()
}
