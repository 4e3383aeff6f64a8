//! Files that are written where the user says: whole or not at all. Nothing but a regular file is replaced.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::part;

/// A file that is being written. What is at its place changes in [`Output::finish`], and not before: a disk
/// that is full, or an answer that breaks off, leaves the old one.
#[derive(Debug)]
pub struct Output {
    file: PathBuf,
    content: NamedTempFile,
    end: End,
}

#[derive(Debug)]
enum End {
    /// In one step, over what is there.
    Rename,
    /// What is there stays, and is written to: a device, a pipe, or a file that could not be made again with
    /// the same owner and links.
    Through,
}

impl Output {
    /// A file that the user named. A link is followed, as `>` of a shell follows it.
    pub fn named(file: &Path) -> io::Result<Self> {
        // What a link leads to may have no path: a pipe that /dev/stdout is.
        let place = match fs::symlink_metadata(file) {
            Ok(about) if about.is_symlink() => fs::canonicalize(file).ok(),
            _ => Some(file.to_owned()),
        };
        let Some(place) = place else { return Self::through(file) };
        let old = match fs::metadata(&place) {
            Ok(about) if !about.is_file() && !about.is_dir() => return Self::through(file),
            Ok(about) => {
                // A rename would not ask.
                OpenOptions::new().write(true).open(&place)?;
                Some(about)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The folder's own error, without the name of a temporary file.
                fs::metadata(folder(&place))?;
                None
            }
            Err(error) => return Err(error),
        };
        part::remove_left(folder(&place));
        let content = match part::file(folder(&place)) {
            Err(error) if old.is_some() && error.kind() == io::ErrorKind::PermissionDenied => {
                return Self::through(file);
            }
            content => content?,
        };
        let end = match old {
            Some(old) if !is_like(&content.as_file().metadata()?, &old) => return Self::through(file),
            Some(old) => {
                content.as_file().set_permissions(old.permissions())?;
                End::Rename
            }
            None => End::Rename,
        };
        Ok(Self { file: place, content, end })
    }

    /// A file of a folder that is filled: a link in it is replaced, because it may lead out of the folder.
    pub fn inside(file: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(file) {
            Ok(about) if !about.is_file() && !about.is_symlink() => Err(io::Error::other("it is not a file")),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self { file: file.to_owned(), content: part::file(folder(file))?, end: End::Rename }),
        }
    }

    fn through(file: &Path) -> io::Result<Self> {
        Ok(Self { file: file.to_owned(), content: part::temporary()?, end: End::Through })
    }

    /// Where it is put: what a link leads to.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What is written so far.
    pub fn content(&self) -> &File {
        self.content.as_file()
    }

    /// Puts the content in its place. A pipe waits for its reader.
    pub fn finish(self) -> io::Result<()> {
        match self.end {
            End::Rename => self.content.persist(&self.file).map(drop).map_err(|e| e.error),
            End::Through => {
                let mut content = self.content.into_file();
                content.rewind()?;
                let mut place =
                    OpenOptions::new().write(true).create(true).truncate(true).open(&self.file)?;
                io::copy(&mut content, &mut place)?;
                place.flush()
            }
        }
    }
}

/// What would be written at the end of the links that a path may be: one may lead nowhere yet.
pub fn led_to(path: &Path) -> PathBuf {
    /// As many links one after the other as Linux follows.
    const LINKS: usize = 40;
    let mut place = path.to_owned();
    for _ in 0..LINKS {
        match place.read_link() {
            Ok(target) if !place.exists() => place = folder(&place).join(target),
            _ => break,
        }
    }
    place
}

/// Writes a file that the user named.
pub fn write(file: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let output = Output::named(file)?;
    output.content().write_all(bytes.as_ref())?;
    output.finish()
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether nobody sees that the one was put in the place of the other.
fn is_like(new: &Metadata, old: &Metadata) -> bool {
    old.nlink() == 1 && (new.uid(), new.gid()) == (old.uid(), old.gid())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    use super::*;

    fn tempdir() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn files(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_written() {
        let folder = tempdir();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("real"), "old").unwrap();
        fs::set_permissions(path("real"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink("real", path("link")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        for (link, real) in [("link", "real"), ("dangling", "nowhere")] {
            write(&path(link), "new").unwrap();
            assert!(fs::symlink_metadata(path(link)).unwrap().is_symlink(), "{link}");
            assert_eq!(fs::read_to_string(path(real)).unwrap(), "new");
        }
        assert_eq!(fs::metadata(path("real")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(files(folder.path()), ["dangling", "link", "nowhere", "real"]);
    }

    #[test]
    fn a_device_and_a_pipe_stay_what_they_are() {
        let folder = tempdir();
        let path = |name: &str| folder.path().join(name);
        // By way of links, so that a fault does not harm the machine.
        symlink("/dev/null", path("null")).unwrap();
        symlink("/dev/full", path("full")).unwrap();
        write(&path("null"), "x").unwrap();
        assert_eq!(write(&path("full"), "x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        for device in ["null", "full"] {
            assert!(fs::symlink_metadata(path(device)).unwrap().is_symlink());
            assert!(fs::metadata(path(device)).unwrap().file_type().is_char_device());
        }
        let pipe = path("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        write(&pipe, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        assert!(Output::inside(&pipe).is_err(), "a folder that is filled has files");
    }

    #[test]
    fn what_is_not_finished_leaves_the_old_file() {
        let folder = tempdir();
        let file = folder.path().join("plan.json");
        write(&file, "old, and longer").unwrap();
        for output in [Output::named(&file), Output::inside(&file)] {
            let output = output.unwrap();
            output.content().write_all(b"half").unwrap();
            drop(output);
            assert_eq!(fs::read_to_string(&file).unwrap(), "old, and longer");
        }
        write(&file, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(files(folder.path()), ["plan.json"]);
    }

    #[test]
    fn a_file_of_two_names_keeps_both() {
        let folder = tempdir();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "old").unwrap();
        fs::hard_link(path("a"), path("b")).unwrap();
        write(&path("a"), "new").unwrap();
        assert_eq!(fs::read_to_string(path("b")).unwrap(), "new");
        assert_eq!(write(folder.path(), "x").unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
