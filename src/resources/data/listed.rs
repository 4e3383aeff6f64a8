//! What lies below a data set's prefix, against what is known of it.

use std::collections::{BTreeMap, HashMap};

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use super::Spec;
use crate::aws::{OpResult, SdkResultExt};
use crate::domain::{Stored, action, few, many, shown};
use crate::engine::OpCx;
use crate::inputs::{FileStamp, Tree};
use crate::resources::manifest::Manifest;
use crate::resources::objects::split;
use crate::resources::uploads::{journal_of, was_sent};
use crate::transfer::{Noted, Object};

/// An object as a listing has it.
pub(super) struct Listed {
    size: i64,
    etag: String,
}

impl Listed {
    /// Whether it is the one that S3 confirmed then: an ETag stands for the bytes, whatever it is made of.
    pub(super) fn is(&self, stored: &Stored) -> bool {
        self.etag == stored.etag && u64::try_from(self.size) == Ok(stored.size)
    }
}

/// How the bucket differs from its manifest.
#[derive(Debug, Default)]
pub struct Unlike {
    /// Of another size or ETag than S3 confirmed, or gone: paths.
    altered: Vec<String>,
    /// Neither uploaded nor in the folder: paths.
    strange: Vec<String>,
}

impl Unlike {
    /// What is not as it was uploaded, and what others have put beside it.
    pub fn words(&self) -> (Option<String>, Option<String>) {
        let some = |paths: &[String], what: &str| {
            (!paths.is_empty()).then(|| format!("{} {what}: {}", many(paths.len(), "object"), first(paths)))
        };
        (
            some(&self.altered, "gone or replaced"),
            some(&self.strange, "that opsctl did not upload, and a training would read"),
        )
    }
}

/// The first of them.
pub(super) fn first(paths: &[String]) -> String {
    few(&paths.iter().map(|path| shown::line(path)).collect::<Vec<_>>(), 3)
}

/// What is there against what was uploaded, by size and ETag.
pub async fn compare(
    cx: &OpCx<'_>,
    spec: &Spec,
    tree: Option<&Tree>,
    manifest: &Manifest,
) -> OpResult<Unlike> {
    unlike(cx, spec, tree, manifest, &list(cx, &spec.uri()).await?).await
}

pub(super) async fn unlike(
    cx: &OpCx<'_>,
    spec: &Spec,
    tree: Option<&Tree>,
    manifest: &Manifest,
    listed: &BTreeMap<String, Listed>,
) -> OpResult<Unlike> {
    let is_here = |path: &str| tree.is_none_or(|tree| tree.entry(path).is_some());
    // What an upload has sent that did not come to its end is not among the manifest's files.
    let uri = spec.uri();
    let sent = Noted::of(&journal_of(cx, &uri)).sent;
    let left = broken_off(cx, &uri, manifest, &sent, listed, |path| !is_here(path)).await?;
    let is_there = |(path, stored): &(&String, &Stored)| listed.get(*path).is_some_and(|o| o.is(stored));
    let sent = |path: &String| is_here(path) || left.contains_key(path);
    // What left the folder and was replaced cannot be sent again, and is not ours to delete.
    let is_lost = |path: &String| !sent(path) && listed.contains_key(path);
    let unlike = manifest.files.iter().filter(|file| !is_there(file)).map(|(path, _)| path.clone());
    let (lost, altered): (Vec<_>, Vec<_>) = unlike.partition(is_lost);
    let known = |path: &String| manifest.files.contains_key(path) || sent(path);
    let strange = listed.keys().filter(|path| !known(path)).cloned().chain(lost);
    Ok(Unlike { altered, strange: strange.collect() })
}

/// What uploads that did not come to their end have left under the paths that are wanted: what S3 confirmed
/// to this machine, with the file as it was then, and what they were about to send by the manifest.
pub(super) async fn broken_off(
    cx: &OpCx<'_>,
    uri: &str,
    manifest: &Manifest,
    sent: &HashMap<String, (FileStamp, Stored)>,
    listed: &BTreeMap<String, Listed>,
    is_wanted: impl Fn(&str) -> bool,
) -> OpResult<BTreeMap<String, (Option<FileStamp>, Stored)>> {
    let is_there = |path: &str, stored: &Stored| listed.get(path).is_some_and(|o| o.is(stored));
    let confirmed = sent.iter().filter(|(path, (_, stored))| is_wanted(path) && is_there(path, stored));
    let mut left: BTreeMap<_, _> =
        confirmed.map(|(path, (stamp, stored))| (path.clone(), (Some(*stamp), stored.clone()))).collect();
    let is_named = |path: &str| manifest.files.get(path).is_some_and(|stored| is_there(path, stored));
    let is_unsure = |path: &&String| {
        listed.contains_key(*path) && is_wanted(path) && !left.contains_key(*path) && !is_named(path)
    };
    let unsure: Vec<String> = manifest.meant.keys().filter(is_unsure).cloned().collect();
    let found = heads(cx, uri, unsure).await?.into_iter();
    let meant = found.filter(|(path, object)| was_sent(cx, object, &manifest.meant[path]));
    left.extend(meant.filter_map(|(path, object)| Some((path, (None, object.stored()?)))));
    Ok(left)
}

/// The objects of these paths that are there.
pub(super) async fn heads(cx: &OpCx<'_>, uri: &str, paths: Vec<String>) -> OpResult<Vec<(String, Object)>> {
    const AT_ONCE: usize = 32;
    let (bucket, prefix) = split(uri)?;
    let heads = paths.into_iter().map(|path| {
        async move {
            let object = Object::look(&cx.aws.s3, bucket, &format!("{prefix}{path}")).await?;
            Ok(object.map(|object| (path, object)))
        }
        .boxed()
    });
    let heads = stream::iter(heads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let found: Vec<Option<(String, Object)>> = heads.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The objects of a data set, by path.
pub(super) async fn list(cx: &OpCx<'_>, uri: &str) -> OpResult<BTreeMap<String, Listed>> {
    let (bucket, prefix) = split(uri)?;
    let pages = cx.aws.s3.list_objects_v2().bucket(bucket).prefix(prefix);
    let mut pages = pages.into_paginator().send();
    let mut objects = BTreeMap::new();
    while let Some(page) = pages.next().await {
        objects.extend(page.op(action::s3::ListBucket)?.contents.unwrap_or_default().into_iter().filter_map(
            |object| {
                let path = object.key?.strip_prefix(prefix)?.to_owned();
                // The console's "folders" are objects whose names end with a slash; no file has such a name.
                let is_file = !path.is_empty() && !path.ends_with('/');
                is_file.then_some((path, Listed { size: object.size?, etag: object.e_tag? }))
            },
        ));
    }
    Ok(objects)
}
