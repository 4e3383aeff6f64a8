//! Findings that were accepted: by whom, why, and until when.
//!
//! A TOML file, kept in the repository and written by hand or by `--update-baseline`:
//!
//! ```toml
//! [[accepted]]
//! fingerprint = "0f3a…"
//! rule = "IAM101"
//! resource = "arn:aws:iam::111122223333:role/etl"
//! severity = "high"
//! actions = ["s3:*"]
//! reason = "replaced in the next release"
//! owner = "data platform"
//! expires = "2027-01-31"
//! ```
//!
//! What has grown since, in severity or in the actions that it lists, is not accepted any more.
//!
//! Without a fingerprint, rule and resource are patterns: `IAM1*` on `arn:aws:iam::*:role/legacy-*`.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::audit::Audit;
use super::finding::{Finding, Severity, Status};
use opsctl_iam::grant::shorten;
use opsctl_iam::pattern;
use opsctl_iam::time::Instant;

/// A baseline file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    #[serde(default)]
    pub accepted: Vec<Entry>,
}

/// One accepted finding. Rule and resource are for the reader; the fingerprint decides. Without one they
/// decide, with wildcards.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    pub rule: String,
    pub resource: String,
    /// The severity at which it was accepted. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The patterns of actions that it listed. Absent: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub owner: String,
    /// The day after which the finding counts again, `YYYY-MM-DD`. Absent: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

impl Entry {
    fn is_pattern(&self) -> bool {
        self.fingerprint.is_empty()
    }

    /// How a finding that it names has grown since it was accepted.
    fn growth(&self, finding: &Finding) -> Option<String> {
        if let Some(severity) = self.severity.filter(|&severity| finding.severity > severity) {
            return Some(format!("it was {} then", severity.word()));
        }
        let lower: Vec<String> = self.actions.iter().map(|action| action.to_ascii_lowercase()).collect();
        let is_known = |action: &&String| {
            let action = action.to_ascii_lowercase();
            lower.iter().any(|wide| pattern::includes(wide, &action))
        };
        let more: Vec<String> = finding.actions.iter().filter(|action| !is_known(action)).cloned().collect();
        let grew = !self.actions.is_empty() && !more.is_empty();
        grew.then(|| format!("it has more actions now: {}", shorten(&more)))
    }

    /// Whether it names a finding.
    fn names(&self, finding: &Finding) -> bool {
        match self.is_pattern() {
            true => {
                pattern::matches_ignoring_case(&self.rule, finding.rule)
                    && pattern::matches(&self.resource, &finding.resource)
            }
            false => self.fingerprint == finding.fingerprint,
        }
    }
}

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    #[error("the baseline is not valid: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error(
        "the baseline's entry for {rule} on {resource}: expires = {expires:?} is not a day such as 2027-01-31"
    )]
    Expiry { rule: String, resource: String, expires: String },
}

impl Baseline {
    /// Reads a baseline file.
    ///
    /// # Errors
    /// When it is not TOML of this shape, or a day cannot be read: an entry must not live on by a typing
    /// error.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let baseline: Self = toml::from_str(text)?;
        for entry in &baseline.accepted {
            if let Some(expires) = entry.expires.as_ref().filter(|day| Instant::parse(day).is_none()) {
                let (rule, resource) = (entry.rule.clone(), entry.resource.clone());
                return Err(BaselineError::Expiry { rule, resource, expires: expires.clone() });
            }
        }
        Ok(baseline)
    }

    /// Marks the findings that are accepted, and names the accepted ones that no longer occur.
    pub fn apply(&self, audit: &mut Audit, now: Instant) {
        let known: HashMap<&str, &Entry> =
            self.accepted.iter().map(|entry| (entry.fingerprint.as_str(), entry)).collect();
        for finding in &mut audit.findings {
            let by_pattern = || {
                let mut named: Vec<&Entry> = self.patterns().filter(|entry| entry.names(finding)).collect();
                named.sort_by_key(|entry| entry.growth(finding).is_some());
                named.first().copied()
            };
            let exact = known.get(finding.fingerprint.as_str()).copied();
            let Some(entry) = exact.or_else(by_pattern) else { continue };
            if let Some(growth) = entry.growth(finding) {
                let who = or_unknown(&entry.owner);
                finding.evidence.push(format!("accepted by {who}, but {growth}"));
                continue;
            }
            match entry.expires.as_deref().and_then(Instant::parse) {
                Some(end) if end.days_until(now) > 0 => {
                    finding.evidence.push(format!(
                        "accepted until {} by {}: expired",
                        end.day(),
                        or_unknown(&entry.owner)
                    ));
                }
                _ => {
                    finding.status = Status::Unchanged;
                    finding.evidence.push(format!(
                        "accepted by {}: {}",
                        or_unknown(&entry.owner),
                        entry.reason
                    ));
                }
            }
        }
        let occurs =
            |entry: &&Entry| !audit.findings.iter().chain(&audit.muted).any(|finding| entry.names(finding));
        audit.fixed = self
            .accepted
            .iter()
            .filter(occurs)
            .map(|entry| {
                format!("{} {} {}", entry.fingerprint, entry.rule, entry.resource).trim_start().to_owned()
            })
            .collect();
        audit.count();
    }

    fn patterns(&self) -> impl Iterator<Item = &Entry> {
        self.accepted.iter().filter(|entry| entry.is_pattern())
    }

    /// The baseline that accepts what the audit found now; what was said about known entries is kept, and
    /// entries that no longer occur are dropped.
    #[must_use]
    pub fn updated(&self, audit: &Audit) -> Self {
        let known: HashMap<&str, &Entry> =
            self.accepted.iter().map(|entry| (entry.fingerprint.as_str(), entry)).collect();
        let entry = |f: &Finding| match known.get(f.fingerprint.as_str()) {
            Some(entry) => {
                let (severity, actions) = (Some(f.severity), f.actions.clone());
                Entry { severity, actions, ..(*entry).clone() }
            }
            None => Entry {
                fingerprint: f.fingerprint.clone(),
                rule: f.rule.into(),
                resource: f.resource.clone(),
                severity: Some(f.severity),
                actions: f.actions.clone(),
                ..Entry::default()
            },
        };
        let by_pattern =
            |f: &&Finding| self.patterns().any(|entry| entry.names(f) && entry.growth(f).is_none());
        let single = audit.findings.iter().filter(|f| !by_pattern(f));
        let mut accepted: Vec<Entry> = single.map(entry).collect();
        let used = |entry: &&Entry| audit.findings.iter().any(|finding| entry.names(finding));
        accepted.extend(self.patterns().filter(used).cloned());
        accepted.sort_by(|a, b| {
            (&a.resource, &a.rule, &a.fingerprint).cmp(&(&b.resource, &b.rule, &b.fingerprint))
        });
        Self { accepted }
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        toml::to_string_pretty(self).expect("entries are tables of text")
    }
}

fn or_unknown(owner: &str) -> &str {
    if owner.is_empty() { "nobody named" } else { owner }
}
