//! A training job on SageMaker, in script mode. The same section makes an `instance` when `on = "ec2"`.
//!
//! Quirks (docs/aws/sagemaker-training.md): the name is taken until DeleteTrainingJob; `Stopped` is an end
//! too (time limit, spot); not found is a ValidationException.

#[cfg(feature = "sdk")]
mod aws;
pub mod channels;
pub mod hyperparameter;
pub mod job;
pub mod lint;
#[cfg(feature = "sdk")]
mod logs;
#[cfg(feature = "sdk")]
pub mod metrics;
pub mod packages;
#[cfg(feature = "sdk")]
mod reading;
#[cfg(feature = "sdk")]
pub mod source;
mod spec;

pub use spec::{Spec, State, Training};
