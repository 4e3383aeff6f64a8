use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint,
    BucketVersioningStatus, CreateBucketConfiguration, ExpirationStatus, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
    TransitionDefaultMinimumObjectSize, VersioningConfiguration,
};
use futures_util::{future::try_join5, try_join};
use serde_json::Value;

use super::spec::OwnRule;
use super::versioning::versioning;
use super::{Bucket, Keys, Spec, State, Which, data_sets, empty};
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::desired::Seen;
use crate::domain::{Contents, FieldChange, KindName, Owner, Scope, Tags, action, many};
use crate::engine::{Driver, Found, OpCx, make};
use crate::resources::manifest::Manifest;
use crate::resources::tagged::tagged;
use opsctl_iam as iam;

impl Driver for Bucket {
    /// Those of our names, and those of any name with our tags: `[bucket] name` may have been another one. A
    /// bucket's ARN says neither account nor region: those of another region are in its own list.
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let named = async {
            let pages = cx.aws.s3.list_buckets().prefix(cx.scope.prefix()).bucket_region(&cx.scope.region);
            let mut pages = pages.into_paginator().send();
            let mut found = BTreeSet::new();
            while let Some(page) = pages.next().await {
                let page = page.op(action::s3::ListAllMyBuckets)?;
                found.extend(page.buckets().iter().filter_map(|b| b.name()).map(str::to_owned));
            }
            found.retain(|name| cx.may_be_ours(name));
            OpResult::Ok(found)
        };
        let (mut found, tagged) = try_join!(named, tagged(cx, &["s3"]))?;
        found.extend(tagged.iter().filter_map(|arn| Some(arn.split_once(":s3:::")?.1.to_owned())));
        Ok(found.iter().map(Found::new).collect())
    }

    async fn observe(&self, cx: &OpCx<'_>, bucket: &str) -> OpResult<Option<Seen<State>>> {
        let s3 = &cx.aws.s3;
        let head = async { s3.head_bucket().bucket(bucket).send().await.op(action::s3::ListBucket).found() };
        let tags = async {
            s3.get_bucket_tagging().bucket(bucket).send().await.op(action::s3::GetBucketTagging).found()
        };
        let block = async {
            s3.get_public_access_block()
                .bucket(bucket)
                .send()
                .await
                .op(action::s3::GetBucketPublicAccessBlock)
                .found()
        };
        let encryption = async {
            s3.get_bucket_encryption()
                .bucket(bucket)
                .send()
                .await
                .op(action::s3::GetEncryptionConfiguration)
                .found()
        };
        let versioning = versioning(cx, bucket);
        let (policy, lifecycle) = (policy(cx, bucket), lifecycle(cx, bucket));
        let (head, (tags, block, encryption, versioning, policy), lifecycle) =
            try_join!(head, try_join5(tags, block, encryption, versioning, policy), lifecycle)?;
        let Some(head) = head else { return Ok(None) };
        if let Some(region) = head.bucket_region().filter(|r| *r != cx.scope.region) {
            let message = format!("the bucket is in {region}, the project in {}", cx.scope.region);
            return Err(OpError::new(action::s3::ListBucket, OpErrorKind::Invalid, message));
        }
        let tags: Vec<Tag> = tags.map(|t| t.tag_set).unwrap_or_default();
        let block = block.and_then(|b| b.public_access_block_configuration);
        let rules = lifecycle.and_then(|l| l.rules).unwrap_or_default();
        let owner = Owner::of(tags.iter().map(|t| (t.key(), t.value())), &cx.scope);
        let by_default = encryption.and_then(|e| {
            let rule = e.server_side_encryption_configuration?.rules.into_iter().next()?;
            Some((rule.apply_server_side_encryption_by_default?, rule.bucket_key_enabled == Some(true)))
        });
        let state = State {
            public_access_blocked: block.is_some_and(|b| {
                [b.block_public_acls, b.ignore_public_acls, b.block_public_policy, b.restrict_public_buckets]
                    .iter()
                    .all(|switch| *switch == Some(true))
            }),
            encryption: by_default.as_ref().map(|(by_default, bucket_key)| {
                let (algorithm, key) = (by_default.sse_algorithm.as_str(), by_default.kms_master_key_id());
                Self::encryption(algorithm, key, *bucket_key)
            }),
            kms_key: own_key(cx, &owner, by_default.and_then(|(by, _)| by.kms_master_key_id)).await?,
            versioning: versioning == Some(BucketVersioningStatus::Enabled),
            policy,
            rules: rules.iter().filter_map(own_rule).collect(),
        };
        Ok(Some(Seen::ready(owner, "Available", state).tagged(tags.iter().map(|t| (t.key(), t.value())))))
    }

    async fn create(&self, cx: &OpCx<'_>, bucket: &str, spec: &Spec) -> OpResult<()> {
        found(cx, bucket).await?;
        settings(cx, bucket, spec).await?;
        put_policy(cx, bucket, &spec.policy).await?;
        put_rules(cx, bucket, &spec.rules(true)).await
    }

    async fn update(&self, cx: &OpCx<'_>, bucket: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        if owner(cx, bucket).await? == Some(Owner::Ours) {
            settings(cx, bucket, spec).await?;
            put_policy(cx, bucket, &spec.policy).await?;
            return put_rules(cx, bucket, &spec.rules(true)).await;
        }
        let seen = policy(cx, bucket).await?;
        if !seen.as_ref().is_some_and(|seen| iam::has(seen, &spec.statement)) {
            put_policy(cx, bucket, &iam::with(seen.as_ref(), &spec.statement)).await?;
        }
        put_rules(cx, bucket, &spec.rules(false)).await
    }

    async fn contents(&self, cx: &OpCx<'_>, bucket: &str, owner: &Owner) -> OpResult<Option<Contents>> {
        let keys = keys(cx, bucket, owner).await?;
        let counted = empty::count(cx, bucket, |key, version| keys.has(key, version)).await?;
        let leaves_markers = keys.keeps_versions == Some(false) && !keys.is_made;
        Ok(Some(Contents { leaves_markers, ..counted }))
    }

    async fn delete(&self, cx: &OpCx<'_>, bucket: &str) -> OpResult<()> {
        let keys = keys(cx, bucket, &Owner::Ours).await?;
        delete_with(cx, bucket, |key, version| keys.has(key, version)).await
    }

    async fn delete_whole(&self, cx: &OpCx<'_>, bucket: &str, agreed: &str) -> OpResult<()> {
        let owner = owner(cx, bucket).await?.unwrap_or(Owner::Nobody);
        let keys = keys(cx, bucket, &owner).await?;
        let others = empty::others(cx, bucket, |key, version| keys.has(key, version)).await?;
        if others.digest != agreed {
            return Err(meanwhile("others have changed what is in the bucket"));
        }
        delete_with(cx, bucket, |key, version| keys.has(key, version) || others.has(key, version)).await
    }

    async fn release(&self, cx: &OpCx<'_>, bucket: &str) -> OpResult<()> {
        let Some(owner) = owner(cx, bucket).await? else { return Ok(()) };
        let keys = keys(cx, bucket, &owner).await?;
        empty::remove(cx, bucket, "", |key, version| keys.has(key, version)).await?;
        if let Some(seen) = policy(cx, bucket).await? {
            // In a bucket that somebody else made, the name that we use in our own is anybody's.
            let [own, shared] = Self::SIDS;
            let sids = if owner == Owner::Ours { vec![own, shared] } else { vec![shared] };
            match iam::without(&seen, &sids) {
                Some(rest) if rest == seen => {}
                Some(rest) => put_policy(cx, bucket, &rest).await?,
                None => {
                    cx.retry_busy(action::s3::DeleteBucketPolicy, || async {
                        let call = cx.aws.s3.delete_bucket_policy().bucket(bucket).send().await;
                        call.op(action::s3::DeleteBucketPolicy).ignore_not_found()
                    })
                    .await?;
                }
            }
        }
        put_rules(cx, bucket, &BTreeMap::new()).await?;
        open_fence(cx, bucket);
        empty::remove(cx, bucket, "", |key, version| keys.has(key, version)).await?;
        // Last, so that a run that is killed before finds the bucket again.
        untag(cx, bucket).await
    }

    async fn adopt(&self, cx: &OpCx<'_>, bucket: &str) -> OpResult<()> {
        let owner = owner(cx, bucket).await?.unwrap_or(Owner::Nobody);
        tag(cx, bucket, cx.tags_back(&owner)).await
    }

    /// S3 replaces the whole set, so both are one call.
    async fn retag(&self, cx: &OpCx<'_>, bucket: &str, gone: Vec<String>, put: Tags) -> OpResult<()> {
        let mut all = tags(cx, bucket).await?;
        all.retain(|key, _| !gone.contains(key));
        all.extend(put);
        put_tags(cx, bucket, all).await
    }
}

/// The key of the default encryption. In a bucket of others it is the one that S3 would use: the key behind
/// an alias, and none where it is AWS's own. Who may not look it up is told what the bucket says.
async fn own_key(cx: &OpCx<'_>, owner: &Owner, named: Option<String>) -> OpResult<Option<String>> {
    let Some(named) = named else { return Ok(None) };
    if owner.is_made() {
        return Ok(Some(named));
    }
    let is_no_answer = |kind: &OpErrorKind| {
        matches!(kind, OpErrorKind::Denied | OpErrorKind::NotFound | OpErrorKind::Invalid)
    };
    match cx.aws.kms.key(&named).await {
        Ok(key) => Ok((!key.is_of_aws).then_some(key.arn)),
        Err(error) if is_no_answer(&error.kind) => Ok(Some(named)),
        Err(error) => Err(error),
    }
}

/// Empties the bucket and deletes it. What we run may still write while we delete: both are tried again until
/// they agree.
async fn delete_with(cx: &OpCx<'_>, bucket: &str, goes: impl Fn(&str, Which<'_>) -> bool) -> OpResult<()> {
    let empty = || async {
        match empty::remove(cx, bucket, "", &goes).await? {
            0 => Ok(()),
            others => {
                let objects = many(others, "object");
                Err(meanwhile(&format!("others have put {objects} into the bucket")))
            }
        }
    };
    empty().await?;
    open_fence(cx, bucket);
    cx.retry_busy(action::s3::DeleteBucket, || async {
        empty().await?;
        let call = cx.aws.s3.delete_bucket().bucket(bucket).send().await;
        call.op(action::s3::DeleteBucket).ignore_not_found()
    })
    .await
}

fn meanwhile(what: &str) -> OpError {
    let message = format!("{what} since it was planned to go");
    OpError::new(action::s3::DeleteBucket, OpErrorKind::ChangedMeanwhile, message)
}

async fn tags(cx: &OpCx<'_>, bucket: &str) -> OpResult<BTreeMap<String, String>> {
    let found = cx
        .aws
        .s3
        .get_bucket_tagging()
        .bucket(bucket)
        .send()
        .await
        .op(action::s3::GetBucketTagging)
        .found()?;
    Ok(found.map(|t| t.tag_set.into_iter().map(|t| (t.key, t.value)).collect()).unwrap_or_default())
}

/// Adds tags. PutBucketTagging replaces the set, so what others put there is put again.
async fn tag(cx: &OpCx<'_>, bucket: &str, more: BTreeMap<String, String>) -> OpResult<()> {
    let existing = tags(cx, bucket).await?;
    let mut all = existing.clone();
    all.extend(more);
    if all == existing { Ok(()) } else { put_tags(cx, bucket, all).await }
}

/// Takes our tags off.
async fn untag(cx: &OpCx<'_>, bucket: &str) -> OpResult<()> {
    let mut rest = tags(cx, bucket).await?;
    rest.retain(|key, _| !Scope::tag_keys().contains(&key.as_str()));
    if !rest.is_empty() {
        return put_tags(cx, bucket, rest).await;
    }
    cx.retry_busy(action::s3::PutBucketTagging, || async {
        cx.aws
            .s3
            .delete_bucket_tagging()
            .bucket(bucket)
            .send()
            .await
            .op(action::s3::PutBucketTagging)
            .ignore_not_found()
    })
    .await
}

async fn put_tags(cx: &OpCx<'_>, bucket: &str, tags: BTreeMap<String, String>) -> OpResult<()> {
    let tagging = Tagging::builder().set_tag_set(Some(tag_set(tags))).build().expect("the set is set");
    cx.retry_busy(action::s3::PutBucketTagging, || async {
        let call = cx.aws.s3.put_bucket_tagging().bucket(bucket).tagging(tagging.clone());
        call.send().await.op(action::s3::PutBucketTagging).map(drop)
    })
    .await
}

/// How our objects in this bucket are recognized: those of data sets by this project's manifests, also of
/// data sets that are not in the config any more.
async fn keys(cx: &OpCx<'_>, bucket: &str, owner: &Owner) -> OpResult<Keys> {
    let is_made = *owner == Owner::Ours;
    let mut names = data_sets::names(cx, bucket).await?;
    let wanted = cx.wanted(KindName::Data).filter_map(|uri| uri.trim_end_matches('/').rsplit('/').next());
    names.extend(wanted.filter(|_| is_made).map(str::to_owned));
    let status = versioning(cx, bucket).await?;
    let keeps_versions = status.map(|status| status == BucketVersioningStatus::Enabled);
    let mut keys = Keys { prefix: cx.scope.prefix(), is_made, keeps_versions, ..Keys::default() };
    for name in names {
        let prefix = format!("data/{name}/");
        let below = data_sets::below(cx, bucket, &prefix, owner).await?;
        keys.manifests.extend(below.is_ours.then(|| Manifest::key(&prefix)));
        keys.uploaded.extend(below.paths.into_iter().map(|(path, known)| (format!("{prefix}{path}"), known)));
        if is_made && below.is_ours {
            keys.others.extend(below.others.into_iter().map(|path| format!("{prefix}{path}")));
            keys.data_sets.insert(name);
        }
    }
    Ok(keys)
}

/// Makes the bucket, with its tags and nothing else yet.
pub(crate) async fn found(cx: &OpCx<'_>, bucket: &str) -> OpResult<()> {
    // Born with its tags: a bucket without them, left by an interrupted run, would be taken for somebody
    // else's. us-east-1 is not a LocationConstraint: there it must be left out.
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    let region = cx.scope.region.as_str();
    let constraint = (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
    let configuration = CreateBucketConfiguration::builder()
        .set_location_constraint(constraint)
        .set_tags(Some(tag_set(cx.tags())))
        .build();
    let action = action::s3::CreateBucket;
    let create = || async {
        let call =
            cx.aws.s3.create_bucket().bucket(bucket).create_bucket_configuration(configuration.clone());
        call.send().await.op(action).map(drop)
    };
    make(&Bucket, cx, bucket, action, || cx.retry_busy(action, create)).await?;
    // A read; emulators that leave the tags out are given them here.
    tag(cx, bucket, cx.tags()).await
}

/// All but the lease is gone, of the bucket and of what it guarded: it goes too.
fn open_fence(cx: &OpCx<'_>, bucket: &str) {
    if cx.wanted(KindName::Bucket).any(|name| name == bucket) {
        cx.aws.fence.open();
    }
}

/// Whose a bucket is; `None`: there is none, or it has no tags.
pub(crate) async fn owner(cx: &OpCx<'_>, bucket: &str) -> OpResult<Option<Owner>> {
    let tags = cx
        .aws
        .s3
        .get_bucket_tagging()
        .bucket(bucket)
        .send()
        .await
        .op(action::s3::GetBucketTagging)
        .found()?;
    Ok(tags.map(|tags| Owner::of(tags.tag_set().iter().map(|t| (t.key(), t.value())), &cx.scope)))
}

fn tag_set(tags: impl IntoIterator<Item = (String, String)>) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().expect("key and value are set");
    tags.into_iter().map(tag).collect()
}

async fn policy(cx: &OpCx<'_>, bucket: &str) -> OpResult<Option<Value>> {
    let found =
        cx.aws.s3.get_bucket_policy().bucket(bucket).send().await.op(action::s3::GetBucketPolicy).found()?;
    Ok(found.and_then(|p| serde_json::from_str(p.policy()?).ok()))
}

async fn put_policy(cx: &OpCx<'_>, bucket: &str, policy: &Value) -> OpResult<()> {
    cx.retry_busy(action::s3::PutBucketPolicy, || async {
        let call = cx.aws.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string());
        call.send().await.op(action::s3::PutBucketPolicy).map(drop)
    })
    .await
}

async fn lifecycle(cx: &OpCx<'_>, bucket: &str) -> OpResult<Option<GetBucketLifecycleConfigurationOutput>> {
    let got = cx.aws.s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
    got.op(action::s3::GetLifecycleConfiguration).found()
}

/// A rule of ours, by its id.
fn own_rule(rule: &LifecycleRule) -> Option<(String, OwnRule)> {
    let id = rule.id().filter(|id| Bucket::is_own_rule(id))?;
    let rule = OwnRule {
        prefix: rule.filter().and_then(|f| f.prefix()).or(old_prefix(rule)).unwrap_or_default().to_owned(),
        keep_old_versions_days: rule.noncurrent_version_expiration().and_then(|e| e.noncurrent_days()),
        abort_uploads_days: rule.abort_incomplete_multipart_upload().and_then(|a| a.days_after_initiation()),
        altered: is_altered(rule),
    };
    Some((id.to_owned(), rule))
}

/// The prefix of a rule as rules were written before they had filters: AWS still takes it, and gives it back.
#[expect(deprecated, reason = "others may write it")]
fn old_prefix(rule: &LifecycleRule) -> Option<&str> {
    rule.prefix()
}

/// Whether a rule of ours has what opsctl never sets: an expiration of current objects would delete data and
/// models.
fn is_altered(rule: &LifecycleRule) -> bool {
    let by_more_than_prefix = rule.filter().is_some_and(|filter| {
        let sizes = filter.object_size_greater_than().or(filter.object_size_less_than());
        filter.and().is_some() || filter.tag().is_some() || sizes.is_some()
    });
    let keeps_some =
        rule.noncurrent_version_expiration().is_some_and(|e| e.newer_noncurrent_versions().is_some());
    *rule.status() != ExpirationStatus::Enabled
        || rule.expiration().is_some()
        || !rule.transitions().is_empty()
        || !rule.noncurrent_version_transitions().is_empty()
        || by_more_than_prefix
        || keeps_some
}

/// Makes our rules these. The call replaces all rules, so those of others are put again.
async fn put_rules(cx: &OpCx<'_>, bucket: &str, ours: &BTreeMap<String, OwnRule>) -> OpResult<()> {
    let found = lifecycle(cx, bucket).await?;
    let smallest = found.as_ref().and_then(|l| l.transition_default_minimum_object_size.clone());
    let existing = found.and_then(|l| l.rules).unwrap_or_default();
    let others = existing.iter().filter(|rule| !rule.id().is_some_and(Bucket::is_own_rule)).cloned();
    let rules: Vec<LifecycleRule> =
        others.chain(ours.iter().map(|(id, rule)| lifecycle_rule(id, rule))).collect();
    if rules == existing {
        return Ok(());
    }
    if rules.is_empty() {
        return cx
            .retry_busy(action::s3::PutLifecycleConfiguration, || async {
                let call = cx.aws.s3.delete_bucket_lifecycle().bucket(bucket).send().await;
                call.op(action::s3::PutLifecycleConfiguration).ignore_not_found()
            })
            .await;
    }
    put_lifecycle(cx, bucket, rules, smallest).await
}

async fn put_lifecycle(
    cx: &OpCx<'_>,
    bucket: &str,
    rules: Vec<LifecycleRule>,
    smallest: Option<TransitionDefaultMinimumObjectSize>,
) -> OpResult<()> {
    let configuration =
        BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().expect("complete");
    cx.retry_busy(action::s3::PutLifecycleConfiguration, || async {
        let call = cx.aws.s3.put_bucket_lifecycle_configuration().bucket(bucket);
        let call = call.lifecycle_configuration(configuration.clone());
        let call = call.set_transition_default_minimum_object_size(smallest.clone());
        call.send().await.op(action::s3::PutLifecycleConfiguration).map(drop)
    })
    .await
}

fn lifecycle_rule(id: &str, rule: &OwnRule) -> LifecycleRule {
    let old = NoncurrentVersionExpiration::builder().set_noncurrent_days(rule.keep_old_versions_days).build();
    let uploads =
        AbortIncompleteMultipartUpload::builder().set_days_after_initiation(rule.abort_uploads_days).build();
    LifecycleRule::builder()
        .id(id)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(&rule.prefix).build())
        .noncurrent_version_expiration(old)
        .abort_incomplete_multipart_upload(uploads)
        .build()
        .expect("complete")
}

/// Brings every setting of our own bucket to its value, one after another: calls in a row collide.
async fn settings(cx: &OpCx<'_>, bucket: &str, spec: &Spec) -> OpResult<()> {
    let s3 = &cx.aws.s3;
    let blocked = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(match spec.kms_key {
            Some(_) => ServerSideEncryption::AwsKms,
            None => ServerSideEncryption::Aes256,
        })
        .set_kms_master_key_id(spec.kms_key.clone())
        .build()
        .expect("complete");
    let encryption = ServerSideEncryptionConfiguration::builder()
        .rules(
            ServerSideEncryptionRule::builder()
                .apply_server_side_encryption_by_default(by_default)
                .set_bucket_key_enabled(spec.kms_key.is_some().then_some(true))
                .build(),
        )
        .build()
        .expect("complete");
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    macro_rules! put {
        ($action:path, $call:expr) => {
            cx.retry_busy($action, || async { $call.bucket(bucket).send().await.op($action).map(drop) })
                .await?
        };
    }
    put!(
        action::s3::PutBucketPublicAccessBlock,
        s3.put_public_access_block().public_access_block_configuration(blocked.clone())
    );
    put!(
        action::s3::PutEncryptionConfiguration,
        s3.put_bucket_encryption().server_side_encryption_configuration(encryption.clone())
    );
    put!(
        action::s3::PutBucketVersioning,
        s3.put_bucket_versioning().versioning_configuration(versioning.clone())
    );
    Ok(())
}
