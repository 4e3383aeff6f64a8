use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTarget, ScalingPolicy,
    ServiceNamespace, SuspendedState, TargetTrackingScalingPolicyConfiguration,
};
use futures_util::future::try_join_all;

use super::spec::{Policy, State};
use super::{Autoscaling, Spec};
use crate::aws::{OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::desired::Seen;
use crate::domain::{FieldChange, KindName, Owner, action};
use crate::engine::{Driver, Found, OpCx};

/// Ids that one DescribeScalableTargets takes.
/// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
const MOST_IDS: usize = 50;

fn namespace() -> ServiceNamespace {
    Autoscaling::NAMESPACE.into()
}

fn dimension() -> ScalableDimension {
    Autoscaling::DIMENSION.into()
}

impl Driver for Autoscaling {
    /// The account's targets cannot be listed by prefix; those of our endpoints can be asked for by name.
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let ids: Vec<String> = cx.wanted(KindName::Endpoint).map(Self::resource_id).collect();
        let named = ids.chunks(MOST_IDS).map(|ids| targets(cx, ids.to_vec()));
        let found = try_join_all(named).await?;
        Ok(found.iter().flatten().map(|target| Found::new(target.resource_id())).collect())
    }

    async fn observe(&self, cx: &OpCx<'_>, resource: &str) -> OpResult<Option<Seen<State>>> {
        let targets = targets(cx, vec![resource.to_owned()]);
        let (targets, policies, scheduled) =
            futures_util::try_join!(targets, policies(cx, resource), scheduled(cx, resource))?;
        let Some(target) = targets.into_iter().find(|t| t.resource_id() == resource) else { return Ok(None) };
        let policy = policies.iter().find(|p| p.policy_name() == Self::POLICY);
        let tracking = policy.and_then(|p| p.target_tracking_scaling_policy_configuration());
        let suspended = target.suspended_state().is_some_and(|s| {
            [s.dynamic_scaling_in_suspended, s.dynamic_scaling_out_suspended, s.scheduled_scaling_suspended]
                .contains(&Some(true))
        });
        let more = policies.iter().map(|p| p.policy_name()).filter(|name| *name != Self::POLICY);
        let state = State {
            suspended,
            more_policies: more.map(str::to_owned).collect(),
            scheduled,
            min: target.min_capacity(),
            max: target.max_capacity(),
            policy: tracking.map(|t| Policy {
                target: t.target_value(),
                scale_in_cooldown_s: t.scale_in_cooldown().unwrap_or(Self::AWS_COOLDOWN_S),
                scale_out_cooldown_s: t.scale_out_cooldown().unwrap_or(Self::AWS_COOLDOWN_S),
                metric: t
                    .predefined_metric_specification()
                    .map(|m| m.predefined_metric_type().as_str().to_owned()),
                scale_in_disabled: t.disable_scale_in().unwrap_or_default(),
            }),
        };
        Ok(Some(Seen::ready(Owner::Ours, "Registered", state))) // it is part of our endpoint
    }

    async fn create(&self, cx: &OpCx<'_>, resource: &str, spec: &Spec) -> OpResult<()> {
        put(cx, resource, spec).await
    }

    async fn update(&self, cx: &OpCx<'_>, resource: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        put(cx, resource, spec).await?;
        let Some(seen) = self.observe(cx, resource).await? else { return Ok(()) };
        for policy in seen.state.more_policies {
            delete_policy(cx, resource, &policy).await?;
        }
        delete_scheduled(cx, resource, seen.state.scheduled).await
    }

    async fn delete(&self, cx: &OpCx<'_>, resource: &str) -> OpResult<()> {
        // AWS deletes a target's policies with it; where that is not so, they would outlive the project. Of
        // scheduled actions it does not say so.
        delete_policy(cx, resource, Self::POLICY).await?;
        delete_scheduled(cx, resource, scheduled(cx, resource).await?).await?;
        let call = cx.aws.autoscaling.deregister_scalable_target().service_namespace(namespace());
        let call = call.resource_id(resource).scalable_dimension(dimension());
        call.send().await.op(action::autoscaling::DeregisterScalableTarget).ignore_not_found()
    }

    async fn adopt(&self, _: &OpCx<'_>, _: &str) -> OpResult<()> {
        Ok(()) // it goes with its endpoint
    }
}

async fn delete_policy(cx: &OpCx<'_>, resource: &str, policy: &str) -> OpResult<()> {
    let call = cx.aws.autoscaling.delete_scaling_policy().service_namespace(namespace());
    let call = call.resource_id(resource).scalable_dimension(dimension()).policy_name(policy);
    call.send().await.op(action::autoscaling::DeleteScalingPolicy).ignore_not_found()
}

async fn delete_scheduled(cx: &OpCx<'_>, resource: &str, actions: Vec<String>) -> OpResult<()> {
    for action in actions {
        let call = cx.aws.autoscaling.delete_scheduled_action().service_namespace(namespace());
        let call = call.resource_id(resource).scalable_dimension(dimension()).scheduled_action_name(action);
        call.send().await.op(action::autoscaling::DeleteScheduledAction).ignore_not_found()?;
    }
    Ok(())
}

/// The scalable targets of these resources, at most [`MOST_IDS`].
async fn targets(cx: &OpCx<'_>, resources: Vec<String>) -> OpResult<Vec<ScalableTarget>> {
    let call = cx.aws.autoscaling.describe_scalable_targets().service_namespace(namespace());
    let call = call.set_resource_ids(Some(resources)).scalable_dimension(dimension());
    let mut pages = call.into_paginator().send();
    let mut targets = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op(action::autoscaling::DescribeScalableTargets).found()? else { break };
        targets.extend(page.scalable_targets.unwrap_or_default());
    }
    Ok(targets)
}

/// All scaling policies of a target: a page holds 10, a target 50.
async fn policies(cx: &OpCx<'_>, resource: &str) -> OpResult<Vec<ScalingPolicy>> {
    let call = cx.aws.autoscaling.describe_scaling_policies().service_namespace(namespace());
    let call = call.resource_id(resource).scalable_dimension(dimension());
    let mut pages = call.into_paginator().send();
    let mut policies = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op(action::autoscaling::DescribeScalingPolicies).found()? else { break };
        policies.extend(page.scaling_policies.unwrap_or_default());
    }
    Ok(policies)
}

/// Names of the scheduled actions of a target. Where none can be made, there are none.
async fn scheduled(cx: &OpCx<'_>, resource: &str) -> OpResult<Vec<String>> {
    let call = cx.aws.autoscaling.describe_scheduled_actions().service_namespace(namespace());
    let call = call.resource_id(resource).scalable_dimension(dimension());
    let mut pages = call.into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = match page.op(action::autoscaling::DescribeScheduledActions).found() {
            Err(error) if error.kind == OpErrorKind::NotOffered => break,
            page => page?,
        };
        let Some(page) = page else { break };
        names.extend(page.scheduled_actions().iter().map(|a| a.scheduled_action_name().to_owned()));
    }
    Ok(names)
}

async fn put(cx: &OpCx<'_>, resource: &str, spec: &Spec) -> OpResult<()> {
    let aas = &cx.aws.autoscaling;
    let register = action::autoscaling::RegisterScalableTarget;
    // What is not said stays as it is, so that it is not suspended is said.
    let running = SuspendedState::builder()
        .dynamic_scaling_in_suspended(false)
        .dynamic_scaling_out_suspended(false)
        .scheduled_scaling_suspended(false)
        .build();
    cx.retry_new_role(register, || async {
        let call = aas.register_scalable_target().service_namespace(namespace()).resource_id(resource);
        let call = call.scalable_dimension(dimension()).min_capacity(spec.min).max_capacity(spec.max);
        let call = call.suspended_state(running.clone());
        call.send().await.op(action::autoscaling::RegisterScalableTarget).map(drop)
    })
    .await?;
    let metric = PredefinedMetricSpecification::builder()
        .predefined_metric_type(MetricType::from(Autoscaling::METRIC))
        .build()
        .expect("the type is set");
    let tracking = TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(spec.target)
        .predefined_metric_specification(metric)
        .scale_in_cooldown(spec.scale_in_cooldown_s)
        .scale_out_cooldown(spec.scale_out_cooldown_s)
        .build()
        .expect("the target is set");
    // A target registered a moment ago may not be found yet
    // (docs/aws/errors-and-retries.md#new-scalable-targets).
    let again = |kind: &OpErrorKind| {
        matches!(kind, OpErrorKind::NotFound | OpErrorKind::NotYetConsistent | OpErrorKind::Conflict)
    };
    let limit = std::time::Duration::from_secs(120);
    cx.retry(action::autoscaling::PutScalingPolicy, limit, again, || async {
        let call = aas.put_scaling_policy().service_namespace(namespace()).resource_id(resource);
        let call = call.scalable_dimension(dimension()).policy_name(Autoscaling::POLICY);
        let call = call.policy_type(PolicyType::TargetTrackingScaling);
        let call = call.target_tracking_scaling_policy_configuration(tracking.clone());
        call.send().await.op(action::autoscaling::PutScalingPolicy).map(drop)
    })
    .await
}
