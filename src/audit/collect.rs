//! ○ An account's authorization details, from AWS, in the shape that the AWS CLI writes them: so that what was
//! collected can be saved, and read again without an account.
//!
//! Calls: `GetAccountAuthorizationDetails` in three chains of pages at the same time, and `ListRoles` for the one
//! thing only it tells, the longest session. 3,000 roles are about 9 calls (iam-audit.md §3).

use std::collections::HashMap;

use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::types::{
    AttachedPolicy, EntityType, GroupDetail, ManagedPolicyDetail, PolicyDetail, RoleDetail, Tag, UserDetail,
};
use aws_smithy_types::date_time::{DateTime, Format};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::Account;
use crate::engine::{OpError, Outcomes};

/// IAM's largest page.
const PAGE: i32 = 1000;
/// IAM's rates are low and shared by the whole account, so refused calls are tried again, ever slower.
const ATTEMPTS: u32 = 8;

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub struct Collected {
    /// `{"RoleDetailList": […], "UserDetailList": […], "GroupDetailList": […], "Policies": […]}`, decoded.
    pub dump: Value,
    /// Role ARN → longest session in seconds.
    pub sessions: HashMap<String, u32>,
    /// One sentence per thing that could not be read.
    pub problems: Vec<String>,
}

impl Collected {
    /// The account, with its gaps noted.
    pub fn account(&self, id: &str) -> Account {
        let text = self.dump.to_string();
        let mut account = Account::from_json(text.as_bytes()).unwrap_or_default();
        account.id = id.to_owned();
        account.absorb_session(&self.sessions);
        for problem in &self.problems {
            account.problem("", problem);
        }
        account
    }
}

/// Reads the account. A chain that fails leaves a gap that is named, never a clean bill.
pub async fn collect(iam: &aws_sdk_iam::Client) -> Collected {
    use EntityType::{AwsManagedPolicy, Group, LocalManagedPolicy, Role, User};
    let (roles, policies, others, sessions) = futures_util::join!(
        details(iam, vec![Role]),
        details(iam, vec![LocalManagedPolicy, AwsManagedPolicy]),
        details(iam, vec![User, Group]),
        sessions(iam),
    );
    let mut collected = Collected::default();
    let mut lists: Map<String, Value> =
        LISTS.iter().map(|name| ((*name).to_owned(), Value::Array(Vec::new()))).collect();
    for (what, (found, error)) in [("roles", roles), ("policies", policies), ("users and groups", others)] {
        for (list, items) in LISTS.iter().zip(found) {
            if let Some(Value::Array(all)) = lists.get_mut(*list) {
                all.extend(items);
            }
        }
        collected.problems.extend(error.map(|e| format!("not all {what} could be read: {e}")));
    }
    match sessions {
        Ok(sessions) => collected.sessions = sessions,
        Err(error) => collected.problems.push(format!("session lengths could not be read: {error}")),
    }
    collected.dump = Value::Object(lists);
    collected
}

const LISTS: [&str; 4] = ["RoleDetailList", "UserDetailList", "GroupDetailList", "Policies"];
type Lists = [Vec<Value>; 4];

/// One chain of pages: what was read until the end or the first failure, and that failure.
async fn details(iam: &aws_sdk_iam::Client, filter: Vec<EntityType>) -> (Lists, Option<OpError>) {
    let mut lists = Lists::default();
    let mut marker: Option<String> = None;
    loop {
        let call = iam.get_account_authorization_details().set_filter(Some(filter.clone())).max_items(PAGE);
        let call = call.set_marker(marker.take()).customize().config_override(patient());
        let page = match call.send().await.op("iam:GetAccountAuthorizationDetails") {
            Ok(page) => page,
            Err(error) => return (lists, Some(error)),
        };
        lists[0].extend(page.role_detail_list().iter().map(role));
        lists[1].extend(page.user_detail_list().iter().map(user));
        lists[2].extend(page.group_detail_list().iter().map(group));
        lists[3].extend(page.policies().iter().map(managed));
        // A short page is not the end, only IsTruncated=false is (aws-facts §13.1).
        if !page.is_truncated() {
            return (lists, None);
        }
        marker = page.marker().map(str::to_owned);
    }
}

async fn sessions(iam: &aws_sdk_iam::Client) -> Result<HashMap<String, u32>, OpError> {
    let mut sessions = HashMap::new();
    let mut marker: Option<String> = None;
    loop {
        let call =
            iam.list_roles().max_items(PAGE).set_marker(marker.take()).customize().config_override(patient());
        let page = call.send().await.op("iam:ListRoles")?;
        sessions.extend(page.roles().iter().filter_map(|role| {
            Some((role.arn().to_owned(), u32::try_from(role.max_session_duration()?).ok()?))
        }));
        if !page.is_truncated() {
            return Ok(sessions);
        }
        marker = page.marker().map(str::to_owned);
    }
}

fn patient() -> aws_sdk_iam::config::Builder {
    aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::adaptive().with_max_attempts(ATTEMPTS))
}

fn role(role: &RoleDetail) -> Value {
    let boundary = role.permissions_boundary().map(|b| {
        json!({ "PermissionsBoundaryType": b.permissions_boundary_type().map(|t| t.as_str()), "PermissionsBoundaryArn": b.permissions_boundary_arn() })
    });
    let last_used = role.role_last_used().map(|used| {
        without_nulls(
            json!({ "LastUsedDate": used.last_used_date().and_then(time), "Region": used.region() }),
        )
    });
    without_nulls(json!({
        "Path": role.path(), "RoleName": role.role_name(), "RoleId": role.role_id(), "Arn": role.arn(),
        "CreateDate": role.create_date().and_then(time),
        "AssumeRolePolicyDocument": role.assume_role_policy_document().map(document),
        "InstanceProfileList": role.instance_profile_list().iter().map(|p| json!({ "Arn": p.arn(), "InstanceProfileName": p.instance_profile_name() })).collect::<Vec<_>>(),
        "RolePolicyList": inline(role.role_policy_list()),
        "AttachedManagedPolicies": attached(role.attached_managed_policies()),
        "PermissionsBoundary": boundary, "Tags": tags(role.tags()), "RoleLastUsed": last_used,
    }))
}

fn user(user: &UserDetail) -> Value {
    let boundary = user
        .permissions_boundary()
        .map(|b| json!({ "PermissionsBoundaryArn": b.permissions_boundary_arn() }));
    without_nulls(json!({
        "Path": user.path(), "UserName": user.user_name(), "UserId": user.user_id(), "Arn": user.arn(),
        "CreateDate": user.create_date().and_then(time), "GroupList": user.group_list(),
        "UserPolicyList": inline(user.user_policy_list()),
        "AttachedManagedPolicies": attached(user.attached_managed_policies()),
        "PermissionsBoundary": boundary, "Tags": tags(user.tags()),
    }))
}

fn group(group: &GroupDetail) -> Value {
    without_nulls(json!({
        "Path": group.path(), "GroupName": group.group_name(), "GroupId": group.group_id(), "Arn": group.arn(),
        "CreateDate": group.create_date().and_then(time),
        "GroupPolicyList": inline(group.group_policy_list()),
        "AttachedManagedPolicies": attached(group.attached_managed_policies()),
    }))
}

fn managed(policy: &ManagedPolicyDetail) -> Value {
    let versions = policy.policy_version_list().iter().map(|v| {
        without_nulls(json!({
            "Document": v.document().map(document), "VersionId": v.version_id(),
            "IsDefaultVersion": v.is_default_version(), "CreateDate": v.create_date().and_then(time),
        }))
    });
    without_nulls(json!({
        "PolicyName": policy.policy_name(), "PolicyId": policy.policy_id(), "Arn": policy.arn(), "Path": policy.path(),
        "DefaultVersionId": policy.default_version_id(), "AttachmentCount": policy.attachment_count(),
        "PermissionsBoundaryUsageCount": policy.permissions_boundary_usage_count(),
        "IsAttachable": policy.is_attachable(), "CreateDate": policy.create_date().and_then(time),
        "UpdateDate": policy.update_date().and_then(time), "PolicyVersionList": versions.collect::<Vec<_>>(),
    }))
}

fn inline(policies: &[PolicyDetail]) -> Vec<Value> {
    let one = |p: &PolicyDetail| json!({ "PolicyName": p.policy_name(), "PolicyDocument": p.policy_document().map(document) });
    policies.iter().map(one).collect()
}

fn attached(policies: &[AttachedPolicy]) -> Vec<Value> {
    policies.iter().map(|p| json!({ "PolicyName": p.policy_name(), "PolicyArn": p.policy_arn() })).collect()
}

fn tags(tags: &[Tag]) -> Vec<Value> {
    tags.iter().map(|t| json!({ "Key": t.key(), "Value": t.value() })).collect()
}

/// Documents come URL-encoded; the AWS CLI writes them decoded. What is not JSON stays text, and is reported.
fn document(text: &str) -> Value {
    let decoded = percent_decode_str(text).decode_utf8_lossy().into_owned();
    serde_json::from_str(&decoded).unwrap_or(Value::String(decoded))
}

fn time(at: &DateTime) -> Option<String> {
    at.fmt(Format::DateTime).ok()
}

/// An absent field and a null one mean different things to readers of dumps.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.into_iter().filter(|(_, v)| !v.is_null()).collect()),
        other => other,
    }
}
