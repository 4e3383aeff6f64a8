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

pub use section::{Artifact, Given};

pub use spec::{Serving, Spec};

/// The kind.
pub struct Model;
