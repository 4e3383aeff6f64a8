//! Tags of buckets, which are also the tagging service's, and of objects, which are S3's own.

use s3s::dto;

use super::Cx;
use super::object;
use super::refusal::invalid_argument;
use super::wire::from_set;
use crate::fault::Fault;
use crate::tags::{self, Tags};

/// S3's code for a tag that breaks the rules.
const INVALID: &str = "InvalidTag";

/// An object has at most this many tags (docs/aws/s3.md#limits).
const MOST_OF_OBJECT: usize = 10;

fn to_set(tags: Tags) -> dto::TagSet {
    tags.into_iter().map(|(key, value)| dto::Tag { key: Some(key), value: Some(value) }).collect()
}

/// A set with a key twice is refused rather than merged.
fn checked(set: dto::TagSet) -> Result<Tags, Fault> {
    let count = set.len();
    let tags = from_set(set)?;
    if tags.len() < count {
        return Err(Fault::new(400, INVALID, "Cannot provide multiple Tags with the same key"));
    }
    tags::check(&tags).map_err(|message| Fault::new(400, INVALID, message))?;
    Ok(tags)
}

fn checked_for_object(tags: Tags) -> Result<Tags, Fault> {
    if tags.len() > MOST_OF_OBJECT {
        return Err(Fault::new(400, "BadRequest", "Object tags cannot be greater than 10"));
    }
    Ok(tags)
}

/// Reads the header `x-amz-tagging`: `k=v&k2=v2`, escaped as in a URL.
pub fn of_header(header: Option<&str>) -> Result<Tags, Fault> {
    let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
                   without tag name duplicates.";
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8();
        decoded.map(|text| text.into_owned()).map_err(|_| invalid_argument(message))
    };
    let mut set = dto::TagSet::new();
    for pair in header.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        set.push(dto::Tag { key: Some(decode(key)?), value: Some(decode(value)?) });
    }
    checked_for_object(checked(set)?)
}

/// Answers GetBucketTagging.
pub async fn get_bucket(
    cx: Cx,
    input: dto::GetBucketTaggingInput,
) -> Result<dto::GetBucketTaggingOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let tags = tags::of(&cx.shared, &bucket.arn());
    if tags.is_empty() {
        return Err(Fault::new(404, "NoSuchTagSet", "The TagSet does not exist"));
    }
    Ok(dto::GetBucketTaggingOutput { tag_set: to_set(tags) })
}

/// Replaces the whole set (docs/aws/tagging.md#replacing-and-adding).
pub async fn put_bucket(
    cx: Cx,
    input: dto::PutBucketTaggingInput,
) -> Result<dto::PutBucketTaggingOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let tags = checked(input.tagging.tag_set)?;
    tags::forget(&cx.shared, &bucket.arn())?;
    tags::add(&cx.shared, &bucket.arn(), tags, INVALID)?;
    Ok(dto::PutBucketTaggingOutput {})
}

/// Answers DeleteBucketTagging.
pub async fn delete_bucket(
    cx: Cx,
    input: dto::DeleteBucketTaggingInput,
) -> Result<dto::DeleteBucketTaggingOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    tags::forget(&cx.shared, &bucket.arn())?;
    Ok(dto::DeleteBucketTaggingOutput {})
}

/// Answers GetObjectTagging.
pub async fn get_object(
    cx: Cx,
    input: dto::GetObjectTaggingInput,
) -> Result<dto::GetObjectTaggingOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let found = object::find(&cx.shared, &bucket, &input.key, input.version_id.as_deref())?;
    let version_id = found.shown_id(&bucket);
    Ok(dto::GetObjectTaggingOutput { tag_set: to_set(found.content.tags), version_id })
}

/// Answers PutObjectTagging.
pub async fn put_object(
    cx: Cx,
    input: dto::PutObjectTaggingInput,
) -> Result<dto::PutObjectTaggingOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let tags = checked_for_object(checked(input.tagging.tag_set)?)?;
    let id = object::retag(&cx.shared, &bucket, &input.key, input.version_id.as_deref(), tags)?;
    Ok(dto::PutObjectTaggingOutput { version_id: id })
}

/// Answers DeleteObjectTagging.
pub async fn delete_object(
    cx: Cx,
    input: dto::DeleteObjectTaggingInput,
) -> Result<dto::DeleteObjectTaggingOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let id = object::retag(&cx.shared, &bucket, &input.key, input.version_id.as_deref(), Tags::new())?;
    Ok(dto::DeleteObjectTaggingOutput { version_id: id })
}
