//! The scalable target of an endpoint variant and its target-tracking policy.
//!
//! Quirks (docs/aws/autoscaling.md): the endpoint must be in service first; a policy right after its target
//! may not find it.

#[cfg(feature = "sdk")]
mod aws;
mod section;
mod spec;

pub use section::Section;

use serde::Serialize;

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
