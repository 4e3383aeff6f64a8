//! Builds accounts for tests, as the JSON that the AWS CLI writes.

use opsctl::audit::{Account, Audit, Instant, Settings, Usage, audit};
use opsctl_iam::managed;
use serde_json::{Value, json};

pub const ACCOUNT: &str = "111122223333";
pub const NOW: &str = "2026-11-01T00:00:00Z";

pub fn now() -> Instant {
    Instant::parse(NOW).expect("a time")
}

/// A role under construction: used recently, trusted by Lambda, without policies.
#[derive(Clone)]
pub struct RoleMaker(Value);

pub fn role(name: &str) -> RoleMaker {
    RoleMaker(json!({
        "Path": "/", "RoleName": name, "RoleId": format!("AROA{name}"), "Arn": role_arn(name),
        "CreateDate": "2024-01-01T00:00:00+00:00",
        "AssumeRolePolicyDocument": trust_service("lambda.amazonaws.com"),
        "InstanceProfileList": [], "RolePolicyList": [], "AttachedManagedPolicies": [], "Tags": [],
        "RoleLastUsed": {"LastUsedDate": "2026-10-30T00:00:00+00:00", "Region": "eu-west-1"},
    }))
}

pub fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

pub fn policy_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{name}")
}

pub fn document(statements: impl Into<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements.into()})
}

/// `Allow` of some actions on some resources.
pub fn allow(actions: &[&str], resources: &[&str]) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

pub fn deny(actions: &[&str], resources: &[&str]) -> Value {
    json!({"Effect": "Deny", "Action": actions, "Resource": resources})
}

/// A statement under a condition.
pub fn when(mut statement: Value, operator: &str, key: &str, value: impl Into<Value>) -> Value {
    statement["Condition"][operator][key] = value.into();
    statement
}

pub fn trust(principal: Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
}

pub fn trust_service(service: &str) -> Value {
    document(trust(json!({"Service": service})))
}

pub fn trust_own_account() -> Value {
    document(trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")})))
}

impl RoleMaker {
    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0[field] = value.into();
        self
    }

    pub fn path(self, path: &str) -> Self {
        let name = self.0["RoleName"].as_str().expect("a name").to_owned();
        self.set("Path", path).set("Arn", format!("arn:aws:iam::{ACCOUNT}:role{path}{name}"))
    }

    /// An inline policy of these statements.
    pub fn can(mut self, statements: impl Into<Value>) -> Self {
        let list = self.0["RolePolicyList"].as_array_mut().expect("a list");
        let name = format!("inline-{}", list.len() + 1);
        list.push(json!({"PolicyName": name, "PolicyDocument": document(statements)}));
        self
    }

    pub fn aws(self, policy: &str) -> Self {
        self.attach(&format!("arn:aws:iam::aws:policy/{policy}"))
    }

    pub fn attach(mut self, arn: &str) -> Self {
        let name = arn.rsplit('/').next().expect("a name");
        let list = self.0["AttachedManagedPolicies"].as_array_mut().expect("a list");
        list.push(json!({"PolicyName": name, "PolicyArn": arn}));
        self
    }

    pub fn boundary(self, arn: &str) -> Self {
        self.set(
            "PermissionsBoundary",
            json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}),
        )
    }

    pub fn trusts(self, document: Value) -> Self {
        self.set("AssumeRolePolicyDocument", document)
    }

    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.0["Tags"].as_array_mut().expect("a list").push(json!({"Key": key, "Value": value}));
        self
    }

    pub fn used(self, day: &str) -> Self {
        self.set("RoleLastUsed", json!({"LastUsedDate": day, "Region": "eu-west-1"}))
    }

    pub fn never_used(self) -> Self {
        self.set("RoleLastUsed", json!({}))
    }

    pub fn created(self, day: &str) -> Self {
        self.set("CreateDate", day)
    }
}

pub fn user_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

/// A user with one inline policy, or none.
pub fn user(name: &str, statements: &[Value]) -> Value {
    let inline = json!({"PolicyName": "inline", "PolicyDocument": document(statements.to_vec())});
    let policies = if statements.is_empty() { json!([]) } else { json!([inline]) };
    json!({"UserName": name, "UserId": format!("AIDA{name}"), "Arn": user_arn(name), "Path": "/",
        "GroupList": [], "UserPolicyList": policies, "AttachedManagedPolicies": []})
}

/// A group with one inline policy, or none.
pub fn group(name: &str, statements: &[Value]) -> Value {
    let policies = user(name, statements)["UserPolicyList"].clone();
    json!({"GroupName": name, "Arn": format!("arn:aws:iam::{ACCOUNT}:group/{name}"), "Path": "/",
        "GroupPolicyList": policies, "AttachedManagedPolicies": []})
}

/// A customer policy, as the dump lists it.
pub fn customer_policy(name: &str, statements: impl Into<Value>) -> Value {
    json!({
        "PolicyName": name, "PolicyId": format!("ANPA{name}"), "Arn": policy_arn(name), "Path": "/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 1, "PermissionsBoundaryUsageCount": 0, "IsAttachable": true,
        "CreateDate": "2024-01-01T00:00:00+00:00", "UpdateDate": "2024-01-01T00:00:00+00:00",
        "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true,
            "Document": document(statements)}],
    })
}

/// An account under construction.
#[derive(Default)]
pub struct World {
    roles: Vec<Value>,
    users: Vec<Value>,
    groups: Vec<Value>,
    policies: Vec<Value>,
    providers: Option<Vec<String>>,
}

impl World {
    pub fn of(roles: impl IntoIterator<Item = RoleMaker>) -> Self {
        Self { roles: roles.into_iter().map(|role| role.0).collect(), ..Self::default() }
    }

    pub fn policy(mut self, policy: Value) -> Self {
        self.policies.push(policy);
        self
    }

    pub fn user(mut self, user: Value) -> Self {
        self.users.push(user);
        self
    }

    pub fn group(mut self, group: Value) -> Self {
        self.groups.push(group);
        self
    }

    /// With these identity providers, OIDC and SAML, and no others.
    pub fn with_providers(mut self, arns: &[String]) -> Self {
        self.providers = Some(arns.to_vec());
        self
    }

    /// With the documents of all AWS policies that are attached, as AWS writes a dump.
    pub fn with_aws_documents(mut self) -> Self {
        let attached = self
            .roles
            .iter()
            .flat_map(|role| role["AttachedManagedPolicies"].as_array().into_iter().flatten());
        let attached = attached.filter_map(|policy| policy["PolicyArn"].as_str());
        let bounds = self
            .roles
            .iter()
            .filter_map(|role| role["PermissionsBoundary"]["PermissionsBoundaryArn"].as_str());
        let arns: std::collections::BTreeSet<String> = attached.chain(bounds).map(str::to_owned).collect();
        for policy in arns.iter().filter_map(|arn| managed::find(arn)) {
            let document: Value = serde_json::from_str(policy.json()).expect("JSON");
            let name = policy.arn.rsplit('/').next().expect("a name");
            self.policies.push(json!({
                "PolicyName": name, "PolicyId": name, "Arn": policy.arn, "Path": "/",
                "DefaultVersionId": policy.version, "AttachmentCount": 1,
                "PermissionsBoundaryUsageCount": 0, "IsAttachable": true,
                "CreateDate": "2020-01-01T00:00:00+00:00", "UpdateDate": "2020-01-01T00:00:00+00:00",
                "PolicyVersionList": [{"VersionId": policy.version, "IsDefaultVersion": true,
                    "Document": document, "CreateDate": "2020-01-01T00:00:00+00:00"}],
            }));
        }
        self
    }

    pub fn json(&self) -> Vec<u8> {
        let mut dump = json!({"RoleDetailList": self.roles, "UserDetailList": self.users,
            "GroupDetailList": self.groups, "Policies": self.policies});
        if let Some(arns) = &self.providers {
            let list = |kind: &str| -> Value {
                arns.iter().filter(|arn| arn.contains(kind)).map(|arn| json!({"Arn": arn})).collect()
            };
            dump["OpenIDConnectProviderList"] = list(":oidc-provider/");
            dump["SAMLProviderList"] = list(":saml-provider/");
        }
        serde_json::to_vec_pretty(&dump).expect("JSON")
    }

    pub fn account(&self) -> Account {
        let mut account = Account::from_json(&self.json()).expect("a dump");
        account.id = ACCOUNT.into();
        account
    }

    pub fn audit(&self) -> Audit {
        audit(&self.account(), &Usage::default(), &Settings::at(now()))
    }
}

/// The rules found on a role, sorted.
pub fn rules_on(audit: &Audit, name: &str) -> Vec<&'static str> {
    let mut rules: Vec<_> =
        audit.findings.iter().filter(|f| f.resource.ends_with(&format!("/{name}"))).map(|f| f.rule).collect();
    rules.sort_unstable();
    rules
}

/// The rules found on the only role of an account.
pub fn found(role: RoleMaker) -> Vec<&'static str> {
    let audit = World::of([role]).audit();
    let mut rules: Vec<_> = audit.findings.iter().map(|f| f.rule).collect();
    rules.sort_unstable();
    rules
}
