//! Events: what happens, as data. The engine sends events and never prints; terminal and JSON are two
//! readers.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

use super::Cancel;
use crate::aws::{Calls, OpError};
use crate::domain::{Code, Contents, ResourceId};
use crate::plan::{StepId, Verb};

/// One thing that happened. Field names are part of the JSON output: append-only.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Another run holds the lease, and it is waited for (`--wait`). Sent once for each holder.
    LeaseWaiting {
        holder: String,
    },
    /// What may be left over of this project and could not be read: nobody knows whether it is there.
    Unread {
        target: ResourceId,
        reason: String,
    },
    RunStarted {
        steps: usize,
    },
    StepStarted {
        step: StepId,
        target: ResourceId,
        op: Verb,
        physical: String,
        /// Objects and bytes in it, for a delete: `ours` go.
        #[serde(skip_serializing_if = "Option::is_none")]
        contents: Option<Contents>,
        /// How long it took the last time, or AWS says that it takes (docs/aws/durations.md).
        #[serde(skip_serializing_if = "Option::is_none")]
        usual_ms: Option<u64>,
    },
    /// Sent at each look while AWS works, so that long waits are never silent.
    StepWaiting {
        step: StepId,
        target: ResourceId,
        what: &'static str,
        status: String,
        elapsed_ms: u64,
    },
    StepRetrying {
        step: StepId,
        target: ResourceId,
        action: &'static str,
        reason: String,
    },
    /// Bytes of an upload or download.
    StepProgress {
        step: StepId,
        target: ResourceId,
        #[serde(flatten)]
        progress: Progress,
    },
    /// A line of the user's own program (training log).
    StepLog {
        step: StepId,
        target: ResourceId,
        line: String,
    },
    /// A value in that line, by the `metrics` of the config.
    StepMetric {
        step: StepId,
        target: ResourceId,
        name: String,
        value: f64,
        /// What it counts up to: the hyperparameter `epochs` for a metric `epoch`.
        #[serde(skip_serializing_if = "Option::is_none")]
        of: Option<f64>,
    },
    StepFinished {
        step: StepId,
        target: ResourceId,
        op: Verb,
        #[serde(flatten)]
        result: StepResult,
        elapsed_ms: u64,
    },
    /// All steps have ended, and AWS does not show all of it yet: it is looked at again, up to a minute.
    Verifying {
        /// What a plan would still do, as `KIND/NAME: why`.
        differs: Vec<String>,
    },
    /// The run is being stopped.
    Cancelling {
        reason: String,
    },
    /// The run ended before this did, and AWS may continue it.
    Continues {
        target: ResourceId,
        reason: String,
        /// The command that ends it.
        #[serde(skip_serializing_if = "Option::is_none")]
        stop: Option<String>,
    },
    /// At the end of a run that deletes, what it leaves: it is not this project's by its tags, or is used by
    /// what is not.
    Kept {
        target: ResourceId,
        physical: String,
        /// Why it stays, and how it goes.
        reason: String,
        /// It is this project's, and stays for this, which may use it.
        #[serde(skip_serializing_if = "Option::is_none")]
        used_by: Option<ResourceId>,
    },
    /// What went wrong with the run as a whole, not with one step.
    Error {
        error: RunError,
    },
    RunFinished {
        result: RunResult,
        calls: Calls,
        elapsed_ms: u64,
    },
    /// A line of a log, as `opsctl logs` reads it: of no run, and so of no step.
    LogLine {
        target: ResourceId,
        /// The job that printed it, or what serves.
        physical: String,
        line: String,
    },
}

/// An error as programs read it, the same in events and where it ends a command.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunError {
    pub code: Code,
    pub message: String,
    pub help: String,
    pub resource: Option<ResourceId>,
    pub retryable: bool,
}

/// How far an upload or download is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Progress {
    /// Bytes.
    pub done: u64,
    /// Bytes.
    pub total: u64,
    pub files_done: usize,
    pub files_total: usize,
    /// Since the beginning.
    pub bytes_per_second: u64,
    /// Until the end, at that rate.
    pub eta_ms: Option<u64>,
    /// The file that is under way for the longest time.
    pub slowest: Option<String>,
}

/// How a step ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum StepResult {
    Ok,
    Failed {
        error: String,
        code: &'static str,
        retryable: bool,
    },
    /// Something it needed failed.
    Skipped {
        because_of: ResourceId,
    },
    /// The run was stopped before its turn.
    NotStarted,
    /// The run was stopped in it: AWS may continue what was started.
    Unfinished {
        reason: String,
    },
}

impl StepResult {
    /// How a step ended that was begun.
    pub fn of(result: &Result<(), OpError>, cancel: &Cancel) -> Self {
        match result {
            Ok(()) => Self::Ok,
            Err(error) if cancel.caused(error) => Self::Unfinished { reason: error.message.clone() },
            Err(error) => Self::Failed {
                error: error.to_string(),
                code: error.code().as_str(),
                retryable: error.retryable(),
            },
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    Ok,
    Failed,
    Interrupted,
    /// `--timeout` was over before it ended.
    TimedOut,
}

/// Where events go. Sending never blocks and never fails: without a reader nobody wants to know.
#[derive(Clone, Debug)]
pub struct Events(Option<UnboundedSender<Event>>);

impl Events {
    /// To whoever reads the other end.
    pub fn to(sender: UnboundedSender<Event>) -> Self {
        Self(Some(sender))
    }

    /// For looks that nobody watches.
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// Lets it be known; nobody need listen.
    pub fn send(&self, event: Event) {
        if let Some(sender) = &self.0 {
            // The reader may be gone (a closed pipe); the run continues.
            let _ = sender.send(event);
        }
    }
}

/// Milliseconds, the unit of time in events.
pub fn ms(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
