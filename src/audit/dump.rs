//! An account as the JSON that `aws iam get-account-authorization-details` writes, for `--save` and for other
//! tools. Reading it back gives the same account.

use serde_json::{Value, json};

use super::account::{
    Account, Attachment, Boundary, Group, InlinePolicy, ManagedPolicy, PolicyVersion, Role, User,
};
use opsctl_iam::policy::Document;
use opsctl_iam::time::Instant;

impl Account {
    /// The dump: four lists, and `MaxSessionDuration` where it is known, which only `ListRoles` returns.
    pub fn to_dump(&self) -> Value {
        let mut dump = json!({
            "RoleDetailList": self.roles.iter().map(role).collect::<Vec<_>>(),
            "UserDetailList": self.users.iter().map(user).collect::<Vec<_>>(),
            "GroupDetailList": self.groups.iter().map(group).collect::<Vec<_>>(),
            "Policies": self.policies.iter().map(managed).collect::<Vec<_>>(),
            // A dump of what could not be read in full must not look whole.
            "IsTruncated": self.problems.iter().any(|problem| problem.resource.is_empty()),
        });
        let providers =
            [("OpenIDConnectProviderList", &self.oidc_providers), ("SAMLProviderList", &self.saml_providers)];
        for (name, list) in providers.into_iter().filter_map(|(name, list)| Some((name, list.as_ref()?))) {
            dump[name] = list.iter().map(|arn| json!({"Arn": arn})).collect();
        }
        dump
    }
}

fn role(role: &Role) -> Value {
    let tags = role.tags.iter().map(|tag| json!({"Key": tag.key, "Value": tag.value}));
    let profiles = role.instance_profiles.iter().map(|profile| json!({"InstanceProfileName": profile.name}));
    let mut value = json!({
        "Path": role.path, "RoleName": role.name, "RoleId": role.role_id, "Arn": role.arn,
        "AssumeRolePolicyDocument": document(&role.trust),
        "InstanceProfileList": profiles.collect::<Vec<_>>(),
        "RolePolicyList": inline(&role.inline),
        "AttachedManagedPolicies": attached(&role.attached),
        "Tags": tags.collect::<Vec<_>>(),
    });
    put_time(&mut value, "CreateDate", role.create_date);
    put_boundary(&mut value, role.permissions_boundary.as_ref());
    if let Some(used) = &role.last_used {
        value["RoleLastUsed"] = json!({});
        put_time(&mut value["RoleLastUsed"], "LastUsedDate", used.date);
        if let Some(region) = &used.region {
            value["RoleLastUsed"]["Region"] = region.as_str().into();
        }
    }
    if let Some(seconds) = role.max_session_duration {
        value["MaxSessionDuration"] = seconds.into();
    }
    value
}

fn user(user: &User) -> Value {
    let mut value = json!({
        "UserName": user.name, "UserId": user.user_id, "Arn": user.arn, "GroupList": user.groups,
        "UserPolicyList": inline(&user.inline), "AttachedManagedPolicies": attached(&user.attached),
    });
    put_boundary(&mut value, user.permissions_boundary.as_ref());
    value
}

fn group(group: &Group) -> Value {
    json!({
        "GroupName": group.name, "Arn": group.arn,
        "GroupPolicyList": inline(&group.inline), "AttachedManagedPolicies": attached(&group.attached),
    })
}

fn managed(policy: &ManagedPolicy) -> Value {
    let version = |version: &PolicyVersion| {
        let mut value = json!({
            "VersionId": version.id, "IsDefaultVersion": version.is_default,
            "Document": document(&version.document),
        });
        put_time(&mut value, "CreateDate", version.create_date);
        value
    };
    let mut value = json!({
        "PolicyName": policy.name, "Arn": policy.arn, "DefaultVersionId": policy.default_version,
        "PolicyVersionList": policy.versions.iter().map(version).collect::<Vec<_>>(),
    });
    put_time(&mut value, "CreateDate", policy.create_date);
    let counts = [
        ("AttachmentCount", policy.attachment_count),
        ("PermissionsBoundaryUsageCount", policy.boundary_count),
    ];
    for (name, count) in counts.into_iter().filter_map(|(name, count)| Some((name, count?))) {
        value[name] = count.into();
    }
    value
}

fn inline(policies: &[InlinePolicy]) -> Value {
    let one = |policy: &InlinePolicy| {
        json!({"PolicyName": policy.name,
        "PolicyDocument": document(&policy.document)})
    };
    policies.iter().map(one).collect()
}

fn attached(policies: &[Attachment]) -> Value {
    policies.iter().map(|policy| json!({"PolicyName": policy.name, "PolicyArn": policy.arn})).collect()
}

fn put_time(value: &mut Value, name: &str, time: Option<Instant>) {
    if let Some(time) = time {
        value[name] = time.iso().into();
    }
}

fn put_boundary(value: &mut Value, boundary: Option<&Boundary>) {
    if let Some(boundary) = boundary {
        value["PermissionsBoundary"] =
            json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary.arn});
    }
}

/// What was not understood stays so: the text says why, and is no policy.
fn document(document: &Document) -> Value {
    match document {
        Document::Parsed(policy) => policy.to_json(),
        Document::Malformed(why) => format!("unreadable: {why}").into(),
    }
}
