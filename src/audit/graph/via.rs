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
    /// `iam:UpdateSAMLProvider`: whose key signs the assertions that the role trusts.
    Provider,
    /// Calls about oneself.
    Change,
}

/// What makes credentials of a user for whoever calls.
pub const KEYS: [&str; 3] = ["iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile"];

/// By the index of a way, that of the first to the same service.
static FIRST: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let first = |of: &str| PASSING_WAYS.iter().position(|(service, _)| service == of);
    PASSING_WAYS.iter().filter_map(|(service, _)| first(service)).collect()
});

impl Via {
    /// The action whose resource is the other principal.
    pub fn action(self) -> &'static str {
        match self {
            Self::Assume | Self::Tagged | Self::WithMfa | Self::WithTags => "sts:AssumeRole",
            Self::Pass(_) => "iam:PassRole",
            Self::Rewrite => "iam:UpdateAssumeRolePolicy",
            Self::Key(way) => KEYS[way],
            Self::Provider => "iam:UpdateSAMLProvider",
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
            Self::Pass(way) => {
                let (service, way) = &PASSING_WAYS[way];
                format!("iam:PassRole of {arn} to {service} with {}", way.name())
            }
            Self::Rewrite => format!("iam:UpdateAssumeRolePolicy on {arn}"),
            Self::Provider => format!("{} on the provider that {arn} trusts", self.action()),
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
            Self::Pass(way) => {
                format!("passes to {} ({})", PASSING_WAYS[way].1.service, PASSING_WAYS[way].1.name())
            }
            Self::Rewrite => "rewrites the trust of".into(),
            Self::Key(way) => format!("by {} becomes", KEYS[way]),
            Self::Provider => "rewrites the identity provider of".into(),
            Self::Change => "changes".into(),
        }
    }
}
