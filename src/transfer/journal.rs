//! What an upload has done so far, line by line: after `kill -9`, only what is missing is sent. S3 has
//! answered before a line is written, and a line is one write, so the file is good at every moment.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::domain::Stored;
use crate::inputs::{FileStamp, open_kept};

const WHAT: &str = "keeping the journal of the upload";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A run began; whatever it did, the manifest does not say yet.
    Opened {},
    Sent {
        path: String,
        stamp: FileStamp,
        stored: Stored,
    },
    Begun {
        path: String,
        upload: Upload,
    },
    /// The multipart upload is completed or aborted.
    Ended {
        id: String,
    },
}

/// A multipart upload that may be resumed while the file has this stamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    pub id: String,
    pub part_size: u64,
    pub stamp: FileStamp,
}

/// What runs that did not come to their end have left in a journal. Others may have been there since.
#[derive(Debug, Default)]
pub struct Noted {
    /// What S3 confirmed, with the files as they were.
    pub sent: HashMap<String, (FileStamp, Stored)>,
    /// Begun and not ended, with their paths.
    begun: Vec<(String, Upload)>,
}

impl Noted {
    /// To look at, so without the lock.
    pub fn of(journal: &Path) -> Self {
        open_kept(journal, OpenOptions::new().read(true)).map(|file| Self::read(&file)).unwrap_or_default()
    }

    fn read(journal: &File) -> Self {
        let mut noted = Self::default();
        // A last line that was cut off is no line.
        let lines = BufReader::new(journal).lines().map_while(Result::ok);
        lines.filter_map(|line| serde_json::from_str(&line).ok()).for_each(|line| noted.add(line));
        noted
    }

    fn add(&mut self, line: Line) {
        match line {
            Line::Opened {} => {}
            Line::Sent { path, stamp, stored } => drop(self.sent.insert(path, (stamp, stored))),
            Line::Begun { path, upload } => self.begun.push((path, upload)),
            Line::Ended { id } => self.begun.retain(|(_, upload)| upload.id != id),
        }
    }
}

/// An open journal, locked against a second upload of the same data set on this machine.
pub struct Journal {
    file: Mutex<File>,
    path: PathBuf,
    /// An earlier run did not come to its end: the bucket is not as the manifest says.
    pub resumed: bool,
    pub noted: Noted,
    /// Completed or aborted by this run.
    ended: Mutex<HashSet<String>>,
}

impl Journal {
    /// Opens and replays.
    pub fn open(path: &Path) -> OpResult<Self> {
        let open = || -> std::io::Result<File> {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            open_kept(path, OpenOptions::new().read(true).append(true).create(true))
        };
        let local = |error: std::io::Error| OpError::local(WHAT, format!("{}: {error}", path.display()));
        let file = open().map_err(local)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message =
                    "another opsctl on this machine is uploading the same data set; wait for it to end";
                return Err(OpError::new("upload", OpErrorKind::Conflict, message));
            }
            // Some network file systems have no locks; the manifest's conditional write still guards.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "the journal is not locked"),
        }
        let resumed = Self::is_unfinished(path);
        let noted = Noted::read(&file);
        Ok(Self { file: Mutex::new(file), path: path.to_owned(), resumed, noted, ended: Mutex::default() })
    }

    /// From here on, the bucket changes.
    pub fn start(&self) {
        self.write(&Line::Opened {});
    }

    /// Whether an earlier run did not come to its end.
    pub fn is_unfinished(path: &Path) -> bool {
        path.metadata().is_ok_and(|file| file.len() > 0)
    }

    /// The upload of a file by an earlier run, when the file is still the same.
    pub fn begun(&self, path: &str, stamp: FileStamp) -> Option<&Upload> {
        let begun = &self.noted.begun;
        begun.iter().rev().find(|(of, upload)| of == path && upload.stamp == stamp).map(|(_, upload)| upload)
    }

    fn write(&self, line: &Line) {
        // Before it as after it: the last line of a killed run may be cut off.
        let text = format!("\n{}\n", serde_json::to_string(line).expect("a line is plain data"));
        // Without a journal the upload continues; it only cannot be resumed.
        if let Err(error) = self.file.lock().expect("writing does not panic").write_all(text.as_bytes()) {
            tracing::debug!(%error, "the journal cannot be written");
        }
    }

    /// A file is in the bucket.
    pub fn sent(&self, path: &str, stamp: FileStamp, stored: &Stored) {
        self.write(&Line::Sent { path: path.to_owned(), stamp, stored: stored.clone() });
    }

    /// A multipart upload of a file has begun.
    pub fn begin(&self, path: &str, upload: &Upload) {
        self.write(&Line::Begun { path: path.to_owned(), upload: upload.clone() });
    }

    /// A multipart upload has ended, with its object or without.
    pub fn end(&self, id: &str) {
        self.write(&Line::Ended { id: id.to_owned() });
        self.ended.lock().expect("nobody panics").insert(id.to_owned());
    }

    /// Uploads of earlier runs, with their paths, that this run neither completed nor aborted.
    pub fn abandoned(&self) -> Vec<(&str, &str)> {
        let ended = self.ended.lock().expect("nobody panics");
        let begun = self.noted.begun.iter().map(|(path, upload)| (path.as_str(), upload.id.as_str()));
        begun.filter(|(_, id)| !ended.contains(*id)).collect()
    }

    /// The manifest now says it all.
    pub fn finish(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Crc64;

    const STAMP: FileStamp = FileStamp { size: 1, modified: 2, changed: 3, inode: 4 };

    fn stored() -> Stored {
        Stored { size: 1, crc: Crc64::of(b"x"), etag: "\"e\"".into() }
    }

    #[test]
    fn what_was_done_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/journal");
        let upload = Upload { id: "u".into(), part_size: 8, stamp: STAMP };
        assert!(!Journal::is_unfinished(&path));
        {
            let journal = Journal::open(&path).unwrap();
            assert!(!journal.resumed && !Journal::is_unfinished(&path));
            journal.start();
            assert!(Journal::is_unfinished(&path));
            journal.sent("a", STAMP, &stored());
            journal.begin("b", &upload);
            journal.begin("c", &Upload { id: "v".into(), ..upload.clone() });
            journal.end("v");
        }
        // Killed within a line.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"sent\":{\"pa").unwrap();
        assert!(Journal::is_unfinished(&path));
        Journal::open(&path).unwrap().sent("d", STAMP, &stored());
        let journal = Journal::open(&path).unwrap();
        assert!(journal.resumed);
        let sent = &journal.noted.sent;
        assert_eq!((&sent["a"], &sent["d"]), (&(STAMP, stored()), &(STAMP, stored())));
        assert_eq!(journal.begun("b", STAMP), Some(&upload));
        assert_eq!(journal.begun("b", FileStamp { size: 2, ..STAMP }), None);
        assert_eq!(journal.abandoned(), [("b", "u")]);
        journal.end("u");
        assert_eq!(journal.abandoned(), []);
        journal.finish();
        assert!(!Journal::is_unfinished(&path));
    }

    #[test]
    fn one_upload_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let _first = Journal::open(&path).unwrap();
        assert_eq!(Journal::open(&path).err().unwrap().kind, OpErrorKind::Conflict);
    }
}
