//! DeleteObject, DeleteObjects.

use s3s::dto::{self, ETagCondition};

use super::Cx;
use super::object::{self, WriteConditions};
use super::refusal::malformed_xml;
use crate::fault::Fault;

/// DeleteObjects takes this many keys (docs/aws/s3.md#deleting-many-objects).
const MOST: usize = 1_000;

/// Answers DeleteObject.
pub async fn delete_object(cx: Cx, input: dto::DeleteObjectInput) -> Result<dto::DeleteObjectOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let guard = WriteConditions { if_match: input.if_match.clone(), ..WriteConditions::default() };
    let deleted = object::delete(&cx.shared, &bucket, &input.key, input.version_id.as_deref(), &guard)?;
    Ok(dto::DeleteObjectOutput {
        delete_marker: deleted.marker.then_some(true),
        version_id: deleted.id,
        ..Default::default()
    })
}

/// A key that cannot be deleted is an error inside a 200; one that is not there counts as deleted.
pub async fn delete_objects(
    cx: Cx,
    input: dto::DeleteObjectsInput,
) -> Result<dto::DeleteObjectsOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > MOST {
        return Err(malformed_xml());
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    let (mut gone, mut errors) = (Vec::new(), Vec::new());
    for wanted in objects {
        let (key, asked) = (wanted.key, wanted.version_id);
        let guard =
            WriteConditions { if_match: wanted.e_tag.map(ETagCondition::ETag), ..WriteConditions::default() };
        let deleted = cx
            .authorize("DeleteObject", &bucket.name, &key, asked.as_deref())
            .and_then(|()| object::delete(&cx.shared, &bucket, &key, asked.as_deref(), &guard));
        match deleted {
            Ok(_) if quiet => {}
            Ok(deleted) => gone.push(dto::DeletedObject {
                delete_marker: deleted.marker.then_some(true),
                delete_marker_version_id: deleted.id.filter(|_| deleted.marker),
                version_id: asked,
                key: Some(key),
            }),
            Err(fault) => errors.push(dto::Error {
                code: Some(fault.code.into_owned()),
                message: Some(fault.message),
                version_id: asked,
                key: Some(key),
            }),
        }
    }
    let some = |errors: Vec<_>| (!errors.is_empty()).then_some(errors);
    Ok(dto::DeleteObjectsOutput { deleted: Some(gone), errors: some(errors), ..Default::default() })
}
