//! `[audit]`: what `opsctl audit-iam` goes by.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::Human;

/// `[audit]`; every key has a default.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// A role unused for longer is stale.
    pub stale_after: Human,
    /// A role younger than this is not yet judged by its use.
    pub grace: Human,
    /// Accounts of ours: trust in them is not foreign.
    pub own_accounts: Vec<String>,
    /// Foreign accounts that are known and wanted: account id = name.
    pub known_accounts: BTreeMap<String, String>,
    /// Tags that every role must carry.
    pub required_tags: Vec<String>,
    /// Whether every role must have a permissions boundary.
    pub require_boundary: bool,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            stale_after: Human::days(90),
            grace: Human::days(30),
            own_accounts: Vec::new(),
            known_accounts: BTreeMap::new(),
            required_tags: Vec::new(),
            require_boundary: false,
        }
    }
}
