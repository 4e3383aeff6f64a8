//! Instance profiles: how a role gets onto an EC2 instance.

use std::time::Duration;

use serde_json::{Value, json};

use super::assume::is_elsewhere;
use super::{
    PROFILES, ROLES, already_exists, delete_conflict, exceeds, listed, no_such_entity, pick, profiles_of,
    roles, stamp, taken, under_prefix, unique_id, wanted_tags,
};
use crate::call::{Answer, Call};
use crate::clock::Millis;
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::state::SandboxState;
use crate::store::merge;
use crate::tags;

/// How long EC2 does not know a new profile, although IAM shows it
/// (docs/aws/errors-and-retries.md#new-instance-profiles).
const PROPAGATION: Duration = Duration::from_secs(10);

fn missing(name: &str) -> Fault {
    no_such_entity(format!("Instance Profile {name} cannot be found."))
}

fn named(call: &Call) -> Result<Value, Fault> {
    let name = call.text("InstanceProfileName");
    call.shared.global(PROFILES).get(name).ok_or_else(|| missing(name))
}

/// The ARN of the profile that a call names.
pub(super) fn arn(call: &Call) -> Result<String, Fault> {
    Ok(named(call)?["Arn"].as_str().unwrap_or_default().to_owned())
}

/// A profile as it is shown: with the whole role, and with tags where AWS shows them.
pub(super) fn shown(shared: &SandboxState, profile: &Value) -> Value {
    let mut shown = pick(profile, &["Path", "InstanceProfileName", "InstanceProfileId", "Arn", "CreateDate"]);
    let role = profile["RoleName"].as_str().and_then(|name| shared.global(ROLES).get(name));
    shown["Roles"] = role.iter().map(roles::summary).collect();
    shown
}

fn shown_with_tags(shared: &SandboxState, profile: &Value) -> Value {
    let mut shown = shown(shared, profile);
    shown["Tags"] = tags::to_list(&tags::of(shared, profile["Arn"].as_str().unwrap_or_default()));
    shown
}

/// When EC2 will have heard of a change that is made now.
fn propagated_at(call: &Call) -> Millis {
    call.now() + call.shared.pace.of(PROPAGATION).as_millis() as Millis
}

pub(super) fn create_instance_profile(call: &Call) -> Answer {
    let (name, path) = (call.text("InstanceProfileName"), call.maybe("Path").unwrap_or("/"));
    let wanted = wanted_tags(call)?;
    let arn = super::arn(&call.shared, "instance-profile", path, name);
    let profile = json!({
        "Path": path,
        "InstanceProfileName": name,
        "InstanceProfileId": unique_id("AIPA", call, name),
        "Arn": arn,
        "CreateDate": stamp(call.now()),
        "UsableAt": propagated_at(call),
    });
    let known = taken(&call.shared, PROFILES, "InstanceProfileName", name);
    if known || !call.shared.global(PROFILES).insert_new(name, profile.clone())? {
        return Err(already_exists(format!("Instance Profile {name} already exists.")));
    }
    tags::add(&call.shared, &arn, wanted, "InvalidInput")?;
    Ok(json!({"InstanceProfile": shown_with_tags(&call.shared, &profile)}))
}

pub(super) fn get_instance_profile(call: &Call) -> Answer {
    Ok(json!({"InstanceProfile": shown_with_tags(&call.shared, &named(call)?)}))
}

fn list(call: &Call, profiles: Vec<(String, Value)>) -> Answer {
    let shown = profiles.into_iter().map(|(name, profile)| (name, shown(&call.shared, &profile)));
    listed(call, "InstanceProfiles", shown.collect())
}

pub(super) fn list_instance_profiles(call: &Call) -> Answer {
    list(call, under_prefix(call, call.shared.global(PROFILES).list("")))
}

pub(super) fn list_instance_profiles_for_role(call: &Call) -> Answer {
    roles::named(call)?;
    list(call, profiles_of(&call.shared, call.text("RoleName")))
}

fn change(call: &Call, change: impl FnOnce(&Value) -> Result<Value, Fault>) -> Result<(), Fault> {
    let name = call.text("InstanceProfileName");
    let changed = call.shared.global(PROFILES).update(name, |entry| {
        let patch = change(&entry.doc)?;
        merge(&mut entry.doc, patch);
        Ok(())
    });
    changed?.ok_or_else(|| missing(name))
}

/// A profile holds one role; that is a hard limit (docs/aws/iam.md#instance-profiles).
pub(super) fn add_role_to_instance_profile(call: &Call) -> Answer {
    named(call)?;
    roles::arn(call)?;
    let usable_at = propagated_at(call);
    change(call, |profile| match profile["RoleName"].as_str() {
        Some(_) => Err(exceeds("InstanceSessionsPerInstanceProfile", 1)),
        None => Ok(json!({"RoleName": call.text("RoleName"), "UsableAt": usable_at})),
    })?;
    Ok(json!({}))
}

pub(super) fn remove_role_from_instance_profile(call: &Call) -> Answer {
    let role = call.text("RoleName");
    change(call, |profile| {
        if profile["RoleName"] == role { Ok(json!({"RoleName": null})) } else { Err(roles::missing(role)) }
    })?;
    Ok(json!({}))
}

pub(super) fn delete_instance_profile(call: &Call) -> Answer {
    let profile = named(call)?;
    if profile["RoleName"].is_string() {
        return Err(delete_conflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    call.shared.global(PROFILES).remove(call.text("InstanceProfileName"))?;
    tags::forget(&call.shared, profile["Arn"].as_str().unwrap_or_default())?;
    Ok(json!({}))
}

/// An instance profile as EC2 sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub arn: String,
    pub id: String,
    /// Without a role, no instance can start with it.
    pub role_arn: Option<String>,
}

/// The profile with this name or ARN, when EC2 knows it by now (rule `profile-propagation`,
/// docs/aws/errors-and-retries.md#new-instance-profiles).
pub fn instance_profile(shared: &SandboxState, name_or_arn: &str) -> Option<Profile> {
    let name = name_or_arn.rsplit('/').next().unwrap_or(name_or_arn);
    if name_or_arn.starts_with("arn:") && is_elsewhere(shared, name_or_arn) {
        let (arn, id) = (name_or_arn.to_owned(), "AIPAELSEWHERE".to_owned());
        return Some(Profile { role_arn: Some(arn.replacen(":instance-profile/", ":role/", 1)), arn, id });
    }
    let profile = shared.global(PROFILES).get(name)?;
    let text = |member: &str| profile[member].as_str().map(str::to_owned);
    let arn = text("Arn")?;
    if name_or_arn.starts_with("arn:") && name_or_arn != arn {
        return None;
    }
    let usable = profile["UsableAt"].as_u64().is_some_and(|at| at <= shared.clock.now());
    if shared.enforces(AwsRule::ProfilePropagation) && !usable {
        return None;
    }
    let role = text("RoleName").and_then(|name| shared.global(ROLES).get(&name));
    let role_arn = role.and_then(|role| role["Arn"].as_str().map(str::to_owned));
    Some(Profile { arn, id: text("InstanceProfileId")?, role_arn })
}
