//! Reading objects: GetObject, HeadObject, GetObjectAttributes.

use std::io::{ErrorKind, SeekFrom};

use s3s::dto::{self, ETagCondition, Range, StreamingBlob, Timestamp};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::bucket::Bucket;
use super::digest::{Sum, show_sum};
use super::object::{self, Content, FoundVersion, matches, moment};
use super::refusal::{invalid_argument, invalid_request, precondition_failed};
use super::{Cx, blob};
use crate::fault::Fault;
use crate::state::SandboxState;

/// Conditions of a read.
#[derive(Debug, Default)]
pub struct ReadConditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

/// Collects the conditions of an input whose fields have their usual names.
macro_rules! read_guard {
    ($input:expr) => {
        ReadConditions {
            if_match: $input.if_match.clone(),
            if_none_match: $input.if_none_match.clone(),
            if_modified_since: $input.if_modified_since.clone(),
            if_unmodified_since: $input.if_unmodified_since.clone(),
        }
    };
}

impl ReadConditions {
    /// An ETag condition outranks the date that goes with it (RFC 9110 §13.2.2). HTTP dates have whole
    /// seconds.
    pub fn check(&self, found: &FoundVersion) -> Result<(), Fault> {
        let modified = moment(found.modified / 1_000 * 1_000);
        let changed = match (&self.if_match, &self.if_unmodified_since) {
            (Some(etag), _) => !matches(etag, &found.content),
            (None, Some(date)) => modified > *date,
            (None, None) => false,
        };
        if changed {
            return Err(precondition_failed());
        }
        let same = match (&self.if_none_match, &self.if_modified_since) {
            (Some(etag), _) => matches(etag, &found.content),
            (None, Some(date)) => modified <= *date,
            (None, None) => false,
        };
        if same {
            let etag = format!("\"{}\"", found.content.etag);
            return Err(Fault::new(304, "NotModified", "Not Modified").with("etag", etag));
        }
        Ok(())
    }
}

/// The bytes that an answer holds: where they start, how many, and of what when it is not all.
#[derive(Debug)]
struct Piece {
    start: u64,
    length: u64,
    header: Option<String>,
}

fn piece(content: &Content, range: Option<Range>, part: Option<i32>) -> Result<Piece, Fault> {
    let size = content.size;
    let bounds = match (range, part) {
        (Some(_), Some(_)) => {
            return Err(invalid_request("Cannot specify both Range header and partNumber query parameter"));
        }
        (Some(range), None) => Some(range.check(size).map_err(|_| {
            let fault = Fault::new(416, "InvalidRange", "The requested range is not satisfiable");
            fault.with("content-range", format!("bytes */{size}"))
        })?),
        (None, Some(number)) => Some(part_bounds(content, number)?),
        (None, None) => None,
    };
    Ok(match bounds {
        Some(bounds) if size > 0 => Piece {
            start: bounds.start,
            length: bounds.end - bounds.start,
            header: Some(format!("bytes {}-{}/{size}", bounds.start, bounds.end.saturating_sub(1))),
        },
        _ => Piece { start: 0, length: size, header: None },
    })
}

fn part_bounds(content: &Content, number: i32) -> Result<std::ops::Range<u64>, Fault> {
    let parts = if content.parts.is_empty() { std::slice::from_ref(&content.size) } else { &content.parts };
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let length = index
        .and_then(|index| parts.get(index))
        .ok_or_else(|| Fault::new(416, "InvalidPartNumber", "The requested partnumber is not satisfiable"))?;
    let start: u64 = parts.iter().take(index.unwrap_or_default()).sum();
    Ok(start..start + length)
}

/// Fills the fields that GetObject and HeadObject have in common.
macro_rules! describe {
    ($output:ident, $bucket:expr, $found:expr, $piece:expr, $checksums:expr, $part:expr) => {{
        let content = &$found.content;
        let about = content.about.clone();
        let mut output = dto::$output {
            accept_ranges: Some("bytes".into()),
            cache_control: about.cache_control,
            content_disposition: about.content_disposition,
            content_encoding: about.content_encoding,
            content_language: about.content_language,
            content_length: Some($piece.length as i64),
            content_range: $piece.header.clone(),
            content_type: Some(about.content_type.unwrap_or_else(|| "binary/octet-stream".into())),
            e_tag: Some(content.etag()),
            expires: about.expires,
            last_modified: Some(moment($found.modified)),
            metadata: Some(about.metadata.into_iter().collect()),
            parts_count: $part.and((!content.parts.is_empty()).then_some(content.parts.len() as i32)),
            server_side_encryption: content.encryption.shown(),
            ssekms_key_id: content.encryption.key.clone(),
            storage_class: about.storage_class.filter(|class| class != "STANDARD").map(Into::into),
            version_id: $found.shown_id($bucket),
            ..Default::default()
        };
        // A checksum is of the whole object, so it is not sent with a piece of it.
        if $checksums.is_some() && $piece.header.is_none() {
            output.checksum_type = show_sum!(output, content.sum.as_ref());
        }
        output
    }};
}

/// Answers HeadObject.
pub async fn head_object(cx: Cx, input: dto::HeadObjectInput) -> Result<dto::HeadObjectOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let found = object::find(&cx.shared, &bucket, &input.key, input.version_id.as_deref());
    let found = found.map_err(|fault| cx.hide(&bucket.name, fault))?;
    read_guard!(input).check(&found)?;
    let piece = piece(&found.content, input.range, input.part_number)?;
    Ok(describe!(HeadObjectOutput, &bucket, &found, &piece, input.checksum_mode, input.part_number))
}

/// Answers GetObject.
pub async fn get_object(cx: Cx, input: dto::GetObjectInput) -> Result<dto::GetObjectOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let opened = open(&cx.shared, &bucket, &input.key, input.version_id.as_deref()).await;
    let (found, mut file) = opened.map_err(|fault| cx.hide(&bucket.name, fault))?;
    read_guard!(input).check(&found)?;
    let piece = piece(&found.content, input.range, input.part_number)?;
    file.seek(SeekFrom::Start(piece.start)).await?;
    let mut output =
        describe!(GetObjectOutput, &bucket, &found, &piece, input.checksum_mode, input.part_number);
    let stream = ReaderStream::with_capacity(file.take(piece.length), blob::CHUNK);
    output.body = Some(StreamingBlob::wrap(stream));
    output.tag_count = Some(found.content.tags.len() as i32).filter(|count| *count > 0);
    // What a presigned URL may put in place of the object's own headers.
    for (given, shown) in [
        (input.response_cache_control, &mut output.cache_control),
        (input.response_content_disposition, &mut output.content_disposition),
        (input.response_content_encoding, &mut output.content_encoding),
        (input.response_content_language, &mut output.content_language),
        (input.response_content_type, &mut output.content_type),
    ] {
        if given.is_some() {
            *shown = given;
        }
    }
    Ok(output)
}

/// Finds an object and opens its file. A file that is gone was replaced between the two, so it is looked for
/// again; once open, it can be read to its end whatever becomes of the object.
async fn open(
    shared: &SandboxState,
    bucket: &Bucket,
    key: &str,
    id: Option<&str>,
) -> Result<(FoundVersion, File), Fault> {
    let mut attempts = 5;
    loop {
        let found = object::find(shared, bucket, key, id)?;
        attempts -= 1;
        match File::open(blob::objects(&shared.root, &bucket.name).join(&found.content.blob)).await {
            Err(error) if error.kind() == ErrorKind::NotFound && attempts > 0 => {}
            file => return Ok((found, file?)),
        }
    }
}

/// Answers GetObjectAttributes.
pub async fn get_attributes(
    cx: Cx,
    input: dto::GetObjectAttributesInput,
) -> Result<dto::GetObjectAttributesOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let found = object::find(&cx.shared, &bucket, &input.key, input.version_id.as_deref())?;
    let content = &found.content;
    let mut output = dto::GetObjectAttributesOutput {
        last_modified: Some(moment(found.modified)),
        version_id: found.shown_id(&bucket),
        ..Default::default()
    };
    for attribute in input.object_attributes.iter().flat_map(|names| names.as_str().split(',')) {
        match attribute.trim() {
            dto::ObjectAttributes::ETAG => output.e_tag = Some(content.etag()),
            dto::ObjectAttributes::OBJECT_SIZE => output.object_size = Some(content.size as i64),
            dto::ObjectAttributes::CHECKSUM => {
                output.checksum = content.sum.as_ref().map(|sum| Sum::shown(Some(sum)));
            }
            dto::ObjectAttributes::STORAGE_CLASS => {
                let class = content.about.storage_class.clone();
                output.storage_class = Some(class.unwrap_or_else(|| "STANDARD".into()).into());
            }
            dto::ObjectAttributes::OBJECT_PARTS => {
                output.object_parts = (!content.parts.is_empty()).then(|| dto::GetObjectAttributesParts {
                    total_parts_count: Some(content.parts.len() as i32),
                    ..Default::default()
                });
            }
            _ => return Err(invalid_argument("Invalid attribute name specified.")),
        }
    }
    Ok(output)
}
