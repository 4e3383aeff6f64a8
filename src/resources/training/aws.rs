use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_sagemaker::operation::describe_training_job::DescribeTrainingJobOutput;
use aws_sdk_sagemaker::types::{
    AlgorithmSpecification, Channel, CheckpointConfig, DataSource, MetricData, MetricDefinition,
    OutputDataConfig, ResourceConfig, S3DataDistribution, S3DataSource, S3DataType, StoppingCondition, Tag,
    TrainingInputMode, TrainingInstanceType, TrainingJobStatus,
};

use super::hyperparameter::{PROGRAM, SUBMIT_DIRECTORY, TOOLKIT};
use super::job::{self, Access, model_key};
use super::logs::Follower;
use super::metrics::Metrics;
use super::reading;
use super::source;
use super::spec::{Spec, State, Training};
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::config::Network;
use crate::desired::Seen;
use crate::domain::{FieldChange, Phase, Status, Tags, action};
use crate::engine::{Driver, Found, OpCx, Probe, make};
use crate::resources::data::{Distribution, InputMode};
use crate::resources::encryption;
use crate::resources::objects::{bare, etag, is_replaced};
use crate::resources::sagemaker::{self, list_owned};

impl Driver for Training {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        Ok(list_owned!(
            cx,
            list_training_jobs,
            action::sagemaker::ListTrainingJobs,
            training_job_summaries,
            training_job_name
        ))
    }

    async fn observe(&self, cx: &OpCx<'_>, job: &str) -> OpResult<Option<Seen<State>>> {
        let arn = format!("training-job/{job}");
        let Some((found, tags)) = sagemaker::with_tags(cx, &arn, describe(cx, job)).await? else {
            return Ok(None);
        };
        let (output, replaced) = archive(cx, &found, &tags).await?;
        let (algorithm, resources) = (found.algorithm_specification(), found.resource_config());
        let mut hyperparameters: BTreeMap<String, String> =
            found.hyper_parameters().map(|map| map.clone().into_iter().collect()).unwrap_or_default();
        let entry = hyperparameters.get(PROGRAM).cloned().unwrap_or_default();
        let code = hyperparameters.get(SUBMIT_DIRECTORY).cloned().unwrap_or_default();
        hyperparameters.retain(|key, _| !TOOLKIT.contains(&key.as_str()));
        let channels: Vec<(&str, Access)> =
            found.input_data_config().iter().filter_map(|c| Some((c.channel_name()?, access(c)))).collect();
        let metric = |m: &MetricDefinition| Some((m.name()?.to_owned(), m.regex()?.to_owned()));
        let saved_nothing = !output && sagemaker::tag(&tags, Training::SAVED_NOTHING_TAG).is_some();
        let status = status(&found);
        let status = match (output, saved_nothing) {
            (true, _) if replaced => status.because(Some(job::REPLACED.into())),
            (true, _) => status,
            (false, true) => {
                Status::new(status.word, Phase::Failed).because(Some(job::saved_nothing(&entry)))
            }
            (false, false) => status.because(Some("its model.tar.gz is not in the bucket".into())),
        };
        let state = State {
            image: algorithm.and_then(|a| a.training_image()).unwrap_or_default().to_owned(),
            instance_type: resources.and_then(|r| r.instance_type()).map_or("", |t| t.as_str()).to_owned(),
            instance_count: resources.and_then(|r| r.instance_count()).unwrap_or_default(),
            volume_gb: resources.and_then(|r| r.volume_size_in_gb()).unwrap_or_default(),
            role_arn: found.role_arn().unwrap_or_default().to_owned(),
            code: digest_of(&code).into(),
            entry,
            data: digests(&tags),
            access: job::access(channels.iter().map(|(name, access)| (*name, access))),
            hyperparameters,
            metrics: algorithm
                .map(|a| a.metric_definitions().iter().filter_map(metric).collect())
                .unwrap_or_default(),
            environment: found.environment().map(|e| e.clone().into_iter().collect()).unwrap_or_default(),
            max_runtime_s: found
                .stopping_condition()
                .and_then(|s| s.max_runtime_in_seconds())
                .unwrap_or_default(),
            spot: found.enable_managed_spot_training().unwrap_or_default(),
            checkpoints: found.checkpoint_config().is_some(),
            network: found
                .vpc_config()
                .and_then(|vpc| Network::found(vpc.subnets(), vpc.security_group_ids())),
            isolated: found.enable_network_isolation().unwrap_or_default(),
            kms_key: encryption::found(found.output_data_config().and_then(|o| o.kms_key_id())),
            volume_key: encryption::found(resources.and_then(|r| r.volume_kms_key_id())),
            output,
            saved_nothing,
            replaced,
            took_s: took(&found),
            measured: measured(&found),
        };
        Ok(Some(sagemaker::seen(cx, &tags, status, state)))
    }

    async fn create(&self, cx: &OpCx<'_>, job: &str, spec: &Spec) -> OpResult<()> {
        if let Some(code) = &spec.code {
            source::upload(cx, code).await?;
        }
        let action = action::sagemaker::CreateTrainingJob;
        make(self, cx, job, action, || cx.retry_new_role(action, || start(cx, job, spec))).await?;
        finished(cx, job, spec).await
    }

    async fn update(&self, cx: &OpCx<'_>, job: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        // A job never changes: what there is to do is to wait for it.
        finished(cx, job, spec).await
    }

    async fn delete(&self, cx: &OpCx<'_>, job: &str) -> OpResult<()> {
        let Some(found) = describe(cx, job).await? else { return Ok(()) };
        if status(&found).phase == Phase::Leaving {
            return Ok(());
        }
        halt(cx, job, &found).await?;
        sagemaker::delete_streams(cx, Training::LOG_GROUP, &format!("{job}/")).await?;
        let delete = cx.aws.sagemaker.delete_training_job().training_job_name(job).send().await;
        match delete.op(action::sagemaker::DeleteTrainingJob) {
            // Where jobs cannot be deleted (the call is new), their records stay forever, and cost nothing:
            // then this one is at least no longer ours.
            Err(error) if error.kind == OpErrorKind::NotOffered => {
                sagemaker::remove_ownership_tags(cx, &format!("training-job/{job}")).await
            }
            other => other.ignore_not_found(),
        }
    }

    async fn adopt(&self, cx: &OpCx<'_>, job: &str) -> OpResult<()> {
        sagemaker::adopt(cx, &format!("training-job/{job}")).await
    }

    async fn retag(&self, cx: &OpCx<'_>, job: &str, gone: Vec<String>, put: Tags) -> OpResult<()> {
        sagemaker::retag(cx, &format!("training-job/{job}"), gone, put).await
    }

    async fn reading(&self, cx: &OpCx<'_>, uri: &str) -> OpResult<Vec<String>> {
        reading::reading(cx, uri).await
    }

    async fn stop(&self, cx: &OpCx<'_>, job: &str) -> OpResult<()> {
        match describe(cx, job).await? {
            Some(found) => halt(cx, job, &found).await,
            None => Ok(()),
        }
    }
}

/// Stops a job that has not ended, and waits for its end.
async fn halt(cx: &OpCx<'_>, job: &str, found: &DescribeTrainingJobOutput) -> OpResult<()> {
    let ended = |found: &DescribeTrainingJobOutput| status(found).phase != Phase::Busy;
    if ended(found) {
        return Ok(());
    }
    let stop = cx.aws.sagemaker.stop_training_job().training_job_name(job).send().await;
    match stop.op(action::sagemaker::StopTrainingJob) {
        // "rejected because the training job is in status Completed": it ended by itself meanwhile.
        Err(error) if error.kind == OpErrorKind::Invalid => {}
        other => other.ignore_not_found()?,
    }
    let minutes = Duration::from_secs(20 * 60);
    cx.wait("training job stopped", Duration::from_secs(15), minutes, || async {
        Ok(match describe(cx, job).await? {
            Some(found) if !ended(&found) => Probe::Pending(status(&found).word),
            _ => Probe::Ready(()),
        })
    })
    .await
}

async fn describe(cx: &OpCx<'_>, job: &str) -> OpResult<Option<DescribeTrainingJobOutput>> {
    let call = cx.aws.sagemaker.describe_training_job().training_job_name(job);
    call.send().await.op(action::sagemaker::DescribeTrainingJob).found()
}

/// How a channel brings its files, as AWS answers.
fn access(channel: &Channel) -> Access {
    let source = channel.data_source().and_then(|source| source.s3_data_source());
    let sharded = Some(&S3DataDistribution::ShardedByS3Key);
    Access {
        content_type: channel.content_type().filter(|text| !text.is_empty()).map(str::to_owned),
        input_mode: match channel.input_mode() {
            Some(TrainingInputMode::Pipe) => InputMode::Pipe,
            Some(TrainingInputMode::Fastfile) => InputMode::FastFile,
            _ => InputMode::File,
        },
        distribution: match source.and_then(|s| s.s3_data_distribution_type()) == sharded {
            true => Distribution::Sharded,
            false => Distribution::Replicated,
        },
    }
}

/// How long a job that completed took, with everything that came before the script.
fn took(found: &DescribeTrainingJobOutput) -> Option<u64> {
    let (begun, ended) = (found.creation_time()?.secs(), found.training_end_time()?.secs());
    let completed = found.training_job_status() == Some(&TrainingJobStatus::Completed);
    u64::try_from(ended - begun).ok().filter(|_| completed)
}

fn measured(found: &DescribeTrainingJobOutput) -> BTreeMap<String, f64> {
    // As it is written: 0.981 is no float of 32 bits.
    let metric = |m: &MetricData| Some((m.metric_name()?.to_owned(), m.value()?.to_string().parse().ok()?));
    found.final_metric_data_list().iter().filter_map(metric).collect()
}

/// Where the job's archive is said to be. The SDK reads "nowhere" as an empty text.
fn artifacts(found: &DescribeTrainingJobOutput) -> Option<&str> {
    found.model_artifacts().and_then(|m| m.s3_model_artifacts()).filter(|uri| !uri.is_empty())
}

/// `Stopped` is an end too, but not the wanted one: a time limit, a spot wait, a person
/// (docs/aws/sagemaker-training.md#states).
fn status(found: &DescribeTrainingJobOutput) -> Status {
    let word = found.training_job_status().map_or("Unknown", |s| s.as_str());
    let secondary = found.secondary_status().map(|s| s.as_str().to_owned());
    let (phase, reason) = match found.training_job_status() {
        Some(TrainingJobStatus::Completed) => (Phase::Ready, None),
        Some(TrainingJobStatus::Failed) => (Phase::Failed, found.failure_reason().map(str::to_owned)),
        Some(TrainingJobStatus::Stopped) => (Phase::Failed, secondary),
        Some(TrainingJobStatus::Deleting) => (Phase::Leaving, None),
        _ => (Phase::Busy, secondary),
    };
    Status::new(word, phase).because(reason)
}

/// Whether the archive of a job that has ended is there, and whether it is another one than it has left.
async fn archive(cx: &OpCx<'_>, found: &DescribeTrainingJobOutput, tags: &[Tag]) -> OpResult<(bool, bool)> {
    Ok(match artifacts(found) {
        _ if status(found).phase != Phase::Ready => (true, false),
        Some(uri) => {
            let noted = sagemaker::tag(tags, Training::MODEL_TAG);
            let there = etag(cx, uri).await?;
            (there.is_some(), is_replaced(noted, there.as_deref()))
        }
        None => (false, false), // it completed, and saved nothing
    })
}

/// Of the data sets that it read, by their channels.
fn digests(tags: &[Tag]) -> BTreeMap<String, String> {
    let data = tags.iter().filter_map(|t| Some((t.key()?.strip_prefix(Training::DATA_TAG)?, t.value()?)));
    data.map(|(name, digest)| (name.to_owned(), digest.to_owned())).collect()
}

/// That of `code/<project>-<environment>-<digest>/sourcedir.tar.gz`.
fn digest_of(code: &str) -> &str {
    code.rsplit('/').nth(1).and_then(|code| code.rsplit('-').next()).unwrap_or_default()
}

fn channel(channel: &job::Channel) -> Channel {
    let source = S3DataSource::builder()
        .s3_data_type(S3DataType::S3Prefix)
        .s3_data_distribution_type(channel.access.distribution.word().into())
        .s3_uri(&channel.uri)
        .build();
    let source = DataSource::builder().s3_data_source(source).build();
    let access = &channel.access;
    let mode = (access.input_mode != InputMode::File).then(|| access.input_mode.word().into());
    Channel::builder()
        .channel_name(&channel.name)
        .data_source(source)
        .set_content_type(access.content_type.clone())
        .set_input_mode(mode)
        .build()
}

/// The user's, and those that the container's toolkit is told by.
fn sent_hyperparameters(cx: &OpCx<'_>, spec: &Spec) -> HashMap<String, String> {
    let toolkit = spec.code.iter().flat_map(|code| {
        let values = [code.entry.clone(), code.uri(), cx.scope.region.clone(), "20".to_owned()];
        TOOLKIT.into_iter().map(str::to_owned).zip(values)
    });
    spec.hyperparameters.clone().into_iter().chain(toolkit).collect()
}

async fn start(cx: &OpCx<'_>, job: &str, spec: &Spec) -> OpResult<()> {
    let metrics =
        spec.metrics.iter().map(|(name, regex)| MetricDefinition::builder().name(name).regex(regex).build());
    let algorithm = AlgorithmSpecification::builder()
        .training_image(&spec.image)
        .training_input_mode(TrainingInputMode::File)
        .set_metric_definitions((!spec.metrics.is_empty()).then(|| metrics.collect()))
        .build();
    let channels: Vec<Channel> = spec.channels.iter().map(channel).collect();
    let resources = ResourceConfig::builder()
        .instance_type(TrainingInstanceType::from(spec.instance_type.as_str()))
        .instance_count(spec.instance_count)
        .volume_size_in_gb(spec.volume_gb)
        .set_volume_kms_key_id(spec.volume_key().map(str::to_owned))
        .build();
    let output = OutputDataConfig::builder().s3_output_path(&spec.output);
    let output = output.set_kms_key_id(spec.kms_key.clone()).build();
    let limits = StoppingCondition::builder()
        .max_runtime_in_seconds(spec.max_runtime_s)
        .set_max_wait_time_in_seconds(spec.max_wait_s)
        .build();
    let hyperparameters = sent_hyperparameters(cx, spec);
    let data = spec.channels.iter().map(|c| (format!("{}{}", Training::DATA_TAG, c.name), c.digest.as_str()));
    let checkpoints = spec.checkpoints_of(job).map(|uri| CheckpointConfig::builder().s3_uri(uri).build());
    let environment: HashMap<_, _> = spec.environment.clone().into_iter().collect();
    cx.aws
        .sagemaker
        .create_training_job()
        .training_job_name(job)
        .role_arn(&spec.role_arn)
        .algorithm_specification(algorithm)
        .set_input_data_config((!channels.is_empty()).then_some(channels))
        .output_data_config(output)
        .resource_config(resources)
        .stopping_condition(limits)
        .set_hyper_parameters(Some(hyperparameters))
        .set_environment((!environment.is_empty()).then_some(environment))
        .enable_managed_spot_training(spec.max_wait_s.is_some())
        .set_checkpoint_config(checkpoints)
        .set_vpc_config(spec.network.as_ref().map(sagemaker::vpc))
        .set_enable_network_isolation(spec.isolated.then_some(true))
        .set_tags(sagemaker::tags(cx, data))
        .send()
        .await
        .op(action::sagemaker::CreateTrainingJob)
        .map(drop)
}

/// Waits for the end of the job and shows its log meanwhile.
async fn finished(cx: &OpCx<'_>, job: &str, spec: &Spec) -> OpResult<()> {
    let log = Follower::new(Metrics::of(&spec.metrics, &spec.hyperparameters));
    let longest = spec.max_wait_s.unwrap_or(spec.max_runtime_s).unsigned_abs();
    // Provisioning and upload come on top of what the script may take.
    let limit = Duration::from_secs(u64::from(longest) + 3600);
    let job_ended = cx.wait("training job completed", Duration::from_secs(30), limit, || async {
        let found = describe(cx, job).await?;
        log.follow(cx, job).await?;
        let Some(found) = found else { return Ok(Probe::Absent) };
        let status = status(&found);
        Ok(match status.phase {
            Phase::Ready | Phase::Stopped => Probe::Ready(found),
            Phase::Busy => Probe::Pending(status.reason.unwrap_or(status.word)),
            Phase::Failed | Phase::Leaving => Probe::Failed { status: status.word, reason: status.reason },
        })
    });
    saved(cx, job, spec, &job_ended.await?).await
}

/// SageMaker completes a job that saved nothing, too. Then its script has failed, and this is the place to
/// say so, not the model that needs it.
async fn saved(cx: &OpCx<'_>, job: &str, spec: &Spec, found: &DescribeTrainingJobOutput) -> OpResult<()> {
    let key = model_key(Training::OUTPUT, job);
    // Emulators, whose containers are played by somebody else, may complete a job before its archive is
    // there.
    let patience = if artifacts(found).is_some() { Duration::from_secs(10) } else { Duration::ZERO };
    let absent = |kind: &OpErrorKind| *kind == OpErrorKind::NotFound;
    let looked = cx.retry(action::s3::GetObject, patience, absent, || async {
        cx.aws
            .s3
            .head_object()
            .bucket(spec.bucket())
            .key(&key)
            .send()
            .await
            .op(action::s3::GetObject)
            .map(|head| bare(head.e_tag()))
    });
    let resource = format!("training-job/{job}");
    match looked.await {
        Err(error) if error.kind == OpErrorKind::NotFound => {
            // Later nobody could tell it from one whose archive was deleted. If it cannot be noted, it is
            // trained once more, so that is no second failure.
            if let Err(error) = sagemaker::note(cx, &resource, Training::SAVED_NOTHING_TAG, "true").await {
                tracing::debug!(%error, "a job that saved nothing is not marked");
            }
            let message = job::saved_nothing(spec.code.as_ref().map_or("the job", |code| &code.entry));
            Err(OpError::ended(OpErrorKind::SavedNothing, message))
        }
        Ok(etag) if etag.is_empty() => Ok(()),
        Ok(etag) => {
            // If it cannot be noted, it is as of a job that ended while nobody looked.
            if let Err(error) = sagemaker::note(cx, &resource, Training::MODEL_TAG, &etag).await {
                tracing::debug!(%error, "the archive of a job is not noted");
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}
