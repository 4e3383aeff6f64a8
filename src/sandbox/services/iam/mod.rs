//! IAM: roles, policies, instance profiles, and what an audit reads. It is one service for all regions.
//!
//! Nothing here grants or refuses a call: that is `services::access`, by [`assumed_role`] and [`of_user`].
//! What other services ask is [`assumable`] (is this role to be used yet?) and [`instance_profile`].

pub(super) mod account;
mod assume;
mod aws_managed;
pub(crate) mod control;
mod document;
mod held;
mod inline;
mod last_accessed;
mod policies;
mod profiles;
mod roles;
mod service_linked;
mod simulate;
mod tagging;
#[cfg(test)]
mod tests;

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::call::{Answer, Call};
use crate::clock::{LAST, Millis};
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::paging::Page;
use crate::protocol::query::{Api, Flavor};
use crate::state::SandboxState;
use crate::tags::{self, Tags};

pub use assume::{AssumeRoleError, assumable, note_use};
pub use held::{AssumedRole, Held, arn_of, assumed_role, of_user};
pub use profiles::{Profile, instance_profile};
pub use service_linked::ensure as ensure_service_linked_role;

/// Roles by name, with their inline policies (name to document) and attached policies (ARN to name).
const ROLES: &str = "iam.role";
/// Customer managed policies by ARN, with all their versions.
const POLICIES: &str = "iam.policy";
/// Instance profiles by name.
const PROFILES: &str = "iam.instance-profile";

const TAGS: Constraint = Constraint::ANY.at("Tags").required().length(1, 50);
const TAG_KEYS: Constraint = Constraint::ANY.at("TagKeys").required().length(1, 50);

/// The operations.
pub const API: Api = Api {
    name: "iam",
    flavor: Flavor::Query,
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    invalid: "ValidationError",
    faults: FaultCodes { throttle: (400, "Throttling"), internal: (500, "ServiceFailure") },
    operations: &[
        op("CreateRole", &[], roles::create_role),
        op("GetRole", &[], roles::get_role),
        op("ListRoles", &[], roles::list_roles),
        op("UpdateRole", &[], roles::update_role),
        op("UpdateAssumeRolePolicy", &[], roles::update_assume_role_policy),
        op("DeleteRole", &[], roles::delete_role),
        op("PutRolePermissionsBoundary", &[], roles::put_role_permissions_boundary),
        op("DeleteRolePermissionsBoundary", &[], roles::delete_role_permissions_boundary),
        op("TagRole", &[TAGS], |call| tagging::tag(call, roles::arn)),
        op("UntagRole", &[TAG_KEYS], |call| tagging::untag(call, roles::arn)),
        op("ListRoleTags", &[], |call| tagging::list(call, roles::arn)),
        op("PutRolePolicy", &[], inline::put_role_policy),
        op("GetRolePolicy", &[], inline::get_role_policy),
        op("ListRolePolicies", &[], inline::list_role_policies),
        op("DeleteRolePolicy", &[], inline::delete_role_policy),
        op("CreatePolicy", &[], policies::create_policy),
        op("GetPolicy", &[], policies::get_policy),
        op("ListPolicies", &[], policies::list_policies),
        op("DeletePolicy", &[], policies::delete_policy),
        op("CreatePolicyVersion", &[], policies::create_policy_version),
        op("GetPolicyVersion", &[], policies::get_policy_version),
        op("ListPolicyVersions", &[], policies::list_policy_versions),
        op("SetDefaultPolicyVersion", &[], policies::set_default_policy_version),
        op("DeletePolicyVersion", &[], policies::delete_policy_version),
        op("TagPolicy", &[TAGS], |call| tagging::tag(call, policies::arn)),
        op("UntagPolicy", &[TAG_KEYS], |call| tagging::untag(call, policies::arn)),
        op("ListPolicyTags", &[], |call| tagging::list(call, policies::arn)),
        op("AttachRolePolicy", &[], roles::attach_role_policy),
        op("DetachRolePolicy", &[], roles::detach_role_policy),
        op("ListAttachedRolePolicies", &[], roles::list_attached_role_policies),
        op("ListEntitiesForPolicy", &[], policies::list_entities),
        op("CreateInstanceProfile", &[], profiles::create_instance_profile),
        op("GetInstanceProfile", &[], profiles::get_instance_profile),
        op("ListInstanceProfiles", &[], profiles::list_instance_profiles),
        op("ListInstanceProfilesForRole", &[], profiles::list_instance_profiles_for_role),
        op("AddRoleToInstanceProfile", &[], profiles::add_role_to_instance_profile),
        op("RemoveRoleFromInstanceProfile", &[], profiles::remove_role_from_instance_profile),
        op("DeleteInstanceProfile", &[], profiles::delete_instance_profile),
        op("TagInstanceProfile", &[TAGS], |call| tagging::tag(call, profiles::arn)),
        op("UntagInstanceProfile", &[TAG_KEYS], |call| tagging::untag(call, profiles::arn)),
        op("ListInstanceProfileTags", &[], |call| tagging::list(call, profiles::arn)),
        op("CreateServiceLinkedRole", &[], service_linked::create),
        op("DeleteServiceLinkedRole", &[], service_linked::delete),
        op("GetServiceLinkedRoleDeletionStatus", &[], service_linked::deletion_status),
        op("SimulateCustomPolicy", &[], simulate::custom),
        op("SimulatePrincipalPolicy", &[], simulate::principal),
        op("GetAccountAuthorizationDetails", &[], account::get_account_authorization_details),
        op("GetAccountSummary", &[], account::get_account_summary),
        op("ListOpenIDConnectProviders", &[], account::list_oidc_providers),
        op("ListSAMLProviders", &[], account::list_saml_providers),
        op("ListAccountAliases", &[], account::list_account_aliases),
        op("GenerateServiceLastAccessedDetails", &[], last_accessed::generate),
        op("GetServiceLastAccessedDetails", &[], last_accessed::get),
    ],
};

fn no_such_entity(message: impl Into<String>) -> Fault {
    Fault::new(404, "NoSuchEntity", message)
}

fn already_exists(message: impl Into<String>) -> Fault {
    Fault::new(409, "EntityAlreadyExists", message)
}

fn delete_conflict(message: impl Into<String>) -> Fault {
    Fault::new(409, "DeleteConflict", message)
}

fn exceeds(quota: &str, limit: usize) -> Fault {
    Fault::new(409, "LimitExceeded", format!("Cannot exceed quota for {quota}: {limit}"))
}

/// Whole seconds, as IAM writes times.
fn stamp(at: Millis) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(at.min(LAST))).to_string()
}

/// `AROA…`: unlike names, ids are never used again.
fn unique_id(prefix: &str, call: &Call, name: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let hash = blake3::hash(format!("{prefix}{name}{}{}", call.now(), call.request_id).as_bytes());
    let letters = hash.as_bytes().iter().take(17).map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    prefix.chars().chain(letters).collect()
}

/// The members of a document that are shown under these names; those that it does not have are left out.
fn pick(document: &Value, members: &[&str]) -> Value {
    let member = |name: &&str| Some(((*name).to_owned(), document.get(*name)?.clone()));
    members.iter().filter_map(member).collect::<Map<_, _>>().into()
}

/// One page of IAM: 100 items unless told otherwise.
fn page<T>(call: &Call, items: Vec<(String, T)>) -> Result<Page<T>, Fault> {
    let size = call.number("MaxItems").and_then(|size| usize::try_from(size).ok()).unwrap_or(100);
    call.page(items, "Marker", size).ok_or_else(|| Fault::new(400, "ValidationError", "Invalid Marker."))
}

/// The answer of a listing operation.
fn listed(call: &Call, member: &str, items: Vec<(String, Value)>) -> Answer {
    let page = page(call, items)?;
    Ok(json!({member: page.items, "IsTruncated": page.next.is_some(), "Marker": page.next}))
}

/// Keeps what is under the path prefix of the call.
fn under_prefix(call: &Call, mut items: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let prefix = call.maybe("PathPrefix").unwrap_or("/");
    items.retain(|(_, item)| item["Path"].as_str().is_some_and(|path| path.starts_with(prefix)));
    items
}

/// `arn:aws:iam::<account>:<kind><path><name>`
fn arn(shared: &SandboxState, kind: &str, path: &str, name: &str) -> String {
    shared.arn("iam", "", &format!("{kind}{path}{name}"))
}

/// Whether a table has a name already, however it is written: IAM's names differ in more than case
/// (docs/aws/iam.md#limits).
fn taken(shared: &SandboxState, table: &'static str, member: &str, name: &str) -> bool {
    let all = shared.global(table).list("");
    all.iter().any(|(_, doc)| doc[member].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name)))
}

/// The tags that a create asks for, checked: a bad one fails the whole create (docs/aws/tagging.md#limits).
fn wanted_tags(call: &Call) -> Result<Tags, Fault> {
    let list = call.list("Tags");
    let wanted = tags::from_list(list);
    let lower: std::collections::BTreeSet<_> = wanted.keys().map(|key| key.to_ascii_lowercase()).collect();
    if lower.len() < list.len() {
        let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
        return Err(Fault::new(400, "InvalidInput", message));
    }
    tags::check(&wanted).map_err(|message| Fault::new(400, "InvalidInput", message))?;
    Ok(wanted)
}

/// The profiles that hold a role.
fn profiles_of(shared: &SandboxState, role: &str) -> Vec<(String, Value)> {
    let mut profiles = shared.global(PROFILES).list("");
    profiles.retain(|(_, profile)| profile["RoleName"] == role);
    profiles
}
