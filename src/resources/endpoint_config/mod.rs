//! An endpoint configuration: one variant, its model and instance type. Immutable, so the fingerprint is in
//! the name.
//!
//! Quirk (docs/aws/sagemaker-endpoints.md#endpoint-configurations): deleting one that is in use is not
//! refused, and hides the instance type for good.

#[cfg(feature = "sdk")]
mod aws;
mod spec;

pub use spec::{EndpointConfig, Spec};
