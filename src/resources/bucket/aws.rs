use std::collections::BTreeMap;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus,
    CreateBucketConfiguration, ExpirationStatus, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use futures_util::{future::try_join5, try_join};

use super::{Bucket, Seen, Spec, empty};
use crate::domain::{FieldChange, Owner};
use crate::resources::KindName;
use crate::engine::{Driver, Expected, Found, OpCx, OpError, OpErrorKind, OpResult, Outcomes, make};

/// One lifecycle rule of ours; the call replaces all rules (aws-facts §3.3).
const RULE: &str = "opsctl";

impl Driver for Bucket {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let pages = cx.aws.s3.list_buckets().prefix(cx.scope.prefix()).bucket_region(&cx.scope.region);
        let mut pages = pages.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.op("s3:ListAllMyBuckets")?;
            found.extend(page.buckets().iter().filter_map(|b| b.name()).map(Found::new));
        }
        Ok(found.into_iter().filter(|f| cx.may_be_ours(&f.physical)).collect())
    }

    async fn observe(&self, cx: &OpCx<'_>, bucket: &str) -> OpResult<Option<Seen>> {
        let s3 = &cx.aws.s3;
        let head = async { s3.head_bucket().bucket(bucket).send().await.op("s3:ListBucket").found() };
        let tags = async { s3.get_bucket_tagging().bucket(bucket).send().await.op("s3:GetBucketTagging").found() };
        let block = async {
            s3.get_public_access_block().bucket(bucket).send().await.op("s3:GetBucketPublicAccessBlock").found()
        };
        let encryption =
            async { s3.get_bucket_encryption().bucket(bucket).send().await.op("s3:GetEncryptionConfiguration").found() };
        let versioning = versioned(cx, bucket);
        let policy = async { s3.get_bucket_policy().bucket(bucket).send().await.op("s3:GetBucketPolicy").found() };
        let lifecycle = async {
            let got = s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
            got.op("s3:GetLifecycleConfiguration").found()
        };
        let (head, (tags, block, encryption, versioning, policy), lifecycle) =
            try_join!(head, try_join5(tags, block, encryption, versioning, policy), lifecycle)?;
        let Some(head) = head else { return Ok(None) };
        if let Some(region) = head.bucket_region().filter(|r| *r != cx.scope.region) {
            let message = format!("the bucket is in {region}, the project in {}", cx.scope.region);
            return Err(OpError::new("s3:ListBucket", OpErrorKind::Invalid, message));
        }
        let tags: Vec<Tag> = tags.map(|t| t.tag_set).unwrap_or_default();
        let block = block.and_then(|b| b.public_access_block_configuration);
        let rules = lifecycle.map(|l| l.rules.unwrap_or_default()).unwrap_or_default();
        let rule = rules.iter().find(|r| r.id() == Some(RULE) && *r.status() == ExpirationStatus::Enabled);
        Ok(Some(Seen {
            owner: Owner::of(tags.iter().map(|t| (t.key(), t.value())), &cx.scope),
            public_access_blocked: block.is_some_and(|b| {
                [b.block_public_acls, b.ignore_public_acls, b.block_public_policy, b.restrict_public_buckets]
                    .iter()
                    .all(|switch| *switch == Some(true))
            }),
            encryption: encryption.and_then(|e| {
                let rule = e.server_side_encryption_configuration?.rules.into_iter().next()?;
                Some(rule.apply_server_side_encryption_by_default?.sse_algorithm.as_str().to_owned())
            }),
            versioning,
            policy: policy.and_then(|p| serde_json::from_str(p.policy()?).ok()),
            keep_old_versions_days: rule.and_then(|r| r.noncurrent_version_expiration()?.noncurrent_days()),
            abort_uploads_days: rule.and_then(|r| r.abort_incomplete_multipart_upload()?.days_after_initiation()),
        }))
    }

    async fn create(&self, cx: &OpCx<'_>, bucket: &str, spec: &Spec) -> OpResult<()> {
        found(cx, bucket).await?;
        settings(cx, bucket, spec).await
    }

    async fn update(&self, cx: &OpCx<'_>, bucket: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        settings(cx, bucket, spec).await
    }

    async fn delete(&self, cx: &OpCx<'_>, bucket: &str) -> OpResult<()> {
        // Somebody may still write while we delete: empty and try again until both agree.
        empty::empty(cx, bucket, "").await?;
        // All but the lease is gone, of the bucket and of what it guarded: it goes too.
        if cx.wanted(KindName::Bucket).any(|name| name == bucket) {
            cx.aws.fence.open();
        }
        cx.retry_busy("s3:DeleteBucket", || async {
            empty::empty(cx, bucket, "").await?;
            cx.aws.s3.delete_bucket().bucket(bucket).send().await.op("s3:DeleteBucket").gone()
        })
        .await
    }

    async fn adopt(&self, cx: &OpCx<'_>, bucket: &str) -> OpResult<()> {
        // PutBucketTagging replaces the set, so what others put there is kept.
        let existing = cx.aws.s3.get_bucket_tagging().bucket(bucket).send().await.op("s3:GetBucketTagging").found()?;
        let existing: BTreeMap<String, String> = existing
            .map(|t| t.tag_set.into_iter().map(|t| (t.key, t.value)).collect())
            .unwrap_or_default();
        let mut tags = existing.clone();
        tags.extend(cx.tags());
        if tags == existing {
            return Ok(());
        }
        let tagging = Tagging::builder().set_tag_set(Some(tag_set(tags))).build().expect("the set is set");
        cx.retry_busy("s3:PutBucketTagging", || async {
            let call = cx.aws.s3.put_bucket_tagging().bucket(bucket).tagging(tagging.clone());
            call.send().await.op("s3:PutBucketTagging").map(drop)
        })
        .await
    }
}

/// Makes the bucket, with its tags and nothing else yet.
pub(crate) async fn found(cx: &OpCx<'_>, bucket: &str) -> OpResult<()> {
    // Born with its tags: a bucket without them, left by an interrupted run, would be taken for somebody else's.
    // us-east-1 is not a LocationConstraint: there it must be left out.
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    let region = cx.scope.region.as_str();
    let constraint = (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
    let configuration = CreateBucketConfiguration::builder()
        .set_location_constraint(constraint)
        .set_tags(Some(tag_set(cx.tags())))
        .build();
    let action = "s3:CreateBucket";
    let create = || async {
        let call = cx.aws.s3.create_bucket().bucket(bucket).create_bucket_configuration(configuration.clone());
        call.send().await.op(action).map(drop)
    };
    make(&Bucket, cx, bucket, action, || cx.retry_busy(action, create)).await?;
    // A read; emulators that leave the tags out are given them here.
    Bucket.adopt(cx, bucket).await
}

/// Whose a bucket is; `None`: there is none, or it has no tags.
pub(crate) async fn owner(cx: &OpCx<'_>, bucket: &str) -> OpResult<Option<Owner>> {
    let tags = cx.aws.s3.get_bucket_tagging().bucket(bucket).send().await.op("s3:GetBucketTagging").found()?;
    Ok(tags.map(|tags| Owner::of(tags.tag_set().iter().map(|t| (t.key(), t.value())), &cx.scope)))
}

fn tag_set(tags: impl IntoIterator<Item = (String, String)>) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().expect("key and value are set");
    tags.into_iter().map(tag).collect()
}

/// Whether versions are kept.
async fn versioned(cx: &OpCx<'_>, bucket: &str) -> OpResult<bool> {
    match cx.aws.s3.get_bucket_versioning().bucket(bucket).send().await {
        // moto 5.2 wraps the answer in an element of another name, which the SDK refuses to read.
        Err(SdkError::ServiceError(error)) if error.raw().status().is_success() => {
            let body = String::from_utf8_lossy(error.raw().body().bytes().unwrap_or_default()).into_owned();
            Ok(body.contains("<Status>Enabled</Status>"))
        }
        answer => {
            let found = answer.op("s3:GetBucketVersioning").found()?;
            Ok(found.and_then(|v| v.status) == Some(BucketVersioningStatus::Enabled))
        }
    }
}

/// Brings every setting to its value, one after another: calls in a row collide (aws-facts §1.4).
async fn settings(cx: &OpCx<'_>, bucket: &str, spec: &Spec) -> OpResult<()> {
    let s3 = &cx.aws.s3;
    let blocked = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    let by_default =
        ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build().expect("complete");
    let encryption = ServerSideEncryptionConfiguration::builder()
        .rules(ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build())
        .build()
        .expect("complete");
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let rule = LifecycleRule::builder()
        .id(RULE)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .noncurrent_version_expiration(
            NoncurrentVersionExpiration::builder().noncurrent_days(spec.keep_old_versions_days).build(),
        )
        .abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder().days_after_initiation(spec.abort_uploads_days).build(),
        )
        .build()
        .expect("complete");
    let lifecycle = BucketLifecycleConfiguration::builder().rules(rule).build().expect("complete");

    macro_rules! put {
        ($action:literal, $call:expr) => {
            cx.retry_busy($action, || async { $call.bucket(bucket).send().await.op($action).map(drop) }).await?
        };
    }
    put!(
        "s3:PutBucketPublicAccessBlock",
        s3.put_public_access_block().public_access_block_configuration(blocked.clone())
    );
    put!(
        "s3:PutEncryptionConfiguration",
        s3.put_bucket_encryption().server_side_encryption_configuration(encryption.clone())
    );
    put!("s3:PutBucketVersioning", s3.put_bucket_versioning().versioning_configuration(versioning.clone()));
    put!("s3:PutBucketPolicy", s3.put_bucket_policy().policy(spec.policy.to_string()));
    put!(
        "s3:PutLifecycleConfiguration",
        s3.put_bucket_lifecycle_configuration().lifecycle_configuration(lifecycle.clone())
    );
    Ok(())
}
