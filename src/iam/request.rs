//! One request, decided: every key of it is known, so every condition on texts, ARNs and flags is true or
//! false.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::collections::BTreeSet;

use crate::condition::{Operator, admits};
use crate::pattern;
use crate::policy::{Condition, Policy, Statement};

/// An action on a resource, with the keys that AWS has of it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `sagemaker:CreateModel`
    pub action: &'a str,
    /// An ARN, or `*` for an action without resources.
    pub resource: &'a str,
    /// Keys and values; a key of several values is there several times.
    pub context: &'a [(String, String)],
}

/// What identity policies say of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They allow it.
    Allowed,
    /// They deny it.
    ExplicitDeny,
    /// They do not say.
    ImplicitDeny,
}

impl Verdict {
    /// As IAM's simulator writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ExplicitDeny => "explicitDeny",
            Self::ImplicitDeny => "implicitDeny",
        }
    }
}

impl Request<'_> {
    /// What these policies, of one principal, say of it together.
    ///
    /// # Examples
    /// ```
    /// use opsctl_iam::policy::Document;
    /// use opsctl_iam::request::{Request, Verdict};
    ///
    /// let policy = r#"{"Statement": {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
    ///     "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}}"#;
    /// let policy = Document::read(policy.into()).policy().cloned().expect("it follows the grammar");
    /// let verdict = |service: &str| {
    ///     let context = [("iam:PassedToService".to_owned(), service.to_owned())];
    ///     let resource = "arn:aws:iam::111122223333:role/app";
    ///     Request { action: "iam:PassRole", resource, context: &context }.verdict(&[&policy])
    /// };
    /// assert_eq!(verdict("lambda.amazonaws.com"), Verdict::Allowed);
    /// assert_eq!(verdict("ec2.amazonaws.com"), Verdict::ImplicitDeny);
    /// ```
    pub fn verdict(&self, policies: &[&Policy]) -> Verdict {
        let statements = || policies.iter().flat_map(|policy| &policy.statements).map(AsRef::as_ref);
        if statements().any(|s: &Statement| !s.allow && self.meets(s, true)) {
            Verdict::ExplicitDeny
        } else if statements().any(|s: &Statement| s.allow && self.meets(s, false)) {
            Verdict::Allowed
        } else {
            Verdict::ImplicitDeny
        }
    }

    /// The keys that these policies' conditions on it are about, and that it does not have.
    pub fn missing<'p>(&self, policies: &[&'p Policy]) -> BTreeSet<&'p str> {
        let statements = policies.iter().flat_map(|policy| &policy.statements).map(AsRef::as_ref);
        let about = statements.filter(|s: &&'p Statement| self.is_named(s));
        let keys = about.flat_map(|s| &s.conditions).map(|condition| condition.key.as_str());
        keys.filter(|key| !self.context.iter().any(|(known, _)| known.eq_ignore_ascii_case(key))).collect()
    }

    /// Whether a statement is about it. `undecided`: what a condition counts as that this does not decide.
    fn meets(&self, statement: &Statement, undecided: bool) -> bool {
        self.is_named(statement) && statement.conditions.iter().all(|c| self.holds(c).unwrap_or(undecided))
    }

    /// Whether a statement names the action and the resource.
    fn is_named(&self, statement: &Statement) -> bool {
        let named = statement.actions.covers(self.action, pattern::matches_ignoring_case);
        named && statement.resources.as_ref().is_some_and(|r| r.covers(self.resource, pattern::matches))
    }

    /// Whether a condition holds; `None` for one on numbers, times or addresses.
    pub(crate) fn holds(&self, condition: &Condition) -> Option<bool> {
        let operator = Operator::parse(&condition.operator);
        let is_it = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(&condition.key);
        let mut values = self.context.iter().filter(is_it).map(|(_, value)| value).peekable();
        let is_absent = values.peek().is_none();
        if operator.base.eq_ignore_ascii_case("Null") {
            return Some(condition.values.iter().any(|v| v.eq_ignore_ascii_case("true")) == is_absent);
        }
        if is_absent {
            return Some(operator.is_negated() || operator.if_exists || operator.for_all);
        }
        let held: Option<Vec<bool>> = values.map(|value| admits(condition, value)).collect();
        let held = held?;
        Some(if operator.for_all { held.iter().all(|h| *h) } else { held.iter().any(|h| *h) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Document;

    #[test]
    fn a_deny_counts_and_so_does_every_condition() {
        let policy = serde_json::json!({ "Statement": [
            { "Effect": "Allow", "Action": "ec2:*", "Resource": "*" },
            { "Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*",
              "Condition": { "StringNotEquals": { "aws:RequestedRegion": ["us-east-1"] } } },
            { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
              "Condition": { "Null": { "aws:TokenIssueTime": "false" } } },
            { "Effect": "Allow", "Action": "iam:TagRole", "Resource": "*",
              "Condition": { "ForAllValues:StringLike": { "aws:TagKeys": "opsctl:*" },
                             "NumericLessThan": { "aws:MultiFactorAuthAge": "60" } } }
        ]});
        let policy = Document::read(policy).policy().cloned().unwrap();
        let verdict = |action: &str, resource: &str, context: &[(&str, &str)]| {
            let context: Vec<_> = context.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Request { action, resource, context: &context }.verdict(&[&policy])
        };
        let region = |region| [("aws:RequestedRegion", region)];
        assert_eq!(verdict("ec2:runinstances", "*", &region("us-east-1")), Verdict::Allowed);
        assert_eq!(verdict("ec2:RunInstances", "*", &region("eu-west-1")), Verdict::ExplicitDeny);
        assert_eq!(verdict("ec2:RunInstances", "*", &[]), Verdict::ExplicitDeny);
        assert_eq!(verdict("s3:GetObject", "arn:aws:s3:::b/k", &[]), Verdict::ImplicitDeny);
        let session = [("aws:tokenissuetime", "2026-11-01")];
        assert_eq!(verdict("s3:GetObject", "arn:aws:s3:::b/k", &session), Verdict::Allowed);
        assert_eq!(verdict("s3:GetObject", "arn:aws:s3:::c/k", &session), Verdict::ImplicitDeny);
        let age = ("aws:MultiFactorAuthAge", "5");
        assert_eq!(verdict("iam:TagRole", "*", &[age]), Verdict::ImplicitDeny, "numbers are not decided");
        let context = [("AWS:TagKeys".to_owned(), "opsctl:a".to_owned())];
        let request = Request { action: "iam:TagRole", resource: "*", context: &context };
        assert_eq!(request.missing(&[&policy]).into_iter().collect::<Vec<_>>(), ["aws:MultiFactorAuthAge"]);
    }
}
