//! The scalable target of an endpoint variant and its target-tracking policy.
//!
//! Quirks (docs/aws/autoscaling.md): the endpoint must be in service first; a policy right after its target
//! may not find it.

#[cfg(feature = "sdk")]
mod aws;
mod numbers;
mod section;
mod spec;

use serde::Serialize;
use serde_json::{Value, json};

use super::endpoint_config::EndpointConfig;
use crate::domain::Scope;

pub use section::Section;
pub use spec::State;

/// The kind.
pub struct Autoscaling;

/// As its section asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub min: i32,
    pub max: i32,
    /// Invocations per instance per minute.
    pub target: f64,
    pub scale_in_cooldown_s: i32,
    pub scale_out_cooldown_s: i32,
}

impl Autoscaling {
    /// Of a policy whose config says nothing else.
    pub const COOLDOWN_S: i32 = 30;
    /// AWS's own default for endpoint variants (docs/aws/autoscaling.md#target-tracking).
    const AWS_COOLDOWN_S: i32 = 300;

    /// Who scales, by its service-linked role.
    pub const SERVICE: &'static str = "sagemaker.application-autoscaling.amazonaws.com";

    /// What it scales, as every call and every policy names it (docs/aws/autoscaling.md#identifiers).
    pub const NAMESPACE: &'static str = "sagemaker";
    /// What of an endpoint it scales: the instances of its variant.
    pub const DIMENSION: &'static str = "sagemaker:variant:DesiredInstanceCount";

    /// What the target is of.
    const METRIC: &'static str = "SageMakerVariantInvocationsPerInstance";

    /// The one policy of a variant.
    pub const POLICY: &'static str = "opsctl-invocations-per-instance";

    /// Why AWS refuses to scale instances of this type, if it does.
    pub fn unsupported_on(instance_type: &str) -> Option<String> {
        let text = || format!("`{instance_type}` is burstable, and AWS refuses to scale a burstable variant");
        instance_type.starts_with("ml.t").then(text)
    }

    /// The ARNs that the calls of an endpoint and of what scales it are about.
    pub fn arns_on(scope: &Scope, endpoint: &str) -> Vec<String> {
        // Whichever it runs: their names are the project's, also where that of the endpoint is not.
        let is_own = endpoint.starts_with(&scope.prefix());
        let configs = if is_own { format!("{endpoint}-*") } else { format!("{}*", scope.prefix()) };
        let mut arns = scope.cased("sagemaker", &format!("endpoint/{endpoint}"));
        arns.extend([
            scope.arn("sagemaker", &format!("endpoint-config/{configs}")),
            scope.arn("application-autoscaling", "scalable-target/*"),
            scope.arn("cloudwatch", &format!("alarm:TargetTracking-endpoint/{endpoint}/*")),
        ]);
        arns
    }

    /// The condition of a policy that is about the targets of endpoints only: the id of a target is AWS's, so
    /// no ARN says whose it is.
    pub fn condition() -> Value {
        json!({ "StringEquals": {
            "application-autoscaling:service-namespace": Self::NAMESPACE,
            "application-autoscaling:scalable-dimension": Self::DIMENSION,
        } })
    }

    /// `endpoint/<endpoint>/variant/<variant>` (docs/aws/autoscaling.md#identifiers).
    pub fn resource_id(endpoint: &str) -> String {
        format!("endpoint/{endpoint}/variant/{}", EndpointConfig::VARIANT)
    }
}
