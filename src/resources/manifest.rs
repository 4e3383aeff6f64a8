//! What is under a data set's prefix, as one object beside it: it records what S3's listings lack
//! (they give the algorithm of a checksum, never its value).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::{Crc64, Stored};
use crate::inputs::{self, Tree};

/// The content of `data/NAME.opsctl-manifest.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// Whose data set it is: `<project>/<environment>`. Empty in those that older versions wrote.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// [`Tree::digest`] of the folder that was uploaded last. Files that are only in the bucket do not count.
    /// Empty while an upload has not come to its end: the bucket may not be as `files` says.
    pub digest: String,
    /// How many of `files` were not in that folder.
    #[serde(default)]
    pub stray: usize,
    /// By path relative to the prefix.
    pub files: BTreeMap<String, Stored>,
    /// What uploads that have not come to their end were about to send, with its checksums. None are known of
    /// what a first upload reads only while it sends it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meant: BTreeMap<String, BTreeSet<Crc64>>,
}

impl Manifest {
    /// The version of the format that is written.
    pub const FORMAT: u32 = 2;

    /// `data/dogs/` → `data/dogs.opsctl-manifest.json`.
    pub fn key(prefix: &str) -> String {
        format!("{}.opsctl-manifest.json", prefix.trim_end_matches('/'))
    }

    /// One that cannot be read, or of another format, is as good as an empty one: nothing in it is believed.
    pub fn parse(bytes: &[u8]) -> Self {
        let read = serde_json::from_slice::<Self>(bytes).ok();
        read.filter(|manifest| manifest.format == Self::FORMAT).unwrap_or_default()
    }

    /// The content of the object.
    pub fn to_json(&self) -> Vec<u8> {
        // Grown by doubling, a large one would take three times its size.
        let line = |(path, stored): (&String, &Stored)| path.len() + stored.etag.len() + 48;
        let mut text = Vec::with_capacity(256 + self.files.iter().map(line).sum::<usize>());
        serde_json::to_writer(&mut text, self).expect("a manifest is plain data");
        text
    }

    /// Of these files, of which the folder's are those of `tree`.
    pub fn of(owner: String, tree: &Tree, files: BTreeMap<String, Stored>) -> Self {
        let here = files.iter().filter(|(path, _)| tree.entry(path).is_some());
        let digest = inputs::digest(here.map(|(path, s)| (path.as_str(), s.size, s.crc)));
        let stray = files.keys().filter(|path| tree.entry(path).is_none()).count();
        Self { format: Self::FORMAT, owner, digest, stray, files, meant: BTreeMap::new() }
    }

    /// Whether an upload has begun and did not come to its end.
    pub fn is_open(&self) -> bool {
        self.digest.is_empty()
    }

    /// Of all files, as [`Tree::digest`] is of the folder's.
    pub fn digest_of_all(&self) -> String {
        inputs::digest(self.files.iter().map(|(path, stored)| (path.as_str(), stored.size, stored.crc)))
    }

    /// Bytes.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|f| f.size).sum()
    }
}
