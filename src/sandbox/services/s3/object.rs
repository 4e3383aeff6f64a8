//! Objects: the versions of each key, in one document per key, so that every change of a key is one step.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, UNIX_EPOCH};

use s3s::dto::{self, ETag, ETagCondition, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::blob;
use super::bucket::{Bucket, Versioning};
use super::digest::Sum;
use super::refusal::{no_such_key, no_such_version, precondition_failed};
use crate::clock::{LAST, Millis};
use crate::fault::Fault;
use crate::state::SandboxState;
use crate::store::Entry;
use crate::tags::Tags;

/// The table of a bucket's objects: a document for each key.
pub fn objects_table(bucket: &str) -> String {
    format!("s3.objects.{bucket}")
}

/// The id of versions that were made while versioning was not enabled.
const NULL: &str = "null";

/// One version of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    pub id: String,
    pub modified: Millis,
    /// None: a delete marker.
    pub content: Option<Content>,
}

/// What is kept of an object besides its bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Content {
    /// Name of the file with the bytes, in the bucket's folder.
    pub blob: String,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub sum: Option<Sum>,
    /// Sizes of the parts, when it was made of parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<u64>,
    #[serde(default)]
    pub about: ObjectMetadata,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    pub encryption: Encryption,
}

impl Content {
    /// Its entity tag, as headers have it.
    pub fn etag(&self) -> ETag {
        ETag::Strong(self.etag.clone())
    }
}

/// The metadata that a client sets on an object and gets back with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectMetadata {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<Timestamp>,
    pub storage_class: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// User metadata: keys and values together (docs/aws/s3.md#limits).
const MOST_METADATA: usize = 2 << 10;

impl ObjectMetadata {
    /// Refuses what AWS does not take.
    pub fn check(self) -> Result<Self, Fault> {
        let size: usize = self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        if size > MOST_METADATA {
            let message = "Your metadata headers exceed the maximum allowed metadata size";
            return Err(Fault::new(400, "MetadataTooLarge", message));
        }
        Ok(self)
    }
}

/// Reads [`ObjectMetadata`] from the fields that the inputs of three operations share.
macro_rules! about {
    ($input:expr) => {
        $crate::services::s3::object::ObjectMetadata {
            content_type: $input.content_type.clone(),
            cache_control: $input.cache_control.clone(),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: $input.content_encoding.clone(),
            content_language: $input.content_language.clone(),
            expires: $input.expires.clone(),
            storage_class: $input.storage_class.as_ref().map(|class| class.as_str().to_owned()),
            metadata: $input.metadata.clone().unwrap_or_default().into_iter().collect(),
        }
        .check()
    };
}
pub(super) use about;

/// How an object is encrypted, as far as a client can see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encryption {
    pub algorithm: String,
    pub key: Option<String>,
}

impl Encryption {
    /// As the request wants it, else as the bucket does.
    pub fn choose(bucket: &Bucket, wanted: Option<&dto::ServerSideEncryption>, key: Option<&str>) -> Self {
        let rules = bucket.encryption.iter().flat_map(|configuration| &configuration.rules);
        let by_default =
            rules.filter_map(|rule| rule.apply_server_side_encryption_by_default.as_ref()).next();
        match (wanted, by_default) {
            (Some(algorithm), _) => {
                Self { algorithm: algorithm.as_str().to_owned(), key: key.map(str::to_owned) }
            }
            (None, Some(by_default)) => Self {
                algorithm: by_default.sse_algorithm.as_str().to_owned(),
                key: by_default.kms_master_key_id.clone(),
            },
            (None, None) => Self { algorithm: dto::ServerSideEncryption::AES256.into(), key: None },
        }
    }

    /// As answers have it.
    pub fn shown(&self) -> Option<dto::ServerSideEncryption> {
        Some(self.algorithm.clone().into())
    }

    /// Under KMS an ETag is not the MD5 of anything (docs/aws/s3.md#etags).
    pub fn etag(&self, md5: String) -> String {
        if self.algorithm == dto::ServerSideEncryption::AES256 {
            return md5;
        }
        blake3::hash(md5.as_bytes()).to_hex()[..32].to_owned()
    }
}

/// All versions of a key, the newest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct History {
    pub versions: Vec<Version>,
}

impl History {
    /// Reads a document of the store.
    pub fn read(doc: Value) -> Result<Self, Fault> {
        serde_json::from_value(doc).map_err(|error| std::io::Error::from(error).into())
    }

    fn of(entry: Option<&Entry>) -> Result<Self, Fault> {
        entry.map_or_else(|| Ok(Self::default()), |entry| Self::read(entry.doc.clone()))
    }

    /// What a document should be when this is what is left: none when nothing is.
    fn entry(&self) -> Option<Entry> {
        (!self.versions.is_empty()).then(|| json!(self).into())
    }

    fn take(&mut self, id: &str) -> Option<Version> {
        let index = self.versions.iter().position(|version| version.id == id)?;
        Some(self.versions.remove(index))
    }

    /// What a GET without a version id finds.
    pub fn latest(&self) -> Option<&Content> {
        self.versions.first()?.content.as_ref()
    }
}

/// A version that is not a delete marker.
#[derive(Debug)]
pub struct FoundVersion {
    pub id: String,
    pub modified: Millis,
    pub content: Content,
}

impl FoundVersion {
    /// The version id, where versioning has ever been on.
    pub fn shown_id(&self, bucket: &Bucket) -> Option<String> {
        shown_id(bucket, &self.id)
    }
}

/// The id of a version as answers have it; a bucket without versions has none.
pub fn shown_id(bucket: &Bucket, id: &str) -> Option<String> {
    (bucket.versioning != Versioning::Never).then(|| id.to_owned())
}

/// The newest version of a key, or the one with an id.
///
/// # Errors
/// `NoSuchKey` and `NoSuchVersion`; a delete marker is `NoSuchKey`, or `MethodNotAllowed` when asked for by
/// id (docs/aws/s3.md#versioning).
pub fn find(
    shared: &SandboxState,
    bucket: &Bucket,
    key: &str,
    id: Option<&str>,
) -> Result<FoundVersion, Fault> {
    let doc = shared.store.get(&objects_table(&bucket.name), key);
    let history = doc.map(History::read).transpose()?.unwrap_or_default();
    let mut versions = history.versions.into_iter();
    let version = match id {
        None => versions.next().ok_or_else(no_such_key)?,
        Some(id) => versions.find(|version| version.id == id).ok_or_else(no_such_version)?,
    };
    let marked = || {
        let fault = match id {
            None => no_such_key(),
            Some(_) => {
                let message = "The specified method is not allowed against this resource.";
                Fault::new(405, "MethodNotAllowed", message).with("allow", "DELETE")
            }
        };
        fault.with("x-amz-delete-marker", "true").with("x-amz-version-id", version.id.clone())
    };
    let content = version.content.clone().ok_or_else(marked)?;
    Ok(FoundVersion { id: version.id, modified: version.modified, content })
}

/// Conditions of a write (docs/aws/s3.md#conditional-writes).
#[derive(Clone, Debug, Default)]
pub struct WriteConditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
}

impl WriteConditions {
    fn check(&self, latest: Option<&Content>) -> Result<(), Fault> {
        match (&self.if_none_match, latest) {
            (Some(ETagCondition::ETag(_)), _) => {
                return Err(Fault::not_implemented("s3", "a write with If-None-Match other than *"));
            }
            (Some(ETagCondition::Any), Some(_)) => return Err(precondition_failed()),
            _ => {}
        }
        match (&self.if_match, latest) {
            (Some(_), None) => Err(no_such_key()),
            (Some(condition), Some(content)) if !matches(condition, content) => Err(precondition_failed()),
            _ => Ok(()),
        }
    }
}

/// Whether an object has an ETag.
pub fn matches(condition: &ETagCondition, content: &Content) -> bool {
    condition.as_etag().is_none_or(|etag| etag.value() == content.etag)
}

/// Makes an object the newest version of its key, if the conditions hold at that moment.
pub fn commit(
    shared: &SandboxState,
    bucket: &Bucket,
    key: &str,
    content: Content,
    guard: &WriteConditions,
) -> Result<Version, Fault> {
    let blob = content.blob.clone();
    let committed = prepend(shared, bucket, key, Some(content), guard);
    if committed.is_err() {
        blob::discard(&blob::objects(&shared.root, &bucket.name), &blob);
    }
    committed
}

/// Makes a version or a delete marker the newest; the `null` version gives way to a new one.
fn prepend(
    shared: &SandboxState,
    bucket: &Bucket,
    key: &str,
    content: Option<Content>,
    guard: &WriteConditions,
) -> Result<Version, Fault> {
    let id = if bucket.versioning == Versioning::Enabled { fresh_id() } else { NULL.to_owned() };
    let version = Version { id, modified: shared.clock.steady(), content };
    let replaced = shared.store.upsert(&objects_table(&bucket.name), key, |entry| {
        let mut history = History::of(entry.as_ref())?;
        guard.check(history.latest())?;
        let replaced = history.take(&version.id);
        history.versions.insert(0, version.clone());
        *entry = history.entry();
        Ok(replaced)
    })?;
    discard(shared, bucket, replaced);
    Ok(version)
}

/// What a DELETE has done.
#[derive(Debug)]
pub struct Deleted {
    /// Of the version or marker that was removed, or of the marker that was made.
    pub id: Option<String>,
    pub marker: bool,
}

/// Removes a version, or hides a key behind a delete marker where versioning has ever been on. What is not
/// there is gone already.
pub fn delete(
    shared: &SandboxState,
    bucket: &Bucket,
    key: &str,
    id: Option<&str>,
    guard: &WriteConditions,
) -> Result<Deleted, Fault> {
    if id.is_none() && bucket.versioning != Versioning::Never {
        let marker = prepend(shared, bucket, key, None, guard)?;
        return Ok(Deleted { id: Some(marker.id), marker: true });
    }
    let removed = shared.store.upsert(&objects_table(&bucket.name), key, |entry| {
        let mut history = History::of(entry.as_ref())?;
        guard.check(history.latest())?;
        let removed = history.take(id.unwrap_or(NULL));
        *entry = history.entry();
        Ok(removed)
    })?;
    let marker = removed.as_ref().is_some_and(|version| version.content.is_none());
    discard(shared, bucket, removed);
    Ok(Deleted { id: id.map(str::to_owned), marker })
}

/// Replaces the tags of a version, and says its id where there are versions.
pub fn retag(
    shared: &SandboxState,
    bucket: &Bucket,
    key: &str,
    id: Option<&str>,
    tags: Tags,
) -> Result<Option<String>, Fault> {
    let found = find(shared, bucket, key, id)?;
    shared.store.upsert(&objects_table(&bucket.name), key, |entry| {
        let mut history = History::of(entry.as_ref())?;
        let version = history.versions.iter_mut().find(|version| version.id == found.id);
        version.and_then(|version| version.content.as_mut()).ok_or_else(no_such_key)?.tags = tags;
        *entry = history.entry();
        Ok(())
    })?;
    Ok(found.shown_id(bucket))
}

fn discard(shared: &SandboxState, bucket: &Bucket, version: Option<Version>) {
    if let Some(content) = version.and_then(|version| version.content) {
        blob::discard(&blob::objects(&shared.root, &bucket.name), &content.blob);
    }
}

/// A name that was never used: version ids, upload ids.
pub fn fresh_id() -> String {
    // Each RandomState has keys of its own, from the operating system's randomness.
    let random = [RandomState::new().hash_one(0), RandomState::new().hash_one(1)];
    random.iter().map(|number| format!("{number:016x}")).collect()
}

/// Sandbox time as `s3s` writes it.
pub fn moment(at: Millis) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(at.min(LAST)))
}
