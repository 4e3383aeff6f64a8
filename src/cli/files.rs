//! Files that the user names: they are read up to a size, because /dev/zero would take all memory, and one
//! may have several names.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::inputs::led_to;

/// A config, a bundle of certificates.
pub const SMALL: u64 = 16;
/// A dump of 20,000 roles, more than an account can have, was 33 MB.
pub const LARGE: u64 = 256;

/// A whole file of at most so many MiB.
pub fn read(file: &Path, mebibytes: u64) -> io::Result<Vec<u8>> {
    whole(File::open(file)?, mebibytes)
}

/// The same of stdin.
pub fn stdin(mebibytes: u64) -> io::Result<Vec<u8>> {
    whole(io::stdin().lock(), mebibytes)
}

fn whole(source: impl Read, mebibytes: u64) -> io::Result<Vec<u8>> {
    let most = mebibytes << 20;
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {mebibytes} MiB"))),
        false => Ok(bytes),
    }
}

/// Where a file is, whether it is there or not.
pub struct Place {
    /// Without links on the way to it.
    path: PathBuf,
    /// Device and inode: a file may have many names.
    inode: Option<(u64, u64)>,
}

impl Place {
    /// By its name, through links.
    pub fn of(file: &Path) -> Self {
        let file = &led_to(file);
        let of_folder = || {
            let folder = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Some(folder.canonicalize().ok()?.join(file.file_name()?))
        };
        let path = file.canonicalize().ok().or_else(of_folder).unwrap_or_else(|| file.clone());
        Self { path, inode: file.metadata().ok().map(|about| (about.dev(), about.ino())) }
    }

    /// Whether both are one file.
    pub fn is(&self, other: &Self) -> bool {
        self.path == other.path || (self.inode.is_some() && self.inode == other.inode)
    }
}
