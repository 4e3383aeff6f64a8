//! What an upload has done so far, line by line: after `kill -9`, only what is missing is sent. S3 has answered before
//! a line is written, and a line is one write, so the file is good at every moment.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::domain::Stored;
use crate::engine::{OpError, OpErrorKind, OpResult};
use crate::inputs::Stamp;

const WHAT: &str = "keeping the journal of the upload";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The manifest on which this upload builds; another one means that somebody else was there.
    Base {
        etag: Option<String>,
    },
    Sent {
        path: String,
        stamp: Stamp,
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

/// A multipart upload that may be gone on with, while the file has this stamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    pub id: String,
    pub part_size: u64,
    pub stamp: Stamp,
}

/// An open journal, locked against a second upload of the same data set on this machine.
pub struct Journal {
    file: Mutex<File>,
    path: PathBuf,
    /// Sent by an earlier run, on the manifest that is still there.
    pub sent: HashMap<String, (Stamp, Stored)>,
    /// Begun and not ended, by path.
    pub begun: BTreeMap<String, Upload>,
    /// Completed or aborted by this run.
    ended: Mutex<HashSet<String>>,
}

impl Journal {
    /// Opens, replays, and begins anew where `etag` is not the manifest that the earlier run saw.
    pub fn open(path: &Path, etag: Option<&str>) -> OpResult<Self> {
        let open = || -> std::io::Result<File> {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            OpenOptions::new().read(true).append(true).create(true).open(path)
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
        let (mut base, mut sent, mut begun) = (None, HashMap::new(), BTreeMap::new());
        // A last line that was cut off is no line.
        for line in BufReader::new(&file).lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(Line::Base { etag }) => base = Some(etag),
                Ok(Line::Sent { path, stamp, stored }) => drop(sent.insert(path, (stamp, stored))),
                Ok(Line::Begun { path, upload }) => drop(begun.insert(path, upload)),
                Ok(Line::Ended { id }) => begun.retain(|_, upload: &mut Upload| upload.id != id),
                Err(_) => {}
            }
        }
        let known = base.is_some_and(|base| base.as_deref() == etag);
        if !known {
            sent.clear();
        }
        let journal =
            Self { file: Mutex::new(file), path: path.to_owned(), sent, begun, ended: Mutex::default() };
        if !known {
            journal.restart(etag).map_err(local)?;
        }
        Ok(journal)
    }

    fn restart(&self, etag: Option<&str>) -> std::io::Result<()> {
        self.file.lock().expect("writing does not panic").set_len(0)?;
        self.write(&Line::Base { etag: etag.map(str::to_owned) });
        for (path, upload) in &self.begun {
            self.begin(path, upload);
        }
        Ok(())
    }

    fn write(&self, line: &Line) {
        let mut text = serde_json::to_vec(line).expect("a line is plain data");
        text.push(b'\n');
        // Without a journal the upload still goes on; it only cannot be resumed.
        if let Err(error) = self.file.lock().expect("writing does not panic").write_all(&text) {
            tracing::debug!(%error, "the journal cannot be written");
        }
    }

    pub fn sent(&self, path: &str, stamp: Stamp, stored: &Stored) {
        self.write(&Line::Sent { path: path.to_owned(), stamp, stored: stored.clone() });
    }

    pub fn begin(&self, path: &str, upload: &Upload) {
        self.write(&Line::Begun { path: path.to_owned(), upload: upload.clone() });
    }

    pub fn end(&self, id: &str) {
        self.write(&Line::Ended { id: id.to_owned() });
        self.ended.lock().expect("nobody panics").insert(id.to_owned());
    }

    /// Uploads of earlier runs, by path, that this run neither completed nor aborted.
    pub fn abandoned(&self) -> Vec<(&str, &str)> {
        let ended = self.ended.lock().expect("nobody panics");
        let begun = self.begun.iter().map(|(path, upload)| (path.as_str(), upload.id.as_str()));
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

    const STAMP: Stamp = Stamp { size: 1, modified: 2, changed: 3, inode: 4 };

    fn stored() -> Stored {
        Stored { size: 1, crc: Crc64::of(b"x"), etag: "\"e\"".into() }
    }

    #[test]
    fn what_was_sent_is_known_again_on_the_same_manifest_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/journal");
        let upload = Upload { id: "u".into(), part_size: 8, stamp: STAMP };
        {
            let journal = Journal::open(&path, Some("m")).unwrap();
            journal.sent("a", STAMP, &stored());
            journal.begin("b", &upload);
            journal.begin("c", &Upload { id: "v".into(), ..upload.clone() });
            journal.end("v");
        }
        // Killed within a line.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"sent\":{\"pa").unwrap();
        {
            let journal = Journal::open(&path, Some("m")).unwrap();
            assert_eq!(journal.sent["a"], (STAMP, stored()));
            assert_eq!(journal.begun, BTreeMap::from([("b".to_owned(), upload.clone())]));
        }
        let journal = Journal::open(&path, Some("another")).unwrap();
        assert!(journal.sent.is_empty());
        assert_eq!(journal.begun, BTreeMap::from([("b".to_owned(), upload)]));
    }

    #[test]
    fn one_upload_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let _first = Journal::open(&path, None).unwrap();
        assert_eq!(Journal::open(&path, None).err().unwrap().kind, OpErrorKind::Conflict);
    }
}
