//! The files that opsctl wrote where the user wanted them: a pulled model, a saved plan. A folder of code or
//! data is the same with and without them, as long as nobody else changes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{FileStamp, Source, read_kept, replace_json};

/// The folder that holds `.opsctl`: the config's, or the one above its `config/`.
pub fn home(folder: &Path) -> PathBuf {
    let here = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    match folder.file_name() {
        Some(name) if name == "config" => here(folder.parent().unwrap_or(Path::new("."))),
        _ => here(folder),
    }
}

fn record(folder: &Path) -> PathBuf {
    home(folder).join(".opsctl/written.json")
}

/// What was written, by its real path. `folder` is the config's.
pub(super) fn written(folder: &Path) -> BTreeMap<PathBuf, FileStamp> {
    let read = read_kept(&record(folder)).ok();
    read.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Whether opsctl wrote a file, and nobody has changed it since. `folder` is the config's.
pub fn is_as_written(folder: &Path, file: &Path) -> bool {
    let noted = || {
        let file = file.canonicalize().ok()?;
        Some(*written(folder).get(&file)? == FileStamp::from(&file.metadata().ok()?))
    };
    noted().unwrap_or(false)
}

/// The source that contains a file. `folder` is the config's.
pub fn source_of<'s>(folder: &Path, file: &Path, sources: &'s [Source]) -> Option<&'s Source> {
    let file = file.canonicalize().ok()?;
    let holds =
        |source: &&Source| folder.join(&source.path).canonicalize().is_ok_and(|root| file.starts_with(root));
    sources.iter().find(holds)
}

/// Notes a file that was written for the user, so that it becomes no part of a source. `folder` is the
/// config's.
pub fn note_written(folder: &Path, file: &Path) {
    let note = || -> std::io::Result<()> {
        let record = record(folder);
        let mut known = written(folder);
        known.retain(|file, _| file.exists());
        let file = file.canonicalize()?;
        let stamp = FileStamp::from(&file.metadata()?);
        known.insert(file, stamp);
        std::fs::create_dir_all(record.parent().unwrap_or(Path::new(".")))?;
        replace_json(&record, &known)
    };
    if let Err(error) = note() {
        tracing::debug!(file = %file.display(), %error, "not noted");
    }
}
