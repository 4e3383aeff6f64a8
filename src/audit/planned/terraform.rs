//! The IAM of a Terraform plan, in the JSON of `terraform show -json`.
//! <https://developer.hashicorp.com/terraform/internals/json-format>
//!
//! What is known only after it is applied (the ARN of a new role, say) is followed by the references of the
//! configuration.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::policies::account_in;
use super::{Built, Holder, changes, list};

/// A resource that the plan makes or keeps.
struct Planned<'v> {
    /// `module.a.` or nothing.
    module: String,
    kind: &'v str,
    name: &'v str,
    index: &'v Value,
    values: &'v Value,
    expressions: Option<&'v Value>,
}

impl Planned<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.values[key].as_str().filter(|text| !text.is_empty())
    }

    fn address(&self) -> String {
        format!("{}{}.{}", self.module, self.kind, self.name)
    }
}

pub(super) fn read(plan: &Value, home: Option<&str>) -> Built {
    let root = match &plan["planned_values"]["root_module"] {
        Value::Null => &plan["values"]["root_module"],
        root => root,
    };
    let mut resources = Vec::new();
    collect(root, "", &plan["configuration"]["root_module"], &mut resources);
    let told = plan.pointer("/prior_state/values").map(Value::to_string).unwrap_or_default();
    let guessed = || account_in(&told).or_else(|| account_in(&root.to_string()));
    let mut built = Built::new(home.map(str::to_owned).or_else(guessed));
    built.problems.extend(gaps(plan, root).into_iter().map(|why| (String::new(), why)));
    built.removed = changes::of(plan, &mut built.problems);
    let mut reader = Reader { names: HashMap::new(), arns: HashMap::new() };
    for resource in &resources {
        reader.make(resource, &mut built);
    }
    for resource in &resources {
        reader.connect(resource, &mut built);
    }
    built
}

/// What a plan says itself that it does not say, and what is none.
fn gaps(plan: &Value, root: &Value) -> Vec<String> {
    let mut gaps = Vec::new();
    if plan["errored"] == true {
        gaps.push("the plan ended with an error, so that it does not say all that will change".to_owned());
    }
    let deferred = list(&plan["deferred_changes"]).filter_map(|d| d["resource_change"]["address"].as_str());
    let deferred: Vec<&str> = deferred.collect();
    gaps.extend(deferred.iter().map(|at| format!("{at} is deferred: what it will be is not in the plan")));
    if plan["complete"] == false && plan["errored"] != true && deferred.is_empty() {
        gaps.push("the plan says that it is not complete: more is to change after it (-target?)".to_owned());
    }
    let mut modules = vec![root];
    while let Some(module) = modules.pop() {
        let is_list = |key: &str| module[key].is_null() || module[key].is_array();
        if !module.is_object() || !is_list("resources") || !is_list("child_modules") {
            gaps.push("it is not as `terraform show -json` writes a plan: a module is missing".to_owned());
        }
        modules.extend(list(&module["child_modules"]));
    }
    gaps
}

fn collect<'v>(module: &'v Value, prefix: &str, configured: &'v Value, found: &mut Vec<Planned<'v>>) {
    for resource in list(&module["resources"]) {
        let (Some(kind), Some(name)) = (resource["type"].as_str(), resource["name"].as_str()) else {
            continue;
        };
        if resource["mode"] == "data" || !(kind.starts_with("aws_iam_") || kind.starts_with("awscc_iam_")) {
            continue;
        }
        let mut written = list(&configured["resources"]);
        let written = written.find(|r| r["type"] == kind && r["name"] == name && r["mode"] != "data");
        found.push(Planned {
            module: prefix.to_owned(),
            kind,
            name,
            index: &resource["index"],
            values: &resource["values"],
            expressions: written.map(|r| &r["expressions"]),
        });
    }
    for child in list(&module["child_modules"]) {
        let address = child["address"].as_str().unwrap_or_default();
        let call = address.rsplit("module.").next().unwrap_or_default();
        let call = call.split('[').next().unwrap_or_default();
        let inner = &configured["module_calls"][call]["module"];
        collect(child, &format!("{address}."), inner, found);
    }
}

/// Resources of IAM that are read above, and those that give nobody a permission.
const IS_READ_OR_GIVES_NOTHING: &[&str] = &[
    "role",
    "user",
    "group",
    "policy",
    "access_key",
    "account_alias",
    "account_password_policy",
    "group_policies_exclusive",
    "openid_connect_provider",
    "organizations_features",
    "outbound_web_identity_federation",
    "role_policies_exclusive",
    "saml_provider",
    "security_token_service_preferences",
    "server_certificate",
    "service_linked_role",
    "service_specific_credential",
    "signing_certificate",
    "user_login_profile",
    "user_policies_exclusive",
    "user_ssh_key",
    "virtual_mfa_device",
];

/// What the entities are called, by the address of the resource, with the index where there is one.
struct Reader {
    names: HashMap<(String, String), String>,
    arns: HashMap<(String, String), String>,
}

impl Reader {
    /// Roles, users, groups and policies.
    fn make(&mut self, r: &Planned<'_>, built: &mut Built) {
        let path = r.text("path").unwrap_or("/");
        let prefix = r.text("name_prefix").map(|prefix| format!("{prefix}{}", r.name));
        let name = r.text("name").map(str::to_owned).or(prefix).unwrap_or_else(|| r.name.to_owned());
        let kind = match r.kind {
            "aws_iam_role" => "role",
            "aws_iam_user" => "user",
            "aws_iam_group" => "group",
            "aws_iam_policy" => "policy",
            _ => return,
        };
        let arn = r.text("arn").map_or_else(|| built.arn(kind, path, &name), str::to_owned);
        let key = (r.address(), r.index.to_string());
        self.names.insert(key.clone(), name.clone());
        self.arns.insert(key, arn.clone());
        let boundary = r.text("permissions_boundary").map(|arn| json!({"PermissionsBoundaryArn": arn}));
        let tags: Vec<Value> =
            tags(r.values).map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        match kind {
            "role" => {
                let mut role = json!({"RoleName": name, "Arn": arn, "Path": path, "Tags": tags,
                    "AssumeRolePolicyDocument": document(r, "assume_role_policy"),
                    "RolePolicyList": [], "AttachedManagedPolicies": [], "InstanceProfileList": [],
                    "PermissionsBoundary": boundary, "MaxSessionDuration": r.values["max_session_duration"]});
                let written = list(&r.values["inline_policy"]).filter(|p| p["policy"].is_string());
                role["RolePolicyList"] = written
                    .map(|p| json!({"PolicyName": p["name"], "PolicyDocument": p["policy"]}))
                    .collect();
                built.roles.push(role);
                for arn in list(&r.values["managed_policy_arns"]).filter_map(Value::as_str) {
                    built.attach(Holder::Role, &name, arn);
                }
            }
            "user" => built.users.push(json!({"UserName": name, "Arn": arn, "Path": path, "Tags": tags,
                "GroupList": [], "PermissionsBoundary": boundary})),
            "group" => built.groups.push(json!({"GroupName": name, "Arn": arn, "Path": path})),
            _ => built.add_policy(&name, &arn, document(r, "policy")),
        }
        let key = if kind == "role" { "assume_role_policy" } else { "policy" };
        if ["role", "policy"].contains(&kind) {
            untold(r, key, &arn, built);
        }
    }

    /// What gives one to another.
    fn connect(&self, r: &Planned<'_>, built: &mut Built) {
        let (kind, holder) = match r.kind.trim_start_matches("aws_iam_").split('_').next() {
            Some("role") => (Holder::Role, "role"),
            Some("user") => (Holder::User, "user"),
            _ => (Holder::Group, "group"),
        };
        match r.kind {
            "aws_iam_role_policy" | "aws_iam_user_policy" | "aws_iam_group_policy" => {
                let Some(name) = self.told(r, holder, &self.names, built) else { return };
                built.write(kind, &name, r.text("name").unwrap_or(r.name), document(r, "policy"));
                untold(r, "policy", &name, built);
            }
            "aws_iam_role_policy_attachment"
            | "aws_iam_user_policy_attachment"
            | "aws_iam_group_policy_attachment" => {
                let name = self.told(r, holder, &self.names, built);
                let arn = self.told(r, "policy_arn", &self.arns, built);
                if let (Some(name), Some(arn)) = (name, arn) {
                    built.attach(kind, &name, &arn);
                }
            }
            "aws_iam_role_policy_attachments_exclusive"
            | "aws_iam_user_policy_attachments_exclusive"
            | "aws_iam_group_policy_attachments_exclusive" => {
                self.attach_all(r, (kind, holder), built);
            }
            "aws_iam_policy_attachment" => {
                self.attach_to_all(r, built);
            }
            "aws_iam_role_policies_exclusive"
            | "aws_iam_user_policies_exclusive"
            | "aws_iam_group_policies_exclusive" => {
                self.leave_written(r, (kind, holder), built);
            }
            "aws_iam_user_group_membership" => {
                let Some(user) = self.told(r, "user", &self.names, built) else { return };
                self.all(r, "groups", &self.names).iter().for_each(|group| built.join(&user, group));
            }
            "aws_iam_group_membership" => {
                let Some(group) = self.told(r, "group", &self.names, built) else { return };
                self.all(r, "users", &self.names).iter().for_each(|user| built.join(user, &group));
            }
            "aws_iam_instance_profile" => {
                let Some(role) = self.told(r, "role", &self.names, built) else { return };
                let profile = json!({"InstanceProfileName": r.text("name").unwrap_or(r.name)});
                built.push(Holder::Role, &role, "InstanceProfileList", profile);
            }
            other if !IS_READ_OR_GIVES_NOTHING.iter().any(|known| other == format!("aws_iam_{known}")) => {
                let reason = format!("{}: resources of the type {other} are not read", r.address());
                built.problems.push((String::new(), reason));
            }
            _ => {}
        }
    }

    /// All who have a policy, by a resource that leaves it nobody else.
    fn attach_to_all(&self, r: &Planned<'_>, built: &mut Built) {
        let Some(arn) = self.told(r, "policy_arn", &self.arns, built) else { return };
        built.removed.from_others.push(arn.clone());
        for (key, kind) in [("roles", Holder::Role), ("users", Holder::User), ("groups", Holder::Group)] {
            for name in self.all(r, key, &self.names) {
                built.attach(kind, &name, &arn);
            }
        }
    }

    /// The names of the policies that somebody keeps of those written into it.
    fn leave_written(&self, r: &Planned<'_>, (kind, holder): (Holder, &str), built: &mut Built) {
        let key = format!("{holder}_name");
        let Some(name) = self.told(r, &key, &self.names, built) else { return };
        let kept = list(&r.values["policy_names"]).filter_map(Value::as_str).map(str::to_owned);
        built.removed.others_inline.push((kind, name, kept.collect()));
    }

    /// All that one has, by a resource that leaves it nothing else.
    fn attach_all(&self, r: &Planned<'_>, (kind, holder): (Holder, &str), built: &mut Built) {
        let Some(name) = self.told(r, &format!("{holder}_name"), &self.names, built) else { return };
        let arns = self.all(r, "policy_arns", &self.arns);
        built.removed.others_attached.push((kind, name.clone()));
        if arns.is_empty() && r.values["policy_arns"].is_null() {
            let reason = format!("{}: which policies is known only after it is applied", r.address());
            built.problems.push((String::new(), reason));
        }
        arns.iter().for_each(|arn| built.attach(kind, &name, arn));
    }

    /// A value of the plan, or what its expression refers to.
    fn told(
        &self,
        r: &Planned<'_>,
        key: &str,
        known: &HashMap<(String, String), String>,
        built: &mut Built,
    ) -> Option<String> {
        if let Some(text) = r.text(key) {
            return Some(text.to_owned());
        }
        let found = self.referred(r, key, known).into_iter().next();
        if found.is_none() {
            let reason = format!("{}: which {key} is known only after it is applied", r.address());
            built.problems.push((String::new(), reason));
        }
        found
    }

    fn all(&self, r: &Planned<'_>, key: &str, known: &HashMap<(String, String), String>) -> Vec<String> {
        let told: Vec<String> = list(&r.values[key]).filter_map(Value::as_str).map(str::to_owned).collect();
        if told.is_empty() { self.referred(r, key, known) } else { told }
    }

    fn referred(&self, r: &Planned<'_>, key: &str, known: &HashMap<(String, String), String>) -> Vec<String> {
        let references = r.expressions.map(|e| list(&e[key]["references"])).into_iter().flatten();
        let mut found = Vec::new();
        for reference in references.filter_map(Value::as_str) {
            // `aws_iam_role.app[0].name` is said as well as `aws_iam_role.app`.
            let mut parts = reference.split('.').map(|part| part.split('[').next().unwrap_or_default());
            let (Some(kind), Some(name)) = (parts.next(), parts.next()) else { continue };
            let address = format!("{}{kind}.{name}", r.module);
            let same = known.get(&(address.clone(), r.index.to_string()));
            let only =
                || known.iter().filter(|((at, _), _)| *at == address).map(|(_, v)| v).collect::<Vec<_>>();
            let these = same.map_or_else(only, |one| vec![one]);
            for value in these {
                if !found.contains(value) {
                    found.push(value.clone());
                }
            }
        }
        found.sort();
        found
    }
}

/// A document. What is not known yet is none: an audit of it would be of nothing.
fn document(r: &Planned<'_>, key: &str) -> Value {
    match &r.values[key] {
        Value::Null => "known only after it is applied".into(),
        text => text.clone(),
    }
}

fn untold(r: &Planned<'_>, key: &str, of: &str, built: &mut Built) {
    if r.values[key].is_null() {
        let reason = format!("{}.{key} is known only after it is applied", r.address());
        built.problems.push((of.to_owned(), reason));
    }
}

fn tags(values: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let all = values["tags_all"].as_object().or(values["tags"].as_object());
    all.into_iter().flatten()
}
