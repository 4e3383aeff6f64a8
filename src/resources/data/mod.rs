//! A data set: the files of a local folder under `s3://<bucket>/data/<name>/`.
//!
//! Calls: one conditional GetObject of the manifest to look; per file that differs one PutObject, or the
//! calls of a multipart upload ([`crate::transfer`]); two conditional PutObject of the manifest. The manifest
//! is beside the prefix, never inside: a stray file inside becomes a class for loaders that read one folder
//! per class. It is written before the first change, with what is about to be sent and without a digest, and
//! after the last one.

#[cfg(feature = "sdk")]
mod aws;
mod bandwidth;
pub mod difference;
#[cfg(feature = "sdk")]
mod listed;
pub mod outside;
mod reading;
mod spec;
#[cfg(feature = "sdk")]
pub mod sync;
#[cfg(feature = "sdk")]
mod withdraw;

pub use bandwidth::Bandwidth;
pub use difference::{Difference, SendReason};
pub use outside::Outside;
pub use reading::{Distribution, InputMode, Reading};
pub use spec::{Data, Spec, State};
