//! Inline policies of roles.

use serde_json::{Value, json};

use super::roles::{change, named};
use super::{document, listed, no_such_entity};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::policy_form;

/// All inline policies of a role together, without white space (docs/aws/iam.md#limits).
const MOST_CHARACTERS: usize = 10_240;

fn missing(name: &str) -> Fault {
    no_such_entity(format!("The role policy with name {name} cannot be found."))
}

pub(super) fn put_role_policy(call: &Call) -> Answer {
    named(call)?;
    let (role_name, name, text) =
        (call.text("RoleName"), call.text("PolicyName"), call.text("PolicyDocument"));
    document::check_identity(text)?;
    let text = policy_form::kept(&call.shared, text);
    change(call, |role| {
        let others = role["Inline"].as_object().into_iter().flatten().filter(|(known, _)| *known != name);
        let used: usize = others.filter_map(|(_, text)| text.as_str()).map(document::size).sum();
        if used + document::size(&text) > MOST_CHARACTERS {
            let message =
                format!("Maximum policy size of {MOST_CHARACTERS} bytes exceeded for role {role_name}");
            return Err(Fault::new(409, "LimitExceeded", message));
        }
        Ok(json!({"Inline": {name: text}}))
    })?;
    Ok(json!({}))
}

pub(super) fn get_role_policy(call: &Call) -> Answer {
    let name = call.text("PolicyName");
    let role = named(call)?;
    let text = role["Inline"][name].as_str().ok_or_else(|| missing(name))?;
    Ok(json!({
        "RoleName": call.text("RoleName"),
        "PolicyName": name,
        "PolicyDocument": document::encoded(text),
    }))
}

pub(super) fn list_role_policies(call: &Call) -> Answer {
    let role = named(call)?;
    let names = role["Inline"].as_object().into_iter().flatten().map(|(name, _)| (name.clone(), json!(name)));
    listed(call, "PolicyNames", names.collect())
}

pub(super) fn delete_role_policy(call: &Call) -> Answer {
    let name = call.text("PolicyName");
    change(call, |role| match role["Inline"].get(name) {
        Some(_) => Ok(json!({"Inline": {name: null}})),
        None => Err(missing(name)),
    })?;
    Ok(json!({}))
}

/// `[{PolicyName, PolicyDocument}]` of a role, as an audit reads them.
pub(super) fn of_role(role: &Value) -> Vec<Value> {
    let all = role["Inline"].as_object().into_iter().flatten();
    all.filter_map(|(name, text)| {
        Some(json!({"PolicyName": name, "PolicyDocument": document::encoded(text.as_str()?)}))
    })
    .collect()
}
