//! `[audit]`: the settings of `opsctl audit-iam`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::{Days, Diagnostics, KeyPath};
use crate::limits;

/// `[audit]`: how `opsctl audit-iam` judges the roles of an account. The whole table may be left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Roles unused for longer than this are stale.
    pub stale_after: Days,
    /// Roles younger than this are not judged by their use.
    pub grace: Days,
    /// Roles older than this need the tag `opsctl:reviewed`, whose value is a date.
    pub old_after: Days,
    /// Names of roles that are rightly idle for most of the year, with wildcards: `"yearly-*"`.
    pub rarely_used: Vec<String>,
    /// The key of the tag on roles that are kept for emergencies.
    pub break_glass_tag: String,
    /// The regions you work in; a role used elsewhere is reported. Empty: anywhere.
    pub regions: Vec<String>,
    /// More accounts of yours: trusting them is not foreign.
    pub own_accounts: Vec<String>,
    /// Foreign accounts that are known and wanted: account ID = a name for it.
    pub known_accounts: BTreeMap<String, String>,
    /// Tags that every role must have.
    pub required_tags: Vec<String>,
    /// Whether every role must have a permissions boundary.
    pub require_boundary: bool,
}

impl Audit {
    /// Regions and accounts that AWS cannot have: a rule that goes by one never finds anything.
    pub(super) fn lint(&self, problems: &mut Diagnostics) {
        let at = |key: &str| KeyPath::of(["audit", key]);
        for (i, region) in self.regions.iter().enumerate() {
            problems.extend(limits::region(region, &at("regions").join(i.to_string())));
        }
        for (i, account) in self.own_accounts.iter().enumerate() {
            problems.extend(limits::account(account, &at("own_accounts").join(i.to_string())));
        }
        for account in self.known_accounts.keys() {
            problems.extend(limits::account(account, &at("known_accounts").join(account)));
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            stale_after: Days::new(90),
            grace: Days::new(30),
            old_after: Days::new(365),
            rarely_used: Vec::new(),
            break_glass_tag: "break-glass".into(),
            regions: Vec::new(),
            own_accounts: Vec::new(),
            known_accounts: BTreeMap::new(),
            required_tags: Vec::new(),
            require_boundary: false,
        }
    }
}
