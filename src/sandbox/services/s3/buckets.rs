//! The operations on buckets themselves (docs/aws/s3.md).

use std::ops::Bound;

use s3s::dto;

use super::bucket::{Bucket, Versioning, document, find, owner, read, table};
use super::object::{moment, objects_table};
use super::refusal::invalid_argument;
use super::uploads::uploads_table;
use super::{Cx, blob};
use crate::fault::Fault;
use crate::root::remove_own;
use crate::rules::AwsRule;
use crate::state::SandboxState;
use crate::{paging, tags};

/// Starts and ends of names that AWS keeps for itself (docs/aws/s3.md#bucket-names); `s3s` knows the other
/// rules.
const RESERVED_STARTS: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_ENDS: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Answers CreateBucket.
pub async fn create(cx: Cx, input: dto::CreateBucketInput) -> Result<dto::CreateBucketOutput, Fault> {
    let name = input.bucket;
    if RESERVED_STARTS.iter().any(|start| name.starts_with(start))
        || RESERVED_ENDS.iter().any(|end| name.ends_with(end))
    {
        return Err(Fault::new(400, "InvalidBucketName", "The specified bucket is not valid."));
    }
    let region = cx.wire.region.clone().unwrap_or_else(|| cx.shared.region.clone());
    let constraint = input.create_bucket_configuration.and_then(|c| c.location_constraint);
    check_location(&cx.shared, &region, constraint.as_ref().map(dto::BucketLocationConstraint::as_str))?;
    if cx.wire.acl.as_deref().is_some_and(|acl| acl != "private") && input.object_ownership.is_none() {
        let message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
        return Err(Fault::new(400, "InvalidBucketAclWithObjectOwnership", message));
    }
    tags::check(&cx.wire.tags).map_err(|message| Fault::new(400, "InvalidTag", message))?;

    let mut bucket = Bucket::new(name.clone(), region.clone(), cx.shared.clock.now());
    if let Some(ownership) = &input.object_ownership {
        ownership.as_str().clone_into(&mut bucket.ownership);
    }
    if table(&cx.shared).insert_new(&name, document(&bucket))? {
        tags::add(&cx.shared, &bucket.arn(), cx.wire.tags, "InvalidTag")?;
    } else if region != "us-east-1" || find(&cx.shared, &name)?.region != region {
        // The oldest region alone forgives (docs/aws/s3.md#regions).
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(Fault::new(409, "BucketAlreadyOwnedByYou", message));
    }
    Ok(dto::CreateBucketOutput { location: Some(format!("/{name}")) })
}

/// us-east-1 takes no constraint, every other region its own name (docs/aws/s3.md#creating-a-bucket).
fn check_location(shared: &SandboxState, region: &str, constraint: Option<&str>) -> Result<(), Fault> {
    if !shared.enforces(AwsRule::S3LocationConstraint) {
        return Ok(());
    }
    match constraint {
        Some("us-east-1") => {
            let message = "The specified location-constraint is not valid";
            Err(Fault::new(400, "InvalidLocationConstraint", message))
        }
        None if region == "us-east-1" => Ok(()),
        Some(name) if name == region || (name == "EU" && region == "eu-west-1") => Ok(()),
        constraint => {
            let named = constraint.unwrap_or("unspecified");
            let message = format!(
                "The {named} location constraint is incompatible for the region specific endpoint this \
                 request was sent to."
            );
            Err(Fault::new(400, "IllegalLocationConstraintException", message))
        }
    }
}

/// Answers HeadBucket.
pub async fn head(cx: Cx, input: dto::HeadBucketInput) -> Result<dto::HeadBucketOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    Ok(dto::HeadBucketOutput {
        access_point_alias: Some(false),
        bucket_region: Some(bucket.region),
        ..Default::default()
    })
}

/// Answers from every region; `us-east-1` is written as nothing.
pub async fn location(
    cx: Cx,
    input: dto::GetBucketLocationInput,
) -> Result<dto::GetBucketLocationOutput, Fault> {
    let bucket = find(&cx.shared, &input.bucket)?;
    cx.expect_owner(input.expected_bucket_owner.as_deref())?;
    let constraint = Some(bucket.region).filter(|region| region != "us-east-1");
    Ok(dto::GetBucketLocationOutput { location_constraint: constraint.map(Into::into) })
}

/// Refused while any version or delete marker is left; unfinished uploads do not count
/// (docs/aws/s3.md#deleting-a-bucket).
pub async fn delete(cx: Cx, input: dto::DeleteBucketInput) -> Result<dto::DeleteBucketOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let store = &cx.shared.store;
    let objects = objects_table(&bucket.name);
    if store.first(&objects, Bound::Unbounded).is_some() {
        let message = match bucket.versioning {
            Versioning::Never => "The bucket you tried to delete is not empty",
            _ => "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
        };
        return Err(Fault::new(409, "BucketNotEmpty", message));
    }
    table(&cx.shared).remove(&bucket.name)?;
    tags::forget(&cx.shared, &bucket.arn())?;
    super::multipart::abort_all(&cx.shared, &uploads_table(&bucket.name))?;
    let _ = remove_own(&cx.shared.root, &blob::objects(&cx.shared.root, &bucket.name));
    Ok(dto::DeleteBucketOutput {})
}

/// Answers ListBuckets.
pub async fn list(cx: Cx, input: dto::ListBucketsInput) -> Result<dto::ListBucketsOutput, Fault> {
    let most = input.max_buckets.unwrap_or(10_000);
    if !(1..=10_000).contains(&most) {
        return Err(invalid_argument("MaxBuckets must be between 1 and 10000"));
    }
    let mut buckets = Vec::new();
    for (name, doc) in table(&cx.shared).list(input.prefix.as_deref().unwrap_or_default()) {
        let bucket = read(doc)?;
        if input.bucket_region.as_ref().is_none_or(|region| *region == bucket.region) {
            buckets.push((name, bucket));
        }
    }
    let most = if cx.shared.short_pages { 1 } else { most as usize };
    let page = paging::page(buckets, input.continuation_token.as_deref(), most)
        .ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))?;
    let show = |bucket: Bucket| dto::Bucket {
        bucket_region: Some(bucket.region),
        creation_date: Some(moment(bucket.created)),
        name: Some(bucket.name),
    };
    Ok(dto::ListBucketsOutput {
        buckets: Some(page.items.into_iter().map(show).collect()),
        continuation_token: page.next,
        owner: Some(owner(&cx.shared)),
        prefix: input.prefix,
    })
}
