//! The IAM audit, from dump to findings.

mod card;
mod differential;
mod drift;
mod engine;
mod escalation;
mod generate;
mod hostile;
mod hygiene;
mod outputs;
mod tolerance;
mod trust;
mod truth;
mod world;
