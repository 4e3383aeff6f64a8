//! What a person would look for on the page of a resource, in words. Environment variables are on no page of
//! ours: their values may be anything.

use crate::desired::{AnySeen, Kind, Node};
use crate::domain::{HumanDuration, KindName, bytes, grouped};
use crate::resources::autoscaling::Autoscaling;
use crate::resources::bucket::Bucket;
use crate::resources::data::Data;
use crate::resources::endpoint::Endpoint;
use crate::resources::endpoint_config::EndpointConfig;
use crate::resources::function::Function;
use crate::resources::instance::Instance;
use crate::resources::model::Model;
use crate::resources::notebook::Notebook;
use crate::resources::training::Training;

type Attributes = Vec<(String, String)>;
type StateOf<K> = <K as Kind>::State;

/// As AWS has it.
pub fn of(node: &Node, seen: &AnySeen) -> Attributes {
    let found = match node.id.kind {
        KindName::Bucket => seen.of::<Bucket>().map(|seen| bucket(&seen.state)),
        KindName::Data => seen.of::<Data>().map(|seen| data(&seen.state)),
        KindName::Training => seen.of::<Training>().map(|seen| training(&seen.state)),
        KindName::Instance => seen.of::<Instance>().map(|seen| instance(&seen.state)),
        KindName::Model => seen.of::<Model>().map(|seen| model(&seen.state)),
        KindName::EndpointConfig => seen.of::<EndpointConfig>().map(|seen| endpoint_config(&seen.state)),
        KindName::Endpoint => seen.of::<Endpoint>().map(|seen| endpoint(&seen.state)),
        KindName::Autoscaling => seen.of::<Autoscaling>().map(|seen| autoscaling(&seen.state)),
        KindName::Function => seen.of::<Function>().map(|seen| function(&seen.state)),
        KindName::Notebook => seen.of::<Notebook>().map(|seen| notebook(&seen.state)),
        KindName::Concurrency | KindName::LogGroup | KindName::Role => None,
    };
    found.unwrap_or_default()
}

const INSTANCE_TYPE: &str = "Instance type";

/// Without what has no value.
fn listed<const N: usize>(all: [(&str, String); N]) -> Attributes {
    let given = all.into_iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

fn pairs<'a>(all: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    all.into_iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
}

/// As the names of resources have it.
fn digest(digest: &str) -> String {
    digest.get(..10).unwrap_or(digest).to_owned()
}

fn digests<'a>(all: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    all.into_iter().map(|(name, value)| format!("{name} {}", digest(value))).collect::<Vec<_>>().join(", ")
}

fn seconds(seconds: i32) -> String {
    HumanDuration::seconds(u64::from(seconds.unsigned_abs())).to_string()
}

fn bucket(state: &StateOf<Bucket>) -> Attributes {
    listed([
        ("Public access blocked", yes(state.public_access_blocked)),
        ("Encryption", state.encryption.clone().unwrap_or_else(|| "none".into())),
        ("Versioning", yes(state.versioning)),
    ])
}

fn data(state: &StateOf<Data>) -> Attributes {
    listed([
        ("Files", grouped(state.files)),
        ("Size", bytes(state.bytes)),
        ("Digest", digest(&state.digest)),
        (
            "Files that are not in the folder",
            if state.stray > 0 { grouped(state.stray) } else { String::new() },
        ),
    ])
}

fn training(state: &StateOf<Training>) -> Attributes {
    listed([
        (INSTANCE_TYPE, format!("{} × {}", state.instance_count, state.instance_type)),
        ("Disk", format!("{} GB", state.volume_gb)),
        ("Image", state.image.clone()),
        ("Script", state.entry.clone()),
        ("Code", digest(&state.code)),
        ("Data", digests(&state.data)),
        ("Hyperparameters", pairs(&state.hyperparameters)),
        ("Spot", yes(state.spot)),
        ("Stopped after", seconds(state.max_runtime_s)),
    ])
}

fn instance(state: &StateOf<Instance>) -> Attributes {
    let id = state.instance_id.clone().unwrap_or_else(|| "ended and gone from EC2's list".into());
    let Some(record) = &state.record else { return listed([("Instance", id)]) };
    listed([
        ("Instance", id),
        (INSTANCE_TYPE, record.instance_type.clone()),
        ("Disk", format!("{} GB", record.volume_gb)),
        ("Image", record.image.clone()),
        ("Script", record.entry.clone()),
        ("Code", digest(&record.code)),
        ("Data", digests(&record.data)),
        ("Hyperparameters", pairs(&record.hyperparameters)),
        ("Stopped after", seconds(record.max_runtime_s)),
    ])
}

fn model(state: &StateOf<Model>) -> Attributes {
    listed([
        ("Image", state.image.clone()),
        ("Trained by", state.trained.clone()),
        ("Archive is there", yes(state.archive)),
    ])
}

fn endpoint_config(state: &StateOf<EndpointConfig>) -> Attributes {
    listed([
        ("Model", state.model.clone()),
        ("Instances at the first start", state.instance_count.to_string()),
    ])
}

fn endpoint(state: &StateOf<Endpoint>) -> Attributes {
    listed([
        (INSTANCE_TYPE, state.instance_type.clone().unwrap_or_default()),
        ("Instances now", state.instances.map(|count| count.to_string()).unwrap_or_default()),
        ("Configuration", state.config.clone()),
    ])
}

fn autoscaling(state: &StateOf<Autoscaling>) -> Attributes {
    let policy = state.policy.as_ref();
    let (inward, outward) = policy
        .map(|policy| (seconds(policy.scale_in_cooldown_s), seconds(policy.scale_out_cooldown_s)))
        .unwrap_or_default();
    listed([
        ("Instances", format!("{} to {}", state.min, state.max)),
        ("Target", policy.map(|policy| policy.target.to_string()).unwrap_or_default()),
        ("Cooldown before scaling in", inward),
        ("Cooldown before scaling out", outward),
        ("Suspended", yes(state.suspended)),
    ])
}

fn function(state: &StateOf<Function>) -> Attributes {
    let Some(live) = &state.live else { return Vec::new() };
    let config = &live.config;
    listed([
        ("Runtime", format!("{}, {}", config.runtime, config.architecture)),
        ("Handler", config.handler.clone()),
        ("Memory", format!("{} MB", config.memory_mb)),
        ("Timeout", seconds(config.timeout_s)),
        ("Calls", config.environment.get("ENDPOINT_NAME").cloned().unwrap_or_default()),
        ("Reserved concurrency", state.reserved.map(|count| count.to_string()).unwrap_or_default()),
    ])
}

fn notebook(state: &StateOf<Notebook>) -> Attributes {
    listed([
        (INSTANCE_TYPE, state.instance_type.clone()),
        ("Disk", format!("{} GB", state.volume_gb)),
        ("Platform", state.platform.clone().unwrap_or_default()),
    ])
}
