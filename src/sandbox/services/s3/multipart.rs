//! Multipart uploads: parts in any order, one object at the end (docs/aws/s3.md#multipart-uploads).

use std::fs::File;
use std::sync::Arc;

use s3s::dto::{self, Range};
use serde_json::json;

use super::copy::{Source, source_guard};
use super::digest::{self, Algorithm, Claims, Kind, Sum, Wanted, given_sums, hex, show_sum};
use super::object::{self, Content, Encryption, WriteConditions, about, fresh_id, moment, shown_id};
use super::refusal::{invalid_argument, invalid_request, malformed_xml};
use super::uploads::{self, PARTS, Part, Upload, part_name, upload_name, uploads_table};
use super::{Cx, blob, tagging};
use crate::fault::Fault;
use crate::root::remove_own;
use crate::rules::AwsRule;
use crate::state::SandboxState;

/// All parts but the last have at least 5 MiB.
const SMALLEST: u64 = 5 << 20;
const MOST: i32 = 10_000;

/// Answers CreateMultipartUpload.
pub async fn create(
    cx: Cx,
    input: dto::CreateMultipartUploadInput,
) -> Result<dto::CreateMultipartUploadOutput, Fault> {
    let bucket = cx.bucket_to_fill(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let declared = declared(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
    let upload = Upload {
        id: fresh_id() + &fresh_id(),
        begun: cx.shared.clock.now(),
        declared,
        about: about!(input)?,
        tags: tagging::of_header(input.tagging.as_deref())?,
        encryption: Encryption::choose(
            &bucket,
            input.server_side_encryption.as_ref(),
            input.ssekms_key_id.as_deref(),
        ),
        key: input.key,
    };
    uploads::put(&cx.shared, &bucket.name, &upload)?;
    Ok(dto::CreateMultipartUploadOutput {
        bucket: Some(bucket.name),
        checksum_algorithm: declared.map(|(sum, _)| dto::ChecksumAlgorithm::from_static(sum.name())),
        checksum_type: declared.map(|(_, kind)| kind.into()),
        server_side_encryption: upload.encryption.shown(),
        ssekms_key_id: upload.encryption.key,
        key: Some(upload.key),
        upload_id: Some(upload.id),
        ..Default::default()
    })
}

fn declared(
    algorithm: Option<&dto::ChecksumAlgorithm>,
    kind: Option<&dto::ChecksumType>,
) -> Result<Option<(Algorithm, Kind)>, Fault> {
    let kind = kind.map(Kind::named).transpose()?;
    let Some(algorithm) = algorithm else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let algorithm = Algorithm::named(algorithm.as_str())?;
    let kind = kind.unwrap_or(algorithm.usual_kind());
    if !algorithm.allows(kind) {
        return Err(invalid_request(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            dto::ChecksumType::from(kind).as_str(),
            algorithm.name().to_ascii_lowercase()
        )));
    }
    Ok(Some((algorithm, kind)))
}

fn check_number(number: i32) -> Result<(), Fault> {
    if (1..=MOST).contains(&number) {
        return Ok(());
    }
    Err(invalid_argument("Part number must be an integer between 1 and 10000, inclusive"))
}

/// Answers UploadPart.
pub async fn upload_part(cx: Cx, input: dto::UploadPartInput) -> Result<dto::UploadPartOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    check_number(input.part_number)?;
    let upload = uploads::find(&cx.shared, &bucket.name, &input.key, &input.upload_id)?;
    let claims = Claims::new(
        &cx.wire,
        given_sums!(input),
        input.checksum_algorithm.as_ref(),
        input.content_md5.as_deref(),
        upload.sums().0,
    )?;
    if let (Some((expected, _)), Some(actual)) = (upload.declared, claims.algorithm())
        && expected != actual
    {
        return Err(invalid_request(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            expected.name().to_ascii_lowercase(),
            actual.name().to_ascii_lowercase()
        )));
    }
    let received = blob::receive(&cx.shared, input.body, &claims).await?;
    let part = keep(&cx.shared, &bucket.name, &upload, input.part_number, received)?;
    let mut output = dto::UploadPartOutput {
        e_tag: Some(dto::ETag::Strong(part.etag)),
        server_side_encryption: upload.encryption.shown(),
        ssekms_key_id: upload.encryption.key,
        ..Default::default()
    };
    let _ = show_sum!(output, part.sum.as_ref());
    Ok(output)
}

/// Keeps a part, in the place of an earlier one with its number.
fn keep(
    shared: &SandboxState,
    bucket: &str,
    upload: &Upload,
    number: i32,
    received: blob::Received,
) -> Result<Part, Fault> {
    let folder = blob::parts(&shared.root, &upload.id);
    let (blob, digests) = received.keep(&folder)?;
    // It may have been aborted while the bytes came.
    if let Err(gone) = uploads::find(shared, bucket, &upload.key, &upload.id) {
        let _ = remove_own(&shared.root, &folder);
        return Err(gone);
    }
    let etag = hex(&digests.md5);
    let part =
        Part { number, blob, size: digests.size, etag, modified: shared.clock.now(), sum: digests.sum };
    let replaced = shared
        .store
        .upsert(PARTS, &part_name(&upload.id, number), |entry| Ok(entry.replace(json!(part).into())))?;
    if let Some(blob) = replaced.as_ref().and_then(|entry| entry.doc["blob"].as_str()) {
        blob::discard(&folder, blob);
    }
    Ok(part)
}

/// Answers UploadPartCopy.
pub async fn upload_part_copy(
    cx: Cx,
    input: dto::UploadPartCopyInput,
) -> Result<dto::UploadPartCopyOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    check_number(input.part_number)?;
    let upload = uploads::find(&cx.shared, &bucket.name, &input.key, &input.upload_id)?;
    let owner = input.expected_source_bucket_owner.as_deref();
    let source = Source::find(&cx, &input.copy_source, owner, &source_guard!(input))?;
    let range = input.copy_source_range.as_deref().map(|text| copy_range(text, source.found.content.size));
    let range = range.transpose()?;
    let (shared, path, algorithm) = (Arc::clone(&cx.shared), source.path.clone(), upload.sums().0);
    let received = blob::aside(move || {
        let wanted = Wanted { md5: true, sum: Some(algorithm), payload: false };
        Ok(blob::copy(&shared, &path, range, wanted)?)
    });
    let part = keep(&cx.shared, &bucket.name, &upload, input.part_number, received.await?)?;
    let mut result = dto::CopyPartResult {
        e_tag: Some(dto::ETag::Strong(part.etag)),
        last_modified: Some(moment(part.modified)),
        ..Default::default()
    };
    let _ = show_sum!(result, part.sum.as_ref());
    Ok(dto::UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: source.version_id(),
        server_side_encryption: upload.encryption.shown(),
        ssekms_key_id: upload.encryption.key,
        ..Default::default()
    })
}

/// Start and length of `bytes=first-last`; both ends must be said and be there.
fn copy_range(text: &str, size: u64) -> Result<(u64, u64), Fault> {
    match Range::parse(text) {
        Ok(Range::Int { first, last: Some(last) }) if first <= last && last < size => {
            Ok((first, last - first + 1))
        }
        Ok(Range::Int { last: Some(_), .. }) => {
            let message = format!("Range specified is not valid for source object of size: {size}");
            Err(invalid_argument(message))
        }
        _ => Err(invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are \
             the zero-based offsets of the first and last bytes to copy",
        )),
    }
}

/// Answers CompleteMultipartUpload.
pub async fn complete(
    cx: Cx,
    input: dto::CompleteMultipartUploadInput,
) -> Result<dto::CompleteMultipartUploadOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let upload = uploads::find(&cx.shared, &bucket.name, &input.key, &input.upload_id)?;
    let listed =
        input.multipart_upload.as_ref().and_then(|listed| listed.parts.as_deref()).unwrap_or_default();
    let parts = choose(&upload, &uploads::parts(&cx.shared, &upload.id)?, listed)?;
    if parts[..parts.len() - 1].iter().any(|part| part.size < SMALLEST)
        && cx.shared.enforces(AwsRule::S3SmallestPart)
    {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        return Err(Fault::new(400, "EntityTooSmall", message));
    }
    let size: u64 = parts.iter().map(|part| part.size).sum();
    if input.mpu_object_size.is_some_and(|said| said as u64 != size) {
        let message = "The provided 'x-amz-mp-object-size' header does not match what was computed.";
        return Err(invalid_request(message));
    }

    let (algorithm, kind) = upload.sums();
    let wanted = Wanted { sum: (kind == Kind::FullObject).then_some(algorithm), ..Wanted::default() };
    let joined = join(&cx, &bucket.name, &upload, &parts, wanted).await?;
    let sum = joined.digests.sum.clone().unwrap_or_else(|| {
        algorithm.composite(parts.iter().filter_map(|part| Some(part.sum.as_ref()?.value.as_str())))
    });
    check_sum(&given_sums!(input), &sum)?;
    let (blob, _) = joined.keep(&blob::objects(&cx.shared.root, &bucket.name))?;

    let content = Content {
        blob,
        size,
        etag: upload.encryption.etag(etag(&parts)),
        sum: Some(sum),
        parts: parts.iter().map(|part| part.size).collect(),
        about: upload.about.clone(),
        tags: upload.tags.clone(),
        encryption: upload.encryption.clone(),
    };
    let mut output = dto::CompleteMultipartUploadOutput {
        e_tag: Some(content.etag()),
        location: Some(format!("{}/{}/{}", cx.shared.endpoint_url(), bucket.name, input.key)),
        server_side_encryption: content.encryption.shown(),
        ssekms_key_id: content.encryption.key.clone(),
        ..Default::default()
    };
    output.checksum_type = show_sum!(output, content.sum.as_ref());
    let guard = WriteConditions { if_match: input.if_match, if_none_match: input.if_none_match };
    let version = object::commit(&cx.shared, &bucket, &input.key, content, &guard)?;
    remove(&cx.shared, &uploads_table(&bucket.name), &upload)?;
    output.version_id = shown_id(&bucket, &version.id);
    output.bucket = Some(bucket.name);
    output.key = Some(input.key);
    Ok(output)
}

/// The parts that the client has listed; never none.
fn choose(upload: &Upload, kept: &[Part], listed: &[dto::CompletedPart]) -> Result<Vec<Part>, Fault> {
    if listed.is_empty() || listed.len() > MOST as usize {
        return Err(malformed_xml());
    }
    let numbers: Vec<i32> = listed.iter().map(|part| part.part_number.unwrap_or_default()).collect();
    if numbers.windows(2).any(|pair| pair[0] >= pair[1]) {
        let message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
        return Err(Fault::new(400, "InvalidPartOrder", message));
    }
    listed.iter().zip(numbers).map(|(listed, number)| choose_part(upload, kept, listed, number)).collect()
}

fn choose_part(
    upload: &Upload,
    kept: &[Part],
    listed: &dto::CompletedPart,
    number: i32,
) -> Result<Part, Fault> {
    let invalid = || {
        let message = "One or more of the specified parts could not be found.  The part may not have been \
                       uploaded, or the specified entity tag may not match the part's entity tag.";
        Fault::new(400, "InvalidPart", message)
    };
    let part = kept.iter().find(|part| part.number == number).ok_or_else(invalid)?;
    let given = given_sums!(listed);
    if let Some((algorithm, Kind::Composite)) = upload.declared
        && given == dto::Checksum::default()
    {
        let name = algorithm.name().to_ascii_lowercase();
        return Err(invalid_request(format!(
            "The upload was created using a {name} checksum. The complete request must include the checksum \
             for each part. It was missing for part {number} in the request."
        )));
    }
    let etag_differs = listed.e_tag.as_ref().is_some_and(|etag| etag.value() != part.etag);
    // The checksum of another algorithm than the part's is of no use, as on AWS.
    let kept = dto::Checksum { checksum_type: None, ..Sum::shown(part.sum.as_ref()) };
    if etag_differs || (given != dto::Checksum::default() && given != kept) {
        return Err(invalid());
    }
    Ok(part.clone())
}

/// Puts the parts together, outside of the requests' threads.
async fn join(
    cx: &Cx,
    bucket: &str,
    upload: &Upload,
    parts: &[Part],
    wanted: Wanted,
) -> Result<blob::Received, Fault> {
    let folder = blob::parts(&cx.shared.root, &upload.id);
    let paths: Vec<_> = parts.iter().map(|part| folder.join(&part.blob)).collect();
    let shared = Arc::clone(&cx.shared);
    let joined = blob::aside(move || {
        let mut whole = blob::Incoming::new(&shared, wanted)?;
        for path in paths {
            whole.fill(File::open(path)?)?;
        }
        Ok(whole.finish())
    });
    match joined.await {
        Ok(whole) => Ok(whole),
        // Parts are gone when somebody else completed or aborted it meanwhile.
        Err(fault) => uploads::find(&cx.shared, bucket, &upload.key, &upload.id).and(Err(fault)),
    }
}

/// MD5 of the parts' MD5s, and how many they are.
fn etag(parts: &[Part]) -> String {
    let digits = parts.iter().flat_map(|part| part.etag.as_bytes().chunks(2));
    let byte =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Vec<u8> = digits.filter_map(byte).collect();
    format!("{}-{}", digest::md5_of(&bytes), parts.len())
}

/// Compares the checksum of the whole that the client may have sent.
fn check_sum(given: &dto::Checksum, sum: &Sum) -> Result<(), Fault> {
    let shown = dto::Checksum { checksum_type: None, ..Sum::shown(Some(sum)) };
    // A composite checksum may be sent without the number of parts.
    let bare = Sum { value: sum.value.split('-').next().unwrap_or_default().to_owned(), ..sum.clone() };
    let bare = dto::Checksum { checksum_type: None, ..Sum::shown(Some(&bare)) };
    if *given == dto::Checksum::default() || *given == shown || *given == bare {
        return Ok(());
    }
    let name = sum.algorithm.name();
    let message = format!("The {name} you specified did not match the calculated checksum.");
    Err(Fault::new(400, "BadDigest", message))
}

/// Answers AbortMultipartUpload.
pub async fn abort(
    cx: Cx,
    input: dto::AbortMultipartUploadInput,
) -> Result<dto::AbortMultipartUploadOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let upload = uploads::find(&cx.shared, &bucket.name, &input.key, &input.upload_id)?;
    remove(&cx.shared, &uploads_table(&bucket.name), &upload)?;
    Ok(dto::AbortMultipartUploadOutput::default())
}

/// Forgets all uploads of a table: its bucket is deleted.
pub fn abort_all(shared: &SandboxState, table: &str) -> Result<(), Fault> {
    for (_, doc) in shared.store.list(table, "") {
        let upload: Upload = serde_json::from_value(doc).map_err(std::io::Error::from)?;
        remove(shared, table, &upload)?;
    }
    Ok(())
}

fn remove(shared: &SandboxState, table: &str, upload: &Upload) -> Result<(), Fault> {
    shared.store.remove(table, &upload_name(&upload.key, &upload.id))?;
    for part in uploads::parts(shared, &upload.id)? {
        shared.store.remove(PARTS, &part_name(&upload.id, part.number))?;
    }
    let _ = remove_own(&shared.root, &blob::parts(&shared.root, &upload.id));
    Ok(())
}
