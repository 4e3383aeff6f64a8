//! What a run left: both streams and the exit code.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;

use opsctl::report::live::schema as events;
use regex_lite::Regex;
use serde_json::Value;

use super::schema;

/// A run that ended. Every check that fails shows the whole run.
pub struct Ran {
    command: String,
    pub stdout: String,
    pub stderr: String,
    /// `None` after a signal.
    pub code: Option<i32>,
    folder: PathBuf,
}

impl Ran {
    pub fn new(command: String, output: Output, folder: &Path) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("opsctl writes UTF-8");
        let stdout = text(output.stdout);
        described(&stdout, &command);
        Self {
            command,
            stdout,
            stderr: text(output.stderr),
            code: output.status.code(),
            folder: folder.to_owned(),
        }
    }

    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert!(self.code == Some(code), "it should have ended with {code}\n{self}");
        assert!(!self.stderr.contains("panicked at"), "it panicked\n{self}");
        self
    }

    #[track_caller]
    pub fn success(self) -> Self {
        self.ended(0)
    }

    /// The one JSON document of `-o json`.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("stdout is not one JSON document: {e}\n{self}"))
    }

    /// The events of `-o json`, one a line.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("not JSON: {e}: {line}\n{self}"));
        let events: Vec<Value> = self.stdout.lines().map(parse).collect();
        // A step's number is that of one resource.
        let mut targets = BTreeMap::new();
        for event in events.iter().filter(|event| event["step"].is_u64()) {
            let target = targets.entry(event["step"].as_u64()).or_insert(&event["target"]);
            assert_eq!(*target, &event["target"], "of step {}\n{self}", event["step"]);
        }
        events
    }

    /// The last word of a run with `-o json`.
    #[track_caller]
    pub fn finished(&self) -> Value {
        let last = self.events().pop().unwrap_or_default();
        assert_eq!(last["event"], "run_finished", "it is not the last event\n{self}");
        last
    }

    /// The code of an error with `-o json`.
    #[track_caller]
    pub fn error_code(&self) -> String {
        let error = self.json()["error"].clone();
        for key in ["code", "message", "help"] {
            assert!(
                error[key].as_str().is_some_and(|text| !text.is_empty()),
                "the error has no {key}\n{self}"
            );
        }
        assert!(
            error["retryable"].is_boolean() && error.get("resource").is_some(),
            "the error is not whole\n{self}"
        );
        error["code"].as_str().expect("just looked at").to_owned()
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(
            self.stdout.contains(words) || self.stderr.contains(words),
            "it does not say `{words}`\n{self}"
        );
        self
    }

    #[track_caller]
    pub fn does_not_say(self, words: &str) -> Self {
        assert!(!self.stdout.contains(words) && !self.stderr.contains(words), "it says `{words}`\n{self}");
        self
    }

    /// Without what differs from run to run: folders, ports, request ids, timings.
    fn redacted(&self, text: &str) -> String {
        let folder = regex_lite::escape(&self.folder.display().to_string());
        [
            (format!("{folder}/work/?"), "[WORLD]/"),
            (folder, "[WORLD]"),
            (r"127\.0\.0\.1:\d+".to_owned(), "127.0.0.1:[PORT]"),
            (r"\(request [^)]+\)".to_owned(), "(request [ID])"),
            (r"\bin \d+\.\d s\b".to_owned(), "in [TIME]"),
            (r" \(\d+s\)".to_owned(), " ([TIME])"),
            (r#""elapsed_ms":\d+"#.to_owned(), r#""elapsed_ms":0"#),
        ]
        .iter()
        .fold(text.to_owned(), |text, (pattern, instead)| {
            Regex::new(pattern).expect("a valid pattern").replace_all(&text, *instead).into_owned()
        })
    }
}

/// Every event of every run is one that docs/events.schema.json describes.
fn described(stdout: &str, command: &str) {
    static SCHEMA: LazyLock<Value> = LazyLock::new(events::schema);
    // The last line of a run that was killed may be cut off.
    let lines = stdout.lines().filter(|line| line.starts_with('{') && line.contains("\"event\":"));
    let documents = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for event in documents.filter(|document| document["event"].is_string()) {
        let faults = schema::faults(&SCHEMA, &event);
        assert!(faults.is_empty(), "{command}: {faults:#?}\n{event:#}");
    }
}

/// The transcript: for snapshots, and for whoever reads a failure.
impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.redacted(&self.command))?;
        f.write_str(&self.redacted(&self.stdout))?;
        for line in self.redacted(&self.stderr).lines() {
            writeln!(f, "! {line}")?;
        }
        match self.code {
            Some(code) => writeln!(f, "exit {code}"),
            None => writeln!(f, "ended by a signal"),
        }
    }
}
