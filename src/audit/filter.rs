//! Which findings are shown. What fails, and what is counted, is decided by all.

use super::account::{Account, name_of};
use super::audit::Audit;
use super::finding::{Finding, Severity};
use super::rules;
use opsctl_iam::pattern;

/// A choice of findings; empty lists choose all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// As bad as this, or worse.
    pub severity: Option<Severity>,
    /// By id or slug, with wildcards.
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
        let is_one = |word: &str| rules::all().any(|rule| is_rule(word, rule.id));
        self.rules.iter().map(String::as_str).find(|word| !is_one(word))
    }

    /// The first of its roles that is neither somebody of the account nor what a finding is about.
    pub fn unknown_role(&self, account: &Account, audit: &Audit) -> Option<&str> {
        let mut arns: Vec<&str> = account.roles.iter().map(|role| role.arn.as_str()).collect();
        arns.extend(account.users.iter().map(|user| user.arn.as_str()));
        arns.extend(account.groups.iter().map(|group| group.arn.as_str()));
        arns.extend(account.policies.iter().map(|policy| policy.arn.as_str()));
        arns.extend(audit.findings.iter().chain(&audit.muted).map(|finding| finding.resource.as_str()));
        let is_there = |wanted: &str| arns.iter().any(|arn| is_called(wanted, arn));
        self.roles.iter().map(String::as_str).find(|wanted| !is_there(wanted))
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
        self.severity.is_none_or(|least| finding.severity >= least)
            && (self.rules.is_empty() || self.rules.iter().any(|rule| is_rule(rule, finding.rule)))
            && (self.roles.is_empty() || self.roles.iter().any(|wanted| is_called(wanted, &finding.resource)))
    }
}

/// Whether a word is the id or the slug of a rule, or a pattern of one.
fn is_rule(word: &str, id: &str) -> bool {
    let is_name = |name: &str| pattern::matches_ignoring_case(word, name);
    is_name(id) || rules::find(id).is_some_and(|rule| is_name(rule.slug))
}

/// Whether a word is the name or the ARN of something, or a pattern of one.
fn is_called(wanted: &str, arn: &str) -> bool {
    pattern::matches(wanted, name_of(arn)) || pattern::matches(wanted, arn)
}
