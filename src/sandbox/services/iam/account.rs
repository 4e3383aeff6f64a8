//! The account as a whole: everything an audit reads in one listing, and counts.

use serde_json::{Value, json};

use super::{
    POLICIES, PROFILES, ROLES, aws_managed, inline, page, pick, policies, profiles, profiles_of, roles, stamp,
};
use crate::authority::CALLER;
use crate::call::{Answer, Call};
use crate::state::SandboxState;
use crate::store::merge;
use crate::tags;

/// The lists of `GetAccountAuthorizationDetails`, and the value of `Filter` that asks for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    User,
    Role,
    LocalPolicy,
    AwsPolicy,
}

impl Kind {
    const ALL: [Self; 4] = [Self::User, Self::Role, Self::LocalPolicy, Self::AwsPolicy];

    fn filter(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Role => "Role",
            Self::LocalPolicy => "LocalManagedPolicy",
            Self::AwsPolicy => "AWSManagedPolicy",
        }
    }

    fn list(self) -> &'static str {
        match self {
            Self::User => "UserDetailList",
            Self::Role => "RoleDetailList",
            Self::LocalPolicy | Self::AwsPolicy => "Policies",
        }
    }

    /// Names, unique within the kind, and details.
    fn details(self, shared: &SandboxState) -> Vec<(String, Value)> {
        match self {
            Self::User => vec![(CALLER.to_owned(), user_detail(shared))],
            Self::Role => {
                let roles = shared.global(ROLES).list("").into_iter();
                roles.map(|(name, role)| (name, role_detail(shared, &role))).collect()
            }
            Self::LocalPolicy => {
                let policies = shared.global(POLICIES).list("").into_iter();
                policies.map(|(arn, policy)| (arn, policy_detail(shared, &policy))).collect()
            }
            // Only those that are attached to something (docs/aws/iam.md#reading-roles).
            Self::AwsPolicy => aws_managed::all()
                .map(|(arn, policy)| (arn, policy_detail(shared, &policy)))
                .filter(|(_, detail)| detail["AttachmentCount"] != 0)
                .collect(),
        }
    }
}

fn user_detail(shared: &SandboxState) -> Value {
    json!({
        "Path": "/",
        "UserName": CALLER,
        "UserId": "AIDASANDBOX0000000000",
        "Arn": super::arn(shared, "user", "/", CALLER),
        "CreateDate": stamp(0),
        "GroupList": [],
        "AttachedManagedPolicies": [],
    })
}

/// Unlike `GetRole`, it has neither description nor session duration (docs/aws/iam.md#reading-roles).
fn role_detail(shared: &SandboxState, role: &Value) -> Value {
    let name = role["RoleName"].as_str().unwrap_or_default();
    let mut detail = pick(role, &["Path", "RoleName", "RoleId", "Arn", "CreateDate"]);
    detail["AssumeRolePolicyDocument"] = roles::encoded_trust(role);
    detail["RolePolicyList"] = inline::of_role(role).into();
    detail["AttachedManagedPolicies"] = roles::attached(role).into_iter().map(|(_, policy)| policy).collect();
    detail["InstanceProfileList"] =
        profiles_of(shared, name).iter().map(|(_, profile)| profiles::shown(shared, profile)).collect();
    merge(&mut detail, roles::particulars(shared, role));
    if detail.get("Tags").is_none() {
        detail["Tags"] = tags::to_list(&tags::Tags::new());
    }
    detail
}

fn policy_detail(shared: &SandboxState, policy: &Value) -> Value {
    let mut detail = policies::summary(shared, policy);
    detail["PolicyVersionList"] =
        policies::versions(policy, true).into_iter().map(|(_, version)| version).collect();
    detail
}

/// One listing over all kinds, so a page may end within any of them. There are no groups.
pub(super) fn get_account_authorization_details(call: &Call) -> Answer {
    let filters = call.list("Filter");
    let wanted = |kind: &Kind| filters.is_empty() || filters.iter().any(|filter| filter == kind.filter());
    let items = Kind::ALL.into_iter().filter(wanted).flat_map(|kind| {
        let details = kind.details(&call.shared).into_iter();
        details.map(move |(name, detail)| (format!("{}/{name}", kind.filter()), (kind, detail)))
    });
    let page = page(call, items.collect())?;
    let mut answer = json!({
        "UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": [],
        "IsTruncated": page.next.is_some(), "Marker": page.next,
    });
    for (kind, detail) in page.items {
        if let Value::Array(list) = &mut answer[kind.list()] {
            list.push(detail);
        }
    }
    Ok(answer)
}

pub(super) fn get_account_summary(call: &Call) -> Answer {
    let count = |table| call.shared.global(table).list("").len();
    let counts = [
        ("Users", 1),
        ("UsersQuota", 5_000),
        ("Groups", 0),
        ("GroupsQuota", 300),
        ("Roles", count(ROLES)),
        ("RolesQuota", 1_000),
        ("Policies", count(POLICIES)),
        ("PoliciesQuota", 1_500),
        ("InstanceProfiles", count(PROFILES)),
        ("InstanceProfilesQuota", 1_000),
        ("AttachedPoliciesPerRoleQuota", 10),
        ("AssumeRolePolicySizeQuota", 2_048),
        ("RolePolicySizeQuota", 10_240),
        ("PolicySizeQuota", 6_144),
        ("VersionsPerPolicyQuota", 5),
        ("AccountAccessKeysPresent", 0),
        ("AccountMFAEnabled", 1),
    ];
    let entries: Value = counts.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    Ok(json!({"SummaryMap": {"entry[]": entries}}))
}

/// The account has no alias.
pub(super) fn list_account_aliases(_: &Call) -> Answer {
    Ok(json!({"AccountAliases": [], "IsTruncated": false}))
}

/// Nothing here makes identity providers.
pub(super) fn list_oidc_providers(_: &Call) -> Answer {
    Ok(json!({"OpenIDConnectProviderList": []}))
}

pub(super) fn list_saml_providers(_: &Call) -> Answer {
    Ok(json!({"SAMLProviderList": []}))
}
