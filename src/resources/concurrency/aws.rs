use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_lambda::types::ProvisionedConcurrencyStatusEnum as Provisioned;
use futures_util::future::try_join_all;

use super::spec::{Concurrency, Spec, State};
use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::desired::Seen;
use crate::domain::{FieldChange, KindName, Owner, Phase, Status, action};
use crate::engine::{Driver, Found, OpCx, Probe};

impl Driver for Concurrency {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        // Those that are wanted are looked at anyway.
        let wanted: BTreeSet<&str> = cx.wanted(KindName::Concurrency).collect();
        let resources = cx.wanted(KindName::Function).map(Self::resource_id);
        let looks =
            resources.filter(|resource| !wanted.contains(resource.as_str())).map(|resource| async move {
                Ok(self.observe(cx, &resource).await?.map(|_| Found::new(resource)))
            });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    async fn observe(&self, cx: &OpCx<'_>, resource: &str) -> OpResult<Option<Seen<State>>> {
        let call = cx.aws.lambda.get_provisioned_concurrency_config().function_name(Self::function(resource));
        let found = call
            .qualifier(Concurrency::ALIAS)
            .send()
            .await
            .op(action::lambda::GetProvisionedConcurrencyConfig)
            .found()?;
        Ok(found.map(|found| {
            let phase = match found.status() {
                Some(Provisioned::Failed) => Phase::Failed,
                Some(Provisioned::InProgress) => Phase::Busy,
                _ => Phase::Ready,
            };
            let word = found.status().map_or("READY", |s| s.as_str());
            let status = Status::new(word, phase).because(found.status_reason().map(str::to_owned));
            let requested = found.requested_provisioned_concurrent_executions().unwrap_or_default();
            // It is part of our function.
            Seen::new(Owner::Ours, status, State { requested })
        }))
    }

    async fn create(&self, cx: &OpCx<'_>, resource: &str, spec: &Spec) -> OpResult<()> {
        put(cx, resource, spec).await
    }

    async fn update(&self, cx: &OpCx<'_>, resource: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        put(cx, resource, spec).await
    }

    async fn delete(&self, cx: &OpCx<'_>, resource: &str) -> OpResult<()> {
        let call =
            cx.aws.lambda.delete_provisioned_concurrency_config().function_name(Self::function(resource));
        call.qualifier(Concurrency::ALIAS)
            .send()
            .await
            .op(action::lambda::DeleteProvisionedConcurrencyConfig)
            .ignore_not_found()
    }

    async fn adopt(&self, _: &OpCx<'_>, _: &str) -> OpResult<()> {
        Ok(()) // it goes with its function
    }
}

async fn put(cx: &OpCx<'_>, resource: &str, spec: &Spec) -> OpResult<()> {
    let function = Concurrency::function(resource);
    unweighted(cx, function).await?;
    cx.retry_busy(action::lambda::PutProvisionedConcurrencyConfig, || async {
        let call = cx.aws.lambda.put_provisioned_concurrency_config().function_name(function);
        let call = call.qualifier(Concurrency::ALIAS).provisioned_concurrent_executions(spec.requested);
        call.send().await.op(action::lambda::PutProvisionedConcurrencyConfig).map(drop)
    })
    .await?;
    until_ready(cx, function, || Probe::Absent).await
}

/// Waits until Lambda has moved the alias: meanwhile it has weights, and a put is refused by a code that says
/// nothing of patience (docs/aws/lambda.md#provisioned-concurrency). The function's own step has cleared what
/// others left.
async fn unweighted(cx: &OpCx<'_>, function: &str) -> OpResult<()> {
    cx.wait("alias moved", Duration::from_secs(5), Duration::from_secs(900), || async {
        let call = cx.aws.lambda.get_alias().function_name(function).name(Concurrency::ALIAS);
        let Some(alias) = call.send().await.op(action::lambda::GetAlias).found()? else {
            return Ok(Probe::Absent);
        };
        let weights = alias.routing_config().and_then(|r| r.additional_version_weights());
        Ok(match weights.is_some_and(|weights| !weights.is_empty()) {
            true => Probe::Pending("moving".into()),
            false => Probe::Ready(()),
        })
    })
    .await
}

/// Waits until every environment is initialized; one that cannot be is a failure with Lambda's reason. A
/// function without any has nothing to wait for.
pub async fn ready(cx: &OpCx<'_>, function: &str) -> OpResult<()> {
    until_ready(cx, function, || Probe::Ready(())).await
}

async fn until_ready(
    cx: &OpCx<'_>,
    function: &str,
    absent: impl Fn() -> Probe<()> + Send + Sync,
) -> OpResult<()> {
    // No waiter of AWS's exists; it starts after a minute or two
    // (docs/aws/lambda.md#provisioned-concurrency).
    cx.wait("provisioned concurrency ready", Duration::from_secs(5), Duration::from_secs(900), || async {
        let call = cx.aws.lambda.get_provisioned_concurrency_config().function_name(function);
        let found = call.qualifier(Concurrency::ALIAS).send().await;
        let Some(found) = found.op(action::lambda::GetProvisionedConcurrencyConfig).found()? else {
            return Ok(absent());
        };
        Ok(match found.status() {
            Some(Provisioned::Failed) => {
                Probe::Failed { status: "FAILED".into(), reason: found.status_reason().map(str::to_owned) }
            }
            Some(Provisioned::InProgress) => Probe::Pending(format!(
                "{} of {} allocated",
                found.allocated_provisioned_concurrent_executions().unwrap_or_default(),
                found.requested_provisioned_concurrent_executions().unwrap_or_default()
            )),
            _ => Probe::Ready(()),
        })
    })
    .await
}
