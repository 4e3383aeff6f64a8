//! opsctl operationalizes a machine-learning project on AWS from one file.
//!
//! Data flows one way: `config` → `desired` → `observed` → `plan` → `check` → `execute` → `report`.
//! The plan decides, the executor obeys. `docs/architecture.md` has the picture.

pub mod audit;
#[cfg(feature = "sdk")]
pub mod sandbox;
