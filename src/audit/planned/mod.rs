//! What is not deployed yet: a plan of Terraform, a template of CloudFormation, or policies alone, as the
//! account that they would make.

mod changes;
mod cloudformation;
mod policies;
mod terraform;
mod yaml;

use serde_json::{Value, json};

use super::account::{Account, ELSEWHERE, Page, UNTOLD};
use super::removed::{Holder, Removed};
use opsctl_iam::arn::Arn;
use opsctl_iam::time::Instant;

pub use policies::of_policies;
pub use yaml::read as of_yaml;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What `aws iam get-account-authorization-details` writes.
    Dump,
    /// What `terraform show -json PLAN` writes.
    TerraformPlan,
    /// A template, in JSON or YAML.
    CloudFormation,
    /// One policy document.
    Policy,
}

impl Kind {
    /// Told by the keys that only one of them has.
    pub fn of(value: &Value) -> Option<Self> {
        let has = |key: &str| value.get(key).is_some();
        if value.get("RoleDetailList").is_some_and(Value::is_array) {
            Some(Self::Dump)
        } else if has("planned_values") || (has("terraform_version") && has("values")) {
            Some(Self::TerraformPlan)
        } else if has("Resources") && value["Resources"].is_object() {
            Some(Self::CloudFormation)
        } else if has("Statement") {
            Some(Self::Policy)
        } else {
            None
        }
    }
}

/// The account that a plan or a template would make, as of a day: what it makes is new then.
pub fn of_plan(value: &Value, kind: Kind, now: Instant) -> Account {
    of_plan_in(value, kind, None, now)
}

/// As [`of_plan`], for what is to be deployed in an account that is known.
pub fn of_plan_in(value: &Value, kind: Kind, home: Option<&str>, now: Instant) -> Account {
    let mut built = match kind {
        Kind::CloudFormation => cloudformation::read(value, home),
        _ => terraform::read(value, home),
    };
    let removed = std::mem::take(&mut built.removed);
    built.hold_alone();
    for role in built.roles.iter_mut() {
        role["CreateDate"] = now.iso().into();
    }
    Account { planned: Some(removed), ..built.account() }
}

fn list(value: &Value) -> std::slice::Iter<'_, Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

/// Entities in the shape of a dump, so that one reader reads both.
#[derive(Default)]
struct Built {
    account: String,
    roles: Vec<Value>,
    users: Vec<Value>,
    groups: Vec<Value>,
    policies: Vec<Value>,
    removed: Removed,
    /// What could not be told, and of what.
    problems: Vec<(String, String)>,
}

/// The ARN that something will have: templates and plans name no partition.
fn iam_arn(account: &str, kind: &str, path: &str, name: &str) -> String {
    let resource = &format!("{kind}{path}{name}");
    Arn { partition: "aws", service: "iam", region: "", account, resource }.to_string()
}

impl Built {
    fn new(account: Option<String>) -> Self {
        Self { account: account.unwrap_or_else(|| UNTOLD.to_owned()), ..Self::default() }
    }

    fn arn(&self, kind: &str, path: &str, name: &str) -> String {
        let path = if path.starts_with('/') && path.ends_with('/') { path } else { "/" };
        iam_arn(&self.account, kind, path, name)
    }

    fn attach(&mut self, kind: Holder, name: &str, arn: &str) {
        let policy = json!({"PolicyName": arn.rsplit('/').next().unwrap_or(arn), "PolicyArn": arn});
        self.push(kind, name, "AttachedManagedPolicies", policy);
    }

    fn write(&mut self, kind: Holder, name: &str, policy: &str, document: Value) {
        let list = match kind {
            Holder::Role => "RolePolicyList",
            Holder::User => "UserPolicyList",
            Holder::Group => "GroupPolicyList",
        };
        self.push(kind, name, list, json!({"PolicyName": policy, "PolicyDocument": document}));
    }

    /// Adds to an entity that may be somebody else's: then what it holds besides is not known.
    fn push(&mut self, kind: Holder, name: &str, list: &str, item: Value) {
        let entity = self.holder(kind, name);
        match entity[list].as_array_mut() {
            Some(items) => items.push(item),
            None => entity[list] = json!([item]),
        }
    }

    fn holder(&mut self, kind: Holder, name: &str) -> &mut Value {
        let (entities, key, of) = match kind {
            Holder::Role => (&mut self.roles, "RoleName", "role"),
            Holder::User => (&mut self.users, "UserName", "user"),
            Holder::Group => (&mut self.groups, "GroupName", "group"),
        };
        let place = entities.iter().position(|entity| entity[key] == name).unwrap_or_else(|| {
            let arn = iam_arn(&self.account, of, "/", name);
            self.problems.push((arn.clone(), ELSEWHERE.into()));
            entities.push(json!({key: name, "Arn": arn, "Path": "/",
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}));
            entities.len() - 1
        });
        &mut entities[place]
    }

    fn join(&mut self, user: &str, group: &str) {
        self.holder(Holder::Group, group);
        self.push(Holder::User, user, "GroupList", group.into());
    }

    fn add_policy(&mut self, name: &str, arn: &str, document: Value) {
        self.policies.push(json!({"PolicyName": name, "Arn": arn, "DefaultVersionId": "v1",
            "AttachmentCount": 1, "PolicyVersionList":
            [{"VersionId": "v1", "IsDefaultVersion": true, "Document": document}]}));
    }

    /// Has each policy that nobody holds judged as if somebody did: who will is not in the plan. One that
    /// bounds somebody gives nothing.
    fn hold_alone(&mut self) {
        let holders = || self.roles.iter().chain(&self.users).chain(&self.groups);
        let attached = |arn: &Value| {
            let all = holders().filter_map(|holder| holder["AttachedManagedPolicies"].as_array()).flatten();
            all.into_iter().any(|policy| policy["PolicyArn"] == *arn)
        };
        let bounds =
            |arn: &Value| holders().any(|h| h["PermissionsBoundary"]["PermissionsBoundaryArn"] == *arn);
        let alone = self.policies.iter().filter(|policy| {
            let arn = &policy["Arn"];
            arn.as_str().is_some_and(|arn| arn.contains(":policy/")) && !attached(arn) && !bounds(arn)
        });
        let roles = alone.map(|policy| {
            // No role is called so.
            let name = format!("policy {}", policy["PolicyName"].as_str().unwrap_or_default());
            let held = json!([{"PolicyName": policy["PolicyName"], "PolicyArn": policy["Arn"]}]);
            json!({"RoleName": name, "Arn": policy["Arn"], "Path": "/", "AttachedManagedPolicies": held,
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}})
        });
        let roles: Vec<Value> = roles.collect();
        self.roles.extend(roles);
    }

    fn account(mut self) -> Account {
        let joined = self.users.iter().filter_map(|user| user["GroupList"].as_array()).flatten();
        let joined: Vec<String> = joined.filter_map(Value::as_str).map(str::to_owned).collect();
        for group in joined {
            self.holder(Holder::Group, &group);
        }
        let page = json!({"RoleDetailList": self.roles, "UserDetailList": self.users,
            "GroupDetailList": self.groups, "Policies": self.policies});
        let mut account = Account::default();
        match serde_json::from_value::<Page>(page) {
            Ok(page) => account.absorb(page),
            Err(error) => account.problem("", &format!("the plan could not be read: {error}")),
        }
        account.id = self.account;
        for (resource, reason) in self.problems {
            account.problem(&resource, &reason);
        }
        account
    }
}
