use std::time::Duration;

use aws_sdk_sagemaker::operation::describe_notebook_instance::DescribeNotebookInstanceOutput;
use aws_sdk_sagemaker::types::{
    InstanceMetadataServiceConfiguration, InstanceType, NotebookInstanceLifecycleHook, NotebookInstanceStatus,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::spec::{Notebook, Seen, Spec};
use crate::domain::{FieldChange, Phase, Status};
use crate::engine::{Driver, Expected, Found, OpCx, OpResult, Outcomes, Probe};
use crate::resources::sagemaker::{self, list_owned};

/// AWS's own waiter looks every 30 s for half an hour (aws-facts §1.3).
const EVERY: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(1800);
/// The log group of all notebooks; streams are `<notebook>/<hook>`.
const LOG_GROUP: &str = "/aws/sagemaker/NotebookInstances";

impl Driver for Notebook {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let action = list_owned!(
            cx,
            list_notebook_instances,
            "sagemaker:ListNotebookInstances",
            notebook_instances,
            notebook_instance_name
        );
        Ok(action)
    }

    async fn observe(&self, cx: &OpCx<'_>, notebook: &str) -> OpResult<Option<Seen>> {
        let arn = format!("notebook-instance/{notebook}");
        let script = async {
            let call = cx.aws.sagemaker.describe_notebook_instance_lifecycle_config();
            let call = call.notebook_instance_lifecycle_config_name(notebook);
            call.send().await.op("sagemaker:DescribeNotebookInstanceLifecycleConfig").found()
        };
        let described = sagemaker::with_tags(cx, &arn, describe(cx, notebook));
        let (found, script) = futures_util::try_join!(described, script)?;
        let Some((found, tags)) = found else { return Ok(None) };
        let on_start = script.and_then(|s| s.on_start?.into_iter().next()?.content);
        Ok(Some(Seen {
            owner: sagemaker::owner(cx, &tags),
            status: status(&found),
            role_arn: found.role_arn().unwrap_or_default().to_owned(),
            instance_type: found.instance_type().map_or("", |t| t.as_str()).to_owned(),
            volume_gb: found.volume_size_in_gb().unwrap_or(5),
            platform: found.platform_identifier().map(str::to_owned),
            metadata_version: found
                .instance_metadata_service_configuration()
                .and_then(|m| m.minimum_instance_metadata_service_version())
                .map(str::to_owned),
            on_start: on_start.and_then(|text| String::from_utf8(STANDARD.decode(text).ok()?).ok()),
        }))
    }

    async fn create(&self, cx: &OpCx<'_>, notebook: &str, spec: &Spec) -> OpResult<()> {
        put_script(cx, notebook, spec).await?;
        cx.retry_new_role("sagemaker:CreateNotebookInstance", || async {
            let call = cx
                .aws
                .sagemaker
                .create_notebook_instance()
                .notebook_instance_name(notebook)
                .instance_type(InstanceType::from(spec.instance_type.as_str()))
                .role_arn(&spec.role_arn)
                .volume_size_in_gb(spec.volume_gb)
                .platform_identifier(&spec.platform)
                .lifecycle_config_name(notebook)
                .instance_metadata_service_configuration(metadata())
                .set_tags(sagemaker::tags(cx, []));
            call.send().await.op("sagemaker:CreateNotebookInstance").there()
        })
        .await?;
        until(cx, notebook, "notebook in service", &[NotebookInstanceStatus::InService]).await
    }

    /// Only a stopped notebook can be changed; afterwards it is as it was, running or stopped.
    async fn update(&self, cx: &OpCx<'_>, notebook: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        let settled = [NotebookInstanceStatus::InService, NotebookInstanceStatus::Stopped];
        until(cx, notebook, "notebook settled", &settled).await?;
        put_script(cx, notebook, spec).await?;
        let Some(seen) = self.observe(cx, notebook).await? else { return Ok(()) };
        if <Self as crate::resources::Kind>::diff(spec, &seen).is_empty() {
            return Ok(()); // only the script differed; it runs at the next start
        }
        let running = seen.status.phase == Phase::Ready;
        if running {
            stop(cx, notebook).await?;
        }
        cx.retry_new_role("sagemaker:UpdateNotebookInstance", || async {
            let call = cx
                .aws
                .sagemaker
                .update_notebook_instance()
                .notebook_instance_name(notebook)
                .instance_type(InstanceType::from(spec.instance_type.as_str()))
                .role_arn(&spec.role_arn)
                .volume_size_in_gb(spec.volume_gb)
                .platform_identifier(&spec.platform)
                .lifecycle_config_name(notebook)
                .instance_metadata_service_configuration(metadata());
            call.send().await.op("sagemaker:UpdateNotebookInstance").map(drop)
        })
        .await?;
        until(cx, notebook, "notebook updated", &[NotebookInstanceStatus::Stopped]).await?;
        if running { start(cx, notebook).await } else { Ok(()) }
    }

    async fn delete(&self, cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
        if let Some(found) = describe(cx, notebook).await? {
            let deletable = [NotebookInstanceStatus::Stopped, NotebookInstanceStatus::Failed];
            if !found.notebook_instance_status().is_some_and(|s| deletable.contains(s)) {
                let running = [NotebookInstanceStatus::InService, NotebookInstanceStatus::Stopped];
                until(cx, notebook, "notebook settled", &running).await?;
                stop(cx, notebook).await?;
            }
            let call = cx.aws.sagemaker.delete_notebook_instance().notebook_instance_name(notebook);
            call.send().await.op("sagemaker:DeleteNotebookInstance").gone()?;
            cx.wait("notebook deleted", EVERY, LIMIT, || async {
                Ok(match describe(cx, notebook).await? {
                    None => Probe::Ready(()),
                    Some(found) => Probe::Pending(status(&found).word),
                })
            })
            .await?;
        }
        let call = cx.aws.sagemaker.delete_notebook_instance_lifecycle_config();
        let call = call.notebook_instance_lifecycle_config_name(notebook);
        call.send().await.op("sagemaker:DeleteNotebookInstanceLifecycleConfig").gone()?;
        sagemaker::delete_streams(cx, LOG_GROUP, &format!("{notebook}/")).await
    }

    async fn adopt(&self, cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
        sagemaker::adopt(cx, &format!("notebook-instance/{notebook}")).await
    }
}

/// Stops the notebook, unless it is stopped, and waits for it.
pub async fn stop(cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
    let stopped = describe(cx, notebook).await?.is_some_and(|n| status(&n).phase == Phase::Stopped);
    if !stopped {
        let call = cx.aws.sagemaker.stop_notebook_instance().notebook_instance_name(notebook);
        call.send().await.op("sagemaker:StopNotebookInstance")?;
    }
    until(cx, notebook, "notebook stopped", &[NotebookInstanceStatus::Stopped]).await
}

/// Starts the notebook, unless it runs, and waits for it.
pub async fn start(cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
    let runs = describe(cx, notebook).await?.is_some_and(|n| status(&n).phase == Phase::Ready);
    if !runs {
        let call = cx.aws.sagemaker.start_notebook_instance().notebook_instance_name(notebook);
        call.send().await.op("sagemaker:StartNotebookInstance")?;
    }
    until(cx, notebook, "notebook in service", &[NotebookInstanceStatus::InService]).await
}

/// A link that opens the notebook, valid for five minutes.
pub async fn url(cx: &OpCx<'_>, notebook: &str) -> OpResult<String> {
    let call = cx.aws.sagemaker.create_presigned_notebook_instance_url().notebook_instance_name(notebook);
    let answer = call.send().await.op("sagemaker:CreatePresignedNotebookInstanceUrl")?;
    Ok(answer.authorized_url.unwrap_or_default())
}

async fn describe(cx: &OpCx<'_>, notebook: &str) -> OpResult<Option<DescribeNotebookInstanceOutput>> {
    let call = cx.aws.sagemaker.describe_notebook_instance().notebook_instance_name(notebook);
    call.send().await.op("sagemaker:DescribeNotebookInstance").found()
}

fn status(found: &DescribeNotebookInstanceOutput) -> Status {
    let word = found.notebook_instance_status().map_or("Unknown", |s| s.as_str());
    let phase = match found.notebook_instance_status() {
        Some(NotebookInstanceStatus::InService) => Phase::Ready,
        Some(NotebookInstanceStatus::Stopped) => Phase::Stopped,
        Some(NotebookInstanceStatus::Failed) => Phase::Failed,
        _ => Phase::Busy,
    };
    Status::new(word, phase).because(found.failure_reason().map(str::to_owned))
}

async fn until(cx: &OpCx<'_>, notebook: &str, what: &'static str, wanted: &[NotebookInstanceStatus]) -> OpResult<()> {
    cx.wait(what, EVERY, LIMIT, || async {
        let Some(found) = describe(cx, notebook).await? else {
            return Ok(Probe::Pending("not visible yet".into()));
        };
        let now = status(&found);
        Ok(match found.notebook_instance_status() {
            Some(status) if wanted.contains(status) => Probe::Ready(()),
            Some(NotebookInstanceStatus::Failed) => Probe::Failed { status: now.word, reason: now.reason },
            _ => Probe::Pending(now.word),
        })
    })
    .await
}

fn metadata() -> InstanceMetadataServiceConfiguration {
    InstanceMetadataServiceConfiguration::builder().minimum_instance_metadata_service_version("2").build()
}

/// Makes or updates the lifecycle configuration of the same name. It has no tags; it goes with the notebook.
async fn put_script(cx: &OpCx<'_>, notebook: &str, spec: &Spec) -> OpResult<()> {
    let sagemaker = &cx.aws.sagemaker;
    let hook = || NotebookInstanceLifecycleHook::builder().content(STANDARD.encode(&spec.on_start)).build();
    let call = sagemaker.describe_notebook_instance_lifecycle_config().notebook_instance_lifecycle_config_name(notebook);
    if call.send().await.op("sagemaker:DescribeNotebookInstanceLifecycleConfig").found()?.is_none() {
        let call = sagemaker.create_notebook_instance_lifecycle_config();
        let call = call.notebook_instance_lifecycle_config_name(notebook).on_start(hook());
        return call.send().await.op("sagemaker:CreateNotebookInstanceLifecycleConfig").there();
    }
    let call = sagemaker.update_notebook_instance_lifecycle_config();
    let call = call.notebook_instance_lifecycle_config_name(notebook).on_start(hook());
    call.send().await.op("sagemaker:UpdateNotebookInstanceLifecycleConfig").map(drop)
}
