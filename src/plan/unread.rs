//! What is said of something that could not be read.

use crate::desired::Desired;
use crate::domain::{Code, Diagnostic, ResourceId, codes};

/// That something could not be read.
pub(super) fn unreadable(want: &Desired, id: &ResourceId, why: &str, code: Code) -> Diagnostic {
    let help = match code {
        codes::DENIED => "nothing was changed; allow the call and run it again",
        _ => "nothing was changed; run it again in a moment",
    };
    let at = want.origin.get(id).cloned().unwrap_or_default();
    Diagnostic::error(code, at, format!("{id} could not be read: {why}"), help)
}
