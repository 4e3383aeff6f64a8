//! What runs in the function: the user's folder, or our own handler.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::archive;
use crate::inputs::{Inputs, Tree};

/// Our own: passes the event to the endpoint and answers in the shape of the original case
/// (config/dog-breeds.toml).
const TEMPLATE: &str = include_str!("handler.py");
/// `<module>.<function>` of [`TEMPLATE`].
pub const TEMPLATE_HANDLER: &str = "handler.lambda_handler";

/// The zip of a folder, or of our own handler: the same bytes for the same files.
pub fn zip(tree: Option<&Tree>) -> Vec<u8> {
    match tree {
        Some(tree) => {
            let files: Vec<_> = tree.entries.iter().map(|e| (&*e.path, e.content.as_slice())).collect();
            archive::zip(&files)
        }
        None => archive::zip(&[("handler.py", TEMPLATE.as_bytes())]),
    }
}

/// The zip that a spec means.
pub fn of_spec(source: Option<&Path>, inputs: &Inputs) -> Vec<u8> {
    zip(source.and_then(|path| inputs.code(path)))
}

/// Lambda's own digest of a zip, by which it tells whether code changed: base64 of SHA-256.
pub fn sha256(zip: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(zip))
}
