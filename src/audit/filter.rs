//! Which findings are shown. What fails, and what is counted, is decided by all.

use super::audit::Audit;
use super::finding::{Finding, Severity};
use super::rules;
use opsctl_iam::pattern;

/// A choice of findings; empty lists choose all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// As bad as this, or worse.
    pub severity: Option<Severity>,
    /// By id or slug.
    pub rules: Vec<String>,
    /// By name or ARN, with wildcards.
    pub roles: Vec<String>,
    /// The worst of them only.
    pub top: Option<usize>,
}

impl Filter {
    /// Whether it chooses at all.
    pub fn is_empty(&self) -> bool {
        self.severity.is_none() && self.rules.is_empty() && self.roles.is_empty() && self.top.is_none()
    }

    /// The first of its rules that there is none of.
    pub fn unknown_rule(&self) -> Option<&str> {
        self.rules.iter().map(String::as_str).find(|rule| rules::find(rule).is_none())
    }

    /// The audit with the chosen findings, and with its counts as they were.
    pub fn of(&self, audit: &Audit) -> Audit {
        let mut chosen = audit.clone();
        chosen.findings.retain(|finding| self.takes(finding));
        chosen.muted.retain(|finding| self.takes(finding));
        if let Some(top) = self.top {
            chosen.findings.truncate(top);
        }
        let about = |rule: &str| self.rules.is_empty() || self.rules.iter().any(|r| is_rule(r, rule));
        chosen.not_evaluated.retain(|entry| about(entry.rule) || !entry.optional);
        chosen
    }

    fn takes(&self, finding: &Finding) -> bool {
        let name = finding.resource.rsplit('/').next().unwrap_or_default();
        let is_it =
            |wanted: &String| pattern::matches(wanted, name) || pattern::matches(wanted, &finding.resource);
        self.severity.is_none_or(|least| finding.severity >= least)
            && (self.rules.is_empty() || self.rules.iter().any(|rule| is_rule(rule, finding.rule)))
            && (self.roles.is_empty() || self.roles.iter().any(is_it))
    }
}

/// Whether a word is the id or the slug of a rule.
fn is_rule(word: &str, id: &str) -> bool {
    rules::find(word).is_some_and(|rule| rule.id == id)
}
