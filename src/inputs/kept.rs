//! What opsctl keeps below `.opsctl`. That folder may come with a repository, so a name in it may be
//! anybody's link, pipe or device: a link leads to somebody else's file, a pipe is waited for, and a device
//! has no end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// More than the checksums of a million files.
const LARGEST: u64 = 1 << 30;

/// Opens a file of opsctl's own, if it is one.
///
/// # Errors
/// As of opening, and for what is no file.
pub fn open_kept(file: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.custom_flags(flags.bits().cast_signed()).open(file)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a file")),
    }
}

/// Reads a file of opsctl's own.
///
/// # Errors
/// As of [`open_kept`], and for one that is larger than any of them.
pub fn read_kept(file: &Path) -> io::Result<Vec<u8>> {
    let file = open_kept(file, OpenOptions::new().read(true))?;
    if file.metadata()?.len() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a file into its place in one step, also where a link was: whoever looks finds the old one or the new
/// one.
///
/// # Errors
/// As of writing.
pub fn write_kept(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
    temporary.write_all(bytes)?;
    temporary.persist(file).map(drop).map_err(|e| e.error)
}

/// Whether a folder is in the folder that it seems to be in: neither is a link.
pub fn is_in_place(folder: &Path) -> bool {
    let is_folder = |path: &Path| path.symlink_metadata().is_ok_and(|about| about.is_dir());
    is_folder(folder) && folder.parent().is_none_or(is_folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_no_file_is_neither_read_nor_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("theirs"), "theirs").unwrap();
        symlink("theirs", path("link")).unwrap();
        // It has no end.
        symlink("/dev/zero", path("device")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RWXU).unwrap();
        std::fs::create_dir(path("folder")).unwrap();
        for name in ["link", "device", "pipe", "folder"] {
            assert!(read_kept(&path(name)).is_err(), "{name}");
        }
        assert_eq!(read_kept(&path("theirs")).unwrap(), b"theirs");
        write_kept(&path("link"), b"ours").unwrap();
        assert_eq!(std::fs::read_to_string(path("theirs")).unwrap(), "theirs");
        assert_eq!(read_kept(&path("link")).unwrap(), b"ours");
        symlink("folder", path("other")).unwrap();
        assert!(is_in_place(&path("folder")) && !is_in_place(&path("other")));
    }
}
