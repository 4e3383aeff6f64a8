//! CopyObject, and the source of every copy.

use std::path::PathBuf;
use std::sync::Arc;

use s3s::dto::{self, CopySource};

use super::bucket::{self, Bucket};
use super::digest::{Algorithm, Digests, Kind, Wanted, hex, show_sum};
use super::get::ReadConditions;
use super::object::{self, Content, Encryption, FoundVersion, WriteConditions, about, moment, shown_id};
use super::refusal::{invalid_request, precondition_failed};
use super::{Cx, blob, tagging};
use crate::fault::Fault;
use crate::state::SandboxState;

/// A copy in one call has at most 5 GiB; UploadPartCopy does more (docs/aws/s3.md#limits).
const LARGEST: u64 = 5 << 30;

/// Where the bytes of a copy come from.
pub struct Source {
    pub bucket: Bucket,
    pub key: String,
    pub found: FoundVersion,
    pub path: PathBuf,
}

impl Source {
    /// The source of a copy, which may be in another region. Its conditions fail with 412 only.
    pub fn find(
        cx: &Cx,
        source: &CopySource,
        owner: Option<&str>,
        guard: &ReadConditions,
    ) -> Result<Self, Fault> {
        let CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(Fault::not_implemented("s3", "copies from access points"));
        };
        let bucket = bucket::find(&cx.shared, bucket)?;
        cx.expect_owner(owner)?;
        let found = object::find(&cx.shared, &bucket, key, version_id.as_deref())?;
        guard.check(&found).map_err(|_| precondition_failed())?;
        let path = blob::objects(&cx.shared.root, &bucket.name).join(&found.content.blob);
        Ok(Self { bucket, key: key.to_string(), found, path })
    }

    /// Its version id, where it has one.
    pub fn version_id(&self) -> Option<String> {
        self.found.shown_id(&self.bucket)
    }
}

/// Collects the conditions of a copy.
macro_rules! source_guard {
    ($input:expr) => {
        $crate::services::s3::get::ReadConditions {
            if_match: $input.copy_source_if_match.clone(),
            if_none_match: $input.copy_source_if_none_match.clone(),
            if_modified_since: $input.copy_source_if_modified_since.clone(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.clone(),
        }
    };
}
pub(super) use source_guard;

/// Answers CopyObject.
pub async fn copy_object(cx: Cx, input: dto::CopyObjectInput) -> Result<dto::CopyObjectOutput, Fault> {
    let bucket = cx.bucket_to_fill(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let owner = input.expected_source_bucket_owner.as_deref();
    let source = Source::find(&cx, &input.copy_source, owner, &source_guard!(input))?;
    let old = &source.found.content;
    if old.size > LARGEST {
        return Err(invalid_request(format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {LARGEST}"
        )));
    }
    let replaces = |directive: Option<&str>| directive == Some("REPLACE");
    let replaces_about = replaces(input.metadata_directive.as_ref().map(|directive| directive.as_str()));
    let to_itself = source.bucket.name == bucket.name && source.key == input.key;
    if to_itself
        && !replaces_about
        && input.storage_class.is_none()
        && input.server_side_encryption.is_none()
        && source.found.id == object::find(&cx.shared, &bucket, &input.key, None)?.id
    {
        return Err(invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing \
             the object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    let mut about = if replaces_about { about!(input)? } else { old.about.clone() };
    about.storage_class = input.storage_class.as_ref().map(|class| class.as_str().to_owned());
    let tags = if replaces(input.tagging_directive.as_ref().map(|directive| directive.as_str())) {
        tagging::of_header(input.tagging.as_deref())?
    } else {
        old.tags.clone()
    };
    let encryption =
        Encryption::choose(&bucket, input.server_side_encryption.as_ref(), input.ssekms_key_id.as_deref());
    let wanted = input.checksum_algorithm.as_ref().map(|name| Algorithm::named(name.as_str())).transpose()?;

    let (blob, digests) = duplicate(&cx.shared, &source, wanted, &bucket).await?;
    let content = Content {
        blob,
        size: digests.size,
        etag: encryption.etag(hex(&digests.md5)),
        sum: digests.sum,
        parts: Vec::new(),
        about,
        tags,
        encryption,
    };
    let mut result = dto::CopyObjectResult { e_tag: Some(content.etag()), ..Default::default() };
    result.checksum_type = show_sum!(result, content.sum.as_ref());
    let mut output = dto::CopyObjectOutput {
        copy_source_version_id: source.version_id(),
        server_side_encryption: content.encryption.shown(),
        ssekms_key_id: content.encryption.key.clone(),
        ..Default::default()
    };
    let version = object::commit(&cx.shared, &bucket, &input.key, content, &WriteConditions::default())?;
    result.last_modified = Some(moment(version.modified));
    output.copy_object_result = Some(result);
    output.version_id = shown_id(&bucket, &version.id);
    Ok(output)
}

/// A copy is an object of one piece: its ETag is an MD5 again, and its checksum is of the whole.
async fn duplicate(
    shared: &Arc<SandboxState>,
    source: &Source,
    wanted: Option<Algorithm>,
    bucket: &Bucket,
) -> Result<(String, Digests), Fault> {
    let whole = source.found.content.sum.as_ref().filter(|sum| sum.kind == Kind::FullObject);
    let algorithm = wanted.or(whole.map(|sum| sum.algorithm)).unwrap_or(Algorithm::Crc64Nvme);
    let (shared, path, folder) =
        (Arc::clone(shared), source.path.clone(), blob::objects(&shared.root, &bucket.name));
    blob::aside(move || {
        let wanted = Wanted { md5: true, sum: Some(algorithm), payload: false };
        blob::copy(&shared, &path, None, wanted)?.keep(&folder)
    })
    .await
}
