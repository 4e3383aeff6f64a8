//! The IAM audit, from dump to findings.

mod card;
mod escalation;
mod generate;
mod hygiene;
mod trust;
mod truth;
mod world;
