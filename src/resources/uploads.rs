//! What opsctl has uploaded below a prefix of a bucket: by the manifest beside it, and by the journal of an
//! upload from this machine that was interrupted.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

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
    /// Uploads that did not come to their end were about to send it: the checksums that were known before.
    meant: Option<BTreeSet<Crc64>>,
}

/// Whether an object is what was uploaded, and not what somebody has put there before or since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsOurs {
    Yes,
    No,
    /// If it is what was about to be sent, as [`was_sent`] says.
    IfMeant,
}

impl Uploaded {
    /// Of the object that is there; `etag`: its entity tag.
    pub fn is_ours(&self, path: &str, etag: &str) -> IsOurs {
        match self.paths.get(path) {
            Some(known) if known.etags.iter().any(|its| its == etag) => IsOurs::Yes,
            Some(known) if known.meant.is_some() => IsOurs::IfMeant,
            _ => IsOurs::No,
        }
    }

    /// Whether the object that is there is what was meant.
    pub async fn was_meant(&self, cx: &OpCx<'_>, bucket: &str, key: &str, path: &str) -> OpResult<bool> {
        let meant = self.paths.get(path).and_then(|known| known.meant.as_ref());
        let found = meant.zip(Object::look(&cx.aws.s3, bucket, key).await?);
        Ok(found.is_some_and(|(meant, object)| was_sent(cx, &object, meant)))
    }
}

/// Whether an object under a path that an upload was about to send, with one of these checksums where they
/// were known, is what that has left: it has such a checksum, or says whose it is. The file may have changed
/// before it was sent.
pub fn was_sent(cx: &OpCx<'_>, object: &Object, meant: &BTreeSet<Crc64>) -> bool {
    object.crc.is_some_and(|crc| meant.contains(&crc)) || is_sent_by(cx, object)
}

fn is_sent_by(cx: &OpCx<'_>, object: &Object) -> bool {
    object.whose.as_ref().is_some_and(|whose| *whose == cx.scope.whose())
}

/// Whether a version of an object says that this project has sent it.
pub async fn says_ours(cx: &OpCx<'_>, bucket: &str, key: &str, version: Option<String>) -> OpResult<bool> {
    let head = cx.aws.s3.head_object().bucket(bucket).key(key).set_version_id(version);
    match head.send().await.op(action::s3::GetObjectVersion).found() {
        Err(error) if error.is_no_look() => Ok(false),
        head => Ok(head?.is_some_and(|head| is_sent_by(cx, &Object::from(head)))),
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
            paths.entry(path.clone()).or_default().meant = Some(crcs.clone());
        }
    }
    for (path, (_, stored)) in Noted::of(&journal_of(cx, uri)).sent {
        paths.entry(path).or_default().etags.push(stored.etag);
    }
    Ok(Uploaded { manifest: own, is_others, paths })
}
