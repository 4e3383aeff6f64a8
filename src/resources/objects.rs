//! Single objects of a bucket, by their URI.

use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;

/// Whether there is an object of this URI. Without s3:ListBucket S3 answers "forbidden" for what is absent,
/// which is an error here: absent and unreadable are two answers.
pub async fn exists(cx: &OpCx<'_>, uri: &str) -> OpResult<bool> {
    let (bucket, key) = split(uri)?;
    Ok(cx
        .aws
        .s3
        .head_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .op(action::s3::GetObject)
        .found()?
        .is_some())
}

/// `s3://bucket/key` → bucket and key.
pub fn split(uri: &str) -> OpResult<(&str, &str)> {
    let parts = uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    parts.ok_or_else(|| OpError::new("s3", OpErrorKind::Invalid, format!("{uri} is not an s3:// URI")))
}
