//! Buckets: names, regions, and what a new one is like (docs/aws/s3.md).

use std::ops::Bound;

use s3s::dto;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::object::{moment, objects_table};
use super::refusal::invalid_argument;
use super::uploads::uploads_table;
use super::{Cx, blob};
use crate::clock::Millis;
use crate::fault::Fault;
use crate::root::remove_own;
use crate::rules::AwsRule;
use crate::state::SandboxState;
use crate::store::{Entry, ScopedTable};
use crate::{paging, tags};

/// A bucket's document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bucket {
    pub name: String,
    pub region: String,
    pub created: Millis,
    #[serde(default)]
    pub versioning: Versioning,
    pub public_access: Option<dto::PublicAccessBlockConfiguration>,
    pub encryption: Option<dto::ServerSideEncryptionConfiguration>,
    pub ownership: String,
    pub policy: Option<String>,
    pub lifecycle: Option<Vec<dto::LifecycleRule>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    #[default]
    Never,
    Enabled,
    Suspended,
}

impl Bucket {
    /// A new one: public access blocked, ACLs disabled (since April 2023), encrypted by S3's keys.
    fn new(name: String, region: String, created: Millis) -> Self {
        let public_access = dto::PublicAccessBlockConfiguration {
            block_public_acls: Some(true),
            block_public_policy: Some(true),
            ignore_public_acls: Some(true),
            restrict_public_buckets: Some(true),
        };
        Self {
            name,
            region,
            created,
            versioning: Versioning::Never,
            public_access: Some(public_access),
            encryption: None,
            ownership: dto::ObjectOwnership::BUCKET_OWNER_ENFORCED.into(),
            policy: None,
            lifecycle: None,
        }
    }

    pub fn arn(&self) -> String {
        arn(&self.name)
    }

    /// Whether a setting of the public access block is on.
    pub fn blocks(&self, setting: impl FnOnce(&dto::PublicAccessBlockConfiguration) -> Option<bool>) -> bool {
        self.public_access.as_ref().and_then(setting).unwrap_or(false)
    }
}

/// ARNs of buckets name neither region nor account.
pub fn arn(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

/// Names are unique across regions, so the buckets of all regions are on one table.
fn table(shared: &SandboxState) -> ScopedTable<'_> {
    shared.global("s3.buckets")
}

fn read(doc: serde_json::Value) -> Result<Bucket, Fault> {
    serde_json::from_value(doc).map_err(|error| std::io::Error::from(error).into())
}

/// A bucket, whatever its region and owner.
pub fn find(shared: &SandboxState, name: &str) -> Result<Bucket, Fault> {
    let missing = || Fault::new(404, "NoSuchBucket", "The specified bucket does not exist");
    read(table(shared).get(name).ok_or_else(missing)?)
}

impl Cx {
    /// The bucket that a request names, if the request comes to the right region and expects the right owner.
    pub(super) fn bucket(&self, name: &str, owner: Option<&str>) -> Result<Bucket, Fault> {
        let bucket = find(&self.shared, name)?;
        self.expect_owner(owner)?;
        // docs/aws/s3.md#regions: the answer says the right region, so that a client can find its way.
        let region = self.wire.region.as_ref();
        if region.is_some_and(|region| *region != bucket.region)
            && self.shared.enforces(AwsRule::S3BucketRegion)
        {
            let message = "The bucket you are attempting to access must be addressed using the specified \
                           endpoint. Please send all future requests to this endpoint.";
            let fault = Fault::new(301, "PermanentRedirect", message);
            return Err(fault.with("x-amz-bucket-region", bucket.region));
        }
        Ok(bucket)
    }

    pub(super) fn expect_owner(&self, owner: Option<&str>) -> Result<(), Fault> {
        if owner.is_some_and(|owner| owner != self.shared.account) {
            return Err(Fault::new(403, "AccessDenied", "Access Denied"));
        }
        Ok(())
    }

    /// A bucket that an object is to be written into. With ACLs disabled, only the one that changes nothing
    /// may be asked for (docs/aws/s3.md#defaults-of-a-new-bucket).
    pub(super) fn bucket_to_fill(&self, name: &str, owner: Option<&str>) -> Result<Bucket, Fault> {
        let bucket = self.bucket(name, owner)?;
        let acl = self.wire.acl.as_deref().is_some_and(|acl| acl != "bucket-owner-full-control");
        let disabled = bucket.ownership == dto::ObjectOwnership::BUCKET_OWNER_ENFORCED;
        if acl && disabled && self.shared.enforces(AwsRule::S3AclDisabled) {
            let message = "The bucket does not allow ACLs";
            return Err(Fault::new(400, "AccessControlListNotSupported", message));
        }
        Ok(bucket)
    }

    /// Changes a bucket's document.
    pub(super) fn change_bucket(
        &self,
        name: &str,
        owner: Option<&str>,
        change: impl FnOnce(&mut Bucket) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.bucket(name, owner)?;
        table(&self.shared)
            .update(name, |entry| {
                let mut bucket = read(entry.doc.clone())?;
                change(&mut bucket)?;
                *entry = document(&bucket);
                Ok(())
            })
            .map(|_| ())
    }
}

fn document(bucket: &Bucket) -> Entry {
    json!(bucket).into()
}

/// Starts and ends of names that AWS keeps for itself (docs/aws/s3.md#bucket-names); `s3s` knows the other
/// rules.
const RESERVED_STARTS: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_ENDS: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

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
                "The {named} location constraint is incompatible for the region specific endpoint this request \
                 was sent to."
            );
            Err(Fault::new(400, "IllegalLocationConstraintException", message))
        }
    }
}

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

/// The account as S3 writes it: a canonical user id.
pub fn owner(shared: &SandboxState) -> dto::Owner {
    dto::Owner { id: Some(blake3::hash(shared.account.as_bytes()).to_hex().to_string()), display_name: None }
}

impl From<Versioning> for Option<dto::BucketVersioningStatus> {
    fn from(versioning: Versioning) -> Self {
        let status = match versioning {
            Versioning::Never => return None,
            Versioning::Enabled => dto::BucketVersioningStatus::ENABLED,
            Versioning::Suspended => dto::BucketVersioningStatus::SUSPENDED,
        };
        Some(dto::BucketVersioningStatus::from_static(status))
    }
}
