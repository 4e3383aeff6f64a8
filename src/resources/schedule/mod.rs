//! `[project] ttl`: one-time schedules of EventBridge Scheduler that end what bills by the hour, also when
//! the machine that deployed is off. The resource is the group, which has the tags; its schedules are named
//! after what they end, and call AWS directly, with a role that may do just that (docs/aws/scheduler.md,
//! docs/decisions/0055-ttl.md).

#[cfg(feature = "sdk")]
mod aws;
mod spec;

pub use spec::{Ends, Schedule, Scheduled, Spec, State};
