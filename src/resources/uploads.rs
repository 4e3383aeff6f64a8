//! What opsctl has uploaded below a prefix of a bucket: by the manifest beside it, and by the journal of an
//! upload from this machine that was interrupted.

use std::collections::HashMap;
use std::path::PathBuf;

use super::manifest::Manifest;
use super::objects::split;
use crate::aws::{OpResult, OpResultExt, PollPace, SdkResultExt, whole};
use crate::domain::{Owner, Stored, action};
use crate::engine::OpCx;
use crate::transfer::Journal;

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
    /// Paths below the prefix, with what S3 confirmed; without it what an upload that did not come to its end
    /// was about to send.
    pub paths: HashMap<String, Option<String>>,
}

impl Uploaded {
    /// Whether what is there at a path is what was uploaded; `etag`: of the object. Somebody may have
    /// replaced it since.
    pub fn put(&self, path: &str, etag: &str) -> bool {
        let confirmed = |known: &Option<String>| known.as_ref().is_none_or(|known| known == etag);
        self.paths.get(path).is_some_and(confirmed)
    }
}

/// What is below the prefix by this project's manifest, and by the journal of an upload from this machine
/// that was interrupted. `bucket_owner`: whose the bucket is.
pub async fn uploaded(cx: &OpCx<'_>, uri: &str, bucket_owner: &Owner) -> OpResult<Uploaded> {
    let (bucket, prefix) = split(uri)?;
    let found = written(cx, bucket, prefix, None).await?;
    let is_others = found.as_ref().is_some_and(|manifest| !is_own(cx, manifest, bucket_owner));
    let own = found.filter(|_| !is_others);
    let mut paths = HashMap::new();
    if let Some(manifest) = &own {
        let confirmed = |(path, stored): (&String, &Stored)| (path.clone(), Some(stored.etag.clone()));
        paths.extend(manifest.files.iter().map(confirmed));
        paths.extend(manifest.meant.iter().map(|path| (path.clone(), None)));
    }
    paths.extend(Journal::meant(&journal_of(cx, uri)).into_iter().map(|path| (path, None)));
    Ok(Uploaded { manifest: own, is_others, paths })
}
