//! What opsctl is still writing has a name of its own: a run that was killed leaves it behind. No source and
//! no data set has it, and the next run that writes there removes it. What is being written is locked; but on
//! some network file systems a lock holds on its own machine alone (NFS with `local_lock`, SMB with `nobrl`),
//! so what another machine wrote is left until nobody has written to it for a long time.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use tempfile::{Builder, NamedTempFile, TempDir};

use super::open_kept;

const BEGIN: &str = ".opsctl-";
const END: &str = ".part";
/// Which machine has made it.
const MARK: usize = 3;
const RANDOM: usize = 3;
/// The same as a pattern of gitignore.
pub(super) const PATTERN: &str = ".opsctl-??????.part";
/// Another machine's is not written to any more: no transfer is silent for so long, and no clock so wrong.
const OLD: Duration = Duration::from_secs(7 * 86_400);

/// A file. It is readable as any new file is.
pub(super) fn file(folder: &Path) -> io::Result<NamedTempFile> {
    made(folder, 0o666)
}

/// A file for its owner alone, where temporary files are. Those that were left there are removed.
pub(super) fn temporary() -> io::Result<NamedTempFile> {
    let folder = tempfile::env::temp_dir();
    remove_left(&folder);
    made(&folder, 0o600)
}

fn made(folder: &Path, mode: u32) -> io::Result<NamedTempFile> {
    loop {
        let mode = Permissions::from_mode(mode);
        let begin = begin();
        let mut name = Builder::new();
        let name = name.prefix(&begin).suffix(END).rand_bytes(RANDOM);
        let file = name.permissions(mode).tempfile_in(folder)?;
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
    /// One in a folder of opsctl's own, or where temporary files are, from which it removes those that were
    /// left there.
    ///
    /// # Errors
    /// As of making one.
    pub fn new(place: &Path) -> io::Result<Self> {
        remove_left(place);
        loop {
            let begin = begin();
            let mut name = Builder::new();
            let folder = name.prefix(&begin).suffix(END).rand_bytes(RANDOM).tempdir_in(place)?;
            // Before it is locked another run may take it for one that was left.
            let lock = match File::open(folder.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            if is_kept(&lock, folder.path()) {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    /// One where temporary files are.
    ///
    /// # Errors
    /// As of making one.
    pub fn temporary() -> io::Result<Self> {
        Self::new(&tempfile::env::temp_dir())
    }

    /// Where it is until it is whole.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Stands for this machine since it was started: whoever has the same mark shares its locks. `None` where the
/// system does not tell.
static OWN: LazyLock<Option<String>> = LazyLock::new(|| {
    // Read once, and of the same kernel in every container.
    let boot = fs::read("/proc/sys/kernel/random/boot_id").ok().filter(|id| !id.is_empty())?;
    Some(blake3::hash(&boot).to_hex()[..MARK].to_owned())
});

fn begin() -> String {
    format!("{BEGIN}{}", OWN.as_deref().unwrap_or("---"))
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
        if !is_own(&name) && !is_old(&left) {
            continue;
        }
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        drop(left);
        tracing::debug!(path = %path.display(), ?removed, "a killed run left it");
    }
}

fn is_part(name: &str) -> bool {
    let middle = name.strip_prefix(BEGIN).and_then(|name| name.strip_suffix(END));
    let is_ours = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    middle.is_some_and(|middle| middle.len() == MARK + RANDOM && middle.bytes().all(is_ours))
}

/// Whether this machine has made it: then its lock says whether it is being written.
fn is_own(name: &OsStr) -> bool {
    let rest = name.to_str().and_then(|name| name.strip_prefix(BEGIN));
    rest.zip(OWN.as_deref()).is_some_and(|(rest, own)| rest.starts_with(own))
}

fn is_old(left: &File) -> bool {
    let written = left.metadata().and_then(|about| about.modified());
    written.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > OLD))
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
        let own = |random: &str| format!("{}{random}{END}", begin());
        fs::write(path(&own("xyz")), "half").unwrap();
        fs::create_dir(path(&own("xyy"))).unwrap();
        fs::write(path(&own("xyy")).join("x"), "half").unwrap();
        let others = [".opsctl-aB3xyz.part2", ".opsctl-notes.part", "opsctl-aB3xyz.part", ".tmpAb12cd"];
        others.iter().for_each(|name| fs::write(path(name), "theirs").unwrap());
        std::os::unix::fs::symlink(".tmpAb12cd", path(&own("xyx"))).unwrap();
        remove_left(place.path());
        assert!(!path(&own("xyz")).exists() && !path(&own("xyy")).exists());
        assert!(writing.path().exists() && filling.path().exists());
        assert!(others.iter().all(|name| path(name).exists()));
        drop(writing);
        drop(filling);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), others.len() + 1, "the link too");
    }

    /// Whoever begins at the same time looks for what was left, too.
    #[test]
    fn many_begin_in_one_place() {
        let place = tempfile::tempdir().unwrap();
        let begin = || (0..200).for_each(|_| assert!(PartFolder::new(place.path()).unwrap().path().exists()));
        std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(begin))));
    }

    /// Its lock may hold there alone.
    #[test]
    fn what_another_machine_writes_stays_until_it_is_old() {
        let place = tempfile::tempdir().unwrap();
        let (file, folder) =
            (place.path().join(".opsctl-ZZZxyz.part"), place.path().join(".opsctl-ZZZxyy.part"));
        fs::write(&file, "half").unwrap();
        fs::create_dir(&folder).unwrap();
        remove_left(place.path());
        assert!(file.exists() && folder.exists());
        for path in [&file, &folder] {
            File::open(path).unwrap().set_modified(SystemTime::now() - OLD - OLD).unwrap();
        }
        remove_left(place.path());
        assert!(!file.exists() && !folder.exists());
    }
}
