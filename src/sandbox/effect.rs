//! What operations do, by their names.

use serde::Serialize;

/// What an operation does to the account, by its verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Reads,
    Writes,
    /// Runs what is there: `Invoke`, `InvokeEndpoint`.
    Invokes,
}

const READING: &[&str] =
    &["Get", "List", "Describe", "Head", "Search", "Filter", "Simulate", "BatchGet", "Lookup", "Query"];

impl Effect {
    /// By the name of an operation.
    pub fn of(operation: &str) -> Self {
        if operation.starts_with("Invoke") {
            Self::Invokes
        } else if READING.iter().any(|verb| operation.starts_with(verb)) {
            Self::Reads
        } else {
            Self::Writes
        }
    }
}
