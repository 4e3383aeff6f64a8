//! An IAM role for one user of it, with one generated inline policy of exact ARNs (docs/decisions/0025),
//! under the path `/opsctl/<project>/<environment>/`. Roles of EC2 instances have an instance profile of the
//! same name.
//!
//! Quirks (docs/aws/iam.md#deleting-a-role): documents come back URL-encoded; deletion does not cascade.

#[cfg(feature = "sdk")]
mod aws;
pub mod policy;
mod rights;
mod spec;

pub use rights::{Assumed, Permission, Rights};
pub use spec::{Assumer, Role, Spec};
