//! Deletes versions of objects, and counts them before.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html>

use std::collections::BTreeMap;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::domain::{Contents, Tally, action};
use crate::engine::{OpCx, lease};
use crate::resources::objects::all_deleted;

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
    /// `None` of a delete marker.
    pub fn etag(&self) -> Option<&str> {
        (!self.is_marker).then_some(&self.etag)
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

/// Deletes everything under a prefix.
pub async fn empty(cx: &OpCx<'_>, bucket: &str, prefix: &str) -> OpResult<()> {
    remove(cx, bucket, prefix, |_, _| true).await.map(drop)
}

/// Deletes every version under a prefix that is `ours`, delete markers and uploads that were never completed
/// included (`None`: of a key alone), and gives the number of other versions.
pub async fn remove(
    cx: &OpCx<'_>,
    bucket: &str,
    prefix: &str,
    ours: impl Fn(&str, Option<&Version>) -> bool,
) -> OpResult<usize> {
    let s3 = &cx.aws.s3;
    let mut pages = Pages::of(cx, bucket, prefix);
    let mut others = 0;
    while let Some(mut versions) = pages.next().await? {
        // What keeps other runs out goes last.
        versions.retain(|v| !(v.current && v.key == lease::KEY && cx.aws.fence.is_held()));
        let all = versions.len();
        let objects: Vec<ObjectIdentifier> = versions
            .into_iter()
            .filter(|v| ours(&v.key, Some(v)))
            .filter_map(|v| ObjectIdentifier::builder().key(v.key).set_version_id(v.id).build().ok())
            .collect();
        others += all - objects.len();
        if objects.is_empty() {
            continue;
        }
        let delete =
            Delete::builder().set_objects(Some(objects)).quiet(true).build().expect("objects are set");
        let deleted = s3
            .delete_objects()
            .bucket(bucket)
            .delete(delete)
            .send()
            .await
            .op(action::s3::DeleteObjectVersion)?;
        all_deleted(&deleted, action::s3::DeleteObjectVersion)?;
    }
    let mut uploads = s3.list_multipart_uploads().bucket(bucket).prefix(prefix).send().await;
    loop {
        let Some(page) = uploads.op(action::s3::ListBucketMultipartUploads).found()? else {
            return Ok(others);
        };
        for (key, id) in page.uploads().iter().filter_map(|u| Some((u.key()?, u.upload_id()?))) {
            if ours(key, None) {
                let abort = s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
                abort.send().await.op(action::s3::AbortMultipartUpload).ignore_not_found()?;
            }
        }
        if page.is_truncated() != Some(true) {
            return Ok(others);
        }
        let call = s3.list_multipart_uploads().bucket(bucket).prefix(prefix);
        let call = call.set_key_marker(page.next_key_marker).set_upload_id_marker(page.next_upload_id_marker);
        uploads = call.send().await;
    }
}

/// Counts the contents of a bucket, by whether a version is `ours`. The lease is nobody's to lose, and there
/// only while a run holds it: a run would count one object more than what it has shown.
pub async fn count(cx: &OpCx<'_>, bucket: &str, ours: impl Fn(&Version) -> bool) -> OpResult<Contents> {
    const EXAMPLES: usize = 3;
    let mut contents = Contents::default();
    let mut pages = Pages::of(cx, bucket, "");
    while let Some(versions) = pages.next().await? {
        for version in versions.into_iter().filter(|version| version.key != lease::KEY) {
            if ours(&version) {
                add(&mut contents.ours, &version);
                continue;
            }
            add(&mut contents.others, &version);
            if contents.examples.len() < EXAMPLES && contents.examples.last() != Some(&version.key) {
                contents.examples.push(version.key);
            }
        }
    }
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
