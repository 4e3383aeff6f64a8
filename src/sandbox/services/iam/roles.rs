//! Roles, their trust, their boundary, and the managed policies attached to them.

use std::time::Duration;

use serde_json::{Value, json};

use super::assume::is_elsewhere;
use super::{
    ROLES, already_exists, delete_conflict, document, exceeds, listed, no_such_entity, pick, policies,
    profiles_of, stamp, taken, under_prefix, unique_id, wanted_tags,
};
use crate::call::{Answer, Call};
use crate::clock::Millis;
use crate::fault::Fault;
use crate::policy_form;
use crate::state::SandboxState;
use crate::store::merge;
use crate::tags;

/// Default quotas (docs/aws/iam.md#limits).
const MOST_ROLES: usize = 1_000;
const MOST_ATTACHED: usize = 10;
const LONGEST_TRUST: usize = 2_048;

/// How long a new role cannot be assumed: tools wait 5 to 60 s for it
/// (docs/aws/errors-and-retries.md#new-roles).
const PROPAGATION: Duration = Duration::from_secs(8);

/// Use that lies further back is not known (docs/aws/iam.md#last-used).
const TRACKED: Duration = Duration::from_secs(400 * 24 * 3_600);

pub(super) fn missing(name: &str) -> Fault {
    no_such_entity(format!("The role with name {name} cannot be found."))
}

/// The role that a call names.
pub(super) fn named(call: &Call) -> Result<Value, Fault> {
    let name = call.text("RoleName");
    call.shared.global(ROLES).get(name).ok_or_else(|| missing(name))
}

/// The ARN of the role that a call names, which must not be AWS's own.
pub(super) fn arn(call: &Call) -> Result<String, Fault> {
    let role = named(call)?;
    if !call.operation.starts_with("List") {
        modifiable(&role)?;
    }
    Ok(role["Arn"].as_str().unwrap_or_default().to_owned())
}

/// Service-linked roles are changed by AWS only (docs/aws/iam.md#service-linked-roles).
fn modifiable(role: &Value) -> Result<(), Fault> {
    if !role["Path"].as_str().is_some_and(|path| path.starts_with("/aws-service-role/")) {
        return Ok(());
    }
    let name = role["RoleName"].as_str().unwrap_or_default();
    let message = format!(
        "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
    );
    Err(Fault::new(400, "UnmodifiableEntity", message))
}

/// Changes the role that a call names, as one step; `change` makes a merge patch of what is there.
pub(super) fn change(call: &Call, change: impl FnOnce(&Value) -> Result<Value, Fault>) -> Result<(), Fault> {
    let name = call.text("RoleName");
    let changed = call.shared.global(ROLES).update(name, |entry| {
        modifiable(&entry.doc)?;
        let patch = change(&entry.doc)?;
        merge(&mut entry.doc, patch);
        Ok(())
    });
    changed?.ok_or_else(|| missing(name))
}

/// What every operation shows of a role. `ListRoles` shows no more: no tags, no boundary, no last use
/// (docs/aws/iam.md#reading-roles).
pub(super) fn summary(role: &Value) -> Value {
    let mut shown =
        pick(role, &["Path", "RoleName", "RoleId", "Arn", "CreateDate", "Description", "MaxSessionDuration"]);
    shown["AssumeRolePolicyDocument"] = encoded_trust(role);
    shown
}

pub(super) fn encoded_trust(role: &Value) -> Value {
    document::encoded(role["AssumeRolePolicyDocument"].as_str().unwrap_or_default()).into()
}

/// What is shown of one role in addition to its summary: boundary, tags, and last use.
pub(super) fn particulars(shared: &SandboxState, role: &Value) -> Value {
    let mut shown = pick(role, &["PermissionsBoundary"]);
    let tags = tags::of(shared, role["Arn"].as_str().unwrap_or_default());
    if !tags.is_empty() {
        shown["Tags"] = tags::to_list(&tags);
    }
    let oldest = shared.clock.now().saturating_sub(TRACKED.as_millis() as Millis);
    let used = role["RoleLastUsed"]["LastUsedDate"].as_str();
    let known = used.is_some_and(|date| date >= stamp(oldest).as_str());
    shown["RoleLastUsed"] = if known { role["RoleLastUsed"].clone() } else { json!({}) };
    shown
}

/// A role's document.
pub(super) fn new_role(call: &Call, path: &str, name: &str, trust: &str) -> Value {
    let now = call.now();
    let usable_at = now + call.shared.pace.of(PROPAGATION).as_millis() as Millis;
    json!({
        "Path": path,
        "RoleName": name,
        "RoleId": unique_id("AROA", call, name),
        "Arn": super::arn(&call.shared, "role", path, name),
        "CreateDate": stamp(now),
        "AssumeRolePolicyDocument": trust,
        "MaxSessionDuration": 3_600,
        "Inline": {},
        "Attached": {},
        "UsableAt": usable_at,
    })
}

pub(super) fn create_role(call: &Call) -> Answer {
    let (name, path) = (call.text("RoleName"), call.maybe("Path").unwrap_or("/"));
    if path.starts_with("/aws-") {
        let message = format!("Path {path} is reserved for AWS service-linked roles.");
        return Err(Fault::new(400, "InvalidInput", message));
    }
    let trust = trust_of(call, "AssumeRolePolicyDocument")?;
    let wanted = wanted_tags(call)?;
    let mut role = new_role(call, path, name, &trust);
    let boundary = call.maybe("PermissionsBoundary").map(|arn| boundary(call, arn)).transpose()?;
    merge(
        &mut role,
        json!({
            "Description": call.maybe("Description"),
            "MaxSessionDuration": call.number("MaxSessionDuration").unwrap_or(3_600),
            "PermissionsBoundary": boundary,
        }),
    );
    add_role(call, name, &role)?;
    tags::add(&call.shared, role["Arn"].as_str().unwrap_or_default(), wanted, "InvalidInput")?;
    let mut shown = summary(&role);
    let mut more = particulars(&call.shared, &role);
    more["RoleLastUsed"] = Value::Null;
    merge(&mut shown, more);
    Ok(json!({"Role": shown}))
}

pub(super) fn add_role(call: &Call, name: &str, role: &Value) -> Result<(), Fault> {
    let roles = call.shared.global(ROLES);
    if roles.list("").len() >= MOST_ROLES {
        return Err(exceeds("RolesPerAccount", MOST_ROLES));
    }
    if taken(&call.shared, ROLES, "RoleName", name) || !roles.insert_new(name, role.clone())? {
        return Err(already_exists(format!("Role with name {name} already exists.")));
    }
    Ok(())
}

fn trust_of(call: &Call, member: &str) -> Result<String, Fault> {
    let trust = call.text(member);
    document::check_trust(&call.shared, trust)?;
    if document::size(trust) > LONGEST_TRUST {
        return Err(exceeds("ACLSizePerRole", LONGEST_TRUST));
    }
    Ok(policy_form::kept(&call.shared, trust))
}

fn boundary(call: &Call, arn: &str) -> Result<Value, Fault> {
    if policies::find(&call.shared, arn).is_none() && !is_elsewhere(&call.shared, arn) {
        let message = format!("Scope ARN: {arn} does not exist or is not attachable.");
        return Err(no_such_entity(message));
    }
    Ok(json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}))
}

pub(super) fn get_role(call: &Call) -> Answer {
    let role = named(call)?;
    let mut shown = summary(&role);
    merge(&mut shown, particulars(&call.shared, &role));
    Ok(json!({"Role": shown}))
}

pub(super) fn list_roles(call: &Call) -> Answer {
    let roles = under_prefix(call, call.shared.global(ROLES).list(""));
    listed(call, "Roles", roles.into_iter().map(|(name, role)| (name, summary(&role))).collect())
}

pub(super) fn update_role(call: &Call) -> Answer {
    let mut patch = json!({});
    if let Some(description) = call.maybe("Description") {
        patch["Description"] = json!(description);
    }
    if let Some(duration) = call.number("MaxSessionDuration") {
        patch["MaxSessionDuration"] = json!(duration);
    }
    change(call, |_| Ok(patch))?;
    Ok(json!({}))
}

pub(super) fn update_assume_role_policy(call: &Call) -> Answer {
    named(call)?;
    let trust = trust_of(call, "PolicyDocument")?;
    change(call, |_| Ok(json!({"AssumeRolePolicyDocument": trust})))?;
    Ok(json!({}))
}

/// The API does not cascade: what hangs on the role has to go first (docs/aws/iam.md#deleting-a-role).
pub(super) fn delete_role(call: &Call) -> Answer {
    let role = named(call)?;
    modifiable(&role)?;
    let name = call.text("RoleName");
    let holds = |member: &str| role[member].as_object().is_some_and(|held| !held.is_empty());
    if !profiles_of(&call.shared, name).is_empty() {
        return Err(delete_conflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    if holds("Attached") {
        return Err(delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    if holds("Inline") {
        return Err(delete_conflict("Cannot delete entity, must delete policies first."));
    }
    remove(&call.shared, &role)?;
    Ok(json!({}))
}

pub(super) fn remove(shared: &SandboxState, role: &Value) -> Result<(), Fault> {
    shared.global(ROLES).remove(role["RoleName"].as_str().unwrap_or_default())?;
    tags::forget(shared, role["Arn"].as_str().unwrap_or_default())
}

pub(super) fn put_role_permissions_boundary(call: &Call) -> Answer {
    named(call)?;
    let boundary = boundary(call, call.text("PermissionsBoundary"))?;
    change(call, |_| Ok(json!({"PermissionsBoundary": boundary})))?;
    Ok(json!({}))
}

pub(super) fn delete_role_permissions_boundary(call: &Call) -> Answer {
    change(call, |_| Ok(json!({"PermissionsBoundary": null})))?;
    Ok(json!({}))
}

pub(super) fn attach_role_policy(call: &Call) -> Answer {
    named(call)?;
    let arn = call.text("PolicyArn");
    let policy = policies::find(&call.shared, arn).ok_or_else(|| policies::not_attachable(arn))?;
    if policy["Path"] == "/aws-service-role/" {
        let message = "Cannot attach a Service Role Policy to a Customer Role.";
        return Err(Fault::new(400, "PolicyNotAttachable", message));
    }
    change(call, |role| {
        let attached = role["Attached"].as_object();
        if attached.is_some_and(|held| held.len() >= MOST_ATTACHED && !held.contains_key(arn)) {
            return Err(exceeds("PoliciesPerRole", MOST_ATTACHED));
        }
        Ok(json!({"Attached": {arn: policy["PolicyName"]}}))
    })?;
    Ok(json!({}))
}

pub(super) fn detach_role_policy(call: &Call) -> Answer {
    let arn = call.text("PolicyArn");
    change(call, |role| match role["Attached"].get(arn) {
        Some(_) => Ok(json!({"Attached": {arn: null}})),
        None => Err(no_such_entity(format!("Policy {arn} was not found."))),
    })?;
    Ok(json!({}))
}

/// `[(arn, {PolicyName, PolicyArn})]` of what is attached to a role.
pub(super) fn attached(role: &Value) -> Vec<(String, Value)> {
    let attached = role["Attached"].as_object().into_iter().flatten();
    attached.map(|(arn, name)| (arn.clone(), json!({"PolicyName": name, "PolicyArn": arn}))).collect()
}

pub(super) fn list_attached_role_policies(call: &Call) -> Answer {
    let prefix = format!(":policy{}", call.maybe("PathPrefix").unwrap_or("/"));
    let mut attached = attached(&named(call)?);
    attached.retain(|(arn, _)| arn.contains(&prefix));
    listed(call, "AttachedPolicies", attached)
}
