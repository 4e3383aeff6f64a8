//! `SimulatePrincipalPolicy` and `SimulateCustomPolicy`, answered from the policy engine (`opsctl-iam`).
//!
//! The sandbox's user counts as an administrator, unless a test has given the user policies
//! ([`super::control`]). A role has what is attached to it, within its boundary. Policies that the request
//! brings are added to those, as AWS adds them
//! (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>).
//!
//! One result for each action, with the most restrictive decision of all resources, and the decision of each
//! resource in it
//! (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html>).

use std::collections::BTreeSet;

use opsctl_iam::policy::{Document, Policy};
use opsctl_iam::request::{Request, Verdict};
use serde_json::{Value, json};

use super::held::{self, Held};
use super::{no_such_entity, page};
use crate::call::{Answer, Call};
use crate::fault::Fault;

/// What would change the answer, and is not simulated here.
const UNSUPPORTED: &[&str] =
    &["CallerArn", "PolicyExclusionList", "ResourceHandlingOption", "ResourcePolicy"];

pub(super) fn principal(call: &Call) -> Answer {
    let source = call.text("PolicySourceArn");
    let mut held = held::of(&call.shared, source)
        .ok_or_else(|| no_such_entity(format!("The entity {source} cannot be found.")))?;
    held.policies.extend(given(call, "PolicyInputList")?);
    answer(call, bounded(call, held)?)
}

pub(super) fn custom(call: &Call) -> Answer {
    let policies = given(call, "PolicyInputList")?;
    answer(call, bounded(call, Held { policies, boundary: None })?)
}

/// With the boundary of the request in the place of its own.
fn bounded(call: &Call, held: Held) -> Result<Held, Fault> {
    let boundary = given(call, "PermissionsBoundaryPolicyInputList")?;
    Ok(if boundary.is_empty() { held } else { Held { boundary: Some(boundary), ..held } })
}

/// The policies that a request brings.
fn given(call: &Call, member: &str) -> Result<Vec<Policy>, Fault> {
    let texts = call.list(member).iter().filter_map(Value::as_str);
    let read = |text: &str| {
        let malformed = || Fault::new(400, "InvalidInput", format!("Syntax errors in policy: {text}"));
        serde_json::from_str::<Value>(text).map_err(|_| malformed())?;
        Document::read(text.into()).policy().cloned().ok_or_else(malformed)
    };
    texts.map(read).collect()
}

fn answer(call: &Call, held: Held) -> Answer {
    if let Some(member) = UNSUPPORTED.iter().find(|member| call.input.get(**member).is_some()) {
        return Err(Fault::new(400, "InvalidInput", format!("The sandbox does not simulate {member}.")));
    }
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
        let of_all = match resources.as_slice() {
            [one] => one.as_str(),
            _ => "*",
        };
        let shown = json!({
            "EvalActionName": action, "EvalResourceName": of_all,
            "EvalDecision": denied.unwrap_or(Verdict::Allowed).as_str(),
            "MatchedStatements": [], "MissingContextValues": missing,
            "ResourceSpecificResults": each.collect::<Vec<_>>(),
        });
        results.push((action.clone(), shown));
    }
    let page = page(call, results)?;
    Ok(json!({"EvaluationResults": page.items, "IsTruncated": page.next.is_some(), "Marker": page.next}))
}
