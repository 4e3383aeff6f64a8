//! What S3's operations need
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>).

use super::need::Need;
use super::read;
use crate::authority::Request;
use crate::services::kms;
use crate::services::s3::api;
use crate::state::{SandboxState, arn_of};

/// Operations that need an action of another name. Those of one version have a name of their own, too.
const ACTIONS: &[(&str, &str)] = &[
    ("CompleteMultipartUpload", "PutObject"),
    ("CopyObject", "PutObject"),
    ("CreateMultipartUpload", "PutObject"),
    ("DeleteBucketEncryption", "PutEncryptionConfiguration"),
    ("DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    ("DeleteBucketTagging", "PutBucketTagging"),
    ("DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    ("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
    ("GetMissingObject", "ListBucket"),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("HeadBucket", "ListBucket"),
    ("HeadObject", "GetObject"),
    ("ListBuckets", "ListAllMyBuckets"),
    ("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("ListObjects", "ListBucket"),
    ("ListObjectsV2", "ListBucket"),
    ("ListParts", "ListMultipartUploadParts"),
    ("PutBucketEncryption", "PutEncryptionConfiguration"),
    ("PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("UploadPart", "PutObject"),
    ("UploadPartCopy", "PutObject"),
];

/// The action of an operation on what has no version.
pub(super) fn action_of(operation: &str) -> String {
    let row = ACTIONS.iter().find(|(known, _)| *known == operation);
    format!("s3:{}", row.map_or(operation, |(_, action)| action))
}

pub(super) fn needs(shared: &SandboxState, request: &Request<'_>) -> Vec<Need> {
    let text = |member: &str| request.input[member].as_str();
    let operation = request.operation;
    let action = action_of(operation);
    let action = action.strip_prefix("s3:").unwrap_or_default();
    let Some(bucket) = text("Bucket") else {
        return vec![Need::new(&format!("s3:{action}"), ["*".to_owned()])];
    };
    let mut needs = match text("Key") {
        // Each of its keys is asked for when it is its turn.
        None if operation == "DeleteObjects" => Vec::new(),
        None => {
            let mut need = on(shared, action, bucket, None);
            if operation.starts_with("ListObject") {
                need.know("s3:prefix", [text("Prefix").unwrap_or_default().to_owned()]);
            }
            vec![need]
        }
        Some(key) => {
            let of_version = text("VersionId").is_some() && !operation.contains("Multipart");
            let action = if of_version { versioned(action) } else { action.to_owned() };
            let mut needs = vec![on(shared, &action, bucket, Some(key))];
            if operation == "GetObjectAttributes" {
                let read = if of_version { "GetObjectVersion" } else { "GetObject" };
                needs.push(on(shared, read, bucket, Some(key)));
            }
            needs.extend(with_key(shared, request, bucket, key, text("VersionId")));
            if text("Tagging").is_some() && ["PutObject", "CreateMultipartUpload"].contains(&operation) {
                needs.push(on(shared, "PutObjectTagging", bucket, Some(key)));
            }
            needs
        }
    };
    let source = text("CopySource").map(|source| source.trim_start_matches('/'));
    if let Some((bucket, key)) = source.and_then(|source| source.split_once('/')) {
        let (key, action) = match key.split_once("?versionId=") {
            Some((key, _)) => (key, "GetObjectVersion"),
            None => (key, "GetObject"),
        };
        needs.push(on(shared, action, bucket, Some(key)));
        let key = api::key_of(shared, bucket, key, None);
        needs.extend(key.map(|key| of_key(shared, request, "Decrypt", &key)));
    }
    needs
}

/// What S3 does with a KMS key in the name of whoever asks
/// (docs/aws/kms.md#who-needs-what). Which key a request itself names is not known here.
fn with_key(
    shared: &SandboxState,
    request: &Request<'_>,
    bucket: &str,
    key: &str,
    id: Option<&str>,
) -> Vec<Need> {
    let (actions, key): (&[&str], _) = match request.operation {
        "GetObject" => (&["Decrypt"], api::key_of(shared, bucket, key, id)),
        "CopyObject" | "PutObject" => (&["GenerateDataKey"], api::default_key(shared, bucket)),
        // Its parts are encrypted, and put together again.
        "CreateMultipartUpload" => (&["GenerateDataKey", "Decrypt"], api::default_key(shared, bucket)),
        _ => return Vec::new(),
    };
    let is_customers =
        |key: &String| kms::arn_of(shared, request.region, key).is_none_or(|arn| !kms::is_of_aws(&arn));
    let key = key.into_iter().filter(is_customers);
    key.flat_map(|key| actions.iter().map(move |action| of_key(shared, request, action, &key))).collect()
}

fn of_key(shared: &SandboxState, request: &Request<'_>, action: &str, key: &str) -> Need {
    let arn = kms::arn_of(shared, request.region, key);
    let mut need = Need::new(&format!("kms:{action}"), arn);
    need.know("kms:viaservice", [format!("s3.{}.amazonaws.com", request.region)]);
    need
}

/// `GetObject` of a version is `GetObjectVersion`, `GetObjectTagging` of one is `GetObjectVersionTagging`.
fn versioned(action: &str) -> String {
    let stems = ["GetObject", "DeleteObject", "PutObjectTagging"];
    match stems.iter().find_map(|stem| Some((stem, action.strip_prefix(stem)?))) {
        Some((&"PutObjectTagging", _)) => "PutObjectVersionTagging".to_owned(),
        Some((stem, rest)) => format!("{stem}Version{rest}"),
        None => action.to_owned(),
    }
}

fn on(shared: &SandboxState, action: &str, bucket: &str, key: Option<&str>) -> Need {
    let key = key.map(|key| format!("/{key}")).unwrap_or_default();
    let mut need = Need::new(&format!("s3:{action}"), [arn_of("s3", "", "", &format!("{bucket}{key}"))]);
    // S3 writes ARNs in quotes.
    need.quoted = true;
    need.resource_policy = api::policy(shared, bucket).and_then(|policy| read(&policy));
    need
}
