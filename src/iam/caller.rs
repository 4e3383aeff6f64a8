//! What the caller and the time decide about a statement: the same policy on two roles may read differently,
//! and one that expired last year grants nothing today.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>

use std::sync::Arc;

use crate::circumstance::WAY;
use crate::condition::{Operator, admits, is_always_present};
use crate::pattern;
use crate::policy::{Condition, Selector, Statement};
use crate::restriction::Restriction;
use crate::time::Instant;

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The role's or user's ARN.
    pub arn: &'a str,
    /// What `aws:userid` begins with for a role's sessions, and is for a user; empty when it is not known.
    pub id: &'a str,
    /// The twelve digits of its account.
    pub account: &'a str,
    /// A user's name; sessions of roles have none.
    pub user: Option<&'a str>,
    /// The day; `None`: limits in time are left undecided.
    pub now: Option<Instant>,
    /// The tags that it carries.
    pub tags: &'a [(&'a str, &'a str)],
    /// Whether it may carry others at times: of its session, or because it may tag itself.
    pub tags_may_change: bool,
    /// Managed policies that make an administrator of whoever they are attached to, besides AWS's.
    pub admin_policies: &'a [String],
}

/// Keys whose value follows from who calls.
const PERSONAL: [&str; 12] = [
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalisawsservice",
    "aws:principaltype",
    "aws:userid",
    "aws:username",
    "aws:tokenissuetime",
    "aws:resourceaccount",
    "s3:resourceaccount",
    "kms:calleraccount",
    "iam:policyarn",
    "iam:permissionsboundary",
];
const CLOCKS: [&str; 2] = ["aws:currenttime", "aws:epochtime"];
const OWN_TAG: &str = "aws:principaltag/";
/// No session of a role lives longer.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
const LONGEST_SESSION: i64 = 12 * 3_600;

/// Whether a variable in a resource or in a condition may stand for something that the caller decides.
pub fn has_own_variables(statement: &Statement) -> bool {
    let patterns = statement.resources.iter().flat_map(Selector::patterns);
    patterns.chain(statement.conditions.iter().flat_map(|c| &c.values)).any(|pattern| {
        pattern.contains("${") && {
            let lower = pattern.to_ascii_lowercase();
            lower.contains("${aws:principaltag/") || lower.contains("${aws:username")
        }
    })
}

/// Whether the caller or the day may decide a condition of the statement.
pub fn depends(statement: &Statement) -> bool {
    statement.conditions.iter().any(|c| {
        let key = c.key.to_ascii_lowercase();
        PERSONAL.contains(&key.as_str())
            || CLOCKS.contains(&key.as_str())
            || (!statement.allow && is_of_services(&key))
            || key.starts_with(OWN_TAG)
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
            match self.decides(condition, statement.allow) {
                Some(true) => {}
                Some(false) => return None,
                None if self.makes_admin(statement, condition) => {
                    left.push(Condition { known: Some(Restriction::Weak), ..condition.clone() });
                }
                None => left.push(condition.clone()),
            }
        }
        Some(match left == statement.conditions {
            true => Arc::clone(statement),
            false => Arc::new(Statement { conditions: left, ..Statement::clone(statement) }),
        })
    }

    /// Whether a limit on the policies that may be attached, or be a boundary, admits one that makes an
    /// administrator.
    fn makes_admin(&self, statement: &Statement, c: &Condition) -> bool {
        // Which boundary is asked of whom it is given to; of all others it is known.
        const GIVE: [&str; 4] = [
            "iam:CreateRole",
            "iam:CreateUser",
            "iam:PutRolePermissionsBoundary",
            "iam:PutUserPermissionsBoundary",
        ];
        let gives = || GIVE.iter().any(|a| statement.actions.covers(a, pattern::matches_ignoring_case));
        (c.key.eq_ignore_ascii_case("iam:PolicyARN")
            || (c.key.eq_ignore_ascii_case("iam:PermissionsBoundary") && gives()))
            && self.admin_policies.iter().any(|arn| admits(c, arn) == Some(statement.allow))
    }

    /// A pattern with the caller's name and tags put in; `None` when it has no such variable.
    pub fn put_in(&self, pattern: &str) -> Option<String> {
        let (mut filled, mut rest, mut any) = (String::new(), pattern, false);
        while let Some((before, after)) = rest.split_once("${") {
            let Some((variable, after)) = after.split_once('}') else { break };
            let (name, default) = variable.split_once(',').unwrap_or((variable, ""));
            let lower = name.trim().to_ascii_lowercase();
            let default = default.trim().strip_prefix('\'').and_then(|d| d.strip_suffix('\''));
            let value = match lower.strip_prefix(OWN_TAG) {
                Some(tag) => self.tag(tag).or(default),
                // Sessions of roles have no name of a user, so that the default stands.
                None if lower.trim() == "aws:username" => {
                    self.user.or(default.filter(|_| !self.arn.is_empty()))
                }
                None => None,
            };
            filled.push_str(before);
            match value {
                Some(value) => filled.push_str(value),
                None => filled.push_str(&rest[before.len()..rest.len() - after.len()]),
            }
            any |= value.is_some();
            rest = after;
        }
        any.then(|| filled + rest)
    }

    /// What a tag of the caller says; keys are compared whatever the case.
    fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(own, _)| own.eq_ignore_ascii_case(key)).map(|(_, value)| *value)
    }

    /// Whether a condition on the caller's own tag holds.
    fn decides_tag(&self, c: &Condition, tag: &str, operator: Operator<'_>) -> Option<bool> {
        let value = self.tag(tag);
        match value {
            _ if operator.base.eq_ignore_ascii_case("Null") => {
                Some(c.values.iter().any(|v| v.eq_ignore_ascii_case("true")) == value.is_none())
            }
            _ if c.values.iter().any(|v| v.contains("${")) => None,
            Some(value) => admits(c, value),
            None => Some(operator.is_negated() || operator.if_exists || operator.for_all),
        }
    }

    /// Whether a condition on whose a resource is holds for what is of the caller's account: that it does is
    /// left as a condition, since others' resources are then out of reach.
    fn decides_owner(&self, c: &Condition, operator: Operator<'_>) -> Option<bool> {
        let own = |v: &String| match v.eq_ignore_ascii_case("${aws:PrincipalAccount}") {
            true => self.account.to_owned(),
            false => v.clone(),
        };
        let told = Condition::new(&*c.operator, &*c.key, c.values.iter().map(own).collect());
        let unknown = self.account.is_empty() || told.values.iter().any(|v| v.contains("${"));
        let holds = admits(&told, self.account).filter(|_| !unknown)?;
        match operator.is_negated() {
            true => Some(holds),
            false => (!holds && !operator.if_exists && !operator.for_all).then_some(false),
        }
    }

    /// Whether a condition on `aws:userid` holds, which is `ID:SESSION` for roles: whoever starts the session
    /// names it.
    fn decides_id(&self, c: &Condition, operator: Operator<'_>) -> Option<bool> {
        if self.id.is_empty() || c.values.iter().any(|v| v.contains("${")) {
            return None;
        }
        if self.user.is_some() {
            return admits(c, self.id);
        }
        // The session that no pattern names, and any that one may.
        if admits(c, &format!("{}:\u{1}", self.id))? != operator.is_negated() {
            return Some(!operator.is_negated());
        }
        let like = operator.takes_wildcards();
        let may_be = |v: &String| match v.split_once(':') {
            Some((id, _)) => id == self.id || (like && pattern::matches(id, self.id)),
            None => like && pattern::is_wild(v),
        };
        (!c.values.iter().any(may_be)).then(|| operator.is_negated())
    }

    /// Whether a condition holds for every request of the caller, or for none; `None` when that depends.
    fn decides(&self, c: &Condition, allow: bool) -> Option<bool> {
        let operator = Operator::parse(&c.operator);
        let key = c.key.to_ascii_lowercase();
        if !operator.is_known() {
            return None;
        }
        if c.values.is_empty() && !operator.for_all {
            return Some(operator.is_negated());
        }
        if !allow && is_of_services(&key) {
            return denies_direct_calls(c, &key, operator).filter(|denies| !denies);
        }
        if let Some(tag) = key.strip_prefix(OWN_TAG) {
            // What it carries now helps it now; what it does not carry may come with a session.
            return self
                .decides_tag(c, tag, operator)
                .filter(|holds| *holds == allow || !self.tags_may_change);
        }
        let is_session = self.user.is_none() && !self.arn.is_empty();
        // Temporary credentials tell when they were issued and whether MFA was used, though it was not.
        // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-multifactorauthpresent>
        let of_session = ["aws:tokenissuetime", "aws:multifactorauthpresent"].contains(&key.as_str());
        if is_session && of_session && operator.base.eq_ignore_ascii_case("Null") {
            return Some(c.values.iter().any(|v| v.eq_ignore_ascii_case("false")));
        }
        if operator.base.eq_ignore_ascii_case("Null") {
            let must_be_absent = c.values.iter().any(|v| v.eq_ignore_ascii_case("true"));
            return is_always_present(&key).then_some(!must_be_absent);
        }
        if CLOCKS.contains(&key.as_str()) {
            return self.now.and_then(|now| in_time(c, now));
        }
        if key == "aws:tokenissuetime" {
            return self.now.filter(|_| is_session).and_then(|now| issued(c, now));
        }
        // Whatever is not of this account is not what this account can lose.
        if key == "aws:resourceaccount" || key == "s3:resourceaccount" {
            return self.decides_owner(c, operator);
        }
        if key == "aws:userid" {
            return self.decides_id(c, operator);
        }
        let value = match key.as_str() {
            "aws:principalisawsservice" => "false",
            "aws:principalarn" => self.arn,
            "aws:principalaccount" | "kms:calleraccount" => self.account,
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

/// Whether only calls that a service makes for somebody have this key, or a value of it.
fn is_of_services(key: &str) -> bool {
    const OF_SOURCES: [&str; 5] =
        ["aws:sourcearn", "aws:sourceaccount", "aws:sourceowner", "aws:sourceorgid", "aws:sourceorgpaths"];
    WAY.contains(&key) || OF_SOURCES.contains(&key)
}

/// Whether a Deny under this condition holds for calls that the caller makes itself, which it always may.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html>
fn denies_direct_calls(c: &Condition, key: &str, operator: Operator<'_>) -> Option<bool> {
    if key == "aws:viaawsservice" && !operator.base.eq_ignore_ascii_case("Null") {
        return admits(c, "false");
    }
    if operator.base.eq_ignore_ascii_case("Null") {
        let is_absent = key != "aws:viaawsservice";
        return Some(c.values.iter().any(|v| v.eq_ignore_ascii_case("true")) == is_absent);
    }
    Some(operator.is_negated() || operator.if_exists || operator.for_all)
}

/// Whether a condition on when a session began holds for every session of today, or for none.
fn issued(c: &Condition, now: Instant) -> Option<bool> {
    let base = Operator::parse(&c.operator).base.to_ascii_lowercase();
    let times: Vec<Instant> = c.values.iter().map(|v| Instant::parse(v)).collect::<Option<_>>()?;
    let oldest = Instant(now.0 - LONGEST_SESSION);
    if base.contains("lessthan") {
        let over = times.iter().all(|end| *end < oldest);
        over.then_some(false).or_else(|| times.iter().any(|end| *end > now).then_some(true))
    } else if base.contains("greaterthan") {
        let begun = times.iter().any(|start| *start < oldest);
        begun.then_some(true).or_else(|| times.iter().all(|start| *start > now).then_some(false))
    } else {
        None
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

/// When a statement begins to hold, where that is not yet: the last of the days that its conditions ask for.
pub fn begins_later(statement: &Statement, now: Instant) -> Option<Instant> {
    let begins = |c: &Condition| {
        let clock = CLOCKS.iter().any(|key| c.key.eq_ignore_ascii_case(key));
        let base = Operator::parse(&c.operator).base.to_ascii_lowercase();
        let after = base.ends_with("greaterthan") || base.ends_with("greaterthanequals");
        let times = c.values.iter().map(|v| Instant::parse(v).or_else(|| v.parse().ok().map(Instant)));
        let first = times.collect::<Option<Vec<Instant>>>()?.into_iter().min()?;
        (clock && after && first > now).then_some(first)
    };
    statement.conditions.iter().filter_map(begins).max()
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
    let absent = |c: &Condition| {
        let null = Operator::parse(&c.operator).base.eq_ignore_ascii_case("Null");
        null && c.values.iter().all(|v| v.eq_ignore_ascii_case("true"))
    };
    let present = |c: &Condition| {
        let operator = Operator::parse(&c.operator);
        !operator.is_negated() && !operator.base.eq_ignore_ascii_case("Null")
    };
    if (absent(a) && present(b)) || (absent(b) && present(a)) {
        return true;
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
        Condition::new(operator, key, values.iter().map(|v| (*v).to_owned()).collect())
    }

    #[test]
    fn the_caller_and_the_day_decide() {
        let caller = Caller {
            arn: "arn:aws:iam::111122223333:role/app",
            id: "AROAAPP",
            account: "111122223333",
            user: None,
            now: Instant::parse("2026-11-01"),
            tags: &[("Team", "x")],
            tags_may_change: false,
            admin_policies: &[],
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
            ("Null", "aws:TokenIssueTime", "true", Some(false)),
            ("Null", "aws:TokenIssueTime", "false", Some(true)),
            ("DateGreaterThan", "aws:TokenIssueTime", "2026-01-01T00:00:00Z", Some(true)),
            ("DateLessThan", "aws:TokenIssueTime", "2026-01-01T00:00:00Z", Some(false)),
            ("DateLessThan", "aws:TokenIssueTime", "2026-10-31T20:00:00Z", None),
            ("StringEquals", "aws:PrincipalTag/team", "x", Some(true)),
            ("StringEquals", "aws:PrincipalTag/team", "y", Some(false)),
            ("StringNotEquals", "aws:PrincipalTag/team", "y", Some(true)),
            ("StringEquals", "aws:PrincipalTag/cost", "x", Some(false)),
            ("Null", "aws:PrincipalTag/cost", "true", Some(true)),
            ("StringEquals", "aws:ResourceAccount", "999988887777", Some(false)),
            ("StringNotEquals", "aws:ResourceAccount", "999988887777", Some(true)),
            ("StringEquals", "aws:ResourceAccount", "111122223333", None),
            ("StringEquals", "kms:CallerAccount", "111122223333", Some(true)),
            ("StringNotEquals", "aws:ResourceAccount", "111122223333", Some(false)),
            ("StringNotEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}", Some(false)),
            ("StringLike", "aws:ResourceAccount", "9999*", Some(false)),
            ("StringLike", "s3:ResourceAccount", "1111*", None),
            ("Bool", "aws:PrincipalIsAWSService", "true", Some(false)),
            ("BoolIfExists", "aws:PrincipalIsAWSService", "false", Some(true)),
            ("StringLike", "aws:userId", "AROAAPP:*", Some(true)),
            ("StringLike", "aws:userId", "AROA*:*", Some(true)),
            ("StringLike", "aws:userId", "AROAOTHER:*", Some(false)),
            ("StringNotLike", "aws:userId", "AROAOTHER:*", Some(true)),
            ("StringEquals", "aws:userId", "AROAAPP:deploy", None),
            ("StringLike", "aws:userId", "*:deploy", None),
        ] {
            assert_eq!(
                caller.decides(&condition(operator, key, &[value]), true),
                expected,
                "{operator} {key} {value}"
            );
        }
        assert_eq!(caller.decides(&condition("StringEquals", "s3:prefix", &[]), true), Some(false));
        assert_eq!(
            caller.put_in("b/${aws:PrincipalTag/team}/${aws:userid}").as_deref(),
            Some("b/x/${aws:userid}")
        );
        let tagged = Caller { tags_may_change: true, ..caller };
        assert_eq!(
            tagged.decides(&condition("StringEquals", "aws:PrincipalTag/team", &["x"]), true),
            Some(true)
        );
        assert_eq!(tagged.decides(&condition("StringEquals", "aws:PrincipalTag/team", &["y"]), true), None);
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
        let endpoint = "aws:SourceVpce";
        assert!(pair(("StringEquals", endpoint, "vpce-1"), ("Null", endpoint, "true")));
        assert!(!pair(("StringNotEquals", endpoint, "vpce-1"), ("Null", endpoint, "true")));
        assert!(!pair(("StringEquals", endpoint, "vpce-1"), ("Null", endpoint, "false")));
        assert!(!pair(("StringEquals", region, "ab"), ("StringLike", region, "a*")));
        assert!(!pair(("StringLike", region, "a*"), ("StringLike", region, "*b")));
        assert!(!pair(("StringEqualsIfExists", region, "a"), ("StringEquals", region, "b")));
        assert!(!pair(
            ("ForAnyValue:StringEquals", "aws:TagKeys", "a"),
            ("ForAnyValue:StringEquals", "aws:TagKeys", "b")
        ));
    }
}
