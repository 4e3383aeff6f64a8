//! What the audit reports.

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// Worst first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// One step less bad.
    #[must_use]
    pub fn lowered(self) -> Self {
        match self {
            Self::Critical => Self::High,
            Self::High => Self::Medium,
            Self::Medium => Self::Low,
            Self::Low | Self::Info => Self::Info,
        }
    }

    /// `critical`, `high`, …
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl std::str::FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|s| s.word().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("unknown severity {text}"))
    }
}

/// How a finding stands against the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    New,
    /// In the baseline, and its entry has not expired: shown, but never a reason to fail.
    Unchanged,
}

/// One rule broken by one resource.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub rule: &'static str,
    pub severity: Severity,
    /// An ARN.
    pub resource: String,
    pub title: String,
    /// One line per fact: policy, statement, pattern, condition and its class, what Deny and boundary did.
    pub evidence: Vec<String>,
    pub fix: String,
    /// The same for the same fault in every run, whatever the day; see [`fingerprint`].
    pub fingerprint: String,
    pub status: Status,
    /// What findings with one remedy share, such as the policy that gives too much. Reports group by it.
    #[serde(skip)]
    pub cause: String,
    /// For one about a list of actions: the patterns that give them, as their statements write them.
    #[serde(skip)]
    pub actions: Vec<String>,
    /// The line of the configuration that makes the role, where it does.
    #[serde(skip)]
    pub line: Option<usize>,
    /// What auditors' frameworks call it; empty for most.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub compliance: &'static [&'static str],
    /// Why the finding is set aside: a tag on the role, or a platform that manages it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted: Option<String>,
}

/// A rule that could not be evaluated for some resources. Never the same as "nothing found".
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotEvaluated {
    pub rule: &'static str,
    pub reason: String,
    /// True when the data was not asked for; false when it should have been there, and the audit is
    /// incomplete.
    pub optional: bool,
    /// The ARNs it concerns; empty when it concerns the whole account.
    pub resources: Vec<String>,
}

/// A stable name for a fault: rule, resource, and what caused it; never dates or counts.
pub fn fingerprint(rule: &str, resource: &str, cause: &str) -> String {
    let hash = blake3::hash([rule, resource, cause].join("\0").as_bytes());
    hash.to_hex()[..16].to_owned()
}
