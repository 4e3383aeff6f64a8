//! What opsctl is still writing has a name of its own: a run that was killed leaves it behind. No source and
//! no data set has it, and the next run that writes there removes it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::{Builder, NamedTempFile, TempDir};

use super::open_kept;

const BEGIN: &str = ".opsctl-";
const END: &str = ".part";
const RANDOM: usize = 6;
/// The same as a pattern of gitignore.
pub(super) const PATTERN: &str = ".opsctl-??????.part";

/// A file. It is readable as any new file is; without the mode a temporary one is for its owner alone.
pub(super) fn file(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let mode = Permissions::from_mode(0o666);
        let file = Builder::new()
            .prefix(BEGIN)
            .suffix(END)
            .rand_bytes(RANDOM)
            .permissions(mode)
            .tempfile_in(folder)?;
        if is_kept(file.as_file(), file.path()) {
            return Ok(file);
        }
    }
}

/// A folder that is being filled.
#[derive(Debug)]
pub struct PartFolder {
    folder: TempDir,
    _lock: File,
}

impl PartFolder {
    /// One in a folder of opsctl's own, from which it removes those that were left there.
    ///
    /// # Errors
    /// As of making one.
    pub fn new(place: &Path) -> io::Result<Self> {
        remove_left(place);
        loop {
            let folder = Builder::new().prefix(BEGIN).suffix(END).rand_bytes(RANDOM).tempdir_in(place)?;
            let lock = File::open(folder.path())?;
            if is_kept(&lock, folder.path()) {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    /// Where it is until it is whole.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Locks it for as long as it is open. Another run may have removed it just before.
fn is_kept(file: &File, path: &Path) -> bool {
    // Where there are no locks, nobody has this one, and nobody removes it.
    let _ = file.lock();
    path.exists()
}

/// Removes what killed runs have left in a folder. What is locked is still being written.
pub fn remove_left(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if !name.to_str().is_some_and(is_part) {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let opened = match is_folder {
            true => File::open(&path),
            false => open_kept(&path, OpenOptions::new().read(true)),
        };
        let Ok(left) = opened.and_then(|left| left.try_lock().map(|()| left).map_err(Into::into)) else {
            continue;
        };
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        drop(left);
        tracing::debug!(path = %path.display(), ?removed, "a killed run left it");
    }
}

fn is_part(name: &str) -> bool {
    let middle = name.strip_prefix(BEGIN).and_then(|name| name.strip_suffix(END));
    middle.is_some_and(|middle| middle.len() == RANDOM && middle.bytes().all(|c| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_stays_and_what_was_left_goes() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let (writing, filling) = (file(place.path()).unwrap(), PartFolder::new(place.path()).unwrap());
        assert!(is_part(writing.path().file_name().unwrap().to_str().unwrap()));
        // As of a process that was killed.
        fs::write(path(".opsctl-aB3xyz.part"), "half").unwrap();
        fs::create_dir(path(".opsctl-aB3xyy.part")).unwrap();
        fs::write(path(".opsctl-aB3xyy.part/x"), "half").unwrap();
        let others = [".opsctl-aB3xyz.part2", ".opsctl-notes.part", "opsctl-aB3xyz.part", ".tmpAb12cd"];
        others.iter().for_each(|name| fs::write(path(name), "theirs").unwrap());
        std::os::unix::fs::symlink(".tmpAb12cd", path(".opsctl-aB3xyx.part")).unwrap();
        remove_left(place.path());
        assert!(!path(".opsctl-aB3xyz.part").exists() && !path(".opsctl-aB3xyy.part").exists());
        assert!(writing.path().exists() && filling.path().exists());
        assert!(others.iter().all(|name| path(name).exists()));
        drop(writing);
        drop(filling);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), others.len() + 1, "the link too");
    }
}
