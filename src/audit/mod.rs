//! The IAM audit: an account's roles in, findings out. Pure, but for the files with ○: no network, no
//! clock, no environment.
//!
//! ```text
//! account.rs   the dump, read            lenient.rs    its lists, entry by entry
//! account/twice.rs   what has two entries
//! removed.rs   what a plan takes from it
//! settings.rs  settings of the audit     usage.rs      what roles used
//! evaluate.rs  what a role may do        variables.rs  what only the call decides
//! shared.rs    asked once for those who hold the same
//! trust.rs     who may become it         role_view.rs  a role with all that
//! kept_out.rs  less whom a Deny keeps out
//! escalate.rs  ways up, as tables        services.rs   what runs with a passed role
//! ways.rs      whether one is open       loosen.rs     boundaries and Deny, taken off
//! node.rs      a principal as others see it
//! serving.rs   roles of AWS's services
//! said.rs      what it says when it assumes a role
//! own_tags.rs  tags of its own that it sets first
//! graph/       who can become whom, and what one can become by rewriting it
//! circles.rs   who can become each other  later.rs     ways that wait for the right moment
//! rules/       a table row and a function each
//! audit.rs     rules over roles -> findings
//! finding.rs   what a rule found         compliance.rs the requirements that it is about
//! baseline.rs  what was accepted         filter.rs     which findings are shown
//! report/      forms of the result
//! explain/     why a role may, or not    least.rs      a smaller policy, with proof
//! expected.rs  what the configuration says
//! surroundings.rs policies of resources and of the organization
//! allow_list.rs what those of the organization leave out
//! planned/      what is not deployed yet  against/     whether a change gives new access
//! dump.rs      the account, written again
//! collect.rs   ○ the account, from AWS   last_accessed.rs ○ what roles used   answers.rs ○ AWS's answers
//! ```
//!
//! Documents, conditions, wildcards and AWS's catalogue are in the crate `opsctl_iam`.

pub mod account;
pub mod against;
mod allow_list;
#[cfg(feature = "sdk")]
mod answers;
#[expect(clippy::module_inception, reason = "audit::audit is the verb of this module")]
pub mod audit;
pub mod baseline;
mod circles;
#[cfg(feature = "sdk")]
pub mod collect;
pub mod compliance;
pub mod dump;
pub mod escalate;
pub mod evaluate;
pub mod expected;
pub mod explain;
pub mod filter;
pub mod finding;
pub mod graph;
mod kept_out;
#[cfg(feature = "sdk")]
pub mod last_accessed;
mod later;
pub mod least;
pub mod lenient;
mod loosen;
mod node;
mod own_tags;
pub mod planned;
pub mod removed;
pub mod report;
pub mod role_view;
pub mod rules;
mod said;
pub mod services;
mod serving;
mod settings;
mod shared;
pub mod surroundings;
pub mod trust;
pub mod usage;
pub mod variables;
mod ways;

pub use account::{Account, Page};
pub use audit::{Audit, audit};
pub use baseline::Baseline;
pub use finding::{Finding, NotEvaluated, Severity, Status};
pub use opsctl_iam::time::Instant;
pub use rules::{Rule, find as find_rule};
pub use settings::Settings;
pub use usage::Usage;
