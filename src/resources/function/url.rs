//! A function's own HTTPS address (docs/aws/lambda.md#function-urls).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{Action, action};

/// Who may call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "FunctionUrl")]
pub enum Url {
    // Whoever signs with credentials that may.
    Iam,
    // Everybody. (Comments of these would be parts of the schema.)
    Public,
}

impl Url {
    /// What everybody may do with the alias of a public one: since October 2025 it takes both
    /// (docs/aws/lambda.md#function-urls).
    pub const GRANTED: [Action; 2] = [action::lambda::InvokeFunctionUrl, action::lambda::InvokeFunction];

    /// As Lambda writes it.
    pub fn auth_type(self) -> &'static str {
        match self {
            Self::Iam => "AWS_IAM",
            Self::Public => "NONE",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Public => "public",
        }
    }
}

/// The address on the alias, as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveUrl {
    pub url: Url,
    /// Whether the alias has both permissions for everybody: without them a public address answers 403.
    pub open: bool,
    pub address: String,
}

impl LiveUrl {
    /// What a look finds of it when nobody has touched it.
    pub fn wanted(url: Url) -> Self {
        Self { url, open: url == Url::Public, address: String::new() }
    }
}

/// `public`, `iam` or `none`, as a change says it.
pub fn wanted_word(url: Option<Url>) -> &'static str {
    url.map_or("none", Url::word)
}

/// The same of what is there.
pub fn found_word(found: Option<&LiveUrl>) -> &'static str {
    match found {
        Some(LiveUrl { url: Url::Public, open: false, .. }) => "public, without its permissions",
        found => wanted_word(found.map(|found| found.url)),
    }
}
