//! Uploads a data set: read the manifest, compare, send, delete, and write the manifest.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{Data, Difference, Spec, State};
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt, whole};
use crate::desired::{Kind, Mistake};
use crate::domain::{Owner, Stored, action, bytes, few, grouped, many, shown};
use crate::engine::OpCx;
use crate::inputs::{Strays, Tree, is_in_place, read_kept, replace_json};
use crate::resources::bucket::owner;
use crate::resources::manifest::Manifest;
use crate::resources::objects::{if_unchanged, split};
use crate::resources::uploads::{journal_of, local_file};
use crate::transfer::{self, Journal, Meant, Noted, Object, TransferOptions, TransferReport};

/// What is in the bucket, as far as its manifest says.
#[derive(Clone, Debug, Default)]
pub struct RemoteState {
    pub manifest: Manifest,
    /// By which the manifest is replaced; `None`: there is none.
    pub etag: Option<String>,
    /// Paths that the manifest named and that are not as it said: sent again, in the same place.
    pub unlike: BTreeSet<String>,
    pub bucket_is_missing: bool,
}

/// What an upload did.
#[derive(Debug, Default)]
pub struct Report {
    pub sent: usize,
    /// Of the files that were sent.
    pub bytes: u64,
    /// Of these, what an interrupted run had sent before: parts of large files.
    pub before: u64,
    pub deleted: usize,
    pub same: usize,
    /// Files that left the folder and stay in the bucket, where training reads them.
    pub kept: usize,
    /// Requests sent once more, because the first try failed or arrived damaged.
    pub again: usize,
    /// Digest of all that is there now.
    pub holds: String,
}

impl Report {
    fn add(&mut self, transfer: &TransferReport) {
        let size = transfer.files.iter().map(|(_, _, stored)| stored.size).sum::<u64>();
        self.sent += transfer.files.len();
        self.bytes += size;
        self.before += size.saturating_sub(transfer.bytes);
        self.again += transfer.again;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, bytes: size, before, deleted, same, kept, again, holds: _ } = self;
        match before {
            0 => write!(f, "{} sent ({})", grouped(*sent), bytes(*size))?,
            _ => {
                let now = bytes(size.saturating_sub(*before));
                write!(f, "{} sent ({now}; {} of them were there)", grouped(*sent), bytes(*before))?;
            }
        }
        let kept = (*kept, "only in the bucket, where training reads them (`delete = true` removes them)");
        for (n, what) in [(*deleted, "deleted"), (*same, "the same"), kept, (*again, "requests repeated")] {
            if n > 0 {
                write!(f, ", {} {what}", grouped(n))?;
            }
        }
        Ok(())
    }
}

/// The last manifest that this machine saw.
#[derive(Serialize, Deserialize)]
struct CachedManifest<'a> {
    etag: Cow<'a, str>,
    manifest: Cow<'a, Manifest>,
}

/// Whether an upload from this machine did not come to its end, so that the manifest does not say what is
/// there.
pub fn is_unfinished(cx: &OpCx<'_>, uri: &str) -> bool {
    Journal::is_unfinished(&journal_of(cx, uri))
}

/// Reads the manifest, in one request: nothing but its ETag comes when it is the one we saw last.
pub async fn read_manifest(cx: &OpCx<'_>, spec_uri: &str) -> OpResult<RemoteState> {
    let (bucket, prefix) = split(spec_uri)?;
    let file = local_file(cx, "manifest", spec_uri);
    let copy: Option<CachedManifest<'static>> =
        read_kept(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let copy = copy.filter(|copy| copy.manifest.format == Manifest::FORMAT);
    let call = cx.aws.s3.get_object().bucket(bucket).key(Manifest::key(prefix));
    // Bucket names can be guessed: a stranger's bucket of that name must not get our data.
    let call = call.expected_bucket_owner(&cx.scope.account);
    let call = call.set_if_none_match(copy.as_ref().map(|copy| copy.etag.to_string()));
    let answer = whole(|| call.clone().send()).await;
    let unchanged =
        answer.as_ref().is_err_and(|e| e.raw_response().is_some_and(|r| r.status().as_u16() == 304));
    if let (true, Some(CachedManifest { etag, manifest })) = (unchanged, copy) {
        let (manifest, etag) = (manifest.into_owned(), Some(etag.into_owned()));
        return Ok(RemoteState { manifest, etag, ..RemoteState::default() });
    }
    let (object, body) = match answer.op(action::s3::GetObject) {
        Ok(found) => found,
        Err(error) if error.kind == OpErrorKind::NotFound => {
            return Ok(RemoteState { bucket_is_missing: error.is("NoSuchBucket"), ..RemoteState::default() });
        }
        Err(error) => return Err(error),
    };
    let etag = object.e_tag().map(str::to_owned);
    let manifest = Manifest::parse(&body);
    if let Some(etag) = &etag {
        keep(&file, etag, &manifest);
    }
    Ok(RemoteState { manifest, etag, ..RemoteState::default() })
}

/// What a job would read beside the folder's files: those that left it after they were uploaded. Whether all
/// of it is still there a listing says, before a job starts.
pub async fn strays(cx: &OpCx<'_>, spec: &Spec, tree: &Tree) -> OpResult<Strays> {
    let uri = spec.uri();
    let there = read_manifest(cx, &uri).await?;
    let Manifest { owner, files, .. } = there.manifest;
    if !owner.is_empty() && owner != cx.scope.whose() {
        return Ok(Strays::new());
    }
    // What an upload has sent that did not come to its end is in no manifest.
    let confirmed =
        Noted::of(&journal_of(cx, &uri)).sent.into_iter().map(|(path, (_, stored))| (path, stored));
    Ok(files.into_iter().chain(confirmed).filter(|(path, _)| tree.entry(path).is_none()).collect())
}

/// Whose a data set is that is not this project's, and the key that tells: an upload would replace what is
/// there, a destroy delete it. That is one whose manifest names another project or environment. In a bucket
/// that opsctl did not make it is also what has a manifest that names nobody, or objects and no manifest.
pub async fn foreign(cx: &OpCx<'_>, uri: &str, there: &RemoteState) -> OpResult<Option<(Owner, String)>> {
    let (bucket, prefix) = split(uri)?;
    let whose = &there.manifest.owner;
    if there.bucket_is_missing || *whose == cx.scope.whose() {
        return Ok(None);
    }
    if !whose.is_empty() {
        return Ok(Some((Owner::Other(whose.clone()), Manifest::key(prefix))));
    }
    if there.etag.is_some() {
        let is_ours = owner(cx, bucket).await? == Some(Owner::Ours);
        return Ok((!is_ours).then(|| (Owner::Nobody, Manifest::key(prefix))));
    }
    // The console's "folder" is an object of the prefix's own name.
    let page = cx.aws.s3.list_objects_v2().bucket(bucket).prefix(prefix).max_keys(2).send().await;
    let Some(page) = page.op(action::s3::ListBucket).found()? else { return Ok(None) };
    let Some(key) = page.contents().iter().filter_map(|o| o.key()).find(|key| *key != prefix) else {
        return Ok(None);
    };
    Ok((owner(cx, bucket).await? != Some(Owner::Ours)).then(|| (Owner::Nobody, key.to_owned())))
}

/// An upload into what is somebody else's is refused.
async fn refuse_foreign(cx: &OpCx<'_>, spec: &Spec, there: &RemoteState) -> OpResult<()> {
    let found = foreign(cx, &spec.uri(), there).await?;
    found.map_or(Ok(()), |(_, key)| Err(beside(spec, &key)))
}

fn beside(spec: &Spec, key: &str) -> OpError {
    let message = format!(
        "{} is not this project's, and an upload would put its files beside {key}: rename the data set",
        spec.uri()
    );
    OpError::new("upload", OpErrorKind::AlreadyExists, message)
}

/// The prefix becomes ours by its manifest, before the first file: what a killed upload leaves is not taken
/// for somebody else's, nor what somebody puts there for ours.
async fn claim(cx: &OpCx<'_>, spec: &Spec, tree: &Tree) -> OpResult<RemoteState> {
    let there = list(cx, spec).await?;
    if let Some(path) = there.keys().next()
        && owner(cx, &spec.bucket).await? != Some(Owner::Ours)
    {
        return Err(beside(spec, &format!("{}{path}", spec.prefix)));
    }
    // What somebody has put there before is not meant: it is not replaced, and never deleted.
    let meant = tree.entries.iter().filter(|entry| !there.contains_key(&*entry.path));
    let meant = meant.map(|entry| (entry.path.to_string(), entry.crc)).collect();
    let manifest =
        Manifest { format: Manifest::FORMAT, owner: cx.scope.whose(), meant, ..Manifest::default() };
    match write(cx, spec, &manifest, None).await {
        Ok(etag) => Ok(RemoteState { manifest, etag: Some(etag), ..RemoteState::default() }),
        // Somebody else begins at this moment.
        Err(error) if error.kind == OpErrorKind::Conflict => read_manifest(cx, &spec.uri()).await,
        Err(error) => Err(error),
    }
}

fn keep(file: &Path, etag: &str, manifest: &Manifest) {
    let copy = CachedManifest { etag: Cow::Borrowed(etag), manifest: Cow::Borrowed(manifest) };
    let folder = file.parent().unwrap_or(Path::new("."));
    let kept = std::fs::create_dir_all(folder).and_then(|()| match is_in_place(folder) {
        true => replace_json(file, &copy),
        false => Err(std::io::Error::other("its folder is a link")),
    });
    if let Err(error) = kept {
        tracing::debug!(%error, "the copy of the manifest could not be kept");
    }
}

/// Sends what differs, deletes what is gone where the config says so, and writes the manifest. `there` is
/// what the plan was made from; with another one since, it is all compared again. `tree` learns what the
/// files were when they were sent.
pub async fn run(cx: &OpCx<'_>, spec: &Spec, tree: &mut Tree, there: RemoteState) -> OpResult<Report> {
    const ROUNDS: usize = 4;
    let uri = spec.uri();
    let mut there = if there.etag.is_none() { claim(cx, spec, tree).await? } else { there };
    refuse_foreign(cx, spec, &there).await?;
    let mut report = Report::default();
    for _ in 0..ROUNDS {
        let mut journal = Journal::open(&journal_of(cx, &uri))?;
        let fresh = fresh(tree, &there, std::mem::take(&mut journal.noted.meant));
        let mut files = std::mem::take(&mut there.manifest.files);
        if journal.resumed {
            take_up(cx, spec, &journal, &mut files, tree).await?;
        }
        let difference = Difference::of(tree, &files, spec.delete);
        // The files of the others have changed since it was planned.
        let state = State { files: files.len(), ..State::default() };
        if let Some(Mistake { why, help, .. }) = Data::mistaken(spec, &state) {
            return Err(OpError::new("upload", OpErrorKind::Empties, why).with_help(help));
        }
        let send: Vec<_> = difference.send.iter().map(|(entry, _)| *entry).collect();
        let order = TransferOptions { fresh, ..options(spec, tree) };
        journal.start(send.iter().map(|entry| (&*entry.path, entry.crc)));
        let (sent, journal) = transfer::upload(cx, order, journal, &send).await?;
        report.add(&sent);
        report.same = difference.same;
        let gone = difference.gone.iter().map(|path| (*path).to_owned());
        let gone: Vec<String> = gone.filter(|_| spec.delete).collect();
        report.kept = difference.gone.len() - gone.len();
        let gone = gone.into_iter().filter_map(|path| files.remove_entry(&path)).collect::<Vec<_>>();
        let replaced = delete(cx, spec, &gone).await?;
        report.deleted += gone.len() - replaced.len();
        let stays = |(path, _): &(String, Stored)| replaced.contains(path);
        files.extend(gone.into_iter().filter(stays));
        for (path, stamp, stored) in &sent.files {
            let entry = tree.entry_mut(path).expect("what was sent is of the folder");
            (entry.stamp, entry.crc) = (*stamp, Some(stored.crc));
        }
        // Collected and appended, not inserted one by one: full nodes take half the memory.
        files.append(
            &mut sent.files.into_iter().map(|(path, _, stored)| (path.as_ref().into(), stored)).collect(),
        );
        let manifest = Manifest::of(cx.scope.whose(), tree, files);
        match write(cx, spec, &manifest, there.etag.as_deref()).await {
            Ok(etag) => {
                keep(&local_file(cx, "manifest", &uri), &etag, &manifest);
                journal.finish();
                all_ours(&uri, &replaced)?;
                return Ok(Report { holds: manifest.digest_of_all(), ..report });
            }
            // Somebody else finished an upload. The journal has what this round sent.
            Err(error) if error.kind == OpErrorKind::Conflict => {
                there = read_manifest(cx, &uri).await?;
                refuse_foreign(cx, spec, &there).await?;
            }
            Err(error) => return Err(error),
        }
    }
    let message = "others keep uploading to the same data set; agree on who does, and run it again";
    Err(OpError::new(action::s3::PutObject, OpErrorKind::Conflict, message))
}

/// A run, or a round of this one, ended between its first change and the manifest, and others may have been
/// there since: only what is listed as S3 confirmed it is there, whatever the folder has by now.
async fn take_up(
    cx: &OpCx<'_>,
    spec: &Spec,
    journal: &Journal,
    files: &mut BTreeMap<String, Stored>,
    tree: &mut Tree,
) -> OpResult<()> {
    let listed = list(cx, spec).await?;
    let is_there = |path: &str, stored: &Stored| listed.get(path).is_some_and(|o| o.is(stored));
    files.retain(|path, stored| is_there(path, stored));
    for (path, (stamp, stored)) in journal.noted.sent.iter().filter(|(path, (_, s))| is_there(path, s)) {
        files.insert(path.clone(), stored.clone());
        if let Some(entry) = tree.entry_mut(path).filter(|entry| entry.stamp == *stamp) {
            entry.crc = Some(stored.crc);
        }
    }
    Ok(())
}

/// Files that no upload which has ended has put there, with what uploads that were broken off may have sent.
/// Where the manifest cannot be read, nobody knows.
fn fresh(tree: &Tree, there: &RemoteState, mut meant: Meant) -> Meant {
    let manifest = &there.manifest;
    if manifest.format != Manifest::FORMAT {
        return Meant::new();
    }
    let is_known = |path: &str| manifest.files.contains_key(path) || there.unlike.contains(path);
    let paths = tree.entries.iter().map(|entry| &*entry.path).filter(|path| !is_known(path));
    let with_meant = paths.map(|path| {
        let mut crcs = meant.remove(path).unwrap_or_default();
        crcs.extend(manifest.meant.get(path).copied().flatten());
        (path.to_owned(), crcs)
    });
    with_meant.collect()
}

fn options<'a>(spec: &'a Spec, tree: &'a Tree) -> TransferOptions<'a> {
    TransferOptions {
        bucket: &spec.bucket,
        prefix: &spec.prefix,
        root: &tree.root,
        max_concurrency: spec.max_concurrency.into(),
        bytes_per_second: spec.bandwidth.map(|b| b.bytes_per_second()),
        fresh: Meant::new(),
    }
}

/// The manifest's new ETag.
async fn write(cx: &OpCx<'_>, spec: &Spec, manifest: &Manifest, etag: Option<&str>) -> OpResult<String> {
    let body = Bytes::from(manifest.to_json());
    let key = Manifest::key(&spec.prefix);
    let put = || async {
        let call = cx.aws.s3.put_object().bucket(&spec.bucket).key(&key).body(body.clone().into());
        let call = call.expected_bucket_owner(&cx.scope.account);
        // Two uploads at the same time must not overwrite each other's view.
        let call = match etag {
            Some(etag) => call.if_match(etag),
            None => call.if_none_match("*"),
        };
        call.send().await.op(action::s3::PutObject)
    };
    match transfer::undamaged(put, || ()).await {
        Ok(done) => Ok(done.e_tag.unwrap_or_default()),
        // The one to be replaced is gone.
        Err(error) if error.kind == OpErrorKind::NotFound && etag.is_some() => {
            Err(OpError { kind: OpErrorKind::Conflict, ..error })
        }
        Err(error) => Err(error),
    }
}

/// Deletes files that are as they were uploaded. Those that are not are somebody's, and stay: their paths.
async fn delete(cx: &OpCx<'_>, spec: &Spec, files: &[(String, Stored)]) -> OpResult<BTreeSet<String>> {
    let mut replaced = BTreeSet::new();
    for batch in files.chunks(1000) {
        let objects = batch.iter().map(|(path, stored)| {
            let key = format!("{}{path}", spec.prefix);
            let etag = Some(stored.etag.clone()).filter(|etag| !etag.is_empty());
            ObjectIdentifier::builder().key(key).set_e_tag(etag).build().expect("the key is set")
        });
        let objects = Delete::builder().set_objects(Some(objects.collect())).quiet(true).build();
        let objects = objects.expect("the objects are set");
        let done = cx.aws.s3.delete_objects().bucket(&spec.bucket).delete(objects);
        let done = done.expected_bucket_owner(&cx.scope.account).send().await;
        let done = done.op(action::s3::DeleteObject)?;
        let kept = if_unchanged(&done, action::s3::DeleteObject)?.into_iter();
        replaced.extend(kept.filter_map(|key| key.strip_prefix(&spec.prefix)).map(str::to_owned));
    }
    Ok(replaced)
}

/// What was not deleted stays in the manifest, so that the next run says so too.
fn all_ours(uri: &str, replaced: &BTreeSet<String>) -> OpResult<()> {
    if replaced.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = replaced.iter().cloned().collect();
    let objects = many(names.len(), "object");
    let message = format!("{uri}: {objects} not deleted, being replaced since the upload: {}", first(&names));
    let help = "move or delete that (`aws s3 mv`, `aws s3 rm`), or put it into the folder too";
    Err(OpError::new("upload", OpErrorKind::AlreadyExists, message).with_help(help))
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
    Ok(unlike(cx, spec, tree, manifest, &list(cx, spec).await?))
}

fn unlike(
    cx: &OpCx<'_>,
    spec: &Spec,
    tree: Option<&Tree>,
    manifest: &Manifest,
    listed: &BTreeMap<String, Listed>,
) -> Unlike {
    let is_there = |(path, stored): &(&String, &Stored)| listed.get(*path).is_some_and(|o| o.is(stored));
    // What an upload has sent that did not come to its end is in no manifest.
    let confirmed = Noted::of(&journal_of(cx, &spec.uri())).sent;
    let is_confirmed = |path: &String| {
        confirmed.get(path).is_some_and(|(_, then)| listed.get(path).is_some_and(|o| o.is(then)))
    };
    let sent = |path: &String| tree.is_none_or(|tree| tree.entry(path).is_some()) || is_confirmed(path);
    // What left the folder and was replaced cannot be sent again, and is not ours to delete.
    let is_lost = |path: &String| !sent(path) && listed.contains_key(path);
    let unlike = manifest.files.iter().filter(|file| !is_there(file)).map(|(path, _)| path.clone());
    let (lost, altered): (Vec<_>, Vec<_>) = unlike.partition(is_lost);
    let known = |path: &String| manifest.files.contains_key(path) || sent(path);
    let strange = listed.keys().filter(|path| !known(path)).cloned().chain(lost);
    Unlike { altered, strange: strange.collect() }
}

/// The objects under the prefix, by path.
async fn list(cx: &OpCx<'_>, spec: &Spec) -> OpResult<BTreeMap<String, Listed>> {
    let pages = cx.aws.s3.list_objects_v2().bucket(&spec.bucket).prefix(&spec.prefix);
    let mut pages = pages.into_paginator().send();
    let mut objects = BTreeMap::new();
    while let Some(page) = pages.next().await {
        objects.extend(page.op(action::s3::ListBucket)?.contents.unwrap_or_default().into_iter().filter_map(
            |object| {
                let path = object.key?.strip_prefix(&spec.prefix)?.to_owned();
                // The console's "folders" are objects whose names end with a slash; no file has such a name.
                let is_file = !path.is_empty() && !path.ends_with('/');
                is_file.then_some((path, Listed { size: object.size?, etag: object.e_tag? }))
            },
        ));
    }
    Ok(objects)
}

/// `--verify`: what is really there. Objects whose ETag is that of the manifest are as they were written; of
/// the others S3 tells the checksum, one by one. One without (uploaded by another tool, long ago) counts as
/// not there.
///
/// Objects that the manifest does not name are somebody else's, and are left alone; those that the folder
/// does not name either are in [`Unlike`].
pub async fn verify(
    cx: &OpCx<'_>,
    spec: &Spec,
    tree: &Tree,
    there: RemoteState,
) -> OpResult<(RemoteState, Unlike)> {
    const AT_ONCE: usize = 32;
    let listed = list(cx, spec).await?;
    let unlike = unlike(cx, spec, Some(tree), &there.manifest, &listed);
    let (mut files, mut unsure) = (BTreeMap::new(), Vec::new());
    for (path, object) in listed {
        match there.manifest.files.get(&path) {
            Some(stored) if object.is(stored) => drop(files.insert(path, stored.clone())),
            None if tree.entry(&path).is_none() || there.manifest.format == Manifest::FORMAT => {}
            _ => unsure.push(path),
        }
    }
    let heads = unsure.into_iter().map(|path| {
        async move {
            let object = Object::head(&cx.aws.s3, &spec.bucket, &format!("{}{path}", spec.prefix)).await?;
            let Some(Object { size, crc: Some(crc), etag }) = object else { return Ok(None) };
            Ok(Some((path, Stored { size, crc, etag })))
        }
        .boxed()
    });
    let heads = stream::iter(heads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let found: Vec<Option<(String, Stored)>> = heads.try_collect().await?;
    files.extend(found.into_iter().flatten());
    let mut manifest = there.manifest;
    let said = std::mem::replace(&mut manifest.files, files);
    let other = said.into_keys().filter(|path| !manifest.files.contains_key(path)).collect();
    Ok((RemoteState { manifest, unlike: other, ..there }, unlike))
}
