//! IAM policy documents as AWS means them. Pure: no network, no clock, no environment.
//!
//! ```text
//! arn.rs        ARNs and patterns of them
//! policy.rs     the grammar of a document       equal.rs      when two documents are the same
//! canonical.rs  the same for parsed ones        json.rs       a parsed one as JSON
//! statements.rs one statement in somebody else's document
//! pattern.rs    wildcards                       time.rs       instants as policies write them
//! condition.rs  how much a condition holds back caller.rs     what who calls decides of it
//! catalogue.rs  every action of AWS             action_set.rs sets of them
//! grams.rs      a quick no for many patterns
//! grant.rs      a document, compiled            effective.rs  all policies of somebody together
//! decide.rs     one action on one resource      request.rs    the same with all its keys known
//! managed.rs    AWS's own policies              data/         both, and how they are made
//! keys.rs       what condition keys are about
//! tagging.rs    tags that conditions ask for
//! favor.rs      the same with some of it unknown
//! restriction.rs how much conditions restrict, in four classes
//! circumstance.rs conditions on the caller's circumstances
//! moment.rs     what is allowed where these are met
//! sent.rs       which calls send a key of a condition
//! remainder.rs  whether patterns leave anything between them
//! narrower.rs   whether one condition asks for what another asks for
//! ```

#![warn(missing_docs)]

pub mod action_set;
mod addresses;
pub mod arn;
pub mod caller;
mod canonical;
pub mod catalogue;
pub mod circumstance;
pub mod condition;
pub mod decide;
pub mod effective;
mod equal;
pub mod favor;
mod grams;
pub mod grant;
mod json;
pub mod keys;
pub mod managed;
pub mod moment;
pub mod narrower;
pub mod pattern;
pub mod policy;
pub mod remainder;
pub mod request;
pub mod restriction;
pub mod sent;
mod statements;
pub mod tagging;
pub mod time;

pub use equal::same;
pub use statements::{has, is_taken, with, without};

#[cfg(test)]
mod tests;

/// Its example is run.
#[cfg(doctest)]
#[doc = include_str!("README.md")]
struct Readme;
