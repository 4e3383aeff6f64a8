//! A SageMaker model: an archive and the image that serves it. The archive of a training job has no
//! `code/inference.py`; when the endpoint names a `code` folder, it is repacked with it. Archives that no
//! training made are named by `[model.NAME]` (docs/decisions/0063).
//!
//! Quirks (docs/aws/sagemaker-endpoints.md): S3 and ECR access are checked at CreateModel with one text for
//! all causes; models are immutable, so the fingerprint is in the name.

#[cfg(feature = "sdk")]
mod aws;
#[cfg(feature = "sdk")]
mod repack;
pub mod section;
#[cfg(feature = "sdk")]
mod send;
mod spec;

use crate::domain::Scope;

pub use section::{Artifact, Given};

pub use spec::{Serving, Spec};

/// The kind.
pub struct Model;

impl Model {
    /// Where a repacked archive lies; its folder is deleted with the model.
    pub fn key(model: &str) -> String {
        format!("{}model.tar.gz", Self::folder(model))
    }

    /// The folder of its archives in the bucket.
    pub fn folder(model: &str) -> String {
        format!("models/{model}/")
    }

    /// With this begin the keys of archives of this machine, which go by their digests: one serves all
    /// endpoints and generations. Others may share the bucket.
    pub fn artifacts(scope: &Scope) -> String {
        format!("artifacts/{}", scope.prefix())
    }

    /// The folder of one of them.
    pub fn artifact_folder(scope: &Scope, digest: &str) -> String {
        format!("{}{}/", Self::artifacts(scope), digest.get(..16).unwrap_or_default())
    }

    /// The tags that record what a model was made from.
    pub const TRAINED_TAG: &'static str = "opsctl:trained";
    /// The tag with the digest of the code in its archive.
    pub const CODE_TAG: &'static str = "opsctl:code";
    /// What an archive is known by that no training made: a digest, or an entity tag.
    pub const ARTIFACT_TAG: &'static str = "opsctl:artifact";
    /// The tag with the entity tag of its own archive, as opsctl put it.
    pub const ARCHIVE_TAG: &'static str = "opsctl:archive-etag";
}
