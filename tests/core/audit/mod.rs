//! The IAM audit, from dump to findings.

mod card;
mod escalation;
mod trust;
mod world;
