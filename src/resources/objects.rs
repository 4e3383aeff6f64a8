//! Single objects of a bucket, by their URI.

use aws_sdk_s3 as s3;
use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;

use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt, classify};
use crate::domain::{Action, action};
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

/// The keys that were not deleted, being other objects than the conditions name. What is not there is an
/// error where there is a condition, and another error of a single key is one of the call
/// (docs/aws/s3.md#deleting-many-objects).
pub(crate) fn if_unchanged(answer: &DeleteObjectsOutput, action: Action) -> OpResult<Vec<&str>> {
    let errors = answer.errors().iter().filter(|error| error.code() != Some("NoSuchKey"));
    let (replaced, failed): (Vec<_>, Vec<_>) =
        errors.partition(|error| error.code() == Some("PreconditionFailed"));
    none_failed(failed.first().copied(), action)?;
    Ok(replaced.into_iter().filter_map(|error| error.key()).collect())
}

/// The error of a single key, where there is one.
fn none_failed(error: Option<&s3::types::Error>, action: Action) -> OpResult<()> {
    let Some(error) = error else { return Ok(()) };
    let key = error.key().unwrap_or_default();
    let (code, why) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
    Err(OpError::new(action, classify("s3", code, why, 200), format!("{code}: {key}: {why}")))
}
