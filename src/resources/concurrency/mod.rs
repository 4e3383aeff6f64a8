//! Provisioned concurrency on a function's alias, never on `$LATEST`.
//!
//! Quirks (docs/aws/lambda.md#provisioned-concurrency): the account keeps at least 100 (or 10) executions
//! unreserved; READY takes minutes.

#[cfg(feature = "sdk")]
pub mod aws;
mod spec;

pub use spec::{Concurrency, Spec};
