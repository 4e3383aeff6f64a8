//! The IAM audit: an account's roles in, findings out. Pure: no network, no clock, no environment.
//!
//! ```text
//! account.rs   the dump, read          policy.rs     the grammar of a document
//! catalogue.rs every action of AWS     condition.rs  how much a condition holds back
//! evaluate.rs  what a role may do      trust.rs      who may become it
//! rules/       a table row and a function each       audit.rs  rules over roles -> findings
//! ```

pub mod account;
pub mod action_set;
#[expect(clippy::module_inception, reason = "audit::audit is the verb of this module")]
pub mod audit;
pub mod baseline;
pub mod catalogue;
mod circles;
pub mod condition;
pub mod dump;
pub mod escalate;
pub mod evaluate;
pub mod expected;
pub mod explain;
pub mod finding;
pub mod graph;
pub mod least;
pub mod managed;
pub mod pattern;
pub mod policy;
pub mod report;
pub mod rules;
pub mod time;
pub mod trust;
pub mod usage;

pub use account::{Account, Page};
pub use audit::{Audit, Settings, audit};
pub use baseline::Baseline;
pub use finding::{Finding, NotEvaluated, Severity, Status};
pub use rules::{Rule, find as find_rule};
pub use time::Instant;
pub use usage::Usage;
