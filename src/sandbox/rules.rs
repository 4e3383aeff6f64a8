//! The rules of AWS that emulators commonly let through, by name, so that a test can switch each of them off and show
//! that its absence is noticed. Sections are those of aws-facts.md.

use std::fmt;

/// Makes the enumeration, the list of all, and their names.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal,)*) => {
        /// A rule that [`World::enforces`](super::World::enforces).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum AwsRule {
            $($(#[$doc])* $rule,)*
        }

        impl AwsRule {
            pub const ALL: &[Self] = &[$(Self::$rule),*];

            /// As a person writes it: `burstable-variant`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }
        }
    };
}

rules! {
    /// An alias has one more version at most, published and of the same role (§11.4).
    AliasWeights = "alias-weights",
    /// A variant of `ml.t2.*` is no scalable target (§9.2).
    BurstableVariant = "burstable-variant",
    /// Registering a target moves the live capacity into its range (§9.2).
    CapacityWithinRange = "capacity-within-range",
    /// A function's code comes from a bucket of its region (§11.1).
    CodeBucketRegion = "code-bucket-region",
    /// Archives have 50 MB at most, 250 MB when unzipped (§11.1).
    CodeSize = "code-size",
    /// No more invocations run at once than the account has left (§11.1, §11.5).
    ConcurrencyLimit = "concurrency-limit",
    /// Only a training job that has ended can be deleted (§5.2).
    DeleteEndedJobsOnly = "delete-ended-jobs-only",
    /// A deployment policy needs the same variant names, a rolling one a single variant (§8.2).
    DeploymentGuardrails = "deployment-guardrails",
    /// An endpoint that is being made or updated can be neither updated nor deleted (§7.4).
    EndpointBusy = "endpoint-busy",
    /// Lambda's own environment variables cannot be set (§11.1).
    EnvironmentReserved = "environment-reserved",
    /// Environment variables have 4 KB in all (§11.1).
    EnvironmentSize = "environment-size",
    /// A failed endpoint can only be deleted (§7.4).
    FailedEndpointIsDeletedOnly = "failed-endpoint-is-deleted-only",
    /// A failed update leaves the endpoint in service, on the old configuration (§7.4).
    FailedUpdateRollsBack = "failed-update-rolls-back",
    /// A function that is being made can be neither invoked nor changed (§11.3).
    FunctionPending = "function-pending",
    /// One update of a function ends before the next begins (§11.3).
    FunctionUpdating = "function-updating",
    /// Hosting has no `ml.t3` (§7.3).
    HostingInstanceType = "hosting-instance-type",
    /// An AMI runs on instances of its architecture (§12).
    ImageArchitecture = "image-architecture",
    /// Images come from the registry of the region (§6).
    ImageRegion = "image-region",
    /// Just after a launch, reads do not find the instance (§1.4).
    InstanceVisibility = "instance-visibility",
    /// An endpoint that is being made is not found by an invocation (§7.6).
    InvokeNeedsService = "invoke-needs-service",
    /// A payload has 6 MB at most (§7.6).
    InvokePayloadLimit = "invoke-payload-limit",
    /// A lifecycle configuration that a notebook has cannot be deleted (§10.3).
    LifecycleConfigInUse = "lifecycle-config-in-use",
    /// ListTrainingJobs takes a page first and filters it by status then (§5.9).
    ListFiltersPages = "list-filters-pages",
    /// ManagedInstanceScaling is for inference components (§7.3).
    ManagedInstanceScaling = "managed-instance-scaling",
    /// A model's archive is there, in the region, when the model is made (§1.4, §7.1).
    ModelDataAccess = "model-data-access",
    /// Notebooks have types of their own (§10.1).
    NotebookInstanceType = "notebook-instance-type",
    /// Amazon Linux 1 and 2 are no platforms any more (§10.2).
    NotebookPlatform = "notebook-platform",
    /// Each operation on a notebook has states that it may start from (§10.1).
    NotebookState = "notebook-state",
    /// A notebook's volume cannot shrink (§10.1).
    NotebookVolumeGrows = "notebook-volume-grows",
    /// Without direct internet access, a notebook needs a subnet (§10.1).
    NotebookWithoutInternet = "notebook-without-internet",
    /// A trust in GitHub's tokens says whose (§2).
    OidcTrust = "oidc-trust",
    /// An invocation has 6 MB at most, an event 1 MB (§11.1).
    PayloadSize = "payload-size",
    /// A scaling policy is for a registered target (§9.3).
    PolicyNeedsTarget = "policy-needs-target",
    /// EC2 does not know a new instance profile at once (§1.4).
    ProfilePropagation = "profile-propagation",
    /// Provisioned concurrency leaves the account its minimum (§11.6).
    ProvisionedHeadroom = "provisioned-headroom",
    /// A version has provisioned concurrency under one name only (§11.6).
    ProvisionedOnce = "provisioned-once",
    /// `$LATEST` has no provisioned concurrency (§11.6).
    ProvisionedUnpublished = "provisioned-unpublished",
    /// An alias with weights has no provisioned concurrency (§11.6).
    ProvisionedWeights = "provisioned-weights",
    /// Instances are counted against the account's quotas (§4.4).
    Quota = "quota",
    /// Reserved concurrency leaves the account its minimum (§11.6).
    ReservedHeadroom = "reserved-headroom",
    /// The role that a service is to assume exists (§1.4).
    RoleExists = "role-exists",
    /// A new role cannot be assumed at once (§1.4).
    RolePropagation = "role-propagation",
    /// A role trusts the service that is to assume it (§1.4).
    RoleTrust = "role-trust",
    /// Functions are not made on runtimes that AWS has closed (§11.2).
    RuntimeDeprecated = "runtime-deprecated",
    /// Objects take no ACL where the bucket has them disabled (§3.3).
    S3AclDisabled = "s3-acl-disabled",
    /// Who does not sign has no access.
    S3AnonymousRefused = "s3-anonymous-refused",
    /// A public policy is refused while public policies are blocked (§3.3).
    S3BlockPublicPolicy = "s3-block-public-policy",
    /// A bucket answers in its own region only (§3.2).
    S3BucketRegion = "s3-bucket-region",
    /// DeleteObjects needs a checksum of the request (§3.1).
    S3DeleteNeedsChecksum = "s3-delete-needs-checksum",
    /// A new bucket names the region that it is made in, us-east-1 none (§3.2).
    S3LocationConstraint = "s3-location-constraint",
    /// All parts of an upload but the last have 5 MiB (§3.1).
    S3SmallestPart = "s3-smallest-part",
    /// A scalable target is there when it is registered (§9.2).
    ScalableTargetExists = "scalable-target-exists",
    /// A real-time variant scales to one instance, not to none (§9.2).
    ScalableTargetMinimum = "scalable-target-minimum",
    /// A variant that is a scalable target keeps its instance type (§8.3).
    ScaledVariantKeepsType = "scaled-variant-keeps-type",
    /// Spot training waits at least as long as it may run (§5.6).
    SpotWaitTime = "spot-wait-time",
    /// An image for training does not pass the health check of an endpoint (§6).
    TrainingImageDoesNotServe = "training-image-does-not-serve",
    /// Training has types of its own (§5.1).
    TrainingInstanceType = "training-instance-type",
    /// An update takes instance counts from the configuration, unless it retains them (§8.1).
    UpdateResetsLiveCounts = "update-resets-live-counts",
    /// EC2's quotas count vCPUs (§12).
    VcpuLimit = "vcpu-limit",
    /// A version that an alias points to cannot be deleted (§11.4).
    VersionReferenced = "version-referenced",
}

impl fmt::Display for AwsRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
