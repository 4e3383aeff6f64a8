//! Who may become a role: its trust policy, taken apart.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use std::borrow::Cow;

use super::account::{Role, account_of};
use opsctl_iam::arn::{Arn, is_account_id};
use opsctl_iam::caller::in_time;
use opsctl_iam::circumstance::is_on_mfa;
use opsctl_iam::condition::{self, Operator};
use opsctl_iam::keys::is_in_every_token;
use opsctl_iam::moment::Moment;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Condition, Policy, Statement};
use opsctl_iam::restriction::Restriction;
use opsctl_iam::sent::{is_of_tags, needs_key};
use opsctl_iam::time::Instant;

/// One principal of a trust policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'a> {
    /// `*`
    Anyone,
    /// A whole account: `arn:aws:iam::111122223333:root` or the bare number.
    Account(&'a str),
    /// A user, role or session of an account.
    Identity {
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
    pub(super) fn is_of_aws(&self) -> bool {
        matches!(self, Self::Anyone | Self::Account(_) | Self::Identity { .. } | Self::Removed(_))
    }

    /// Whether it is the other one, or the account that the other one is of.
    pub(super) fn takes_in(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Account(mine), Self::Identity { account, .. }) => mine == account,
            _ => self == other,
        }
    }

    fn aws(value: &'a str) -> Self {
        if is_account_id(value) {
            return Self::Account(value);
        }
        match account_of(value) {
            Some(account) if value.ends_with(":root") => Self::Account(account),
            Some(account) => Self::Identity { account, arn: value },
            // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
            None if ["AIDA", "AROA", "AGPA"].iter().any(|id| value.starts_with(id)) => Self::Removed(value),
            None => Self::Other(value),
        }
    }
}

/// One Allow statement of a trust policy, or of a resource's, that lets somebody in, less what the Deny
/// statements beside it take away.
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

/// The admissions of a role's trust policy as of a time, less what `controls`, the organization's resource
/// control policies, deny. Empty when the document is malformed.
pub fn admissions<'a>(role: &'a Role, controls: &[&'a Policy], now: Option<Instant>) -> Vec<Admission<'a>> {
    let Some(policy) = role.trust.policy() else { return Vec::new() };
    let of_both = |deny: &Statement, allow: &Statement| {
        // A trust policy names no resource: it is about its role.
        deny.resources.as_ref().is_none_or(|scope| scope.covers(&role.arn, pattern::matches))
            && ASSUME.iter().filter(|action| covers(allow, action)).all(|action| covers(deny, action))
    };
    let mut found = let_in(policy, controls, now, of_both);
    // Tags and a source identity come with a session only where the role's trust says that they may.
    // <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required>
    let takes = |action: &str| policy.statements.iter().any(|s| s.allow && covers(s, action));
    let is_taken = SAID.map(|(_, action)| takes(action));
    let is_met = |a: &Admission<'_>| SAID.iter().zip(is_taken).all(|(said, taken)| taken || !a.asks(*said));
    found.retain(|a| ASSUME.iter().any(|action| a.by(action)) && is_met(a));
    found
}

/// What callers say of themselves, by its key, and the action that lets them.
pub type Said = (fn(&str) -> bool, &'static str);

/// See [`Said`].
pub const SAID: [Said; 2] = [(is_of_tags, "sts:TagSession"), (is_of_identity, "sts:SetSourceIdentity")];

fn is_of_identity(key: &str) -> bool {
    key.eq_ignore_ascii_case(SAID_IDENTITY)
}

/// The actions by which a role's trust lets callers say something of themselves.
pub fn takes(role: &Role) -> Vec<&'static str> {
    let statements = || role.trust.policy().into_iter().flat_map(|policy| &policy.statements);
    let is_taken = |action: &&str| statements().any(|s| s.allow && covers(s, action));
    SAID.iter().map(|(_, action)| *action).filter(is_taken).collect()
}

/// The actions that principals of accounts need besides, to say what a role's trust asks of them by all ways.
pub fn asked_to(admissions: &[Admission<'_>]) -> Vec<&'static str> {
    let ways = || admissions.iter().filter(|a| a.lets_people_in());
    let Some(first) = ways().next() else { return Vec::new() };
    first.asked_to().filter(|action| ways().all(|a| a.asked_to().any(|other| other == *action))).collect()
}

/// Whom the Allow statements of a policy let in as of a time, less what the Deny statements in it and in
/// others take away. `reaches` says whether a Deny is about all that an Allow is about.
pub fn let_in<'a>(
    policy: &'a Policy,
    others: &[&'a Policy],
    now: Option<Instant>,
    reaches: impl Fn(&Statement, &Statement) -> bool,
) -> Vec<Admission<'a>> {
    let over =
        |s: &Statement| now.is_some_and(|now| s.conditions.iter().any(|c| in_time(c, now) == Some(false)));
    let statements = |policy: &'a Policy| policy.statements.iter().map(|s| &**s);
    let allowing = statements(policy).enumerate().filter(|(_, s)| s.allow && !over(s));
    let all = std::iter::once(policy).chain(others.iter().copied());
    let denials: Vec<&Statement> = all.flat_map(statements).filter(|s| !s.allow && !over(s)).collect();
    allowing
        .flat_map(|(index, statement)| {
            let Some(principals) = &statement.principals else { return Vec::new() };
            let mut admission = Admission {
                statement: Cow::Borrowed(statement),
                index,
                principals: named(statement),
                negated: principals.negated,
                restriction: Restriction::Void,
            };
            statement
                .conditions
                .iter()
                .filter(|c| fixes(c, &statement.conditions))
                .for_each(|c| admission.narrow(c));
            let meant = denials.iter().filter(|deny| reaches(deny, statement));
            let mut left = meant.fold(vec![admission], |left, deny| {
                left.into_iter().flat_map(|admission| admission.beside(deny)).collect()
            });
            left.retain_mut(Admission::fits_anybody);
            left.iter_mut().for_each(|a| a.restriction = condition::restriction(&a.statement));
            left
        })
        .collect()
}

/// The principals of a statement.
pub fn named(statement: &Statement) -> Vec<Principal<'_>> {
    let listed = statement.principals.iter().flat_map(|principals| &principals.listed);
    listed.map(|(kind, value)| Principal::parse(kind, value)).collect()
}

fn covers(statement: &Statement, action: &str) -> bool {
    statement.actions.covers(action, pattern::matches_ignoring_case)
}

impl<'a> Admission<'a> {
    /// "Everybody whose account is …" is that account, not everybody.
    pub(super) fn narrow(&mut self, condition: &'a Condition) {
        let Some(place) = self.principals.iter().position(|p| *p == Principal::Anyone) else { return };
        let of_key = |value: &'a String| match condition.key.to_ascii_lowercase().as_str() {
            "aws:principalaccount" if value.len() == 12 && !pattern::is_wild(value) => {
                Some(Principal::Account(value))
            }
            "aws:principalarn" => {
                let account = account_of(value)?;
                // One that is named is let in as if it were the principal; its policies need not allow it.
                // docs/aws/iam.md#principals-by-condition
                Some(match pattern::is_wild(value) || value.contains("${") || value.ends_with(":root") {
                    true => Principal::Account(account),
                    false => Principal::Identity { account, arn: value },
                })
            }
            _ => None,
        };
        if let Some(principals) = condition.values.iter().map(of_key).collect::<Option<Vec<_>>>() {
            self.principals.remove(place);
            self.principals.extend(principals);
        }
    }

    /// Leaves out the principals that the statement's own conditions exclude; whether anybody is left. One on
    /// the tokens of another issuer excludes everybody.
    fn fits_anybody(&mut self) -> bool {
        let conditions = self.statement.conditions.clone();
        let is_empty = |c: &Condition| {
            let operator = Operator::parse(&c.operator);
            c.values.is_empty() && !operator.is_negated() && !operator.for_all && !operator.if_exists
        };
        if conditions.iter().any(|c| is_empty(c) || is_of_other_issuer(c, &self.statement)) {
            return false;
        }
        // Of several issuers, the tokens of the others lack the claim.
        let issuers = |p: &Principal<'_>| !conditions.iter().any(|c| is_claim_of_other(c, p));
        if !self.negated {
            self.principals.retain(issuers);
        }
        for c in conditions.iter().filter(|c| fixes(c, &conditions)) {
            let of_account = |account: &str, value: &String| match c.key.to_ascii_lowercase().as_str() {
                "aws:principalaccount" => pattern::matches(value, account) || value.contains("${"),
                "aws:principalarn" => {
                    let theirs = Arn::pattern(value).map_or("*", |arn| arn.account);
                    pattern::matches(theirs, account) || value.contains("${") || !value.starts_with("arn:")
                }
                _ => true,
            };
            let may = |p: &Principal<'_>| match *p {
                Principal::Account(account) | Principal::Identity { account, .. } => {
                    c.values.iter().any(|value| of_account(account, value))
                }
                _ => true,
            };
            if !self.negated && !self.principals.is_empty() {
                self.principals.retain(may);
                if self.principals.is_empty() {
                    return false;
                }
            }
        }
        true
    }

    /// The actions that its conditions ask for besides, because nobody meets them who does not say something.
    pub fn asked_to(&self) -> impl Iterator<Item = &'static str> {
        SAID.into_iter().filter(|said| self.asks(*said)).map(|(_, action)| action)
    }

    fn asks(&self, (is_of, _): Said) -> bool {
        self.statement.conditions.iter().any(|c| is_of(&c.key) && needs_key(c))
    }

    /// Whether the statement lets in by an action of STS.
    pub fn by(&self, action: &str) -> bool {
        covers(&self.statement, action)
    }

    /// The SAML providers whose assertions let in.
    pub fn saml_providers(&self) -> impl Iterator<Item = &'a str> {
        let by_saml = !self.negated && self.by("sts:AssumeRoleWithSAML");
        self.principals.iter().filter(move |_| by_saml).filter_map(|p| match *p {
            Principal::Saml(arn) => Some(arn),
            _ => None,
        })
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

    /// Whether somebody who has MFA, a user or whom a user with MFA became, may come in.
    pub fn lets_people_in(&self) -> bool {
        self.by("sts:AssumeRole") && (self.negated || self.principals.iter().any(Principal::is_of_aws))
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

fn fixes(c: &Condition, all: &[Condition]) -> bool {
    let operator = Operator::parse(&c.operator);
    let absent_passes = (operator.if_exists || operator.for_all) && !is_in_every_token(&c.key);
    let bool_false = operator.base.eq_ignore_ascii_case("Bool")
        && !c.values.iter().any(|v| v.eq_ignore_ascii_case("true"));
    operator.is_known()
        && !operator.is_negated()
        && !operator.base.eq_ignore_ascii_case("Null")
        && !absent_passes
        && !bool_false
        && condition::restriction_of(c, all) != Restriction::Void
}

/// Whether a condition is on a claim of another issuer than the statement's, which no token has.
pub fn is_of_other_issuer(c: &Condition, statement: &Statement) -> bool {
    let principals = named(statement);
    !principals.is_empty() && principals.iter().all(|p| is_claim_of_other(c, p))
}

/// Whether a condition asks for a claim that tokens of a provider do not have: it is another issuer's.
fn is_claim_of_other(c: &Condition, principal: &Principal<'_>) -> bool {
    let operator = Operator::parse(&c.operator);
    let Some((issuer, _)) = c.key.rsplit_once(':').filter(|(issuer, _)| issuer.contains('.')) else {
        return false;
    };
    let Principal::Oidc { host, .. } = *principal else { return false };
    let passes = operator.is_negated() || operator.if_exists || operator.for_all;
    let is_null = operator.base.eq_ignore_ascii_case("Null");
    !passes && !is_null && !host.trim_end_matches('/').eq_ignore_ascii_case(issuer.trim_end_matches('/'))
}

/// Who of the own account may become the role, and how.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry<'a> {
    /// Everybody in the account whose own policies allow it, and who meets conditions on the caller.
    Account(Vec<&'a Condition>),
    /// This principal, even without a policy of its own, if it meets them.
    Named(&'a str, Vec<&'a Condition>),
    /// Whoever in the account meets them, even without a policy of their own and beyond their boundary.
    /// docs/aws/iam.md#principals-by-condition
    Anyone(Vec<&'a Condition>),
    /// An AWS service, if somebody passes it the role, and acts for what these conditions name.
    Service(&'a str, Vec<&'a Condition>),
    /// Each of them.
    AnyService,
}

/// Whether a condition is about what the caller says, and is to be what only some callers have: a user's
/// name, a tag.
fn is_by_variable(c: &Condition) -> bool {
    let operator = Operator::parse(&c.operator);
    let of_caller = |value: &String| {
        let value = value.to_ascii_lowercase();
        value.contains("${aws:username}") || value.contains("${aws:principaltag/")
    };
    !operator.is_negated() && !c.values.is_empty() && c.values.iter().all(of_caller)
}

/// What a caller says of itself that the trust policy lets it say.
pub const SAID_IDENTITY: &str = "sts:SourceIdentity";

/// Whether a condition is about who calls: an ARN, a name, a kind, an id, a tag that the principal carries.
pub(super) fn is_of_caller(c: &Condition) -> bool {
    let key = c.key.to_ascii_lowercase();
    ["aws:principalarn", "aws:principaltype", "aws:userid", "aws:username"].contains(&key.as_str())
        || key.starts_with("aws:principaltag/")
}

/// Whether a condition leaves out the principals of an account.
fn is_but(c: &Condition, account: &str) -> bool {
    let on_account = c.key.eq_ignore_ascii_case("aws:PrincipalAccount");
    on_account && Operator::parse(&c.operator).is_negated() && condition::admits(c, account) == Some(false)
}

/// Whether a condition leaves out whoever is no service, that is, all principals of accounts.
fn is_of_services(c: &Condition) -> bool {
    match c.key.to_ascii_lowercase().as_str() {
        "aws:principalisawsservice" => condition::admits(c, "false") == Some(false),
        // No principal of an account has such a name.
        "aws:principalservicename" | "aws:principalservicenameslist" => needs_key(c),
        _ => false,
    }
}

/// Services that give the external id that their customer has set.
/// <https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html>,
/// <https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SmsConfigurationType.html>
const GIVES_EXTERNAL_ID: [&str; 2] = ["firehose.amazonaws.com", "cognito-idp.amazonaws.com"];

/// Whether a service that acts for this account may meet a condition of a role's trust: it acts for no other
/// account, gives no external id, and is no principal of an account.
fn is_met_by_service(c: &Condition, service: &str, account: &str) -> bool {
    let operator = Operator::parse(&c.operator);
    if operator.is_negated() || operator.if_exists || operator.for_all || operator.base == "Null" {
        return true;
    }
    let key = c.key.to_ascii_lowercase();
    let is_own = |value: &String| {
        let wild = operator.takes_wildcards();
        value.contains("${") || value == account || (wild && pattern::matches(value, account))
    };
    match key.as_str() {
        "aws:sourceaccount" => account.is_empty() || c.values.iter().any(is_own),
        "aws:sourcearn" => c.values.iter().any(|arn| {
            let of = Arn::pattern(arn).map_or("*", |arn| arn.account);
            // Names of buckets and the like have no account.
            of.is_empty() || account.is_empty() || of.contains("${") || pattern::matches(of, account)
        }),
        "sts:externalid" => GIVES_EXTERNAL_ID.contains(&condition::plain_service(service).as_ref()),
        _ => !is_of_caller(c),
    }
}

/// The entries open to principals of `account` and to services, without a condition that holds them back. A
/// bare `*` is services, too: `{"AWS": "*"}` is not. At a moment its circumstances hold nobody back; MFA is
/// then asked of the caller.
pub fn entries<'a>(admissions: &'a [Admission<'a>], account: &str, moment: Option<Moment>) -> Vec<Entry<'a>> {
    let meets = |c: &Condition| moment.is_some_and(|moment| moment.meets(c));
    let mut entries = Vec::new();
    for admission in admissions.iter().filter(|a| !a.negated && a.by("sts:AssumeRole")) {
        let all = &admission.statement.conditions;
        // The source account, its organization and the external id are the caller's or the service's own to
        // give. Which organization the account is in no dump tells; that it is the one named, is likely.
        let given =
            ["aws:SourceAccount", "aws:SourceArn", "aws:SourceOrgID", "aws:SourceOrgPaths", "sts:ExternalId"];
        let is_given = |c: &Condition| given.iter().any(|key| c.key.eq_ignore_ascii_case(key));
        let others = all.iter().filter(|c| !is_of_caller(c) && !is_given(c)).filter(|c| {
            !(c.key.eq_ignore_ascii_case(SAID_IDENTITY) && admission.by("sts:SetSourceIdentity"))
        });
        let held: Vec<&Condition> = others.filter(|c| !condition::restriction_of(c, all).is_open()).collect();
        if !held.iter().all(|c| meets(c)) {
            continue;
        }
        // Nobody chooses where a service calls from.
        let of_service =
            |name: &str| held.is_empty() && all.iter().all(|c| is_met_by_service(c, name, account));
        let asks = || -> Vec<&Condition> {
            // Also one that everybody meets: users have names, and sessions of roles have none.
            let of_caller = |c: &Condition| {
                let is_said = SAID.iter().any(|(is_of, _)| is_of(&c.key));
                is_of_caller(c) || is_by_variable(c) || is_said
            };
            let by_mfa =
                |c: &Condition| is_on_mfa(c) && meets(c) && !condition::restriction_of(c, all).is_open();
            all.iter().filter(|c| of_caller(c) || by_mfa(c)).collect()
        };
        let is_kept_out = all.iter().any(|c| is_but(c, account) || is_of_services(c));
        for principal in admission.principals.iter().filter(|p| !is_kept_out || !p.is_of_aws()) {
            match *principal {
                Principal::Service(name) if of_service(name) => {
                    entries.push(Entry::Service(name, admission.fixing("aws:SourceArn").collect()));
                }
                Principal::Identity { account: theirs, arn } if theirs == account => {
                    entries.push(match of_account(admission, asks()) {
                        Entry::Account(asks) => Entry::Named(arn, asks),
                        anyone => anyone,
                    });
                }
                Principal::Account(theirs) if theirs == account => {
                    entries.push(of_account(admission, asks()))
                }
                Principal::Anyone => {
                    entries.push(of_account(admission, asks()));
                    let bare = |(kind, _): &(String, String)| kind == "*";
                    let listed = admission.statement.principals.iter().flat_map(|p| &p.listed);
                    if listed.into_iter().any(bare) && all.is_empty() {
                        entries.push(Entry::AnyService);
                    }
                }
                _ => {}
            }
        }
    }
    entries
}

/// The entry of a statement that lets in the account: where it lets in `*`, nobody needs a policy of their
/// own.
fn of_account<'a>(admission: &Admission<'_>, asks: Vec<&'a Condition>) -> Entry<'a> {
    match named(&admission.statement).contains(&Principal::Anyone) {
        true => Entry::Anyone(asks),
        false => Entry::Account(asks),
    }
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
            Principal::Identity { account: "111122223333", .. }
        ));
        let oidc = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
        assert!(matches!(
            Principal::parse("Federated", oidc),
            Principal::Oidc { host: "token.actions.githubusercontent.com", .. }
        ));
        assert!(matches!(Principal::parse("Federated", "accounts.google.com"), Principal::Public(_)));
    }
}
