//! A data set: the files of a local folder under `s3://<bucket>/data/<name>/`.
//!
//! Calls: one GetObject of the manifest to look, one PutObject per file that differs, one for the manifest.
//! The manifest lies beside the prefix, never inside: a stray file inside becomes a class for loaders that read
//! one folder per class. It is written last, so it never names a file that is not there.

#[cfg(feature = "sdk")]
mod aws;
mod spec;

#[cfg(feature = "sdk")]
pub(crate) use aws::split;
pub use spec::{Data, Manifest, ManifestFile, Spec};
