//! A training job as its runner sees it: what to do, and how to tell how far it is.

use std::sync::Arc;

use serde_json::{Value, json};

use super::TRAINING_JOB;
use super::resource::{failure_reason, modified};
use crate::clock::{Millis, epoch_seconds};
use crate::fault::Fault;
use crate::state::SandboxState;
use crate::store::Entry;

/// One training job of a region, by name.
#[derive(Clone, Debug)]
pub struct Job {
    pub shared: Arc<SandboxState>,
    pub region: String,
    pub name: String,
}

/// How a job ended, and what it left.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    pub status: Ended,
    /// URI of `model.tar.gz`; a stopped job may have one too (docs/aws/sagemaker-training.md#states).
    pub model: Option<String>,
    /// The last value of each metric.
    pub metrics: Vec<(String, f64)>,
    /// What a spot job pays for; none: all of its training time.
    pub billable_seconds: Option<u64>,
}

/// How a job has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Completed,
    /// With the `FailureReason`, which is cut at 1024 characters.
    Failed(String),
    Stopped,
    /// The time limits end a job as `Stopped`, not as `Failed` (docs/aws/sagemaker-training.md#states).
    MaxRuntimeExceeded,
    MaxWaitTimeExceeded,
}

impl End {
    /// With this archive of a model.
    pub fn completed(model: String) -> Self {
        Self { status: Ended::Completed, ..Self::stopped(Some(model)) }
    }

    /// For this reason.
    pub fn failed(reason: String) -> Self {
        Self { status: Ended::Failed(reason), ..Self::stopped(None) }
    }

    /// By StopTrainingJob or its limit, with what it had saved until then.
    pub fn stopped(model: Option<String>) -> Self {
        Self { status: Ended::Stopped, model, metrics: Vec::new(), billable_seconds: None }
    }
}

impl Ended {
    /// Status, secondary status, message of the last transition.
    fn words(&self) -> (&'static str, &'static str, &str) {
        match self {
            Self::Completed => ("Completed", "Completed", "Training job completed"),
            Self::Failed(reason) => ("Failed", "Failed", reason),
            Self::Stopped => ("Stopped", "Stopped", "Training job stopped"),
            Self::MaxRuntimeExceeded => (
                "Stopped",
                "MaxRuntimeExceeded",
                "Training job runtime exceeded MaxRuntimeInSeconds provided",
            ),
            Self::MaxWaitTimeExceeded => {
                ("Stopped", "MaxWaitTimeExceeded", "Training job exceeded MaxWaitTimeInSeconds provided")
            }
        }
    }
}

impl Job {
    /// The job of this name.
    pub fn new(shared: &Arc<SandboxState>, region: &str, name: &str) -> Self {
        Self { shared: Arc::clone(shared), region: region.to_owned(), name: name.to_owned() }
    }

    /// What `DescribeTrainingJob` answers: hyperparameters, channels, limits. None once the job is deleted.
    pub fn document(&self) -> Option<Value> {
        self.shared.table(TRAINING_JOB.table, &self.region).get(&self.name)
    }

    /// When its state last changed.
    pub fn modified(&self) -> Millis {
        modified(&self.document().unwrap_or_default())
    }

    /// Where a result of the job goes: `<S3OutputPath>/<job>/output/<file>`
    /// (docs/aws/sagemaker-training.md#container-layout).
    pub fn artifact(&self, file: &str) -> String {
        let document = self.document().unwrap_or_default();
        let output = document["OutputDataConfig"]["S3OutputPath"].as_str().unwrap_or_default();
        format!("{}/{}/output/{file}", output.trim_end_matches('/'), self.name)
    }

    /// Enters the next stage, by AWS's secondary status. `false`: the job is no longer `InProgress`, because
    /// it is being stopped or is gone; the runner has nothing more to say.
    pub fn enter(&self, stage: &str, message: &str) -> bool {
        let now = self.shared.clock.now();
        self.change(|entry| {
            let doc = &mut entry.doc;
            if doc["TrainingJobStatus"] != "InProgress" {
                return Ok(false);
            }
            // Billed from the first instance on, download and upload included.
            if stage != "Pending" && doc["TrainingStartTime"].is_null() {
                doc["TrainingStartTime"] = epoch_seconds(now);
            }
            transition(doc, stage, message, epoch_seconds(now));
            Ok(true)
        })
        .unwrap_or(false)
    }

    /// Notes what it begins with, for a restart of the sandbox.
    pub fn begins_with(&self, inputs: &str) {
        self.change(|entry| {
            entry.doc["_Inputs"] = inputs.into();
            Ok(())
        });
    }

    /// What it began with, of one that had begun.
    pub fn began_with(&self) -> Option<String> {
        self.document()?["_Inputs"].as_str().map(str::to_owned)
    }

    /// Ends the job. A job that was being stopped ends as `Stopped`, whatever became of its script.
    pub fn end(&self, end: End) {
        let now = self.shared.clock.now();
        self.change(|entry| {
            let doc = &mut entry.doc;
            let stopping = doc["TrainingJobStatus"] == "Stopping";
            if !stopping && doc["TrainingJobStatus"] != "InProgress" {
                return Ok(());
            }
            let (status, secondary, message) = match &end.status {
                Ended::Completed | Ended::Failed(_) if stopping => Ended::Stopped.words(),
                ended => ended.words(),
            };
            let message = failure_reason(message);
            if status == "Failed" {
                doc["FailureReason"] = message.as_str().into();
            }
            doc["TrainingJobStatus"] = status.into();
            transition(doc, secondary, &message, epoch_seconds(now));
            if let Some(last) = last_transition(doc) {
                last["EndTime"] = epoch_seconds(now);
            }
            if let Some(model) = &end.model {
                doc["ModelArtifacts"] = json!({"S3ModelArtifacts": model});
            }
            if let Some(started) = doc["TrainingStartTime"].as_f64() {
                let trained = (now as f64 / 1_000.0 - started).ceil().max(0.0) as u64;
                doc["TrainingEndTime"] = epoch_seconds(now);
                doc["TrainingTimeInSeconds"] = trained.into();
                doc["BillableTimeInSeconds"] = end.billable_seconds.unwrap_or(trained).into();
            }
            if !end.metrics.is_empty() {
                let metric = |(name, value): &(String,
                    f64)| json!({"MetricName": name, "Value": value, "Timestamp": epoch_seconds(now)});
                // At most 40 (docs/aws/sagemaker-training.md#metrics).
                doc["FinalMetricDataList"] = end.metrics.iter().take(40).map(metric).collect();
            }
            Ok(())
        });
    }

    /// What a job needs to say has no one to be refused to: trouble with the store's files goes to the log.
    fn change<T>(&self, change: impl FnOnce(&mut Entry) -> Result<T, Fault>) -> Option<T> {
        let changed = self.shared.table(TRAINING_JOB.table, &self.region).update(&self.name, change);
        changed.unwrap_or_else(|fault| {
            tracing::warn!(job = self.name, fault = fault.message, "a training job's state is not kept");
            None
        })
    }
}

/// Ends the last transition and begins the next.
pub fn transition(doc: &mut Value, secondary: &str, message: &str, now: Value) {
    if let Some(last) = last_transition(doc) {
        last["EndTime"] = now.clone();
    }
    let next = json!({"Status": secondary, "StartTime": now, "StatusMessage": message});
    match &mut doc["SecondaryStatusTransitions"] {
        Value::Array(all) => all.push(next),
        none => *none = json!([next]),
    }
    doc["SecondaryStatus"] = secondary.into();
    doc["LastModifiedTime"] = now;
}

fn last_transition(doc: &mut Value) -> Option<&mut Value> {
    doc["SecondaryStatusTransitions"].as_array_mut()?.last_mut()
}
