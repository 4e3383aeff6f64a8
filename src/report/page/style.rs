//! What all that is drawn shares: text that stays text, and the classes of the style sheet.

use std::borrow::Cow;

use crate::domain::{Phase, shown};

/// Text that may hold anything, in one line.
pub fn line(text: &str) -> Cow<'_, str> {
    shown::line(text)
}

/// The class of a phase in the style sheet.
pub fn class(phase: Phase) -> &'static str {
    match phase {
        Phase::Ready => "ready",
        Phase::Busy | Phase::Leaving => "busy",
        Phase::Failed => "failed",
        Phase::Stopped => "stopped",
    }
}
