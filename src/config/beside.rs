//! Configs beside the config: nothing that a program reads.

use std::fs;
use std::path::{Path, PathBuf};

use super::Document;
use super::project::SHARED_KEYS;

/// A config is smaller, and other files are not read for it.
const LARGEST: u64 = 1 << 20;

/// The files of the config's folder that are configs of opsctl, such as one for each environment, by what is
/// in them.
pub fn configs(document: &Document, sections: &[&'static str]) -> Vec<PathBuf> {
    let found = fs::read_dir(document.folder()).into_iter().flatten().filter_map(|entry| {
        let file = entry.ok()?.path();
        is_config(&file, sections).then(|| std::path::absolute(file).ok()).flatten()
    });
    found.collect()
}

fn is_config(file: &Path, sections: &[&'static str]) -> bool {
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    // A package's, whatever it has.
    let is_package = file.file_name().is_some_and(|name| name == "pyproject.toml");
    let is_small = || file.metadata().is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
    if !is_toml || is_package || !is_small() {
        return false;
    }
    let read = fs::read_to_string(file).ok().and_then(|text| Document::parse(file, text).ok());
    read.is_some_and(|document| {
        let values = document.values();
        let is_known = |key: &String| SHARED_KEYS.contains(&key.as_str()) || sections.contains(&key.as_str());
        values.get("project").is_some_and(|project| project["name"].is_string())
            && values.keys().all(is_known)
    })
}
