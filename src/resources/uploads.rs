//! What opsctl has uploaded below a prefix of a bucket: by the manifest beside it, and by the journal of an
//! upload from this machine that was interrupted.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use aws_sdk_s3::types::ChecksumMode;

use super::manifest::Manifest;
use super::objects::split;
use crate::aws::{OpResult, OpResultExt, PollPace, SdkResultExt, whole};
use crate::domain::{Crc64, Owner, action};
use crate::engine::OpCx;
use crate::transfer::{Noted, Object};

/// What this machine keeps of a data set: `what` of it.
pub fn local_file(cx: &OpCx<'_>, what: &str, uri: &str) -> PathBuf {
    // The port of a sandbox changes from command to command; what it holds does not.
    let place = match (cx.pace, &cx.aws.target.endpoint) {
        (PollPace::Local, _) => "local",
        (PollPace::Declared, endpoint) => endpoint.as_deref().unwrap_or_default(),
    };
    let name = blake3::hash(format!("{uri}\0{place}").as_bytes());
    cx.cache.join(format!("{what}-{}.json", &name.to_hex()[..16]))
}

/// What an upload from this machine has sent so far.
pub fn journal_of(cx: &OpCx<'_>, uri: &str) -> PathBuf {
    local_file(cx, "journal", uri)
}

/// The manifest as it is written there, whatever its format; or a version of it.
pub async fn written(
    cx: &OpCx<'_>,
    bucket: &str,
    prefix: &str,
    version: Option<String>,
) -> OpResult<Option<Manifest>> {
    let action = if version.is_some() { action::s3::GetObjectVersion } else { action::s3::GetObject };
    let call = cx.aws.s3.get_object().bucket(bucket).key(Manifest::key(prefix)).set_version_id(version);
    let call = call.expected_bucket_owner(&cx.scope.account);
    let found = whole(|| call.clone().send()).await.op(action).found()?;
    Ok(found.map(|(_, body)| serde_json::from_slice(&body).unwrap_or_default()))
}

/// Whether a manifest is this project's, in a bucket of this owner.
pub fn is_own(cx: &OpCx<'_>, manifest: &Manifest, bucket_owner: &Owner) -> bool {
    manifest.owner == cx.scope.whose() || (*bucket_owner == Owner::Ours && manifest.owner.is_empty())
}

/// What of the objects below a prefix opsctl has uploaded.
#[derive(Debug, Default)]
pub struct Uploaded {
    /// The manifest, where it is this project's.
    pub manifest: Option<Manifest>,
    /// Whether there is one, and it is not.
    pub is_others: bool,
    /// Paths below the prefix.
    pub paths: HashMap<String, Known>,
}

/// What is known of a path.
#[derive(Debug, Default)]
pub struct Known {
    /// Entity tags that S3 has confirmed.
    etags: Vec<String>,
    /// Checksums of what uploads that did not come to their end were about to send.
    meant: HashSet<Crc64>,
    /// A first upload into a bucket that opsctl made was about to send it, and nothing was there before; that
    /// was before its checksum was known.
    is_first: bool,
}

impl Known {
    /// Whether it is known by its path alone.
    fn is_unread(&self) -> bool {
        self.is_first && self.etags.is_empty()
    }
}

/// Whether an object is what was uploaded, and not what somebody has put there before or since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsOurs {
    Yes,
    No,
    /// If its checksum is one of those that were meant; any, where none is known.
    IfMeant,
}

impl Uploaded {
    /// Of the object that is there; `etag`: its entity tag.
    pub fn is_ours(&self, path: &str, etag: &str) -> IsOurs {
        match self.paths.get(path) {
            Some(known) if known.etags.iter().any(|its| its == etag) => IsOurs::Yes,
            Some(known) if !known.meant.is_empty() || known.is_unread() => IsOurs::IfMeant,
            _ => IsOurs::No,
        }
    }

    /// Whether an object, or an old version of it, has the checksum of what was meant.
    pub async fn was_meant(
        &self,
        cx: &OpCx<'_>,
        bucket: &str,
        key: &str,
        (path, version): (&str, Option<String>),
    ) -> OpResult<bool> {
        let action = if version.is_some() { action::s3::GetObjectVersion } else { action::s3::GetObject };
        let head = cx.aws.s3.head_object().bucket(bucket).key(key).set_version_id(version);
        let head = head.checksum_mode(ChecksumMode::Enabled).send().await.op(action).found()?;
        let crc = head.and_then(|head| Object::from(head).crc);
        let known = self.paths.get(path).zip(crc);
        Ok(known.is_some_and(|(known, crc)| known.meant.contains(&crc) || known.is_unread()))
    }
}

/// What is below the prefix by this project's manifest, and by the journal of an upload from this machine
/// that was interrupted. `bucket_owner`: whose the bucket is.
pub async fn uploaded(cx: &OpCx<'_>, uri: &str, bucket_owner: &Owner) -> OpResult<Uploaded> {
    let (bucket, prefix) = split(uri)?;
    let found = written(cx, bucket, prefix, None).await?;
    let is_others = found.as_ref().is_some_and(|manifest| !is_own(cx, manifest, bucket_owner));
    let own = found.filter(|_| !is_others);
    let mut paths: HashMap<String, Known> = HashMap::new();
    if let Some(manifest) = &own {
        for (path, stored) in &manifest.files {
            paths.entry(path.clone()).or_default().etags.push(stored.etag.clone());
        }
        for (path, crcs) in &manifest.meant {
            let known = paths.entry(path.clone()).or_default();
            known.meant.extend(crcs);
            known.is_first = crcs.is_empty() && *bucket_owner == Owner::Ours;
        }
    }
    for (path, (_, stored)) in Noted::of(&journal_of(cx, uri)).sent {
        paths.entry(path).or_default().etags.push(stored.etag);
    }
    Ok(Uploaded { manifest: own, is_others, paths })
}
