//! Removes a data set from the bucket: what its manifest names, and nothing else. Others may have put files
//! under the same prefix, and in an adopted bucket they probably have.

use std::collections::HashSet;

use super::sync::journal_of;
use super::{Manifest, split};
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;
use crate::resources::bucket::empty;
use crate::transfer::Journal;

/// The manifest as it is written there, whatever its format.
async fn written(cx: &OpCx<'_>, bucket: &str, prefix: &str) -> OpResult<Option<Manifest>> {
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

/// Deletes the data set. First its manifest loses its format: from then on no upload believes it, and a run
/// that is killed here still knows what to delete.
pub async fn withdraw(cx: &OpCx<'_>, uri: &str) -> OpResult<()> {
    let (bucket, prefix) = split(uri)?;
    let paths = uploaded(cx, uri).await?;
    if let Some(manifest) = written(cx, bucket, prefix).await? {
        let body = Manifest { format: 0, ..manifest }.to_json();
        let call = cx.aws.s3.put_object().bucket(bucket).key(Manifest::key(prefix)).body(body.into());
        call.expected_bucket_owner(&cx.scope.account).send().await.op(action::s3::PutObject)?;
    }
    let ours = |key: &str| key.strip_prefix(prefix).is_some_and(|path| paths.contains(path));
    empty::remove(cx, bucket, prefix, ours).await?;
    empty::empty(cx, bucket, &Manifest::key(prefix)).await
}
