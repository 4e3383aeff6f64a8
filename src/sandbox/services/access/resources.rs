//! What the operations of all services but S3 need. The action has the operation's name and the resource the
//! ARN that AWS's catalogue has for the action, filled from the request; the exceptions are rows here
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html>).

use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::pattern;
use serde_json::Value;

use super::need::Need;
use super::read;
use crate::authority::Request;
use crate::services::{iam, kms, lambda};
use crate::state::{SandboxState, arn_of};
use crate::tags::{self, Tags};

/// Prefixes of actions that are not the sandbox's names of services.
const PREFIXES: &[(&str, &str)] = &[("sagemaker-runtime", "sagemaker"), ("tagging", "tag")];

/// Operations that need an action of another name.
const ACTIONS: &[(&str, &str, &str)] = &[("lambda", "Invoke", "InvokeFunction")];

/// What needs no permission, or whose permission is decided elsewhere: `GetCallerIdentity` is everybody's, a
/// role's trust decides who assumes it, and URLs of functions have a check of their own.
const FREE: &[(&str, &str)] = &[
    ("lambda", "GetCode"),
    ("lambda", "InvokeFunctionUrl"),
    ("sts", "AssumeRole"),
    ("sts", "GetCallerIdentity"),
];

/// Members that a placeholder of an ARN is filled from, where they have another name.
const MEMBERS: &[(&str, &str)] = &[
    ("AlarmName", "AlarmNames"),
    ("ParameterNameWithoutLeadingSlash", "Name"),
    ("ParameterNameWithoutLeadingSlash", "Names"),
    ("ScheduleName", "Name"),
];

/// Who is passed a role by an operation of a service, by the member that names the role.
const PASSES: &[(&str, &str, &str)] = &[
    ("lambda", "Role", "lambda.amazonaws.com"),
    ("sagemaker", "ExecutionRoleArn", "sagemaker.amazonaws.com"),
    ("sagemaker", "RoleArn", "sagemaker.amazonaws.com"),
    ("scheduler", "RoleArn", "scheduler.amazonaws.com"),
];

/// What a key of KMS in a request needs besides: where the request names it, and what the service does with
/// it in the name of its caller (docs/aws/kms.md#who-needs-what). A training job is left out: its role may do
/// it in the caller's place.
const KEYS: &[(&str, &str, &str, &[&str])] = &[
    ("sagemaker", "CreateEndpointConfig", "/KmsKeyId", &["CreateGrant", "DescribeKey"]),
    ("sagemaker", "CreateNotebookInstance", "/KmsKeyId", &["CreateGrant", "DescribeKey"]),
    ("lambda", "CreateFunction", "/KMSKeyArn", &["CreateGrant", "Encrypt"]),
    ("lambda", "UpdateFunctionConfiguration", "/KMSKeyArn", &["CreateGrant", "Encrypt"]),
    (
        "ec2",
        "RunInstances",
        "/BlockDeviceMapping/0/Ebs/KmsKeyId",
        &["CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext"],
    ),
];

/// What tags of a new resource need besides.
const TAGGING: &[(&str, &str, &str)] = &[
    ("iam", "CreateInstanceProfile", "iam:TagInstanceProfile"),
    ("iam", "CreatePolicy", "iam:TagPolicy"),
    ("iam", "CreateRole", "iam:TagRole"),
    ("lambda", "CreateFunction", "lambda:TagResource"),
    ("logs", "CreateLogGroup", "logs:TagResource"),
    ("sagemaker", "Create", "sagemaker:AddTags"),
    ("scheduler", "CreateScheduleGroup", "scheduler:TagResource"),
];

/// The action of an operation.
pub(super) fn action_of(service: &str, operation: &str) -> String {
    let prefix = PREFIXES.iter().find(|(known, _)| *known == service).map_or(service, |(_, prefix)| prefix);
    let renamed = ACTIONS.iter().find(|(known, from, _)| (*known, *from) == (service, operation));
    format!("{prefix}:{}", renamed.map_or(operation, |(_, _, action)| action))
}

pub(super) fn needs(shared: &SandboxState, request: &Request<'_>) -> Vec<Need> {
    let (service, operation) = (request.service, request.operation);
    if FREE.contains(&(service, operation)) {
        return Vec::new();
    }
    let action = action_of(service, operation);
    let prefix = action.split_once(':').map_or(service, |(prefix, _)| prefix);
    let asked = Asked { shared, request, prefix };
    let mut needs: Vec<Need> =
        asked.resources(&action).into_iter().map(|forms| asked.need(&action, forms)).collect();
    let tags = asked.tags();
    let is_tagging =
        |row: &&(&str, &str, &str)| row.0 == service && operation.starts_with(row.1) && !tags.is_empty();
    if let Some((_, _, action)) = TAGGING.iter().find(is_tagging) {
        // Which of several is the new one, their names do not say.
        let forms = if let [one] = &needs[..] { one.resources.clone() } else { Vec::new() };
        needs.push(asked.need(action, forms));
    }
    needs.extend(asked.passes());
    needs.extend(asked.keys());
    needs
}

struct Asked<'a> {
    shared: &'a SandboxState,
    request: &'a Request<'a>,
    /// Of the service's actions.
    prefix: &'a str,
}

impl Asked<'_> {
    /// The resources that an action is asked for, each in all its forms. One without a form is not known.
    fn resources(&self, action: &str) -> Vec<Vec<String>> {
        let catalogue = Catalogue::embedded();
        let Some(id) = catalogue.find(action) else { return Vec::new() };
        let templates: Vec<&str> = catalogue.resource_templates(id).collect();
        if templates.is_empty() {
            return vec![vec!["*".to_owned()]];
        }
        if let Some(found) = self.own_form() {
            return vec![found];
        }
        let mut found: Vec<Vec<String>> = Vec::new();
        for template in templates {
            let arns = self.named_by_arn(template).into_iter().chain(self.filled(template));
            found.extend(arns.map(|arn| self.forms(arn)).filter(|forms| !forms.is_empty()));
        }
        found.sort();
        found.dedup();
        if found.is_empty() { vec![Vec::new()] } else { found }
    }

    /// Members of the input that are ARNs of this kind.
    fn named_by_arn(&self, template: &str) -> Vec<String> {
        let kind = any_of(template);
        let members = self.request.input.as_object().into_iter().flatten();
        let texts = members.filter_map(|(_, value)| value.as_str());
        texts.filter(|text| pattern::matches(&kind, text)).map(str::to_owned).collect()
    }

    /// A template with the members of the input put in: several where a member is a list, none where one is
    /// missing.
    fn filled(&self, template: &str) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else { break };
            let values = self.values(name);
            all = all
                .iter()
                .flat_map(|begun| values.iter().map(move |value| format!("{begun}{before}{value}")))
                .collect();
            rest = after;
        }
        all.into_iter().map(|begun| begun + rest).collect()
    }

    fn values(&self, placeholder: &str) -> Vec<String> {
        match placeholder {
            "Partition" => return vec!["aws".to_owned()],
            "Region" => return vec![self.request.region.to_owned()],
            "Account" => return vec![self.shared.account.clone()],
            _ => {}
        }
        let other = MEMBERS.iter().filter(|(known, _)| *known == placeholder).map(|(_, member)| *member);
        let members = self.request.input.as_object().into_iter().flatten();
        let named = |wanted: &str| {
            members.clone().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
        };
        let value = std::iter::once(placeholder).chain(other).find_map(named);
        let texts: Vec<&str> = match value {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            value => value.and_then(Value::as_str).into_iter().collect(),
        };
        // What an ARN names is its own form, not a part of one.
        let names = texts.into_iter().filter(|text| !text.starts_with("arn:"));
        names.map(|text| text.strip_prefix('/').unwrap_or(text).to_owned()).collect()
    }

    /// ARNs that are made otherwise: with a path, with a qualifier, with a group.
    fn own_form(&self) -> Option<Vec<String>> {
        let input = self.request.input;
        let text = |member: &str| input[member].as_str();
        let arn = |rest: String| vec![self.shared.arn(self.prefix, self.request.region, &rest)];
        match self.prefix {
            "iam" => self.of_iam(),
            "lambda" => {
                let name = text("FunctionName")?;
                let name = name.split_once("function:").map_or(name, |(_, name)| name);
                let qualifier = text("Qualifier").map(|qualifier| format!(":{qualifier}"));
                Some(arn(format!("function:{name}{}", qualifier.unwrap_or_default())))
            }
            "logs" => {
                let group = text("logGroupName")?;
                let stream = text("logStreamName").unwrap_or_default();
                // A policy names the group, or what is in it.
                let forms = [format!(":log-stream:{stream}"), String::new(), ":*".to_owned()];
                Some(forms.into_iter().flat_map(|form| arn(format!("log-group:{group}{form}"))).collect())
            }
            "scheduler" => {
                let name = text("Name")?;
                let group = text("GroupName").or_else(|| text("groupName")).unwrap_or("default");
                Some(arn(match self.request.operation.ends_with("ScheduleGroup") {
                    true => format!("schedule-group/{name}"),
                    false => format!("schedule/{group}/{name}"),
                }))
            }
            "ssm" if text("Name").is_some_and(|name| name.starts_with("/aws/")) => {
                let name = text("Name")?;
                Some(vec![arn_of("ssm", self.request.region, "", &format!("parameter{name}"))])
            }
            "kms" => {
                Some(kms::arn_of(self.shared, self.request.region, text("KeyId")?).into_iter().collect())
            }
            "ecr" => {
                let account = text("registryId").unwrap_or(&self.shared.account);
                let (region, name) = (self.request.region, text("repositoryName")?);
                Some(vec![arn_of("ecr", region, account, &format!("repository/{name}"))])
            }
            _ => None,
        }
    }

    /// IAM's ARNs have paths, which only `Create…` is given.
    fn of_iam(&self) -> Option<Vec<String>> {
        let operation = self.request.operation;
        let text = |member: &str| self.request.input[member].as_str();
        let of = |kind: &str, name: &str| match operation.starts_with("Create") {
            true => {
                let path = text("Path").unwrap_or("/");
                Some(self.shared.arn("iam", "", &format!("{kind}{path}{name}")))
            }
            false => iam::arn_of(self.shared, kind, name),
        };
        let found = match (text("InstanceProfileName"), text("RoleName")) {
            (Some(profile), _) => of("instance-profile", profile),
            (None, Some(role)) => of("role", role),
            (None, None) if operation == "CreatePolicy" => of("policy", text("PolicyName")?),
            (None, None) => return None,
        };
        // What is not there has an ARN that nobody knows.
        Some(found.into_iter().collect())
    }

    /// SageMaker writes names in ARNs in lower case, and policies as people wrote the name.
    fn forms(&self, arn: String) -> Vec<String> {
        let lower = arn.to_lowercase();
        match self.prefix == "sagemaker" && lower != arn {
            true => vec![lower, arn],
            false => vec![arn],
        }
    }

    fn need(&self, action: &str, forms: Vec<String>) -> Need {
        let input = self.request.input;
        let mut need = Need::new(action, forms);
        let is_known = !need.resources.is_empty() && need.resources != ["*"];
        // Tags of EC2's requests have another form, and those of resources of its are in states.
        if self.prefix != "ec2" {
            let own = self.tags();
            let removed =
                ["TagKeys", "tagKeys"].iter().flat_map(|member| input[*member].as_array()).flatten();
            let removed = removed.filter_map(Value::as_str).map(str::to_owned);
            need.know("aws:tagkeys", own.keys().cloned().chain(removed));
            need.knows.push("aws:requesttag/");
            need.context.extend(own.into_iter().map(|(key, value)| (format!("aws:RequestTag/{key}"), value)));
        }
        if is_known && self.prefix != "ec2" {
            let held = need.resources.iter().flat_map(|arn| tags::of(self.shared, arn));
            let held: Vec<_> = held.map(|(key, value)| (format!("aws:ResourceTag/{key}"), value)).collect();
            need.knows.push("aws:resourcetag/");
            need.context.extend(held);
        }
        for (member, key) in [
            ("Namespace", "cloudwatch:namespace"),
            ("PolicyArn", "iam:policyarn"),
            ("ServiceNamespace", "application-autoscaling:service-namespace"),
            ("ScalableDimension", "application-autoscaling:scalable-dimension"),
        ] {
            if let Some(value) = input[member].as_str().filter(|_| key.starts_with(self.prefix)) {
                need.know(key, [value.to_owned()]);
            }
        }
        if action == "lambda:InvokeFunction" {
            need.resource_policy = self.policy_of_function();
        }
        need
    }

    fn policy_of_function(&self) -> Option<opsctl_iam::policy::Policy> {
        let (input, region) = (self.request.input, self.request.region);
        let name = input["FunctionName"].as_str()?;
        let name = name.split_once("function:").map_or(name, |(_, name)| name);
        let (name, own) = name.split_once(':').map_or((name, None), |(name, own)| (name, Some(own)));
        let qualifier = own.or_else(|| input["Qualifier"].as_str());
        read(&lambda::policy_of(self.shared, region, name, qualifier)?.to_string())
    }

    /// The tags of the request, in the shapes that services have for them.
    fn tags(&self) -> Tags {
        let input = self.request.input;
        let tags = if input["Tags"].is_null() { &input["tags"] } else { &input["Tags"] };
        match tags {
            Value::Array(list) => tags::from_list(list),
            map => tags::from_map(map),
        }
    }

    /// What is done with the keys that the request names.
    fn keys(&self) -> Vec<Need> {
        let Request { service, operation, region, input, .. } = self.request;
        let rows = KEYS.iter().filter(|(of, call, ..)| (of, call) == (service, operation));
        let mut needs = Vec::new();
        for (_, _, at, actions) in rows {
            let named = input.pointer(at).and_then(Value::as_str).filter(|named| !named.is_empty());
            let Some(arn) = named.and_then(|named| kms::arn_of(self.shared, region, named)) else { continue };
            for action in *actions {
                let mut need = Need::new(&format!("kms:{action}"), [arn.clone()]);
                need.know("kms:viaservice", [format!("{service}.{region}.amazonaws.com")]);
                need.know("kms:grantisforawsresource", ["true".to_owned()]);
                needs.push(need);
            }
        }
        needs
    }

    /// The roles that are handed over.
    fn passes(&self) -> Vec<Need> {
        let (service, input) = (self.request.service, self.request.input);
        let pass = |role: &str, to: &str| {
            let mut need = Need::new("iam:PassRole", [role.to_owned()]);
            need.know("iam:passedtoservice", [to.to_owned()]);
            need
        };
        let rows = PASSES.iter().filter(|(known, _, _)| *known == service);
        let mut needs: Vec<Need> = rows
            .filter_map(|(_, member, to)| {
                let role = input[*member].as_str().or_else(|| input["Target"][*member].as_str())?;
                Some(pass(role, to))
            })
            .collect();
        let profile = input["IamInstanceProfile"]["Name"].as_str();
        let profile = profile.or_else(|| input["IamInstanceProfile"]["Arn"].as_str());
        let of_instance = profile
            .filter(|_| self.request.operation == "RunInstances")
            .and_then(|profile| iam::instance_profile(self.shared, profile)?.role_arn);
        let added =
            input["RoleName"].as_str().filter(|_| self.request.operation == "AddRoleToInstanceProfile");
        let added = added.and_then(|name| iam::arn_of(self.shared, "role", name));
        needs.extend(of_instance.into_iter().chain(added).map(|role| pass(&role, "ec2.amazonaws.com")));
        needs
    }
}

/// A template as a pattern of all ARNs of its kind.
fn any_of(template: &str) -> String {
    let mut pieces = template.split("${");
    let mut kind = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        kind.push('*');
        kind.push_str(piece.split_once('}').map_or("", |(_, rest)| rest));
    }
    kind
}
