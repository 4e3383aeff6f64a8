//! A bucket: its document, what a new one is like, and who may use it (docs/aws/s3.md).

use s3s::dto;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Cx;
use crate::clock::Millis;
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::state::{SandboxState, arn_of};
use crate::store::{Entry, ScopedTable};

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

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    #[default]
    Never,
    Enabled,
    Suspended,
}

impl Bucket {
    /// A new one: public access blocked, ACLs disabled (since April 2023), encrypted by S3's keys.
    pub(super) fn new(name: String, region: String, created: Millis) -> Self {
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

    /// Its ARN.
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
    arn_of("s3", "", "", name)
}

/// Names are unique across regions, so the buckets of all regions are on one table.
pub(super) fn table(shared: &SandboxState) -> ScopedTable<'_> {
    shared.global("s3.buckets")
}

pub(super) fn read(doc: serde_json::Value) -> Result<Bucket, Fault> {
    serde_json::from_value(doc).map_err(|error| std::io::Error::from(error).into())
}

/// A bucket, whatever its region and owner.
pub fn find(shared: &SandboxState, name: &str) -> Result<Bucket, Fault> {
    let missing = || Fault::new(404, "NoSuchBucket", "The specified bucket does not exist");
    read(table(shared).get(name).ok_or_else(missing)?)
}

/// Where a bucket is, whose name does not say it; `None`: there is none.
pub fn region(shared: &SandboxState, name: &str) -> Option<String> {
    find(shared, name).ok().map(|bucket| bucket.region)
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

pub(super) fn document(bucket: &Bucket) -> Entry {
    json!(bucket).into()
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
