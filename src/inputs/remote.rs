//! What lies in somebody's bucket and is read, never written. The walk of local folders knows nothing of it:
//! it is looked at once the account is known, and kept here beside the folders.

use crate::domain::KeyPath;

/// A place in S3 that a section names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remote {
    /// As written.
    pub uri: String,
    pub look: RemoteLook,
    /// The key that names it.
    pub at: KeyPath,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemoteLook {
    /// One object.
    Object,
    /// One object, or all under a prefix, each by its entity tag.
    Content,
    /// The same; that something is there is enough, because the user says what it is.
    Presence,
}

/// What was found there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// Whether it is one object, and not what lies under a prefix.
    pub is_object: bool,
    /// Of one object.
    pub etag: Option<String>,
    /// BLAKE3 over keys, sizes and entity tags; empty of [`RemoteLook::Presence`].
    pub digest: String,
    pub files: usize,
    pub bytes: u64,
}

impl Listing {
    /// Of objects given by path, size and entity tag, in the order of their paths.
    pub fn of<'a>(objects: impl IntoIterator<Item = (&'a str, u64, &'a str)>) -> Self {
        let (mut digest, mut files, mut bytes) = (blake3::Hasher::new(), 0, 0);
        for (path, size, etag) in objects {
            digest.update(format!("{path}\0{size}\0{etag}\n").as_bytes());
            (files, bytes) = (files + 1, bytes + size);
        }
        let digest = digest.finalize().to_hex().to_string();
        Self { is_object: false, etag: None, digest, files, bytes }
    }
}

/// Bucket and key of `s3://bucket/key`; the key may be empty. `None`: it is no such URI
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
pub fn bucket_and_key(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("s3://")?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let is_name = (3..=63).contains(&bucket.len()) && bucket.chars().all(fits);
    (is_name && !key.starts_with('/')).then_some((bucket, key))
}
