//! A request of which not everything is known, decided in favor of who asks: for what enforces policies
//! without having all that AWS has. What it refuses, AWS refuses too.

use crate::arn::Arn;
use crate::condition::plain_service;
use crate::pattern;
use crate::policy::{Condition, Policy, Principals, Selector, Statement};
use crate::request::{Request, Verdict};

/// An action on a resource, with what is known of the request.
#[derive(Clone, Copy)]
pub struct PartlyKnown<'a> {
    /// `sagemaker:CreateModel`
    pub action: &'a str,
    /// What the resource is called in policies, where that has several forms; empty when it is not known.
    pub resources: &'a [String],
    /// Keys and values; a key of several values is there several times.
    pub context: &'a [(String, String)],
    /// Whether a key that is not in the context is in no request of this kind.
    pub knows: &'a dyn Fn(&str) -> bool,
}

impl PartlyKnown<'_> {
    /// What these statements, of one principal or one resource, say of it together.
    ///
    /// # Examples
    /// ```
    /// use opsctl_iam::favor::PartlyKnown;
    /// use opsctl_iam::policy::Document;
    /// use opsctl_iam::request::Verdict;
    ///
    /// let policy = r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*",
    ///     "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}}"#;
    /// let policy = Document::read(policy.into()).policy().cloned().expect("it follows the grammar");
    /// let verdict = |resource: &str| {
    ///     let (action, resources) = ("s3:GetObject", &[resource.to_owned()][..]);
    ///     let asked = PartlyKnown { action, resources, context: &[], knows: &|_| false };
    ///     asked.verdict(policy.statements.iter().map(AsRef::as_ref))
    /// };
    /// assert_eq!(verdict("arn:aws:s3:::b/k"), Verdict::Allowed, "where it comes from is not known");
    /// assert_eq!(verdict("arn:aws:s3:::c/k"), Verdict::ImplicitDeny);
    /// ```
    pub fn verdict<'s>(&self, statements: impl Iterator<Item = &'s Statement> + Clone) -> Verdict {
        if statements.clone().any(|s| !s.allow && self.meets(s)) {
            Verdict::ExplicitDeny
        } else if statements.clone().any(|s| s.allow && self.meets(s)) {
            Verdict::Allowed
        } else {
            Verdict::ImplicitDeny
        }
    }

    /// Whether a statement is about it: an Allow that may be is, a Deny only when it is for sure.
    fn meets(&self, statement: &Statement) -> bool {
        statement.actions.covers(self.action, pattern::matches_ignoring_case)
            && statement.resources.as_ref().is_none_or(|resources| self.is_on(resources, statement.allow))
            && statement.conditions.iter().all(|c| self.holds(c).unwrap_or(statement.allow))
    }

    fn is_on(&self, resources: &Selector, allow: bool) -> bool {
        let named = |pattern: &String, in_doubt: bool| {
            // A variable stands for what only AWS knows.
            let is_named = |resource: &String| match pattern.contains("${") {
                true => in_doubt && pattern::may_match(pattern, resource),
                false => pattern::matches(pattern, resource),
            };
            pattern::is_everything(pattern)
                || self.resources.iter().any(is_named)
                || self.resources.is_empty() && in_doubt
        };
        match resources {
            Selector::Only(patterns) => patterns.iter().any(|p| named(p, allow)),
            Selector::Except(patterns) => !patterns.iter().any(|p| named(p, !allow)),
        }
    }

    fn holds(&self, condition: &Condition) -> Option<bool> {
        let is_there = self.context.iter().any(|(key, _)| key.eq_ignore_ascii_case(&condition.key));
        let is_known = is_there || (self.knows)(&condition.key);
        let is_plain = !condition.values.iter().any(|value| value.contains("${"));
        let request = Request { action: self.action, resource: "", context: self.context };
        (is_known && is_plain).then(|| request.holds(condition)).flatten()
    }
}

/// How a statement's principals name somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// They do not.
    No,
    /// By the account: what it allows, the identity's own policies must allow too.
    Account,
    /// By an ARN, or as everybody.
    Directly,
}

impl Principals {
    /// How they name a principal of this account that has these ARNs: a session, and its role.
    pub fn name(&self, arns: &[String], account: &str) -> Named {
        let named = |(kind, value): &(String, String)| {
            let is_root =
                || Arn::parse(value).is_some_and(|arn| arn.resource == "root" && arn.account == account);
            match kind.as_str() {
                "AWS" | "*" if value == "*" || arns.contains(value) => Named::Directly,
                "AWS" if value == account || is_root() => Named::Account,
                _ => Named::No,
            }
        };
        let all: Vec<Named> = self.listed.iter().map(named).collect();
        let strongest = [Named::Directly, Named::Account].into_iter().find(|named| all.contains(named));
        match (self.negated, strongest) {
            (true, Some(_)) => Named::No,
            (true, None) => Named::Directly,
            (false, strongest) => strongest.unwrap_or(Named::No),
        }
    }
}

impl Policy {
    /// Whether a service may assume the role that has this trust policy. What a condition depends on is not
    /// known here: it counts for an Allow, and not for a Deny.
    ///
    /// # Examples
    /// ```
    /// use opsctl_iam::policy::Document;
    ///
    /// let trust = r#"{"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
    ///     "Principal": {"Service": "lambda.amazonaws.com"}}}"#;
    /// let trust = Document::read(trust.into()).policy().cloned().expect("it follows the grammar");
    /// assert!(trust.trusts("lambda.amazonaws.com"));
    /// assert!(!trust.trusts("ec2.amazonaws.com"));
    /// ```
    pub fn trusts(&self, service: &str) -> bool {
        let named = self.statements.iter().map(AsRef::as_ref).filter(|statement: &&Statement| {
            statement.principals.as_ref().is_some_and(|who| who.take_in_service(service, statement.allow))
        });
        let asked = PartlyKnown { action: "sts:AssumeRole", resources: &[], context: &[], knows: &|_| false };
        asked.verdict(named) == Verdict::Allowed
    }
}

impl Principals {
    /// Whether a statement, an Allow or a Deny, is about a service.
    fn take_in_service(&self, service: &str, allow: bool) -> bool {
        // Which region asks is not known, and some policies name a service in one.
        let near_is_it = allow != self.negated;
        let is_it = |(kind, value): &(String, String)| match kind.as_str() {
            // Everybody is every service too.
            "*" | "AWS" => value == "*",
            kind if !kind.eq_ignore_ascii_case("Service") => false,
            _ => value == service || near_is_it && plain_service(value) == plain_service(service),
        };
        self.listed.iter().any(is_it) != self.negated
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::{Document, Policy};

    fn policy(statements: serde_json::Value) -> Policy {
        Document::read(json!({ "Statement": statements })).policy().cloned().unwrap()
    }

    fn verdict(statements: serde_json::Value, resources: &[&str], context: &[(&str, &str)]) -> Verdict {
        let resources: Vec<String> = resources.iter().map(|r| (*r).to_owned()).collect();
        let context: Vec<_> = context.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let knows = |key: &str| key.eq_ignore_ascii_case("s3:prefix");
        let asked =
            PartlyKnown { action: "s3:ListBucket", resources: &resources, context: &context, knows: &knows };
        asked.verdict(policy(statements).statements.iter().map(AsRef::as_ref))
    }

    #[test]
    fn what_is_not_known_counts_for_who_asks() {
        let allow = |resource: &str, condition: serde_json::Value| {
            let (effect, action) = ("Allow", "s3:List*");
            json!({ "Effect": effect, "Action": action, "Resource": resource, "Condition": condition })
        };
        let deny = |resource: &str, condition: serde_json::Value| {
            json!([
                allow("*", json!({})),
                { "Effect": "Deny", "Action": "*", "Resource": resource, "Condition": condition },
            ])
        };
        let (b, none) = (["arn:aws:s3:::b"], json!({}));
        assert_eq!(verdict(allow("arn:aws:s3:::b", none.clone()), &b, &[]), Verdict::Allowed);
        assert_eq!(verdict(allow("arn:aws:s3:::c", none.clone()), &b, &[]), Verdict::ImplicitDeny);
        assert_eq!(verdict(allow("arn:aws:s3:::c", none.clone()), &[], &[]), Verdict::Allowed);
        assert_eq!(verdict(allow("arn:aws:s3:::${aws:username}", none.clone()), &b, &[]), Verdict::Allowed);
        for nobodys in
            ["arn:aws:s3:::${bucket}", "${bucket}", "arn:aws:s3:::${b", "arn:aws:sqs:::${aws:username}"]
        {
            assert_eq!(verdict(allow(nobodys, none.clone()), &b, &[]), Verdict::ImplicitDeny, "{nobodys}");
        }
        assert_eq!(verdict(deny("arn:aws:s3:::b", none.clone()), &b, &[]), Verdict::ExplicitDeny);
        assert_eq!(verdict(deny("arn:aws:s3:::b", none.clone()), &[], &[]), Verdict::Allowed);
        assert_eq!(verdict(deny("*", none.clone()), &[], &[]), Verdict::ExplicitDeny);
        assert_eq!(verdict(deny("arn:aws:s3:::${aws:username}", none), &b, &[]), Verdict::Allowed);

        let at = |address: &str| json!({ "IpAddress": { "aws:SourceIp": address } });
        assert_eq!(verdict(allow("*", at("192.0.2.1")), &b, &[]), Verdict::Allowed);
        assert_eq!(verdict(deny("*", at("192.0.2.1")), &b, &[]), Verdict::Allowed);
        let under = json!({ "StringLike": { "s3:prefix": "data/*" } });
        assert_eq!(verdict(allow("*", under.clone()), &b, &[("s3:prefix", "data/x")]), Verdict::Allowed);
        assert_eq!(verdict(allow("*", under.clone()), &b, &[("s3:prefix", "x")]), Verdict::ImplicitDeny);
        assert_eq!(verdict(allow("*", under), &b, &[]), Verdict::ImplicitDeny, "the key is known");
    }

    #[test]
    fn an_exception_of_resources_counts_the_other_way() {
        let except = |effect: &str| {
            json!([
                { "Effect": effect, "Action": "*", "NotResource": "arn:aws:s3:::b" },
                { "Effect": "Allow", "Action": "*", "Resource": "*" },
            ])
        };
        assert_eq!(verdict(except("Deny"), &["arn:aws:s3:::b"], &[]), Verdict::Allowed);
        assert_eq!(verdict(except("Deny"), &["arn:aws:s3:::c"], &[]), Verdict::ExplicitDeny);
        assert_eq!(verdict(except("Deny"), &[], &[]), Verdict::Allowed);
    }

    #[test]
    fn principals_are_named_by_account_or_by_arn() {
        let role = "arn:aws:iam::123456789012:role/a".to_owned();
        let named = |principal: serde_json::Value| {
            let policy = policy(json!({ "Effect": "Allow", "Action": "*", "Principal": principal }));
            policy.statements[0]
                .principals
                .as_ref()
                .unwrap()
                .name(std::slice::from_ref(&role), "123456789012")
        };
        for direct in [json!("*"), json!({ "AWS": "*" }), json!({ "AWS": ["x", role] })] {
            assert_eq!(named(direct.clone()), Named::Directly, "{direct}");
        }
        for account in ["123456789012", "arn:aws:iam::123456789012:root"] {
            assert_eq!(named(json!({ "AWS": account })), Named::Account, "{account}");
        }
        for other in [json!({ "Service": "lambda.amazonaws.com" }), json!({ "AWS": "111122223333" })] {
            assert_eq!(named(other.clone()), Named::No, "{other}");
        }
    }

    #[test]
    fn a_role_trusts_the_services_that_its_policy_lets_in() {
        let service = "states.amazonaws.com";
        let statement = |effect: &str, key: &str, who: serde_json::Value, action: &str| {
            let mut statement = json!({ "Effect": effect, "Action": action });
            statement[key] = who;
            statement
        };
        let (assume, named) = ("sts:AssumeRole", || json!({ "Service": [service, "ec2.amazonaws.com"] }));
        let allow = |key: &str, who: serde_json::Value| statement("Allow", key, who, assume);
        let deny = |key: &str, who: serde_json::Value| statement("Deny", key, who, assume);
        let lets_in = |key: &str, who: serde_json::Value| policy(allow(key, who)).trusts(service);
        assert!(lets_in("Principal", named()));
        assert!(lets_in("Principal", json!("*")) && lets_in("Principal", json!({ "AWS": "*" })));
        assert!(lets_in("Principal", json!({ "Service": "states.eu-west-1.amazonaws.com" })));
        assert!(!lets_in("Principal", json!({ "AWS": "123456789012" })));
        assert!(!lets_in("Principal", json!({ "Service": "lambda.amazonaws.com" })));
        assert!(lets_in("NotPrincipal", json!({ "Service": "lambda.amazonaws.com" })));
        assert!(!lets_in("NotPrincipal", named()));

        let acts = [("sts:*", true), ("STS:assumerole", true), ("*", true), ("sts:TagSession", false)];
        for (action, is_it) in acts {
            let allow = statement("Allow", "Principal", named(), action);
            assert_eq!(policy(allow).trusts(service), is_it, "{action}");
        }

        let with =
            |deny: serde_json::Value| policy(json!([allow("Principal", named()), deny])).trusts(service);
        assert!(!with(deny("Principal", named())));
        assert!(!with(deny("Principal", json!("*"))));
        assert!(!with(deny("NotPrincipal", json!({ "AWS": "arn:aws:iam::123456789012:root" }))));
        assert!(with(deny("Principal", json!({ "Service": "states.eu-west-1.amazonaws.com" }))));
        assert!(with(deny("NotPrincipal", named())));
        assert!(with(statement("Deny", "Principal", named(), "sts:TagSession")));
        let mut sometimes = deny("Principal", named());
        sometimes["Condition"] = json!({ "StringNotEquals": { "aws:SourceAccount": "123456789012" } });
        assert!(with(sometimes), "nobody knows whether it holds");
        assert!(!policy(json!([])).trusts(service));
    }
}
