//! How a file is identified: by its stamp, which is cheap, and by its checksum, which needs all its bytes.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Entry, Tree};
use crate::domain::{Crc64, Crc64Hasher};

/// Shows whether a file is unchanged without reading it, as git and rsync do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(u64, i64, i64, u64)", from = "(u64, i64, i64, u64)")]
pub struct FileStamp {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
    /// Change of the inode, in nanoseconds since 1970: unlike `modified`, no program can set it.
    pub changed: i64,
    pub inode: u64,
}

impl From<&Metadata> for FileStamp {
    fn from(data: &Metadata) -> Self {
        const BILLION: i64 = 1_000_000_000;
        Self {
            size: data.len(),
            modified: data.mtime().saturating_mul(BILLION).saturating_add(data.mtime_nsec()),
            changed: data.ctime().saturating_mul(BILLION).saturating_add(data.ctime_nsec()),
            inode: data.ino(),
        }
    }
}

impl From<FileStamp> for (u64, i64, i64, u64) {
    fn from(s: FileStamp) -> Self {
        (s.size, s.modified, s.changed, s.inode)
    }
}

impl From<(u64, i64, i64, u64)> for FileStamp {
    fn from((size, modified, changed, inode): (u64, i64, i64, u64)) -> Self {
        Self { size, modified, changed, inode }
    }
}

/// Nanoseconds since 1970.
pub fn since_epoch(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// How often a file that changes under our eyes is read again.
const PATIENCE: usize = 3;

fn restless() -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, "it keeps changing while it is read")
}

impl Tree {
    /// Reads every file whose checksum is not known, several at a time. The error names the file.
    pub fn hash(&mut self) -> Result<(), (PathBuf, io::Error)> {
        let root = self.root.clone();
        let mut unknown: Vec<&mut Entry> = self.entries.iter_mut().filter(|e| e.crc.is_none()).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8).min(unknown.len());
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        let jobs: Vec<Mutex<&mut Entry>> = unknown.drain(..).map(Mutex::new).collect();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut buffer = vec![0; 256 << 10];
                    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut entry = job.lock().expect("each is locked once");
                        let path = root.join(&*entry.path);
                        match read_crc(&path, &mut buffer) {
                            Ok((stamp, crc)) => (entry.stamp, entry.crc) = (stamp, Some(crc)),
                            Err(error) => {
                                *failed.lock().expect("nobody panics") = Some((path, error));
                                next.store(jobs.len(), Ordering::Relaxed);
                            }
                        }
                    }
                });
            }
        });
        failed.into_inner().expect("nobody panics").map_or(Ok(()), Err)
    }
}

/// The checksum of a file, and the stamp that it had from the first byte to the last.
fn read_crc(path: &Path, buffer: &mut [u8]) -> io::Result<(FileStamp, Crc64)> {
    for _ in 0..PATIENCE {
        let mut file = File::open(path)?;
        let before = FileStamp::from(&file.metadata()?);
        let mut hasher = Crc64Hasher::default();
        loop {
            match file.read(buffer)? {
                0 => break,
                n => hasher.update(&buffer[..n]),
            }
        }
        if FileStamp::from(&file.metadata()?) == before {
            return Ok((before, hasher.finish()));
        }
    }
    Err(restless())
}

/// Appends the bytes of a file, and returns the stamp that it had from the first byte to the last. `None`:
/// there are more than `most`.
pub fn read_whole(path: &Path, most: u64, content: &mut Vec<u8>) -> io::Result<Option<FileStamp>> {
    let start = content.len();
    for _ in 0..PATIENCE {
        let file = File::open(path)?;
        let before = FileStamp::from(&file.metadata()?);
        if before.size > most {
            return Ok(None);
        }
        // One more, to notice that it grows.
        let size = before.size + 1;
        content.reserve(usize::try_from(size).map_err(io::Error::other)?);
        (&file).take(size).read_to_end(content)?;
        if FileStamp::from(&file.metadata()?) == before {
            return Ok(Some(before));
        }
        content.truncate(start);
    }
    Err(restless())
}
