//! The statements that generated policies are made of: exact ARNs, one purpose each
//! (docs/aws/iam.md#least-privilege).

use serde_json::{Value, json};

use crate::config::Encryption;
use crate::desired::Draft;
use crate::domain::Scope;
use crate::domain::{Action, action};
use opsctl_iam::arn::Arn;

fn allow(actions: &[Action], resources: &[String]) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
}

/// Reads the objects under these prefixes: a folder, or the stem of the folders of all generations
/// (`training/a-dev-b-`).
pub fn read_objects(scope: &Scope, bucket: &str, prefixes: &[String]) -> Vec<Value> {
    let bucket = scope.s3_arn(bucket);
    let patterns: Vec<String> = prefixes.iter().map(|p| format!("{p}*")).collect();
    let objects: Vec<String> = patterns.iter().map(|p| format!("{bucket}/{p}")).collect();
    let mut list = allow(&[action::s3::ListBucket], std::slice::from_ref(&bucket));
    // A condition that everybody meets would only pretend.
    if !patterns.iter().any(|pattern| pattern == "*") {
        list["Condition"] = json!({ "StringLike": { "s3:prefix": patterns } });
    }
    vec![allow(&[action::s3::GetObject], &objects), list, allow(&[action::s3::GetBucketLocation], &[bucket])]
}

/// Reads one object, in a bucket of anybody.
pub fn read_object(scope: &Scope, bucket: &str, key: &str) -> Vec<Value> {
    let bucket = scope.s3_arn(bucket);
    let mut list = allow(&[action::s3::ListBucket], std::slice::from_ref(&bucket));
    list["Condition"] = json!({ "StringEquals": { "s3:prefix": key } });
    let object = allow(&[action::s3::GetObject], &[format!("{bucket}/{}", plain(key))]);
    vec![object, list, allow(&[action::s3::GetBucketLocation], &[bucket])]
}

/// A key in a pattern of a policy, where some characters mean others
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>).
fn plain(key: &str) -> String {
    key.replace('$', "${$}").replace('*', "${*}").replace('?', "${?}")
}

/// Writes objects under these prefixes.
pub fn write_objects(scope: &Scope, bucket: &str, prefixes: &[String]) -> Value {
    let objects: Vec<String> = prefixes.iter().map(|p| scope.s3_arn(&format!("{bucket}/{p}*"))).collect();
    allow(&[action::s3::PutObject, action::s3::AbortMultipartUpload], &objects)
}

/// Pulls one image. The login is account-wide by nature: ecr:GetAuthorizationToken takes no resource.
pub fn pull_image(scope: &Scope, image: &str) -> Vec<Value> {
    let any = ["*".to_owned()];
    let mut statements = vec![allow(&[action::ecr::GetAuthorizationToken], &any)];
    let repository = image.split_once('/').map(|(registry, rest)| {
        let account = registry.split('.').next().unwrap_or_default();
        let name = rest.split([':', '@']).next().unwrap_or(rest);
        let (Scope { partition, region, .. }, resource) = (scope, format!("repository/{name}"));
        Arn { partition, service: "ecr", region, account, resource: &resource }.to_string()
    });
    statements.extend(repository.map(|arn| {
        allow(
            &[
                action::ecr::BatchCheckLayerAvailability,
                action::ecr::GetDownloadUrlForLayer,
                action::ecr::BatchGetImage,
            ],
            &[arn],
        )
    }));
    statements
}

/// Runs in a VPC: SageMaker makes network interfaces there with the role
/// (<https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html>). They have no names beforehand.
pub fn in_vpc() -> Value {
    let mut actions =
        vec![action::ec2::CreateNetworkInterfacePermission, action::ec2::DeleteNetworkInterfacePermission];
    actions.extend([
        action::ec2::DescribeDhcpOptions,
        action::ec2::DescribeSecurityGroups,
        action::ec2::DescribeVpcs,
    ]);
    actions.extend(INTERFACES);
    allow(&actions, &["*".to_owned()])
}

/// The same of a function
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions>).
pub fn function_in_vpc() -> Value {
    let mut actions = vec![action::ec2::AssignPrivateIpAddresses, action::ec2::UnassignPrivateIpAddresses];
    actions.extend(INTERFACES);
    allow(&actions, &["*".to_owned()])
}

const INTERFACES: [Action; 4] = [
    action::ec2::CreateNetworkInterface,
    action::ec2::DeleteNetworkInterface,
    action::ec2::DescribeNetworkInterfaces,
    action::ec2::DescribeSubnets,
];

/// Writes to log groups whose name begins with `group`.
pub fn write_logs(scope: &Scope, group: &str) -> Value {
    let arn = scope.arn("logs", &format!("log-group:{group}"));
    allow(
        &[
            action::logs::CreateLogGroup,
            action::logs::CreateLogStream,
            action::logs::PutLogEvents,
            action::logs::DescribeLogStreams,
        ],
        &[arn.clone(), format!("{arn}:*")],
    )
}

/// Writes to one log group that exists already.
pub fn write_log_streams(scope: &Scope, group: &str) -> Value {
    let streams = scope.arn("logs", &format!("log-group:{group}:*"));
    allow(&[action::logs::CreateLogStream, action::logs::PutLogEvents], &[streams])
}

/// Puts SageMaker's own metrics; the action takes no resource, so the namespace is the limit.
pub fn put_metrics(namespace: &str) -> Value {
    let mut statement = allow(&[action::cloudwatch::PutMetricData], &["*".to_owned()]);
    statement["Condition"] = json!({ "StringEquals": { "cloudwatch:namespace": namespace } });
    statement
}

/// Reads objects that are encrypted with a key, and writes some: S3 asks for it with the rights of whoever
/// asks S3 (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>).
pub fn objects_with_keys(draft: &Draft<'_>, writes: bool) -> Vec<Value> {
    let with = |actions: &[Action], keys: &[String]| {
        let mut statement = allow(actions, keys);
        let via = Encryption::via(&["s3"], &draft.scope.region);
        statement["Condition"] = json!({ "StringEquals": { "kms:ViaService": via } });
        statement
    };
    let actions = [action::kms::Decrypt, action::kms::GenerateDataKey];
    let now = draft.kms_key().map(|key| with(&actions[..if writes { 2 } else { 1 }], &[key]));
    let former = draft.former_kms_keys();
    // What was written with them stays under them.
    let former = (!former.is_empty()).then(|| with(&actions[..1], &former));
    now.into_iter().chain(former).collect()
}

/// Has SageMaker encrypt a volume with it, and what a job leaves: SageMaker hands the key on by a grant
/// (<https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html>; `kms:Encrypt`:
/// <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_OutputDataConfig.html>).
pub fn volume_with_key(key: &str, output: bool) -> Vec<Value> {
    let key = [key.to_owned()];
    let actions = [action::kms::DescribeKey, action::kms::Encrypt];
    let looks = allow(&actions[..if output { 2 } else { 1 }], &key);
    let mut grants = allow(&[action::kms::CreateGrant], &key);
    grants["Condition"] = json!({ "Bool": { "kms:GrantIsForAWSResource": "true" } });
    vec![looks, grants]
}

/// Actions on these ARNs.
pub fn each(actions: &[Action], arns: &[String]) -> Value {
    allow(actions, arns)
}

/// One action on one ARN.
pub fn one(actions: &[Action], arn: String) -> Value {
    allow(actions, &[arn])
}
