//! Multipart uploads under way: their documents, and lists of them and of their parts.

use s3s::dto;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Cx;
use super::bucket::owner;
use super::digest::{Algorithm, Kind, Sum, show_sum};
use super::listing::{Coding, Query, page_size, walk};
use super::object::{Encryption, ObjectMetadata, moment};
use super::refusal::invalid_argument;
use crate::clock::Millis;
use crate::fault::Fault;
use crate::state::SandboxState;
use crate::tags::Tags;

/// An upload's document. Settings of the bucket are fixed when it begins (docs/aws/s3.md#multipart-uploads).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upload {
    pub id: String,
    pub key: String,
    pub begun: Millis,
    /// What the client has said of checksums; without it S3 computes CRC64NVME of the whole.
    pub declared: Option<(Algorithm, Kind)>,
    pub about: ObjectMetadata,
    pub tags: Tags,
    pub encryption: Encryption,
}

impl Upload {
    /// Algorithm and kind of the checksum that the object will have.
    pub fn sums(&self) -> (Algorithm, Kind) {
        self.declared.unwrap_or((Algorithm::Crc64Nvme, Kind::FullObject))
    }
}

/// A part's document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    pub number: i32,
    pub blob: String,
    pub size: u64,
    pub etag: String,
    pub modified: Millis,
    pub sum: Option<Sum>,
}

/// The uploads into a bucket, by key and id.
pub fn uploads_table(bucket: &str) -> String {
    format!("s3.uploads.{bucket}")
}

/// All parts, by upload and number: a document for each, since there may be 10,000.
pub const PARTS: &str = "s3.parts";

/// Separates key and id; less than every character of a key, so uploads sort by key.
const SEPARATOR: char = '\0';

/// The key of an upload in its table.
pub fn upload_name(key: &str, id: &str) -> String {
    format!("{key}{SEPARATOR}{id}")
}

fn key_of(name: &str) -> &str {
    name.rsplit_once(SEPARATOR).map_or(name, |(key, _)| key)
}

/// The key of a part in its table.
pub fn part_name(upload: &str, number: i32) -> String {
    format!("{upload}/{number:05}")
}

fn broken(error: serde_json::Error) -> Fault {
    std::io::Error::from(error).into()
}

/// An upload that is neither completed nor aborted.
pub fn find(shared: &SandboxState, bucket: &str, key: &str, id: &str) -> Result<Upload, Fault> {
    let doc = shared.store.get(&uploads_table(bucket), &upload_name(key, id)).ok_or_else(|| {
        let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may \
                       have been aborted or completed.";
        Fault::new(404, "NoSuchUpload", message)
    })?;
    serde_json::from_value(doc).map_err(broken)
}

/// Keeps an upload.
pub fn put(shared: &SandboxState, bucket: &str, upload: &Upload) -> Result<(), Fault> {
    shared.store.put(&uploads_table(bucket), &upload_name(&upload.key, &upload.id), json!(upload))
}

/// The parts of an upload, by number.
pub fn parts(shared: &SandboxState, upload: &str) -> Result<Vec<Part>, Fault> {
    let docs = shared.store.list(PARTS, &format!("{upload}/"));
    docs.into_iter().map(|(_, doc)| serde_json::from_value(doc).map_err(broken)).collect()
}

/// Answers ListParts.
pub async fn list_parts(cx: Cx, input: dto::ListPartsInput) -> Result<dto::ListPartsOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let upload = find(&cx.shared, &bucket.name, &input.key, &input.upload_id)?;
    let most = page_size(&cx.shared, input.max_parts, "max-parts")?;
    let marker = input.part_number_marker.unwrap_or(0);
    let mut parts = parts(&cx.shared, &upload.id)?;
    parts.retain(|part| part.number > marker);
    let is_truncated = most > 0 && parts.len() > most as usize;
    parts.truncate(most as usize);
    let (algorithm, kind) = upload.sums();
    let show = |part: &Part| {
        let mut shown = dto::Part {
            e_tag: Some(dto::ETag::Strong(part.etag.clone())),
            last_modified: Some(moment(part.modified)),
            part_number: Some(part.number),
            size: Some(part.size as i64),
            ..Default::default()
        };
        let _ = show_sum!(shown, part.sum.as_ref().filter(|sum| sum.algorithm == algorithm));
        shown
    };
    let owner = owner(&cx.shared);
    Ok(dto::ListPartsOutput {
        bucket: Some(bucket.name),
        key: Some(input.key),
        upload_id: Some(upload.id),
        checksum_algorithm: Some(dto::ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: Some(kind.into()),
        initiator: Some(dto::Initiator { id: owner.id.clone(), display_name: None }),
        owner: Some(owner),
        is_truncated: Some(is_truncated),
        max_parts: Some(most),
        part_number_marker: Some(marker),
        next_part_number_marker: Some(parts.last().map_or(0, |part| part.number)),
        parts: Some(parts.iter().map(show).collect()),
        storage_class: Some(upload.about.storage_class.unwrap_or_else(|| "STANDARD".into()).into()),
        ..Default::default()
    })
}

/// Answers ListMultipartUploads.
pub async fn list(
    cx: Cx,
    input: dto::ListMultipartUploadsInput,
) -> Result<dto::ListMultipartUploadsOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let most = page_size(&cx.shared, input.max_uploads, "max-uploads")?;
    if most < 1 {
        return Err(invalid_argument("Argument max-uploads must be an integer between 1 and 1000"));
    }
    let key_marker = input.key_marker.as_deref().unwrap_or_default();
    let id_marker = input.upload_id_marker.as_deref().filter(|marker| !marker.is_empty());
    let after = match (key_marker, id_marker) {
        ("", _) => String::new(),
        (key, Some(id)) => upload_name(key, id),
        (key, None) => upload_name(key, "\u{10FFFF}"),
    };
    let query = Query {
        table: &uploads_table(&bucket.name),
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref(),
        after: &after,
        resume: false,
        most: most as usize,
    };
    let coding = Coding::new(input.encoding_type.as_ref());
    let owner = owner(&cx.shared);
    let page = walk(&cx.shared.store, &query, key_of, |_, doc| {
        let upload: Upload = serde_json::from_value(doc).map_err(broken)?;
        let (algorithm, kind) = upload.sums();
        Ok(vec![dto::MultipartUpload {
            checksum_algorithm: Some(dto::ChecksumAlgorithm::from_static(algorithm.name())),
            checksum_type: Some(kind.into()),
            initiated: Some(moment(upload.begun)),
            initiator: Some(dto::Initiator { id: owner.id.clone(), display_name: None }),
            key: coding.of(&upload.key),
            owner: Some(owner.clone()),
            storage_class: Some(upload.about.storage_class.unwrap_or_else(|| "STANDARD".into()).into()),
            upload_id: Some(upload.id),
        }])
    })?;
    let last_id = page.items.last().and_then(|upload| upload.upload_id.clone());
    Ok(dto::ListMultipartUploadsOutput {
        bucket: Some(bucket.name),
        common_prefixes: coding.prefixes(&page.prefixes),
        delimiter: coding.maybe(input.delimiter.as_deref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        key_marker: coding.of(key_marker),
        max_uploads: Some(most),
        next_upload_id_marker: page.next.as_ref().and(last_id),
        next_key_marker: page.next.and_then(|key| coding.of(&key)),
        prefix: coding.of(query.prefix),
        upload_id_marker: Some(id_marker.unwrap_or_default().to_owned()),
        uploads: Some(page.items),
        ..Default::default()
    })
}
