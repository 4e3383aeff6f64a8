//! How much a condition restricts. Conditions are never ignored, and "there is one" never means "safe".

use std::borrow::Cow;

use crate::addresses::are_open;
use crate::arn::Arn;
use crate::circumstance::{NETWORKS, is_on_circumstance, is_one_of};
use crate::keys::{KeyKind, fact, is_form};
use crate::pattern;
use crate::policy::{Condition, Statement};
use crate::restriction::Restriction;

/// An operator taken apart: `ForAllValues:StringLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator<'a> {
    /// `ForAllValues:`
    pub for_all: bool,
    /// `ForAnyValue:`
    pub for_any: bool,
    /// `…IfExists`
    pub if_exists: bool,
    /// What is left: `StringLike`.
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
        return match names_policies(condition) {
            // Any boundary will do, also one that bounds nothing.
            true => null(condition, fact).min(Restriction::Weak),
            false => null(condition, fact),
        };
    }
    let always = matches!(fact, KeyKind::Ambient | KeyKind::Telling { always: true });
    // ForAllValues and IfExists are true for a key that is not in the request at all.
    if (operator.for_all || operator.if_exists) && !always && !is_required(&condition.key, all) {
        return Restriction::Void;
    }
    let positive = operator.takes_wildcards() && !operator.is_negated();
    if positive && condition.values.iter().any(|v| is_any_service(&condition.key, v)) {
        return Restriction::Weak;
    }
    if positive && condition.values.iter().any(|v| fits_any(&condition.key, v)) {
        // Through whichever network: from outside of all the key is not there.
        return if is_one_of(NETWORKS, condition) { Restriction::Strong } else { Restriction::Void };
    }
    // Whoever may attach an administrator's policy needs no other, and one as a boundary bounds nothing.
    if names_policies(condition)
        && MAKES_ADMIN.iter().any(|arn| everywhere(arn).any(|arn| admits(condition, &arn) == Some(true)))
    {
        return Restriction::Weak;
    }
    if operator.is("IpAddress") && are_open(&condition.values) {
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

/// Whether a condition is on the policy that a call attaches, or makes a boundary.
fn names_policies(c: &Condition) -> bool {
    ["iam:PolicyARN", "iam:PermissionsBoundary"].iter().any(|key| c.key.eq_ignore_ascii_case(key))
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

/// Whether a key may be used through every service of AWS (`*`, `*.eu-west-1.amazonaws.com`): not by itself,
/// but by whatever reads what it encrypts.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service>
fn is_any_service(key: &str, value: &str) -> bool {
    let service = value.split('.').next().unwrap_or_default();
    key.eq_ignore_ascii_case("kms:ViaService") && pattern::is_everything(service)
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
    // A session that is old enough to be denied is begun again.
    let by_time_or_tls = ["aws:securetransport", "aws:currenttime", "aws:epochtime", "aws:tokenissuetime"]
        .contains(&key.as_str());
    // Without MFA there is no age of it, and no key.
    let by_no_mfa = key == "aws:multifactorauthage" && {
        let operator = Operator::parse(&condition.operator);
        operator.base.to_ascii_lowercase().starts_with("numeric")
            && !operator.if_exists
            && !operator.is_negated()
    };
    // A mighty policy that it does not name.
    let other_policy =
        names_policies(condition) && MAKES_ADMIN.iter().any(|arn| admits(condition, arn) == Some(false));
    // What must hold for it not to apply holds in normal use: the region, the own organization.
    let usual =
        || opposite(condition).is_some_and(|c| restriction_of(&c, std::slice::from_ref(&c)).is_open());
    // `Null` asks whether the key is there at all, which is theirs to choose as well.
    by_time_or_tls
        || by_no_mfa
        || other_policy
        || condition.known == Some(Restriction::Weak)
        || fact(&key) == KeyKind::Chosen
        || usual()
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
        let told = operator.if_exists || is_always_present(&c.key.to_ascii_lowercase());
        return (told && flipped("false")).then(|| made("Bool", vec!["true".into()]));
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
    let strong = |c: &Condition| {
        c.known.is_none()
            && opposite(c).is_some_and(|c| !restriction_of(&c, std::slice::from_ref(&c)).is_open())
    };
    !deny.allow && !deny.conditions.is_empty() && deny.conditions.iter().all(strong)
}

/// Whether a statement is held back by the caller's circumstances only.
pub fn is_circumstance(statement: &Statement) -> bool {
    let all = &statement.conditions;
    all.iter().all(|c| restriction_of(c, all).is_open() || is_on_circumstance(c))
}

/// Whether what a guarding Deny asks for is a circumstance; see [`is_guard`].
pub fn guards_by_circumstance(deny: &Statement) -> bool {
    deny.conditions.iter().any(is_on_circumstance)
}

/// Whether what a guarding Deny asks for is only about what the call asks for; see [`is_by_form`].
pub fn guards_by_form(deny: &Statement) -> bool {
    deny.conditions.iter().all(|c| is_form(&c.key))
}

/// As [`is_circumstance`], with a limit on the service that a role is passed to set aside.
pub fn is_circumstance_but_service(statement: &Statement) -> bool {
    let all = &statement.conditions;
    let set_aside =
        |c: &Condition| c.key.eq_ignore_ascii_case("iam:PassedToService") || is_on_circumstance(c);
    all.iter().all(|c| restriction_of(c, all).is_open() || set_aside(c))
}

/// What is known of a request besides who makes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The service that a role is passed to.
    pub service: Option<&'a str>,
    /// The tags of what is acted upon.
    pub tags: Tags<'a>,
    /// The tag that the call itself sets, and its value unless that may be any.
    pub sets: Option<(&'a str, Option<&'a str>)>,
    /// The boundary of the role or user whose policies or boundary the call changes; `None`: not told, or the
    /// call itself sets one.
    pub boundary: Option<Bound<'a>>,
}

/// The boundary of a role or user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound<'a> {
    /// It has none.
    Free,
    /// This policy.
    By(&'a str),
    /// Whatever helps: of some principal that may be found.
    Any,
}

/// Calls whose `iam:PermissionsBoundary` is the boundary that the principal has already, and not one that
/// they give it. The calls that give one (`Create…`, `Put…PermissionsBoundary`) have the key, too; no other
/// has.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_iam.html>
const ABOUT_BOUNDED: [&str; 15] = [
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DeleteUserPermissionsBoundary",
    "iam:DeleteUserPolicy",
    "iam:DetachRolePolicy",
    "iam:DetachUserPolicy",
    "iam:GetRole",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
];

impl<'a> Bound<'a> {
    /// What is known of a call on a principal that has this boundary, or none.
    pub fn of(action: &str, boundary: Option<&'a str>) -> Option<Self> {
        let is_about = ABOUT_BOUNDED.contains(&action);
        is_about.then(|| boundary.filter(|arn| !arn.is_empty()).map_or(Self::Free, Self::By))
    }

    /// What may be of a call on some principal.
    pub fn of_any(action: &str) -> Option<Self> {
        ABOUT_BOUNDED.contains(&action).then_some(Self::Any)
    }
}

impl<'a> From<Option<&'a str>> for Asked<'a> {
    fn from(service: Option<&'a str>) -> Self {
        Self { service, ..Self::default() }
    }
}

/// The tags of what is acted upon.
#[derive(Clone, Copy, Debug, Default)]
pub enum Tags<'a> {
    /// Nobody has said.
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
            let plain = c.values.iter().map(|value| plain_service(value).into_owned()).collect();
            return admits(&Condition::new(&*c.operator, &*c.key, plain), service);
        }
        // What the role is passed to is of the service, or of another.
        if let Some(service) =
            self.service.filter(|_| c.key.eq_ignore_ascii_case("iam:AssociatedResourceArn"))
        {
            let of_it = |value: &String| {
                let of = Arn::pattern(value).map_or("*", |arn| arn.service);
                pattern::is_wild(of) || service.starts_with(of)
            };
            let negated = Operator::parse(&c.operator).is_negated();
            return (!negated && !c.values.iter().any(of_it)).then_some(false);
        }
        if let Some(bound) = self.boundary.filter(|_| c.key.eq_ignore_ascii_case("iam:PermissionsBoundary")) {
            let operator = Operator::parse(&c.operator);
            return match bound {
                Bound::Any => Some(allow),
                _ if operator.is("Null") => {
                    Some(c.values.iter().any(|v| v.eq_ignore_ascii_case("true")) == (bound == Bound::Free))
                }
                _ if c.values.iter().any(|v| v.contains("${")) => None,
                Bound::By(arn) => admits(c, arn),
                Bound::Free => Some(operator.is_negated() || operator.if_exists || operator.for_all),
            };
        }
        if let Some(told) = self.sets.and_then(|(tag, value)| allows_tag(c, tag, value, allow)) {
            return Some(told);
        }
        let (_, tag) = c.key.split_once('/')?;
        if !is_on_resource_tag(c) || c.values.iter().any(|v| v.contains("${")) {
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

/// Whether a condition is on a tag of what is acted upon, as IAM's own actions have it.
pub fn is_on_resource_tag(c: &Condition) -> bool {
    let Some((prefix, _)) = c.key.split_once('/') else { return false };
    ["aws:ResourceTag", "iam:ResourceTag"].iter().any(|key| key.eq_ignore_ascii_case(prefix))
}

/// The tag of what is acted upon that a key is about, as any service writes it: `ssm:resourceTag/team`.
pub fn resource_tag(key: &str) -> Option<&str> {
    let (prefix, tag) = key.split_once('/')?;
    let (_, name) = prefix.split_once(':')?;
    name.eq_ignore_ascii_case("ResourceTag").then_some(tag)
}

/// Whether a condition on the tags of a call holds when it sets this one. Others that it asks for are set
/// beside it.
fn allows_tag(c: &Condition, tag: &str, value: Option<&str>, allow: bool) -> Option<bool> {
    let key = c.key.to_ascii_lowercase();
    let is_null = Operator::parse(&c.operator).is("Null");
    let is_absent = || c.values.iter().any(|v| v.eq_ignore_ascii_case("true"));
    if key == "aws:tagkeys" {
        return if is_null { Some(!is_absent()) } else { admits(c, tag) };
    }
    match key.strip_prefix("aws:requesttag/")? {
        named if !named.eq_ignore_ascii_case(tag) => (!allow).then_some(false),
        _ if is_null => Some(!is_absent()),
        _ => match value.filter(|_| !c.values.iter().any(|v| v.contains("${"))) {
            Some(value) => admits(c, value),
            None => (!allow).then_some(false),
        },
    }
}

/// A service principal as most policies write it: without a region, and as outside of China.
/// `states.eu-west-1.amazonaws.com` is `states.amazonaws.com`.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services>
pub fn plain_service(name: &str) -> Cow<'_, str> {
    let Some(service) =
        name.strip_suffix(".amazonaws.com").or_else(|| name.strip_suffix(".amazonaws.com.cn"))
    else {
        return name.into();
    };
    // `eu-west-1`, `us-gov-east-1`: words, and a number at the end.
    let is_region = |label: &str| {
        let parts: Vec<&str> = label.split('-').collect();
        let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        parts.len() >= 3
            && parts[0].len() == 2
            && parts[..parts.len() - 1].iter().all(letters)
            && parts[parts.len() - 1].bytes().all(|b| b.is_ascii_digit())
    };
    if !service.contains('-') && name.ends_with(".com") {
        return name.into();
    }
    let kept: Vec<&str> = service.split('.').filter(|label| !is_region(label)).collect();
    format!("{}.amazonaws.com", kept.join(".")).into()
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

/// Whether a statement is held back by nothing but what its call asks for: small machines, say, which run
/// code as well as large ones.
pub fn is_by_form(statement: &Statement) -> bool {
    let all = &statement.conditions;
    let by_form = |c: &Condition| is_form(&c.key) && Operator::parse(&c.operator).is_known();
    all.iter().all(|c| restriction_of(c, all).is_open() || by_form(c))
}

/// Whether whoever calls can see to it that a condition of a Deny does not hold, and nothing known of the
/// request decides that it does.
pub fn is_avoided(condition: &Condition, asked: Asked<'_>) -> bool {
    asked.decides(condition, false).is_none() && is_avoidable(condition)
}

/// Whether every condition of a statement is decided by what is known of a request.
pub fn is_decided(statement: &Statement, asked: Asked<'_>) -> bool {
    statement.conditions.iter().all(|c| asked.decides(c, statement.allow).is_some())
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
#[path = "condition_tests.rs"]
mod tests;
