//! Uploads a data set: read the manifest, compare, send, delete, and write the manifest.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::difference::clash;
use super::listed::{Listed, Unlike, broken_off, first, heads, list, unlike};
use super::{Data, Difference, Spec, State};
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt, whole};
use crate::desired::{Kind, Mistake};
use crate::domain::{Owner, Stored, action, bytes, codes, grouped, many};
use crate::engine::OpCx;
use crate::inputs::{Entry, Strays, Tree, is_in_place, read_kept, replace_json};
use crate::resources::bucket::owner;
use crate::resources::manifest::Manifest;
use crate::resources::objects::{if_unchanged, split};
use crate::resources::uploads::{journal_of, local_file};
use crate::transfer::{self, Journal, Noted, TransferOptions, TransferReport};

/// Objects, by the path below the prefix.
type Files = BTreeMap<String, Stored>;

/// What is in the bucket, as far as its manifest says.
#[derive(Clone, Debug, Default)]
pub struct RemoteState {
    pub manifest: Manifest,
    /// By which the manifest is replaced; `None`: there is none.
    pub etag: Option<String>,
    /// What the manifest named and is not as it said: sent again, in the same place.
    pub unlike: Files,
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

/// The same; where an upload has not come to its end, with a look at what is there: `files` are those that
/// are.
pub async fn read(cx: &OpCx<'_>, uri: &str) -> OpResult<RemoteState> {
    let there = read_manifest(cx, uri).await?;
    match there.manifest.is_open() {
        true => seen_there(cx, uri, there).await,
        false => Ok(there),
    }
}

/// Leaves of the manifest's files those that are there.
async fn seen_there(cx: &OpCx<'_>, uri: &str, mut there: RemoteState) -> OpResult<RemoteState> {
    let manifest = &mut there.manifest;
    if manifest.format == Manifest::FORMAT {
        let listed = list(cx, uri).await?;
        let sent = Noted::of(&journal_of(cx, uri)).sent;
        let left = broken_off(cx, uri, manifest, &sent, &listed, |_| true).await?;
        let left = left.into_iter().map(|(path, (_, stored))| (path, stored));
        there.unlike = settle(&mut manifest.files, left, &listed);
    }
    Ok(there)
}

/// Leaves of the manifest's files those that are there, with what uploads that were broken off have left.
/// Gives those that are gone, or somebody's.
fn settle(
    files: &mut Files,
    left: impl Iterator<Item = (String, Stored)>,
    listed: &BTreeMap<String, Listed>,
) -> Files {
    let is_there = |path: &str, stored: &Stored| listed.get(path).is_some_and(|o| o.is(stored));
    let mut replaced: BTreeMap<_, _> = files.extract_if(.., |path, stored| !is_there(path, stored)).collect();
    for (path, stored) in left {
        replaced.remove(&path);
        files.insert(path, stored);
    }
    replaced
}

/// What a job would read beside the folder's files: those that left it after they were uploaded, as far as
/// they are still there.
pub async fn strays(cx: &OpCx<'_>, spec: &Spec, tree: &Tree) -> OpResult<Strays> {
    let uri = spec.uri();
    let mut there = read(cx, &uri).await?;
    if !there.manifest.owner.is_empty() && there.manifest.owner != cx.scope.whose() {
        return Ok(Strays::new());
    }
    let is_stray = |path: &String| tree.entry(path).is_none();
    if !there.manifest.is_open() && there.manifest.files.keys().any(is_stray) {
        there = seen_there(cx, &uri, there).await?;
    }
    Ok(there.manifest.files.into_iter().filter(|(path, _)| is_stray(path)).collect())
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
    // Where nothing has been uploaded, all of it is listed.
    let found = if there.etag.is_some() { foreign(cx, &spec.uri(), there).await? } else { None };
    found.map_or(Ok(()), |(_, key)| Err(beside(spec, &key)))
}

/// Why an upload of the folder is refused, where these files are in the bucket.
pub fn mistaken(spec: &Spec, tree: &Tree, files: &Files) -> Option<Mistake> {
    let stay = files.keys().map(String::as_str).filter(|_| !spec.delete);
    let spec = Spec { clash: clash(tree, stay), ..spec.clone() };
    Data::mistaken(&spec, &State { files: files.len(), ..State::default() })
}

/// The files of the others may have changed since it was planned.
fn refuse_mistake(spec: &Spec, tree: &Tree, files: &Files) -> OpResult<()> {
    mistaken(spec, tree, files).map_or(Ok(()), |Mistake { code, why, help }| {
        let kind = if code == codes::CLASH { OpErrorKind::Clash } else { OpErrorKind::Empties };
        Err(OpError::new("upload", kind, why).with_help(help))
    })
}

fn beside(spec: &Spec, key: &str) -> OpError {
    let message = format!(
        "{} is not this project's, and an upload would put its files beside {key}: rename the data set",
        spec.uri()
    );
    OpError::new("upload", OpErrorKind::AlreadyExists, message)
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
pub async fn run(cx: &OpCx<'_>, spec: &Spec, tree: &mut Tree, mut there: RemoteState) -> OpResult<Report> {
    const ROUNDS: usize = 4;
    let uri = spec.uri();
    let mut report = Report::default();
    for _ in 0..ROUNDS {
        refuse_foreign(cx, spec, &there).await?;
        let journal = Journal::open(&journal_of(cx, &uri))?;
        let (mut files, replaced) = compare(cx, spec, &mut there, &journal, tree).await?;
        let difference = Difference::of(tree, &files, spec.delete);
        refuse_mistake(spec, tree, &files)?;
        let is_current = difference.is_empty();
        let send =
            difference.send.iter().filter_map(|(entry, _)| tree.entry(&entry.path)).collect::<Vec<_>>();
        let gone: Vec<String> = difference.gone.iter().map(|path| (*path).to_owned()).collect();
        report.same = difference.same;
        let fresh = fresh(tree, &there, &files, &replaced);
        if !is_current {
            match open(cx, spec, &mut there, &mut files, replaced, &send).await {
                Err(error) if error.kind == OpErrorKind::Conflict => {
                    there = read_manifest(cx, &uri).await?;
                    continue;
                }
                opened => opened?,
            }
        }
        let order = TransferOptions { fresh: fresh.clone(), ..options(spec, tree) };
        journal.start();
        let (sent, journal) = match transfer::upload(cx, order, journal, &send).await {
            Err(error) if error.kind == OpErrorKind::AlreadyExists => {
                let all = in_the_way(cx, spec, tree, &fresh).await;
                return Err(if all.len() > 1 { unknown(&uri, &all) } else { error });
            }
            done => done?,
        };
        report.add(&sent);
        let (gone, kept) = if spec.delete { (gone, 0) } else { (Vec::new(), gone.len()) };
        report.kept = kept;
        let gone = gone.into_iter().filter_map(|path| files.remove_entry(&path)).collect::<Vec<_>>();
        let stay = delete(cx, spec, &gone).await?;
        report.deleted += gone.len() - stay.len();
        files.extend(gone.into_iter().filter(|(path, _)| stay.contains(path)));
        learn(tree, &mut files, sent);
        let manifest = Manifest::of(cx.scope.whose(), tree, files);
        match write(cx, spec, &manifest, there.etag.as_deref()).await {
            Ok(etag) => {
                keep(&local_file(cx, "manifest", &uri), &etag, &manifest);
                journal.finish();
                all_ours(&uri, &stay)?;
                return Ok(Report { holds: manifest.digest_of_all(), ..report });
            }
            // Somebody else finished an upload. The journal has what this round sent.
            Err(error) if error.kind == OpErrorKind::Conflict => there = read_manifest(cx, &uri).await?,
            Err(error) => return Err(error),
        }
    }
    let message = "others keep uploading to the same data set; agree on who does, and run it again";
    Err(OpError::new(action::s3::PutObject, OpErrorKind::Conflict, message))
}

/// What was sent is there, and its files were so.
fn learn(tree: &mut Tree, files: &mut Files, sent: TransferReport) {
    for (path, stamp, stored) in &sent.files {
        let entry = tree.entry_mut(path).expect("what was sent is of the folder");
        (entry.stamp, entry.crc) = (*stamp, Some(stored.crc));
    }
    // Collected and appended, not inserted one by one: full nodes take half the memory.
    files.append(
        &mut sent.files.into_iter().map(|(path, _, stored)| (path.as_ref().into(), stored)).collect(),
    );
}

/// What opsctl has put there, and what the manifest names and is gone, or somebody's. The manifest is
/// believed but before the first upload, and after one that did not come to its end: then only what is
/// listed as S3 confirmed it is there, whatever the folder has by now.
async fn compare(
    cx: &OpCx<'_>,
    spec: &Spec,
    there: &mut RemoteState,
    journal: &Journal,
    tree: &mut Tree,
) -> OpResult<(Files, Files)> {
    let manifest = &mut there.manifest;
    if !manifest.is_open() && !journal.resumed {
        return Ok((std::mem::take(&mut manifest.files), std::mem::take(&mut there.unlike)));
    }
    let listed = list(cx, &spec.uri()).await?;
    if there.etag.is_none() {
        if let Some(path) = listed.keys().next()
            && owner(cx, &spec.bucket).await? != Some(Owner::Ours)
        {
            return Err(beside(spec, &format!("{}{path}", spec.prefix)));
        }
        (manifest.format, manifest.owner) = (Manifest::FORMAT, cx.scope.whose());
    }
    let left = broken_off(cx, &spec.uri(), manifest, &journal.noted.sent, &listed, |_| true).await?;
    for (path, (stamp, stored)) in &left {
        if let Some(entry) = tree.entry_mut(path).filter(|entry| Some(entry.stamp) == *stamp) {
            entry.crc = Some(stored.crc);
        }
    }
    let mut files = std::mem::take(&mut manifest.files);
    let left = left.into_iter().map(|(path, (_, stored))| (path, stored));
    let mut replaced = settle(&mut files, left, &listed);
    let unlike = std::mem::take(&mut there.unlike).into_iter();
    replaced.extend(unlike.filter(|(path, _)| !files.contains_key(path)));
    Ok((files, replaced))
}

/// Says in the manifest what is about to be sent, before the first change: what a killed upload leaves is not
/// taken for somebody else's, nor what somebody puts there for ours, and no machine believes that the bucket
/// is as the last upload left it. One that cannot be read says nothing.
async fn open(
    cx: &OpCx<'_>,
    spec: &Spec,
    there: &mut RemoteState,
    files: &mut Files,
    replaced: Files,
    send: &[&Entry],
) -> OpResult<()> {
    if there.manifest.format != Manifest::FORMAT {
        return Ok(());
    }
    let manifest = &mut there.manifest;
    let is_new = send.iter().fold(there.etag.is_none() || !manifest.is_open(), |is_new, entry| {
        let is_unknown = !manifest.meant.contains_key(&*entry.path);
        let crcs = manifest.meant.entry(entry.path.to_string()).or_default();
        entry.crc.map_or(is_unknown, |crc| crcs.insert(crc)) || is_new
    });
    if !is_new {
        return Ok(());
    }
    manifest.digest.clear();
    manifest.owner = cx.scope.whose();
    manifest.files = std::mem::take(files);
    // They stay named: what the folder has too is sent again in its place, by the next run too.
    let names: Vec<String> = replaced.keys().cloned().collect();
    manifest.files.extend(replaced);
    let written = write(cx, spec, manifest, there.etag.as_deref()).await;
    *files = std::mem::take(&mut manifest.files);
    names.iter().for_each(|path| drop(files.remove(path)));
    there.etag = Some(written?);
    Ok(())
}

/// All that somebody has put where files of the folder would go: the upload has met the first of it.
async fn in_the_way(cx: &OpCx<'_>, spec: &Spec, tree: &Tree, fresh: &HashSet<String>) -> Vec<String> {
    let Ok(listed) = list(cx, &spec.uri()).await else { return Vec::new() };
    let sent = Noted::of(&journal_of(cx, &spec.uri())).sent;
    let is_sent = |path: &str, there: &Listed| sent.get(path).is_some_and(|(_, stored)| there.is(stored));
    let paths = listed.into_iter().filter(|(path, there)| fresh.contains(path) && !is_sent(path, there));
    let paths: Vec<String> = paths.map(|(path, _)| path).collect();
    let same: HashSet<String> = match heads(cx, &spec.uri(), paths.clone()).await {
        Ok(found) => {
            let is_same =
                |path: &str, crc: Option<_>| tree.entry(path).is_some_and(|e| crc.is_some() && e.crc == crc);
            found.into_iter().filter(|(path, there)| is_same(path, there.crc)).map(|(path, _)| path).collect()
        }
        Err(_) => HashSet::new(),
    };
    paths.into_iter().filter(|path| !same.contains(path)).collect()
}

fn unknown(uri: &str, paths: &[String]) -> OpError {
    let objects = many(paths.len(), "object");
    let message = format!("{uri}: {objects} are there already, and no upload knows them: {}", first(paths));
    let help = "move them away (`aws s3 mv`), or delete them if nobody needs them (`aws s3 rm`)";
    OpError::new("upload", OpErrorKind::AlreadyExists, message).with_help(help)
}

/// Paths of the folder that no upload has put there.
fn fresh(tree: &Tree, there: &RemoteState, files: &Files, replaced: &Files) -> Arc<HashSet<String>> {
    // Where the manifest cannot be read, nobody knows.
    if there.manifest.format != Manifest::FORMAT {
        return Arc::default();
    }
    let is_known = |path: &str| files.contains_key(path) || replaced.contains_key(path);
    let unknown = tree.entries.iter().filter(|entry| !is_known(&entry.path));
    Arc::new(unknown.map(|entry| entry.path.to_string()).collect())
}

fn options<'a>(spec: &'a Spec, tree: &'a Tree) -> TransferOptions<'a> {
    TransferOptions {
        bucket: &spec.bucket,
        prefix: &spec.prefix,
        root: &tree.root,
        max_concurrency: spec.max_concurrency.into(),
        bytes_per_second: spec.bandwidth.map(|b| b.bytes_per_second()),
        fresh: Arc::default(),
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

/// `--verify`: what is really there. Objects whose ETag is that of the manifest are as they were written; of
/// the others S3 tells the checksum, one by one. One without (uploaded by another tool, long ago) counts as
/// not there.
///
/// Objects that the manifest does not name are somebody else's, and are left alone; those that the folder
/// does not name either are told beside it.
pub async fn verify(
    cx: &OpCx<'_>,
    spec: &Spec,
    tree: &Tree,
    there: RemoteState,
) -> OpResult<(RemoteState, Unlike)> {
    let listed = list(cx, &spec.uri()).await?;
    let unlike = unlike(cx, spec, Some(tree), &there.manifest, &listed).await?;
    let (mut files, mut unsure) = (BTreeMap::new(), Vec::new());
    // One that cannot be read may name what the folder has; where there is none, nothing was uploaded.
    let is_unread = there.etag.is_some() && there.manifest.format != Manifest::FORMAT;
    for (path, object) in listed {
        match there.manifest.files.get(&path) {
            Some(stored) if object.is(stored) => drop(files.insert(path, stored.clone())),
            None if tree.entry(&path).is_none() || !is_unread => {}
            _ => unsure.push(path),
        }
    }
    let found = heads(cx, &spec.uri(), unsure).await?.into_iter();
    files.extend(found.filter_map(|(path, object)| Some((path, object.stored()?))));
    let mut manifest = there.manifest;
    let said = std::mem::replace(&mut manifest.files, files);
    let other = said.into_iter().filter(|(path, _)| !manifest.files.contains_key(path));
    let other = there.unlike.into_iter().chain(other).collect();
    Ok((RemoteState { manifest, unlike: other, ..there }, unlike))
}
