//! PutObject.

use s3s::dto;

use super::Cx;
use super::blob;
use super::digest::{Algorithm, Claims, given_sums, hex, show_sum};
use super::object::{self, Content, Encryption, WriteConditions, about, shown_id};
use super::tagging;
use crate::fault::Fault;

/// Answers PutObject.
pub async fn put_object(cx: Cx, input: dto::PutObjectInput) -> Result<dto::PutObjectOutput, Fault> {
    let bucket = cx.bucket_to_fill(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let about = about!(input)?;
    let tags = tagging::of_header(input.tagging.as_deref())?;
    let encryption =
        Encryption::choose(&bucket, input.server_side_encryption.as_ref(), input.ssekms_key_id.as_deref());
    let guard =
        WriteConditions { if_match: input.if_match.clone(), if_none_match: input.if_none_match.clone() };
    // S3 itself adds CRC64NVME to what comes without a checksum (docs/aws/s3.md#checksums).
    let claims = Claims::new(
        &cx.wire,
        given_sums!(input),
        input.checksum_algorithm.as_ref(),
        input.content_md5.as_deref(),
        Algorithm::Crc64Nvme,
    )?;

    let received = blob::receive(&cx.shared, input.body, &claims).await?;
    let (blob, digests) = received.keep(&blob::objects(&cx.shared.root, &bucket.name))?;
    let etag = encryption.etag(hex(&digests.md5));
    let content = Content {
        blob,
        size: digests.size,
        etag,
        sum: digests.sum,
        parts: Vec::new(),
        about,
        tags,
        encryption,
    };
    let mut output = dto::PutObjectOutput {
        e_tag: Some(content.etag()),
        server_side_encryption: content.encryption.shown(),
        ssekms_key_id: content.encryption.key.clone(),
        ..Default::default()
    };
    output.checksum_type = show_sum!(output, content.sum.as_ref());
    let version = object::commit(&cx.shared, &bucket, &input.key, content, &guard)?;
    output.version_id = shown_id(&bucket, &version.id);
    Ok(output)
}
