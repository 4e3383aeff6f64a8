//! Who may become a role: its trust policy, taken apart.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use std::borrow::Cow;

use super::account::{Role, account_of};
use opsctl_iam::caller::in_time;
use opsctl_iam::condition::{self, Operator, Restriction};
use opsctl_iam::pattern;
use opsctl_iam::policy::{Condition, Statement};
use opsctl_iam::time::Instant;

/// One principal of a trust policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'a> {
    /// `*`
    Anyone,
    /// A whole account: `arn:aws:iam::111122223333:root` or the bare number.
    Account(&'a str),
    /// A user, role or session of an account.
    KnownActions {
        account: &'a str,
        arn: &'a str,
    },
    /// The bare id that AWS puts in place of a principal that was deleted.
    Removed(&'a str),
    /// `lambda.amazonaws.com`
    Service(&'a str),
    /// An OIDC provider of the account; `host` is what its condition keys begin with.
    Oidc {
        arn: &'a str,
        host: &'a str,
    },
    /// A SAML provider of the account.
    Saml(&'a str),
    /// A provider that needs no entry in the account: `cognito-identity.amazonaws.com`,
    /// `accounts.google.com`, …
    Public(&'a str),
    Other(&'a str),
}

impl<'a> Principal<'a> {
    /// Reads one principal of the given kind (`AWS`, `Service`, `Federated`, or `*`).
    pub fn parse(kind: &'a str, value: &'a str) -> Self {
        match kind {
            _ if value == "*" => Self::Anyone,
            _ if kind.eq_ignore_ascii_case("AWS") => Self::aws(value),
            _ if kind.eq_ignore_ascii_case("Service") => Self::Service(value),
            _ if kind.eq_ignore_ascii_case("Federated") => match value.split_once(":oidc-provider/") {
                Some((_, host)) => Self::Oidc { arn: value, host },
                None if value.contains(":saml-provider/") => Self::Saml(value),
                None => Self::Public(value),
            },
            _ => Self::Other(value),
        }
    }

    /// Whether it is a principal of some account, and no service or provider.
    fn is_of_aws(&self) -> bool {
        matches!(self, Self::Anyone | Self::Account(_) | Self::KnownActions { .. } | Self::Removed(_))
    }

    /// Whether it is the other one, or the account that the other one is of.
    fn takes_in(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Account(mine), Self::KnownActions { account, .. }) => mine == account,
            _ => self == other,
        }
    }

    fn aws(value: &'a str) -> Self {
        if value.len() == 12 && value.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Account(value);
        }
        match account_of(value) {
            Some(account) if value.ends_with(":root") => Self::Account(account),
            Some(account) => Self::KnownActions { account, arn: value },
            // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
            None if ["AIDA", "AROA", "AGPA"].iter().any(|id| value.starts_with(id)) => Self::Removed(value),
            None => Self::Other(value),
        }
    }
}

/// One Allow statement of a trust policy that lets somebody in, less what the Deny statements beside it take
/// away.
#[derive(Clone, Debug)]
pub struct Admission<'a> {
    /// With the conditions that a Deny imposes: "denied unless in the organization" is a condition on it.
    pub statement: Cow<'a, Statement>,
    pub index: usize,
    pub principals: Vec<Principal<'a>>,
    /// `NotPrincipal`: everybody but `principals`.
    pub negated: bool,
    pub restriction: Restriction,
}

/// The ways to become a role with credentials of AWS, a service, SAML or web identity.
pub const ASSUME: &[&str] = &["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"];

/// The admissions of a role's trust policy as of a time. Empty when the document is malformed.
pub fn admissions(role: &Role, now: Option<Instant>) -> Vec<Admission<'_>> {
    let Some(policy) = role.trust.policy() else { return Vec::new() };
    let lets_in = |s: &Statement| s.allow && ASSUME.iter().any(|action| covers(s, action));
    let over =
        |s: &Statement| now.is_some_and(|now| s.conditions.iter().any(|c| in_time(c, now) == Some(false)));
    let statements = || policy.statements.iter().map(|s| &**s);
    let allowing = statements().enumerate().filter(|(_, s)| lets_in(s) && !over(s));
    let denials: Vec<&Statement> = statements().filter(|s| !s.allow && !over(s)).collect();
    allowing
        .filter_map(|(index, statement)| {
            let mut admission = Admission {
                statement: Cow::Borrowed(statement),
                index,
                principals: named(statement),
                negated: statement.principals.as_ref()?.negated,
                restriction: Restriction::Void,
            };
            statement
                .conditions
                .iter()
                .filter(|c| fixes(c, &statement.conditions))
                .for_each(|c| admission.narrow(c));
            let stands = denials.iter().all(|deny| admission.less(deny));
            admission.restriction = condition::restriction(&admission.statement);
            stands.then_some(admission)
        })
        .collect()
}

fn named(statement: &Statement) -> Vec<Principal<'_>> {
    let listed = statement.principals.iter().flat_map(|principals| &principals.listed);
    listed.map(|(kind, value)| Principal::parse(kind, value)).collect()
}

fn covers(statement: &Statement, action: &str) -> bool {
    statement.actions.covers(action, pattern::matches_ignoring_case)
}

impl<'a> Admission<'a> {
    /// "Everybody whose account is …" is that account, not everybody.
    fn narrow(&mut self, condition: &'a Condition) {
        let Some(place) = self.principals.iter().position(|p| *p == Principal::Anyone) else { return };
        let account = |value: &'a String| match condition.key.to_ascii_lowercase().as_str() {
            "aws:principalaccount" => Some(value.as_str()).filter(|v| v.len() == 12 && !pattern::is_wild(v)),
            "aws:principalarn" => account_of(value),
            _ => None,
        };
        if let Some(accounts) = condition.values.iter().map(account).collect::<Option<Vec<_>>>() {
            self.principals.remove(place);
            self.principals.extend(accounts.into_iter().map(Principal::Account));
        }
    }

    /// Takes away what a Deny denies; whether anybody is left. A Deny under several conditions is read as
    /// none, except where its others are true of everybody.
    fn less(&mut self, deny: &'a Statement) -> bool {
        let mine = ASSUME.iter().filter(|action| self.by(action));
        let Some(denied) = &deny.principals else { return true };
        if !mine.into_iter().all(|action| covers(deny, action)) {
            return true;
        }
        let listed = named(deny);
        let everybody = !denied.negated && listed.contains(&Principal::Anyone);
        match deny.conditions.iter().filter(|c| !holds_for_people(c)).collect::<Vec<_>>().as_slice() {
            [] if everybody => {
                // `{"AWS": "*"}` leaves services and providers alone, a bare `*` does not.
                let bare = denied.listed.iter().any(|(kind, _)| kind == "*");
                self.principals.retain(|p| !bare && !p.is_of_aws());
                !self.principals.is_empty()
            }
            [] if denied.negated => {
                let anyone = self.negated || self.principals.contains(&Principal::Anyone);
                match anyone {
                    true => self.principals = listed,
                    false => self.principals.retain(|p| listed.iter().any(|spared| spared.takes_in(p))),
                }
                self.negated = false;
                !self.principals.is_empty()
            }
            [] => {
                let open = self.negated || self.principals.contains(&Principal::Anyone);
                self.principals.retain(|p| open || !listed.iter().any(|gone| gone.takes_in(p)));
                !self.principals.is_empty()
            }
            [only] if everybody => {
                if let Some(implied) = opposite(only) {
                    self.statement.to_mut().conditions.push(implied);
                    self.narrow(only);
                }
                true
            }
            _ => true,
        }
    }

    /// Whether the statement lets in by an action of STS.
    pub fn by(&self, action: &str) -> bool {
        covers(&self.statement, action)
    }

    /// For evidence: `trust policy, statement 1`.
    pub fn label(&self) -> String {
        format!("trust policy, {}", self.statement.label(self.index))
    }

    /// The conditions that fix a key to listed values: positive, not void, and not true for an absent key.
    pub fn fixing<'s>(&'s self, key: &'s str) -> impl Iterator<Item = &'s Condition> {
        self.statement.conditions_on(key).filter(|c| fixes(c, &self.statement.conditions))
    }

    /// Whether the statement fixes a key.
    pub fn fixes(&self, key: &str) -> bool {
        self.fixing(key).next().is_some()
    }

    /// Whether one of the statement's conditions fixes its key.
    pub fn fixes_by(&self, condition: &Condition) -> bool {
        fixes(condition, &self.statement.conditions)
    }

    /// Whether the statement fixes any key that `wanted` picks.
    pub fn fixes_any(&self, wanted: impl Fn(&str) -> bool) -> bool {
        let all = &self.statement.conditions;
        all.iter().any(|c| wanted(&c.key.to_ascii_lowercase()) && fixes(c, all))
    }

    /// Whether MFA is asked for.
    pub fn asks_for_mfa(&self) -> bool {
        self.fixes("aws:MultiFactorAuthPresent")
            || self
                .statement
                .conditions_on("aws:MultiFactorAuthAge")
                .any(|c| condition::restriction_of(c, &self.statement.conditions) == Restriction::Strong)
    }
}

/// Conditions that only spare services: they hold for every principal of an account.
fn holds_for_people(c: &Condition) -> bool {
    let operator = Operator::parse(&c.operator);
    c.key.eq_ignore_ascii_case("aws:PrincipalIsAWSService")
        && operator.base.eq_ignore_ascii_case("Bool")
        && c.values.iter().all(|v| v.eq_ignore_ascii_case("false"))
}

/// What must hold for a Deny under a condition not to apply; `None` when that is no condition of its own.
fn opposite(c: &Condition) -> Option<Condition> {
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
    let made = |operator: &str, values: Vec<String>| Condition {
        operator: operator.to_owned(),
        key: c.key.clone(),
        values,
    };
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

fn fixes(c: &Condition, all: &[Condition]) -> bool {
    let operator = Operator::parse(&c.operator);
    let absent_passes = operator.if_exists || (operator.for_all && !c.key.ends_with(":sub"));
    let bool_false = operator.base.eq_ignore_ascii_case("Bool")
        && !c.values.iter().any(|v| v.eq_ignore_ascii_case("true"));
    operator.is_known()
        && !operator.is_negated()
        && !operator.base.eq_ignore_ascii_case("Null")
        && !absent_passes
        && !bool_false
        && condition::restriction_of(c, all) != Restriction::Void
}

/// Who of the own account may become the role, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// Everybody in the account whose own policies allow it.
    Account,
    /// Those of them whose ARN matches (a condition on `aws:PrincipalArn`).
    AccountIf(Vec<&'a str>),
    /// This principal, even without a policy of its own.
    Named(&'a str),
    /// An AWS service, if somebody passes it the role.
    Service(&'a str),
}

/// The entries open to principals of `account` and to services, without a condition that holds them back.
pub fn entries<'a>(admissions: &'a [Admission<'a>], account: &str) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    for admission in admissions.iter().filter(|a| !a.negated && a.by("sts:AssumeRole")) {
        let by_arn: Vec<&Condition> = admission.fixing("aws:PrincipalArn").collect();
        let all = &admission.statement.conditions;
        // The source account and the external id are the caller's or the service's own to give.
        let given = ["aws:SourceAccount", "aws:SourceArn", "sts:ExternalId", "aws:PrincipalArn"];
        let others = all.iter().filter(|c| !given.iter().any(|key| c.key.eq_ignore_ascii_case(key)));
        if !others.into_iter().all(|c| condition::restriction_of(c, all).is_open()) {
            continue;
        }
        let arns = || by_arn.iter().flat_map(|c| c.values.iter().map(String::as_str)).collect::<Vec<_>>();
        for principal in &admission.principals {
            match *principal {
                Principal::Service(name) => entries.push(Entry::Service(name)),
                Principal::KnownActions { account: theirs, arn } if theirs == account => {
                    entries.push(Entry::Named(arn))
                }
                Principal::Account(theirs) if theirs == account && by_arn.is_empty() => {
                    entries.push(Entry::Account)
                }
                Principal::Anyone if by_arn.is_empty() => entries.push(Entry::Account),
                Principal::Account(theirs) if theirs == account => entries.push(Entry::AccountIf(arns())),
                Principal::Anyone => entries.push(Entry::AccountIf(arns())),
                _ => {}
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals() {
        let aws = |value| Principal::parse("AWS", value);
        assert_eq!(aws("*"), Principal::Anyone);
        assert_eq!(aws("111122223333"), Principal::Account("111122223333"));
        assert_eq!(aws("arn:aws:iam::111122223333:root"), Principal::Account("111122223333"));
        assert_eq!(aws("AROAEXAMPLE"), Principal::Removed("AROAEXAMPLE"));
        assert!(matches!(
            aws("arn:aws:iam::111122223333:role/a"),
            Principal::KnownActions { account: "111122223333", .. }
        ));
        let oidc = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
        assert!(matches!(
            Principal::parse("Federated", oidc),
            Principal::Oidc { host: "token.actions.githubusercontent.com", .. }
        ));
        assert!(matches!(Principal::parse("Federated", "accounts.google.com"), Principal::Public(_)));
    }
}
