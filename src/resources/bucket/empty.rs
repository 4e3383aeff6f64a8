//! Deletes versions of objects, and counts them before.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html>

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_s3::types::{BucketVersioningStatus, Delete, DeletedObject, ObjectIdentifier};

use super::Which;
use super::versioning::versioning;
use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::domain::{Contents, Tally, action};
use crate::engine::{OpCx, lease};
use crate::resources::objects::if_unchanged;

/// Versions that S3 lists, or deletes, by one call.
const PAGE: usize = 1_000;

/// One version of an object, or the marker that it was deleted.
pub struct Version {
    pub key: String,
    id: Option<String>,
    bytes: u64,
    pub etag: String,
    /// The one that a reader gets.
    pub current: bool,
    pub is_marker: bool,
}

impl Version {
    /// Which of the versions of its key it is.
    pub fn which(&self) -> Which<'_> {
        match self {
            Self { is_marker: true, .. } if !self.has_id() => Which::Unnamed,
            Self { is_marker: true, .. } => Which::Marker,
            Self { current: true, etag, .. } => Which::Current(etag),
            Self { etag, .. } => Which::Old(etag),
        }
    }

    /// Whether it is what the console makes as a "folder": nothing, under a name that ends with a slash.
    pub fn is_folder(&self) -> bool {
        self.key.ends_with('/') && self.bytes == 0
    }

    /// By which it is asked for; `None` of the one that a reader gets.
    pub fn old_id(&self) -> Option<String> {
        self.id.clone().filter(|_| !self.current)
    }

    /// Whether it is one that is older than the bucket's versions, below others. While versions are
    /// suspended, what is put there gets its id.
    fn is_first(&self) -> bool {
        !self.current && !self.is_marker && !self.has_id()
    }

    /// Whether it has an id of its own: what is put into a bucket while it keeps no versions has not.
    fn has_id(&self) -> bool {
        self.id.as_deref().is_some_and(|id| id != "null")
    }
}

/// Every version under a prefix, a page at a time.
struct Pages<'a> {
    cx: &'a OpCx<'a>,
    bucket: &'a str,
    prefix: &'a str,
    /// What ends a folder; keys with one behind the prefix are left out.
    delimiter: Option<&'a str>,
    /// Where the next page begins; `None` after the last.
    next: Option<(Option<String>, Option<String>)>,
}

impl<'a> Pages<'a> {
    fn of(cx: &'a OpCx<'a>, bucket: &'a str, prefix: &'a str) -> Self {
        Self { cx, bucket, prefix, delimiter: None, next: Some((None, None)) }
    }

    async fn next(&mut self) -> OpResult<Option<Vec<Version>>> {
        let Some((key, id)) = self.next.take() else { return Ok(None) };
        let call = self.cx.aws.s3.list_object_versions().bucket(self.bucket).prefix(self.prefix);
        let call = call.set_delimiter(self.delimiter.map(str::to_owned));
        let call = call.set_key_marker(key).set_version_id_marker(id);
        let page = call.send().await.op(action::s3::ListBucketVersions).found()?;
        let Some(page) = page else { return Ok(None) };
        if page.is_truncated() == Some(true) {
            self.next = Some((page.next_key_marker, page.next_version_id_marker));
        }
        let versions = page.versions.unwrap_or_default().into_iter().filter_map(|v| {
            let (bytes, current) = (v.size.unwrap_or_default().unsigned_abs(), v.is_latest.unwrap_or(true));
            let etag = v.e_tag.unwrap_or_default();
            Some(Version { key: v.key?, id: v.version_id, bytes, etag, current, is_marker: false })
        });
        let markers = page.delete_markers.unwrap_or_default().into_iter();
        let marker = |key, id| {
            let etag = String::new();
            Version { key, id, bytes: 0, etag, current: false, is_marker: true }
        };
        let markers = markers.filter_map(|m| Some(marker(m.key?, m.version_id)));
        Ok(Some(versions.chain(markers).collect()))
    }
}

/// The versions under a prefix, by their keys; those of a key with nothing but a marker are none. With a
/// delimiter only those in the folder itself.
pub async fn keys(
    cx: &OpCx<'_>,
    bucket: &str,
    prefix: &str,
    delimiter: Option<&str>,
) -> OpResult<BTreeMap<String, Vec<Version>>> {
    let mut pages = Pages { delimiter, ..Pages::of(cx, bucket, prefix) };
    let mut keys = BTreeMap::<_, Vec<_>>::new();
    while let Some(versions) = pages.next().await? {
        for version in versions {
            let all = keys.entry(version.key.clone()).or_default();
            all.extend(Some(version).filter(|version| !version.is_marker));
        }
    }
    Ok(keys)
}

/// The old versions of one object, the newest first.
pub async fn old_versions(cx: &OpCx<'_>, bucket: &str, key: &str) -> OpResult<Vec<String>> {
    let mut pages = Pages::of(cx, bucket, key);
    let mut old = Vec::new();
    while let Some(versions) = pages.next().await? {
        let versions = versions.into_iter().filter(|v| v.key == key && !v.current && !v.is_marker);
        old.extend(versions.filter_map(|version| version.id));
    }
    Ok(old)
}

/// What is in a bucket that is not `ours`, as it is seen now.
#[derive(Debug, Default)]
pub struct Others {
    /// As [`Contents::digest`] has it.
    pub digest: String,
    /// Entity tags by key.
    seen: HashMap<String, HashSet<String>>,
}

/// Of versions in the order in which S3 lists them: by key, the newest first. Markers do not count, because a
/// delete of ours may leave one.
#[derive(Default)]
struct Digest(blake3::Hasher);

impl Digest {
    fn add(&mut self, version: &Version) {
        if !version.is_marker {
            self.0.update(format!("{}\0{}\0", version.key, version.etag).as_bytes());
        }
    }

    /// Empty, where nothing was added.
    fn finish(self) -> String {
        if self.0.count() == 0 { String::new() } else { self.0.finalize().to_hex().to_string() }
    }
}

impl Others {
    /// Whether a version is one that was seen, or a marker above it; unfinished uploads are not counted.
    pub fn has(&self, key: &str, version: Which<'_>) -> bool {
        match version {
            Which::Current(etag) | Which::Old(etag) => {
                self.seen.get(key).is_some_and(|etags| etags.contains(etag))
            }
            Which::Marker | Which::Unnamed => self.seen.contains_key(key),
            Which::Unfinished => true,
        }
    }
}

/// See [`Others`].
pub async fn others(cx: &OpCx<'_>, bucket: &str, ours: impl Fn(&str, Which<'_>) -> bool) -> OpResult<Others> {
    let (mut others, mut digest) = (Others::default(), Digest::default());
    let mut pages = Pages::of(cx, bucket, "");
    while let Some(versions) = pages.next().await? {
        for version in versions.into_iter().filter(|v| v.key != lease::KEY && !ours(&v.key, v.which())) {
            digest.add(&version);
            others.seen.entry(version.key).or_default().insert(version.etag);
        }
    }
    others.digest = digest.finish();
    Ok(others)
}

/// Deletes everything under a prefix.
pub async fn empty(cx: &OpCx<'_>, bucket: &str, prefix: &str) -> OpResult<()> {
    remove(cx, bucket, prefix, |_, _| true).await.map(drop)
}

/// Deletes every version under a prefix that is `ours`, delete markers and uploads that were never completed
/// included, and gives the number of other versions. What is put in the place of an
/// object between the look at it and its delete is one of these.
pub async fn remove(
    cx: &OpCx<'_>,
    bucket: &str,
    prefix: &str,
    ours: impl Fn(&str, Which<'_>) -> bool,
) -> OpResult<usize> {
    let (mut others, mut is_suspended) = (0, None);
    // What is from before the bucket kept versions is an old one after its delete, with a marker above. While
    // they are suspended it is the other way round: when those above are gone, it is what a reader gets, and
    // can be deleted as it was seen, which leaves a marker.
    for _ in 0..3 {
        let (mut pages, mut again) = (Pages::of(cx, bucket, prefix), false);
        let (mut markers, mut kept) = (Vec::new(), HashSet::new());
        others = 0;
        while let Some(mut versions) = pages.next().await? {
            // What keeps other runs out goes last.
            versions.retain(|v| !(v.current && v.key == lease::KEY && cx.aws.fence.is_held()));
            if is_suspended.is_none() && versions.iter().any(Version::is_first) {
                let status = versioning(cx, bucket).await?;
                is_suspended = Some(status == Some(BucketVersioningStatus::Suspended));
            }
            let mut goes = Vec::new();
            for version in versions {
                let is_ours = ours(&version.key, version.which());
                let waits = is_ours && is_suspended == Some(true) && version.is_first();
                again |= waits;
                match is_ours && !waits {
                    true if version.is_marker => markers.push(version),
                    true => goes.push(version),
                    false => {
                        others += 1;
                        kept.insert(version.key);
                    }
                }
            }
            let (replaced, marked) = delete(cx, bucket, goes).await?;
            others += replaced;
            again |= marked;
        }
        // A marker above what is somebody's hides it: he may have deleted it.
        let mut markers = markers.into_iter().filter(|marker| !kept.contains(&marker.key)).peekable();
        while markers.peek().is_some() {
            delete(cx, bucket, markers.by_ref().take(PAGE).collect()).await?;
        }
        if !again {
            break;
        }
    }
    abort(cx, bucket, prefix, |key| ours(key, Which::Unfinished)).await?;
    Ok(others)
}

/// Deletes up to [`PAGE`] versions: by their ids, or objects that have none as they were seen. Gives the
/// number of those that are others by now, and whether markers were made. S3 holds a condition against the
/// current version alone.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>
async fn delete(cx: &OpCx<'_>, bucket: &str, versions: Vec<Version>) -> OpResult<(usize, bool)> {
    if versions.is_empty() {
        return Ok((0, false));
    }
    let objects = versions.into_iter().map(|version| {
        // The lease may be renewed meanwhile; what guards it is its own.
        let is_alone = version.current && !version.has_id() && version.key != lease::KEY;
        let object = ObjectIdentifier::builder().key(version.key);
        let object = match is_alone {
            true => object.e_tag(version.etag),
            false => object.set_version_id(version.id),
        };
        object.build().expect("the key is set")
    });
    let objects = Delete::builder().set_objects(Some(objects.collect())).build();
    let call = cx.aws.s3.delete_objects().bucket(bucket).delete(objects.expect("objects are set"));
    let deleted = call.send().await.op(action::s3::DeleteObjectVersion)?;
    let replaced = if_unchanged(&deleted, action::s3::DeleteObjectVersion)?.len();
    let is_new = |gone: &DeletedObject| gone.delete_marker() == Some(true) && gone.version_id().is_none();
    Ok((replaced, deleted.deleted().iter().any(is_new)))
}

/// Aborts the uploads under a prefix that were never completed and are `ours`.
async fn abort(cx: &OpCx<'_>, bucket: &str, prefix: &str, ours: impl Fn(&str) -> bool) -> OpResult<()> {
    let s3 = &cx.aws.s3;
    let mut uploads = s3.list_multipart_uploads().bucket(bucket).prefix(prefix).send().await;
    loop {
        let Some(page) = uploads.op(action::s3::ListBucketMultipartUploads).found()? else { return Ok(()) };
        for (key, id) in page.uploads().iter().filter_map(|u| Some((u.key()?, u.upload_id()?))) {
            if ours(key) {
                let abort = s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
                abort.send().await.op(action::s3::AbortMultipartUpload).ignore_not_found()?;
            }
        }
        if page.is_truncated() != Some(true) {
            return Ok(());
        }
        let call = s3.list_multipart_uploads().bucket(bucket).prefix(prefix);
        let call = call.set_key_marker(page.next_key_marker).set_upload_id_marker(page.next_upload_id_marker);
        uploads = call.send().await;
    }
}

/// Counts the contents of a bucket, by whether a version is `ours`. The lease is nobody's to lose, and there
/// only while a run holds it: a run would count one object more than what it has shown.
pub async fn count(
    cx: &OpCx<'_>,
    bucket: &str,
    ours: impl Fn(&str, Which<'_>) -> bool,
) -> OpResult<Contents> {
    const EXAMPLES: usize = 3;
    let (mut contents, mut digest) = (Contents::default(), Digest::default());
    let mut pages = Pages::of(cx, bucket, "");
    while let Some(versions) = pages.next().await? {
        for version in versions.into_iter().filter(|version| version.key != lease::KEY) {
            if ours(&version.key, version.which()) {
                add(&mut contents.ours, &version);
                continue;
            }
            // Left by an earlier delete of opsctl's.
            if matches!(version.which(), Which::Unnamed) && ours(&version.key, Which::Marker) {
                continue;
            }
            add(&mut contents.others, &version);
            if contents.examples.len() < EXAMPLES && !contents.examples.contains(&version.key) {
                contents.examples.push(version.key.clone());
            }
            digest.add(&version);
        }
    }
    contents.digest = digest.finish();
    Ok(contents)
}

fn add(tally: &mut Tally, version: &Version) {
    tally.bytes += version.bytes;
    if version.current {
        tally.objects += 1;
    } else {
        tally.old_versions += 1;
    }
}
