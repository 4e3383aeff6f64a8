//! The roles that the config asks for: the other side of the drift rules.

use std::collections::{BTreeMap, BTreeSet};

use opsctl_iam::policy::{Document, Policy};

/// The roles that opsctl creates and manages.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// By role name.
    pub roles: BTreeMap<String, ExpectedRole>,
    /// The tags by which opsctl marks what it makes for this project and environment; all of them together.
    pub claim: BTreeMap<String, String>,
}

/// One role as it should be.
#[derive(Clone, Debug, Default)]
pub struct ExpectedRole {
    pub trust: Option<Policy>,
    /// Inline policies by name.
    pub inline: BTreeMap<String, Policy>,
    /// ARNs of the attached policies.
    pub attached: BTreeSet<String>,
    pub boundary: Option<String>,
    /// Seconds; `None`: not compared.
    pub max_session_duration: Option<u32>,
    /// Tags that must be there; others may be.
    pub tags: BTreeMap<String, String>,
    /// The line of the configuration that makes the role, from 1.
    pub line: Option<usize>,
}

impl Expected {
    /// Reads a policy document of the configuration.
    ///
    /// # Errors
    /// When it does not follow IAM's grammar.
    pub fn policy(json: serde_json::Value) -> Result<Policy, String> {
        match Document::read(json) {
            Document::Parsed(policy) => Ok(policy),
            Document::Malformed(why) => Err(why),
        }
    }
}
