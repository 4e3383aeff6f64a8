//! The IAM audit, from dump to findings.

mod against;
mod agree;
mod asked;
mod card;
mod cases;
mod changes;
mod differential;
mod drift;
mod engine;
mod escalation;
mod generate;
mod given;
mod growth;
mod hostile;
mod hygiene;
mod least;
mod managed;
mod met;
mod outputs;
mod planned;
mod reading;
mod surroundings;
mod tolerance;
mod trust;
mod truth;
mod world;
