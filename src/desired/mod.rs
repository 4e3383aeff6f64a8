//! From the config to what should exist: nodes with exact names, and the edges between them. Pure.

mod added;
mod any;
mod draft;
mod erased;
mod kind;
mod scale;
mod seen;
mod unread;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::config::{Config, configs, section};
use crate::domain::{
    Diagnostic, Diagnostics, FieldChange, KeyPath, KindName, Owner, ResourceId, Scope, Tags, few, tags,
};
use crate::inputs::{Inputs, Remote, Source};

pub use any::{AnySeen, AnySpec, OfSeen, OfSpec};
pub use draft::Draft;
pub use erased::{AnyKind, kind_of};
pub use kind::{KeyUse, Kind, Log, LogObject, Scaled, Scaling};
pub use seen::{Mistake, Mixed, Seen};

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
    /// Whether a person means it: by `KIND/NAME`, its name alone, or its name in AWS. A training that runs on
    /// EC2 is `training/NAME` to the config and `instance/NAME` to `opsctl status`.
    pub fn is_named(&self, given: &str) -> bool {
        let is_name = |name: &str| name == self.id.name || name == self.physical;
        let (kind, name) = match given.split_once('/') {
            Some((kind, name)) => (kind.parse::<KindName>().ok(), name),
            None => (None, given),
        };
        // Names of log groups and data sets have slashes.
        is_name(given) || kind.is_some_and(|kind| self.spec.is_called(kind)) && is_name(name)
    }

    /// Its spec as its kind `K` knows it; `None` for a node of another kind.
    pub fn spec_as<K: Kind>(&self) -> Option<&K::Spec> {
        self.spec.of::<K>()
    }
}

/// A role that somebody else made and that the config names: it is passed on, and never changed.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenRole {
    pub arn: String,
    /// The service that assumes it.
    pub service: &'static str,
    /// The section that names it.
    pub at: KeyPath,
    /// What runs with it needs so much.
    pub statements: Vec<Value>,
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
    /// The tags of the user's own, for all that opsctl makes.
    pub tags: Tags,
    /// The roles of others that something runs with.
    pub given: Vec<GivenRole>,
    /// What is read of other buckets, and is no resource: nothing of it is ever written or deleted.
    pub remotes: Vec<Remote>,
    /// The KMS key that everything is encrypted with, which somebody else made.
    pub kms_key: Option<String>,
    /// Those that it was before, in an order of their own.
    pub former_kms_keys: Vec<String>,
    /// What is made of files that could not be read and that something stands in for ([`Inputs::spare`]):
    /// why. It is named, but is not to be compared or made.
    pub unread: BTreeMap<ResourceId, String>,
    /// Where each node stands among `nodes`.
    places: BTreeMap<ResourceId, usize>,
}

impl Desired {
    fn new(scope: Scope, nodes: Vec<Node>, origin: BTreeMap<ResourceId, KeyPath>) -> Self {
        let places = nodes.iter().enumerate().map(|(i, node)| (node.id.clone(), i)).collect();
        Self {
            scope,
            nodes,
            origin,
            places,
            reasons: BTreeMap::new(),
            tags: Tags::new(),
            given: Vec::new(),
            remotes: Vec::new(),
            kms_key: None,
            former_kms_keys: Vec::new(),
            unread: BTreeMap::new(),
        }
    }

    /// Other nodes of the same place.
    pub(crate) fn with(&self, nodes: Vec<Node>) -> Self {
        let desired = Self::new(self.scope.clone(), nodes, self.origin.clone());
        Self {
            reasons: self.reasons.clone(),
            tags: self.tags.clone(),
            given: self.given.clone(),
            remotes: self.remotes.clone(),
            kms_key: self.kms_key.clone(),
            former_kms_keys: self.former_kms_keys.clone(),
            unread: self.unread.clone(),
            ..desired
        }
    }

    /// With the nodes of `others` that are not among these: what `opsctl scale` names need not be in the
    /// config.
    pub fn and(&self, others: &Self) -> Self {
        let more = others.nodes.iter().filter(|node| self.node(&node.id).is_none());
        self.with(self.nodes.iter().chain(more).cloned().collect())
    }

    /// The roles of others that nodes which are meant run with.
    pub fn given_to<'d>(
        &'d self,
        is_meant: impl Fn(&Node) -> bool + 'd,
    ) -> impl Iterator<Item = &'d GivenRole> {
        let of = move |given: &GivenRole, node: &Node| self.origin.get(&node.id) == Some(&given.at);
        self.given.iter().filter(move |given| self.nodes.iter().any(|node| of(given, node) && is_meant(node)))
    }

    /// What differs in the tags of the user's own, and in the one that says as what it was made: a section
    /// may be renamed and keep its `name`. What somebody else made keeps those that it has.
    pub fn tags_differ(&self, id: &ResourceId, seen: &AnySeen) -> Vec<FieldChange> {
        let Some(tags) = seen.tags().filter(|_| *seen.owner() == Owner::Ours) else { return Vec::new() };
        let mut changes = tags::differences(&self.tags, tags);
        changes.extend(seen.made_as().and_then(|before| tags::made_as(before, id)));
        changes
    }

    /// The resource with this id.
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

/// What to say of a name that none of these nodes has. What is suggested means one of them.
pub fn did_you_mean(given: &str, known: &[&Node]) -> String {
    let ids = || known.iter().map(|node| node.id.to_string());
    let names = known.iter().map(|node| node.id.name.as_str());
    let near = match given.contains('/') {
        true => {
            let ids: Vec<String> = ids().collect();
            section::nearest(given, ids.iter().map(String::as_str)).map(str::to_owned)
        }
        false => section::nearest(given, names).map(str::to_owned),
    };
    let near: Vec<String> = match &near {
        Some(near) => {
            let meant = known.iter().filter(|node| node.is_named(near));
            meant.map(|node| format!("`{}`", node.id)).collect()
        }
        None => Vec::new(),
    };
    match (near.split_last(), known) {
        (Some((one, [])), _) => format!("did you mean {one}?"),
        (Some((last, others)), _) => format!("did you mean {} or {last}?", others.join(", ")),
        (None, []) => "`opsctl status` lists all".to_owned(),
        (None, _) => format!("there is: {}", few(&ids().collect::<Vec<_>>(), 8)),
    }
}

/// The folders that the config names, for [`Inputs::read`]. Configs in them are no code.
pub fn sources(config: &Config, kinds: &[Box<dyn AnyKind>]) -> Vec<Source> {
    let sections: Vec<_> = kinds.iter().filter_map(|kind| kind.section()).collect();
    let configs = configs(&config.document, &sections);
    let configs: Vec<String> =
        configs.into_iter().filter_map(|file| file.into_os_string().into_string().ok()).collect();
    let mut sources: Vec<Source> = named(config, kinds).collect();
    sources.iter_mut().for_each(|source| source.no_code.extend(configs.iter().cloned()));
    sources
}

fn named<'a>(config: &'a Config, kinds: &'a [Box<dyn AnyKind>]) -> impl Iterator<Item = Source> + 'a {
    kinds.iter().flat_map(|kind| kind.sources(config))
}

/// What the config names in other buckets, for [`Inputs::found`].
pub fn remotes(config: &Config, kinds: &[Box<dyn AnyKind>]) -> Vec<Remote> {
    kinds.iter().flat_map(|kind| kind.remotes(config)).collect()
}

/// The sections that name what could not be read, and why.
fn unread_sections(config: &Config, inputs: &Inputs, kinds: &[Box<dyn AnyKind>]) -> Vec<(KeyPath, String)> {
    let local = named(config, kinds).filter_map(|source| {
        let problem = inputs.tree(&source.path, &source.use_as)?.as_ref().err()?;
        Some((source.at.section(), problem.message.clone()))
    });
    let elsewhere = remotes(config, kinds).into_iter().filter_map(|remote| {
        let problem = inputs.listing(&remote)?.as_ref().err()?;
        Some((remote.at.section(), problem.message.clone()))
    });
    local.chain(elsewhere).chain(inputs.missed().iter().cloned()).collect()
}

/// Builds the graph, and finds every problem of every section on the way.
pub fn build(
    config: &Config,
    scope: &Scope,
    inputs: &Inputs,
    kinds: &[Box<dyn AnyKind>],
) -> (Desired, Diagnostics) {
    let mut draft = Draft::new(config, scope, inputs);
    draft.unread = unread_sections(config, inputs, kinds);
    let misread: Vec<Diagnostic> = kinds.iter().flat_map(|kind| kind.misread(config).0).collect();
    for kind in kinds {
        draft.hold(kind.as_ref(), kind.items(&config.document), &misread);
    }
    // Kinds refer only to kinds registered before them.
    for kind in kinds {
        kind.desired(config, &mut draft);
    }
    let (desired, problems) = draft.finish();
    (Desired { remotes: remotes(config, kinds), ..desired }, problems)
}
