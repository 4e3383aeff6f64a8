//! Why nothing was done, and what was found when something was.

use super::difference::Difference;
use super::doctor::Check;
use super::gate::OverBudget;
use crate::aws::OpError;
use crate::domain::{Diagnostic, Diagnostics};

/// Why nothing was done.
#[derive(Debug)]
pub enum Refusal {
    /// AWS could not be read.
    Op(OpError),
    /// Somebody else holds the lease, or it could not be taken.
    Lease(OpError),
    /// Something could not be read, or is not ours to touch.
    Problems(Diagnostics),
    /// The checker disagrees with the planner: a bug.
    Unsound(Vec<String>),
    /// It is not what was shown; how it differs.
    Changed(Vec<Difference>),
    /// It is not what was saved; how it differs.
    OutOfDate(Vec<Difference>),
    OverBudget(OverBudget),
    /// The account keeps it from succeeding: all that is in the way.
    Impossible(Vec<Check>),
    /// The place cannot do it: [`super::played::Player`].
    NotHere(Diagnostic),
}

impl From<OpError> for Refusal {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

/// What AWS shows after the last step.
#[derive(Debug)]
pub enum Verified {
    AsWanted,
    /// What still differs from the config.
    Unlike(Vec<String>),
    /// It could not be read, so nobody knows.
    Unread(Refusal),
}
