//! What a request asks AWS's authorization: permissions on resources, with the keys that conditions are
//! about. After the Service Authorization Reference
//! (https://docs.aws.amazon.com/service-authorization/latest/reference/), and what src/domain/action.rs
//! cites.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::tap::Sent;

/// One permission on one resource, with keys and values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub action: String,
    pub resource: String,
    pub context: Vec<(String, String)>,
}

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// Where the requests were sent from: whose tags and path its resources have.
#[derive(Clone, Copy)]
pub struct Place {
    pub project: &'static str,
    pub environment: &'static str,
}

impl Place {
    fn iam(self, what: &str, name: &str) -> String {
        // What others have in the account is at the root.
        let ours = name.starts_with(&format!("{}-{}-", self.project, self.environment));
        let path =
            if ours { format!("opsctl/{}/{}/", self.project, self.environment) } else { String::new() };
        format!("arn:aws:iam::{ACCOUNT}:{what}/{path}{name}")
    }

    fn tags(self, key: &str) -> Vec<(String, String)> {
        let (project, environment) = (self.project.to_owned(), self.environment.to_owned());
        vec![(format!("{key}/opsctl:project"), project), (format!("{key}/opsctl:environment"), environment)]
    }
}

fn arn(service: &str, rest: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}")
}

fn key(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

/// Everything that is asked of these requests.
pub fn all(sent: &[Sent], place: Place) -> BTreeSet<Asked> {
    sent.iter().flat_map(|request| Reader { place, asked: Vec::new() }.read(request)).collect()
}

struct Reader {
    place: Place,
    asked: Vec<Asked>,
}

impl Reader {
    fn ask(&mut self, action: &str, resource: impl Into<String>) {
        self.ask_with(action, resource, Vec::new());
    }

    fn ask_with(&mut self, action: &str, resource: impl Into<String>, context: Vec<(String, String)>) {
        self.asked.push(Asked { action: action.to_owned(), resource: resource.into(), context });
    }

    fn pass(&mut self, role: &str, service: &str) {
        self.ask_with("iam:PassRole", role, key("iam:PassedToService", service));
    }

    fn read(mut self, (head, body): &Sent) -> Vec<Asked> {
        let header = |name: &str| {
            let mut pairs = head.iter().filter_map(|line| line.split_once(':'));
            pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let mut line = head.first().map_or("", String::as_str).split(' ');
        let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = percent_decode_str(path).decode_utf8_lossy();
        let service = header("authorization").and_then(|a| a.split('/').nth(3)).unwrap_or("s3");
        let json = || serde_json::from_slice::<Value>(body).unwrap_or_default();
        let text = String::from_utf8_lossy(body);
        match (header("x-amz-target").and_then(|target| target.split_once('.')), service) {
            (Some((_, operation)), "sagemaker") => self.sagemaker(operation, &json()),
            (Some((_, operation)), "logs") => self.logs(operation, &json()),
            (Some((_, operation)), "application-autoscaling") => self.autoscaling(operation, &json()),
            (Some((_, "GetParameter")), "ssm") => {
                let name = json()["Name"].as_str().unwrap_or_default().to_owned();
                self.ask("ssm:GetParameter", format!("arn:aws:ssm:{REGION}::parameter{name}"));
            }
            (Some((_, operation)), "servicequotas") => self.ask(&format!("servicequotas:{operation}"), "*"),
            (Some((_, operation)), "monitoring") => self.ask(&format!("cloudwatch:{operation}"), "*"),
            (Some((_, operation)), "ecr") => {
                let text = |member: &str| json()[member].as_str().unwrap_or_default().to_owned();
                let (registry, name) = (text("registryId"), text("repositoryName"));
                let repository = format!("arn:aws:ecr:{REGION}:{registry}:repository/{name}");
                self.ask(&format!("ecr:{operation}"), repository);
            }
            (Some((_, operation)), "pricing") => self.ask(&format!("pricing:{operation}"), "*"),
            (Some((_, "GetResources")), "tagging") => self.ask("tag:GetResources", "*"),
            (None, "iam") => self.iam(&form(&text)),
            (None, "ec2") => self.ec2(&form(&text)),
            // "No permissions are required to perform this operation."
            (None, "sts") => {}
            (None, "scheduler") => self.scheduler(method, &path, query, &json()),
            (None, "lambda") => self.lambda(method, &path, query, &json()),
            (None, "sagemaker") => {
                let name = path.split('/').nth(2).unwrap_or_default();
                self.ask("sagemaker:InvokeEndpoint", arn("sagemaker", &format!("endpoint/{name}")));
            }
            (None, "s3") => self.s3(method, &path, query, header("x-amz-copy-source"), &text),
            (target, service) => panic!("nobody knows what {service} {target:?} {method} {path} needs"),
        }
        self.asked
    }

    fn sagemaker(&mut self, operation: &str, body: &Value) {
        let call = format!("sagemaker:{operation}");
        let text = |member: &str| body[member].as_str().unwrap_or_default();
        if operation.starts_with("List") && operation != "ListTags" {
            return self.ask(&call, "*");
        }
        if let Some(resource) = body["ResourceArn"].as_str() {
            return self.ask(&call, resource);
        }
        let named = |kind: &str, member: &str| arn("sagemaker", &format!("{kind}/{}", text(member)));
        let is_endpoint = operation.ends_with("Endpoint") || operation.contains("EndpointWeights");
        let resource = match operation {
            o if o.contains("LifecycleConfig") => {
                named("notebook-instance-lifecycle-config", "NotebookInstanceLifecycleConfigName")
            }
            o if o.contains("NotebookInstance") => named("notebook-instance", "NotebookInstanceName"),
            o if o.contains("TrainingJob") => named("training-job", "TrainingJobName"),
            o if o.contains("EndpointConfig") => named("endpoint-config", "EndpointConfigName"),
            o if o.contains("Model") => named("model", "ModelName"),
            _ if is_endpoint => named("endpoint", "EndpointName"),
            other => panic!("nobody knows what sagemaker:{other} is about"),
        };
        if ["CreateEndpoint", "UpdateEndpoint"].contains(&operation) {
            self.ask(&call, named("endpoint-config", "EndpointConfigName"));
        }
        if operation.starts_with("Create") && body["Tags"].is_array() {
            self.ask("sagemaker:AddTags", &resource);
        }
        for member in ["RoleArn", "ExecutionRoleArn"] {
            if let Some(role) = body[member].as_str() {
                self.pass(role, "sagemaker.amazonaws.com");
            }
        }
        self.ask(&call, resource);
    }

    fn logs(&mut self, operation: &str, body: &Value) {
        let call = format!("logs:{operation}");
        if operation == "DescribeLogGroups" {
            return self.ask(&call, "*");
        }
        if let Some(resource) = body["resourceArn"].as_str() {
            return self.ask(&call, resource.trim_end_matches(":*"));
        }
        let name = body["logGroupName"].as_str().or_else(|| body["logGroupIdentifier"].as_str());
        let group = arn("logs", &format!("log-group:{}", name.unwrap_or_default()));
        if operation == "CreateLogGroup" && body["tags"].is_object() {
            self.ask("logs:TagResource", &group);
        }
        match body["logStreamName"].as_str() {
            Some(stream) => self.ask(&call, format!("{group}:log-stream:{stream}")),
            None => self.ask(&call, format!("{group}:log-stream:")),
        }
    }

    fn autoscaling(&mut self, operation: &str, body: &Value) {
        let call = format!("application-autoscaling:{operation}");
        let resource = body["ResourceId"].as_str().unwrap_or_default();
        let endpoint = resource.split('/').nth(1).unwrap_or_default();
        let alarm = |end: &str| arn("cloudwatch", &format!("alarm:TargetTracking-{resource}-Alarm{end}"));
        if operation.starts_with("Describe") {
            self.ask(&call, "*");
            if operation == "DescribeScalingPolicies" && !resource.is_empty() {
                self.ask("cloudwatch:DescribeAlarms", alarm("High-1"));
            }
            return;
        }
        let space = |member: &str, name: &str| {
            let value = body[member].as_str().unwrap_or_default().to_owned();
            (format!("application-autoscaling:{name}"), value)
        };
        let context = vec![
            space("ServiceNamespace", "service-namespace"),
            space("ScalableDimension", "scalable-dimension"),
        ];
        self.ask_with(&call, arn("application-autoscaling", "scalable-target/0ec51"), context);
        if operation == "RegisterScalableTarget" {
            let service = "sagemaker.application-autoscaling.amazonaws.com";
            let role = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint";
            let role = format!("arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/{role}");
            self.ask_with("iam:CreateServiceLinkedRole", role, key("iam:AWSServiceName", service));
            let of = |kind: &str, end: &str| arn("sagemaker", &format!("{kind}/{endpoint}{end}"));
            self.ask("sagemaker:DescribeEndpoint", of("endpoint", ""));
            self.ask("sagemaker:DescribeEndpointConfig", of("endpoint-config", "-0123456789"));
            self.ask("sagemaker:UpdateEndpointWeightsAndCapacities", of("endpoint", ""));
        }
        if operation == "PutScalingPolicy" {
            self.ask("cloudwatch:PutMetricAlarm", alarm("Low-1"));
            self.ask("cloudwatch:DescribeAlarms", alarm("Low-1"));
        }
        if operation != "RegisterScalableTarget" && operation != "DeleteScheduledAction" {
            self.ask("cloudwatch:DeleteAlarms", alarm("Low-1"));
        }
    }

    fn iam(&mut self, form: &Form) {
        let operation = form.text("Action");
        let call = format!("iam:{operation}");
        let (role, profile) = (form.text("RoleName"), form.text("InstanceProfileName"));
        let role = self.place.iam("role", role);
        match operation {
            "ListRoles" | "GetAccountAuthorizationDetails" | "GetServiceLastAccessedDetails" => {
                self.ask(&call, "*")
            }
            "ListInstanceProfiles" | "ListOpenIDConnectProviders" | "ListSAMLProviders" => {
                self.ask(&call, "*");
            }
            "ListEntitiesForPolicy" => self.ask(&call, form.text("PolicyArn")),
            "SimulatePrincipalPolicy" => self.ask(&call, form.text("PolicySourceArn")),
            "GenerateServiceLastAccessedDetails" => self.ask(&call, form.text("Arn")),
            _ if !profile.is_empty() => {
                let profile = self.place.iam("instance-profile", profile);
                if operation == "CreateInstanceProfile" && form.has("Tags.") {
                    self.ask("iam:TagInstanceProfile", &profile);
                }
                if operation == "AddRoleToInstanceProfile" {
                    self.pass(&role, "ec2.amazonaws.com");
                }
                self.ask(&call, profile);
            }
            _ => {
                if operation == "CreateRole" && form.has("Tags.") {
                    self.ask("iam:TagRole", &role);
                }
                self.ask(&call, role);
            }
        }
    }

    fn ec2(&mut self, form: &Form) {
        match form.text("Action") {
            "DescribeInstances" | "DescribeInstanceTypes" | "DescribeRegions" | "DescribeVpcs" => {
                self.ask(&format!("ec2:{}", form.text("Action")), "*")
            }
            "TerminateInstances" => {
                let resource = arn("ec2", &format!("instance/{}", form.text("InstanceId.1")));
                let tags = self.place.tags("aws:ResourceTag");
                self.ask_with("ec2:TerminateInstances", resource, tags);
            }
            "RunInstances" => {
                for kind in ["instance", "volume"] {
                    let made = arn("ec2", &format!("{kind}/*"));
                    self.ask_with("ec2:RunInstances", &made, self.place.tags("aws:RequestTag"));
                    self.ask_with("ec2:CreateTags", made, key("ec2:CreateAction", "RunInstances"));
                }
                for used in ["network-interface/*", "security-group/sg-1", "subnet/subnet-1"] {
                    self.ask("ec2:RunInstances", arn("ec2", used));
                }
                let image = format!("arn:aws:ec2:{REGION}::image/{}", form.text("ImageId"));
                self.ask("ec2:RunInstances", image);
                let profile = form.text("IamInstanceProfile.Arn");
                self.pass(&profile.replacen(":instance-profile/", ":role/", 1), "ec2.amazonaws.com");
            }
            other => panic!("nobody knows what ec2:{other} needs"),
        }
    }

    fn scheduler(&mut self, method: &str, path: &str, query: &str, body: &Value) {
        let (kind, name) = path.trim_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
        let in_query =
            |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        let group = body["GroupName"].as_str().or_else(|| in_query("groupName")).unwrap_or_default();
        let schedule = arn("scheduler", &format!("schedule/{group}/{name}"));
        let groups = arn("scheduler", &format!("schedule-group/{name}"));
        let (call, resource) = match (method, kind) {
            ("POST", "schedules") => ("CreateSchedule", schedule),
            ("PUT", "schedules") => ("UpdateSchedule", schedule),
            ("GET", "schedules") if name.is_empty() => ("ListSchedules", "*".to_owned()),
            ("GET", "schedules") => ("GetSchedule", schedule),
            ("DELETE", "schedules") => ("DeleteSchedule", schedule),
            ("POST", "schedule-groups") => ("CreateScheduleGroup", groups),
            ("GET", "schedule-groups") => ("GetScheduleGroup", groups),
            ("DELETE", "schedule-groups") => ("DeleteScheduleGroup", groups),
            ("GET", "tags") => ("ListTagsForResource", name.to_owned()),
            ("POST", "tags") => ("TagResource", name.to_owned()),
            ("DELETE", "tags") => ("UntagResource", name.to_owned()),
            other => panic!("nobody knows what Scheduler's {other:?} is: {path}"),
        };
        if call == "CreateScheduleGroup" && body["Tags"].is_array() {
            self.ask("scheduler:TagResource", &resource);
        }
        if let Some(role) = body["Target"]["RoleArn"].as_str() {
            self.pass(role, "scheduler.amazonaws.com");
        }
        self.ask(&format!("scheduler:{call}"), resource);
    }

    fn lambda(&mut self, method: &str, path: &str, query: &str, body: &Value) {
        let parts: Vec<&str> = path.trim_matches('/').splitn(5, '/').collect();
        let function = |name: &str| arn("lambda", &format!("function:{name}"));
        if let ["2017-03-31", "tags", resource, ..] = parts[..] {
            let call = match method {
                "GET" => "lambda:ListTags",
                "DELETE" => "lambda:UntagResource",
                _ => "lambda:TagResource",
            };
            return self.ask(call, resource);
        }
        if path.ends_with("/account-settings") {
            return self.ask("lambda:GetAccountSettings", "*");
        }
        let name = parts.get(2).copied().unwrap_or_else(|| body["FunctionName"].as_str().unwrap_or_default());
        let bare = function(name.rsplit(":function:").next().unwrap_or_default());
        let qualifier = query.split('&').find_map(|pair| pair.strip_prefix("Qualifier="));
        let resource = qualifier.map_or_else(|| bare.clone(), |qualifier| format!("{bare}:{qualifier}"));
        let call = match (method, parts.get(3).copied().unwrap_or_default(), parts.get(4)) {
            ("POST", "", _) if parts.len() == 2 => "CreateFunction",
            ("GET", "", _) => "GetFunction",
            ("DELETE", "", _) => "DeleteFunction",
            ("GET", "configuration", _) => "GetFunctionConfiguration",
            ("PUT", "configuration", _) => "UpdateFunctionConfiguration",
            ("PUT", "code", _) => "UpdateFunctionCode",
            ("POST", "versions", _) => "PublishVersion",
            ("GET", "versions", _) => "ListVersionsByFunction",
            ("POST", "aliases", _) => "CreateAlias",
            ("GET", "aliases", Some(_)) => "GetAlias",
            ("PUT", "aliases", Some(_)) => "UpdateAlias",
            ("GET", "provisioned-concurrency", _) => "GetProvisionedConcurrencyConfig",
            ("PUT", "provisioned-concurrency", _) => "PutProvisionedConcurrencyConfig",
            ("DELETE", "provisioned-concurrency", _) => "DeleteProvisionedConcurrencyConfig",
            ("DELETE", "concurrency", _) => "DeleteFunctionConcurrency",
            ("POST", "invocations", _) => "InvokeFunction",
            ("POST", "url", _) => "CreateFunctionUrlConfig",
            ("GET", "url", _) => "GetFunctionUrlConfig",
            ("PUT", "url", _) => "UpdateFunctionUrlConfig",
            ("DELETE", "url", _) => "DeleteFunctionUrlConfig",
            ("POST", "policy", _) => "AddPermission",
            ("GET", "policy", _) => "GetPolicy",
            ("DELETE", "policy", _) => "RemovePermission",
            other => panic!("nobody knows what Lambda's {other:?} is: {path}"),
        };
        if call == "GetFunction" {
            self.ask("lambda:ListTags", &bare);
        }
        if call == "CreateFunction" {
            self.ask("lambda:TagResource", &bare);
        }
        if let Some(role) = body["Role"].as_str() {
            self.pass(role, "lambda.amazonaws.com");
        }
        self.ask(&format!("lambda:{call}"), resource);
    }

    fn s3(&mut self, method: &str, path: &str, query: &str, source: Option<&str>, body: &str) {
        let (bucket, object) = path.trim_start_matches('/').split_once('/').unwrap_or((&path[1..], ""));
        let (of_bucket, of_object) =
            (format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/{object}"));
        let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        if bucket.is_empty() {
            return self.ask("s3:ListAllMyBuckets", "*");
        }
        if object.is_empty() {
            if method == "POST" && asks("delete") {
                for part in body.split("<Object>").skip(1) {
                    let key = part.split("<Key>").nth(1).and_then(|rest| rest.split("</Key>").next());
                    let one = format!("{of_bucket}/{}", key.unwrap_or_default());
                    let version = part.contains("<VersionId>").then_some("s3:DeleteObjectVersion");
                    version.into_iter().for_each(|call| self.ask(call, &one));
                    self.ask("s3:DeleteObject", one);
                }
                return;
            }
            const OF_BUCKETS: [(&str, &str); 6] = [
                ("policy", "BucketPolicy"),
                ("tagging", "BucketTagging"),
                ("versioning", "BucketVersioning"),
                ("encryption", "EncryptionConfiguration"),
                ("lifecycle", "LifecycleConfiguration"),
                ("publicAccessBlock", "BucketPublicAccessBlock"),
            ];
            let part = OF_BUCKETS.iter().find(|(name, _)| asks(name)).map(|(_, part)| *part);
            let call = match (method, part) {
                ("GET", Some(part)) => format!("Get{part}"),
                ("PUT", Some(part)) => format!("Put{part}"),
                ("DELETE", Some("BucketPolicy")) => "DeleteBucketPolicy".into(),
                // "s3:PutLifecycleConfiguration" is needed to delete it too.
                ("DELETE", Some(part)) => format!("Put{part}"),
                ("GET", None) if asks("versions") => "ListBucketVersions".into(),
                ("GET", None) if asks("uploads") => "ListBucketMultipartUploads".into(),
                ("GET" | "HEAD", None) => "ListBucket".into(),
                ("PUT", None) => "CreateBucket".into(),
                ("DELETE", None) => "DeleteBucket".into(),
                other => panic!("nobody knows what S3's {other:?} is: {path}?{query}"),
            };
            if call == "CreateBucket" && body.contains("<Tag>") {
                self.ask("s3:TagResource", &of_bucket);
            }
            return self.ask(&format!("s3:{call}"), of_bucket);
        }
        let call = match method {
            "GET" if asks("uploadId") => "ListMultipartUploadParts",
            "GET" if asks("versionId") => "GetObjectVersion",
            "GET" | "HEAD" => {
                // Without it, what is not there is denied.
                self.ask("s3:ListBucket", of_bucket);
                "GetObject"
            }
            "DELETE" if asks("uploadId") => "AbortMultipartUpload",
            "DELETE" => {
                if asks("versionId") {
                    self.ask("s3:DeleteObjectVersion", &of_object);
                }
                "DeleteObject"
            }
            "PUT" | "POST" => "PutObject",
            other => panic!("nobody knows what S3's {other} is: {path}?{query}"),
        };
        if let Some(source) = source {
            let source = percent_decode_str(source.split('?').next().unwrap_or_default()).decode_utf8_lossy();
            self.ask("s3:GetObject", format!("arn:aws:s3:::{}", source.trim_start_matches('/')));
        }
        self.ask(&format!("s3:{call}"), of_object);
    }
}

/// A body of the query protocols.
struct Form(Vec<(String, String)>);

fn form(text: &str) -> Form {
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    Form(pairs.map(|(name, value)| (plain(name), plain(value))).collect())
}

impl Form {
    fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn has(&self, prefix: &str) -> bool {
        self.0.iter().any(|(name, _)| name.starts_with(prefix))
    }
}
