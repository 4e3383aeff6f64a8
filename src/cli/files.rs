//! Reading files that the user names, up to a size: /dev/zero would take all memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

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
