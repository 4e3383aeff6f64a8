//! IAM: roles, policies, instance profiles, and what an audit reads. It is one service for all regions.
//!
//! Nothing here grants or refuses a call: the sandbox takes any caller. What other services ask is
//! [`assumable`] (is this role to be used yet?) and [`instance_profile`].

pub(super) mod account;
mod assume;
mod aws_managed;
pub(crate) mod control;
mod document;
mod inline;
mod last_accessed;
mod policies;
mod profiles;
mod roles;
mod service_linked;
mod tagging;
#[cfg(test)]
mod tests;

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::call::{Answer, Call, Fault, op};
use crate::clock::Millis;
use crate::paging::Page;
use crate::protocol::constraint::Rule;
use crate::protocol::query::{Api, Flavor};
use crate::tags::{self, Tags};
use crate::world::World;

pub use assume::{Unassumable, assumable, note_use};
pub use profiles::{Profile, instance_profile};
pub use service_linked::ensure as ensure_service_linked_role;

/// Roles by name, with their inline policies (name to document) and attached policies (ARN to name).
const ROLES: &str = "iam.role";
/// Customer managed policies by ARN, with all their versions.
const POLICIES: &str = "iam.policy";
/// Instance profiles by name.
const PROFILES: &str = "iam.instance-profile";

/// Limits of names and values: docs/aws/iam.md#limits.
const NAME: &str = "[\\w+=,.@-]+";
const ROLE: Rule = Rule::ANY.at("RoleName").required().length(1, 64).pattern(NAME);
const POLICY: Rule = Rule::ANY.at("PolicyName").required().length(1, 128).pattern(NAME);
const PROFILE: Rule = Rule::ANY.at("InstanceProfileName").required().length(1, 128).pattern(NAME);
const POLICY_ARN: Rule = Rule::ANY.at("PolicyArn").required().length(20, 2048);
const VERSION: Rule = Rule::ANY.at("VersionId").required().pattern("v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?");
const DOCUMENT: Rule = Rule::ANY.at("PolicyDocument").required().length(1, 131_072);
const TRUST: Rule = Rule::ANY.at("AssumeRolePolicyDocument").required().length(1, 131_072);
const PATH: Rule = Rule::ANY.at("Path").length(1, 512).pattern("/|/[!-~]+/");
const PATH_PREFIX: Rule = Rule::ANY.at("PathPrefix").length(1, 512).pattern("/[!-~]*");
const DESCRIPTION: Rule = Rule::ANY.at("Description").length(0, 1000);
const SESSION: Rule = Rule::ANY.at("MaxSessionDuration").range(3_600, 43_200);
const BOUNDARY: Rule = Rule::ANY.at("PermissionsBoundary").length(20, 2048);
const MAX_ITEMS: Rule = Rule::ANY.at("MaxItems").range(1, 1_000);
const TAGS: Rule = Rule::ANY.at("Tags").required().length(1, 50);
const TAG_KEYS: Rule = Rule::ANY.at("TagKeys").required().length(1, 50);
const JOB: Rule = Rule::ANY.at("JobId").required().length(36, 36);
const SERVICE: Rule = Rule::ANY.at("AWSServiceName").required().length(1, 128).pattern(NAME);

pub const API: Api = Api {
    name: "iam",
    flavor: Flavor::Query,
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    invalid: "ValidationError",
    operations: &[
        op("CreateRole", &[ROLE, TRUST, PATH, DESCRIPTION, SESSION, BOUNDARY], roles::create_role),
        op("GetRole", &[ROLE], roles::get_role),
        op("ListRoles", &[PATH_PREFIX, MAX_ITEMS], roles::list_roles),
        op("UpdateRole", &[ROLE, DESCRIPTION, SESSION], roles::update_role),
        op("UpdateAssumeRolePolicy", &[ROLE, DOCUMENT], roles::update_assume_role_policy),
        op("DeleteRole", &[ROLE], roles::delete_role),
        op("PutRolePermissionsBoundary", &[ROLE, BOUNDARY.required()], roles::put_role_permissions_boundary),
        op("DeleteRolePermissionsBoundary", &[ROLE], roles::delete_role_permissions_boundary),
        op("TagRole", &[ROLE, TAGS], |call| tagging::tag(call, roles::arn)),
        op("UntagRole", &[ROLE, TAG_KEYS], |call| tagging::untag(call, roles::arn)),
        op("ListRoleTags", &[ROLE, MAX_ITEMS], |call| tagging::list(call, roles::arn)),
        op("PutRolePolicy", &[ROLE, POLICY, DOCUMENT], inline::put_role_policy),
        op("GetRolePolicy", &[ROLE, POLICY], inline::get_role_policy),
        op("ListRolePolicies", &[ROLE, MAX_ITEMS], inline::list_role_policies),
        op("DeleteRolePolicy", &[ROLE, POLICY], inline::delete_role_policy),
        op("CreatePolicy", &[POLICY, DOCUMENT, PATH, DESCRIPTION], policies::create_policy),
        op("GetPolicy", &[POLICY_ARN], policies::get_policy),
        op(
            "ListPolicies",
            &[Rule::ANY.at("Scope").one_of(&["All", "AWS", "Local"]), PATH_PREFIX, MAX_ITEMS],
            policies::list_policies,
        ),
        op("DeletePolicy", &[POLICY_ARN], policies::delete_policy),
        op("CreatePolicyVersion", &[POLICY_ARN, DOCUMENT], policies::create_policy_version),
        op("GetPolicyVersion", &[POLICY_ARN, VERSION], policies::get_policy_version),
        op("ListPolicyVersions", &[POLICY_ARN, MAX_ITEMS], policies::list_policy_versions),
        op("SetDefaultPolicyVersion", &[POLICY_ARN, VERSION], policies::set_default_policy_version),
        op("DeletePolicyVersion", &[POLICY_ARN, VERSION], policies::delete_policy_version),
        op("TagPolicy", &[POLICY_ARN, TAGS], |call| tagging::tag(call, policies::arn)),
        op("UntagPolicy", &[POLICY_ARN, TAG_KEYS], |call| tagging::untag(call, policies::arn)),
        op("ListPolicyTags", &[POLICY_ARN, MAX_ITEMS], |call| tagging::list(call, policies::arn)),
        op("AttachRolePolicy", &[ROLE, POLICY_ARN], roles::attach_role_policy),
        op("DetachRolePolicy", &[ROLE, POLICY_ARN], roles::detach_role_policy),
        op("ListAttachedRolePolicies", &[ROLE, PATH_PREFIX, MAX_ITEMS], roles::list_attached_role_policies),
        op(
            "ListEntitiesForPolicy",
            &[
                POLICY_ARN,
                PATH_PREFIX,
                MAX_ITEMS,
                Rule::ANY.at("PolicyUsageFilter").one_of(&["PermissionsPolicy", "PermissionsBoundary"]),
            ],
            policies::list_entities,
        ),
        op("CreateInstanceProfile", &[PROFILE, PATH], profiles::create_instance_profile),
        op("GetInstanceProfile", &[PROFILE], profiles::get_instance_profile),
        op("ListInstanceProfiles", &[PATH_PREFIX, MAX_ITEMS], profiles::list_instance_profiles),
        op("ListInstanceProfilesForRole", &[ROLE, MAX_ITEMS], profiles::list_instance_profiles_for_role),
        op("AddRoleToInstanceProfile", &[PROFILE, ROLE], profiles::add_role_to_instance_profile),
        op("RemoveRoleFromInstanceProfile", &[PROFILE, ROLE], profiles::remove_role_from_instance_profile),
        op("DeleteInstanceProfile", &[PROFILE], profiles::delete_instance_profile),
        op("TagInstanceProfile", &[PROFILE, TAGS], |call| tagging::tag(call, profiles::arn)),
        op("UntagInstanceProfile", &[PROFILE, TAG_KEYS], |call| tagging::untag(call, profiles::arn)),
        op("ListInstanceProfileTags", &[PROFILE, MAX_ITEMS], |call| tagging::list(call, profiles::arn)),
        op("CreateServiceLinkedRole", &[SERVICE, DESCRIPTION], service_linked::create),
        op("DeleteServiceLinkedRole", &[ROLE], service_linked::delete),
        op(
            "GetServiceLinkedRoleDeletionStatus",
            &[Rule::ANY.at("DeletionTaskId").required().length(1, 1000)],
            service_linked::deletion_status,
        ),
        op(
            "GetAccountAuthorizationDetails",
            &[
                Rule::ANY.at("Filter[]").one_of(&[
                    "User",
                    "Role",
                    "Group",
                    "LocalManagedPolicy",
                    "AWSManagedPolicy",
                ]),
                MAX_ITEMS,
            ],
            account::get_account_authorization_details,
        ),
        op("GetAccountSummary", &[], account::get_account_summary),
        op("ListOpenIDConnectProviders", &[], account::list_oidc_providers),
        op("ListSAMLProviders", &[], account::list_saml_providers),
        op("ListAccountAliases", &[MAX_ITEMS], account::list_account_aliases),
        op(
            "GenerateServiceLastAccessedDetails",
            &[
                Rule::ANY.at("Arn").required().length(20, 2048),
                Rule::ANY.at("Granularity").one_of(&["SERVICE_LEVEL", "ACTION_LEVEL"]),
            ],
            last_accessed::generate,
        ),
        op("GetServiceLastAccessedDetails", &[JOB, MAX_ITEMS], last_accessed::get),
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
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(at)).to_string()
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

/// Keeps what lies under the prefix that the call asks for.
fn under_prefix(call: &Call, mut items: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let prefix = call.maybe("PathPrefix").unwrap_or("/");
    items.retain(|(_, item)| item["Path"].as_str().is_some_and(|path| path.starts_with(prefix)));
    items
}

/// `arn:aws:iam::<account>:<kind><path><name>`
fn arn(world: &World, kind: &str, path: &str, name: &str) -> String {
    world.arn("iam", "", &format!("{kind}{path}{name}"))
}

/// Whether a table has a name already, however it is written: IAM's names differ in more than case
/// (docs/aws/iam.md#limits).
fn taken(world: &World, table: &'static str, member: &str, name: &str) -> bool {
    let all = world.global(table).list("");
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
