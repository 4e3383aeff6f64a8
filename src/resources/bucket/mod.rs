//! The project's bucket: data, code, models and the lease (`engine::lease`) are in it.
//!
//! Quirks (docs/aws/s3.md): us-east-1 wants no LocationConstraint; settings calls in a row collide with
//! `OperationAborted`, so they go one after another; deletion wants every version and marker gone first.
//!
//! An adopted bucket keeps its settings. It gets one statement and some lifecycle rules, for the folders that
//! are ours, and loses them, and what lies in those folders, when it is released (docs/decisions/0010).

#[cfg(feature = "sdk")]
mod aws;
#[cfg(feature = "sdk")]
pub mod data_sets;
#[cfg(feature = "sdk")]
pub mod empty;
mod keys;
mod spec;
#[cfg(feature = "sdk")]
mod versioning;

#[cfg(feature = "sdk")]
pub(crate) use aws::{found, owner};
pub use keys::{Keys, Known, Which};
pub use spec::{Bucket, OwnRule, Spec, State};
