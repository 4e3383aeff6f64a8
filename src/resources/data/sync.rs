//! Bringing a data set into the bucket: look, compare, send, delete, and write down what is there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use aws_sdk_s3::types::{ChecksumMode, ChecksumType, Delete, ObjectIdentifier};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::difference::grouped;
use super::{Difference, Manifest, Spec};
use crate::domain::{Crc64, Stored, bytes};
use crate::engine::{Expected, OpCx, OpError, OpErrorKind, OpResult, Outcomes, Pace, classify};
use crate::inputs::{Stamp, Tree, replace};
use crate::transfer::{self, Journal, Order};

/// What is in the bucket, as far as its manifest says.
#[derive(Clone, Debug, Default)]
pub struct There {
    pub manifest: Manifest,
    /// By which the manifest is replaced; `None`: there is none.
    pub etag: Option<String>,
    pub bucket_is_missing: bool,
}

/// What an upload did.
#[derive(Debug, Default)]
pub struct Report {
    pub sent: usize,
    pub bytes: u64,
    pub deleted: usize,
    pub same: usize,
    /// Requests sent once more, because the first try failed or arrived damaged.
    pub again: usize,
    /// Files read while they were sent, with their checksums.
    pub files: BTreeMap<String, (Stamp, Stored)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, bytes: size, deleted, same, again, .. } = self;
        write!(f, "{} sent ({})", grouped(*sent), bytes(*size))?;
        for (n, what) in [(*deleted, "deleted"), (*same, "the same"), (*again, "requests repeated")] {
            if n > 0 {
                write!(f, ", {} {what}", grouped(n))?;
            }
        }
        Ok(())
    }
}

impl Report {
    /// The file as it was sent, and its checksum.
    pub fn learned(&self, path: &str) -> Option<(Stamp, Crc64)> {
        self.files.get(path).map(|(stamp, stored)| (*stamp, stored.crc))
    }
}

/// The last manifest that this machine saw.
#[derive(Serialize, Deserialize)]
struct Copy {
    etag: String,
    manifest: Manifest,
}

fn local_file(cx: &OpCx<'_>, what: &str, uri: &str) -> PathBuf {
    // The port of a sandbox changes from command to command; what it holds does not.
    let place = match (cx.pace, &cx.aws.target.endpoint) {
        (Pace::Local, _) => "local",
        (Pace::Declared, endpoint) => endpoint.as_deref().unwrap_or_default(),
    };
    let name = blake3::hash(format!("{uri}\0{place}").as_bytes());
    cx.cache.join(format!("{what}-{}.json", &name.to_hex()[..16]))
}

fn journal_of(cx: &OpCx<'_>, uri: &str) -> PathBuf {
    local_file(cx, "journal", uri)
}

/// Whether an upload from this machine did not come to its end, so that the manifest does not say what is there.
pub fn is_unfinished(cx: &OpCx<'_>, uri: &str) -> bool {
    Journal::is_unfinished(&journal_of(cx, uri))
}

/// Reads the manifest, in one request: nothing but its ETag comes when it is the one we saw last.
pub async fn look(cx: &OpCx<'_>, spec_uri: &str) -> OpResult<There> {
    let (bucket, prefix) = super::split(spec_uri)?;
    let file = local_file(cx, "manifest", spec_uri);
    let copy: Option<Copy> = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let copy = copy.filter(|copy| copy.manifest.format == Manifest::FORMAT);
    let call = cx.aws.s3.get_object().bucket(bucket).key(Manifest::key(prefix));
    // Bucket names can be guessed: a stranger's bucket of that name must not get our data.
    let call = call.expected_bucket_owner(&cx.scope.account);
    let call = call.set_if_none_match(copy.as_ref().map(|copy| copy.etag.clone()));
    let answer = call.send().await;
    let unchanged = answer.as_ref().is_err_and(|e| e.raw_response().is_some_and(|r| r.status().as_u16() == 304));
    if let (true, Some(Copy { etag, manifest })) = (unchanged, copy) {
        return Ok(There { manifest, etag: Some(etag), bucket_is_missing: false });
    }
    let object = match answer.op("s3:GetObject") {
        Ok(object) => object,
        Err(error) if error.kind == OpErrorKind::NotFound => {
            return Ok(There { bucket_is_missing: error.message.starts_with("NoSuchBucket"), ..There::default() });
        }
        Err(error) => return Err(error),
    };
    let etag = object.e_tag().map(str::to_owned);
    let body = object.body.collect().await;
    let body = body.map_err(|e| OpError::new("s3:GetObject", OpErrorKind::Network, e.to_string()))?;
    let manifest = Manifest::parse(&body.into_bytes());
    if let Some(etag) = &etag {
        keep(&file, etag, &manifest);
    }
    Ok(There { manifest, etag, bucket_is_missing: false })
}

fn keep(file: &std::path::Path, etag: &str, manifest: &Manifest) {
    let copy = Copy { etag: etag.to_owned(), manifest: manifest.clone() };
    let text = serde_json::to_vec(&copy).expect("a manifest is plain data");
    let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    if let Err(error) = folder.and_then(|()| replace(file, &text)) {
        tracing::debug!(%error, "the copy of the manifest could not be kept");
    }
}

/// Sends what differs, deletes what is gone where the config says so, and writes the manifest. `there` is what the plan
/// was made from; with another one since, it is all compared again.
pub async fn run(cx: &OpCx<'_>, spec: &Spec, tree: &Tree, there: There) -> OpResult<Report> {
    const ROUNDS: usize = 4;
    let uri = spec.uri();
    let mut there = there;
    let mut report = Report::default();
    // What this run sent, for as long as nobody else touched it.
    let mut ours: BTreeMap<String, (Stamp, Stored)> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let journal = Journal::open(&journal_of(cx, &uri))?;
        let mut files = there.manifest.files.clone();
        if journal.resumed {
            // An earlier run ended between its first change and the manifest, and others may have been there since: only
            // what is listed as S3 confirmed it is there, whatever the folder has by now.
            files.extend(journal.sent.iter().map(|(path, (_, stored))| (path.clone(), stored.clone())));
            let listed = list(cx, spec).await?;
            files.retain(|path, stored| listed.get(path).is_some_and(|object| object.is(stored)));
            let still = journal.sent.iter().filter(|(path, (stamp, stored))| {
                files.get(*path) == Some(stored) && tree.entry(path).is_some_and(|entry| entry.stamp == *stamp)
            });
            report.files.extend(still.map(|(path, sent)| (path.clone(), sent.clone())));
        }
        files.extend(ours.iter().map(|(path, (_, stored))| (path.clone(), stored.clone())));
        // Not copied where there is nothing to learn: a tree may be large.
        let mut known = Cow::Borrowed(tree);
        if !report.files.is_empty() || !ours.is_empty() {
            let sent = |path: &str| ours.get(path).map(|(stamp, stored)| (*stamp, stored.crc));
            known.to_mut().learn(|path| sent(path).or_else(|| report.learned(path)));
        }
        let difference = Difference::of(&known, &files, spec.delete);
        if difference.empties() {
            let message = format!(
                "{} has no files, and `delete = true` would remove all {} from the bucket",
                tree.root.display(),
                difference.gone.len()
            );
            return Err(OpError::new("upload", OpErrorKind::Invalid, message));
        }
        let send: Vec<_> = difference.send.iter().map(|(entry, _)| *entry).collect();
        let order = Order {
            bucket: &spec.bucket,
            prefix: &spec.prefix,
            root: &tree.root,
            max_concurrency: spec.max_concurrency.into(),
            bytes_per_second: spec.bandwidth.map(|b| b.bytes_per_second()),
        };
        journal.start();
        let (sent, journal) = transfer::upload(cx, order, journal, &send).await?;
        report.sent += sent.files.len();
        report.bytes += sent.files.values().map(|(_, stored)| stored.size).sum::<u64>();
        report.again += sent.again;
        report.same = difference.same;
        let gone: Vec<String> = match spec.delete {
            true => difference.gone.iter().map(|path| (*path).to_owned()).collect(),
            false => Vec::new(),
        };
        delete(cx, spec, &gone).await?;
        report.deleted += gone.len();
        gone.iter().for_each(|path| drop(files.remove(path)));
        files.extend(sent.files.iter().map(|(path, (_, stored))| (path.clone(), stored.clone())));
        let manifest = Manifest::of(tree, files);
        match write(cx, spec, &manifest, there.etag.as_deref()).await {
            Ok(etag) => {
                keep(&local_file(cx, "manifest", &uri), &etag, &manifest);
                report.files.extend(ours.into_iter().chain(sent.files));
                journal.finish();
                return Ok(report);
            }
            // Somebody else finished an upload: what they did not touch is as we left it.
            Err(error) if error.kind == OpErrorKind::Conflict => {
                let before = std::mem::replace(&mut there, look(cx, &uri).await?).manifest;
                ours.extend(sent.files);
                ours.retain(|path, _| there.manifest.files.get(path) == before.files.get(path));
            }
            Err(error) => return Err(error),
        }
    }
    let message = "others keep uploading to the same data set; agree on who does, and run it again";
    Err(OpError::new("s3:PutObject", OpErrorKind::Conflict, message))
}

/// The manifest's new ETag.
async fn write(cx: &OpCx<'_>, spec: &Spec, manifest: &Manifest, etag: Option<&str>) -> OpResult<String> {
    let body = Bytes::from(serde_json::to_vec(manifest).expect("a manifest is plain data"));
    let key = Manifest::key(&spec.prefix);
    let put = || async {
        let call = cx.aws.s3.put_object().bucket(&spec.bucket).key(&key).body(body.clone().into());
        let call = call.expected_bucket_owner(&cx.scope.account);
        // Two uploads at the same time must not overwrite each other's view.
        let call = match etag {
            Some(etag) => call.if_match(etag),
            None => call.if_none_match("*"),
        };
        call.send().await.op("s3:PutObject")
    };
    match transfer::undamaged(put).await {
        Ok(done) => Ok(done.e_tag.unwrap_or_default()),
        // The one to be replaced is gone.
        Err(error) if error.kind == OpErrorKind::NotFound && etag.is_some() => {
            Err(OpError { kind: OpErrorKind::Conflict, ..error })
        }
        Err(error) => Err(error),
    }
}

async fn delete(cx: &OpCx<'_>, spec: &Spec, paths: &[String]) -> OpResult<()> {
    for batch in paths.chunks(1000) {
        let objects = batch.iter().map(|path| {
            let key = format!("{}{path}", spec.prefix);
            ObjectIdentifier::builder().key(key).build().expect("the key is set")
        });
        let objects = Delete::builder().set_objects(Some(objects.collect())).quiet(true).build();
        let objects = objects.expect("the objects are set");
        let done = cx.aws.s3.delete_objects().bucket(&spec.bucket).delete(objects);
        let done = done.expected_bucket_owner(&cx.scope.account).send().await;
        // A 200 may carry errors of single keys (aws-facts §3.1).
        if let Some(error) = done.op("s3:DeleteObject")?.errors().first() {
            let [key, code, why] =
                [error.key(), error.code(), error.message()].map(Option::unwrap_or_default);
            let kind = classify("s3", code, why, 200);
            return Err(OpError::new("s3:DeleteObject", kind, format!("{code}: {key}: {why}")));
        }
    }
    Ok(())
}

/// An object as a listing has it.
struct Listed {
    size: i64,
    etag: String,
}

impl Listed {
    /// Whether it is the one that S3 confirmed then: an ETag stands for the bytes, whatever it is made of.
    fn is(&self, stored: &Stored) -> bool {
        self.etag == stored.etag && u64::try_from(self.size) == Ok(stored.size)
    }
}

/// What lies under the prefix, by path.
async fn list(cx: &OpCx<'_>, spec: &Spec) -> OpResult<BTreeMap<String, Listed>> {
    let pages = cx.aws.s3.list_objects_v2().bucket(&spec.bucket).prefix(&spec.prefix);
    let mut pages = pages.into_paginator().send();
    let mut objects = BTreeMap::new();
    while let Some(page) = pages.next().await {
        objects.extend(page.op("s3:ListBucket")?.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let path = object.key?.strip_prefix(&spec.prefix)?.to_owned();
            // The console's "folders" are objects whose names end with a slash; no file has such a name.
            (!path.is_empty() && !path.ends_with('/')).then_some(())?;
            Some((path, Listed { size: object.size?, etag: object.e_tag? }))
        }));
    }
    Ok(objects)
}

/// `--verify`: what is really there. Objects whose ETag is that of the manifest are as they were written; of the
/// others S3 tells the checksum, one by one. One without (uploaded by another tool, long ago) counts as not there.
///
/// Objects that neither the folder nor the manifest names are somebody else's, and are left alone.
pub async fn verify(cx: &OpCx<'_>, spec: &Spec, tree: &Tree, there: There) -> OpResult<There> {
    const AT_ONCE: usize = 32;
    let (mut files, mut unsure) = (BTreeMap::new(), Vec::new());
    for (path, object) in list(cx, spec).await? {
        match there.manifest.files.get(&path) {
            Some(stored) if object.is(stored) => drop(files.insert(path, stored.clone())),
            None if tree.entry(&path).is_none() => {}
            _ => unsure.push(path),
        }
    }
    let heads = unsure.into_iter().map(|path| {
        async move {
            let key = format!("{}{path}", spec.prefix);
            let head = cx.aws.s3.head_object().bucket(&spec.bucket).key(key).checksum_mode(ChecksumMode::Enabled);
            let Some(head) = head.send().await.op("s3:GetObject").found()? else { return Ok(None) };
            let whole = head.checksum_type().is_none_or(|kind| *kind == ChecksumType::FullObject);
            let crc = head.checksum_crc64_nvme().filter(|_| whole).and_then(|text| text.parse().ok());
            let size = head.content_length().unwrap_or_default().try_into().unwrap_or_default();
            Ok(crc.map(|crc| (path, Stored { size, crc, etag: head.e_tag.unwrap_or_default() })))
        }
        .boxed()
    });
    let heads = stream::iter(heads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let found: Vec<Option<(String, Stored)>> = heads.try_collect().await?;
    files.extend(found.into_iter().flatten());
    Ok(There { manifest: Manifest { files, ..there.manifest }, ..there })
}
