//! Limits that no model has: AWS says them on a page. Looked up in November 2026; each entry names its page.

use crate::domain::many;

/// A bound that is narrower than the model's.
#[derive(Debug)]
pub struct Limit {
    pub member: &'static str,
    pub min: Option<i64>,
    pub max: Option<i64>,
}

const fn limit(member: &'static str, min: Option<i64>, max: Option<i64>) -> Limit {
    Limit { member, min, max }
}

const COOLDOWN_IN: &str =
    "application-autoscaling:PutScalingPolicy.TargetTrackingScalingPolicyConfiguration.ScaleInCooldown";
const COOLDOWN_OUT: &str =
    "application-autoscaling:PutScalingPolicy.TargetTrackingScalingPolicyConfiguration.ScaleOutCooldown";

/// All of them, by the members that they are on.
pub const LIMITS: &[Limit] = &[
    // The models allow 5,400 s and 32,768 MB, which are for functions on managed instances
    // (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
    limit("lambda:CreateFunction.Timeout", Some(1), Some(900)),
    limit("lambda:CreateFunction.MemorySize", Some(128), Some(10_240)),
    limit("lambda:CreateFunction.EphemeralStorage.Size", Some(512), Some(10_240)),
    // "The default value is 1 day. The maximum value is 28 days."
    // (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html)
    limit("sagemaker:CreateTrainingJob.StoppingCondition.MaxRuntimeInSeconds", Some(1), Some(28 * 86_400)),
    limit("sagemaker:CreateTrainingJob.StoppingCondition.MaxWaitTimeInSeconds", Some(1), Some(28 * 86_400)),
    // 0 instances are for heterogeneous clusters (InstanceGroups), a volume of 0 for instances with their own
    // disks; a gp2 volume has at most 16 TiB
    // (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html).
    limit("sagemaker:CreateTrainingJob.ResourceConfig.InstanceCount", Some(1), None),
    limit("sagemaker:CreateTrainingJob.ResourceConfig.VolumeSizeInGB", Some(1), Some(16_384)),
    // gp3 (https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html).
    limit("ec2:RunInstances.BlockDeviceMappings.*.Ebs.VolumeSize", Some(1), Some(65_536)),
    // A real-time variant cannot scale to zero without inference components
    // (https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html).
    limit("application-autoscaling:RegisterScalableTarget.MinCapacity", Some(1), None),
    limit("application-autoscaling:RegisterScalableTarget.MaxCapacity", Some(1), None),
    // AWS names no longest cooldown; it is sent in 32 bits
    // (https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html).
    limit(COOLDOWN_IN, None, Some(i32::MAX as i64)),
    limit(COOLDOWN_OUT, None, Some(i32::MAX as i64)),
];

/// Names that Lambda keeps for itself: CreateFunction refuses them
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>).
pub const LAMBDA_RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// Where the rules of [`bucket_name`] are written.
pub const BUCKET_NAMES: &str = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html";

/// What S3's naming rules have against a bucket's name.
pub fn bucket_name(name: &str) -> Option<String> {
    let length = name.chars().count();
    if !(3..=63).contains(&length) {
        return Some(format!("it has {}, S3 takes 3 to 63", many(length, "character")));
    }
    if let Some(odd) =
        name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(*c)))
    {
        return Some(format!("S3 takes lowercase letters, digits and hyphens, not {odd:?}"));
    }
    // The certificate of the bucket's host name covers one label (virtual-hosted style).
    if name.contains('.') {
        return Some(
            "with a dot in its name a bucket cannot be reached over TLS by its own host name".into(),
        );
    }
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !outer(name.chars().next()) || !outer(name.chars().last()) {
        return Some("it begins and ends with a letter or digit".into());
    }
    let prefix = ["xn--", "sthree-", "amzn-s3-demo-"].into_iter().find(|p| name.starts_with(p));
    let suffix =
        ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].into_iter().find(|s| name.ends_with(s));
    let kept = prefix.or(suffix)?;
    Some(format!("S3 keeps names with {kept:?} for itself"))
}
