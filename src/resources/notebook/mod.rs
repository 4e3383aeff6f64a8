//! A SageMaker notebook instance with its lifecycle configuration, which stops it when nobody works in it.
//!
//! Quirks (docs/aws/sagemaker-notebooks.md): only a stopped notebook can be changed or deleted; a volume
//! grows, never shrinks.

#[cfg(feature = "sdk")]
pub mod aws;
mod spec;

pub use spec::{Notebook, Spec, State};
