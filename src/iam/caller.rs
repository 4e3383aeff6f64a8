//! What the caller and the time decide about a statement: the same policy on two roles may read differently,
//! and one that expired last year grants nothing today.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>

use std::sync::Arc;

use crate::condition::{Operator, admits, is_always_present};
use crate::pattern;
use crate::policy::{Condition, Statement};
use crate::time::Instant;

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The role's or user's ARN.
    pub arn: &'a str,
    pub account: &'a str,
    /// A user's name; sessions of roles have none.
    pub user: Option<&'a str>,
    /// The day; `None`: limits in time are left undecided.
    pub now: Option<Instant>,
}

/// Keys whose value follows from who calls.
const PERSONAL: [&str; 4] = ["aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:username"];
const CLOCKS: [&str; 2] = ["aws:currenttime", "aws:epochtime"];

/// Whether the caller or the day may decide a condition of the statement.
pub fn depends(statement: &Statement) -> bool {
    statement.conditions.iter().any(|c| {
        let key = c.key.to_ascii_lowercase();
        PERSONAL.contains(&key.as_str())
            || CLOCKS.contains(&key.as_str())
            || c.values.is_empty()
            || Operator::parse(&c.operator).base.eq_ignore_ascii_case("Null")
    }) || contradiction(&statement.conditions).is_some()
}

impl Caller<'_> {
    /// The statement as it reads for this caller, without the conditions that always hold for it. `None` when
    /// one of them never does.
    pub fn read(&self, statement: &Arc<Statement>) -> Option<Arc<Statement>> {
        if contradiction(&statement.conditions).is_some() {
            return None;
        }
        let mut left = Vec::new();
        for condition in &statement.conditions {
            match self.decides(condition) {
                Some(true) => {}
                Some(false) => return None,
                None => left.push(condition.clone()),
            }
        }
        Some(match left.len() == statement.conditions.len() {
            true => Arc::clone(statement),
            false => Arc::new(Statement { conditions: left, ..Statement::clone(statement) }),
        })
    }

    /// Whether a condition holds for every request of the caller, or for none; `None` when that depends.
    fn decides(&self, c: &Condition) -> Option<bool> {
        let operator = Operator::parse(&c.operator);
        let key = c.key.to_ascii_lowercase();
        if !operator.is_known() {
            return None;
        }
        if c.values.is_empty() && !operator.for_all {
            return Some(operator.is_negated());
        }
        if operator.base.eq_ignore_ascii_case("Null") {
            let must_be_absent = c.values.iter().any(|v| v.eq_ignore_ascii_case("true"));
            return is_always_present(&key).then_some(!must_be_absent);
        }
        if CLOCKS.contains(&key.as_str()) {
            return self.now.and_then(|now| in_time(c, now));
        }
        let value = match key.as_str() {
            "aws:principalarn" => self.arn,
            "aws:principalaccount" => self.account,
            "aws:principaltype" if self.user.is_some() => "User",
            "aws:principaltype" => "AssumedRole",
            "aws:username" => match self.user {
                Some(name) => name,
                None => return Some(operator.is_negated() || operator.if_exists || operator.for_all),
            },
            _ => return None,
        };
        if value.is_empty() || c.values.iter().any(|v| v.contains("${")) {
            return None;
        }
        admits(c, value)
    }
}

/// Whether a condition on the time of day is over for good, or from now on always holds.
pub fn in_time(c: &Condition, now: Instant) -> Option<bool> {
    let clock = CLOCKS.iter().any(|key| c.key.eq_ignore_ascii_case(key));
    let base = Operator::parse(&c.operator).base.to_ascii_lowercase();
    if !clock || c.values.is_empty() {
        return None;
    }
    let times = c.values.iter().map(|v| Instant::parse(v).or_else(|| v.parse().ok().map(Instant)));
    let times: Vec<Instant> = times.collect::<Option<_>>()?;
    // Any value will do, so that the latest end and the earliest start count.
    if base.ends_with("lessthan") || base.ends_with("lessthanequals") {
        times.iter().all(|end| *end < now).then_some(false)
    } else if base.ends_with("greaterthan") || base.ends_with("greaterthanequals") {
        times.iter().any(|start| *start < now).then_some(true)
    } else {
        None
    }
}

/// Keys that hold several values at a time, so that two of them may both be right.
const MANY: [&str; 8] = [
    "aws:tagkeys",
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:principalservicenameslist",
    "sts:transitivetagkeys",
    "cognito-identity.amazonaws.com:amr",
];

/// Two conditions that cannot both hold.
pub fn contradiction(all: &[Condition]) -> Option<(&Condition, &Condition)> {
    all.iter().enumerate().find_map(|(i, a)| all[i + 1..].iter().find(|b| exclude(a, b)).map(|b| (a, b)))
}

fn exclude(a: &Condition, b: &Condition) -> bool {
    let single = |c: &Condition| {
        let operator = Operator::parse(&c.operator);
        let plain = !operator.for_all && !operator.for_any && !operator.if_exists;
        plain && !MANY.iter().any(|key| c.key.eq_ignore_ascii_case(key)) && !c.values.is_empty()
    };
    if !a.key.eq_ignore_ascii_case(&b.key) || !single(a) || !single(b) {
        return false;
    }
    let literal = |c: &Condition| {
        let operator = Operator::parse(&c.operator);
        let wild = operator.takes_wildcards() && c.values.iter().any(|v| pattern::is_wild(v));
        let texts =
            ["string", "arn", "bool"].iter().any(|kind| operator.base.to_ascii_lowercase().starts_with(kind));
        texts && !wild && !operator.is_negated() && c.values.iter().all(|v| !v.contains("${"))
    };
    let none_fits = |values: &Condition, other: &Condition| {
        literal(values)
            && values.values.iter().all(|value| admits(other, value) == Some(false))
            && other.values.iter().all(|v| !v.contains("${"))
    };
    none_fits(a, b) || none_fits(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(operator: &str, key: &str, values: &[&str]) -> Condition {
        Condition {
            operator: operator.into(),
            key: key.into(),
            values: values.iter().map(|v| (*v).to_owned()).collect(),
        }
    }

    #[test]
    fn the_caller_and_the_day_decide() {
        let caller = Caller {
            arn: "arn:aws:iam::111122223333:role/app",
            account: "111122223333",
            user: None,
            now: Instant::parse("2026-11-01"),
        };
        for (operator, key, value, expected) in [
            ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/app", Some(true)),
            ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/admin", Some(true)),
            ("StringEquals", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/b", Some(false)),
            ("StringEquals", "aws:PrincipalAccount", "999988887777", Some(false)),
            ("StringEquals", "aws:PrincipalAccount", "${aws:ResourceAccount}", None),
            ("StringLike", "aws:username", "*", Some(false)),
            ("StringNotEquals", "aws:username", "root", Some(true)),
            ("DateLessThan", "aws:CurrentTime", "2025-01-01T00:00:00Z", Some(false)),
            ("DateLessThan", "aws:CurrentTime", "2027-01-01T00:00:00Z", None),
            ("DateGreaterThan", "aws:CurrentTime", "2025-01-01", Some(true)),
            ("NumericLessThan", "aws:EpochTime", "1600000000", Some(false)),
            ("Null", "aws:PrincipalArn", "true", Some(false)),
            ("Null", "aws:PrincipalArn", "false", Some(true)),
            ("Null", "aws:MultiFactorAuthAge", "true", None),
            ("Bool", "aws:MultiFactorAuthPresent", "true", None),
        ] {
            assert_eq!(
                caller.decides(&condition(operator, key, &[value])),
                expected,
                "{operator} {key} {value}"
            );
        }
        assert_eq!(caller.decides(&condition("StringEquals", "s3:prefix", &[])), Some(false));
    }

    #[test]
    fn contradictions() {
        let pair = |a: (&str, &str, &str), b: (&str, &str, &str)| {
            contradiction(&[condition(a.0, a.1, &[a.2]), condition(b.0, b.1, &[b.2])]).is_some()
        };
        let region = "aws:RequestedRegion";
        assert!(pair(("StringEquals", region, "a"), ("StringLike", region, "b*")));
        assert!(pair(("StringEquals", region, "a"), ("StringNotEquals", region, "a")));
        assert!(pair(("Bool", "aws:SecureTransport", "true"), ("Bool", "aws:SecureTransport", "false")));
        assert!(!pair(("StringEquals", region, "ab"), ("StringLike", region, "a*")));
        assert!(!pair(("StringLike", region, "a*"), ("StringLike", region, "*b")));
        assert!(!pair(("StringEqualsIfExists", region, "a"), ("StringEquals", region, "b")));
        assert!(!pair(
            ("ForAnyValue:StringEquals", "aws:TagKeys", "a"),
            ("ForAnyValue:StringEquals", "aws:TagKeys", "b")
        ));
    }
}
