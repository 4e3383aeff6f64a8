//! `SimulatePrincipalPolicy`, answered from the policy engine (`opsctl-iam`).
//!
//! The sandbox takes any call of its user, who counts as an administrator here too, unless a test has given
//! the user policies ([`super::control`]). A role has what is attached to it, within its boundary.

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
        for resource in &resources {
            let request = Request { action: &action, resource, context: &context };
            let verdict = held.verdict(&request);
            let shown = json!({
                "EvalActionName": action, "EvalResourceName": resource, "EvalDecision": verdict.as_str(),
                "MatchedStatements": [], "MissingContextValues": [],
            });
            results.push((format!("{action} {resource}"), shown));
        }
    }
    let page = page(call, results)?;
    Ok(json!({"EvaluationResults": page.items, "IsTruncated": page.next.is_some(), "Marker": page.next}))
}

impl Held {
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
