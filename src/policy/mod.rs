//! The least-privilege IAM documents of whoever runs opsctl, from the config. Pure: what is allowed follows
//! from the calls of the kinds ([`crate::desired::Kind::calls`]), the ARNs of the resources and AWS's
//! catalogue of actions.

mod left;
mod questions;
mod statements;
pub mod trust;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::config::Encryption;
use crate::desired::{AnyKind, Desired, GivenRole, KeyUse, Kind, Log, Node};
use crate::domain::{Action, KindName, Scope, action};
use crate::inputs::{RemoteLook, bucket_and_key};
use crate::resources::autoscaling::Autoscaling;
use crate::resources::bucket::Bucket;
use crate::resources::data::Data;
use crate::resources::image::Reference;
use crate::resources::instance::Instance;
use crate::resources::manifest::Manifest;
use crate::resources::model::{Model, Spec};
use crate::resources::role::Role;
use crate::resources::training::Training;
use opsctl_iam::catalogue::{Catalogue, Level};

pub use questions::{Question, Work, questions};
use statements::Grants;
pub use statements::LARGEST;

/// Who is to be allowed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Runs every command.
    Deployer,
    /// Runs `plan`, `status`, `logs`, `report` and `audit-iam`, and changes nothing.
    Planner,
}

/// Which names the documents allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Those of the config as it is now.
    Exact,
    /// All that begin with the project's and the environment's, so that the config can change.
    OfProject,
}

/// What `opsctl audit-iam` calls, on any role and policy of the account.
const AUDIT: &[Action] = &[
    action::iam::GetAccountAuthorizationDetails,
    action::iam::ListRoles,
    action::iam::ListEntitiesForPolicy,
    action::iam::ListOpenIDConnectProviders,
    action::iam::ListSAMLProviders,
    action::iam::GenerateServiceLastAccessedDetails,
    action::iam::GetServiceLastAccessedDetails,
];

/// What `opsctl doctor` calls, and a deploy before its first write: of whoever runs it, and of the account.
const DOCTOR: &[Action] = &[
    action::cloudwatch::GetMetricData,
    action::ec2::DescribeInstanceTypes,
    action::ec2::DescribeRegions,
    action::iam::SimulatePrincipalPolicy,
    action::servicequotas::GetAWSDefaultServiceQuota,
    action::servicequotas::GetServiceQuota,
    action::servicequotas::ListAWSDefaultServiceQuotas,
    action::servicequotas::ListServiceQuotas,
];

/// What is asked wherever a cost is shown. Without it opsctl counts with the prices that it carries.
const PRICES: &[Action] = &[action::pricing::GetProducts];

/// What `opsctl logs` calls.
const LOGS: &[Action] = &[action::logs::DescribeLogStreams, action::logs::GetLogEvents];

/// Reads that only a change makes.
const OF_CHANGES: &[&str] =
    &["iam:ListInstanceProfilesForRole", "s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts"];

/// Only with a boundary in the config: without that key opsctl leaves those of others.
const BOUNDS: &str = "iam:PutRolePermissionsBoundary";

/// Functions of which a version or the alias is meant, and what ends the ARN then.
/// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html>).
const QUALIFIED: &[&str] = &[
    "lambda:AddPermission",
    "lambda:CreateFunctionUrlConfig",
    "lambda:DeleteFunctionUrlConfig",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionUrlConfig",
    "lambda:GetPolicy",
    "lambda:InvokeFunction",
    "lambda:RemovePermission",
    "lambda:UpdateFunctionUrlConfig",
];

/// The documents, each of a size that a managed policy may have.
pub fn documents(desired: &Desired, kinds: &[Box<dyn AnyKind>], whom: Whom, names: Names) -> Vec<Value> {
    let (boundary, grants) = (boundary(desired), Grants::default());
    let mut writer = Writer { scope: &desired.scope, boundary, whom, names, grants };
    let bucket = desired.nodes.iter().find(|node| node.id.kind == KindName::Bucket);
    for kind in kinds {
        let of_kind = |node: &&Node| node.id.kind == kind.name();
        for node in desired.nodes.iter().filter(of_kind) {
            writer.node(kind.as_ref(), node, bucket);
        }
    }
    for role in desired.nodes.iter().filter(|node| node.id.kind == KindName::Role) {
        writer.pass(role);
    }
    for given in &desired.given {
        writer.pass_given(given);
    }
    writer.looked_at(desired);
    writer.left(desired, kinds);
    writer.images(desired);
    writer.remotes(desired);
    writer.encryption(desired, kinds);
    writer.audit();
    writer.grants.documents()
}

/// What a role of others has to allow.
#[derive(Debug)]
pub struct GivenPolicy {
    pub arn: String,
    /// The services that have to be in its trust policy.
    pub services: BTreeSet<&'static str>,
    /// The sections that name it.
    pub sections: Vec<String>,
    /// Each of a size that a managed policy may have.
    pub documents: Vec<Value>,
}

/// What the roles have to allow that these sections name by `role`: all that runs with one in one place.
pub fn given(desired: &Desired, is_meant: impl Fn(&str) -> bool) -> Vec<GivenPolicy> {
    let named = |given: &GivenRole| given.at.to_string().replacen('.', "/", 1);
    let meant = desired.given.iter().filter(|given| is_meant(&named(given)));
    let arns: BTreeSet<&str> = meant.map(|given| given.arn.as_str()).collect();
    let of_role = |arn: &str| {
        let users: Vec<&GivenRole> =
            desired.given.iter().filter(|given| given.arn == arn && is_meant(&named(given))).collect();
        let mut grants = Grants::default();
        users.iter().flat_map(|given| &given.statements).for_each(|statement| grants.statement(statement));
        GivenPolicy {
            arn: arn.to_owned(),
            services: users.iter().map(|given| given.service).collect(),
            sections: users.iter().map(|given| named(given)).collect(),
            documents: grants.documents(),
        }
    };
    arns.into_iter().map(of_role).collect()
}

struct Writer<'a> {
    scope: &'a Scope,
    /// The permissions boundary of every role that is made.
    boundary: Option<&'a str>,
    whom: Whom,
    names: Names,
    grants: Grants,
}

impl Writer<'_> {
    /// What the verbs of its kind, `logs` and `invoke` need of one resource.
    fn node(&mut self, kind: &dyn AnyKind, node: &Node, bucket: Option<&Node>) {
        let physical = match (kind.fingerprinted(), node.physical.rsplit_once('-')) {
            // The next one has another.
            (true, Some((name, suffix))) => format!("{name}-{}", "?".repeat(suffix.len())),
            _ => node.physical.clone(),
        };
        let mut arns = kind.arns(self.scope, &physical);
        if node.spec_as::<Role>().is_some_and(|role| !role.instance_profile) {
            arns.retain(|arn| !arn.contains(":instance-profile/"));
        }
        let logs = logs(self.scope, kind, &physical);
        if !logs.is_empty() {
            arns.extend(logs);
            self.calls(LOGS, &arns);
        }
        let mut objects = match self.names {
            // Data sets have no prefix of the project in their keys.
            Names::OfProject if node.spec_as::<Data>().is_some() => vec![Manifest::key("data/*")],
            _ => kind.read_keys(&physical),
        };
        if node.spec_as::<Model>().is_some_and(Spec::is_of_this_machine) {
            objects.push(format!("{}*", Model::artifacts(self.scope)));
        }
        let of_the_bucket =
            bucket.map_or_else(Vec::new, |it| <Bucket as Kind>::arns(self.scope, &it.physical));
        if self.whom == Whom::Planner {
            let in_it = of_the_bucket.first().map(|arn| arn.trim_end_matches('*').to_owned());
            let named = in_it.iter().flat_map(|root| objects.iter().map(move |key| format!("{root}{key}")));
            let bare = of_the_bucket.iter().filter(|arn| !arn.ends_with("/*")).cloned();
            arns.extend(named.chain(bare).collect::<Vec<_>>());
        } else {
            arns.extend(of_the_bucket);
        }
        let calls = match self.names {
            Names::Exact => node.spec.calls(),
            Names::OfProject => kind.calls().to_vec(),
        };
        self.calls(&calls, &arns);
        self.calls(kind.reported(), &arns);
        if self.whom == Whom::Deployer {
            for (action, arn) in node.spec.also_needs() {
                for permission in action.needs() {
                    self.grants.add(permission, arn.clone(), Value::Null);
                }
            }
            self.calls(kind.invoked().as_slice(), &arns);
        }
    }

    /// Calls that are about these.
    fn calls(&mut self, calls: &[Action], arns: &[String]) {
        let all: BTreeSet<&str> = calls.iter().flat_map(|call| call.needs()).collect();
        // Whom a role is passed to depends on the role.
        let pass = action::iam::PassRole.name;
        for permission in all.into_iter().filter(|permission| *permission != pass) {
            let plans = self.whom == Whom::Planner;
            if permission == BOUNDS && self.boundary.is_none() {
                continue;
            }
            if plans && (!is_reading(permission) || OF_CHANGES.contains(&permission)) {
                continue;
            }
            let mut fitting = fitting(permission, arns);
            // A plan asks for the alias.
            if plans && QUALIFIED.contains(&permission) {
                fitting.retain(|arn| arn.ends_with(":*"));
            }
            if fitting == ["*"] {
                self.allow(permission, "*");
                continue;
            }
            fitting.iter().for_each(|arn| self.allow(permission, arn));
        }
    }

    /// Passing a role to the service that assumes it.
    fn pass(&mut self, node: &Node) {
        let service = node.spec_as::<Role>().and_then(|spec| spec.assumed_by());
        let (Some(service), Whom::Deployer) = (service, self.whom) else { return };
        let arn = <Role as Kind>::arns(self.scope, &node.physical).swap_remove(0);
        let condition = json!({ "StringEquals": { "iam:PassedToService": service } });
        self.grants.add(action::iam::PassRole.name, self.shown(&arn), condition);
    }

    /// The same of a role that somebody else made, which is looked at before it is used.
    fn pass_given(&mut self, given: &GivenRole) {
        self.grants.add(action::iam::GetRole.name, given.arn.clone(), Value::Null);
        if self.whom == Whom::Deployer {
            let condition = json!({ "StringEquals": { "iam:PassedToService": given.service } });
            self.grants.add(action::iam::PassRole.name, given.arn.clone(), condition);
        }
    }

    /// What others have made and is looked at before the first write: the boundary, and the instance profiles
    /// of roles.
    fn looked_at(&mut self, desired: &Desired) {
        if let Some(boundary) = self.boundary {
            self.grants.add(action::iam::GetPolicy.name, boundary.to_owned(), Value::Null);
        }
        for node in &desired.nodes {
            let is_given = desired.given.iter().any(|given| desired.origin.get(&node.id) == Some(&given.at));
            let Some(instance) = node.spec_as::<Instance>().filter(|_| is_given) else { continue };
            let named = match instance.profile_arn.as_str() {
                arn if arn.starts_with("arn:") => arn.to_owned(),
                name => format!(
                    "arn:{}:iam::{}:instance-profile/{name}",
                    self.scope.partition, self.scope.account
                ),
            };
            self.grants.add(action::iam::GetInstanceProfile.name, named, Value::Null);
        }
    }

    /// Whether images are in their registries.
    fn images(&mut self, desired: &Desired) {
        for image in images(&desired.nodes) {
            for permission in action::ecr::BatchGetImage.needs() {
                self.grants.add(permission, image.arn(&self.scope.partition), Value::Null);
            }
        }
    }

    /// What is read of other buckets.
    fn remotes(&mut self, desired: &Desired) {
        let arn = |rest: &str| format!("arn:{}:s3:::{rest}", self.scope.partition);
        let mut grants = Vec::new();
        for remote in &desired.remotes {
            let Some((bucket, key)) = bucket_and_key(&remote.uri) else { continue };
            let condition = match key {
                "" => Value::Null,
                key => json!({ "StringLike": { "s3:prefix": format!("{key}*") } }),
            };
            grants.push((action::s3::ListBucket.name, arn(bucket), condition));
            if remote.look == RemoteLook::Object {
                grants.push((action::s3::GetObject.name, arn(&format!("{bucket}/{key}")), Value::Null));
            }
        }
        grants.into_iter().for_each(|(name, arn, condition)| self.grants.add(name, arn, condition));
    }

    /// What AWS's services do with the key in the name of whoever calls them.
    fn encryption(&mut self, desired: &Desired, kinds: &[Box<dyn AnyKind>]) {
        let region = self.scope.region.clone();
        let has = |kind: KindName| desired.nodes.iter().any(|node| node.id.kind == kind);
        let uses = kinds.iter().filter(|kind| has(kind.name())).filter_map(|kind| kind.key_use());
        let uses: Vec<KeyUse> = uses.collect();
        let via = |service: &str| {
            let service = Encryption::via(&[service], &region);
            json!({ "StringEquals": { "kms:ViaService": service } })
        };
        // What was encrypted with them is read until it is written again.
        for KeyUse { service, looks, .. } in &uses {
            for key in &desired.former_kms_keys {
                for action in looks.iter() {
                    self.grants.add(action.name, key.clone(), via(service));
                }
            }
        }
        let Some(key) = &desired.kms_key else { return };
        let deploys = self.whom == Whom::Deployer;
        for KeyUse { service, changes, looks } in &uses {
            for action in if deploys { changes.iter() } else { looks.iter() } {
                self.grants.add(action.name, key.clone(), via(service));
            }
        }
        self.grants.add(action::kms::DescribeKey.name, key.clone(), Value::Null);
        if deploys {
            // For volumes and functions, which services use without anybody.
            let condition = json!({ "Bool": { "kms:GrantIsForAWSResource": "true" } });
            self.grants.add(action::kms::CreateGrant.name, key.clone(), condition);
        }
    }

    fn audit(&mut self) {
        let Scope { partition, account, .. } = self.scope;
        let of = |what: &str| format!("arn:{partition}:iam::{account}:{what}/*");
        let aws = format!("arn:{partition}:iam::aws:policy/*");
        self.calls(PRICES, &[]);
        for permission in DOCTOR.iter().flat_map(|call| call.needs()) {
            let arns = fitting(permission, &[of("role"), of("user")]);
            // Of what is not the project's, such as a quota, only reads are asked for.
            let arns = if arns.is_empty() { vec!["*".to_owned()] } else { arns };
            arns.into_iter().for_each(|arn| self.grants.add(permission, arn, Value::Null));
        }
        for permission in AUDIT.iter().flat_map(|call| call.needs()) {
            let arns = fitting(permission, &[of("role"), of("policy"), aws.clone()]);
            arns.into_iter().for_each(|arn| self.grants.add(permission, arn, Value::Null));
        }
    }

    fn allow(&mut self, permission: &str, arn: &str) {
        let condition = condition(self.scope, self.boundary, permission, arn);
        self.grants.add(permission, self.shown(arn), condition);
    }

    /// The ARN, or that of all names of the project and environment.
    fn shown(&self, arn: &str) -> String {
        let cut = |prefix: &str| arn.find(prefix).map(|at| format!("{}*", &arn[..at + prefix.len()]));
        match self.names {
            Names::Exact => None,
            // The bucket itself is one.
            Names::OfProject if arn.contains(":s3:") => cut(&format!("/{}", self.scope.prefix())),
            Names::OfProject => cut(&self.scope.iam_path()).or_else(|| cut(&self.scope.prefix())),
        }
        .unwrap_or_else(|| arn.to_owned())
    }
}

/// The images that SageMaker runs of these.
pub fn images<'n>(nodes: impl IntoIterator<Item = &'n Node>) -> BTreeSet<Reference> {
    let image = |node: &'n Node| {
        let trains = node.spec_as::<Training>().map(|spec| spec.image.as_str());
        Reference::parse(trains.or_else(|| node.spec_as::<Model>().map(|spec| spec.image.as_str()))?)
    };
    nodes.into_iter().filter_map(image).collect()
}

/// The streams and the group of its log, where CloudWatch has it.
fn logs(scope: &Scope, kind: &dyn AnyKind, physical: &str) -> Vec<String> {
    let Some(Log::Streams { group, prefix }) = kind.log(physical) else { return Vec::new() };
    let group = scope.arn("logs", &format!("log-group:{group}"));
    vec![format!("{group}:log-stream:{}*", prefix.as_deref().unwrap_or_default()), format!("{group}:*")]
}

/// The permissions boundary of the roles that are made.
fn boundary(desired: &Desired) -> Option<&str> {
    desired.nodes.iter().find_map(|node| node.spec_as::<Role>()?.boundary.as_deref())
}

/// Whether AWS counts an action among those that only read.
fn is_reading(permission: &str) -> bool {
    let catalogue = Catalogue::embedded();
    let has = |level| catalogue.find(permission).is_some_and(|id| catalogue.has_level(id, level));
    !has(Level::Write) && !has(Level::Tagging) && !has(Level::Permissions)
}

/// Those of the ARNs that are of a type which the action takes, `*` for an action that takes none.
fn fitting(permission: &str, arns: &[String]) -> Vec<String> {
    let catalogue = Catalogue::embedded();
    let templates: Vec<&str> =
        catalogue.find(permission).map_or_else(Vec::new, |id| catalogue.resource_templates(id).collect());
    if templates.is_empty() {
        return vec!["*".to_owned()];
    }
    let is_tagging = permission.to_ascii_lowercase().contains("tag");
    let fits = |arn: &&String| {
        // Tags are for what is made by a run; those of a lifecycle configuration are not read.
        if permission == "ec2:CreateTags" && !is_made_with_tags(arn) {
            return false;
        }
        if permission == "sagemaker:ListTags" && arn.contains("-lifecycle-config/") {
            return false;
        }
        let group = arn.contains(":log-group:") && !arn.contains(":log-stream:");
        let bare = if group { arn.trim_end_matches(":*") } else { arn };
        let qualified = bare.strip_suffix(":*").filter(|_| bare.contains(":function:"));
        // Of a log group: without the end to tag it, with it for all else.
        let right_end = !group || (bare.len() == arn.len()) == is_tagging;
        let bare = qualified.filter(|_| QUALIFIED.contains(&permission)).unwrap_or(bare);
        right_end && templates.iter().any(|template| is_of_type(template, bare))
    };
    let only_qualified = permission == "lambda:InvokeFunction";
    arns.iter().filter(fits).filter(|arn| !only_qualified || arn.ends_with(":*")).cloned().collect()
}

/// Whether an ARN, which may have wildcards, is of the type of a template such as
/// `arn:${Partition}:s3:::${BucketName}/${ObjectName}`.
fn is_of_type(template: &str, arn: &str) -> bool {
    let fields = |text: &str| {
        let mut fields = text.splitn(6, ':').map(str::to_owned);
        let service = fields.nth(2);
        service.zip(fields.nth(2))
    };
    let (Some((service, typed)), Some((of, name))) = (fields(template), fields(arn)) else { return false };
    let mut literals = typed.split("${").map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let first = literals.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first).filter(|_| service == of) else { return false };
    for literal in literals.filter(|literal| !literal.is_empty()) {
        let Some((_, after)) = rest.split_once(literal) else { return false };
        rest = after;
    }
    // What is left is one name: that of a bucket has no slash, none but a stream's has a colon.
    let is_bucket = first.is_empty() && !typed.contains('/');
    let has_more = rest.contains(':') || (is_bucket && rest.contains('/'));
    !has_more || typed.contains(":log-stream:")
}

/// What an instance is made with that has tags from the beginning.
fn is_made_with_tags(arn: &str) -> bool {
    arn.contains(":instance/") || arn.contains(":volume/")
}

/// What a statement says beside the resource, where IAM has a key for it.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
fn condition(scope: &Scope, boundary: Option<&str>, permission: &str, arn: &str) -> Value {
    let tags = |key: &str| {
        json!({ "StringEquals": {
            format!("{key}/{}", Scope::PROJECT_TAG): scope.project,
            format!("{key}/{}", Scope::ENVIRONMENT_TAG): scope.environment,
        } })
    };
    match permission {
        "iam:CreateServiceLinkedRole" => {
            json!({ "StringEquals": { "iam:AWSServiceName": Autoscaling::SERVICE } })
        }
        // No role may be made, or given a policy, outside of the boundary that the config names
        // (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html).
        "iam:CreateRole" | "iam:PutRolePermissionsBoundary" | "iam:PutRolePolicy" => match boundary {
            Some(boundary) => json!({ "StringEquals": { "iam:PermissionsBoundary": boundary } }),
            None => Value::Null,
        },
        "ec2:CreateTags" => json!({ "StringEquals": { "ec2:CreateAction": "RunInstances" } }),
        "ec2:RunInstances" if is_made_with_tags(arn) => tags("aws:RequestTag"),
        "ec2:TerminateInstances" => tags("aws:ResourceTag"),
        _ if permission.starts_with("application-autoscaling:") && arn != "*" => Autoscaling::condition(),
        _ => Value::Null,
    }
}
