//! A SageMaker endpoint. Its section also makes its role, log group, model, endpoint configuration and
//! autoscaling.
//!
//! Quirks (docs/aws/sagemaker-endpoints.md): busy endpoints can neither be updated nor deleted; after a
//! failed update the status is InService again, on the old configuration (docs/decisions/0023).

#[cfg(feature = "sdk")]
mod aws;
mod made;
mod section;
mod spec;

pub use section::Section;
pub use spec::{Endpoint, Spec, State};
