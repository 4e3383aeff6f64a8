//! A problem in what the user wrote: where, what, and what to do.

use std::fmt;

use serde::Serialize;

use super::Code;

/// Whether a problem refuses the config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Warning,
    Error,
}

/// A place in the config by its keys (`endpoint.breeds.instance_type`); the document knows its line and
/// column.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(pub Vec<String>);

impl KeyPath {
    /// From the top of the file down.
    pub fn of<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Self {
        Self(segments.into_iter().map(|s| s.as_ref().to_owned()).collect())
    }

    /// The path of a key in the table at this one.
    pub fn join(&self, segment: impl Into<String>) -> Self {
        let mut path = self.0.clone();
        path.push(segment.into());
        Self(path)
    }

    /// The table that the key is in. `None`: this is the whole file.
    pub fn parent(&self) -> Option<Self> {
        (!self.0.is_empty()).then(|| Self(self.0[..self.0.len() - 1].to_vec()))
    }

    /// The section that the key is in: `training.breeds`.
    pub fn section(&self) -> Self {
        Self(self.0.iter().take(2).cloned().collect())
    }

    /// The key itself; empty for the whole file.
    pub fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// One problem. `Display` is its message; `report::diagnostics` shows it with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub at: KeyPath,
    pub message: String,
    /// What to do about it, as a sentence or an edit.
    pub help: String,
}

impl Diagnostic {
    /// A problem that refuses the config. Very long texts are cut.
    pub fn error(code: Code, at: KeyPath, message: impl Into<String>, help: impl Into<String>) -> Self {
        let (message, help) = (bounded(message.into()), bounded(help.into()));
        Self { code, severity: Severity::Error, at, message, help }
    }

    /// A problem that a person may allow (`[lint]`).
    pub fn warning(code: Code, at: KeyPath, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, at, message, help) }
    }
}

/// A key or a value that is quoted may have any length.
fn bounded(mut text: String) -> String {
    const MOST: usize = 1_000;
    if let Some((at, _)) = text.char_indices().nth(MOST) {
        text.truncate(at);
        text.push('…');
    }
    text
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// All problems of one look at the config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Adds a problem, unless the same is there already: several kinds may find it.
    pub fn push(&mut self, problem: Diagnostic) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// [`Self::push`] for each.
    pub fn extend(&mut self, problems: impl IntoIterator<Item = Diagnostic>) {
        problems.into_iter().for_each(|p| self.push(p));
    }

    /// Makes warnings of the errors about files of this machine, for commands that do not need them.
    pub fn spare_files(&mut self) {
        for problem in self.0.iter_mut().filter(|problem| problem.code.is_of_files()) {
            problem.severity = Severity::Warning;
        }
    }

    /// Whether the config is refused.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// How many there are of one severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|d| d.severity == severity).count()
    }
}
