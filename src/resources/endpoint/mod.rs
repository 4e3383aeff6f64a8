//! A SageMaker endpoint. Its section also makes its role, log group, model, endpoint configuration and
//! autoscaling.
//!
//! Quirks (docs/aws/sagemaker-endpoints.md): busy endpoints can neither be updated nor deleted; after a
//! failed update the status is InService again, on the old configuration (docs/decisions/0023).

#[cfg(feature = "sdk")]
mod aws;
#[cfg(feature = "sdk")]
mod invoke;
mod made;
mod section;
mod spec;

pub use section::Section;

use serde::Serialize;

pub use spec::State;

/// The kind.
pub struct Endpoint;

/// As its section asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// Physical name of the endpoint configuration.
    #[serde(rename = "config")]
    pub endpoint_config: String,
    pub instance_type: String,
    /// Instances at the first start. The endpoint configuration carries it to AWS.
    #[serde(skip)]
    pub instance_count: i32,
}
