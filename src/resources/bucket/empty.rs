//! Deletes every version of every object under a prefix.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::engine::{Expected, OpCx, OpError, OpErrorKind, OpResult, Outcomes};

/// Versions and delete markers alike, a page at a time, and uploads that were never completed.
/// https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html
pub async fn empty(cx: &OpCx<'_>, bucket: &str, prefix: &str) -> OpResult<()> {
    let s3 = &cx.aws.s3;
    let mut pages = s3.list_object_versions().bucket(bucket).prefix(prefix).into_paginator().send();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op("s3:ListBucketVersions").found()? else { return Ok(()) };
        let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
        let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
        let objects: Vec<ObjectIdentifier> = versions
            .chain(markers)
            .filter_map(|(key, version)| {
                ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
            })
            .collect();
        if objects.is_empty() {
            continue;
        }
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().expect("objects are set");
        let deleted = s3.delete_objects().bucket(bucket).delete(delete).send().await.op("s3:DeleteObjectVersion")?;
        // A 200 may carry errors of single keys (aws-facts §3.1).
        if let Some(error) = deleted.errors().first() {
            let (key, why) = (error.key().unwrap_or_default(), error.message().unwrap_or_default());
            return Err(OpError::new("s3:DeleteObjectVersion", OpErrorKind::Denied, format!("{key}: {why}")));
        }
    }
    let mut uploads = s3.list_multipart_uploads().bucket(bucket).prefix(prefix).into_paginator().send();
    while let Some(page) = uploads.next().await {
        for upload in page.op("s3:ListBucketMultipartUploads")?.uploads() {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
            let abort = s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
            abort.send().await.op("s3:AbortMultipartUpload").gone()?;
        }
    }
    Ok(())
}
