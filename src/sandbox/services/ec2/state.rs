//! An instance's life: pending, running, stopping, stopped, shutting-down, terminated
//! (docs/aws/ec2.md#instance-states).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::INSTANCES;
use crate::clock::{Millis, StatePace};
use crate::fault::Fault;
use crate::state::SandboxState;
use crate::store::{Entry, Timeline, TimelineBuilder, merge};

/// States by name, with AWS's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl State {
    const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::ShuttingDown, Self::Terminated, Self::Stopping, Self::Stopped];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    pub(super) fn shown(self) -> Value {
        json!({"code": self.code(), "name": self.name()})
    }

    pub(super) fn of(instance: &Value) -> Self {
        let name = &instance["Shown"]["instanceState"]["name"];
        Self::ALL.into_iter().find(|state| *name == *state.name()).unwrap_or(Self::Terminated)
    }

    /// Its vCPUs count against the quota.
    pub(super) fn takes_capacity(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

pub(super) const BOOTING: Duration = Duration::from_secs(15);
const SHUTTING_DOWN: Duration = Duration::from_secs(30);
const STOPPING: Duration = Duration::from_secs(20);

/// A terminated instance is shown for about an hour (docs/aws/ec2.md#instance-states).
const REMEMBERED: Duration = Duration::from_secs(3_600);

fn into(state: State) -> Value {
    json!({"Shown": {"instanceState": state.shown()}})
}

/// The plan of an instance that starts at `now`.
pub(super) fn booting(now: Millis, pace: StatePace) -> Timeline {
    TimelineBuilder::new(now, pace).then(BOOTING, into(State::Running)).into()
}

/// Why an instance goes down: AWS's code and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// By an API call.
    User,
    /// By its own `shutdown`.
    Itself,
}

impl Cause {
    fn reason(self) -> Value {
        let (code, text) = match self {
            Self::User => ("Client.UserInitiatedShutdown", "User initiated shutdown"),
            Self::Itself => ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown"),
        };
        json!({"code": code, "message": format!("{code}: {text}")})
    }
}

/// Sends an instance on its way to `terminated`. Doing it again changes nothing.
pub(super) fn terminate(shared: &SandboxState, entry: &mut Entry, cause: Cause) {
    if matches!(State::of(&entry.doc), State::ShuttingDown | State::Terminated) {
        return;
    }
    merge(
        &mut entry.doc,
        json!({"Shown": {
            "instanceState": State::ShuttingDown.shown(), "stateReason": cause.reason(),
            "ipAddress": null, "dnsName": "",
        }}),
    );
    entry.timeline = going(shared);
}

/// The rest of the life of an instance that shuts down.
fn going(shared: &SandboxState) -> Timeline {
    let gone = json!({"Shown": {
        "instanceState": State::Terminated.shown(),
        "privateIpAddress": null, "vpcId": null, "subnetId": null, "blockDeviceMapping": [],
    }});
    // How long it is remembered is no matter of pace: a poll has to be able to see its end.
    TimelineBuilder::new(shared.clock.now(), StatePace::Realistic)
        .then(shared.pace.of(SHUTTING_DOWN), gone)
        .then_gone(REMEMBERED)
        .into()
}

/// What runs on an instance that shuts down has not ended: it stays so until [`went_off`]. A terminated one
/// writes nothing any more.
pub(super) fn hold(entry: &mut Entry) {
    if State::of(&entry.doc) == State::ShuttingDown {
        entry.doc["Held"] = json!(true);
        entry.timeline = Timeline::default();
    }
}

/// What ran on an instance has ended, so that nothing holds it any more.
///
/// # Errors
/// Only when the sandbox cannot write its files.
pub fn went_off(shared: &SandboxState, region: &str, instance_id: &str) -> Result<(), Fault> {
    shared.table(INSTANCES, region).update(instance_id, |entry| {
        if entry.doc["Held"] == true {
            entry.doc["Held"] = Value::Null;
            entry.timeline = going(shared);
        }
        Ok(())
    })?;
    Ok(())
}

pub(super) fn stop(shared: &SandboxState, entry: &mut Entry, cause: Cause) {
    merge(
        &mut entry.doc,
        json!({"Shown": {
            "instanceState": State::Stopping.shown(), "stateReason": cause.reason(),
            "ipAddress": null, "dnsName": "",
        }}),
    );
    entry.timeline = shared.timeline().then(STOPPING, into(State::Stopped)).into();
}

pub(super) fn start(shared: &SandboxState, entry: &mut Entry) {
    let pending = json!({"Shown": {"instanceState": State::Pending.shown(), "stateReason": null}});
    merge(&mut entry.doc, pending);
    entry.timeline = booting(shared.clock.now(), shared.pace);
}

/// The instance could not be started: it terminates, and says why as AWS does (`Server.InternalError`).
///
/// # Errors
/// Only when the sandbox cannot write its files.
pub fn fail(shared: &Arc<SandboxState>, region: &str, instance_id: &str, why: &str) -> Result<(), Fault> {
    shared.table(INSTANCES, region).update(instance_id, |entry| {
        terminate(shared, entry, Cause::Itself);
        let code = "Server.InternalError";
        let reason = json!({"code": code, "message": format!("{code}: {why}")});
        merge(&mut entry.doc, json!({"Shown": {"stateReason": reason}}));
        Ok(())
    })?;
    Ok(())
}

/// The instance has called `shutdown`: it stops or terminates as it was launched to
/// (`InstanceInitiatedShutdownBehavior`, whose default is stop: docs/aws/ec2.md#shutdown-behavior). One that
/// does not run is left as it is.
///
/// # Errors
/// Only when the sandbox cannot write its files.
pub fn shut_down(shared: &Arc<SandboxState>, region: &str, instance_id: &str) -> Result<(), Fault> {
    shared.table(INSTANCES, region).update(instance_id, |entry| {
        if State::of(&entry.doc).takes_capacity() {
            if entry.doc["TerminatesOnShutdown"] == true {
                terminate(shared, entry, Cause::Itself);
            } else {
                stop(shared, entry, Cause::Itself);
            }
        }
        Ok(())
    })?;
    Ok(())
}
