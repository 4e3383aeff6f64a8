//! Managed policies: the account's own with their versions, and AWS's, which can only be read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    POLICIES, ROLES, already_exists, aws_managed, delete_conflict, document, exceeds, listed, no_such_entity,
    pick, stamp, taken, under_prefix, unique_id, wanted_tags,
};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::policy_form;
use crate::state::SandboxState;
use crate::store::merge;
use crate::tags;

/// docs/aws/iam.md#limits.
const MOST_POLICIES: usize = 1_500;
const MOST_VERSIONS: usize = 5;
const LONGEST: usize = 6_144;

/// A policy of the account or of AWS, by its ARN.
pub(super) fn find(shared: &SandboxState, arn: &str) -> Option<Value> {
    aws_managed::find(arn).or_else(|| shared.global(POLICIES).get(arn))
}

fn missing(arn: &str) -> Fault {
    no_such_entity(format!("Policy {arn} was not found."))
}

pub(super) fn not_attachable(arn: &str) -> Fault {
    let known = if arn.starts_with("arn:aws:iam::aws:") {
        " (the sandbox knows some of AWS's policies only; see https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md)"
    } else {
        ""
    };
    no_such_entity(format!("Policy {arn} does not exist or is not attachable.{known}"))
}

fn named(call: &Call) -> Result<Value, Fault> {
    let arn = call.text("PolicyArn");
    find(&call.shared, arn).ok_or_else(|| missing(arn))
}

/// The ARN of the policy that a call names.
pub(super) fn arn(call: &Call) -> Result<String, Fault> {
    let arn = call.text("PolicyArn");
    if call.operation.starts_with("List") {
        named(call)?;
    } else {
        own(call)?;
    }
    Ok(arn.to_owned())
}

/// The policy that a call is to change: AWS's own cannot be changed.
fn own(call: &Call) -> Result<Value, Fault> {
    let arn = call.text("PolicyArn");
    if arn.starts_with("arn:aws:iam::aws:") {
        let message = "Policies that are owned by AWS cannot be changed.";
        return Err(Fault::new(403, "AccessDenied", message));
    }
    named(call)
}

/// Changes the policy that a call names, as one step.
fn change(call: &Call, change: impl FnOnce(&Value) -> Result<Value, Fault>) -> Result<(), Fault> {
    own(call)?;
    let arn = call.text("PolicyArn");
    let changed = call.shared.global(POLICIES).update(arn, |entry| {
        let patch = change(&entry.doc)?;
        merge(&mut entry.doc, patch);
        Ok(())
    });
    changed?.ok_or_else(|| missing(arn))
}

/// Roles that have the policy attached.
pub(super) fn attached_to(shared: &SandboxState, arn: &str) -> Vec<(String, Value)> {
    let mut roles = shared.global(ROLES).list("");
    roles.retain(|(_, role)| role["Attached"].get(arn).is_some());
    roles
}

/// The roles whose boundary the policy is.
fn bounded_by(shared: &SandboxState, arn: &str) -> Vec<(String, Value)> {
    let mut roles = shared.global(ROLES).list("");
    roles.retain(|(_, role)| role["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn);
    roles
}

/// What is shown of a policy besides its versions and tags. Lists have no description
/// (docs/aws/iam.md#documents).
pub(super) fn summary(shared: &SandboxState, policy: &Value) -> Value {
    let arn = policy["Arn"].as_str().unwrap_or_default();
    let members = &["PolicyName", "PolicyId", "Arn", "Path", "DefaultVersionId", "CreateDate", "UpdateDate"];
    let mut shown = pick(policy, members);
    shown["AttachmentCount"] = json!(attached_to(shared, arn).len());
    shown["PermissionsBoundaryUsageCount"] = json!(bounded_by(shared, arn).len());
    shown["IsAttachable"] = json!(true);
    shown
}

fn full(shared: &SandboxState, policy: &Value) -> Value {
    let mut shown = summary(shared, policy);
    if let Some(description) = policy["Description"].as_str().filter(|text| !text.is_empty()) {
        shown["Description"] = json!(description);
    }
    shown["Tags"] = tags::to_list(&tags::of(shared, policy["Arn"].as_str().unwrap_or_default()));
    shown
}

/// The versions of a policy, the newest first.
pub(super) fn versions(policy: &Value, with_document: bool) -> Vec<(String, Value)> {
    let mut all: Vec<_> = policy["Versions"].as_object().into_iter().flatten().collect();
    all.sort_by_key(|(id, _)| std::cmp::Reverse(number(id)));
    let shown = |(id, version): (&String, &Value)| {
        let mut shown = json!({
            "VersionId": id,
            "IsDefaultVersion": policy["DefaultVersionId"] == **id,
            "CreateDate": version["CreateDate"],
        });
        if with_document {
            shown["Document"] = document::encoded(version["Document"].as_str().unwrap_or_default()).into();
        }
        (id.clone(), shown)
    };
    all.into_iter().map(shown).collect()
}

fn number(version: &str) -> u64 {
    version.trim_start_matches('v').parse().unwrap_or(0)
}

/// The document that is in force.
pub(super) fn text(policy: &Value) -> Option<&str> {
    policy["Versions"][policy["DefaultVersionId"].as_str()?]["Document"].as_str()
}

fn checked_document(call: &Call) -> Result<String, Fault> {
    let text = call.text("PolicyDocument");
    document::check_identity(text)?;
    if document::size(text) > LONGEST {
        return Err(exceeds("PolicySize", LONGEST));
    }
    Ok(policy_form::kept(&call.shared, text))
}

pub(super) fn create_policy(call: &Call) -> Answer {
    let (name, path) = (call.text("PolicyName"), call.maybe("Path").unwrap_or("/"));
    let text = checked_document(call)?;
    let wanted = wanted_tags(call)?;
    let policies = call.shared.global(POLICIES);
    if policies.list("").len() >= MOST_POLICIES {
        return Err(exceeds("PoliciesPerAccount", MOST_POLICIES));
    }
    let (arn, now) = (super::arn(&call.shared, "policy", path, name), stamp(call.now()));
    let policy = json!({
        "PolicyName": name,
        "PolicyId": unique_id("ANPA", call, name),
        "Arn": arn,
        "Path": path,
        "Description": call.maybe("Description"),
        "CreateDate": now,
        "UpdateDate": now,
        "DefaultVersionId": "v1",
        "LatestVersion": 1,
        "Versions": {"v1": {"Document": text, "CreateDate": now}},
    });
    if taken(&call.shared, POLICIES, "PolicyName", name) || !policies.insert_new(&arn, policy.clone())? {
        let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(already_exists(message));
    }
    tags::add(&call.shared, &arn, wanted, "InvalidInput")?;
    Ok(json!({"Policy": full(&call.shared, &policy)}))
}

pub(super) fn get_policy(call: &Call) -> Answer {
    Ok(json!({"Policy": full(&call.shared, &named(call)?)}))
}

pub(super) fn list_policies(call: &Call) -> Answer {
    let scope = call.maybe("Scope").unwrap_or("All");
    let own = call.shared.global(POLICIES).list("").into_iter().filter(|_| scope != "AWS");
    let of_aws = aws_managed::all().filter(|_| scope != "Local");
    let all = own.chain(of_aws).map(|(arn, policy)| (arn, summary(&call.shared, &policy)));
    let only_attached = call.flag("OnlyAttached");
    let wanted = all.filter(|(_, shown)| !only_attached || shown["AttachmentCount"] != 0).collect();
    listed(call, "Policies", under_prefix(call, wanted))
}

pub(super) fn delete_policy(call: &Call) -> Answer {
    let policy = own(call)?;
    let arn = call.text("PolicyArn");
    if !attached_to(&call.shared, arn).is_empty() {
        return Err(delete_conflict("Cannot delete a policy attached to entities."));
    }
    if versions(&policy, false).len() > 1 {
        return Err(delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's \
             versions. The default version is deleted with the policy.",
        ));
    }
    call.shared.global(POLICIES).remove(arn)?;
    tags::forget(&call.shared, arn)?;
    Ok(json!({}))
}

pub(super) fn create_policy_version(call: &Call) -> Answer {
    own(call)?;
    let text = checked_document(call)?;
    let (now, default) = (stamp(call.now()), call.flag("SetAsDefault"));
    let mut id = String::new();
    change(call, |policy| {
        if versions(policy, false).len() >= MOST_VERSIONS {
            let message = format!(
                "A managed policy can have up to {MOST_VERSIONS} versions. Before you create a new version, \
                 you must delete an existing version."
            );
            return Err(Fault::new(409, "LimitExceeded", message));
        }
        let latest = policy["LatestVersion"].as_u64().unwrap_or(1) + 1;
        id = format!("v{latest}");
        let mut patch = json!({
            "LatestVersion": latest,
            "Versions": {&id: {"Document": text, "CreateDate": now}},
        });
        if default {
            merge(&mut patch, json!({"DefaultVersionId": id, "UpdateDate": now}));
        }
        Ok(patch)
    })?;
    Ok(json!({"PolicyVersion": {"VersionId": id, "IsDefaultVersion": default, "CreateDate": now}}))
}

fn missing_version(call: &Call) -> Fault {
    let (arn, version) = (call.text("PolicyArn"), call.text("VersionId"));
    no_such_entity(format!("Policy {arn} version {version} does not exist or is not attachable."))
}

pub(super) fn get_policy_version(call: &Call) -> Answer {
    let version = versions(&named(call)?, true).into_iter().find(|(id, _)| id == call.text("VersionId"));
    let (_, version) = version.ok_or_else(|| missing_version(call))?;
    Ok(json!({"PolicyVersion": version}))
}

pub(super) fn list_policy_versions(call: &Call) -> Answer {
    listed(call, "Versions", versions(&named(call)?, false))
}

pub(super) fn set_default_policy_version(call: &Call) -> Answer {
    let (id, now) = (call.text("VersionId"), stamp(call.now()));
    change(call, |policy| match policy["Versions"].get(id) {
        Some(_) => Ok(json!({"DefaultVersionId": id, "UpdateDate": now})),
        None => Err(missing_version(call)),
    })?;
    Ok(json!({}))
}

pub(super) fn delete_policy_version(call: &Call) -> Answer {
    let id = call.text("VersionId");
    change(call, |policy| match policy["Versions"].get(id) {
        None => Err(missing_version(call)),
        Some(_) if policy["DefaultVersionId"] == id => {
            Err(delete_conflict("Cannot delete the default version of a policy."))
        }
        Some(_) => Ok(json!({"Versions": {id: null}})),
    })?;
    Ok(json!({}))
}

pub(super) fn list_entities(call: &Call) -> Answer {
    named(call)?;
    let wants_roles = call.maybe("EntityFilter").is_none_or(|kind| kind == "Role");
    let arn = call.text("PolicyArn");
    let using = match call.maybe("PolicyUsageFilter") {
        Some("PermissionsPolicy") => attached_to(&call.shared, arn),
        Some(_) => bounded_by(&call.shared, arn),
        None => {
            let both: BTreeMap<_, _> =
                attached_to(&call.shared, arn).into_iter().chain(bounded_by(&call.shared, arn)).collect();
            both.into_iter().collect()
        }
    };
    let mut roles = under_prefix(call, using);
    roles.retain(|_| wants_roles);
    let roles = roles.into_iter().map(|(name, role)| (name, pick(&role, &["RoleName", "RoleId"])));
    let mut shown = listed(call, "PolicyRoles", roles.collect())?;
    merge(&mut shown, json!({"PolicyGroups": [], "PolicyUsers": []}));
    Ok(shown)
}
