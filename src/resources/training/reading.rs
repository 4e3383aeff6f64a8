//! Which jobs have not read their data yet.

use aws_sdk_sagemaker::operation::describe_training_job::DescribeTrainingJobOutput;
use aws_sdk_sagemaker::types::{Channel, SecondaryStatus, TrainingInputMode, TrainingJobStatus};
use futures_util::future::try_join_all;

use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::domain::action;
use crate::engine::{Found, OpCx};
use crate::resources::sagemaker::list_pages;

/// A job with files is done when its script runs; one that AWS may interrupt reads all of it again.
/// <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html>
pub(super) async fn reading(cx: &OpCx<'_>, uri: &str) -> OpResult<Vec<String>> {
    let prefix = cx.scope.prefix();
    let call = cx.aws.sagemaker.list_training_jobs().status_equals(TrainingJobStatus::InProgress);
    let jobs: Vec<Found> = list_pages!(
        call.name_contains(prefix.trim_end_matches('-')),
        action::sagemaker::ListTrainingJobs,
        training_job_summaries,
        training_job_name,
        |name| cx.may_be_ours(name)
    );
    let found = try_join_all(jobs.into_iter().map(async |job| {
        let call = cx.aws.sagemaker.describe_training_job().training_job_name(&job.physical);
        let found = call.send().await.op(action::sagemaker::DescribeTrainingJob).found()?;
        OpResult::Ok(found.is_some_and(|found| may_read(&found, uri)).then_some(job.physical))
    }));
    Ok(found.await?.into_iter().flatten().collect())
}

fn may_read(job: &DescribeTrainingJobOutput, uri: &str) -> bool {
    let runs = matches!(job.secondary_status(), Some(SecondaryStatus::Training | SecondaryStatus::Uploading));
    let starts_again = job.enable_managed_spot_training().unwrap_or_default();
    let usual = job.algorithm_specification().and_then(|algorithm| algorithm.training_input_mode());
    let is_open = |channel: &&Channel| {
        let mode = channel.input_mode().or(usual).unwrap_or(&TrainingInputMode::File);
        !runs || starts_again || *mode != TrainingInputMode::File
    };
    let is_below = |channel: &Channel| {
        let source = channel.data_source().and_then(|source| source.s3_data_source());
        source.and_then(|source| source.s3_uri()).is_some_and(|source| source.starts_with(uri))
    };
    job.input_data_config().iter().filter(is_open).any(is_below)
}
