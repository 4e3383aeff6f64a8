//! The scalable target of an endpoint variant and its target-tracking policy.
//!
//! Quirks (docs/aws/autoscaling.md): the endpoint must be in service first; a policy right after its target
//! may not find it.

#[cfg(feature = "sdk")]
mod aws;
mod section;
mod spec;

pub use section::Section;
pub use spec::{Autoscaling, Spec, State};
