//! The checksums of files that did not change since they were read: one file per folder of data.
//!
//! An entry counts only when size, both times and the inode are still the same (git's and rsync's quick
//! check), and when the file was older than the look that wrote it: a write in the same tick of the clock
//! leaves no trace in the times (git's "racy" rule, <https://git-scm.com/docs/racy-git>).

use std::collections::{BTreeMap, HashMap};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{FileStamp, Tree, UseAs, is_in_place, read_kept};
use crate::domain::Crc64;

#[derive(Serialize, Deserialize)]
struct Known<F> {
    format: u32,
    /// [`Tree::seen_at`] of the run that wrote it.
    seen_at: i64,
    /// By path: the stamp and the checksum.
    files: F,
}

const FORMAT: u32 = 1;

/// Nanoseconds by which a kernel's file times may lag: two ticks of its clock.
const TICK: i64 = 20_000_000;
/// The same where times have whole seconds only (FAT counts in twos).
const COARSE: i64 = 2_000_000_000;

fn file_of(tree: &Tree, use_as: &UseAs, cache: &Path) -> Option<PathBuf> {
    let root = tree.root.canonicalize().ok()?;
    let name = blake3::hash(format!("{}\0{use_as:?}", root.display()).as_bytes()).to_hex();
    Some(cache.join(format!("files-{}.json", &name[..16])))
}

/// Takes pipes, devices and the like out of a cache folder: a file that is read there would be waited for, or
/// never end. What is not a file was never ours to keep, and holds nothing. Through a link it would be
/// somebody else's: neither the cache nor the folder that it is in may be one.
pub fn clear_of_pipes(cache: &Path) {
    if !is_in_place(cache) {
        return;
    }
    for entry in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        let path = entry.path();
        let about = path.metadata();
        if path.symlink_metadata().is_ok_and(|about| about.is_dir()) {
            clear_of_pipes(&path);
        } else if about.is_ok_and(|about| !about.is_file() && !about.is_dir()) {
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn is_older(stamp: FileStamp, seen_at: i64) -> bool {
    let slack = if stamp.modified % 1_000_000_000 == 0 { COARSE } else { TICK };
    stamp.modified.max(stamp.changed) < seen_at - slack
}

pub(super) fn recall(tree: &mut Tree, use_as: &UseAs, cache: &Path) {
    let read = || -> Option<Known<HashMap<String, (FileStamp, Crc64)>>> {
        serde_json::from_slice(&read_kept(&file_of(tree, use_as, cache)?).ok()?).ok()
    };
    let Some(known) = read().filter(|known| known.format == FORMAT) else { return };
    for entry in tree.entries.iter_mut().filter(|e| e.crc.is_none()) {
        entry.crc = match known.files.get(&*entry.path) {
            Some((stamp, crc)) if *stamp == entry.stamp && is_older(*stamp, known.seen_at) => Some(*crc),
            _ => None,
        };
    }
}

pub(super) fn remember(tree: &Tree, use_as: &UseAs, cache: &Path) {
    let write = || -> Option<()> {
        let file = file_of(tree, use_as, cache)?;
        std::fs::create_dir_all(cache).ok().filter(|()| is_in_place(cache))?;
        let files = tree.entries.iter().filter_map(|e| Some((&*e.path, (e.stamp, e.crc?))));
        let files: BTreeMap<_, _> = files.collect();
        replace_json(&file, &Known { format: FORMAT, seen_at: tree.seen_at, files }).ok()
    };
    if write().is_none() {
        tracing::debug!(cache = %cache.display(), "checksums could not be kept");
    }
}

/// Puts a file into its place in one step: whoever looks finds the old one or the new one.
pub fn replace_json(file: &Path, content: &impl Serialize) -> std::io::Result<()> {
    let mut temporary = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
    let mut writer = BufWriter::new(&mut temporary);
    serde_json::to_writer(&mut writer, content)?;
    writer.flush()?;
    drop(writer);
    temporary.persist(file).map(drop).map_err(|e| e.error)
}
