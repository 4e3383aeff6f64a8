//! How much a condition restricts. Conditions are never ignored, and "there is one" never means "safe".

use std::borrow::Cow;

use crate::catalogue::Catalogue;
use crate::pattern;
use crate::policy::{Condition, Statement};
use crate::restriction::Restriction;

/// An operator taken apart: `ForAllValues:StringLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator<'a> {
    pub for_all: bool,
    pub for_any: bool,
    pub if_exists: bool,
    pub base: &'a str,
}

/// Every comparison that IAM knows.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
pub const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
];

impl<'a> Operator<'a> {
    /// Takes an operator apart. The base may be unknown; see [`Operator::is_known`].
    pub fn parse(text: &'a str) -> Self {
        let strip = |prefix: &str| {
            text.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix)).map(str::len)
        };
        let (all, any) = (strip("ForAllValues:"), strip("ForAnyValue:"));
        let rest = &text[all.or(any).unwrap_or(0)..];
        let cut = rest.len().saturating_sub("IfExists".len());
        let if_exists = rest.get(cut..).is_some_and(|tail| tail.eq_ignore_ascii_case("IfExists"));
        let base = if if_exists { &rest[..cut] } else { rest };
        Self { for_all: all.is_some(), for_any: any.is_some(), if_exists, base }
    }

    /// Whether IAM knows the comparison.
    pub fn is_known(&self) -> bool {
        OPERATORS.iter().any(|known| known.eq_ignore_ascii_case(self.base))
    }

    /// `StringNotEquals`, `NotIpAddress`, …: true for all but the listed values, and for an absent key.
    pub fn is_negated(&self) -> bool {
        self.base.to_ascii_lowercase().contains("not")
    }

    fn is(&self, base: &str) -> bool {
        self.base.eq_ignore_ascii_case(base)
    }

    /// Whether `*` in a value is a wildcard.
    pub fn takes_wildcards(&self) -> bool {
        ["stringlike", "arnlike", "arnequals", "stringnotlike", "arnnotlike", "arnnotequals"]
            .contains(&self.base.to_ascii_lowercase().as_str())
    }
}

/// What a condition key is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    /// Always in the request, and no secret: region, time, TLS, the role's own account and organization.
    Ambient,
    /// The caller chooses the value.
    Chosen,
    /// Tells callers, places or resources apart. `always`: present in every request it applies to.
    Telling {
        always: bool,
    },
    Unknown,
}

/// Global keys, lower case.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
const GLOBAL: &[(&str, KeyKind)] = &[
    ("aws:requestedregion", KeyKind::Ambient),
    ("aws:securetransport", KeyKind::Ambient),
    ("aws:currenttime", KeyKind::Ambient),
    ("aws:epochtime", KeyKind::Ambient),
    ("aws:principalaccount", KeyKind::Ambient),
    ("aws:principaltype", KeyKind::Ambient),
    ("aws:principalorgid", KeyKind::Ambient),
    ("aws:principalorgpaths", KeyKind::Ambient),
    ("aws:principalorgmasteraccountid", KeyKind::Ambient),
    ("aws:resourceaccount", KeyKind::Ambient),
    ("aws:resourceorgid", KeyKind::Ambient),
    ("aws:resourceorgpaths", KeyKind::Ambient),
    ("aws:principalisawsservice", KeyKind::Ambient),
    ("aws:useragent", KeyKind::Chosen),
    ("aws:referer", KeyKind::Chosen),
    ("aws:tagkeys", KeyKind::Chosen),
    ("sts:rolesessionname", KeyKind::Chosen),
    ("sts:transitivetagkeys", KeyKind::Chosen),
    ("aws:principalarn", KeyKind::Telling { always: true }),
    ("aws:userid", KeyKind::Telling { always: true }),
    ("aws:username", KeyKind::Telling { always: false }),
    ("aws:sourceip", KeyKind::Telling { always: true }),
    ("iam:passedtoservice", KeyKind::Telling { always: true }),
    ("aws:multifactorauthpresent", KeyKind::Telling { always: false }),
    ("aws:multifactorauthage", KeyKind::Telling { always: false }),
    ("aws:tokenissuetime", KeyKind::Telling { always: false }),
    ("aws:chatbotsourcearn", KeyKind::Telling { always: false }),
    ("aws:assumedroot", KeyKind::Telling { always: false }),
    ("aws:federatedprovider", KeyKind::Telling { always: false }),
    ("aws:principalservicename", KeyKind::Telling { always: false }),
    ("aws:principalservicenameslist", KeyKind::Telling { always: false }),
    ("aws:sourceaccount", KeyKind::Telling { always: false }),
    ("aws:sourcearn", KeyKind::Telling { always: false }),
    ("aws:sourceorgid", KeyKind::Telling { always: false }),
    ("aws:sourceorgpaths", KeyKind::Telling { always: false }),
    ("aws:sourceidentity", KeyKind::Telling { always: false }),
    ("aws:sourcevpc", KeyKind::Telling { always: false }),
    ("aws:sourcevpcarn", KeyKind::Telling { always: false }),
    ("aws:sourcevpce", KeyKind::Telling { always: false }),
    ("aws:vpceaccount", KeyKind::Telling { always: false }),
    ("aws:vpceorgid", KeyKind::Telling { always: false }),
    ("aws:vpceorgpaths", KeyKind::Telling { always: false }),
    ("aws:vpcsourceip", KeyKind::Telling { always: false }),
    ("aws:viaawsservice", KeyKind::Telling { always: true }),
    ("aws:calledvia", KeyKind::Telling { always: false }),
    ("aws:calledviafirst", KeyKind::Telling { always: false }),
    ("aws:calledvialast", KeyKind::Telling { always: false }),
    ("aws:calledviaawsmcp", KeyKind::Telling { always: false }),
    ("aws:viaawsmcpservice", KeyKind::Telling { always: false }),
    ("aws:ismcpserviceaction", KeyKind::Telling { always: false }),
    ("aws:ec2instancesourcevpc", KeyKind::Telling { always: false }),
    ("aws:ec2instancesourceprivateipv4", KeyKind::Telling { always: false }),
    ("aws:signinsessionarn", KeyKind::Telling { always: false }),
    ("identitystore:userid", KeyKind::Telling { always: false }),
];

/// Keys whose prefix is no service: those of the documents that identity providers sign, of AWS Marketplace's
/// change requests, and of a retired service that AWS's policies still name.
const OTHER_PREFIXES: &[&str] =
    &["saml:", "www.amazon.com:", "graph.facebook.com:", "accounts.google.com:", "catalog:", "deepracer:"];

fn fact(key: &str) -> KeyKind {
    let key = key.to_ascii_lowercase();
    if let Some((_, fact)) = GLOBAL.iter().find(|(name, _)| *name == key) {
        return *fact;
    }
    match key.split_once(['/', ':']) {
        Some(("aws", rest)) if rest.starts_with("requesttag/") => KeyKind::Chosen,
        Some(("aws", rest)) if rest.starts_with("principaltag/") || rest.starts_with("resourcetag/") => {
            KeyKind::Telling { always: false }
        }
        Some(("aws", _)) => KeyKind::Unknown,
        // `token.actions.githubusercontent.com:sub`, `oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub`.
        Some((host, _)) if host.contains('.') => {
            KeyKind::Telling { always: key.ends_with(":sub") || key.ends_with(":aud") }
        }
        Some((service, _)) if Catalogue::embedded().service(service).is_some() => {
            KeyKind::Telling { always: false }
        }
        _ if OTHER_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) => {
            KeyKind::Telling { always: false }
        }
        _ => KeyKind::Unknown,
    }
}

/// How much the conditions of a statement hold back together: all must hold, so the strongest decides.
pub fn restriction(statement: &Statement) -> Restriction {
    statement
        .conditions
        .iter()
        .map(|c| restriction_of(c, &statement.conditions))
        .max()
        .unwrap_or(Restriction::Void)
}

/// How much one condition holds back. `all` are the conditions of its statement: a `Null: false` beside a
/// `ForAllValues` makes the key required.
pub fn restriction_of(condition: &Condition, all: &[Condition]) -> Restriction {
    if let Some(known) = condition.known {
        return known;
    }
    let operator = Operator::parse(&condition.operator);
    let fact = fact(&condition.key);
    if !operator.is_known() || (fact == KeyKind::Unknown && !is_everything(condition)) {
        return Restriction::Unknown;
    }
    if operator.is("Null") {
        return null(condition, fact);
    }
    let always = matches!(fact, KeyKind::Ambient | KeyKind::Telling { always: true });
    // ForAllValues and IfExists are true for a key that is not in the request at all.
    if (operator.for_all || operator.if_exists) && !always && !is_required(&condition.key, all) {
        return Restriction::Void;
    }
    if operator.takes_wildcards()
        && !operator.is_negated()
        && condition.values.iter().any(|v| fits_any(&condition.key, v))
    {
        return Restriction::Void;
    }
    // Whoever may attach an administrator's policy needs no other.
    if condition.key.eq_ignore_ascii_case("iam:PolicyARN")
        && MAKES_ADMIN.iter().any(|arn| everywhere(arn).any(|arn| admits(condition, &arn) == Some(true)))
    {
        return Restriction::Weak;
    }
    if operator.is("IpAddress") && is_every_address(&condition.values) {
        return Restriction::Void;
    }
    let asks_for = |value: &str| condition.values.iter().any(|v| v.eq_ignore_ascii_case(value));
    match fact {
        KeyKind::Ambient | KeyKind::Chosen => Restriction::Weak,
        // True for all but a few values, and for requests without the key.
        _ if operator.is_negated() => Restriction::Weak,
        // "MFA is absent", "not through a service": everybody can arrange that.
        _ if operator.is("Bool") && (!asks_for("true") || asks_for("false")) => Restriction::Weak,
        _ => Restriction::Strong,
    }
}

const MAKES_ADMIN: [&str; 2] =
    ["arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/IAMFullAccess"];

/// What the values of some keys look like; `\u{1}` stands for what nobody writes in a policy.
const SHAPES: &[(&str, &str)] = &[
    ("aws:principalorgid", "o-\u{1}"),
    ("aws:resourceorgid", "o-\u{1}"),
    ("aws:sourceorgid", "o-\u{1}"),
    ("aws:principalorgpaths", "o-\u{1}/r-\u{1}/ou-\u{1}/"),
    ("aws:sourceorgpaths", "o-\u{1}/r-\u{1}/ou-\u{1}/"),
    ("aws:principalarn", "arn:aws:iam::\u{1}:role/\u{1}"),
    ("aws:sourcearn", "arn:aws:\u{1}:\u{1}:\u{1}:\u{1}"),
    ("aws:userid", "\u{1}:\u{1}"),
    ("iam:passedtoservice", "\u{1}.amazonaws.com"),
];

/// Whether a pattern fits every value that a key can have: `*`, and `o-*` for an organization.
fn fits_any(key: &str, value: &str) -> bool {
    // A tag of any value is one that most resources do not carry.
    if key.to_ascii_lowercase().contains("resourcetag/") {
        return false;
    }
    let shape = || SHAPES.iter().find(|(name, _)| key.eq_ignore_ascii_case(name));
    pattern::is_everything(value)
        || shape().is_some_and(|(_, shape)| everywhere(shape).any(|shape| pattern::matches(value, &shape)))
}

/// An ARN in every partition; a text that is none, as it is.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
fn everywhere(arn: &str) -> impl Iterator<Item = Cow<'_, str>> {
    const PARTITIONS: [&str; 8] =
        ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"];
    let rest = arn.strip_prefix("arn:aws:");
    let number = if rest.is_some() { PARTITIONS.len() } else { 1 };
    PARTITIONS.iter().take(number).map(move |partition| match rest {
        Some(rest) => format!("arn:{partition}:{rest}").into(),
        None => arn.into(),
    })
}

/// Whether whoever calls can see to it that a condition does not hold: a Deny under it denies nothing to
/// them.
pub fn is_avoidable(condition: &Condition) -> bool {
    let key = condition.key.to_ascii_lowercase();
    let by_time_or_tls = ["aws:securetransport", "aws:currenttime", "aws:epochtime"].contains(&key.as_str());
    // `Null` asks whether the key is there at all, which is theirs to choose as well.
    by_time_or_tls || fact(&key) == KeyKind::Chosen
}

/// What must hold for a Deny under a condition not to apply; `None` when that is no condition of its own.
pub fn opposite(c: &Condition) -> Option<Condition> {
    const PAIRS: [(&str, &str); 7] = [
        ("StringNotEquals", "StringEquals"),
        ("StringNotEqualsIgnoreCase", "StringEqualsIgnoreCase"),
        ("StringNotLike", "StringLike"),
        ("ArnNotEquals", "ArnEquals"),
        ("ArnNotLike", "ArnLike"),
        ("NotIpAddress", "IpAddress"),
        ("BoolIfExists", "Bool"),
    ];
    let operator = Operator::parse(&c.operator);
    let made = |operator: &str, values: Vec<String>| Condition::new(operator, &*c.key, values);
    let flipped = |wanted: &str| c.values.iter().all(|v| v.eq_ignore_ascii_case(wanted));
    if operator.base.eq_ignore_ascii_case("Bool") {
        // A plain Bool lets pass those who do not have the key.
        return (operator.if_exists && flipped("false")).then(|| made("Bool", vec!["true".into()]));
    }
    if operator.base.eq_ignore_ascii_case("Null") {
        return flipped("true").then(|| made("Null", vec!["false".into()]));
    }
    let (_, positive) = PAIRS.iter().find(|(negative, _)| operator.base.eq_ignore_ascii_case(negative))?;
    match (operator.for_all, operator.for_any) {
        (_, true) => None,
        (true, _) => Some(made(&format!("ForAnyValue:{positive}"), c.values.clone())),
        _ => Some(made(positive, c.values.clone())),
    }
}

/// Whether a Deny under conditions leaves only what a strong condition would allow: "denied unless with MFA"
/// allows as much as "allowed with MFA".
pub fn is_guard(deny: &Statement) -> bool {
    let strong =
        |c: &Condition| opposite(c).is_some_and(|c| !restriction_of(&c, std::slice::from_ref(&c)).is_open());
    !deny.allow && !deny.conditions.is_empty() && deny.conditions.iter().all(strong)
}

/// Facts about the caller's circumstances rather than about what is acted upon: under such a condition the
/// whole grant still stands, at the right moment.
const CIRCUMSTANCES: &[&str] = &[
    "aws:multifactorauthpresent",
    "aws:multifactorauthage",
    "aws:sourceip",
    "aws:vpcsourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:tokenissuetime",
    "aws:viaawsservice",
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
];

/// Whether a statement is held back by the caller's circumstances only.
pub fn is_circumstance(statement: &Statement) -> bool {
    let all = &statement.conditions;
    let by_circumstance = |c: &Condition| CIRCUMSTANCES.contains(&c.key.to_ascii_lowercase().as_str());
    all.iter().all(|c| restriction_of(c, all).is_open() || by_circumstance(c))
}

/// Whether what a guarding Deny asks for is a circumstance; see [`is_guard`].
pub fn guards_by_circumstance(deny: &Statement) -> bool {
    deny.conditions.iter().any(|c| CIRCUMSTANCES.contains(&c.key.to_ascii_lowercase().as_str()))
}

/// As [`is_circumstance`], with a limit on the service that a role is passed to set aside.
pub fn is_circumstance_but_service(statement: &Statement) -> bool {
    let all = &statement.conditions;
    let set_aside = |c: &Condition| {
        let key = c.key.to_ascii_lowercase();
        key == "iam:passedtoservice" || CIRCUMSTANCES.contains(&key.as_str())
    };
    all.iter().all(|c| restriction_of(c, all).is_open() || set_aside(c))
}

/// What is known of a request besides who makes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The service that a role is passed to.
    pub service: Option<&'a str>,
    pub tags: Tags<'a>,
}

impl<'a> From<Option<&'a str>> for Asked<'a> {
    fn from(service: Option<&'a str>) -> Self {
        Self { service, tags: Tags::Untold }
    }
}

/// The tags of what is acted upon.
#[derive(Clone, Copy, Debug, Default)]
pub enum Tags<'a> {
    #[default]
    Untold,
    /// All of them.
    Told(&'a [(String, String)]),
    /// Whoever asks may set them first, so that they are whatever helps.
    Settable,
}

impl Asked<'_> {
    /// Whether a condition holds, as far as this decides it.
    fn decides(self, c: &Condition, allow: bool) -> Option<bool> {
        if let Some(service) = self.service.filter(|_| c.key.eq_ignore_ascii_case("iam:PassedToService")) {
            return admits(c, service);
        }
        let (prefix, tag) = c.key.split_once('/')?;
        let on_tags =
            ["aws:ResourceTag", "iam:ResourceTag"].iter().any(|key| key.eq_ignore_ascii_case(prefix));
        if !on_tags || c.values.iter().any(|v| v.contains("${")) {
            return None;
        }
        match self.tags {
            Tags::Untold => None,
            Tags::Settable => Some(allow),
            Tags::Told(tags) => {
                let operator = Operator::parse(&c.operator);
                let value = tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(tag)).map(|(_, v)| v);
                match value {
                    _ if operator.is("Null") => {
                        Some(c.values.iter().any(|v| v.eq_ignore_ascii_case("true")) == value.is_none())
                    }
                    Some(value) => admits(c, value),
                    None => Some(operator.is_negated() || operator.if_exists || operator.for_all),
                }
            }
        }
    }
}

/// How the conditions of a statement read for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionResult {
    /// They hold, or everybody can meet them.
    Open,
    /// Some may hold or not.
    Held,
    /// They cannot hold.
    Never,
}

/// Reads a statement's conditions for a request.
pub fn read<'a>(statement: &Statement, asked: impl Into<Asked<'a>>) -> ConditionResult {
    let (all, asked) = (&statement.conditions, asked.into());
    let mut reading = ConditionResult::Open;
    for c in all {
        match asked.decides(c, statement.allow) {
            Some(true) => {}
            Some(false) => return ConditionResult::Never,
            None if restriction_of(c, all).is_open() => {}
            None => reading = ConditionResult::Held,
        }
    }
    reading
}

/// Whether every condition of a statement is decided by what is known of a request.
pub fn is_decided(statement: &Statement, asked: Asked<'_>) -> bool {
    statement.conditions.iter().all(|c| asked.decides(c, statement.allow).is_some())
}

/// Whether ranges of addresses leave none of IPv4, or none of IPv6, out: both halves are the whole.
fn is_every_address(ranges: &[String]) -> bool {
    let mut covered: Vec<(u64, u64)> = Vec::new();
    for range in ranges {
        let (address, bits) = range.split_once('/').unwrap_or((range, "32"));
        let Ok(bits) = bits.parse::<u32>() else { continue };
        match address.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V6(_)) if bits == 0 => return true,
            Ok(std::net::IpAddr::V4(v4)) if bits <= 32 => {
                let size = 1u64 << (32 - bits);
                let start = u64::from(u32::from(v4)) / size * size;
                covered.push((start, start + size));
            }
            _ => {}
        }
    }
    covered.sort_unstable();
    covered.iter().fold(0, |end, &(from, to)| if from <= end { end.max(to) } else { end }) >= 1 << 32
}

/// Whether a condition on a single-valued text key holds for a value; `None` for other kinds of operators.
pub fn admits(c: &Condition, value: &str) -> Option<bool> {
    let operator = Operator::parse(&c.operator);
    let base = operator.base.to_ascii_lowercase();
    if !["string", "arn", "bool"].iter().any(|kind| base.starts_with(kind)) {
        return None;
    }
    let like = operator.takes_wildcards();
    let caseless = base.ends_with("ignorecase") || base == "bool";
    let holds = |v: &String| match (like, caseless) {
        (true, _) => pattern::matches(v, value),
        (false, true) => v.eq_ignore_ascii_case(value),
        (false, false) => v == value,
    };
    Some(c.values.iter().any(holds) != operator.is_negated())
}

/// Whether a key is in every request.
pub fn is_always_present(key: &str) -> bool {
    matches!(fact(key), KeyKind::Ambient | KeyKind::Telling { always: true }) && key.starts_with("aws:")
        // Only in those of members of an organization, and of requests for resources.
        && !["org", "resource", "sourceip"].iter().any(|part| key.contains(part))
}

fn null(condition: &Condition, fact: KeyKind) -> Restriction {
    let must_be_absent = condition.values.iter().any(|v| v.eq_ignore_ascii_case("true"));
    match fact {
        KeyKind::Telling { always: false } if !must_be_absent => Restriction::Strong,
        // A key that is in every request cannot be absent: nothing meets this.
        KeyKind::Ambient | KeyKind::Telling { always: true } if must_be_absent => Restriction::Strong,
        _ => Restriction::Void,
    }
}

fn is_required(key: &str, all: &[Condition]) -> bool {
    all.iter().any(|c| {
        c.key.eq_ignore_ascii_case(key)
            && Operator::parse(&c.operator).is("Null")
            && c.values.iter().all(|v| v.eq_ignore_ascii_case("false"))
    })
}

fn is_everything(condition: &Condition) -> bool {
    Operator::parse(&condition.operator).takes_wildcards()
        && condition.values.iter().any(|v| pattern::is_everything(v))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(operator: &str, key: &str, value: &str) -> Restriction {
        let condition = Condition::new(operator, key, vec![value.into()]);
        restriction_of(&condition, std::slice::from_ref(&condition))
    }

    #[test]
    fn classes() {
        for (operator, key, value, expected) in [
            ("Bool", "aws:MultiFactorAuthPresent", "true", Restriction::Strong),
            ("BoolIfExists", "aws:MultiFactorAuthPresent", "true", Restriction::Void),
            ("Bool", "aws:MultiFactorAuthPresent", "false", Restriction::Weak),
            ("StringEquals", "aws:RequestedRegion", "eu-west-1", Restriction::Weak),
            ("Bool", "aws:SecureTransport", "true", Restriction::Weak),
            ("StringLike", "aws:PrincipalArn", "*", Restriction::Void),
            ("StringEquals", "iam:PassedToService", "lambda.amazonaws.com", Restriction::Strong),
            ("StringLike", "iam:PassedToService", "*", Restriction::Void),
            ("StringEqualsIfExists", "iam:PassedToService", "lambda.amazonaws.com", Restriction::Strong),
            ("ForAllValues:StringEquals", "aws:TagKeys", "a", Restriction::Void),
            (
                "ForAllValues:StringLike",
                "token.actions.githubusercontent.com:sub",
                "repo:o/r:*",
                Restriction::Strong,
            ),
            ("IpAddress", "aws:SourceIp", "0.0.0.0/0", Restriction::Void),
            ("IpAddress", "aws:SourceIp", "10.0.0.0/8", Restriction::Strong),
            ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", Restriction::Weak),
            ("StringEquals", "aws:ResourceTag/team", "a", Restriction::Strong),
            ("StringLike", "aws:ResourceTag/team", "*", Restriction::Strong),
            ("StringLikeIfExists", "aws:ResourceTag/team", "*", Restriction::Void),
            ("StringEquals", "aws:RequestTag/team", "a", Restriction::Weak),
            ("StringEquals", "s3:prefix", "home/", Restriction::Strong),
            ("StringSounds", "s3:prefix", "home/", Restriction::Unknown),
            ("StringEquals", "aws:NoSuchKey", "x", Restriction::Unknown),
            ("Null", "aws:PrincipalArn", "false", Restriction::Void),
            ("Null", "aws:MultiFactorAuthAge", "false", Restriction::Strong),
            ("StringNotEquals", "aws:PrincipalTag/x", "placeholder", Restriction::Weak),
        ] {
            assert_eq!(class(operator, key, value), expected, "{operator} {key} {value}");
        }
    }
}
