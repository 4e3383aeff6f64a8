//! The ways from one principal to another.

use std::sync::LazyLock;

use crate::audit::escalate::PASSING_WAYS;

/// How one principal becomes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// `sts:AssumeRole`
    Assume,
    /// A tag that the trust asks for, set on oneself, then `sts:AssumeRole`.
    Tagged,
    /// A name that the trust asks for, taken by oneself, then `sts:AssumeRole`.
    Renamed,
    /// A principal made that the trust lets in, and `sts:AssumeRole` by it; an index into `MAKES`.
    Made(usize),
    /// `sts:AssumeRole`, where the trust asks for MFA.
    WithMfa,
    /// `sts:AssumeRole` and `sts:TagSession`: a session with tags of the caller's choice.
    WithTags,
    /// `iam:PassRole` to a service, and what starts it; an index into the ways.
    Pass(usize),
    /// `iam:UpdateAssumeRolePolicy`, then `sts:AssumeRole`.
    Rewrite,
    /// A key or password of a user; an index into [`KEYS`].
    Key(usize),
    /// Whose key signs the assertions that the role trusts; an index into [`PROVIDER`].
    Provider(usize),
    /// Calls about oneself.
    Change,
}

/// What makes credentials of a user for whoever calls.
pub const KEYS: [&str; 3] = ["iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile"];

/// What makes a principal of the account.
pub const MAKES: [&str; 2] = ["iam:CreateRole", "iam:CreateUser"];

/// What puts a key of the caller's into a SAML provider: the provider is rewritten, made again under its
/// name, which is all that a trust knows of it, or made where it is gone.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteSAMLProvider.html>
pub const PROVIDER: [&[&str]; 3] = [
    &["iam:UpdateSAMLProvider"],
    &["iam:DeleteSAMLProvider", "iam:CreateSAMLProvider"],
    &["iam:CreateSAMLProvider"],
];

/// By the index of a way, that of the first to the same service.
static FIRST: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let first = |of: &str| PASSING_WAYS.iter().position(|(service, _)| service == of);
    PASSING_WAYS.iter().filter_map(|(service, _)| first(service)).collect()
});

impl Via {
    /// The action whose resource is the other principal.
    pub fn action(self) -> &'static str {
        match self {
            Self::Assume | Self::Tagged | Self::Renamed | Self::WithMfa | Self::WithTags => "sts:AssumeRole",
            Self::Made(kind) => MAKES[kind],
            Self::Pass(_) => "iam:PassRole",
            Self::Rewrite => "iam:UpdateAssumeRolePolicy",
            Self::Key(way) => KEYS[way],
            Self::Provider(way) => PROVIDER[way][0],
            Self::Change => "iam:*",
        }
    }

    /// The service that the role is passed to.
    pub fn service(self) -> Option<&'static str> {
        match self {
            Self::Pass(way) => Some(&PASSING_WAYS[way].0),
            _ => None,
        }
    }

    /// Ways of passing to one service reach the same roles, and all keys the same users: the first of them
    /// stands for all.
    pub(super) fn representative(self) -> Self {
        match self {
            Self::Pass(way) => Self::Pass(FIRST[way]),
            Self::Key(_) => Self::Key(0),
            other => other,
        }
    }

    /// The calls that take the way to a principal, in order.
    pub fn calls(self, arn: &str) -> String {
        match self {
            Self::Assume | Self::Key(_) => format!("{} on {arn}", self.action()),
            Self::WithTags => format!("sts:AssumeRole with session tags on {arn}"),
            Self::WithMfa => format!("sts:AssumeRole with MFA on {arn}"),
            Self::Tagged => format!("a tag set on itself, then sts:AssumeRole on {arn}"),
            Self::Renamed => format!("iam:UpdateUser of itself, then sts:AssumeRole on {arn}"),
            Self::Made(_) => {
                format!("{} of one that {arn} lets in, then sts:AssumeRole by it", self.action())
            }
            Self::Pass(way) => {
                let (service, way) = &PASSING_WAYS[way];
                format!("iam:PassRole of {arn} to {service} with {}", way.name())
            }
            Self::Rewrite => format!("iam:UpdateAssumeRolePolicy on {arn}"),
            Self::Provider(way) => {
                format!("{} on the provider that {arn} trusts", PROVIDER[way].join(", then "))
            }
            Self::Change => format!("calls about {arn}"),
        }
    }

    /// For a chain: `assumes`, `passes to lambda`.
    pub fn words(self) -> String {
        match self {
            Self::Assume => "assumes".into(),
            Self::WithMfa => "assumes with MFA".into(),
            Self::WithTags => "begins a tagged session of".into(),
            Self::Tagged => "tags itself as asked and assumes".into(),
            Self::Renamed => "by iam:UpdateUser takes the name that is asked for and assumes".into(),
            Self::Made(_) => {
                format!("by {} makes one whom the trust lets in, by whom it assumes", self.action())
            }
            Self::Pass(way) => {
                format!("passes to {} ({})", PASSING_WAYS[way].1.service, PASSING_WAYS[way].1.name())
            }
            Self::Rewrite => "rewrites the trust of".into(),
            Self::Key(way) => format!("by {} becomes", KEYS[way]),
            Self::Provider(0) => "rewrites the identity provider of".into(),
            Self::Provider(_) => "makes the identity provider of".into(),
            Self::Change => "changes".into(),
        }
    }
}
