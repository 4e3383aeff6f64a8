//! The plan of an upload, pure: what is new, changed, gone and unchanged.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::{Stored, bytes, grouped, shown};
use crate::inputs::{Entry, Tree};

/// Why a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendReason {
    /// Nothing of that name is there.
    New,
    Size,
    /// The same size, other bytes.
    Content,
}

/// A folder against what is in the bucket.
#[derive(Debug)]
pub struct Difference<'a> {
    /// Large files first, so that none of them is the last one alone.
    pub send: Vec<(&'a Entry, SendReason)>,
    /// In the bucket, not in the folder.
    pub gone: Vec<&'a str>,
    pub same: usize,
    /// Whether objects without a local file are deleted, or stay.
    pub delete: bool,
}

impl<'a> Difference<'a> {
    /// Compares by size and checksum; times mean nothing (a fresh checkout renews them all). A file whose
    /// checksum is not known is sent.
    pub fn of(tree: &'a Tree, there: &'a BTreeMap<String, Stored>, delete: bool) -> Self {
        let why = |entry: &Entry| match there.get(&*entry.path) {
            None => Some(SendReason::New),
            Some(stored) if stored.size != entry.size() => Some(SendReason::Size),
            Some(stored) => (entry.crc != Some(stored.crc)).then_some(SendReason::Content),
        };
        let mut send: Vec<_> = tree.entries.iter().filter_map(|e| Some((e, why(e)?))).collect();
        send.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.size()));
        let gone = there.keys().map(String::as_str).filter(|path| tree.entry(path).is_none()).collect();
        Self { same: tree.entries.len() - send.len(), send, gone, delete }
    }

    /// Bytes to send.
    pub fn bytes(&self) -> u64 {
        self.send.iter().map(|(entry, _)| entry.size()).sum()
    }

    fn count(&self, which: impl Fn(SendReason) -> bool) -> usize {
        self.send.iter().filter(|(_, why)| which(*why)).count()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.send.is_empty() && (self.gone.is_empty() || !self.delete)
    }

    /// `12 new, 3 changed (4.1 MB), 1 deleted, 8,335 the same`.
    pub fn words(&self) -> Vec<String> {
        let size = if self.send.is_empty() { String::new() } else { format!(" ({})", bytes(self.bytes())) };
        let gone = if self.delete { "deleted" } else { "only in the bucket, kept" };
        let counts = [
            (self.count(|why| why == SendReason::New), "new"),
            (self.count(|why| why == SendReason::Size), "of another size"),
            (self.count(|why| why == SendReason::Content), "of other content"),
        ];
        let mut words: Vec<String> = counts
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{} {what}", grouped(*n)))
            .collect();
        if let Some(last) = words.last_mut() {
            last.push_str(&size);
        }
        let rest = [(self.gone.len(), gone), (self.same, "the same")];
        words.extend(rest.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", grouped(*n))));
        words
    }
}

/// What to do about a [`clash`].
pub const NO_CLASH: &str = "give the file another name, or delete what stays in the bucket: \
                            `delete = true`. After a deletion by hand, `opsctl upload --verify` looks";

/// What is wrong where a file of the folder and one that stays in the bucket cannot be in one folder: one of
/// them is where the other needs a folder.
pub fn clash<'k>(tree: &Tree, stay: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let is_file = |path: &&str| tree.entry(path).is_some();
    let of_folder = |stays: &str| {
        let above = stays.match_indices('/').map(|(end, _)| &stays[..end]).find(is_file);
        let below = tree.below(&format!("{stays}/")).first().map(|entry| &*entry.path);
        above.or(below).map(str::to_owned)
    };
    let (stays, file) = stay.into_iter().find_map(|stays| Some((stays, of_folder(stays)?)))?;
    let (stays, file) = (shown::line(stays), shown::line(&file));
    Some(format!("`{stays}` stays in the bucket, and no folder can have both that and the file `{file}`"))
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(", "))
    }
}
