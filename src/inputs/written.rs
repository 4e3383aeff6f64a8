//! The files that opsctl wrote where the user wanted them: a pulled model, a saved plan. A folder of code or
//! data is the same with and without them, as long as nobody else changes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{FileStamp, Source, read_kept, replace_json};

/// How the title of a report ends, by which it is known.
pub const PAGE_TITLE: &str = " · deployed with opsctl";
/// Bytes at the beginning of a report that have its title in them.
const HEAD: usize = 2048;

/// What a saved plan has, beside more (`report::plan::json`).
#[derive(Deserialize)]
struct SavedPlan {
    #[serde(rename = "fingerprint")]
    _fingerprint: String,
    #[serde(rename = "steps")]
    _steps: Vec<IgnoredAny>,
    #[serde(rename = "leftovers")]
    _leftovers: Vec<IgnoredAny>,
    #[serde(rename = "foreign")]
    _foreign: IgnoredAny,
}

/// Whether a file is what opsctl writes for people, by what is in it: a saved plan or a report. Of another
/// machine, or of another checkout, no [`Record`] knows.
pub fn is_output(content: &[u8]) -> bool {
    if content.starts_with(b"{") {
        return serde_json::from_slice::<SavedPlan>(content).is_ok();
    }
    let head = &content[..content.len().min(HEAD)];
    let title = format!("{PAGE_TITLE}</title>");
    content.starts_with(b"<!DOCTYPE html>") && head.windows(title.len()).any(|part| part == title.as_bytes())
}

/// The folder that holds `.opsctl`: the config's, or the one above its `config/`.
pub fn home(folder: &Path) -> PathBuf {
    let here = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    match folder.file_name() {
        Some(name) if name == "config" => here(folder.parent().unwrap_or(Path::new("."))),
        _ => here(folder),
    }
}

/// The list of what was written.
#[derive(Clone, Debug)]
pub struct Record(PathBuf);

impl Record {
    /// That of a project. `folder` is the config's.
    pub fn of(folder: &Path) -> Self {
        Self(home(folder).join(".opsctl/written.json"))
    }

    /// That of commands without a project.
    pub fn in_cache(cache: &Path) -> Self {
        Self(cache.join("written.json"))
    }

    /// What was written, by its real path.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, FileStamp> {
        let read = read_kept(&self.0).ok();
        read.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Whether something would be lost if opsctl wrote to this file: it did not write what is there, or
    /// somebody has changed it since. A pipe, a terminal and an empty file lose nothing.
    pub fn is_in_the_way(&self, file: &Path) -> bool {
        let Ok(about) = file.metadata() else { return false };
        let is_ours = || Some(*self.files().get(&file.canonicalize().ok()?)? == FileStamp::from(&about));
        about.is_file() && about.len() > 0 && !is_ours().unwrap_or(false)
    }

    /// Notes a file that was written for the user: it becomes no part of a source, and may be written again.
    pub fn note(&self, file: &Path) {
        self.note_all([file]);
    }

    /// As [`Self::note`].
    pub fn note_all<'a>(&self, files: impl IntoIterator<Item = &'a Path>) {
        let note = || -> std::io::Result<()> {
            let mut known = self.files();
            known.retain(|file, _| file.exists());
            for file in files {
                let file = file.canonicalize()?;
                let stamp = FileStamp::from(&file.metadata()?);
                known.insert(file, stamp);
            }
            std::fs::create_dir_all(self.0.parent().unwrap_or(Path::new(".")))?;
            replace_json(&self.0, &known)
        };
        if let Err(error) = note() {
            tracing::debug!(%error, "not noted");
        }
    }
}

/// The source that contains a file. `folder` is the config's.
pub fn source_of<'s>(folder: &Path, file: &Path, sources: &'s [Source]) -> Option<&'s Source> {
    let file = file.canonicalize().ok()?;
    let holds =
        |source: &&Source| folder.join(&source.path).canonicalize().is_ok_and(|root| file.starts_with(root));
    sources.iter().find(holds)
}
