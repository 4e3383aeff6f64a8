//! The scalable target of an endpoint variant and its target-tracking policy.
//!
//! Calls: DescribeScalableTargets, DescribeScalingPolicies, DescribeScheduledActions, RegisterScalableTarget,
//! PutScalingPolicy, DeleteScalingPolicy, DeleteScheduledAction, DeregisterScalableTarget (which takes the
//! policy and its alarms along). Quirks (docs/aws/autoscaling.md): the endpoint must be in service first; a
//! policy right after its target may not find it.

#[cfg(feature = "sdk")]
mod aws;
mod section;
mod spec;

pub use section::Section;
pub use spec::{Autoscaling, Spec, State};
