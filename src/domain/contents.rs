//! The contents of a resource that may be deleted, counted before anybody is asked.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{bytes, many};

/// Objects and their size. Old versions are left by overwriting and deleting; they take up space too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    pub objects: u64,
    pub old_versions: u64,
    /// Of all versions together.
    pub bytes: u64,
}

impl Tally {
    /// Whether nothing was counted, old versions included.
    pub fn is_empty(&self) -> bool {
        self.objects == 0 && self.old_versions == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (objects, old) = (many(self.objects, "object"), many(self.old_versions, "old version"));
        match (self.objects, self.old_versions) {
            (_, 0) => f.write_str(&objects)?,
            (0, _) => write!(f, "{old} of deleted objects")?,
            _ => write!(f, "{objects} and {old}")?,
        }
        write!(f, " ({})", bytes(self.bytes))
    }
}

/// Whose the content is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contents {
    /// What opsctl, or what it runs, has put there.
    pub ours: Tally,
    /// Everything else.
    pub others: Tally,
    /// The first few of the others, by which their owner knows them.
    pub examples: Vec<String>,
    /// Whether S3 keeps a delete marker of what goes: the bucket's versions are suspended. A marker has the
    /// id that somebody's next object gets, so removing it could take that.
    pub leaves_markers: bool,
    /// Of all the others, by which it is seen that they are the same. Empty: there are none.
    #[serde(skip)]
    pub digest: String,
}
