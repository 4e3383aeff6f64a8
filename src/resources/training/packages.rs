//! `packages`: what is packed as `requirements.txt` beside code that has none. AWS's toolkits install such a
//! file, and so does the user data of an EC2 job.

use crate::desired::Draft;
use crate::domain::{Crc64, KeyPath, codes};
use crate::inputs::{self, Tree};

/// The file's name in the archive.
pub const FILE: &str = "requirements.txt";

/// The content of the file; empty where nothing is named.
pub fn file(packages: &[String]) -> Vec<u8> {
    packages.iter().flat_map(|package| format!("{package}\n").into_bytes()).collect()
}

/// The digest of a folder of code with the file in it.
pub fn digest(tree: &Tree, packages: &[String]) -> String {
    if packages.is_empty() {
        return tree.code_digest();
    }
    let file = file(packages);
    let files = tree.entries.iter().map(|e| (&*e.path, e.size(), e.crc.expect("code is read by the walk")));
    inputs::digest(files.chain([(FILE, file.len() as u64, Crc64::of(&file))]))
}

/// Refuses what pip would not take, and packages that nobody would install.
pub fn judge(packages: &[String], has_source: bool, at: &KeyPath, draft: &mut Draft<'_>) {
    for (place, package) in packages.iter().enumerate() {
        let word = package.trim();
        if word.is_empty() || word.starts_with(['-', '#']) || word.contains(['\n', '\r']) {
            let text = format!("{package:?} is not a package");
            let help = "write one as pip takes it (`torch==2.6.0`); options go into a requirements.txt";
            draft.error(codes::BAD_VALUE, at.join(place.to_string()), text, help);
        }
    }
    if !packages.is_empty() && !has_source {
        let text = "nothing is installed where there is no `source`";
        let help = "leave `packages` out: the image has what its program needs";
        draft.error(codes::BAD_VALUE, at.clone(), text, help);
    }
}

/// Refuses packages beside a file that names others.
pub fn judge_beside(packages: &[String], tree: &Tree, at: &KeyPath, draft: &mut Draft<'_>) {
    if !packages.is_empty() && tree.entry(FILE).is_some() {
        let text = format!("`source` has a {FILE}, which is what is installed");
        let help = format!("name them there, or exclude = [\"/{FILE}\"]");
        draft.error(codes::BAD_VALUE, at.clone(), text, help);
    }
}
