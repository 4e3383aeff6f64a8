use serde::{Deserialize, Serialize};

use crate::config::section::NoSection;
use crate::desired::Kind;
use crate::domain::{FieldChange, Human, KindName, Needs, Owner, Status, changes};
use crate::resources::endpoint_config::EndpointConfig;

pub struct Autoscaling;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub min: i32,
    pub max: i32,
    /// Invocations per instance per minute.
    pub target: f64,
    pub scale_in_cooldown_s: i32,
    pub scale_out_cooldown_s: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub min: i32,
    pub max: i32,
    /// Absent while a run was killed between target and policy.
    pub policy: Option<Policy>,
    /// Any of the three switches that keep a target from being scaled.
    pub suspended: bool,
    /// Names of policies beside ours: the target follows them all.
    pub more_policies: Vec<String>,
    /// Names of scheduled actions, which move minimum and maximum.
    pub scheduled: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub target: f64,
    pub scale_in_cooldown_s: i32,
    pub scale_out_cooldown_s: i32,
    /// What the target is of; one of the caller's own has no name.
    pub metric: Option<String>,
    /// Scales out only.
    pub scale_in_disabled: bool,
}

impl Autoscaling {
    /// What the target is of.
    pub(super) const METRIC: &'static str = "SageMakerVariantInvocationsPerInstance";

    /// The one policy of a variant.
    pub const POLICY: &'static str = "opsctl-invocations-per-instance";

    /// `endpoint/<endpoint>/variant/<variant>` (docs/aws/autoscaling.md#identifiers).
    pub fn resource_id(endpoint: &str) -> String {
        format!("endpoint/{endpoint}/variant/{}", EndpointConfig::VARIANT)
    }
}

impl Kind for Autoscaling {
    const NAME: KindName = KindName::Autoscaling;
    const PART_OF: Option<KindName> = Some(KindName::Endpoint);
    type Section = NoSection;
    type Spec = Spec;
    type Seen = Seen;

    fn whole_of(physical: &str) -> Option<&str> {
        physical.split('/').nth(1)
    }

    fn diff(want: &Spec, seen: &Seen) -> Vec<FieldChange> {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "none".into());
        let policy = seen.policy.as_ref();
        let cooldown = |seconds: i32| Human::seconds(seconds as u64).to_string();
        changes()
            .field("min", seen.min, want.min, Needs::Update)
            .field("max", seen.max, want.max, Needs::Update)
            .field("target", shown(policy.map(|p| p.target.to_string())), want.target, Needs::Update)
            .field(
                "scale_in_cooldown",
                shown(policy.map(|p| cooldown(p.scale_in_cooldown_s))),
                cooldown(want.scale_in_cooldown_s),
                Needs::Update,
            )
            .field(
                "scale_out_cooldown",
                shown(policy.map(|p| cooldown(p.scale_out_cooldown_s))),
                cooldown(want.scale_out_cooldown_s),
                Needs::Update,
            )
            .when(
                policy.is_some_and(|p| p.metric.as_deref() != Some(Self::METRIC)),
                "metric",
                shown(policy.and_then(|p| p.metric.clone())),
                Self::METRIC,
                Needs::Update,
            )
            .field("scale_in_disabled", policy.is_some_and(|p| p.scale_in_disabled), false, Needs::Update)
            .field("suspended", seen.suspended, false, Needs::Update)
            .when(
                !seen.more_policies.is_empty(),
                "more scaling policies",
                seen.more_policies.join(", "),
                "none",
                Needs::Update,
            )
            .when(
                !seen.scheduled.is_empty(),
                "scheduled actions",
                seen.scheduled.join(", "),
                "none",
                Needs::Update,
            )
            .done()
    }

    fn status(_: &Seen) -> Status {
        Status::ready("Registered")
    }

    fn owner(_: &Seen) -> Owner {
        Owner::Ours // it is part of our endpoint
    }

    fn summary(want: &Spec) -> String {
        format!("{} to {} instances, {} invocations per instance per minute", want.min, want.max, want.target)
    }

    fn iam_actions() -> &'static [&'static str] {
        &[
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingPolicies",
            "application-autoscaling:DescribeScheduledActions",
            "application-autoscaling:DeleteScheduledAction",
            "application-autoscaling:RegisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:DeregisterScalableTarget",
            "iam:CreateServiceLinkedRole",
            "sagemaker:DescribeEndpoint",
            "sagemaker:DescribeEndpointConfig",
            "sagemaker:UpdateEndpointWeightsAndCapacities",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:DeleteAlarms",
        ]
    }
}
