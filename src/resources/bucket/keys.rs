//! Which objects of a bucket are opsctl's, by their keys.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::fingerprint::stem;
use crate::domain::{LEASE_KEY, Scope};

/// Where opsctl keeps its own state.
const STATE: &str = ".opsctl/";
/// Folders whose entries are named `<project>-<environment>-<name>-<fingerprint>`.
const BY_NAME: [&str; 4] = ["training/", "instances/", "models/", "checkpoints/"];
const CODE: &str = "code/";
const ARTIFACTS: &str = "artifacts/";
const FUNCTIONS: &str = "functions/";
const DATA: &str = "data/";
const MANIFEST: &str = ".opsctl-manifest.json";

/// What there was of an object of a data set when it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Entity tags of what was there and of its old versions, put there by opsctl: when a version is deleted,
    /// the one before it is what a reader gets.
    pub ours: Vec<String>,
    /// Entity tags of old versions that are not opsctl's: somebody had them there before, or between two
    /// uploads. Only in a bucket of others; in one that opsctl made, they go with it.
    pub foreign: HashSet<String>,
}

/// One version of an object.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// What a reader gets, by its entity tag.
    Current(&'a str),
    /// By its entity tag.
    Old(&'a str),
    /// It says that the object was deleted.
    Marker,
    /// The same, of a bucket that keeps no versions any more: what is put in its place has the same id.
    Unnamed,
    /// The parts of an upload that was never completed.
    Unfinished,
}

impl Known {
    /// Whether a version is opsctl's; a marker is not where it hides what is somebody's.
    pub fn has(&self, version: Which<'_>) -> bool {
        match version {
            Which::Current(etag) => self.ours.iter().any(|ours| ours == etag),
            // Not what has come since the look: somebody may have replaced it twice.
            Which::Old(etag) => self.ours.iter().any(|ours| ours == etag),
            Which::Marker => self.foreign.is_empty(),
            Which::Unnamed => false,
            Which::Unfinished => true,
        }
    }
}

/// What distinguishes opsctl's objects from others'.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// What the names of this project and environment begin with ([`Scope::prefix`]).
    pub prefix: String,
    /// Whether opsctl made the bucket.
    pub is_made: bool,
    /// Whether the bucket keeps versions; `None`: it never did.
    pub keeps_versions: Option<bool>,
    /// Data sets in a bucket that opsctl made, of the config or with a manifest: of all that was ever below
    /// them, what is not there any more is opsctl's, such as versions of what an upload has deleted, but for
    /// those of `others`.
    pub data_sets: BTreeSet<String>,
    /// Objects below these that opsctl did not upload.
    pub others: HashSet<String>,
    /// The manifests of this project's data sets.
    pub manifests: HashSet<String>,
    /// What opsctl has put below the data sets.
    pub uploaded: HashMap<String, Known>,
}

impl Keys {
    /// The prefixes under which opsctl, and what it runs, put their objects.
    pub fn folders(scope: &Scope) -> Vec<String> {
        let named = BY_NAME.map(|folder| format!("{folder}{}", scope.prefix()));
        named.into_iter().chain([STATE.to_owned()]).collect()
    }

    /// Whether a version of an object is opsctl's, or of what it runs.
    pub fn has(&self, key: &str, version: Which<'_>) -> bool {
        if matches!(version, Which::Unnamed) {
            // A bucket that opsctl made cannot be deleted with one in it; where versions are kept, nothing
            // new gets its id.
            return (self.is_made || self.keeps_versions == Some(true)) && self.has(key, Which::Marker);
        }
        if let Some(known) = self.uploaded.get(key) {
            return known.has(version);
        }
        if key == LEASE_KEY || self.manifests.contains(key) {
            return true;
        }
        if let Some(entry) = BY_NAME.iter().find_map(|folder| key.strip_prefix(folder)) {
            let name = entry.split_once('/').and_then(|(name, _)| name.strip_prefix(&self.prefix));
            return name.and_then(stem).is_some();
        }
        if let Some(code) = key.strip_prefix(CODE) {
            // Older versions put it there without the project's name.
            let own = code.strip_prefix(&self.prefix).or(Some(code).filter(|_| self.is_made));
            return own.and_then(|code| code.strip_suffix("/sourcedir.tar.gz")).is_some_and(is_digest);
        }
        if let Some(artifact) = key.strip_prefix(ARTIFACTS).and_then(|key| key.strip_prefix(&self.prefix)) {
            let parts = artifact.split_once('/');
            return parts.is_some_and(|(digest, file)| is_digest(digest) && file.ends_with(".tar.gz"));
        }
        if let Some(code) = key.strip_prefix(FUNCTIONS).and_then(|key| key.strip_prefix(&self.prefix)) {
            let digest = code.strip_suffix(".zip");
            return digest.is_some_and(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        }
        let Some(data) = key.strip_prefix(DATA) else { return false };
        // Of a manifest that is gone, old versions are left; the console's "folders" are nobody's work.
        let set = data.split_once('/').map(|(name, _)| name).or(data.strip_suffix(MANIFEST));
        let is_content = matches!(version, Which::Current(_)) && !key.ends_with('/');
        let is_ours = set.is_some_and(|name| self.data_sets.contains(name));
        is_ours && !is_content && !self.others.contains(key)
    }

    /// `data/dogs.opsctl-manifest.json` → `dogs`.
    pub fn data_set_of(manifest: &str) -> Option<&str> {
        manifest.strip_prefix(DATA)?.strip_suffix(MANIFEST)
    }
}

/// What begins a digest, as in keys.
fn is_digest(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
