//! Proof of death on this machine: a run that holds a lease keeps a file locked, and the system unlocks it
//! when the run ends, however it ends. The file is named by the lease's random token, so whoever finds it
//! shares the holder's folder; that it was locked under the same boot tells shared network folders apart,
//! whose locks may be local to each machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::inputs::{is_in_place, open_kept, read_kept};

/// A locked file, for as long as this lives.
#[derive(Debug)]
pub(super) struct Proof {
    path: PathBuf,
    _locked: File,
}

impl Proof {
    /// Without one (a folder that cannot be written), others have to wait for the lease to expire.
    pub(super) fn of(folder: &Path, token: &str) -> Option<Self> {
        let path = at(folder, token)?;
        let leases = path.parent()?;
        std::fs::create_dir_all(leases).ok().filter(|()| is_in_place(folder) && is_in_place(leases))?;
        let mut file = File::create_new(&path).ok()?;
        file.try_lock().ok()?;
        file.write_all(mark(&file)?.as_bytes()).ok()?;
        Some(Self { path, _locked: file })
    }

    /// The lease was given back: nobody will ask any more.
    pub(super) fn remove(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether the holder of the lease with this token ran on this machine and is gone.
pub(super) fn is_dead(folder: &Path, token: &str) -> bool {
    let Some(path) = at(folder, token) else { return false };
    let (Ok(file), Ok(written)) = (open_kept(&path, OpenOptions::new().read(true)), read_kept(&path)) else {
        return false;
    };
    mark(&file).is_some_and(|mark| written == mark.as_bytes())
        && !matches!(file.try_lock(), Err(TryLockError::WouldBlock | TryLockError::Error(_)))
}

/// The dead holder's lease was taken over. Until then the proof stays: taking over may fail, and be tried
/// again.
pub(super) fn forget(folder: &Path, token: &str) {
    if let Some(path) = at(folder, token) {
        let _ = std::fs::remove_file(path);
    }
}

/// The token is read from the bucket: only what looks like one becomes part of a path.
fn at(folder: &Path, token: &str) -> Option<PathBuf> {
    let is_token = token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit());
    is_token.then(|| folder.join("leases").join(token))
}

/// Under which boot, and in which file: a copy of the folder has files of the same name that nobody locks.
fn mark(file: &File) -> Option<String> {
    let of = file.metadata().ok()?;
    Some(format!("{} {} {}", boot()?, of.dev(), of.ino()))
}

/// The kernel's name for this boot of the machine; only Linux has one that can be read.
fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_surely_dead_is_dead() {
        let folder = tempfile::tempdir().unwrap();
        let token = "0123456789abcdef0123456789abcdef";
        assert!(!is_dead(folder.path(), token), "nobody knows it");
        let alive = Proof::of(folder.path(), token).unwrap();
        assert!(!is_dead(folder.path(), token), "it lives");
        let path = alive.path.clone();
        drop(alive); // as a kill does
        std::fs::write(&path, "another boot").unwrap();
        assert!(!is_dead(folder.path(), token), "locked elsewhere");
        let here = mark(&File::open(&path).unwrap()).unwrap();
        std::fs::write(&path, &here).unwrap();
        assert!(is_dead(folder.path(), token));
        let copied = tempfile::tempdir().unwrap();
        std::fs::create_dir(copied.path().join("leases")).unwrap();
        std::fs::copy(&path, copied.path().join("leases").join(token)).unwrap();
        assert!(!is_dead(copied.path(), token), "a copy of the folder, whoever holds the lease");
        assert!(is_dead(folder.path(), token), "taking over may have failed");
        forget(folder.path(), token);
        assert!(!path.exists() && !is_dead(folder.path(), token), "taken over");
        for hostile in ["../../../../etc/passwd", "", "g123456789abcdef0123456789abcdef"] {
            assert!(Proof::of(folder.path(), hostile).is_none() && !is_dead(folder.path(), hostile));
        }
    }
}
