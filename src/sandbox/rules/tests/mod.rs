//! Every rule of AWS: what is refused while it is enforced, and let through when it alone is off.
//!
//! The table is a `match`, so a rule without a probe does not compile.

mod account;
mod lab;
mod lambda;
mod models;
mod s3;
mod sagemaker;

use super::AwsRule;
use lab::{Lab, Told};

#[tokio::test]
async fn every_rule_refuses_and_its_absence_is_noticed() {
    for rule in AwsRule::ALL {
        for off in [None, Some(*rule)] {
            let lab = Lab::new(off, *rule == AwsRule::CodeBucketRegion).await;
            let (code, told) = probe(*rule, &lab).await;
            match (off, &told) {
                (None, Err(refused)) => assert_eq!(refused, code, "{rule} refuses otherwise"),
                (Some(_), Ok(_)) => {}
                _ => panic!("{rule}, off: {off:?}: {told:?}"),
            }
            lab.sandbox.stop().await;
        }
    }
}

/// The code of the refusal, and what comes of the calls. Where AWS does not refuse but does otherwise, the
/// code is a word for that.
async fn probe(rule: AwsRule, lab: &Lab) -> (&'static str, Told) {
    use AwsRule::*;
    match rule {
        AliasShifts => ("InvalidParameterValueException", lambda::alias_shifts(lab).await),
        AliasWeights => ("InvalidParameterValueException", lambda::alias_weights(lab).await),
        BurstableVariant => ("ValidationException", sagemaker::burstable_variant(lab).await),
        CapacityWithinRange => ("moved", sagemaker::capacity_within_range(lab).await),
        CodeBucketRegion => ("InvalidParameterValueException", lambda::code_bucket_region(lab).await),
        CodeSize => ("InvalidParameterValueException", lambda::code_size(lab).await),
        ConcurrencyLimit => ("TooManyRequestsException", lambda::concurrency_limit(lab).await),
        DeleteEndedJobsOnly => ("ResourceInUse", sagemaker::delete_ended_jobs_only(lab).await),
        DeploymentGuardrails => ("ValidationException", sagemaker::deployment_guardrails(lab).await),
        EndpointBusy => ("ValidationException", sagemaker::endpoint_busy(lab).await),
        EnvironmentReserved => ("InvalidParameterValueException", lambda::environment_reserved(lab).await),
        EnvironmentSize => ("InvalidParameterValueException", lambda::environment_size(lab).await),
        FailedEndpointIsDeletedOnly => ("ValidationException", sagemaker::failed_endpoint(lab).await),
        FailedUpdateRollsBack => ("rolled back", sagemaker::failed_update(lab).await),
        FunctionPending => ("ResourceConflictException", lambda::function_pending(lab).await),
        FunctionUpdating => ("ResourceConflictException", lambda::function_updating(lab).await),
        HostingInstanceType => ("ValidationException", sagemaker::hosting_instance_type(lab).await),
        ImageArchitecture => ("InvalidParameterValue", account::image_architecture(lab).await),
        ImageRegion => ("ValidationException", sagemaker::image_region(lab).await),
        InstanceVisibility => ("InvalidInstanceID.NotFound", account::instance_visibility(lab).await),
        InvokeNeedsService => ("ValidationError", sagemaker::invoke_needs_service(lab).await),
        InvokePayloadLimit => ("ValidationError", sagemaker::invoke_payload_limit(lab).await),
        LifecycleBase64 => ("ValidationException", sagemaker::lifecycle_base64(lab).await),
        LifecycleConfigInUse => ("ValidationException", sagemaker::lifecycle_config_in_use(lab).await),
        ListFiltersPages => ("empty page", sagemaker::list_filters_pages(lab).await),
        ManagedInstanceScaling => ("ValidationException", sagemaker::managed_instance_scaling(lab).await),
        ModelDataAccess => ("ValidationException", sagemaker::model_data_access(lab).await),
        ModelConstraints => ("ValidationException", sagemaker::model_constraints(lab).await),
        ModelTypes => ("SerializationException", sagemaker::model_types(lab).await),
        NotebookInstanceType => ("ValidationException", sagemaker::notebook_instance_type(lab).await),
        NotebookPlatform => ("ValidationException", sagemaker::notebook_platform(lab).await),
        NotebookState => ("ValidationException", sagemaker::notebook_state(lab).await),
        NotebookVolumeGrows => ("ValidationException", sagemaker::notebook_volume_grows(lab).await),
        NotebookWithoutInternet => ("ValidationException", sagemaker::notebook_without_internet(lab).await),
        OidcTrust => ("MalformedPolicyDocument", account::oidc_trust(lab).await),
        PayloadSize => ("RequestTooLargeException", lambda::payload_size(lab).await),
        PolicyForm => ("rewritten", account::policy_form(lab).await),
        PolicyNeedsTarget => ("ObjectNotFoundException", sagemaker::policy_needs_target(lab).await),
        ProfilePropagation => ("InvalidParameterValue", account::profile_propagation(lab).await),
        ProvisionedHeadroom => ("InvalidParameterValueException", lambda::provisioned_headroom(lab).await),
        ProvisionedOnce => ("ResourceConflictException", lambda::provisioned_once(lab).await),
        ProvisionedUnpublished => {
            ("InvalidParameterValueException", lambda::provisioned_unpublished(lab).await)
        }
        ProvisionedWeights => ("InvalidParameterValueException", lambda::provisioned_weights(lab).await),
        Quota => ("ResourceLimitExceeded", sagemaker::quota(lab).await),
        ReservedHeadroom => ("InvalidParameterValueException", lambda::reserved_headroom(lab).await),
        RoleExists => ("ValidationException", sagemaker::role_exists(lab).await),
        RolePolicies => ("AccessDenied", account::role_policies(lab)),
        RolePropagation => ("ValidationException", sagemaker::role_propagation(lab).await),
        RoleTrust => ("ValidationException", sagemaker::role_trust(lab).await),
        RootVolumeSize => ("InvalidBlockDeviceMapping", account::root_volume_size(lab).await),
        RuntimeDeprecated => ("InvalidParameterValueException", lambda::runtime_deprecated(lab).await),
        S3AclDisabled => ("AccessControlListNotSupported", s3::acl_disabled(lab).await),
        S3AnonymousRefused => ("AccessDenied", s3::anonymous_refused(lab).await),
        S3BlockPublicPolicy => ("AccessDenied", s3::block_public_policy(lab).await),
        S3BucketRegion => ("PermanentRedirect", s3::bucket_region(lab).await),
        S3LocationConstraint => ("IllegalLocationConstraintException", s3::location_constraint(lab).await),
        S3NeedsChecksum => ("InvalidRequest", s3::needs_checksum(lab).await),
        S3SmallestPart => ("EntityTooSmall", s3::smallest_part(lab).await),
        ScalableTargetExists => ("ValidationException", sagemaker::scalable_target_exists(lab).await),
        ScalableTargetMinimum => ("ValidationException", sagemaker::scalable_target_minimum(lab).await),
        ScaledVariantKeepsType => ("ValidationException", sagemaker::scaled_variant_keeps_type(lab).await),
        SpotWaitTime => ("ValidationException", sagemaker::spot_wait_time(lab).await),
        TrainingImageDoesNotServe => ("Failed", sagemaker::training_image_does_not_serve(lab).await),
        TrainingInstanceType => ("ValidationException", sagemaker::training_instance_type(lab).await),
        UpdateResetsLiveCounts => ("reset", sagemaker::update_resets_live_counts(lab).await),
        VcpuLimit => ("VcpuLimitExceeded", account::vcpu_limit(lab).await),
        VersionReferenced => ("ResourceConflictException", lambda::version_referenced(lab).await),
    }
}
