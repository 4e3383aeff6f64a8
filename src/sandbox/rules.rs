//! The rules of AWS that emulators commonly let through, by name, so that a test can switch each of them off
//! and show that its absence is noticed. Their sources are in docs/aws/README.md.

use std::fmt;

/// Makes the enumeration, the list of all, and their names.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal,)*) => {
        /// A rule that [`SandboxState::enforces`](super::SandboxState::enforces).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum AwsRule {
            $($(#[$doc])* $rule,)*
        }

        impl AwsRule {
            /// Every rule.
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
    /// An alias with provisioned concurrency has weights while it moves
    /// (docs/aws/lambda.md#provisioned-concurrency).
    AliasShifts = "alias-shifts",
    /// An alias has one more version at most, published and of the same role
    /// (docs/aws/lambda.md#versions-and-aliases).
    AliasWeights = "alias-weights",
    /// A variant of `ml.t2.*` is no scalable target (docs/aws/autoscaling.md#registering-a-target).
    BurstableVariant = "burstable-variant",
    /// Registering a target moves the live capacity into its range
    /// (docs/aws/autoscaling.md#registering-a-target).
    CapacityWithinRange = "capacity-within-range",
    /// A function's code comes from a bucket of its region (docs/aws/lambda.md#limits).
    CodeBucketRegion = "code-bucket-region",
    /// Archives have 50 MB at most, 250 MB when unzipped (docs/aws/lambda.md#limits).
    CodeSize = "code-size",
    /// No more invocations run at once than the account has left (docs/aws/lambda.md).
    ConcurrencyLimit = "concurrency-limit",
    /// Only a training job that has ended can be deleted (docs/aws/sagemaker-training.md#states).
    DeleteEndedJobsOnly = "delete-ended-jobs-only",
    /// A deployment policy needs the same variant names, a rolling one a single variant
    /// (docs/aws/sagemaker-endpoints.md#deployment-policies).
    DeploymentGuardrails = "deployment-guardrails",
    /// An endpoint that is being made or updated can be neither updated nor deleted
    /// (docs/aws/sagemaker-endpoints.md#endpoint-states).
    EndpointBusy = "endpoint-busy",
    /// Lambda's own environment variables cannot be set (docs/aws/lambda.md#environment-variables).
    EnvironmentReserved = "environment-reserved",
    /// Environment variables have 4 KB in all (docs/aws/lambda.md#limits).
    EnvironmentSize = "environment-size",
    /// A failed endpoint can only be deleted (docs/aws/sagemaker-endpoints.md#endpoint-states).
    FailedEndpointIsDeletedOnly = "failed-endpoint-is-deleted-only",
    /// A failed update leaves the endpoint in service, on the old configuration
    /// (docs/aws/sagemaker-endpoints.md#endpoint-states).
    FailedUpdateRollsBack = "failed-update-rolls-back",
    /// A function that is being made can be neither invoked nor changed (docs/aws/lambda.md#states).
    FunctionPending = "function-pending",
    /// One update of a function ends before the next begins (docs/aws/lambda.md#states).
    FunctionUpdating = "function-updating",
    /// Hosting has no `ml.t3` (docs/aws/sagemaker-endpoints.md#endpoint-configurations).
    HostingInstanceType = "hosting-instance-type",
    /// An AMI runs on instances of its architecture (docs/aws/ec2.md#images).
    ImageArchitecture = "image-architecture",
    /// Images come from the registry of the region (docs/aws/sagemaker.md#framework-images).
    ImageRegion = "image-region",
    /// Just after a launch, reads do not find the instance (docs/aws/errors-and-retries.md#new-instances).
    InstanceVisibility = "instance-visibility",
    /// An endpoint that is being made is not found by an invocation
    /// (docs/aws/sagemaker-endpoints.md#invoking).
    InvokeNeedsService = "invoke-needs-service",
    /// A payload has 6 MB at most (docs/aws/sagemaker-endpoints.md#invoking).
    InvokePayloadLimit = "invoke-payload-limit",
    /// A lifecycle script is sent in base64 (docs/aws/sagemaker-notebooks.md#lifecycle-configurations).
    LifecycleBase64 = "lifecycle-base64",
    /// A lifecycle configuration that a notebook has cannot be deleted
    /// (docs/aws/sagemaker-notebooks.md#lifecycle-configurations).
    LifecycleConfigInUse = "lifecycle-config-in-use",
    /// ListTrainingJobs takes a page first and filters it by status then
    /// (docs/aws/sagemaker-training.md#listing).
    ListFiltersPages = "list-filters-pages",
    /// ManagedInstanceScaling is for inference components
    /// (docs/aws/sagemaker-endpoints.md#endpoint-configurations).
    ManagedInstanceScaling = "managed-instance-scaling",
    /// A model's archive is there, in the region, when the model is made
    /// (docs/aws/errors-and-retries.md#model-access, docs/aws/sagemaker-endpoints.md#models).
    ModelDataAccess = "model-data-access",
    /// Lengths, ranges, patterns, enums and required members are as AWS's model has them
    /// (docs/aws/README.md#models).
    ModelConstraints = "model-constraints",
    /// Values have the types of AWS's model (docs/aws/README.md#models).
    ModelTypes = "model-types",
    /// Notebooks have types of their own (docs/aws/sagemaker-notebooks.md#settings).
    NotebookInstanceType = "notebook-instance-type",
    /// Amazon Linux 1 and 2 are no platforms any more (docs/aws/sagemaker-notebooks.md#platforms).
    NotebookPlatform = "notebook-platform",
    /// Each operation on a notebook has states that it may start from
    /// (docs/aws/sagemaker-notebooks.md#notebook-states).
    NotebookState = "notebook-state",
    /// A notebook's volume cannot shrink (docs/aws/sagemaker-notebooks.md#settings).
    NotebookVolumeGrows = "notebook-volume-grows",
    /// Without direct internet access, a notebook needs a subnet (docs/aws/sagemaker-notebooks.md#settings).
    NotebookWithoutInternet = "notebook-without-internet",
    /// A trust in GitHub's tokens says whose (docs/aws/iam.md#oidc-trust).
    OidcTrust = "oidc-trust",
    /// An invocation has 6 MB at most, an event 1 MB (docs/aws/lambda.md#limits).
    PayloadSize = "payload-size",
    /// Policies come back in another form than they were put in
    /// (docs/aws/iam.md#documents-come-back-rewritten).
    PolicyForm = "policy-form",
    /// A scaling policy is for a registered target (docs/aws/autoscaling.md#target-tracking).
    PolicyNeedsTarget = "policy-needs-target",
    /// EC2 does not know a new instance profile at once
    /// (docs/aws/errors-and-retries.md#new-instance-profiles).
    ProfilePropagation = "profile-propagation",
    /// Provisioned concurrency leaves the account its minimum (docs/aws/lambda.md#provisioned-concurrency).
    ProvisionedHeadroom = "provisioned-headroom",
    /// A version has provisioned concurrency under one name only
    /// (docs/aws/lambda.md#provisioned-concurrency).
    ProvisionedOnce = "provisioned-once",
    /// `$LATEST` has no provisioned concurrency (docs/aws/lambda.md#provisioned-concurrency).
    ProvisionedUnpublished = "provisioned-unpublished",
    /// An alias with weights has no provisioned concurrency (docs/aws/lambda.md#provisioned-concurrency).
    ProvisionedWeights = "provisioned-weights",
    /// Instances are counted against the account's quotas (docs/aws/sagemaker.md#quotas).
    Quota = "quota",
    /// Reserved concurrency leaves the account its minimum (docs/aws/lambda.md#concurrency).
    ReservedHeadroom = "reserved-headroom",
    /// The role that a service is to assume exists (docs/aws/errors-and-retries.md#new-roles).
    RoleExists = "role-exists",
    /// Who has a role may do what its policies allow (docs/aws/iam.md#least-privilege).
    RolePolicies = "role-policies",
    /// A new role cannot be assumed at once (docs/aws/errors-and-retries.md#new-roles).
    RolePropagation = "role-propagation",
    /// A role trusts the service that is to assume it (docs/aws/errors-and-retries.md#new-roles).
    RoleTrust = "role-trust",
    /// The root volume is not smaller than the snapshot of the image (docs/aws/ec2.md#images).
    RootVolumeSize = "root-volume-size",
    /// Functions are not made on runtimes that AWS has closed (docs/aws/lambda.md#runtimes).
    RuntimeDeprecated = "runtime-deprecated",
    /// Objects take no ACL where the bucket has them disabled (docs/aws/s3.md#defaults-of-a-new-bucket).
    S3AclDisabled = "s3-acl-disabled",
    /// Who does not sign has no access.
    S3AnonymousRefused = "s3-anonymous-refused",
    /// A public policy is refused while public policies are blocked
    /// (docs/aws/s3.md#defaults-of-a-new-bucket).
    S3BlockPublicPolicy = "s3-block-public-policy",
    /// A bucket answers in its own region only (docs/aws/s3.md#regions).
    S3BucketRegion = "s3-bucket-region",
    /// A new bucket names the region that it is made in, us-east-1 none (docs/aws/s3.md#creating-a-bucket).
    S3LocationConstraint = "s3-location-constraint",
    /// DeleteObjects and the settings of a bucket need a checksum of the request (docs/aws/s3.md#checksums).
    S3NeedsChecksum = "s3-needs-checksum",
    /// All parts of an upload but the last have 5 MiB (docs/aws/s3.md#multipart-uploads).
    S3SmallestPart = "s3-smallest-part",
    /// A scalable target is there when it is registered (docs/aws/autoscaling.md#registering-a-target).
    ScalableTargetExists = "scalable-target-exists",
    /// A real-time variant scales to one instance, not to none
    /// (docs/aws/autoscaling.md#registering-a-target).
    ScalableTargetMinimum = "scalable-target-minimum",
    /// A variant that is a scalable target keeps its instance type
    /// (docs/aws/sagemaker-endpoints.md#updating-under-autoscaling).
    ScaledVariantKeepsType = "scaled-variant-keeps-type",
    /// Spot training waits at least as long as it may run (docs/aws/sagemaker-training.md#spot).
    SpotWaitTime = "spot-wait-time",
    /// An image for training does not pass the health check of an endpoint
    /// (docs/aws/sagemaker.md#framework-images).
    TrainingImageDoesNotServe = "training-image-does-not-serve",
    /// Training has types of its own (docs/aws/sagemaker-training.md#creating-a-job).
    TrainingInstanceType = "training-instance-type",
    /// An update takes instance counts from the configuration, unless it retains them
    /// (docs/aws/sagemaker-endpoints.md#updating-variant-properties).
    UpdateResetsLiveCounts = "update-resets-live-counts",
    /// EC2's quotas count vCPUs (docs/aws/ec2.md#quotas).
    VcpuLimit = "vcpu-limit",
    /// A version that an alias points to cannot be deleted (docs/aws/lambda.md#versions-and-aliases).
    VersionReferenced = "version-referenced",
}

impl fmt::Display for AwsRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
