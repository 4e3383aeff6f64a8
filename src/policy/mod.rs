//! The least-privilege IAM documents of whoever runs opsctl, from the config. Pure: what is allowed follows
//! from the calls of the kinds ([`crate::desired::Kind::calls`]), the ARNs of the resources and AWS's
//! catalogue of actions.

mod left;
mod needed;
mod questions;
mod statements;
pub mod trust;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::desired::{AnyKind, Desired, GivenRole, Log, Node};
use crate::domain::{Action, Scope, action};
use crate::resources::autoscaling::Autoscaling;
use crate::resources::image::Reference;
use crate::resources::model::Model;
use crate::resources::role::Role;
use crate::resources::training::Training;
use opsctl_iam::arn::Arn;
use opsctl_iam::catalogue::{Catalogue, Level};

pub use needed::Work;
use needed::{For, needed};
pub use questions::{Question, questions};
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
const OF_CHANGES: &[&str] = &[
    action::iam::ListInstanceProfilesForRole.name,
    action::s3::ListBucketMultipartUploads.name,
    action::s3::ListMultipartUploadParts.name,
];

/// Only with a boundary in the config: without that key opsctl leaves those of others.
const BOUNDS: &str = action::iam::PutRolePermissionsBoundary.name;

/// Functions of which a version or the alias is meant, and what ends the ARN then.
/// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html>).
const QUALIFIED: &[&str] = &[
    action::lambda::AddPermission.name,
    action::lambda::CreateFunctionUrlConfig.name,
    action::lambda::DeleteFunctionUrlConfig.name,
    action::lambda::GetFunctionConfiguration.name,
    action::lambda::GetFunctionUrlConfig.name,
    action::lambda::GetPolicy.name,
    action::lambda::InvokeFunction.name,
    action::lambda::RemovePermission.name,
    action::lambda::UpdateFunctionUrlConfig.name,
];

/// The documents, each of a size that a managed policy may have.
pub fn documents(desired: &Desired, kinds: &[Box<dyn AnyKind>], whom: Whom, names: Names) -> Vec<Value> {
    let mut grants = Grants::default();
    for need in needed(desired, kinds, For::Documents(whom, names)) {
        let arn = if need.is_ours { shown(&desired.scope, names, &need.arn) } else { need.arn };
        grants.add(need.permission, arn, need.condition);
    }
    grants.documents()
}

/// The ARN, or that of all names of the project and environment.
fn shown(scope: &Scope, names: Names, arn: &str) -> String {
    let cut = |prefix: &str| arn.find(prefix).map(|at| format!("{}*", &arn[..at + prefix.len()]));
    match names {
        Names::Exact => None,
        // The bucket itself is one.
        Names::OfProject if arn.contains(":s3:") => cut(&format!("/{}", scope.prefix())),
        Names::OfProject => cut(&scope.iam_path()).or_else(|| cut(&scope.prefix())),
    }
    .unwrap_or_else(|| arn.to_owned())
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
        if permission == action::ec2::CreateTags.name && !is_made_with_tags(arn) {
            return false;
        }
        if permission == action::sagemaker::ListTags.name && arn.contains("-lifecycle-config/") {
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
    let only_qualified = permission == action::lambda::InvokeFunction.name;
    arns.iter().filter(fits).filter(|arn| !only_qualified || arn.ends_with(":*")).cloned().collect()
}

/// Whether an ARN, which may have wildcards, is of the type of a template such as
/// `arn:${Partition}:s3:::${BucketName}/${ObjectName}`.
fn is_of_type(template: &str, arn: &str) -> bool {
    let (Some(template), Some(arn)) = (Arn::pattern(template), Arn::pattern(arn)) else { return false };
    let (typed, name) = (template.resource, arn.resource);
    let mut literals = typed.split("${").map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let first = literals.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first).filter(|_| template.service == arn.service) else {
        return false;
    };
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

/// What no role may be made, or given a policy, without, where the config names a boundary.
const BOUNDED: &[Action] =
    &[action::iam::CreateRole, action::iam::PutRolePermissionsBoundary, action::iam::PutRolePolicy];

/// What a statement says beside the resource, where IAM has a key for it.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
fn condition(scope: &Scope, boundary: Option<&str>, permission: &str, arn: &str) -> Value {
    let tags = |key: &str| {
        json!({ "StringEquals": {
            format!("{key}/{}", Scope::PROJECT_TAG): scope.project,
            format!("{key}/{}", Scope::ENVIRONMENT_TAG): scope.environment,
        } })
    };
    let is = |action: Action| permission == action.name;
    match boundary {
        _ if is(action::iam::CreateServiceLinkedRole) => {
            json!({ "StringEquals": { "iam:AWSServiceName": Autoscaling::SERVICE } })
        }
        // No role may be made, or given a policy, outside of the boundary that the config names
        // (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html).
        Some(boundary) if BOUNDED.iter().any(|action| is(*action)) => {
            json!({ "StringEquals": { "iam:PermissionsBoundary": boundary } })
        }
        _ if is(action::ec2::CreateTags) => json!({ "StringEquals": { "ec2:CreateAction": "RunInstances" } }),
        _ if is(action::ec2::RunInstances) && is_made_with_tags(arn) => tags("aws:RequestTag"),
        _ if is(action::ec2::TerminateInstances) => tags("aws:ResourceTag"),
        _ if permission.starts_with("application-autoscaling:") && arn != "*" => Autoscaling::condition(),
        _ => Value::Null,
    }
}
