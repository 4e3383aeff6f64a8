//! What really runs on an instance.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::state::{State, went_off};
use super::{INSTANCES, arn};
use crate::extensions::Plug;
use crate::fault::Fault;
use crate::state::SandboxState;
use crate::tags::{self, Tags};

/// An instance that begins to run for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootedInstance {
    pub region: String,
    pub instance_id: String,
    pub instance_type: String,
    /// Decoded. Runs once, at the first boot (docs/aws/ec2.md#user-data).
    pub user_data: Option<Vec<u8>>,
    /// The role whose credentials the instance has.
    pub role_arn: Option<String>,
    pub tags: Tags,
}

/// Runs what instances are started for. It ends an instance by [`super::shut_down`], as the instance's own
/// `shutdown` would.
pub trait Backend: Send + Sync {
    /// The instance has begun to run. Must not block: long work goes into [`SandboxState::spawn`].
    fn boot(&self, shared: Arc<SandboxState>, instance: BootedInstance);

    /// The instance was stopped or terminated from outside: what runs on it has to end.
    fn power_off(&self, shared: &Arc<SandboxState>, region: &str, instance_id: &str);

    /// Whether something runs on the instance whose end is going to be told by [`super::went_off`].
    fn runs(&self, _: &str) -> bool {
        false
    }
}

/// Runs nothing: an instance just stays until it is terminated.
#[derive(Clone, Copy, Debug)]
pub struct NoBackend;

impl Backend for NoBackend {
    fn boot(&self, _: Arc<SandboxState>, _: BootedInstance) {}

    fn power_off(&self, _: &Arc<SandboxState>, _: &str, _: &str) {}
}

impl Plug for dyn Backend {
    fn unplugged() -> Arc<Self> {
        Arc::new(NoBackend)
    }
}

/// Who runs the instances of this sandbox.
pub(super) fn of(shared: &SandboxState) -> Arc<dyn Backend> {
    shared.extensions.plugged()
}

impl BootedInstance {
    fn of(shared: &SandboxState, region: &str, id: &str, instance: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let decode = |data: &str| STANDARD.decode(data).ok();
        Self {
            region: region.to_owned(),
            instance_id: id.to_owned(),
            instance_type: text(&instance["Shown"]["instanceType"]).unwrap_or_default(),
            user_data: instance["UserData"].as_str().filter(|data| !data.is_empty()).and_then(decode),
            role_arn: text(&instance["RoleArn"]),
            tags: tags::of(shared, &arn(shared, region, "instance", id)),
        }
    }
}

/// Has the backend boot an instance once it runs, unless it is stopped or terminated before.
pub(super) fn boot_when_running(shared: &Arc<SandboxState>, region: &str, id: &str) {
    let (host, region, id) = (Arc::clone(shared), region.to_owned(), id.to_owned());
    shared.spawn(async move {
        let instance = host.table(INSTANCES, &region).get(&id);
        let runs_at = instance.and_then(|instance| instance["RunsAt"].as_u64()).unwrap_or(0);
        host.clock.until(runs_at).await;
        match first_boot(&host, &region, &id) {
            Ok(Some(booted)) => of(&host).boot(Arc::clone(&host), booted),
            Ok(None) => {}
            Err(fault) => tracing::warn!(instance = id, error = fault.message, "cannot boot an instance"),
        }
    });
}

/// The instance, if it runs and has never been booted; from now on it has been.
fn first_boot(shared: &SandboxState, region: &str, id: &str) -> Result<Option<BootedInstance>, Fault> {
    let booted = shared.table(INSTANCES, region).update(id, |entry| {
        let first = State::of(&entry.doc) == State::Running && entry.doc["Booted"] != true;
        if first {
            entry.doc["Booted"] = json!(true);
        }
        Ok(first.then(|| entry.doc.clone()))
    })?;
    Ok(booted.flatten().map(|instance| BootedInstance::of(shared, region, id, &instance)))
}

/// To be called once after a start: boots the instances whose first boot the last process did not live to
/// see. Answers with region and id of those that were booted by it and still run: what ran on them is gone,
/// and it is for the caller to [`super::shut_down`] them.
pub fn resume(shared: &Arc<SandboxState>) -> Vec<(String, String)> {
    let mut orphans = Vec::new();
    for (region, id, instance) in shared.everywhere(INSTANCES) {
        if instance["Held"] == true
            && let Err(fault) = went_off(shared, &region, &id)
        {
            tracing::warn!(instance = id, error = fault.message, "an instance stays");
        }
        if !State::of(&instance).takes_capacity() {
            continue;
        }
        if instance["Booted"] == true {
            orphans.push((region, id));
        } else {
            boot_when_running(shared, &region, &id);
        }
    }
    orphans
}
