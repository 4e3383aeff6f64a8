//! The project's bucket: data, code, models and the lease (`engine::lease`) live in it.
//!
//! Calls: HeadBucket, CreateBucket, GetBucketTagging … one Get and one Put per setting, DeleteObjects, DeleteBucket.
//! Quirks (aws-facts §3): us-east-1 wants no LocationConstraint; settings calls in a row collide with
//! `OperationAborted`, so they go one after another; deletion wants every version and marker gone first.

#[cfg(feature = "sdk")]
mod aws;
#[cfg(feature = "sdk")]
pub mod empty;
mod spec;

#[cfg(feature = "sdk")]
pub(crate) use aws::{found, owner};
pub use spec::{Bucket, Seen, Spec};
