//! `SimulatePrincipalPolicy`, answered from the policy engine (`opsctl-iam`).
//!
//! The sandbox takes any call of its user, who counts as an administrator here too, unless a test has given
//! the user policies ([`super::control`]). A role has what is attached to it, within its boundary.
//!
//! One result for each action, with the most restrictive decision of all resources, and the decision of each
//! resource in it
//! (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html>).

use std::collections::BTreeSet;

use opsctl_iam::policy::{Document, Policy};
use opsctl_iam::request::{Request, Verdict};
use serde_json::{Value, json};

use super::{ROLES, arn, no_such_entity, page, policies, roles};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::services::sts::CALLER;
use crate::state::SandboxState;

/// What a test has given the sandbox's user: a list of documents.
pub(super) const USER: &str = "iam.user";
pub(super) const POLICIES: &str = "Policies";

/// What somebody may do, and what is at most allowed.
struct Held {
    policies: Vec<Policy>,
    boundary: Option<Vec<Policy>>,
}

/// What would change the answer, and is not simulated here.
const UNSUPPORTED: &[&str] = &[
    "CallerArn",
    "PermissionsBoundaryPolicyInputList",
    "PolicyExclusionList",
    "PolicyInputList",
    "ResourcePolicy",
];

pub(super) fn simulate(call: &Call) -> Answer {
    if let Some(member) = UNSUPPORTED.iter().find(|member| call.input.get(**member).is_some()) {
        return Err(Fault::new(400, "InvalidInput", format!("The sandbox does not simulate {member}.")));
    }
    let source = call.text("PolicySourceArn");
    let held = held(&call.shared, source)?;
    let texts = |member: &str| call.list(member).iter().filter_map(Value::as_str).map(str::to_owned);
    let resources: Vec<String> = texts("ResourceArns").collect();
    let resources = if resources.is_empty() { vec!["*".to_owned()] } else { resources };
    let context: Vec<(String, String)> = call
        .list("ContextEntries")
        .iter()
        .flat_map(|entry| {
            let key = entry["ContextKeyName"].as_str().unwrap_or_default();
            let values = entry["ContextKeyValues"].as_array().into_iter().flatten();
            values.filter_map(Value::as_str).map(move |value| (key.to_owned(), value.to_owned()))
        })
        .collect();
    let mut results = Vec::new();
    for action in texts("ActionNames") {
        if action.split_once(':').is_none_or(|(service, name)| service.is_empty() || name.is_empty()) {
            return Err(Fault::new(400, "InvalidInput", format!("Invalid Action Name: {action}")));
        }
        let asked = |resource: &String| {
            let request = Request { action: &action, resource, context: &context };
            (held.verdict(&request), held.missing(&request))
        };
        let answers: Vec<(Verdict, BTreeSet<String>)> = resources.iter().map(asked).collect();
        let each = resources.iter().zip(&answers).map(|(resource, (verdict, missing))| {
            json!({
                "EvalResourceName": resource, "EvalResourceDecision": verdict.as_str(),
                "MatchedStatements": [], "MissingContextValues": missing,
            })
        });
        let has = |wanted: Verdict| answers.iter().any(|(verdict, _)| *verdict == wanted);
        let denied = [Verdict::ExplicitDeny, Verdict::ImplicitDeny].into_iter().find(|verdict| has(*verdict));
        let missing: BTreeSet<&String> = answers.iter().flat_map(|(_, missing)| missing).collect();
        let shown = json!({
            "EvalActionName": action, "EvalDecision": denied.unwrap_or(Verdict::Allowed).as_str(),
            "MatchedStatements": [], "MissingContextValues": missing,
            "ResourceSpecificResults": each.collect::<Vec<_>>(),
        });
        results.push((action.clone(), shown));
    }
    let page = page(call, results)?;
    Ok(json!({"EvaluationResults": page.items, "IsTruncated": page.next.is_some(), "Marker": page.next}))
}

/// Whether a role may do this: for services that act with one.
///
/// # Errors
/// There is no such role.
pub fn may(
    shared: &SandboxState,
    role: &str,
    action: &str,
    resource: &str,
    context: &[(String, String)],
) -> Result<bool, Fault> {
    let request = Request { action, resource, context };
    Ok(held(shared, role)?.verdict(&request) == Verdict::Allowed)
}

impl Held {
    /// Keys of conditions that the question does not have.
    fn missing(&self, request: &Request<'_>) -> BTreeSet<String> {
        let all: Vec<&Policy> = self.policies.iter().chain(self.boundary.iter().flatten()).collect();
        request.missing(&all).into_iter().map(str::to_owned).collect()
    }

    fn verdict(&self, request: &Request<'_>) -> Verdict {
        let of = |policies: &[Policy]| request.verdict(&policies.iter().collect::<Vec<_>>());
        match (of(&self.policies), self.boundary.as_deref().map(of)) {
            (_, Some(Verdict::ExplicitDeny)) => Verdict::ExplicitDeny,
            (Verdict::Allowed, Some(Verdict::ImplicitDeny)) => Verdict::ImplicitDeny,
            (verdict, _) => verdict,
        }
    }
}

fn held(shared: &SandboxState, source: &str) -> Result<Held, Fault> {
    let unknown = || no_such_entity(format!("The entity {source} cannot be found."));
    if source == arn(shared, "user", "/", CALLER) {
        let given = shared.global(USER).get(CALLER);
        let everything = json!([{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}]);
        let documents = given.map_or(everything, |user| user[POLICIES].clone());
        let policies = documents.as_array().into_iter().flatten().cloned().filter_map(read).collect();
        return Ok(Held { policies, boundary: None });
    }
    let name =
        source.split_once(":role/").and_then(|(_, rest)| rest.rsplit('/').next()).ok_or_else(unknown)?;
    let role = shared.global(ROLES).get(name).filter(|role| role["Arn"] == source).ok_or_else(unknown)?;
    let managed = |arn: &str| read(policies::text(&policies::find(shared, arn)?)?.into());
    let inline = super::inline::of_role(&role);
    let inline = inline.iter().filter_map(|policy| read(policy["PolicyDocument"].clone()));
    let attached = roles::attached(&role).into_iter().filter_map(|(arn, _)| managed(&arn));
    let boundary = role["PermissionsBoundary"]["PermissionsBoundaryArn"].as_str();
    let boundary = boundary.map(|arn| managed(arn).into_iter().collect());
    Ok(Held { policies: inline.chain(attached).collect(), boundary })
}

fn read(document: Value) -> Option<Policy> {
    Document::read(document).policy().cloned()
}
