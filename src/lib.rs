//! opsctl operationalizes a machine-learning project on AWS from one file.
//!
//! Data flows one way: [`config`] → [`desired`] → observed → [`plan`] → check → execute → report.
//! The plan decides, the executor obeys. `docs/architecture.md` has the picture.

pub mod archive;
pub mod audit;
pub mod config;
pub mod desired;
pub mod domain;
pub mod inputs;
pub mod limits;
pub mod plan;
pub mod report;
pub mod resources;

#[cfg(feature = "sdk")]
pub mod aws;
#[cfg(feature = "sdk")]
pub mod cli;
#[cfg(feature = "sdk")]
pub mod engine;
#[cfg(feature = "sdk")]
pub mod run;
#[cfg(feature = "sdk")]
pub mod transfer;
