//! The settings of an audit.

use std::collections::BTreeMap;

use super::account::Role;
use super::expected::Expected;
use opsctl_iam::time::Instant;

/// What the audit goes by. Nothing here is read from the environment; the clock is a field.
#[derive(Clone, Debug)]
pub struct Settings {
    pub now: Instant,
    /// A role unused for more days than this is stale.
    pub stale_after_days: i64,
    /// A role younger than this many days is not yet judged by its use.
    pub grace_days: i64,
    /// A role older than this many days needs a review tag; `None`: age alone is no finding.
    pub old_after_days: Option<i64>,
    /// Names of roles that are rightly idle for most of the year, with wildcards.
    pub rarely_used: Vec<String>,
    /// Accounts of ours besides the audited one: trust in them is not foreign.
    pub own_accounts: Vec<String>,
    /// Foreign accounts that are known and wanted, by name.
    pub known_accounts: BTreeMap<String, String>,
    /// The tag key that marks a role for emergencies.
    pub break_glass_tag: String,
    /// Where we work; use elsewhere is odd. `None`: anywhere.
    pub regions: Option<Vec<String>>,
    /// Tags every role must carry.
    pub required_tags: Vec<String>,
    /// Whether every role must have a boundary.
    pub require_boundary: bool,
    /// What the configuration says of the roles it makes; `None`: no configuration at hand.
    pub expected: Option<Expected>,
}

impl Settings {
    /// The usual settings at a given time.
    pub fn at(now: Instant) -> Self {
        Self {
            now,
            stale_after_days: 90,
            grace_days: 30,
            old_after_days: None,
            rarely_used: Vec::new(),
            own_accounts: Vec::new(),
            known_accounts: BTreeMap::new(),
            break_glass_tag: "break-glass".into(),
            regions: None,
            required_tags: Vec::new(),
            require_boundary: false,
            expected: None,
        }
    }

    /// Whether a role is kept for emergencies. Tag keys are compared as people write them: `break-glass`,
    /// `BreakGlass`, `break_glass`, `opsctl:break-glass`.
    pub fn is_break_glass(&self, role: &Role) -> bool {
        // Our other tags begin so, and this one may.
        let own =
            |key: &'_ str| key.get(..7).filter(|p| p.eq_ignore_ascii_case("opsctl:")).map_or(0, str::len);
        let is_it = |key: &str| plain_letters(&key[own(key)..]).eq(plain_letters(&self.break_glass_tag));
        role.tags.iter().any(|tag| is_it(&tag.key) && !tag.value.eq_ignore_ascii_case("false"))
    }
}

fn plain_letters(key: &str) -> impl Iterator<Item = char> {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}
