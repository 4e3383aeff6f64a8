use aws_sdk_s3::primitives::ByteStream;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use super::spec::Seen;
use super::{Data, Manifest, Spec};
use crate::domain::FieldChange;
use crate::engine::{Driver, Event, Expected, Found, OpCx, OpError, OpErrorKind, OpResult, Outcomes};
use crate::inputs::{Entry, Tree};
use crate::resources::KindName;
use crate::resources::bucket::empty;

/// Uploads in flight.
const PARALLEL: usize = 32;

impl Driver for Data {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        // One level of `data/` is the list of data sets; it lies in our bucket, so all of it is ours.
        let Some(bucket) = cx.wanted(KindName::Bucket).next() else { return Ok(Vec::new()) };
        let call = cx.aws.s3.list_objects_v2().bucket(bucket).prefix("data/").delimiter("/");
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = page.op("s3:ListBucket").found()? else { break };
            let prefixes = page.common_prefixes().iter().filter_map(|p| p.prefix());
            found.extend(prefixes.map(|prefix| Found::new(format!("s3://{bucket}/{prefix}"))));
        }
        Ok(found)
    }

    async fn observe(&self, cx: &OpCx<'_>, uri: &str) -> OpResult<Option<Seen>> {
        let Some((manifest, _)) = manifest(cx, uri).await? else { return Ok(None) };
        let bytes = manifest.files.values().map(|f| f.size).sum();
        Ok(Some(Seen { digest: manifest.digest, files: manifest.files.len(), bytes }))
    }

    async fn create(&self, cx: &OpCx<'_>, uri: &str, spec: &Spec) -> OpResult<()> {
        upload(cx, uri, spec).await
    }

    async fn update(&self, cx: &OpCx<'_>, uri: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        upload(cx, uri, spec).await
    }

    async fn delete(&self, cx: &OpCx<'_>, uri: &str) -> OpResult<()> {
        let (bucket, prefix) = split(uri)?;
        // The manifest goes first: without it, what is left is only files to upload again.
        empty::empty(cx, bucket, &Manifest::key(prefix)).await?;
        empty::empty(cx, bucket, prefix).await
    }

    async fn adopt(&self, _: &OpCx<'_>, _: &str) -> OpResult<()> {
        Ok(()) // it is ours by lying in our bucket
    }
}

/// `s3://bucket/key` → bucket and key.
pub(crate) fn split(uri: &str) -> OpResult<(&str, &str)> {
    let parts = uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    parts.ok_or_else(|| OpError::new("s3", OpErrorKind::Invalid, format!("{uri} is not an s3:// URI")))
}

/// The manifest and its ETag, by which it is replaced.
async fn manifest(cx: &OpCx<'_>, uri: &str) -> OpResult<Option<(Manifest, Option<String>)>> {
    let (bucket, prefix) = split(uri)?;
    let call = cx.aws.s3.get_object().bucket(bucket).key(Manifest::key(prefix));
    let Some(object) = call.send().await.op("s3:GetObject").found()? else { return Ok(None) };
    let etag = object.e_tag().map(str::to_owned);
    let body = object.body.collect().await.map_err(|e| OpError::new("s3:GetObject", OpErrorKind::Network, e.to_string()))?;
    // One that cannot be read, or of another format, is as good as none: everything is sent again.
    let manifest = serde_json::from_slice::<Manifest>(&body.into_bytes()).unwrap_or_default();
    Ok(Some((manifest, etag)))
}

async fn upload(cx: &OpCx<'_>, uri: &str, spec: &Spec) -> OpResult<()> {
    let Some(Ok(tree)) = cx.inputs.tree(&spec.path, &spec.use_as()) else {
        return Err(OpError::local("reading the data set", "its folder was not read for this run"));
    };
    let before = manifest(cx, uri).await?;
    let etag = before.as_ref().and_then(|(_, etag)| etag.clone());
    let old = before.map(|(manifest, _)| manifest).unwrap_or_default();
    let differs = |e: &&Entry| old.files.get(&e.path).is_none_or(|f| f.hash != e.hash || f.size != e.size);
    let sending: Vec<&Entry> = tree.entries.iter().filter(differs).collect();
    let total: u64 = sending.iter().map(|e| e.size).sum();
    let (step, target) = (cx.step, cx.target.clone());
    // Boxed, because the compiler cannot yet name the futures of a stream of borrows (rust-lang/rust#102211).
    let puts: Vec<BoxFuture<'_, OpResult<u64>>> =
        sending.into_iter().map(|entry| put(cx, spec, tree, entry).boxed()).collect();
    stream::iter(puts)
        .buffer_unordered(PARALLEL)
        .try_fold(0, |done, sent| {
            let done = done + sent;
            cx.events.send(Event::StepProgress { step, target: target.clone(), done, total });
            async move { Ok(done) }
        })
        .await?;
    for gone in old.files.keys().filter(|path| !tree.has(path)) {
        let call = cx.aws.s3.delete_object().bucket(&spec.bucket).key(format!("{}{gone}", spec.prefix));
        call.send().await.op("s3:DeleteObject").gone()?;
    }
    let manifest = serde_json::to_vec(&Manifest::of(tree)).expect("a manifest is plain data");
    let call = cx.aws.s3.put_object().bucket(&spec.bucket).key(Manifest::key(&spec.prefix)).body(manifest.into());
    // Two uploads at the same time must not overwrite each other's view.
    let call = match etag {
        Some(etag) => call.if_match(etag),
        None => call.if_none_match("*"),
    };
    call.send().await.op("s3:PutObject").map(drop)
}

async fn put(cx: &OpCx<'_>, spec: &Spec, tree: &Tree, entry: &Entry) -> OpResult<u64> {
    if cx.cancel.drain.is_cancelled() {
        return Err(OpError::new("upload", OpErrorKind::Cancelled, "interrupted; files already sent are kept"));
    }
    let path = tree.root.join(&entry.path);
    let body = ByteStream::from_path(&path)
        .await
        .map_err(|e| OpError::local("reading the data set", format!("{}: {e}", path.display())))?;
    let call = cx.aws.s3.put_object().bucket(&spec.bucket).key(format!("{}{}", spec.prefix, entry.path)).body(body);
    call.send().await.op("s3:PutObject")?;
    Ok(entry.size)
}
