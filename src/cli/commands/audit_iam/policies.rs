//! Policies alone, without roles: files and folders of them.

use std::fs;
use std::path::{Path, PathBuf};

use super::files;
use crate::audit::{Account, Instant};
use crate::cli::error::Failure;
use crate::run;

/// One document, or all of a folder.
pub fn policies(path: &Path, now: Instant) -> Result<Account, Failure> {
    let mut texts = Vec::new();
    if path.is_dir() {
        let mut found = Vec::new();
        json_below(path, &mut found)?;
        found.sort();
        for file in found {
            let below = file.strip_prefix(path).unwrap_or(&file).with_extension("");
            // A name with a slash would be a path to IAM.
            let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
            texts.push((parts.join("-"), files::read(&file)?));
        }
    } else {
        texts.push((name(path), files::read(path)?));
    }
    run::audit::policies(&texts, now).map_err(|why| files::refused(path, &why))
}

/// The files of a folder that end in `.json`. Links to folders are not followed, and what is hidden is
/// nobody's policy.
fn json_below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error| files::unreadable(folder, &error);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            json_below(&path, found)?;
        } else if path.extension().is_some_and(|it| it.eq_ignore_ascii_case("json")) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// What a document is called that has no name: as its file, without the ending.
pub fn name(file: &Path) -> String {
    match file.file_stem() {
        Some(stem) if file != Path::new("-") => stem.to_string_lossy().into_owned(),
        _ => "policy".to_owned(),
    }
}
