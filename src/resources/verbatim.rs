//! Values that go to AWS as they are written: what looks like a reference there is a mistake.

use crate::desired::Draft;
use crate::domain::{KeyPath, codes};

/// What begins a reference in the environment of a function, or could be taken for one. Everything else
/// after `${` is a program's own.
const BEGINNINGS: [&str; 8] =
    ["bucket}", "bucket.", "data.", "endpoint.", "function.", "model.", "notebook.", "training."];

/// Reports values that have a reference, which nobody would fill in.
pub fn refuse_references<'v>(
    values: impl IntoIterator<Item = (&'v String, impl AsRef<str>)>,
    at: &KeyPath,
    draft: &mut Draft<'_>,
) {
    let is_reference = |rest: &str| BEGINNINGS.iter().any(|beginning| rest.starts_with(beginning));
    for (name, value) in values {
        if value.as_ref().split("${").skip(1).any(is_reference) {
            // The value may be the user's secret.
            let text = "the value has a reference, and only the environment of a function may have any";
            let help = "write the name itself; `name = \"…\"` fixes that of a bucket or an endpoint";
            draft.error(codes::UNKNOWN_REFERENCE, at.join(name), text, help);
        }
    }
}
