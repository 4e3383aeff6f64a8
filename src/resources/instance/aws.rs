use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Filter, HttpTokensState, IamInstanceProfileSpecification,
    Instance as Ec2Instance, InstanceMetadataOptionsRequest, InstanceStateName, InstanceType, ResourceType,
    ShutdownBehavior, Tag, TagSpecification, VolumeType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::Spec;
use super::spec::{Instance, JobScope, Outcome, Record, State};
use super::user_data;
use crate::aws::{AnswerDate, OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt, whole};
use crate::desired::Seen;
use crate::domain::{FieldChange, KindName, Owner, Phase, Scope, Status, action, fingerprint};
use crate::engine::{Driver, Found, OpCx, Probe};
use crate::resources::bucket::{self, empty};
use crate::resources::objects::{etag, is_replaced};
use crate::resources::parted_log::PartedLog;
use crate::resources::training::job::{self, model_uri};
use crate::resources::training::metrics::Metrics;
use crate::resources::training::source;

/// The tags that tie an instance to its job and output (docs/decisions/0030).
const JOB_TAG: &str = "opsctl:job";
const OUTPUT_TAG: &str = "opsctl:output";

/// AWS's own waiter looks that often.
const EVERY: Duration = Duration::from_secs(15);
/// How long a job that no instance shows of counts as begun: the roles of a first deploy take minutes to
/// spread, and a new instance to show. After that, what there was is gone.
const YOUNG: Duration = Duration::from_secs(10 * 60);

impl Driver for Instance {
    /// Every job has a folder in the bucket, also long after its instance is gone; the first file in it is
    /// its record. A living instance is found without: its folder may have been emptied by others. Whose job
    /// it is, the name does not tell.
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let (mut begun, living) = futures_util::try_join!(recorded(cx), living(cx))?;
        for (job, started) in living {
            begun.entry(job).or_insert(started);
        }
        Ok(begun.into_iter().map(|(physical, created)| Found { physical, created }).collect())
    }

    async fn observe(&self, cx: &OpCx<'_>, job: &str) -> OpResult<Option<Seen<State>>> {
        let observed = ObservedJob::at(cx, job).await?;
        if observed.instance.is_none() && observed.outcome.is_none() && observed.record.is_none() {
            return Ok(None);
        }
        let status = observed.status();
        let (output, replaced) = match bucket(cx) {
            Some(bucket) if status.phase == Phase::Ready => {
                let there = etag(cx, &model_uri(bucket, Instance::OUTPUT, job)).await?;
                let noted = observed.content().and_then(|record| record.model_etag.as_deref());
                (there.is_some(), is_replaced(noted, there.as_deref()))
            }
            _ => (true, false),
        };
        let status = if replaced { status.because(Some(job::REPLACED.into())) } else { status };
        let owner = observed.owner(cx).await?;
        let took_s = observed.took().filter(|_| status.phase == Phase::Ready).map(|took| took.as_secs());
        let saved_nothing = observed.saved_nothing();
        let instance_id = observed.instance.and_then(|i| i.instance_id);
        let record = observed.record.and_then(|(record, _)| record.ok());
        let state = State { instance_id, record, output, saved_nothing, replaced, took_s };
        Ok(Some(Seen::new(owner, status, state)))
    }

    async fn create(&self, cx: &OpCx<'_>, job: &str, spec: &Spec) -> OpResult<()> {
        source::upload(cx, &spec.code).await?;
        let observed = ObservedJob::at(cx, job).await?;
        let running = observed.instance.as_ref().is_some_and(is_living);
        if !running && observed.outcome.is_none() {
            let attempt = match observed.record {
                Some((Ok(record), _)) => record.attempt,
                _ => begin(cx, job, spec).await?,
            };
            let image = image(cx, &spec.image).await?;
            cx.retry_new_role(action::ec2::RunInstances, || start(cx, job, spec, &image, &attempt)).await?;
        }
        finished(cx, job, spec).await
    }

    /// Nobody knows whether a run that was killed had started the instance, so it is asked for again: EC2
    /// starts one for one token.
    async fn update(&self, cx: &OpCx<'_>, job: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        self.create(cx, job, spec).await
    }

    async fn delete(&self, cx: &OpCx<'_>, job: &str) -> OpResult<()> {
        self.stop(cx, job).await?;
        match bucket(cx) {
            Some(bucket) => empty::empty(cx, bucket, &format!("{}/{job}/", Instance::OUTPUT)).await,
            None => Ok(()),
        }
    }

    async fn adopt(&self, _: &OpCx<'_>, _: &str) -> OpResult<()> {
        Ok(()) // what does not say whose it is goes with its bucket, which is ours then
    }

    /// When an instance has copied its data, nobody is told.
    async fn reading(&self, cx: &OpCx<'_>, uri: &str) -> OpResult<Vec<String>> {
        let found = try_join_all(living(cx).await?.into_keys().map(async |job| {
            let observed = ObservedJob::at(cx, &job).await?;
            let is_at_work = observed.status().phase == Phase::Busy;
            let reads = observed.content().is_none_or(|record| record.reads(uri));
            OpResult::Ok((is_at_work && reads).then_some(job))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn stop(&self, cx: &OpCx<'_>, job: &str) -> OpResult<()> {
        // One that was started a moment ago may not show yet; it must not outlive its job.
        let lag = cx.pace.lag();
        let shown = cx.wait("instance visible", EVERY, lag * 2, || async {
            let observed = ObservedJob::at(cx, job).await?;
            let may_show =
                observed.instance.is_none() && observed.outcome.is_none() && observed.is_younger_than(lag);
            Ok(if may_show {
                Probe::Pending("not visible yet".into())
            } else {
                Probe::Ready(observed.instance)
            })
        });
        if let Some(id) = shown.await?.filter(is_living).and_then(|i| i.instance_id) {
            let call = cx.aws.ec2.terminate_instances().instance_ids(&id);
            call.send().await.op(action::ec2::TerminateInstances).ignore_not_found()?;
            let limit = Duration::from_secs(600);
            cx.wait("instance terminated", EVERY, limit, || async {
                Ok(match instances(cx, "instance-id", &id).await?.into_iter().find(is_living) {
                    Some(instance) => Probe::Pending(state(&instance).as_str().to_owned()),
                    None => Probe::Ready(()),
                })
            })
            .await?;
        }
        Ok(())
    }
}

fn bucket<'a>(cx: &'a OpCx<'_>) -> Option<&'a str> {
    cx.context.wanted(KindName::Bucket).next()
}

/// The jobs that have a folder in the bucket, and since when (seconds since 1970).
async fn recorded(cx: &OpCx<'_>) -> OpResult<BTreeMap<String, i64>> {
    let mut begun: BTreeMap<String, i64> = BTreeMap::new();
    let Some(bucket) = bucket(cx) else { return Ok(begun) };
    let root = format!("{}/", Instance::OUTPUT);
    let call = cx.aws.s3.list_objects_v2().bucket(bucket).prefix(format!("{root}{}", cx.scope.prefix()));
    let mut pages = call.into_paginator().send();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op(action::s3::ListBucket).found()? else { break };
        for object in page.contents() {
            let job = object.key().and_then(|key| key.strip_prefix(&root)?.split_once('/'));
            let Some((job, _)) = job else { continue };
            let written = object.last_modified().map_or(0, |time| time.secs());
            let first = begun.entry(job.to_owned()).or_insert(written);
            *first = written.min(*first);
        }
    }
    Ok(begun)
}

/// The jobs whose instance lives, and since when (seconds since 1970).
async fn living(cx: &OpCx<'_>) -> OpResult<BTreeMap<String, i64>> {
    let tags = [(Scope::PROJECT_TAG, &cx.scope.project), (Scope::ENVIRONMENT_TAG, &cx.scope.environment)];
    let filter = |(key, value)| Filter::builder().name(format!("tag:{key}")).values(value).build();
    let found = described(cx, tags.map(filter).into()).await?;
    let job = |instance: &Ec2Instance| {
        let tag = instance.tags().iter().find(|tag| tag.key() == Some(JOB_TAG))?;
        let started = instance.launch_time().map_or(0, |time| time.secs());
        Some((tag.value()?.to_owned(), started))
    };
    Ok(found.iter().filter(|instance| is_living(instance)).filter_map(job).collect())
}

/// A job as EC2 and the bucket have it.
struct ObservedJob {
    /// The one that lives, else the one that the last attempt had, which EC2 shows for an hour after its end.
    instance: Option<Ec2Instance>,
    outcome: Option<Content<Outcome>>,
    /// How old that is by S3's clock.
    ended: Option<Duration>,
    /// What the job was made from, and how old that record is by S3's clock.
    record: Option<(Content<Record>, Option<Duration>)>,
}

impl ObservedJob {
    async fn at(cx: &OpCx<'_>, job: &str) -> OpResult<Self> {
        let outcome = read::<Outcome>(cx, job, Instance::RESULT);
        let record = read::<Record>(cx, job, "job.json");
        let by_job = format!("tag:{JOB_TAG}");
        let tagged = instances(cx, &by_job, job);
        let (mut instances, outcome, record) = futures_util::try_join!(tagged, outcome, record)?;
        let attempt = record.as_ref().and_then(|(record, _)| Some(&record.as_ref().ok()?.attempt));
        let token = attempt.map(|attempt| token(job, attempt));
        // Tags can be taken off, and the instance runs on: its token stays.
        if let (Some(token), None, true) = (&token, &outcome, instances.is_empty()) {
            instances = self::instances(cx, "client-token", token).await?;
        }
        let of_attempt = |i: &&Ec2Instance| token.is_some() && i.client_token() == token.as_deref();
        let instance =
            instances.iter().find(|i| is_living(i)).or_else(|| instances.iter().find(of_attempt)).cloned();
        let (outcome, ended) = outcome.unzip();
        let mut observed = Self { instance, outcome, ended: ended.flatten(), record };
        // It may have written its result and ended between the two looks.
        if observed.outcome.is_none() && observed.instance.as_ref().is_some_and(|i| !is_living(i)) {
            observed.outcome = read::<Outcome>(cx, job, Instance::RESULT).await?.map(|(outcome, _)| outcome);
        }
        Ok(observed)
    }

    /// Whether the last attempt was begun less than `age` ago. A service that does not say what time it is
    /// cannot be asked: then it may have been.
    fn is_younger_than(&self, age: Duration) -> bool {
        self.record.as_ref().is_some_and(|(_, old)| old.is_none_or(|old| old < age))
    }

    fn saved_nothing(&self) -> bool {
        matches!(&self.outcome, Some(Ok(Outcome { missing: Some(_), .. })))
    }

    /// What the record says, if it can be read.
    fn content(&self) -> Option<&Record> {
        self.record.as_ref().and_then(|(record, _)| record.as_ref().ok())
    }

    /// Whose it is: as its record says; those of older versions do not, then as the tags of its instance do.
    /// One that has ended without either is of whoever has the bucket.
    async fn owner(&self, cx: &OpCx<'_>) -> OpResult<Owner> {
        if let Some(owner) = self.content().and_then(|record| record.owner(&cx.scope)) {
            return Ok(owner);
        }
        let tags = self.instance.as_ref().map(Ec2Instance::tags).unwrap_or_default();
        let tags = tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?)));
        match (Owner::of(tags, &cx.scope), bucket(cx)) {
            (Owner::Nobody, Some(bucket)) => match bucket::owner(cx, bucket).await? {
                // The job itself was made by opsctl, wherever it lies.
                Some(Owner::Adopted) => Ok(Owner::Ours),
                owner => Ok(owner.unwrap_or(Owner::Nobody)),
            },
            (owner, _) => Ok(owner),
        }
    }

    /// From the first writing of the record to that of the result.
    fn took(&self) -> Option<Duration> {
        if let Some(seconds) = self.content()?.took_s {
            return Some(Duration::from_secs(seconds));
        }
        let (_, begun) = self.record.as_ref()?;
        let begun = (*begun)?;
        begun.checked_sub(self.ended?)
    }

    /// The result is written last, so it decides; without one, a living instance is still running it.
    fn status(&self) -> Status {
        let failed = |reason: String| Status::new("Failed", Phase::Failed).because(Some(reason));
        match (&self.outcome, &self.instance) {
            (Some(Err(garbled)), _) => failed(garbled.clone()),
            (Some(Ok(Outcome { exit_code: 0, .. })), _) => Status::ready("Completed"),
            (Some(Ok(Outcome { missing: Some(missing), .. })), _) => {
                let entry = self.content().map_or("the script", |record| &record.entry);
                failed(missing.said(entry))
            }
            // As a job of SageMaker is called that was ended.
            (Some(Ok(Outcome { stopped: true, message, .. })), _) => {
                Status::new("Stopped", Phase::Failed).because(Some(message.clone()))
            }
            (Some(Ok(Outcome { exit_code, message, .. })), _) if message.is_empty() => {
                failed(format!("exit code {exit_code}"))
            }
            (Some(Ok(Outcome { message, .. })), _) => failed(message.clone()),
            (None, Some(instance)) if is_living(instance) => {
                Status::new(state(instance).as_str(), Phase::Busy)
            }
            (None, Some(instance)) => {
                let why = instance
                    .state_reason()
                    .and_then(|r| r.message())
                    .map(|m| format!(" ({m})"))
                    .unwrap_or_default();
                failed(format!("the instance is gone and has left no result{why}"))
            }
            (None, None) if let Some((Err(garbled), _)) = &self.record => failed(garbled.clone()),
            (None, None) if self.is_younger_than(YOUNG) => Status::new("NotStarted", Phase::Busy),
            (None, None) => failed("the instance is gone and has left no result".to_owned()),
        }
    }
}

/// Those that a filter finds, those that have ended too.
async fn instances(cx: &OpCx<'_>, filter: &str, value: &str) -> OpResult<Vec<Ec2Instance>> {
    described(cx, vec![Filter::builder().name(filter).values(value).build()]).await
}

async fn described(cx: &OpCx<'_>, filters: Vec<Filter>) -> OpResult<Vec<Ec2Instance>> {
    let mut pages = cx.aws.ec2.describe_instances().set_filters(Some(filters)).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let reservations = page.op(action::ec2::DescribeInstances)?.reservations.unwrap_or_default();
        found.extend(reservations.into_iter().flat_map(|r| r.instances.unwrap_or_default()));
    }
    Ok(found)
}

fn is_living(instance: &Ec2Instance) -> bool {
    state(instance) != InstanceStateName::Terminated
}

fn state(instance: &Ec2Instance) -> InstanceStateName {
    instance.state().and_then(|s| s.name()).cloned().unwrap_or(InstanceStateName::Pending)
}

/// What a file of the job's folder says; or, where others wrote to it or cut it off, what is wrong with it.
type Content<T> = Result<T, String>;

/// A JSON file of the job's folder, and how old it is by S3's clock.
async fn read<T: DeserializeOwned>(
    cx: &OpCx<'_>,
    job: &str,
    file: &str,
) -> OpResult<Option<(Content<T>, Option<Duration>)>> {
    let Some(bucket) = bucket(cx) else { return Ok(None) };
    let answered = AnswerDate::default();
    let key = format!("{}/{job}/{file}", Instance::OUTPUT);
    let call = cx.aws.s3.get_object().bucket(bucket).key(&key);
    let found = whole(|| call.clone().customize().interceptor(answered.clone()).send()).await;
    let Some((object, body)) = found.op(action::s3::GetObject).found()? else { return Ok(None) };
    let age = object.last_modified().and_then(|then| answered.since(then));
    let content = serde_json::from_slice(&body);
    let content = content.map_err(|e| format!("s3://{bucket}/{key} is not what opsctl wrote there: {e}"));
    Ok(Some((content, age)))
}

/// An AMI id as it is, a parameter's name looked up: AWS keeps the newest AMI ids in public parameters.
async fn image(cx: &OpCx<'_>, image: &str) -> OpResult<String> {
    if !image.starts_with('/') {
        return Ok(image.to_owned());
    }
    let found = cx.aws.ssm.get_parameter().name(image).send().await.op(action::ssm::GetParameter)?;
    let value = found.parameter.and_then(|p| p.value);
    value.ok_or_else(|| {
        OpError::new(action::ssm::GetParameter, OpErrorKind::NotFound, format!("{image} has no value"))
    })
}

/// Writes the job's record, and gives the name of this attempt.
async fn begin(cx: &OpCx<'_>, job: &str, spec: &Spec) -> OpResult<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let attempt = fingerprint::suffix(&(job, now.as_nanos().to_string()));
    let made_for = JobScope { project: cx.scope.project.clone(), environment: cx.scope.environment.clone() };
    let record = Record { attempt: attempt.clone(), scope: Some(made_for), ..Record::of(spec) };
    write(cx, job, spec, &record).await?;
    Ok(attempt)
}

async fn write(cx: &OpCx<'_>, job: &str, spec: &Spec, record: &Record) -> OpResult<()> {
    let record = serde_json::to_vec(record).expect("a record is plain data");
    let key = format!("{}/{job}/job.json", Instance::OUTPUT);
    let call = cx.aws.s3.put_object().bucket(&spec.code.bucket).key(key).body(record.into());
    call.send().await.op(action::s3::PutObject).map(drop)
}

/// Notes in the record which archive the job has left, so that another one in its place is seen. That changes
/// when the record was written, so how long the job took is noted, too.
async fn note(cx: &OpCx<'_>, job: &str, spec: &Spec, observed: &ObservedJob) -> OpResult<()> {
    let Some(record) = observed.content() else { return Ok(()) };
    let archive = etag(cx, &model_uri(&spec.code.bucket, Instance::OUTPUT, job)).await?;
    let Some(archive) = archive.filter(|etag| !etag.is_empty()) else { return Ok(()) };
    let took_s = observed.took().map(|took| took.as_secs());
    write(cx, job, spec, &Record { model_etag: Some(archive), took_s, ..record.clone() }).await
}

/// EC2 answers a client token that it knows with the old instance, even when that is terminated: so a new
/// attempt needs a new token, and a repeated one the same.
fn token(job: &str, attempt: &str) -> String {
    fingerprint::suffix(&(job, attempt))
}

async fn start(cx: &OpCx<'_>, job: &str, spec: &Spec, image: &str, attempt: &str) -> OpResult<()> {
    let script = user_data::script(job, spec, &cx.scope.region);
    if script.len() > user_data::LIMIT {
        let message = format!("the user data has {} bytes, EC2 takes {}", script.len(), user_data::LIMIT);
        return Err(OpError::new(action::ec2::RunInstances, OpErrorKind::Invalid, message));
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
        .set_kms_key_id(spec.kms_key.clone())
        .delete_on_termination(true)
        .build();
    let metadata = InstanceMetadataOptionsRequest::builder()
        .http_tokens(HttpTokensState::Required)
        .http_put_response_hop_limit(1)
        .build();
    let started = cx
        .aws
        .ec2
        .run_instances()
        .image_id(image)
        .instance_type(InstanceType::from(spec.instance_type.as_str()))
        .min_count(1)
        .max_count(1)
        .client_token(token(job, attempt))
        .user_data(STANDARD.encode(script))
        .iam_instance_profile(profile(&spec.profile_arn))
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .metadata_options(metadata)
        .set_subnet_id(spec.network.as_ref().and_then(|network| network.subnets.first().cloned()))
        .set_security_group_ids(spec.network.as_ref().map(|network| network.security_groups.clone()))
        .block_device_mappings(BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(disk).build())
        .tag_specifications(tagged(ResourceType::Instance))
        .tag_specifications(tagged(ResourceType::Volume))
        .send()
        .await
        .op(action::ec2::RunInstances);
    match started {
        // It knows the token, from a newer image or another opsctl's program: that one is started.
        Err(error) if error.is("IdempotentParameterMismatch") => Ok(()),
        other => other.map(drop),
    }
}

/// EC2 takes either.
fn profile(named: &str) -> IamInstanceProfileSpecification {
    let profile = IamInstanceProfileSpecification::builder();
    if named.starts_with("arn:") { profile.arn(named).build() } else { profile.name(named).build() }
}

/// Waits for the result. An instance that ends without one has failed.
async fn finished(cx: &OpCx<'_>, job: &str, spec: &Spec) -> OpResult<()> {
    let limit = Duration::from_secs(u64::from(spec.max_runtime_s.unsigned_abs()) + 1800);
    let metrics = Metrics::of(&spec.metrics, &spec.hyperparameters);
    let log = Mutex::new(PartedLog::new(Instance::log(job)));
    let ended = cx.wait("EC2 training finished", EVERY, limit, || async {
        let observed = ObservedJob::at(cx, job).await?;
        // In this order: what was written before the end is read after it.
        let lines = log.lock().await.more(cx, &spec.code.bucket).await?;
        lines.lines().for_each(|line| metrics.tell(cx, line));
        if observed.instance.is_none() && observed.outcome.is_none() {
            return Ok(Probe::Absent);
        }
        let status = observed.status();
        Ok(match status.phase {
            Phase::Ready | Phase::Stopped => Probe::Ready(observed),
            Phase::Busy => Probe::Pending(status.word),
            Phase::Failed if observed.saved_nothing() => {
                let why = status.cause().unwrap_or(status.word);
                return Err(OpError::ended(OpErrorKind::SavedNothing, why));
            }
            Phase::Failed | Phase::Leaving => Probe::Failed { status: status.word, reason: status.reason },
        })
    });
    let ended = ended.await?;
    // If it cannot be noted, it is as of a job that ended while nobody looked.
    if let Err(error) = note(cx, job, spec, &ended).await {
        tracing::debug!(%error, "the archive of a job is not noted");
    }
    Ok(())
}
