//! S3 for the sandbox's own runners: training and serving move files without HTTP. Nothing is counted, no
//! fault strikes.

use std::fs::File;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::blob;
use super::bucket;
use super::digest::{Algorithm, Wanted, hex};
use super::object::{self, Content, Encryption, History, ObjectMetadata, WriteConditions, objects_table};
use crate::clock::Millis;
use crate::fault::Fault;
use crate::state::SandboxState;
use crate::tags::Tags;

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub modified: Millis,
}

/// Writes an object's bytes into a file, whose folder is made when missing; the file appears when complete.
///
/// # Errors
/// `NoSuchBucket`, `NoSuchKey`, or trouble with files.
pub async fn get_to_file(
    shared: &Arc<SandboxState>,
    bucket: &str,
    key: &str,
    path: &Path,
) -> Result<(), Fault> {
    let (shared, bucket, key, path) =
        (Arc::clone(shared), bucket.to_owned(), key.to_owned(), path.to_owned());
    blob::aside(move || {
        let bucket = bucket::find(&shared, &bucket)?;
        let found = object::find(&shared, &bucket, &key, None)?;
        let folder = path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
        std::fs::create_dir_all(&folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let mut source = File::open(blob::objects(&shared.root, &bucket.name).join(&found.content.blob))?;
        std::io::copy(&mut source, file.as_file_mut())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    })
    .await
}

/// Reads an object whole: its newest version, or the one with an id.
///
/// # Errors
/// `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, or trouble with files.
pub async fn read(
    shared: &Arc<SandboxState>,
    bucket: &str,
    key: &str,
    id: Option<&str>,
) -> Result<Bytes, Fault> {
    let (shared, bucket, key) = (Arc::clone(shared), bucket.to_owned(), key.to_owned());
    let id = id.map(str::to_owned);
    blob::aside(move || {
        let bucket = bucket::find(&shared, &bucket)?;
        let found = object::find(&shared, &bucket, &key, id.as_deref())?;
        Ok(std::fs::read(blob::objects(&shared.root, &bucket.name).join(&found.content.blob))?.into())
    })
    .await
}

/// Makes an object of a file's bytes.
///
/// # Errors
/// `NoSuchBucket`, or trouble with files.
pub async fn put_file(shared: &Arc<SandboxState>, bucket: &str, key: &str, path: &Path) -> Result<(), Fault> {
    let (shared, bucket, key, path) =
        (Arc::clone(shared), bucket.to_owned(), key.to_owned(), path.to_owned());
    blob::aside(move || {
        let bucket = bucket::find(&shared, &bucket)?;
        let wanted = Wanted { md5: true, sum: Some(Algorithm::Crc64Nvme), payload: false };
        let (blob, digests) =
            blob::copy(&shared, &path, None, wanted)?.keep(&blob::objects(&shared.root, &bucket.name))?;
        let encryption = Encryption::choose(&bucket, None, None);
        let content = Content {
            blob,
            size: digests.size,
            etag: encryption.etag(hex(&digests.md5)),
            sum: digests.sum,
            parts: Vec::new(),
            about: ObjectMetadata::default(),
            tags: Tags::new(),
            encryption,
        };
        object::commit(&shared, &bucket, &key, content, &WriteConditions::default()).map(|_| ())
    })
    .await
}

/// The objects whose keys start with `prefix`, by key.
///
/// # Errors
/// `NoSuchBucket`.
pub fn list(shared: &SandboxState, bucket: &str, prefix: &str) -> Result<Vec<Listed>, Fault> {
    let table = objects_table(&bucket::find(shared, bucket)?.name);
    let mut listed = Vec::new();
    let mut cursor = Bound::Included(prefix.to_owned());
    while let Some((key, doc)) = shared.store.first(&table, cursor.as_ref().map(String::as_str)) {
        if !key.starts_with(prefix) {
            break;
        }
        let mut history = History::read(doc)?;
        let newest = history.versions.swap_remove(0);
        if let Some(content) = newest.content {
            let (size, etag, modified) = (content.size, content.etag, newest.modified);
            listed.push(Listed { key: key.clone(), size, etag, modified });
        }
        cursor = Bound::Excluded(key);
    }
    Ok(listed)
}

/// The KMS key that an object is encrypted with: its newest version, or the one with an id.
pub fn key_of(shared: &SandboxState, bucket: &str, key: &str, id: Option<&str>) -> Option<String> {
    let bucket = bucket::find(shared, bucket).ok()?;
    object::find(shared, &bucket, key, id).ok()?.content.encryption.key
}

/// The KMS key that a bucket encrypts new objects with.
pub fn default_key(shared: &SandboxState, bucket: &str) -> Option<String> {
    Encryption::choose(&bucket::find(shared, bucket).ok()?, None, None).key
}

/// The policy of a bucket, if it has one.
pub fn policy(shared: &SandboxState, bucket: &str) -> Option<String> {
    bucket::find(shared, bucket).ok()?.policy
}

/// The region of a bucket, which its ARN does not say.
///
/// # Errors
/// `NoSuchBucket`.
pub fn region(shared: &SandboxState, bucket: &str) -> Result<String, Fault> {
    Ok(bucket::find(shared, bucket)?.region)
}
