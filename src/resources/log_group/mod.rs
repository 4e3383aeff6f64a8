//! A CloudWatch log group, made before its writer so that it has a retention and tags: groups that AWS makes
//! by itself never expire and stay behind (docs/aws/cloudwatch-logs.md#retention,
//! docs/aws/teardown.md#what-stays-behind).

#[cfg(feature = "sdk")]
mod aws;
mod spec;

pub use spec::{LogGroup, Spec};
