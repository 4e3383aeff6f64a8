//! Decides every request of a session of a role, and those of the user when a test has restricted the user:
//! by the policies of the identity, its boundary and its session, and by those of buckets and functions
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>).
//!
//! `objects` and `resources` say which actions on which resources an operation needs. What cannot be known
//! (a variable, an address, the tags of a request of EC2's) counts for the caller: what is refused here, AWS
//! refuses too.

mod need;
mod objects;
mod resources;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use opsctl_iam::favor::{Named, PartlyKnown};
use opsctl_iam::policy::{Document, Policy, Statement};
use opsctl_iam::request::Verdict;

use super::iam::{self, Held};
use crate::AwsRule;
use crate::authority::{Authority, CALLER, Denied, Principal, Request};
use crate::state::SandboxState;
use crate::tags;
use need::Need;

/// Has this decide from now on.
pub fn plug(shared: &SandboxState) {
    shared.extensions.plug::<dyn Authority>(Arc::new(Policies));
}

struct Policies;

impl Authority for Policies {
    fn decide(&self, shared: &SandboxState, request: &Request<'_>) -> Result<(), Denied> {
        let Some(caller) = Caller::of(shared, request) else { return Ok(()) };
        let needs = match request.service {
            "s3" => objects::needs(shared, request),
            _ => resources::needs(shared, request),
        };
        needs.iter().try_for_each(|need| caller.decide(need))
    }
}

/// Whether a principal may assume a role: the role's trust decides, and where that names only the account,
/// the principal's own policies too.
///
/// # Errors
/// The refusal.
pub fn assume(
    shared: &SandboxState,
    principal: &Principal,
    role: &str,
    trust: Option<Policy>,
) -> Result<(), Denied> {
    let request = Request {
        principal,
        service: "sts",
        operation: "AssumeRole",
        region: &shared.region,
        input: &serde_json::Value::Null,
    };
    let caller = Caller::of(shared, &request).unwrap_or_else(|| Caller::user(shared, everything()));
    let need = Need::new("sts:AssumeRole", [role.to_owned()]).of_trust(trust);
    caller.decide(&need)
}

fn everything() -> Held {
    let all = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
    Held { policies: read(all).into_iter().collect(), boundary: None }
}

fn read(text: &str) -> Option<Policy> {
    Document::read(text.into()).policy().cloned()
}

/// Who asks, with all that decides what they may do.
struct Caller {
    arn: String,
    account: String,
    /// Under which names policies of resources may know the caller.
    names: Vec<String>,
    held: Held,
    session: Option<Policy>,
    context: Vec<(String, String)>,
}

/// Keys that are in the context, or in no request that comes here; one that ends in `/` begins many.
const KNOWN: &[&str] = &[
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principaltag/",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
];

impl Caller {
    /// `None`: may do everything, or is of a role of which nobody here knows what it may do.
    fn of(shared: &SandboxState, request: &Request<'_>) -> Option<Self> {
        let mut caller = match request.principal {
            Principal::User => Self::user(shared, iam::of_user(shared)?),
            Principal::Session(_) if !shared.enforces(AwsRule::RolePolicies) => return None,
            Principal::Session(session) => {
                let role = iam::assumed_role(shared, &session.role)?;
                let own = [
                    ("aws:PrincipalArn".to_owned(), session.role.clone()),
                    ("aws:PrincipalType".to_owned(), "AssumedRole".to_owned()),
                    ("aws:userid".to_owned(), format!("{}:{}", role.id, session.name)),
                ];
                let tags = tags::of(shared, &session.role).into_iter();
                let tags = tags.map(|(key, value)| (format!("aws:PrincipalTag/{key}"), value));
                Self {
                    arn: session.arn(),
                    account: shared.account.clone(),
                    names: vec![session.role.clone(), session.arn()],
                    held: role.held,
                    session: session.policy.as_deref().and_then(read),
                    context: own.into_iter().chain(tags).collect(),
                }
            }
        };
        // AWS's own endpoints have TLS, and no client of the sandbox says that it has none.
        for (key, value) in [
            ("aws:PrincipalAccount", shared.account.as_str()),
            ("aws:RequestedRegion", request.region),
            ("aws:SecureTransport", "true"),
            ("aws:ViaAWSService", "false"),
            ("aws:PrincipalIsAWSService", "false"),
        ] {
            caller.context.push((key.to_owned(), value.to_owned()));
        }
        Some(caller)
    }

    fn user(shared: &SandboxState, held: Held) -> Self {
        let arn = shared.arn("iam", "", &format!("user/{CALLER}"));
        let context = [("PrincipalArn", arn.as_str()), ("PrincipalType", "User"), ("username", CALLER)];
        Self {
            account: shared.account.clone(),
            names: vec![arn.clone()],
            held,
            session: None,
            context: context.map(|(key, value)| (format!("aws:{key}"), value.to_owned())).into(),
            arn,
        }
    }

    fn decide(&self, need: &Need) -> Result<(), Denied> {
        match self.refusal(need) {
            None => Ok(()),
            Some(why) => {
                let (who, action) = (&self.arn, &need.action);
                let on = need.shown().map(|resource| format!(" on resource: {resource}")).unwrap_or_default();
                Err(Denied(format!("User: {who} is not authorized to perform: {action}{on}{why}")))
            }
        }
    }

    /// What speaks against it, in AWS's words
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>).
    fn refusal(&self, need: &Need) -> Option<String> {
        let of = |policies: &[Policy]| self.verdict(need, policies.iter().flat_map(|p| &p.statements));
        let identity = of(&self.held.policies);
        let boundary = self.held.boundary.as_deref().map_or(Verdict::Allowed, of);
        let session =
            self.session.as_ref().map_or(Verdict::Allowed, |policy| of(std::slice::from_ref(policy)));
        let named = |wanted: &'static [Named]| {
            let statements = need.resource_policy.iter().flat_map(|policy| &policy.statements);
            statements.filter(move |s| {
                s.principals.as_ref().is_some_and(|p| wanted.contains(&p.name(&self.names, &self.account)))
            })
        };
        let of_all = self.verdict(need, named(&[Named::Account, Named::Directly]));
        let direct = self.verdict(need, named(&[Named::Directly]));

        let explicit = [
            (identity, "an identity-based policy"),
            (boundary, "a permissions boundary"),
            (session, "a session policy"),
            (of_all, "a resource-based policy"),
        ];
        if let Some((_, kind)) = explicit.iter().find(|(verdict, _)| *verdict == Verdict::ExplicitDeny) {
            return Some(format!(" with an explicit deny in {kind}"));
        }
        let without = |kind: &str| Some(format!(" because no {kind} allows the {} action", need.action));
        match (identity, direct) {
            // What a trust leaves to the account is up to the caller's policies; AWS names no policy here.
            _ if need.by_trust && of_all != Verdict::Allowed => Some(String::new()),
            (Verdict::Allowed, _) | (_, Verdict::Allowed) => match (boundary, session) {
                (Verdict::ImplicitDeny, _) => without("permissions boundary"),
                (_, Verdict::ImplicitDeny) => without("session policy"),
                _ => None,
            },
            _ => without("identity-based policy"),
        }
    }

    fn verdict<'s>(
        &self,
        need: &Need,
        statements: impl Iterator<Item = &'s Arc<Statement>> + Clone,
    ) -> Verdict {
        let context: Vec<_> = self.context.iter().chain(&need.context).cloned().collect();
        let knows = |key: &str| {
            let key = key.to_ascii_lowercase();
            let is_it = |known: &&str| key == **known || known.ends_with('/') && key.starts_with(*known);
            KNOWN.iter().any(&is_it) || need.knows.iter().any(is_it)
        };
        let (action, resources) = (&need.action, &need.resources);
        PartlyKnown { action, resources, context: &context, knows: &knows }
            .verdict(statements.map(AsRef::as_ref))
    }
}
