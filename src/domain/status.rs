//! The status of a resource: AWS's word and our phase.

use serde::{Deserialize, Serialize};

/// Our reading of an AWS status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Ready,
    /// AWS is working on it; it will become ready or failed without a further call.
    Busy,
    /// It will not become ready by itself.
    Failed,
    /// It is on its way out, or only what hung on it is left: nothing to build on. Its name is free when it
    /// is gone.
    Leaving,
    /// Switched off on purpose (a stopped notebook): complete, and costs less.
    Stopped,
}

/// AWS's status word, our reading, and AWS's reason where it gave one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// AWS's own word: `InService`, `Creating`, `Completed`.
    pub word: String,
    pub phase: Phase,
    pub reason: Option<String>,
}

impl Status {
    pub fn new(word: impl Into<String>, phase: Phase) -> Self {
        Self { word: word.into(), phase, reason: None }
    }

    pub fn ready(word: impl Into<String>) -> Self {
        Self::new(word, Phase::Ready)
    }

    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason.filter(|r| !r.is_empty());
        self
    }
}
