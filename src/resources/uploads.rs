//! What opsctl has uploaded below a prefix of a bucket: by the manifest beside it, and by the journal of an
//! upload from this machine that was interrupted.

use std::collections::HashSet;
use std::path::PathBuf;

use super::manifest::Manifest;
use super::objects::split;
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, PollPace, SdkResultExt};
use crate::domain::action;
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

/// The manifest as it is written there, whatever its format.
pub async fn written(cx: &OpCx<'_>, bucket: &str, prefix: &str) -> OpResult<Option<Manifest>> {
    let call = cx.aws.s3.get_object().bucket(bucket).key(Manifest::key(prefix));
    let call = call.expected_bucket_owner(&cx.scope.account);
    let Some(object) = call.send().await.op(action::s3::GetObject).found()? else { return Ok(None) };
    let body = object.body.collect().await;
    let body = body.map_err(|e| OpError::new(action::s3::GetObject, OpErrorKind::Network, e.to_string()))?;
    Ok(Some(serde_json::from_slice(&body.into_bytes()).unwrap_or_default()))
}

/// The paths below the prefix that opsctl has uploaded: those of the manifest, and those that an upload from
/// this machine had sent when it was interrupted.
pub async fn uploaded(cx: &OpCx<'_>, uri: &str) -> OpResult<HashSet<String>> {
    let (bucket, prefix) = split(uri)?;
    let manifest = written(cx, bucket, prefix).await?.unwrap_or_default();
    let mut paths: HashSet<String> = manifest.files.into_keys().collect();
    let journal = journal_of(cx, uri);
    if Journal::is_unfinished(&journal) {
        paths.extend(Journal::open(&journal)?.sent.into_keys());
    }
    Ok(paths)
}
