//! `uri` of `[data.NAME]`: data in somebody's bucket. It is no resource of this project, so that nothing can
//! write, replace or delete it (docs/decisions/0064).

use serde_json::Value;

use super::Reading;
use crate::desired::Draft;
use crate::domain::{KeyPath, Scope, codes};
use crate::inputs::{Remote, RemoteLook, bucket_and_key};
use crate::resources::bucket::Bucket;
use crate::resources::role::policy;

/// A data set that is read where it is.
#[derive(Clone, Debug)]
pub struct Outside {
    pub bucket: String,
    /// Of one object, or the prefix of all, which ends with `/` or is empty.
    pub key: String,
    is_object: bool,
    /// Of the listing, or of the version; empty while nobody has looked.
    pub digest: String,
    pub reading: Reading,
}

impl Outside {
    /// Where it is in S3.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    /// What a job's role needs to read it.
    pub fn statements(&self, scope: &Scope) -> Vec<Value> {
        match self.is_object {
            true => policy::read_object(scope, &self.bucket, &self.key),
            false => policy::read_objects(scope, &self.bucket, std::slice::from_ref(&self.key)),
        }
    }
}

/// What is looked at before planning.
pub fn remote(name: &str, uri: &str, version: Option<&str>) -> Remote {
    let look = if version.is_some() { RemoteLook::Presence } else { RemoteLook::Content };
    Remote { uri: uri.to_owned(), look, at: KeyPath::of(["data", name, "uri"]) }
}

/// What is there. `None` after a problem was reported.
pub fn found(
    name: &str,
    uri: &str,
    version: Option<&str>,
    reading: Reading,
    draft: &mut Draft<'_>,
) -> Option<Outside> {
    let remote = remote(name, uri, version);
    let Some((bucket, key)) = bucket_and_key(uri) else {
        let text = format!("{uri} is no place in S3");
        draft.error(codes::BAD_URI, remote.at, text, "write s3://BUCKET/PREFIX");
        return None;
    };
    if bucket == Bucket::name(draft) {
        let text = format!("{bucket} is this project's own bucket, which is deleted with it");
        let help = "name a bucket that is not made by this file, or a local folder by `path`";
        draft.error(codes::BAD_VALUE, remote.at, text, help);
        return None;
    }
    let listing = draft.listing(&remote);
    let is_object = listing.is_some_and(|listing| listing.is_object);
    let slash = if is_object || key.is_empty() || key.ends_with('/') { "" } else { "/" };
    let digest = match (version, listing) {
        (Some(version), _) => blake3::hash(format!("{uri}\0{version}").as_bytes()).to_hex().to_string(),
        (None, Some(listing)) => listing.digest.clone(),
        (None, None) => String::new(),
    };
    Some(Outside { bucket: bucket.to_owned(), key: format!("{key}{slash}"), is_object, digest, reading })
}
