//! Files: names for keys, and atomic writes.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

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
    let mut open = std::fs::File::options();
    open.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?.write_all(bytes)?;
    std::fs::rename(&temporary, path)
}
