//! A training job on a plain EC2 instance (`on = "ec2"`): the instance fetches code and data, trains, uploads
//! the archive, the log and last of all `result.json`, and shuts itself down into termination
//! (docs/decisions/0030).
//!
//! Quirks (docs/aws/ec2.md): a new instance profile is an InvalidParameterValue for minutes; a terminated
//! instance stays visible for an hour and then is gone, so the result in the bucket is what remains of a
//! job.

#[cfg(feature = "sdk")]
mod aws;
#[cfg(feature = "sdk")]
pub mod log;
mod spec;
pub mod user_data;

pub use spec::{Instance, Outcome, Spec, State};
