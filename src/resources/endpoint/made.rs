//! What makes the model that an endpoint serves: a training of the project, or `[model.NAME]`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::Name;
use crate::desired::{Draft, Kind as _, Node};
use crate::domain::{KeyPath, KindName, ResourceId, Scope, codes};
use crate::inputs::bucket_and_key;
use crate::resources::image::{PROGRAM, SUBMIT_DIRECTORY};
use crate::resources::instance::Instance;
use crate::resources::model::{Artifact, Given, Model};
use crate::resources::role::policy;
use crate::resources::training::Training;
use crate::resources::training::job::model_uri;

pub(super) enum Made {
    Trained(Node),
    Given(Artifact),
}

impl Made {
    /// What `model` names. `None` after a problem was reported.
    pub(super) fn by(model: &Name, with_code: bool, at: &KeyPath, draft: &mut Draft<'_>) -> Option<Self> {
        if let Some(artifact) = draft.kept::<Artifact>(&Model::id(model)) {
            let artifact = artifact.clone();
            draft.reads(at, &artifact.at);
            let twice = |name: &&String| [PROGRAM, SUBMIT_DIRECTORY].contains(&name.as_str());
            for name in artifact.environment.keys().filter(twice).filter(|_| with_code) {
                let text = format!("opsctl itself sets {name}, as the endpoint has code of its own");
                let key = artifact.at.join("environment").join(name);
                draft.error(codes::SET_BY_OPSCTL, key, text, "remove it");
            }
            return Some(Self::Given(artifact));
        }
        let kinds = [KindName::Training, KindName::Instance];
        draft.find_in(&kinds, model, &["training", "model"], at.join("model")).map(Self::Trained)
    }

    /// The image that `[model.NAME]` names, and where.
    pub(super) fn image(&self) -> Option<(&String, KeyPath)> {
        let Self::Given(artifact) = self else { return None };
        Some((artifact.image.as_ref()?, artifact.at.join("image")))
    }

    /// The image of the training.
    pub(super) fn trained_in(&self) -> Option<&str> {
        let Self::Trained(node) = self else { return None };
        node.spec_as::<Training>().map(|spec| &*spec.image)
    }

    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        match self {
            Self::Trained(_) => BTreeMap::new(),
            Self::Given(artifact) => artifact.environment.clone(),
        }
    }

    /// The archive without code of the endpoint.
    pub(super) fn archive(&self, bucket: &str) -> String {
        match self {
            Self::Trained(node) => model_uri(bucket, output_of(node), &node.physical),
            Self::Given(artifact) => artifact.uri.clone(),
        }
    }

    pub(super) fn given(&self) -> Option<Given> {
        match self {
            Self::Trained(_) => None,
            Self::Given(artifact) => Some(artifact.given.clone()),
        }
    }

    pub(super) fn needs(&self) -> Option<ResourceId> {
        match self {
            Self::Trained(node) => Some(node.id.clone()),
            Self::Given(_) => None,
        }
    }

    /// What the role may read: `models` begins the folders of the archives with code in them. All
    /// generations: while a new one is rolled out, or rolled back, instances still fetch the old one.
    pub(super) fn statements(&self, scope: &Scope, bucket: &str, models: String) -> Vec<Value> {
        let mut prefixes = vec![models];
        let mut more = Vec::new();
        match self {
            Self::Trained(node) => {
                prefixes.push(format!("{}/{}-", output_of(node), scope.physical(&node.id.name)));
            }
            Self::Given(artifact) => match &artifact.given {
                Given::Local { .. } => prefixes.push(Model::artifacts(scope)),
                Given::Remote { .. } => {
                    let place = bucket_and_key(&artifact.uri);
                    more.extend(
                        place.into_iter().flat_map(|(its, key)| policy::read_object(scope, its, key)),
                    );
                }
                Given::Nothing => {}
            },
        }
        let mut statements = policy::read_objects(scope, bucket, &prefixes);
        statements.extend(more);
        statements
    }
}

/// The folder of the bucket that a training writes to, wherever it ran (docs/decisions/0030).
fn output_of(trained: &Node) -> &'static str {
    match trained.id.kind {
        KindName::Instance => Instance::OUTPUT,
        _ => Training::OUTPUT,
    }
}
