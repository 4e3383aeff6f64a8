//! Deletes every version of every object under a prefix.

use aws_sdk_s3::types::{Delete, ObjectIdentifier, ObjectVersion};

use crate::engine::lease;
use crate::engine::{Expected, OpCx, OpError, OpErrorKind, OpResult, Outcomes};

/// Versions and delete markers alike, a page at a time, and uploads that were never completed.
/// https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html
pub async fn empty(cx: &OpCx<'_>, bucket: &str, prefix: &str) -> OpResult<()> {
    let s3 = &cx.aws.s3;
    // What was listed is deleted before the next look, so the first page is always the next one.
    loop {
        let page = s3.list_object_versions().bucket(bucket).prefix(prefix).send().await;
        let Some(page) = page.op("s3:ListBucketVersions").found()? else { return Ok(()) };
        // What keeps others out goes last.
        let guards = |v: &ObjectVersion| v.key() == Some(lease::KEY) && v.is_latest() == Some(true) && cx.aws.fence.is_held();
        let versions = page.versions().iter().filter(|v| !guards(v)).map(|v| (v.key(), v.version_id()));
        let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
        let objects: Vec<ObjectIdentifier> = versions
            .chain(markers)
            .filter_map(|(key, version)| {
                ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
            })
            .collect();
        if objects.is_empty() {
            break;
        }
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().expect("objects are set");
        let deleted = s3.delete_objects().bucket(bucket).delete(delete).send().await.op("s3:DeleteObjectVersion")?;
        // A 200 may carry errors of single keys (aws-facts §3.1).
        if let Some(error) = deleted.errors().first() {
            let (key, why) = (error.key().unwrap_or_default(), error.message().unwrap_or_default());
            return Err(OpError::new("s3:DeleteObjectVersion", OpErrorKind::Denied, format!("{key}: {why}")));
        }
    }
    loop {
        let page = s3.list_multipart_uploads().bucket(bucket).prefix(prefix).send().await;
        let page = page.op("s3:ListBucketMultipartUploads")?;
        if page.uploads().is_empty() {
            return Ok(());
        }
        for (key, id) in page.uploads().iter().filter_map(|u| Some((u.key()?, u.upload_id()?))) {
            let abort = s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
            abort.send().await.op("s3:AbortMultipartUpload").gone()?;
        }
    }
}
