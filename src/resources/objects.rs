//! Single objects of a bucket, by their URI.

use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;

/// `s3://bucket/key` → bucket and key.
pub fn split(uri: &str) -> OpResult<(&str, &str)> {
    let parts = uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    parts.ok_or_else(|| OpError::new("s3", OpErrorKind::Invalid, format!("{uri} is not an s3:// URI")))
}

/// The entity tag of the object of this URI, if there is one. Without s3:ListBucket S3 answers "forbidden"
/// for what is absent, which is an error here: absent and unreadable are two answers.
pub(crate) async fn etag(cx: &OpCx<'_>, uri: &str) -> OpResult<Option<String>> {
    let (bucket, key) = split(uri)?;
    let head = cx.aws.s3.head_object().bucket(bucket).key(key).send().await;
    Ok(head.op(action::s3::GetObject).found()?.map(|head| bare(head.e_tag.as_deref())))
}

/// An entity tag as it is noted in tags and records: S3 puts it between quotes.
pub(crate) fn bare(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

/// Whether an object is another one than that of which the entity tag was noted. Older versions of opsctl
/// noted none.
pub(crate) fn is_replaced(noted: Option<&str>, found: Option<&str>) -> bool {
    let known = |etag: &&str| !etag.is_empty();
    matches!((noted.filter(known), found.filter(known)), (Some(noted), Some(found)) if noted != found)
}
