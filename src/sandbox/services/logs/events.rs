//! The events of a log stream: lines of JSON in one file that only grows.
//!
//! An event is named by its place in the file, so tokens stay good while the stream grows. A line torn by a
//! kill is no event: readers pass over it, and the next write begins a new line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::files::file_name;
use crate::state::SandboxState;

/// What is written of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    #[serde(rename = "t")]
    pub timestamp: Millis,
    #[serde(rename = "i")]
    pub ingested: Millis,
    #[serde(rename = "m")]
    pub message: String,
}

/// An event and its place: the bytes `start..end` of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub start: u64,
    pub end: u64,
    pub event: Event,
}

/// Folder of the streams of a group.
pub fn group_folder(shared: &SandboxState, region: &str, group: &str) -> PathBuf {
    shared.root.join("logs").join(region).join(file_name(group))
}

/// File of a stream.
pub fn stream_file(shared: &SandboxState, region: &str, group: &str, stream: &str) -> PathBuf {
    group_folder(shared, region, group).join(file_name(stream) + ".jsonl")
}

/// Adds events at the end. The caller serializes writers of one file.
pub fn append(path: &Path, events: &[Event]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = File::options().create(true).read(true).append(true).open(path)?;
    let mut lines = Vec::new();
    if ends_torn(&mut file)? {
        lines.push(b'\n');
    }
    for event in events {
        serde_json::to_writer(&mut lines, event)?;
        lines.push(b'\n');
    }
    file.write_all(&lines)
}

fn ends_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Calls `see` with each event from byte `start` on, in the order written, until it says `false`.
pub fn read(path: &Path, start: u64, mut see: impl FnMut(Placed) -> bool) -> io::Result<()> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        // A stream without events has no file yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(start))?;
    let (mut reader, mut line, mut start) = (BufReader::new(file), Vec::new(), start);
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)? as u64;
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
        let end = start + length;
        if let Ok(event) = serde_json::from_slice(&line)
            && !see(Placed { start, end, event })
        {
            return Ok(());
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(message: &str) -> Event {
        Event { timestamp: 1, ingested: 2, message: message.into() }
    }

    fn messages(path: &Path, start: u64) -> Vec<String> {
        let mut seen = Vec::new();
        read(path, start, |placed| {
            seen.push(placed.event.message);
            true
        })
        .unwrap();
        seen
    }

    #[test]
    fn a_line_torn_by_a_kill_is_passed_over_and_the_next_one_is_whole() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("g/s.jsonl");
        assert!(messages(&path, 0).is_empty());
        append(&path, &[event("a\nb")]).unwrap();
        let end = std::fs::metadata(&path).unwrap().len();
        File::options().append(true).open(&path).unwrap().write_all(b"{\"t\":1,\"i").unwrap();
        assert_eq!(messages(&path, 0), ["a\nb"]);
        append(&path, &[event("c"), event("d")]).unwrap();
        assert_eq!(messages(&path, 0), ["a\nb", "c", "d"]);
        assert_eq!(messages(&path, end), ["c", "d"]);
    }
}
