//! Training jobs (docs/aws/sagemaker-training.md).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::TRAINING_JOB;
use super::hosting::check_image_region;
use super::instances::{Count, has_own_disk, within_quota};
use super::job::{Job, transition};
use super::resource::invalid;
use super::{backend, roles};
use crate::call::{Answer, Call};
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::services::quotas::Use;
use crate::state::SandboxState;

/// The newest model requires less, for serverless jobs; an ordinary job still needs all of these
/// (docs/aws/sagemaker-training.md#creating-a-job).
pub const CREATE: &[Constraint] = &[
    Constraint::ANY.at("AlgorithmSpecification").required(),
    Constraint::ANY.at("ResourceConfig").required(),
    Constraint::ANY.at("ResourceConfig.InstanceType").required(),
    Constraint::ANY.at("ResourceConfig.InstanceCount").required().range(1, i64::MAX),
    Constraint::ANY.at("StoppingCondition").required(),
    Constraint::ANY.at("StoppingCondition.MaxRuntimeInSeconds").range(1, 2_419_200),
];

/// Answers CreateTrainingJob.
pub fn create(call: &Call) -> Answer {
    check_algorithm(call)?;
    check_channels(call)?;
    check_resources(call)?;
    check_spot(call)?;
    roles::assumable(&call.shared, call.text("RoleArn"))?;
    check_quota(call)?;

    let mut doc = TRAINING_JOB.document(
        call,
        json!({
            "TrainingJobStatus": "InProgress",
            "EnableNetworkIsolation": false,
            "EnableInterContainerTrafficEncryption": false,
            "EnableManagedSpotTraining": false,
            "AlgorithmSpecification": {"EnableSageMakerMetricsTimeSeries": false},
            "OutputDataConfig": {"KmsKeyId": "", "CompressionType": "GZIP"},
            // A day (docs/aws/sagemaker-training.md#creating-a-job).
            "StoppingCondition": {"MaxRuntimeInSeconds": 86_400},
        }),
    );
    for channel in doc["InputDataConfig"].as_array_mut().into_iter().flatten() {
        for member in ["CompressionType", "RecordWrapperType"] {
            if channel[member].is_null() {
                channel[member] = "None".into();
            }
        }
    }
    transition(&mut doc, "Starting", "Starting the training job", call.timestamp());
    let answer = TRAINING_JOB.create(call, doc)?;
    backend::of(&call.shared).train(job(call));
    Ok(answer)
}

fn job(call: &Call) -> Job {
    Job::new(&call.shared, &call.region, call.text("TrainingJobName"))
}

fn check_algorithm(call: &Call) -> Result<(), Fault> {
    let algorithm = &call.input["AlgorithmSpecification"];
    match (algorithm["TrainingImage"].as_str(), algorithm["AlgorithmName"].as_str()) {
        (Some(image), None) => check_image_region(call, image),
        (None, Some(_)) => Ok(()),
        _ => Err(invalid(
            "Either AlgorithmName or TrainingImage must be provided in AlgorithmSpecification, not both",
        )),
    }
}

fn check_channels(call: &Call) -> Result<(), Fault> {
    let mode = &call.input["AlgorithmSpecification"]["TrainingInputMode"];
    let channels = call.list("InputDataConfig");
    for (index, channel) in channels.iter().enumerate() {
        let name = &channel["ChannelName"];
        if channels[..index].iter().any(|earlier| earlier["ChannelName"] == *name) {
            return Err(invalid(format!("Duplicate channel name {name} in InputDataConfig")));
        }
        let own_mode = channel.get("InputMode").unwrap_or(mode);
        let augmented = channel["DataSource"]["S3DataSource"]["S3DataType"] == "AugmentedManifestFile";
        // Both exist for streams only (docs/aws/sagemaker-training.md#creating-a-job).
        if (channel["CompressionType"] == "Gzip" || augmented) && own_mode != "Pipe" {
            return Err(invalid(format!(
                "Channel {name}: CompressionType Gzip and AugmentedManifestFile are supported in Pipe mode only"
            )));
        }
    }
    Ok(())
}

fn check_resources(call: &Call) -> Result<(), Fault> {
    let resources = &call.input["ResourceConfig"];
    let instance_type = resources["InstanceType"].as_str().unwrap_or_default();
    if resources["VolumeSizeInGB"].is_null() && !has_own_disk(instance_type) {
        return Err(invalid(format!("VolumeSizeInGB is required for instance type {instance_type}")));
    }
    if !resources["VolumeKmsKeyId"].is_null() && has_own_disk(instance_type) {
        return Err(invalid(format!("VolumeKmsKeyId is not supported for instance type {instance_type}")));
    }
    Ok(())
}

/// Spot needs a waiting time that is no shorter than the run time, and nothing else may have one
/// (docs/aws/sagemaker-training.md#spot).
fn check_spot(call: &Call) -> Result<(), Fault> {
    let condition = &call.input["StoppingCondition"];
    let (runtime, wait) =
        (condition["MaxRuntimeInSeconds"].as_i64(), condition["MaxWaitTimeInSeconds"].as_i64());
    let message = match (call.flag("EnableManagedSpotTraining"), wait) {
        (true, Some(wait)) if wait >= runtime.unwrap_or(86_400) => return Ok(()),
        (false, None) => return Ok(()),
        (true, _) => {
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        }
        (false, Some(_)) => "MaxWaitTimeInSeconds is supported for managed spot training only",
    };
    if call.shared.enforces(AwsRule::SpotWaitTime) { Err(invalid(message)) } else { Ok(()) }
}

/// Every job that has instances counts.
fn check_quota(call: &Call) -> Result<(), Fault> {
    let is_spot = is_spot(&call.input);
    let usage = if is_spot { Use::SpotTraining } else { Use::Training };
    let used = in_use(&call.shared, &call.region, is_spot);
    within_quota(&call.shared, usage, &used, &Count::from([use_of(&call.input)]))
}

fn is_spot(doc: &Value) -> bool {
    doc["EnableManagedSpotTraining"] == true
}

fn use_of(doc: &Value) -> (String, u64) {
    let resources = &doc["ResourceConfig"];
    let instance_type = resources["InstanceType"].as_str().unwrap_or_default().to_owned();
    (instance_type, resources["InstanceCount"].as_u64().unwrap_or(0))
}

/// What the jobs have that run, on spot instances or on others.
pub(super) fn in_use(shared: &SandboxState, region: &str, spot: bool) -> Count {
    let mut used = Count::new();
    for (_, job) in shared.table(TRAINING_JOB.table, region).list("") {
        let running = job["TrainingJobStatus"] == "InProgress" || job["TrainingJobStatus"] == "Stopping";
        if running && is_spot(&job) == spot {
            let (instance_type, count) = use_of(&job);
            *used.entry(instance_type).or_default() += count;
        }
    }
    used
}

/// Answers StopTrainingJob.
pub fn stop(call: &Call) -> Answer {
    let now = call.timestamp();
    TRAINING_JOB.update(call, |entry| {
        let status = entry.doc["TrainingJobStatus"].as_str().unwrap_or_default();
        if status != "InProgress" {
            return Err(invalid(format!(
                "The request was rejected because the training job is in status {status}"
            )));
        }
        entry.doc["TrainingJobStatus"] = "Stopping".into();
        transition(&mut entry.doc, "Stopping", "Stopping the training job", now);
        Ok(())
    })?;
    backend::of(&call.shared).stop(job(call));
    Ok(json!({}))
}

/// Only a job that has ended can be deleted; its name is free again (docs/aws/sagemaker-training.md#states,
/// docs/aws/sagemaker.md#names).
pub fn delete(call: &Call) -> Answer {
    let shared = Arc::clone(&call.shared);
    let deleted = TRAINING_JOB.update(call, |entry| {
        let status = entry.doc["TrainingJobStatus"].as_str().unwrap_or_default();
        if matches!(status, "InProgress" | "Stopping") && shared.enforces(AwsRule::DeleteEndedJobsOnly) {
            let message = format!("The request was rejected because the training job is in status {status}");
            return Err(Fault::new(400, "ResourceInUse", message));
        }
        entry.doc["TrainingJobStatus"] = "Deleting".into();
        entry.timeline = shared.timeline().then_gone(Duration::from_secs(5)).into();
        Ok(entry.doc.clone())
    });
    // This operation declares the code that its siblings do not use (docs/aws/sagemaker.md#declared-errors).
    let doc = deleted.map_err(|fault| match fault.message.starts_with("Requested resource not found") {
        true => Fault { code: "ResourceNotFound".into(), ..fault },
        false => fault,
    })?;
    TRAINING_JOB.forget_tags(call, &doc)?;
    Ok(json!({}))
}
