use std::time::{Duration, SystemTime};

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Filter, HttpTokensState, IamInstanceProfileSpecification,
    Instance as Ec2Instance, InstanceMetadataOptionsRequest, InstanceStateName, InstanceType, ResourceType,
    ShutdownBehavior, Tag, TagSpecification, VolumeType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;

use super::spec::{Instance, Outcome, Record, Seen, Spec};
use super::user_data;
use crate::domain::{FieldChange, fingerprint, Owner, Phase, Status};
use crate::engine::{Driver, Expected, Found, OpCx, OpError, OpErrorKind, OpResult, Outcomes, Probe};
use crate::resources::KindName;
use crate::resources::bucket::empty;
use crate::resources::training::source;

/// The tags that tie an instance to its job and output (D15).
const JOB_TAG: &str = "opsctl:job";
const OUTPUT_TAG: &str = "opsctl:output";

impl Driver for Instance {
    /// Every job has a folder in the bucket, also long after its instance is gone.
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let Some(bucket) = bucket(cx) else { return Ok(Vec::new()) };
        let root = format!("{}/", Instance::OUTPUT);
        let call = cx.aws.s3.list_objects_v2().bucket(bucket).prefix(&root).delimiter("/");
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = page.op("s3:ListBucket").found()? else { break };
            let jobs = page.common_prefixes().iter().filter_map(|p| p.prefix()?.strip_prefix(&root)?.strip_suffix('/'));
            found.extend(jobs.map(Found::new));
        }
        Ok(found)
    }

    async fn observe(&self, cx: &OpCx<'_>, job: &str) -> OpResult<Option<Seen>> {
        let instance = running(cx, job);
        let outcome = read::<Outcome>(cx, job, "output/result.json");
        let record = read::<Record>(cx, job, "job.json");
        let (instance, outcome, record) = futures_util::try_join!(instance, outcome, record)?;
        if instance.is_none() && outcome.is_none() && record.is_none() {
            return Ok(None);
        }
        let instance_id = instance.as_ref().and_then(|i| i.instance_id().map(str::to_owned));
        Ok(Some(Seen { owner: Owner::Ours, status: status(instance.as_ref(), outcome), instance_id, record }))
    }

    async fn create(&self, cx: &OpCx<'_>, job: &str, spec: &Spec) -> OpResult<()> {
        source::upload(cx, &spec.code).await?;
        let attempt = attempt(cx, job, spec).await?;
        let image = image(cx, &spec.image).await?;
        cx.retry_new_role("ec2:RunInstances", || start(cx, job, spec, &image, &attempt)).await?;
        finished(cx, job, spec).await
    }

    async fn update(&self, cx: &OpCx<'_>, job: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        finished(cx, job, spec).await
    }

    async fn delete(&self, cx: &OpCx<'_>, job: &str) -> OpResult<()> {
        if let Some(id) = running(cx, job).await?.and_then(|i| i.instance_id) {
            let call = cx.aws.ec2.terminate_instances().instance_ids(&id);
            call.send().await.op("ec2:TerminateInstances").gone()?;
            let limit = Duration::from_secs(600);
            cx.wait("instance terminated", Duration::from_secs(15), limit, || async {
                Ok(match running(cx, job).await? {
                    Some(instance) => Probe::Pending(state(&instance).as_str().to_owned()),
                    None => Probe::Ready(()),
                })
            })
            .await?;
        }
        match bucket(cx) {
            Some(bucket) => empty::empty(cx, bucket, &format!("{}/{job}/", Instance::OUTPUT)).await,
            None => Ok(()),
        }
    }

    async fn adopt(&self, _: &OpCx<'_>, _: &str) -> OpResult<()> {
        Ok(()) // found by our tags and in our bucket, so it is ours
    }
}

fn bucket<'a>(cx: &'a OpCx<'_>) -> Option<&'a str> {
    cx.world.wanted(KindName::Bucket).next()
}

/// The job's instance while it lives. Terminated ones stay visible for an hour, so they are left out.
async fn running(cx: &OpCx<'_>, job: &str) -> OpResult<Option<Ec2Instance>> {
    let filter = |name: &str, values: &[&str]| {
        let values = values.iter().map(|v| (*v).to_owned()).collect();
        Filter::builder().name(name).set_values(Some(values)).build()
    };
    let call = cx
        .aws
        .ec2
        .describe_instances()
        .filters(filter(&format!("tag:{JOB_TAG}"), &[job]))
        .filters(filter("instance-state-name", &["pending", "running", "stopping", "stopped", "shutting-down"]));
    let mut pages = call.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.op("ec2:DescribeInstances")?;
        if let Some(instance) = page.reservations.unwrap_or_default().into_iter().find_map(|r| r.instances?.pop()) {
            return Ok(Some(instance));
        }
    }
    Ok(None)
}

fn state(instance: &Ec2Instance) -> InstanceStateName {
    instance.state().and_then(|s| s.name()).cloned().unwrap_or(InstanceStateName::Pending)
}

/// A JSON file of the job's folder.
async fn read<T: DeserializeOwned>(cx: &OpCx<'_>, job: &str, file: &str) -> OpResult<Option<T>> {
    let Some(bucket) = bucket(cx) else { return Ok(None) };
    let call = cx.aws.s3.get_object().bucket(bucket).key(format!("{}/{job}/{file}", Instance::OUTPUT));
    let Some(object) = call.send().await.op("s3:GetObject").found()? else { return Ok(None) };
    let body = object.body.collect().await;
    let body = body.map_err(|e| OpError::new("s3:GetObject", OpErrorKind::Network, e.to_string()))?.into_bytes();
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|e| OpError::new("s3:GetObject", OpErrorKind::Unexpected, format!("{file} of {job}: {e}")))
}

/// The result is written last, so it decides; without one, a living instance is still at it.
fn status(instance: Option<&Ec2Instance>, outcome: Option<Outcome>) -> Status {
    match (outcome, instance) {
        (Some(Outcome { exit_code: 0, .. }), _) => Status::ready("Completed"),
        (Some(Outcome { exit_code, message, .. }), _) => {
            let reason = if message.is_empty() { format!("exit code {exit_code}") } else { message };
            Status::new("Failed", Phase::Failed).because(Some(reason))
        }
        (None, Some(instance)) => Status::new(state(instance).as_str(), Phase::Busy),
        (None, None) => {
            let reason = "the instance is gone and has left no result".to_owned();
            Status::new("Failed", Phase::Failed).because(Some(reason))
        }
    }
}

/// An AMI id as it is, a parameter's name looked up: AWS keeps the newest AMI ids in public parameters.
async fn image(cx: &OpCx<'_>, image: &str) -> OpResult<String> {
    if !image.starts_with('/') {
        return Ok(image.to_owned());
    }
    let found = cx.aws.ssm.get_parameter().name(image).send().await.op("ssm:GetParameter")?;
    let value = found.parameter.and_then(|p| p.value);
    value.ok_or_else(|| OpError::new("ssm:GetParameter", OpErrorKind::NotFound, format!("{image} has no value")))
}

/// Writes the job's record, and gives the name of this attempt. EC2 answers a client token that it knows with the old
/// instance, even when that is terminated: so a new attempt needs a new token, and a repeated one the same.
async fn attempt(cx: &OpCx<'_>, job: &str, spec: &Spec) -> OpResult<String> {
    if let Some(Record { attempt, .. }) = read::<Record>(cx, job, "job.json").await? {
        return Ok(attempt);
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let attempt = fingerprint::suffix(&(job, now.as_nanos().to_string()));
    let record = Record { attempt: attempt.clone(), ..Record::of(spec) };
    let record = serde_json::to_vec(&record).expect("a record is plain data");
    let key = format!("{}/{job}/job.json", Instance::OUTPUT);
    let call = cx.aws.s3.put_object().bucket(&spec.code.bucket).key(key).body(record.into());
    call.send().await.op("s3:PutObject")?;
    Ok(attempt)
}

async fn start(cx: &OpCx<'_>, job: &str, spec: &Spec, image: &str, attempt: &str) -> OpResult<()> {
    let script = user_data::script(job, spec, &cx.scope.region);
    if script.len() > user_data::LIMIT {
        let message = format!("the user data has {} bytes, EC2 takes {}", script.len(), user_data::LIMIT);
        return Err(OpError::new("ec2:RunInstances", OpErrorKind::Invalid, message));
    }
    let own = [("Name", job), (JOB_TAG, job), (OUTPUT_TAG, spec.output.as_str())];
    let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let tags: Vec<Tag> = cx
        .tags()
        .into_iter()
        .chain(own)
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect();
    let tagged = |kind| TagSpecification::builder().resource_type(kind).set_tags(Some(tags.clone())).build();
    let disk = EbsBlockDevice::builder()
        .volume_size(spec.volume_gb)
        .volume_type(VolumeType::Gp3)
        .encrypted(true)
        .delete_on_termination(true)
        .build();
    let metadata = InstanceMetadataOptionsRequest::builder()
        .http_tokens(HttpTokensState::Required)
        .http_put_response_hop_limit(1)
        .build();
    cx.aws
        .ec2
        .run_instances()
        .image_id(image)
        .instance_type(InstanceType::from(spec.instance_type.as_str()))
        .min_count(1)
        .max_count(1)
        // Running the same command twice starts one instance (aws-facts §12).
        .client_token(fingerprint::suffix(&(job, attempt)))
        .user_data(STANDARD.encode(script))
        .iam_instance_profile(IamInstanceProfileSpecification::builder().arn(&spec.profile_arn).build())
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .metadata_options(metadata)
        .block_device_mappings(BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(disk).build())
        .tag_specifications(tagged(ResourceType::Instance))
        .tag_specifications(tagged(ResourceType::Volume))
        .send()
        .await
        .op("ec2:RunInstances")
        .map(drop)
}

/// Waits for the result. An instance that ends without one has failed.
async fn finished(cx: &OpCx<'_>, job: &str, spec: &Spec) -> OpResult<()> {
    let limit = Duration::from_secs(u64::from(spec.max_runtime_s.unsigned_abs()) + 1800);
    let gone = std::sync::atomic::AtomicU32::new(0);
    cx.wait("EC2 training finished", Duration::from_secs(15), limit, || async {
        let (instance, outcome) =
            futures_util::try_join!(running(cx, job), read::<Outcome>(cx, job, "output/result.json"))?;
        // Right after the start the instance may not be visible, and at the end the result may come between two
        // looks: only a third look without either says that it is gone.
        let nothing = instance.is_none() && outcome.is_none();
        if nothing && gone.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3 {
            return Ok(Probe::Pending("not visible".into()));
        }
        let status = status(instance.as_ref(), outcome);
        Ok(match status.phase {
            Phase::Ready | Phase::Stopped => Probe::Ready(()),
            Phase::Busy => Probe::Pending(status.word),
            Phase::Failed => Probe::Failed { status: status.word, reason: status.reason },
        })
    })
    .await
}
