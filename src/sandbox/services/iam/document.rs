//! Policy documents: what IAM refuses of them, and how its answers hold them.

use std::collections::BTreeMap;

use opsctl_iam::arn::{Arn, is_account_id};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use super::ROLES;
use crate::authority::CALLER;
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::state::{SandboxState, arn_of};

/// A policy document whose syntax is right: its types are the grammar.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Document {
    version: Option<Version>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<Statement>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Version {
    #[serde(rename = "2008-10-17")]
    Old,
    #[serde(rename = "2012-10-17")]
    Current,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Statement {
    sid: Option<String>,
    effect: Effect,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    principal: Option<Principal>,
    not_principal: Option<Principal>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany<Value>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Principal {
    Everyone(String),
    Named(BTreeMap<PrincipalKind, OneOrMany<String>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum PrincipalKind {
    #[serde(rename = "AWS")]
    Aws,
    Service,
    Federated,
    CanonicalUser,
}

/// JSON policies write a list of one without brackets.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    List(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn iter(&self) -> std::slice::Iter<'_, T> {
        match self {
            Self::One(item) => std::slice::from_ref(item).iter(),
            Self::List(items) => items.iter(),
        }
    }
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::new(400, "MalformedPolicyDocument", message)
}

/// A document that was accepted once; none when the store was edited by hand.
pub(super) fn parse(text: &str) -> Option<Document> {
    serde_json::from_str(text).ok()
}

/// Checks a policy of an identity, inline or managed. The texts are AWS's, as captured by moto's authors.
pub(super) fn check_identity(text: &str) -> Result<(), Fault> {
    let document = parse(text).ok_or_else(|| malformed("Syntax errors in policy."))?;
    if document.version != Some(Version::Current) {
        return Err(malformed("Policy document must be version 2012-10-17 or greater."));
    }
    let mut sids = std::collections::BTreeSet::new();
    for statement in document.statement.iter() {
        if statement.principal.is_some() || statement.not_principal.is_some() {
            return Err(malformed("Policy document should not specify a principal."));
        }
        if count(&statement.resource) + count(&statement.not_resource) == 0 {
            return Err(malformed("Policy statement must contain resources."));
        }
        statement.check_actions()?;
        for resource in
            [&statement.resource, &statement.not_resource].into_iter().flatten().flat_map(OneOrMany::iter)
        {
            if !(resource.starts_with('*') || resource.starts_with("arn:")) {
                return Err(malformed(format!("Resource {resource} must be in ARN format or \"*\".")));
            }
        }
        if let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty())
            && !sids.insert(sid.to_owned())
        {
            return Err(malformed("Statement IDs (SID) in a single policy must be unique."));
        }
    }
    Ok(())
}

/// Checks the trust policy of a role. Unlike an identity's policy, it may be without a version.
pub(super) fn check_trust(shared: &SandboxState, text: &str) -> Result<(), Fault> {
    if serde_json::from_str::<Value>(text).is_err() {
        return Err(malformed("This policy contains invalid Json"));
    }
    let document = parse(text).ok_or_else(|| malformed("Syntax errors in policy."))?;
    for statement in document.statement.iter() {
        if statement.resource.is_some() || statement.not_resource.is_some() {
            return Err(malformed("Has prohibited field Resource"));
        }
        statement.check_actions()?;
        let actions = statement.action.iter().flat_map(OneOrMany::iter);
        if actions.into_iter().any(|action| action != "*" && !action.to_ascii_lowercase().starts_with("sts:"))
        {
            return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
        }
        let Some(principal) = statement.principal.as_ref().or(statement.not_principal.as_ref()) else {
            return Err(malformed("Missing required field Principal"));
        };
        statement.check_principal(shared, principal)?;
    }
    Ok(())
}

fn count(list: &Option<OneOrMany<String>>) -> usize {
    list.iter().flat_map(OneOrMany::iter).count()
}

impl Statement {
    fn check_actions(&self) -> Result<(), Fault> {
        let actions = || [&self.action, &self.not_action].into_iter().flatten().flat_map(OneOrMany::iter);
        if actions().count() == 0 {
            return Err(malformed("Policy statement must contain actions."));
        }
        for action in actions().filter(|action| *action != "*") {
            match action.split(':').collect::<Vec<_>>()[..] {
                [_] => {
                    return Err(malformed(
                        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                    ));
                }
                [vendor, _] if vendor.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)) => {}
                [vendor, _] => return Err(malformed(format!("Vendor {vendor} is not valid"))),
                _ => return Err(malformed("Actions/Condition can contain only one colon.")),
            }
        }
        Ok(())
    }

    /// A principal of this account must exist, and a shared issuer must be narrowed down
    /// (docs/aws/iam.md#oidc-trust).
    fn check_principal(&self, shared: &SandboxState, principal: &Principal) -> Result<(), Fault> {
        let invalid =
            |kind: &str, name: &str| malformed(format!("Invalid principal in policy: \"{kind}\":\"{name}\""));
        let named = match principal {
            Principal::Everyone(star) if star == "*" => return Ok(()),
            Principal::Everyone(other) => return Err(invalid("AWS", other)),
            Principal::Named(named) => named,
        };
        for (kind, name) in named.iter().flat_map(|(kind, names)| names.iter().map(move |name| (*kind, name)))
        {
            match kind {
                PrincipalKind::Service if !name.ends_with(".amazonaws.com") => {
                    return Err(invalid("SERVICE", name));
                }
                PrincipalKind::Aws if !known_principal(shared, name) => return Err(invalid("AWS", name)),
                PrincipalKind::Federated
                    if shared.enforces(AwsRule::OidcTrust) && self.trusts_all_of_github(name) =>
                {
                    // The code is AWS's; its text is not known to us.
                    return Err(malformed(
                        "A trust policy for token.actions.githubusercontent.com must evaluate \
                         token.actions.githubusercontent.com:sub",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn trusts_all_of_github(&self, provider: &str) -> bool {
        const GITHUB: &str = "token.actions.githubusercontent.com";
        let subject = format!("{GITHUB}:sub");
        self.effect == Effect::Allow
            && provider.ends_with(GITHUB)
            && !self.condition.values().flat_map(BTreeMap::keys).any(|key| key.eq_ignore_ascii_case(&subject))
    }
}

/// `*`, an account, or an ARN; one of our own account's must be the caller or a role that exists.
fn known_principal(shared: &SandboxState, name: &str) -> bool {
    let is_ours = |arn: &Arn| arn_of("iam", "", &shared.account, arn.resource) == name;
    let Some(Arn { resource, .. }) = Arn::pattern(name).filter(is_ours) else {
        return name == "*" || is_account_id(name) || name.starts_with("arn:");
    };
    match resource.split_once('/') {
        Some(("role", rest)) => shared.global(ROLES).has(rest.rsplit('/').next().unwrap_or(rest)),
        Some(("user", user)) => user == CALLER,
        _ => resource == "root",
    }
}

impl Document {
    /// The services whose actions are allowed: `s3`, or `*`.
    pub(super) fn allowed_services(&self) -> impl Iterator<Item = &str> {
        let allowing = self.statement.iter().filter(|statement| statement.effect == Effect::Allow);
        allowing.flat_map(|statement| {
            let named = statement.action.iter().flat_map(OneOrMany::iter);
            // What NotAction leaves over is nearly everything.
            let rest = statement.not_action.iter().map(|_| "*");
            named.map(|action| action.split(':').next().unwrap_or(action)).chain(rest)
        })
    }
}

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A document as IAM's answers hold it: URL-encoded after RFC 3986 (docs/aws/iam.md#documents).
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A document's size as IAM counts it: without white space (docs/aws/iam.md#limits).
pub(super) fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        check_identity(text).err().map(|fault| fault.message).unwrap_or_default()
    }

    #[test]
    fn identity_policies_are_refused_as_aws_refuses_them() {
        let statement = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
        let with = |statement: &str| format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        assert_eq!(refusal(&with(statement)), "");
        assert_eq!(refusal(&with(&format!("[{statement},{statement}]"))), "");
        for (text, message) in [
            ("{".to_owned(), "Syntax errors in policy."),
            (with(r#"{"Effect":"allow it","Action":"s3:*","Resource":"*"}"#), "Syntax errors in policy."),
            (with(r#"{"Effect":"Allow","Actions":"s3:*","Resource":"*"}"#), "Syntax errors in policy."),
            (
                format!(r#"{{"Statement":{statement}}}"#),
                "Policy document must be version 2012-10-17 or greater.",
            ),
            (with(r#"{"Effect":"Allow","Action":"s3:*"}"#), "Policy statement must contain resources."),
            (
                with(r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#),
                "Policy statement must contain actions.",
            ),
            (
                with(r#"{"Effect":"Allow","Action":"GetObject","Resource":"*"}"#),
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ),
            (
                with(r#"{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}"#),
                "Resource bucket must be in ARN format or \"*\".",
            ),
            (
                with(r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*"}"#),
                "Policy document should not specify a principal.",
            ),
        ] {
            assert_eq!(refusal(&text), message, "{text}");
        }
    }

    #[test]
    fn documents_are_encoded_as_rfc_3986_has_it() {
        assert_eq!(encoded(r#"{"a": "*-._~"}"#), "%7B%22a%22%3A%20%22%2A-._~%22%7D");
    }
}
