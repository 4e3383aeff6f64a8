//! `requirements.txt` of a function: which packages are put beside its code, and what they are known by.

use std::path::PathBuf;

use serde::Serialize;

use super::code;
use crate::desired::Draft;
use crate::domain::{KeyPath, codes};
use crate::inputs::Tree;

/// The file that pip reads, where it is there.
pub const LOCK: &str = "requirements.lock";
/// The file that pip reads, where there is no lock.
pub const FILE: &str = "requirements.txt";

/// What is installed for a function.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Packages {
    /// Of the requirements, their lock and the machine: the same packages for the same digest.
    pub digest: String,
    /// The folder with the requirements.
    #[serde(skip)]
    pub root: PathBuf,
    /// Within it.
    #[serde(skip)]
    pub file: &'static str,
    #[serde(skip)]
    pub runtime: String,
    #[serde(skip)]
    pub architecture: String,
}

/// What a folder asks for that it does not have. Where everything is in the folder already, or in Lambda's
/// runtime, nothing is installed.
pub fn wanted(
    tree: &Tree,
    runtime: &str,
    architecture: &str,
    at: &KeyPath,
    draft: &mut Draft<'_>,
) -> Option<Packages> {
    let file = if tree.entry(LOCK).is_some() { LOCK } else { FILE };
    let text = String::from_utf8_lossy(&tree.entry(file)?.content);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines().filter(|line| must_be_built(line)) {
        let message = format!("the function will not have `{line}`: only wheels are installed for Lambda");
        let help = "put the package into the folder, or name a wheel of it";
        draft.error(codes::NOT_INSTALLED, at.clone(), message, help);
    }
    let includes = lines().any(|line| line.starts_with("-r") || line.starts_with("--requirement"));
    if !includes && code::not_packed(tree).is_empty() {
        return None;
    }
    let mut digest = blake3::Hasher::new();
    digest.update(format!("{file}\0{runtime}\0{architecture}\n").as_bytes());
    // Requirements name others: constraints, hashes, more requirements.
    let is_read = |path: &str| {
        !path.contains('/') && [".txt", ".lock", ".in", ".toml"].iter().any(|end| path.ends_with(end))
    };
    for entry in tree.entries.iter().filter(|entry| is_read(&entry.path)) {
        digest.update(format!("{}\0{}\n", entry.path, entry.size()).as_bytes());
        digest.update(&entry.content);
    }
    Some(Packages {
        digest: digest.finalize().to_hex()[..16].to_owned(),
        root: tree.root.clone(),
        file,
        runtime: runtime.to_owned(),
        architecture: architecture.to_owned(),
    })
}

/// Whether pip would have to build it on this machine: folders, repositories.
fn must_be_built(line: &str) -> bool {
    let begins = ["-e", "--editable", ".", "/", "git+", "hg+", "svn+", "file:"];
    begins.iter().any(|begin| line.starts_with(begin))
        || ["@ git+", "@ hg+", "@ svn+", "@ file:"].iter().any(|within| line.contains(within))
}
