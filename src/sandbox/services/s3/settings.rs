//! A bucket's settings besides its tags (docs/aws/s3.md#defaults-of-a-new-bucket).

use s3s::dto;

use super::Cx;
use super::bucket::{Bucket, Versioning};
use super::policy::{self, Public};
use super::refusal::{invalid_argument, invalid_request, malformed_xml};
use crate::fault::Fault;
use crate::policy_form;
use crate::rules::AwsRule;

/// Writes the functions that show a setting: `name(Input) -> Output, |bucket| output`.
macro_rules! shows {
    ($($name:ident($input:ident) -> $output:ident: $show:expr;)*) => {$(
        pub async fn $name(cx: Cx, input: dto::$input) -> Result<dto::$output, Fault> {
            let show: fn(Bucket) -> Result<dto::$output, Fault> = $show;
            show(cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?)
        }
    )*};
}

/// Writes the functions that change a setting: `name(Input) -> Output, |bucket, input, cx| change`.
macro_rules! changes {
    ($($name:ident($input:ident) -> $output:ident: $change:expr;)*) => {$(
        pub async fn $name(cx: Cx, input: dto::$input) -> Result<dto::$output, Fault> {
            let change: fn(&mut Bucket, dto::$input, &Cx) -> Result<(), Fault> = $change;
            let (name, owner) = (input.bucket.clone(), input.expected_bucket_owner.clone());
            cx.change_bucket(&name, owner.as_deref(), |bucket| change(bucket, input, &cx))?;
            Ok(dto::$output::default())
        }
    )*};
}

fn missing<T>(value: Option<T>, code: &'static str, message: &str) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::new(404, code, message))
}

shows! {
    get_public_access(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput: |bucket| {
        let message = "The public access block configuration was not found";
        let found = missing(bucket.public_access, "NoSuchPublicAccessBlockConfiguration", message)?;
        Ok(dto::GetPublicAccessBlockOutput { public_access_block_configuration: Some(found) })
    };
    get_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput: |bucket| {
        let configuration = bucket.encryption.unwrap_or_else(encryption_by_default);
        Ok(dto::GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) })
    };
    get_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput: |bucket| {
        Ok(dto::GetBucketVersioningOutput { status: bucket.versioning.into(), mfa_delete: None })
    };
    get_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput: |bucket| {
        let found = missing(bucket.policy, "NoSuchBucketPolicy", "The bucket policy does not exist")?;
        Ok(dto::GetBucketPolicyOutput { policy: Some(found) })
    };
    get_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput: |bucket| {
        let found = missing(bucket.policy, "NoSuchBucketPolicy", "The bucket policy does not exist")?;
        let is_public = policy::examine(&bucket.name, &found)? == Public::Yes;
        let policy_status = Some(dto::PolicyStatus { is_public: Some(is_public) });
        Ok(dto::GetBucketPolicyStatusOutput { policy_status })
    };
    get_lifecycle(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput: |bucket| {
        let message = "The lifecycle configuration does not exist";
        let rules = missing(bucket.lifecycle, "NoSuchLifecycleConfiguration", message)?;
        Ok(dto::GetBucketLifecycleConfigurationOutput { rules: Some(rules), ..Default::default() })
    };
    get_ownership(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput: |bucket| {
        let rule = dto::OwnershipControlsRule { object_ownership: bucket.ownership.into() };
        let ownership_controls = Some(dto::OwnershipControls { rules: vec![rule] });
        Ok(dto::GetBucketOwnershipControlsOutput { ownership_controls })
    };
}

changes! {
    put_public_access(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput: |bucket, input, _| {
        // What is not said is off.
        let given = input.public_access_block_configuration;
        let said = |setting: Option<bool>| Some(setting.unwrap_or(false));
        bucket.public_access = Some(dto::PublicAccessBlockConfiguration {
            block_public_acls: said(given.block_public_acls),
            block_public_policy: said(given.block_public_policy),
            ignore_public_acls: said(given.ignore_public_acls),
            restrict_public_buckets: said(given.restrict_public_buckets),
        });
        Ok(())
    };
    delete_public_access(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput: |bucket, _, _| {
        bucket.public_access = None;
        Ok(())
    };
    put_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput: |bucket, input, _| {
        let configuration = input.server_side_encryption_configuration;
        check_encryption(&configuration)?;
        bucket.encryption = Some(configuration);
        Ok(())
    };
    delete_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput: |bucket, _, _| {
        bucket.encryption = None;
        Ok(())
    };
    put_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput: |bucket, input, _| {
        let status = input.versioning_configuration.status;
        bucket.versioning = match status.as_ref().map(|status| status.as_str()) {
            Some(dto::BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(dto::BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            Some(_) => return Err(malformed_xml()),
            None => {
                let message = "The Versioning element must be specified";
                return Err(Fault::new(400, "IllegalVersioningConfigurationException", message));
            }
        };
        Ok(())
    };
    put_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput: |bucket, input, cx| {
        let public = policy::examine(&bucket.name, &input.policy)? == Public::Yes;
        let blocked = bucket.blocks(|settings| settings.block_public_policy);
        if public && blocked && cx.shared.enforces(AwsRule::S3BlockPublicPolicy) {
            let message = format!(
                "User: arn:aws:iam::{}:root is not authorized to perform: s3:PutBucketPolicy on resource: \
                 \"{}\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block \
                 Public Access.",
                cx.shared.account, bucket.arn(),
            );
            return Err(Fault::new(403, "AccessDenied", message));
        }
        bucket.policy = Some(policy_form::kept(&cx.shared, &input.policy));
        Ok(())
    };
    delete_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput: |bucket, _, _| {
        bucket.policy = None;
        Ok(())
    };
    put_lifecycle(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput:
    |bucket, input, _| {
        let mut rules = input.lifecycle_configuration.ok_or_else(malformed_xml)?.rules;
        check_lifecycle(&rules)?;
        for (number, rule) in rules.iter_mut().enumerate() {
            // AWS names the rules that have no name.
            rule.id.get_or_insert_with(|| {
                blake3::hash(format!("{}/{number}", bucket.name).as_bytes()).to_hex()[..48].to_owned()
            });
        }
        bucket.lifecycle = Some(rules);
        Ok(())
    };
    delete_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput: |bucket, _, _| {
        bucket.lifecycle = None;
        Ok(())
    };
    put_ownership(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput: |bucket, input, _| {
        let [rule] = input.ownership_controls.rules.as_slice() else { return Err(malformed_xml()) };
        if !OWNERSHIPS.contains(&rule.object_ownership.as_str()) {
            return Err(malformed_xml());
        }
        rule.object_ownership.as_str().clone_into(&mut bucket.ownership);
        Ok(())
    };
}

/// Every bucket encrypts with S3's own keys, unless told otherwise (since 2023-01-05).
fn encryption_by_default() -> dto::ServerSideEncryptionConfiguration {
    let algorithm = dto::ServerSideEncryption::from_static(dto::ServerSideEncryption::AES256);
    let by_default = dto::ServerSideEncryptionByDefault { kms_master_key_id: None, sse_algorithm: algorithm };
    dto::ServerSideEncryptionConfiguration {
        rules: vec![dto::ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(by_default),
            bucket_key_enabled: Some(false),
        }],
    }
}

fn check_encryption(configuration: &dto::ServerSideEncryptionConfiguration) -> Result<(), Fault> {
    let [rule] = configuration.rules.as_slice() else { return Err(malformed_xml()) };
    let Some(by_default) = &rule.apply_server_side_encryption_by_default else { return Ok(()) };
    match (by_default.sse_algorithm.as_str(), &by_default.kms_master_key_id) {
        ("AES256", Some(_)) => Err(invalid_argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms",
        )),
        ("AES256" | "aws:kms" | "aws:kms:dsse", _) => Ok(()),
        _ => Err(malformed_xml()),
    }
}

const OWNERSHIPS: &[&str] = &["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"];

const MOST_RULES: usize = 1_000;

fn check_lifecycle(rules: &[dto::LifecycleRule]) -> Result<(), Fault> {
    if rules.is_empty() || rules.len() > MOST_RULES {
        return Err(malformed_xml());
    }
    let mut ids: Vec<&str> = rules.iter().filter_map(|rule| rule.id.as_deref()).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(invalid_argument("Rule ID must be unique. Found same ID for more than one rule"));
    }
    rules.iter().try_for_each(check_lifecycle_rule)
}

fn check_lifecycle_rule(rule: &dto::LifecycleRule) -> Result<(), Fault> {
    if rule.id.as_ref().is_some_and(|id| id.len() > 255) {
        return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
    }
    // One of them, and an empty filter is one.
    if !["Enabled", "Disabled"].contains(&rule.status.as_str())
        || rule.filter.is_some() == rule.prefix.is_some()
    {
        return Err(malformed_xml());
    }
    let abort = rule.abort_incomplete_multipart_upload.as_ref();
    let actions = abort.is_some()
        || rule.expiration.is_some()
        || rule.noncurrent_version_expiration.is_some()
        || rule.transitions.as_ref().is_some_and(|list| !list.is_empty())
        || rule.noncurrent_version_transitions.as_ref().is_some_and(|list| !list.is_empty());
    if !actions {
        return Err(invalid_request("At least one action needs to be specified in a rule"));
    }
    let days = [
        ("Expiration", rule.expiration.as_ref().and_then(|action| action.days)),
        (
            "NoncurrentVersionExpiration",
            rule.noncurrent_version_expiration.as_ref().and_then(|a| a.noncurrent_days),
        ),
        ("AbortIncompleteMultipartUpload", abort.and_then(|action| action.days_after_initiation)),
    ];
    match days.into_iter().find(|(_, days)| days.is_some_and(|days| days < 1)) {
        Some((action, _)) => {
            Err(invalid_argument(format!("'Days' for {action} action must be a positive integer")))
        }
        None => Ok(()),
    }
}
