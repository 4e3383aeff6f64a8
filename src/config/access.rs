//! `[access]`: what holds for every role that opsctl makes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::{Diagnostics, KeyPath};
use crate::limits::ArnOf;

/// `[access]`: what a company's account asks of the roles that opsctl makes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// The ARN of the managed policy that is the permissions boundary of every role that opsctl makes: such a
    /// role can do what its own policy and the boundary both allow. Another one is set in place. Without this
    /// key a boundary that somebody has set stays. Default none.
    pub permissions_boundary: Option<String>,
}

impl Access {
    pub(super) fn lint(&self, account: Option<&str>, region: Option<&str>, problems: &mut Diagnostics) {
        let boundary = ArnOf {
            noun: "IAM policy",
            example: "arn:aws:iam::123456789012:policy/boundary",
            service: "iam",
            kinds: &["policy/"],
            account,
            region,
        };
        let at = KeyPath::of(["access", "permissions_boundary"]);
        problems.extend(self.permissions_boundary.as_deref().and_then(|arn| boundary.refuse(arn, &at)));
    }
}
