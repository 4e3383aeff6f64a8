//! The code of the function: the user's folder, or our own handler.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::archive;
use crate::inputs::{Inputs, Tree, UseAs};

/// Our own: passes the event to the endpoint and answers in the shape of the original case
/// (config/dog-breeds.toml).
const TEMPLATE: &str = include_str!("handler.py");
/// `<module>.<function>` of `TEMPLATE`.
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

/// The zip of a folder with packages beside its files; where both have a file, the folder's own is meant.
pub fn with_packages(tree: &Tree, packages: &[(String, Vec<u8>)]) -> Vec<u8> {
    let own = tree.entries.iter().map(|e| (&*e.path, e.content.as_slice()));
    let theirs = packages.iter().map(|(path, content)| (path.as_str(), content.as_slice()));
    let files: Vec<_> = theirs.filter(|(path, _)| tree.entry(path).is_none()).chain(own).collect();
    archive::zip(&files)
}

/// Where a zip is in the bucket: by its content.
pub fn key(folder: &str, zip: &[u8]) -> String {
    let digest: String = Sha256::digest(zip).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{folder}{digest}.zip")
}

/// What the digest of code with packages begins with.
pub const PACKED: &str = "packed-";

/// What code with packages is known by before they are installed.
pub fn digest(code_sha256: &str, packages: &str) -> String {
    let digest = blake3::hash(format!("{code_sha256}\0{packages}").as_bytes());
    format!("{PACKED}{}", &digest.to_hex()[..16])
}

/// The zip that a spec means.
pub fn of_spec(source: Option<&Path>, use_as: &UseAs, inputs: &Inputs) -> Vec<u8> {
    zip(source.and_then(|path| inputs.accepted(path, use_as)))
}

/// Lambda's own digest of a zip, by which it detects changed code: base64 of SHA-256.
pub fn sha256(zip: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(zip))
}
