//! A SageMaker model: an archive and the image that serves it. The archive of a training job has no
//! `code/inference.py`; when the endpoint names a `code` folder, it is repacked with it.
//!
//! Quirks (docs/aws/sagemaker-endpoints.md): S3 and ECR access are checked at CreateModel with one text for
//! all causes; models are immutable, so the fingerprint is in the name.

#[cfg(feature = "sdk")]
mod aws;
#[cfg(feature = "sdk")]
mod repack;
mod spec;

pub use spec::{Model, Serving, Spec};
