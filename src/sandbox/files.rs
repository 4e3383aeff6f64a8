//! Files: names for keys, and atomic writes.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::fs::OFlags;

/// Everything but these characters is escaped in file names.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// File systems allow 255 bytes; `.json` and the ending of the temporary file have to fit too.
const LONGEST_FILE_NAME: usize = 200;

/// A key as a file name: readable where possible, a hash where it would be too long.
pub fn file_name(key: &str) -> String {
    let readable = utf8_percent_encode(key, ESCAPED).to_string();
    if readable.len() <= LONGEST_FILE_NAME && !readable.starts_with('.') {
        return readable;
    }
    format!("hash-{}", blake3::hash(key.as_bytes()).to_hex())
}

/// Replaces `path` so that a kill at any moment leaves the old bytes or the new ones. It does not sync: what
/// the operating system has taken survives the death of the process, and the sandbox promises no more.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    // Whatever a kill has left there, or somebody has put there, is not written into.
    remove_if_there(temporary.as_ref())?;
    let mut open = File::options();
    open.write(true).create_new(true).mode(0o600).open(&temporary)?.write_all(bytes)?;
    std::fs::rename(&temporary, path)
}

/// Removes a file; one that is not there is as good.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The sandbox's own documents are small.
const LARGEST: u64 = 64 << 20;

/// Reads a file of the sandbox's own, and nothing else: a pipe would be waited for, a device has no end, and
/// a link leads to somebody else's.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if about.len() > LARGEST {
        return Err(io::Error::other("it is too large"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same, as text; none when it cannot be read.
pub fn read_text(path: &Path) -> Option<String> {
    String::from_utf8(read(path).ok()?).ok()
}
