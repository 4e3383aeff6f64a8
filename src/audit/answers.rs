//! IAM's responses as JSON, as the AWS CLI writes them.

use aws_sdk_iam::types::{
    AttachedPolicy, GroupDetail, ManagedPolicyDetail, PolicyDetail, RoleDetail, Tag, UserDetail,
};
use aws_smithy_types::date_time::{DateTime, Format};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub(super) fn role(role: &RoleDetail) -> Value {
    let boundary = role.permissions_boundary().map(|b| {
        json!({ "PermissionsBoundaryType": b.permissions_boundary_type().map(|t| t.as_str()),
            "PermissionsBoundaryArn": b.permissions_boundary_arn() })
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
        "InstanceProfileList": role.instance_profile_list().iter().map(|p| json!({ "Arn": p.arn(),
            "InstanceProfileName": p.instance_profile_name() })).collect::<Vec<_>>(),
        "RolePolicyList": inline(role.role_policy_list()),
        "AttachedManagedPolicies": attached(role.attached_managed_policies()),
        "PermissionsBoundary": boundary, "Tags": tags(role.tags()), "RoleLastUsed": last_used,
    }))
}

pub(super) fn user(user: &UserDetail) -> Value {
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

pub(super) fn group(group: &GroupDetail) -> Value {
    without_nulls(json!({
        "Path": group.path(), "GroupName": group.group_name(), "GroupId": group.group_id(),
        "Arn": group.arn(),
        "CreateDate": group.create_date().and_then(time),
        "GroupPolicyList": inline(group.group_policy_list()),
        "AttachedManagedPolicies": attached(group.attached_managed_policies()),
    }))
}

pub(super) fn managed(policy: &ManagedPolicyDetail) -> Value {
    let versions = policy.policy_version_list().iter().map(|v| {
        without_nulls(json!({
            "Document": v.document().map(document), "VersionId": v.version_id(),
            "IsDefaultVersion": v.is_default_version(), "CreateDate": v.create_date().and_then(time),
        }))
    });
    without_nulls(json!({
        "PolicyName": policy.policy_name(), "PolicyId": policy.policy_id(), "Arn": policy.arn(),
        "Path": policy.path(),
        "DefaultVersionId": policy.default_version_id(), "AttachmentCount": policy.attachment_count(),
        "PermissionsBoundaryUsageCount": policy.permissions_boundary_usage_count(),
        "IsAttachable": policy.is_attachable(), "CreateDate": policy.create_date().and_then(time),
        "UpdateDate": policy.update_date().and_then(time), "PolicyVersionList": versions.collect::<Vec<_>>(),
    }))
}

fn inline(policies: &[PolicyDetail]) -> Vec<Value> {
    let one = |p: &PolicyDetail| {
        json!({ "PolicyName": p.policy_name(),
        "PolicyDocument": p.policy_document().map(document) })
    };
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

pub(super) fn time(at: &DateTime) -> Option<String> {
    at.fmt(Format::DateTime).ok()
}

/// An absent field and a null one mean different things to readers of dumps.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.into_iter().filter(|(_, v)| !v.is_null()).collect()),
        other => other,
    }
}
