//! The IAM of a CloudFormation template.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html>
//!
//! Functions are worked out as far as a template alone allows: parameters by their defaults, references by
//! the name that a resource is given. What stays open is a text that names one thing, so that it is never
//! everything.

use serde_json::{Map, Value, json};

use super::policies::account_in;
use super::{Built, Holder};

pub(super) fn read(template: &Value) -> Built {
    let account = account_in(&template.to_string());
    let mut built = Built::new(account);
    let none = Map::new();
    let resources = template["Resources"].as_object().unwrap_or(&none);
    let reader = Reader { template, account: built.account.clone() };
    for (id, resource) in resources {
        reader.make(id, resource, &mut built);
    }
    for (id, resource) in resources {
        reader.connect(id, resource, &mut built);
    }
    if resources
        .values()
        .any(|r| r["Type"].as_str().is_some_and(|kind| kind.starts_with("AWS::Serverless::")))
    {
        let reason = "the template has resources of AWS::Serverless, whose roles the transform makes: audit \
                      what `aws cloudformation get-template --template-stage Processed` answers";
        built.problems.push((String::new(), reason.into()));
    }
    built
}

struct Reader<'t> {
    template: &'t Value,
    account: String,
}

impl Reader<'_> {
    fn make(&self, id: &str, resource: &Value, built: &mut Built) {
        let properties = self.value(&resource["Properties"]);
        let path = properties["Path"].as_str().unwrap_or("/");
        let name = self.name(id);
        let holder = match resource["Type"].as_str() {
            Some("AWS::IAM::Role") => {
                built.roles.push(json!({"RoleName": name, "Arn": self.arn(id), "Path": path,
                    "AssumeRolePolicyDocument": properties["AssumeRolePolicyDocument"],
                    "RolePolicyList": [], "AttachedManagedPolicies": [], "InstanceProfileList": [],
                    "Tags": properties["Tags"], "MaxSessionDuration": properties["MaxSessionDuration"],
                    "PermissionsBoundary": boundary(&properties)}));
                Holder::Role
            }
            Some("AWS::IAM::User") => {
                built.users.push(json!({"UserName": name, "Arn": self.arn(id), "Path": path,
                    "GroupList": properties["Groups"], "Tags": properties["Tags"],
                    "PermissionsBoundary": boundary(&properties)}));
                Holder::User
            }
            Some("AWS::IAM::Group") => {
                built.groups.push(json!({"GroupName": name, "Arn": self.arn(id), "Path": path}));
                Holder::Group
            }
            Some("AWS::IAM::ManagedPolicy") => {
                built.add_policy(&name, &self.arn(id), properties["PolicyDocument"].clone());
                return;
            }
            _ => return,
        };
        for policy in list(&properties["Policies"]) {
            let called = policy["PolicyName"].as_str().unwrap_or("policy");
            built.write(holder, &name, called, policy["PolicyDocument"].clone());
        }
        for arn in list(&properties["ManagedPolicyArns"]).filter_map(Value::as_str) {
            built.attach(holder, &name, arn);
        }
    }

    fn connect(&self, id: &str, resource: &Value, built: &mut Built) {
        let properties = self.value(&resource["Properties"]);
        let called = properties["PolicyName"].as_str().unwrap_or(id).to_owned();
        let document = &properties["PolicyDocument"];
        let holders = [("Roles", Holder::Role), ("Users", Holder::User), ("Groups", Holder::Group)];
        let each = |key: &str| -> Vec<String> {
            list(&properties[key]).filter_map(Value::as_str).map(str::to_owned).collect()
        };
        match resource["Type"].as_str() {
            Some("AWS::IAM::Policy") => {
                for (key, kind) in holders {
                    each(key).iter().for_each(|name| built.write(kind, name, &called, document.clone()));
                }
            }
            Some("AWS::IAM::ManagedPolicy") => {
                for (key, kind) in holders {
                    each(key).iter().for_each(|name| built.attach(kind, name, &self.arn(id)));
                }
            }
            Some("AWS::IAM::RolePolicy" | "AWS::IAM::UserPolicy" | "AWS::IAM::GroupPolicy") => {
                for (key, kind) in
                    [("RoleName", Holder::Role), ("UserName", Holder::User), ("GroupName", Holder::Group)]
                {
                    if let Some(name) = properties[key].as_str() {
                        built.write(kind, name, &called, document.clone());
                    }
                }
            }
            Some("AWS::IAM::UserToGroupAddition") => {
                let group = properties["GroupName"].as_str().unwrap_or_default();
                each("Users").iter().for_each(|user| built.join(user, group));
            }
            Some("AWS::IAM::InstanceProfile") => {
                for role in each("Roles") {
                    let profile = json!({"InstanceProfileName": self.name(id)});
                    built.push(Holder::Role, &role, "InstanceProfileList", profile);
                }
            }
            _ => {}
        }
    }

    /// The name of a resource: the one that it is given, else its own in the template.
    fn name(&self, id: &str) -> String {
        let properties = &self.template["Resources"][id]["Properties"];
        let keys = ["RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"];
        let given = keys.iter().find_map(|key| self.value(&properties[key]).as_str().map(str::to_owned));
        given.unwrap_or_else(|| id.to_owned())
    }

    fn arn(&self, id: &str) -> String {
        let resource = &self.template["Resources"][id];
        let kind = resource["Type"].as_str().unwrap_or_default();
        let (_, kind) = kind.rsplit_once("::").unwrap_or(("", kind));
        let kind = match kind {
            "ManagedPolicy" => "policy".to_owned(),
            "InstanceProfile" => "instance-profile".to_owned(),
            other => other.to_ascii_lowercase(),
        };
        let path = self.value(&resource["Properties"]["Path"]);
        let path = path.as_str().filter(|path| path.starts_with('/')).unwrap_or("/");
        match resource["Type"].as_str().unwrap_or_default().starts_with("AWS::IAM::") {
            true => format!("arn:aws:iam::{}:{kind}{path}{}", self.account, self.name(id)),
            false => format!("arn:aws:template:::{id}"),
        }
    }

    /// A value with its functions worked out.
    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => {
                items.iter().map(|item| self.value(item)).filter(|item| !item.is_null()).collect()
            }
            Value::Object(map) => match map.iter().next().filter(|_| map.len() == 1) {
                Some((function, argument)) if function == "Ref" || function.starts_with("Fn::") => {
                    self.function(function, argument)
                }
                _ => Value::Object(map.iter().map(|(key, item)| (key.clone(), self.value(item))).collect()),
            },
            plain => plain.clone(),
        }
    }

    fn function(&self, function: &str, argument: &Value) -> Value {
        let text = |value: &Value| match self.value(value) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        match (function, argument) {
            ("Ref", Value::String(name)) => self.reference(name),
            ("Fn::GetAtt", Value::Array(parts)) => match (parts.first(), parts.get(1)) {
                (Some(Value::String(id)), Some(Value::String(attribute))) => self.attribute(id, attribute),
                _ => Value::Null,
            },
            ("Fn::GetAtt", Value::String(path)) => match path.split_once('.') {
                Some((id, attribute)) => self.attribute(id, attribute),
                None => Value::Null,
            },
            ("Fn::Sub", Value::String(pattern)) => self.substitute(pattern, &Value::Null).into(),
            ("Fn::Sub", Value::Array(parts)) => {
                let pattern = parts.first().and_then(Value::as_str).unwrap_or_default();
                self.substitute(pattern, parts.get(1).unwrap_or(&Value::Null)).into()
            }
            ("Fn::Join", Value::Array(parts)) => {
                let between = parts.first().and_then(Value::as_str).unwrap_or_default();
                let items = self.value(parts.get(1).unwrap_or(&Value::Null));
                list(&items).map(text).collect::<Vec<_>>().join(between).into()
            }
            // Either may be; the one that is there counts.
            ("Fn::If", Value::Array(parts)) => {
                let either = parts.iter().skip(1).map(|part| self.value(part));
                either.into_iter().find(|value| !value.is_null()).unwrap_or(Value::Null)
            }
            _ => {
                format!("{}-of-the-template", function.trim_start_matches("Fn::").to_ascii_lowercase()).into()
            }
        }
    }

    fn reference(&self, name: &str) -> Value {
        let pseudo = match name {
            "AWS::AccountId" => Some(self.account.as_str()),
            "AWS::Region" => Some("us-east-1"),
            "AWS::Partition" => Some("aws"),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            "AWS::StackName" => Some("stack"),
            "AWS::StackId" => Some("arn:aws:cloudformation:us-east-1:000000000000:stack/stack/id"),
            "AWS::NoValue" => return Value::Null,
            _ => None,
        };
        if let Some(value) = pseudo {
            return value.into();
        }
        let parameter = &self.template["Parameters"][name];
        if parameter.is_object() {
            let listed = parameter["Type"].as_str().is_some_and(|kind| kind.contains("List"));
            return match &parameter["Default"] {
                Value::Null => name.into(),
                Value::String(text) if listed => text.split(',').map(str::trim).collect(),
                default => default.clone(),
            };
        }
        match self.template["Resources"][name]["Type"].as_str() {
            Some("AWS::IAM::ManagedPolicy") => self.arn(name).into(),
            _ => self.name(name).into(),
        }
    }

    fn attribute(&self, id: &str, attribute: &str) -> Value {
        match attribute.ends_with("Arn") {
            true => self.arn(id).into(),
            false => format!("{id}.{attribute}").into(),
        }
    }

    /// `${Name}`, `${Name.Attribute}`, and `${!Literal}`, which is a variable of the policy.
    fn substitute(&self, pattern: &str, own: &Value) -> String {
        let (mut filled, mut rest) = (String::new(), pattern);
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else { break };
            filled.push_str(before);
            let value = match name.strip_prefix('!') {
                Some(literal) => format!("${{{literal}}}").into(),
                None if own.get(name).is_some() => self.value(&own[name]),
                None => match name.split_once('.') {
                    Some((id, attribute)) => self.attribute(id, attribute),
                    None => self.reference(name),
                },
            };
            match value {
                Value::String(text) => filled.push_str(&text),
                other => filled.push_str(&other.to_string()),
            }
            rest = tail;
        }
        filled + rest
    }
}

fn boundary(properties: &Value) -> Value {
    match properties["PermissionsBoundary"].as_str() {
        Some(arn) => json!({"PermissionsBoundaryArn": arn}),
        None => Value::Null,
    }
}

fn list(value: &Value) -> std::slice::Iter<'_, Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}
