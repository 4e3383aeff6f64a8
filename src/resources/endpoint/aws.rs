use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_sagemaker::operation::describe_endpoint::DescribeEndpointOutput;
use aws_sdk_sagemaker::types::EndpointStatus;

use super::spec::State;
use super::{Endpoint, Spec, invoke};
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::desired::Seen;
use crate::domain::{FieldChange, KindName, Phase, Status, Tags, action};
use crate::engine::invoke::{NoAnswer, Request, Response};
use crate::engine::{Driver, Found, OpCx, Probe, make};
use crate::resources::autoscaling::Autoscaling;
use crate::resources::sagemaker::{self, list_of, list_owned};

/// AWS's own waiter looks every 30 s for an hour (docs/aws/errors-and-retries.md#waiters). Fetching the model
/// and starting the container may take an hour each, beside the instance.
const EVERY: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(3 * 3600);
/// Looks during which an accepted update may not show in the status yet.
const GRACE: u32 = 4;

impl Driver for Endpoint {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let named = async {
            Ok(list_owned!(cx, list_endpoints, action::sagemaker::ListEndpoints, endpoints, endpoint_name))
        };
        let (mut found, tagged) =
            futures_util::try_join!(named, sagemaker::tagged(cx, KindName::Endpoint, &["endpoint"]))?;
        if !tagged.is_empty() {
            found.extend(list_of!(
                cx,
                list_endpoints,
                action::sagemaker::ListEndpoints,
                endpoints,
                endpoint_name,
                |name: &str| sagemaker::is_left(cx, KindName::Endpoint, &tagged, name)
            ));
        }
        Ok(found)
    }

    async fn observe(&self, cx: &OpCx<'_>, endpoint: &str) -> OpResult<Option<Seen<State>>> {
        let arn = format!("endpoint/{endpoint}");
        let found = sagemaker::with_tags(cx, &arn, describe(cx, endpoint)).await?;
        let Some((found, tags)) = found else { return Ok(None) };
        let endpoint_config = found.endpoint_config_name().unwrap_or_default().to_owned();
        // The instance type is only in the configuration, which somebody may have deleted
        // (docs/aws/sagemaker-endpoints.md#endpoint-configurations).
        let call = cx.aws.sagemaker.describe_endpoint_config().endpoint_config_name(&endpoint_config);
        let live = call.send().await.op(action::sagemaker::DescribeEndpointConfig).found()?;
        let variant = live.as_ref().and_then(|c| c.production_variants().first());
        let count = found.production_variants().first().and_then(|v| v.current_instance_count());
        let status = status(&found);
        let state = State {
            endpoint_config,
            instance_type: variant.and_then(|v| v.instance_type()).map(|t| t.as_str().to_owned()),
            instances: count,
        };
        Ok(Some(sagemaker::seen(cx, &tags, status, state)))
    }

    async fn create(&self, cx: &OpCx<'_>, endpoint: &str, spec: &Spec) -> OpResult<()> {
        // The lookup of a configuration made a moment ago is eventually consistent
        // (docs/aws/errors-and-retries.md#new-endpoint-configurations).
        let unseen = |kind: &OpErrorKind| *kind == OpErrorKind::NotFound;
        let action = action::sagemaker::CreateEndpoint;
        let create = || async {
            let call = cx
                .aws
                .sagemaker
                .create_endpoint()
                .endpoint_name(endpoint)
                .endpoint_config_name(&spec.endpoint_config);
            call.set_tags(sagemaker::tags(cx, [])).send().await.op(action).map(drop)
        };
        make(self, cx, endpoint, action, || cx.retry(action, Duration::from_secs(60), unseen, create))
            .await?;
        in_service(cx, endpoint, spec).await
    }

    async fn update(&self, cx: &OpCx<'_>, endpoint: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        let Some(found) = settled(cx, endpoint).await? else { return Ok(()) };
        if found.endpoint_config_name() != Some(&spec.endpoint_config) {
            cx.retry_busy(action::sagemaker::UpdateEndpoint, || async {
                // docs/decisions/0024: without this the live instance count falls back to the configuration's
                // first one.
                let call = cx
                    .aws
                    .sagemaker
                    .update_endpoint()
                    .endpoint_name(endpoint)
                    .retain_all_variant_properties(true);
                let call = call.endpoint_config_name(&spec.endpoint_config);
                call.send().await.op(action::sagemaker::UpdateEndpoint).map(drop)
            })
            .await?;
        }
        in_service(cx, endpoint, spec).await
    }

    async fn delete(&self, cx: &OpCx<'_>, endpoint: &str) -> OpResult<()> {
        // A leftover endpoint may still be scaled; DeleteEndpoint itself may not be allowed to end that.
        let call = cx.aws.autoscaling.deregister_scalable_target();
        let call = call.service_namespace(Autoscaling::NAMESPACE.into());
        let call = call.scalable_dimension(Autoscaling::DIMENSION.into());
        let call = call.resource_id(Autoscaling::resource_id(endpoint));
        call.send().await.op(action::autoscaling::DeregisterScalableTarget).ignore_not_found()?;
        match settled(cx, endpoint).await? {
            Some(found) if status(&found).phase != Phase::Leaving => {}
            _ => return Ok(()),
        }
        cx.retry_busy(action::sagemaker::DeleteEndpoint, || async {
            cx.aws
                .sagemaker
                .delete_endpoint()
                .endpoint_name(endpoint)
                .send()
                .await
                .op(action::sagemaker::DeleteEndpoint)
                .ignore_not_found()
        })
        .await
    }

    async fn invoke(&self, cx: &OpCx<'_>, endpoint: &str, request: Request) -> Result<Response, NoAnswer> {
        Ok(invoke::send(cx, endpoint, request).await?)
    }

    async fn adopt(&self, cx: &OpCx<'_>, endpoint: &str) -> OpResult<()> {
        sagemaker::adopt(cx, &format!("endpoint/{endpoint}")).await
    }

    async fn retag(&self, cx: &OpCx<'_>, endpoint: &str, gone: Vec<String>, put: Tags) -> OpResult<()> {
        sagemaker::retag(cx, &format!("endpoint/{endpoint}"), gone, put).await
    }
}

async fn describe(cx: &OpCx<'_>, endpoint: &str) -> OpResult<Option<DescribeEndpointOutput>> {
    let call = cx.aws.sagemaker.describe_endpoint().endpoint_name(endpoint);
    call.send().await.op(action::sagemaker::DescribeEndpoint).found()
}

fn status(found: &DescribeEndpointOutput) -> Status {
    let word = found.endpoint_status().map_or("Unknown", |s| s.as_str());
    let phase = match found.endpoint_status() {
        Some(EndpointStatus::InService) => Phase::Ready,
        // Only deleting helps: neither state takes an update
        // (docs/aws/sagemaker-endpoints.md#endpoint-states).
        Some(EndpointStatus::Failed | EndpointStatus::OutOfService) => Phase::Failed,
        Some(EndpointStatus::Deleting) => Phase::Leaving,
        // A mixed fleet, but in service: the next update repairs it.
        Some(EndpointStatus::UpdateRollbackFailed) => Phase::Ready,
        _ => Phase::Busy,
    };
    Status::new(word, phase).because(found.failure_reason().map(str::to_owned))
}

/// Waits until the endpoint takes a change: a busy one can neither be updated nor deleted.
async fn settled(cx: &OpCx<'_>, endpoint: &str) -> OpResult<Option<DescribeEndpointOutput>> {
    cx.wait("endpoint settled", EVERY, LIMIT, || async {
        let found = describe(cx, endpoint).await?;
        Ok(match found {
            Some(found) if status(&found).phase == Phase::Busy => Probe::Pending(status(&found).word),
            found => Probe::Ready(found),
        })
    })
    .await
}

/// Waits for `InService` on the wanted configuration. In service on another one is a silent rollback
/// (docs/decisions/0023).
async fn in_service(cx: &OpCx<'_>, endpoint: &str, spec: &Spec) -> OpResult<()> {
    let (busy, looks) = (AtomicU32::new(0), AtomicU32::new(0));
    let rolled_back = cx
        .wait("endpoint in service", EVERY, LIMIT, || async {
            let Some(found) = describe(cx, endpoint).await? else { return Ok(Probe::Absent) };
            let status = status(&found);
            Ok(match status.phase {
                Phase::Busy => {
                    busy.fetch_add(1, Ordering::Relaxed);
                    Probe::Pending(status.word)
                }
                Phase::Failed | Phase::Leaving => {
                    Probe::Failed { status: status.word, reason: status.reason }
                }
                _ if found.endpoint_config_name() == Some(&spec.endpoint_config) => Probe::Ready(None),
                _ => {
                    let began = busy.load(Ordering::Relaxed) > 0 || status.reason.is_some();
                    if began || looks.fetch_add(1, Ordering::Relaxed) >= GRACE {
                        let live = found.endpoint_config_name().unwrap_or_default().to_owned();
                        Probe::Ready(Some((live, status.reason)))
                    } else {
                        Probe::Pending("update accepted".into())
                    }
                }
            })
        })
        .await?;
    let Some((live, reason)) = rolled_back else { return Ok(()) };
    let reason = reason.unwrap_or_else(|| "AWS gives no reason; see the endpoint's log".into());
    let message = format!("the update was rolled back, {endpoint} still runs {live}: {reason}");
    Err(OpError::new(action::sagemaker::UpdateEndpoint, OpErrorKind::RolledBack, message))
}
