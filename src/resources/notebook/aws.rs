use std::time::Duration;

use aws_sdk_sagemaker::operation::describe_notebook_instance::DescribeNotebookInstanceOutput;
use aws_sdk_sagemaker::operation::describe_notebook_instance_lifecycle_config::DescribeNotebookInstanceLifecycleConfigOutput;
use aws_sdk_sagemaker::types::{
    InstanceMetadataServiceConfiguration, InstanceType, NotebookInstanceLifecycleHook, NotebookInstanceStatus,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::spec::{self, Notebook, Spec, State};
use crate::aws::{OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::config::Network;
use crate::desired::{Kind, Seen};
use crate::domain::{FieldChange, KindName, Phase, Status, Tags, action};
use crate::engine::{Driver, Found, OpCx, Probe, make};
use crate::resources::encryption;
use crate::resources::sagemaker::{self, list_of, list_owned};

/// AWS's own waiter looks every 30 s for half an hour (docs/aws/errors-and-retries.md#waiters).
const EVERY: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(1800);
/// What has the tags of a notebook: both have its name.
const OF_TAGS: [&str; 2] = ["notebook-instance", "notebook-instance-lifecycle-config"];
/// The tag on a notebook that ran before an update stopped it, until it runs again.
const RESTART: &str = "opsctl:restart";

impl Driver for Notebook {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let notebooks = async {
            Ok(list_owned!(
                cx,
                list_notebook_instances,
                action::sagemaker::ListNotebookInstances,
                notebook_instances,
                notebook_instance_name
            ))
        };
        // What a delete that was killed before its end has left, or one by hand.
        let scripts = async {
            Ok(list_owned!(
                cx,
                list_notebook_instance_lifecycle_configs,
                action::sagemaker::ListNotebookInstanceLifecycleConfigs,
                notebook_instance_lifecycle_configs,
                notebook_instance_lifecycle_config_name
            ))
        };
        let tagged = sagemaker::tagged(cx, KindName::Notebook, &OF_TAGS);
        let (mut found, mut scripts, tagged) = futures_util::try_join!(notebooks, scripts, tagged)?;
        if !tagged.is_empty() {
            found.extend(list_of!(
                cx,
                list_notebook_instances,
                action::sagemaker::ListNotebookInstances,
                notebook_instances,
                notebook_instance_name,
                |name: &str| sagemaker::is_left(cx, KindName::Notebook, &tagged, name)
            ));
            scripts.extend(list_of!(
                cx,
                list_notebook_instance_lifecycle_configs,
                action::sagemaker::ListNotebookInstanceLifecycleConfigs,
                notebook_instance_lifecycle_configs,
                notebook_instance_lifecycle_config_name,
                |name: &str| sagemaker::is_left(cx, KindName::Notebook, &tagged, name)
            ));
        }
        for script in scripts {
            if !found.iter().any(|notebook| notebook.physical == script.physical) {
                found.push(script);
            }
        }
        Ok(found)
    }

    async fn observe(&self, cx: &OpCx<'_>, notebook: &str) -> OpResult<Option<Seen<State>>> {
        let resource = of_type(notebook);
        let described = sagemaker::with_tags(cx, &resource, describe(cx, notebook));
        let (found, hooks) = futures_util::try_join!(described, lifecycle(cx, notebook))?;
        let on_create = hooks.as_ref().is_some_and(|hooks| !hooks.on_create().is_empty());
        let on_start = hooks.and_then(script_of);
        let Some((found, tags)) = found else { return Ok(on_start.and_then(Self::left_over)) };
        let status = status(&found);
        let state = State {
            role_arn: found.role_arn().unwrap_or_default().to_owned(),
            instance_type: found.instance_type().map_or("", |t| t.as_str()).to_owned(),
            volume_gb: found.volume_size_in_gb().unwrap_or(5),
            platform: found.platform_identifier().map(str::to_owned),
            metadata_version: found
                .instance_metadata_service_configuration()
                .and_then(|m| m.minimum_instance_metadata_service_version())
                .map(str::to_owned),
            on_start,
            on_create,
            interrupted: sagemaker::tag(&tags, RESTART).is_some(),
            network: Network::found(found.subnet_id.iter(), found.security_groups()),
            kms_key: encryption::found(found.kms_key_id()),
            attached: found.notebook_instance_lifecycle_config_name() == Some(notebook),
        };
        Ok(Some(sagemaker::seen(cx, &tags, status, state)))
    }

    async fn in_the_way(&self, cx: &OpCx<'_>, notebook: &str) -> OpResult<Option<String>> {
        let Some(found) = lifecycle(cx, notebook).await? else { return Ok(None) };
        let is_own = script_of(found).and_then(Self::left_over).is_some();
        Ok((!is_own).then(|| "the lifecycle configuration of its name".to_owned()))
    }

    async fn create(&self, cx: &OpCx<'_>, notebook: &str, spec: &Spec) -> OpResult<()> {
        put_script(cx, notebook, spec).await?;
        let action = action::sagemaker::CreateNotebookInstance;
        let create = || async {
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
                .set_subnet_id(spec.network.as_ref().and_then(|network| network.subnets.first().cloned()))
                .set_security_group_ids(spec.network.as_ref().map(|network| network.security_groups.clone()))
                .set_kms_key_id(spec.kms_key.clone())
                .set_tags(sagemaker::tags(cx, []));
            call.send().await.op(action).map(drop)
        };
        make(self, cx, notebook, action, || cx.retry_new_role(action, create)).await?;
        until(cx, notebook, "notebook in service", &[NotebookInstanceStatus::InService]).await
    }

    /// Only a stopped notebook can be changed; afterwards it is as it was, running or stopped, also when this
    /// run is killed and the next one continues.
    async fn update(&self, cx: &OpCx<'_>, notebook: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        let settled = [NotebookInstanceStatus::InService, NotebookInstanceStatus::Stopped];
        until(cx, notebook, "notebook settled", &settled).await?;
        put_script(cx, notebook, spec).await?;
        let Some(seen) = self.observe(cx, notebook).await? else { return Ok(()) };
        let changes = Self::diff(spec, &seen);
        if changes.is_empty() {
            return Ok(()); // only the script differed; it runs at the next start
        }
        if changes.iter().all(|change| change.path == spec::RESTART) {
            return start(cx, notebook).await;
        }
        let running = seen.state.interrupted || seen.status.phase == Phase::Ready;
        if running && !seen.state.interrupted {
            sagemaker::note(cx, &of_type(notebook), RESTART, "true").await?;
        }
        halt(cx, notebook).await?;
        let updated = cx.retry_new_role(action::sagemaker::UpdateNotebookInstance, || async {
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
            call.send().await.op(action::sagemaker::UpdateNotebookInstance).map(drop)
        });
        heard(cx, notebook, updated.await, &[NotebookInstanceStatus::Updating]).await?;
        until(cx, notebook, "notebook updated", &[NotebookInstanceStatus::Stopped]).await?;
        if running { start(cx, notebook).await } else { Ok(()) }
    }

    async fn delete(&self, cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
        let found = describe(cx, notebook).await?;
        if let Some(found) = found.filter(|found| status(found).phase != Phase::Leaving) {
            let deletable = [NotebookInstanceStatus::Stopped, NotebookInstanceStatus::Failed];
            if !found.notebook_instance_status().is_some_and(|s| deletable.contains(s)) {
                let running = [NotebookInstanceStatus::InService, NotebookInstanceStatus::Stopped];
                until(cx, notebook, "notebook settled", &running).await?;
                halt(cx, notebook).await?;
            }
            let call = cx.aws.sagemaker.delete_notebook_instance().notebook_instance_name(notebook);
            let deleted = call.send().await.op(action::sagemaker::DeleteNotebookInstance).ignore_not_found();
            heard(cx, notebook, deleted, &[NotebookInstanceStatus::Deleting]).await?;
        }
        // What the notebook uses cannot go before it.
        cx.wait("notebook deleted", EVERY, LIMIT, || async {
            Ok(match describe(cx, notebook).await? {
                None => Probe::Ready(()),
                Some(found) => Probe::Pending(status(&found).word),
            })
        })
        .await?;
        sagemaker::delete_streams(cx, Self::LOG_GROUP, &format!("{notebook}/")).await?;
        // Without tags, its words say whose it is.
        if script(cx, notebook).await?.and_then(Self::left_over).is_none() {
            return Ok(());
        }
        let call = cx.aws.sagemaker.delete_notebook_instance_lifecycle_config();
        let call = call.notebook_instance_lifecycle_config_name(notebook);
        call.send().await.op(action::sagemaker::DeleteNotebookInstanceLifecycleConfig).ignore_not_found()
    }

    async fn adopt(&self, cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
        sagemaker::adopt(cx, &of_type(notebook)).await
    }

    /// The tags of the lifecycle configuration go first: those of the notebook are looked at.
    async fn retag(&self, cx: &OpCx<'_>, notebook: &str, gone: Vec<String>, put: Tags) -> OpResult<()> {
        if script(cx, notebook).await?.and_then(Self::left_over).is_some() {
            let script = format!("notebook-instance-lifecycle-config/{notebook}");
            sagemaker::retag(cx, &script, gone.clone(), put.clone()).await?;
        }
        sagemaker::retag(cx, &of_type(notebook), gone, put).await
    }

    async fn stop(&self, cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
        stop(cx, notebook).await
    }

    async fn start(&self, cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
        start(cx, notebook).await
    }

    async fn link(&self, cx: &OpCx<'_>, notebook: &str) -> OpResult<Option<String>> {
        url(cx, notebook).await.map(Some)
    }
}

/// Stops the notebook, unless it is stopped, and waits for it. Nobody starts it again unasked.
pub async fn stop(cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
    halt(cx, notebook).await?;
    forget(cx, notebook).await
}

/// Starts the notebook, unless it runs, and waits for it.
pub async fn start(cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
    let runs = describe(cx, notebook).await?.is_some_and(|n| status(&n).phase == Phase::Ready);
    if !runs {
        let call = cx.aws.sagemaker.start_notebook_instance().notebook_instance_name(notebook);
        let started = call.send().await.op(action::sagemaker::StartNotebookInstance).map(drop);
        let starts = [NotebookInstanceStatus::Pending, NotebookInstanceStatus::InService];
        heard(cx, notebook, started, &starts).await?;
    }
    until(cx, notebook, "notebook in service", &[NotebookInstanceStatus::InService]).await?;
    forget(cx, notebook).await
}

/// As [`stop`], for a while.
async fn halt(cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
    let stopped = describe(cx, notebook).await?.is_some_and(|n| status(&n).phase == Phase::Stopped);
    if !stopped {
        let call = cx.aws.sagemaker.stop_notebook_instance().notebook_instance_name(notebook);
        let told = call.send().await.op(action::sagemaker::StopNotebookInstance).map(drop);
        let stops = [NotebookInstanceStatus::Stopping, NotebookInstanceStatus::Stopped];
        heard(cx, notebook, told, &stops).await?;
    }
    until(cx, notebook, "notebook stopped", &[NotebookInstanceStatus::Stopped]).await
}

/// Takes the note of an update off, if there is one.
async fn forget(cx: &OpCx<'_>, notebook: &str) -> OpResult<()> {
    let (resource, nothing) = (of_type(notebook), async { Ok(Some(())) });
    let noted = sagemaker::with_tags(cx, &resource, nothing).await?;
    match noted.is_some_and(|(_, tags)| sagemaker::tag(&tags, RESTART).is_some()) {
        true => sagemaker::erase(cx, &resource, RESTART).await,
        false => Ok(()),
    }
}

/// A call whose answer was lost is sent again, and then refused because of what it has done itself.
async fn heard(
    cx: &OpCx<'_>,
    notebook: &str,
    told: OpResult<()>,
    done: &[NotebookInstanceStatus],
) -> OpResult<()> {
    let Err(error) = told else { return Ok(()) };
    let found = match error.kind {
        OpErrorKind::Conflict => describe(cx, notebook).await?,
        _ => None,
    };
    let is_done = found.is_some_and(|n| n.notebook_instance_status().is_some_and(|s| done.contains(s)));
    if is_done { Ok(()) } else { Err(error) }
}

/// The notebook among all that has tags.
fn of_type(notebook: &str) -> String {
    format!("notebook-instance/{notebook}")
}

/// A link that opens the notebook, valid for five minutes.
pub async fn url(cx: &OpCx<'_>, notebook: &str) -> OpResult<String> {
    let call = cx.aws.sagemaker.create_presigned_notebook_instance_url().notebook_instance_name(notebook);
    let answer = call.send().await.op(action::sagemaker::CreatePresignedNotebookInstanceUrl)?;
    Ok(answer.authorized_url.unwrap_or_default())
}

async fn describe(cx: &OpCx<'_>, notebook: &str) -> OpResult<Option<DescribeNotebookInstanceOutput>> {
    let call = cx.aws.sagemaker.describe_notebook_instance().notebook_instance_name(notebook);
    call.send().await.op(action::sagemaker::DescribeNotebookInstance).found()
}

fn status(found: &DescribeNotebookInstanceOutput) -> Status {
    let word = found.notebook_instance_status().map_or("Unknown", |s| s.as_str());
    let phase = match found.notebook_instance_status() {
        Some(NotebookInstanceStatus::InService) => Phase::Ready,
        Some(NotebookInstanceStatus::Stopped) => Phase::Stopped,
        Some(NotebookInstanceStatus::Failed) => Phase::Failed,
        Some(NotebookInstanceStatus::Deleting) => Phase::Leaving,
        _ => Phase::Busy,
    };
    Status::new(word, phase).because(found.failure_reason().map(str::to_owned))
}

async fn until(
    cx: &OpCx<'_>,
    notebook: &str,
    what: &'static str,
    wanted: &[NotebookInstanceStatus],
) -> OpResult<()> {
    cx.wait(what, EVERY, LIMIT, || async {
        let Some(found) = describe(cx, notebook).await? else { return Ok(Probe::Absent) };
        let now = status(&found);
        Ok(match found.notebook_instance_status() {
            Some(status) if wanted.contains(status) => Probe::Ready(()),
            _ if matches!(now.phase, Phase::Failed | Phase::Leaving) => {
                Probe::Failed { status: now.word, reason: now.reason }
            }
            _ => Probe::Pending(now.word),
        })
    })
    .await
}

async fn lifecycle(
    cx: &OpCx<'_>,
    notebook: &str,
) -> OpResult<Option<DescribeNotebookInstanceLifecycleConfigOutput>> {
    let call = cx.aws.sagemaker.describe_notebook_instance_lifecycle_config();
    let call = call.notebook_instance_lifecycle_config_name(notebook);
    call.send().await.op(action::sagemaker::DescribeNotebookInstanceLifecycleConfig).found()
}

/// The script of the lifecycle configuration of that name.
async fn script(cx: &OpCx<'_>, notebook: &str) -> OpResult<Option<String>> {
    Ok(lifecycle(cx, notebook).await?.and_then(script_of))
}

fn script_of(found: DescribeNotebookInstanceLifecycleConfigOutput) -> Option<String> {
    let content = found.on_start?.into_iter().next()?.content?;
    String::from_utf8(STANDARD.decode(content).ok()?).ok()
}

fn metadata() -> InstanceMetadataServiceConfiguration {
    InstanceMetadataServiceConfiguration::builder().minimum_instance_metadata_service_version("2").build()
}

/// Makes or updates the lifecycle configuration of the same name. It goes with the notebook: its script says
/// whose it is, and its tags are for others.
async fn put_script(cx: &OpCx<'_>, notebook: &str, spec: &Spec) -> OpResult<()> {
    let sagemaker = &cx.aws.sagemaker;
    let hook = || NotebookInstanceLifecycleHook::builder().content(STANDARD.encode(&spec.on_start)).build();
    if lifecycle(cx, notebook).await?.is_none() {
        let call = sagemaker.create_notebook_instance_lifecycle_config();
        let call = call.notebook_instance_lifecycle_config_name(notebook).on_start(hook());
        return call
            .set_tags(sagemaker::tags(cx, []))
            .send()
            .await
            .op(action::sagemaker::CreateNotebookInstanceLifecycleConfig)
            .ignore_already_exists();
    }
    let call = sagemaker.update_notebook_instance_lifecycle_config();
    let call = call.notebook_instance_lifecycle_config_name(notebook).on_start(hook());
    let call = call.set_on_create(Some(Vec::new()));
    call.send().await.op(action::sagemaker::UpdateNotebookInstanceLifecycleConfig).map(drop)
}
