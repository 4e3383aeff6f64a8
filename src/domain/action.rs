//! The IAM actions of the calls that opsctl makes, and of what the roles that it makes may do. Each is
//! written once, here: a call names it, its errors and its kind's list come from it, and the page of
//! permissions too.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

/// The action of one call, and what AWS checks beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// `sagemaker:CreateEndpoint`.
    pub name: &'static str,
    /// Whether `name` is a permission. A few calls are named by their operation, and need only others.
    is_permission: bool,
    also: &'static [Self],
}

impl Action {
    const fn new(name: &'static str, also: &'static [Self], instead: &'static [&'static [Self]]) -> Self {
        match instead {
            [] => Self { name, is_permission: true, also },
            [only, ..] => Self { name, is_permission: false, also: only },
        }
    }

    /// The prefix of the service: `sagemaker`.
    pub fn service(self) -> &'static str {
        self.name.split(':').next().unwrap_or_default()
    }

    /// What follows that: `CreateModel`.
    pub fn operation(self) -> &'static str {
        self.name.split_once(':').map_or("", |(_, operation)| operation)
    }

    /// All permissions that the call needs.
    pub fn needs(self) -> Vec<&'static str> {
        let own = self.is_permission.then_some(self.name);
        own.into_iter().chain(self.also.iter().flat_map(|also| also.needs())).collect()
    }

    /// What is said of a denied call beside AWS's own words, which name one permission at a time, or none:
    /// nothing where there is only the one that it is named by.
    pub fn needed(self) -> String {
        match &self.needs()[..] {
            [] => String::new(),
            [only] if *only == self.name => String::new(),
            all => format!(" (the call needs {})", all.join(", ")),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl From<Action> for Cow<'static, str> {
    fn from(action: Action) -> Self {
        Self::Borrowed(action.name)
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// One line is one action. `+` is what AWS checks beside it, `=` is what it checks in place of it.
macro_rules! actions {
    ($($service:ident $prefix:literal {
        $($name:ident $(+ [$($also:path),*])? $(= [$($only:path),*])?;)*
    })*) => {
        $(
        /// Actions of the service with this prefix.
        #[allow(non_upper_case_globals, reason = "they are written as AWS writes them")]
        pub mod $service {
            use super::*;
            $(pub const $name: Action = Action::new(
                concat!($prefix, ":", stringify!($name)),
                &[$($($also),*)?],
                &[$(&[$($only),*])?],
            );)*
        }
    )*

        /// All of them.
        pub const ALL: &[Action] = &[$($($service::$name),*),*];
    };
}

// What is implied is quoted from the documentation of the operation in AWS's service model (botocore 1.44.8,
// service-2.json), or from the page that is named.
actions! {
    autoscaling "application-autoscaling" {
        DeleteScalingPolicy + [cloudwatch::DeleteAlarms];
        DeleteScheduledAction;
        DeregisterScalableTarget + [cloudwatch::DeleteAlarms];
        DescribeScalableTargets;
        DescribeScalingActivities;
        // It shows the alarms of a policy.
        DescribeScalingPolicies + [cloudwatch::DescribeAlarms];
        DescribeScheduledActions;
        // https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html
        PutScalingPolicy + [cloudwatch::PutMetricAlarm, cloudwatch::DescribeAlarms, cloudwatch::DeleteAlarms];
        // "uses a service-linked role, which it creates if it does not yet exist"; and with the caller's
        // permissions it looks at what it is to scale
        // (https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html).
        RegisterScalableTarget + [
            iam::CreateServiceLinkedRole,
            sagemaker::DescribeEndpoint,
            sagemaker::DescribeEndpointConfig,
            sagemaker::UpdateEndpointWeightsAndCapacities
        ];
    }
    cloudwatch "cloudwatch" {
        DeleteAlarms;
        DescribeAlarms;
        GetMetricData;
        PutMetricAlarm;
        PutMetricData;
    }
    ec2 "ec2" {
        AssignPrivateIpAddresses;
        CreateNetworkInterface;
        CreateNetworkInterfacePermission;
        CreateTags;
        DeleteNetworkInterface;
        DeleteNetworkInterfacePermission;
        DescribeDhcpOptions;
        DescribeInstanceTypes;
        DescribeInstances;
        DescribeNetworkInterfaces;
        DescribeRegions;
        DescribeSecurityGroups;
        DescribeSubnets;
        DescribeVpcs;
        // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
        RunInstances + [ec2::CreateTags, iam::PassRole];
        TerminateInstances;
        UnassignPrivateIpAddresses;
    }
    ecr "ecr" {
        BatchCheckLayerAvailability;
        BatchGetImage;
        GetAuthorizationToken;
        GetDownloadUrlForLayer;
    }
    iam "iam" {
        // "The caller of this operation must be granted the PassRole permission on the IAM role"
        AddRoleToInstanceProfile + [iam::PassRole];
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_instance-profiles.html
        CreateInstanceProfile + [iam::TagInstanceProfile];
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_roles.html
        CreateRole + [iam::TagRole];
        CreateServiceLinkedRole;
        DeleteInstanceProfile;
        DeleteRole;
        DeleteRolePolicy;
        DetachRolePolicy;
        GenerateServiceLastAccessedDetails;
        GetAccountAuthorizationDetails;
        GetInstanceProfile;
        GetPolicy;
        GetRole;
        GetRolePolicy;
        GetServiceLastAccessedDetails;
        ListAttachedRolePolicies;
        ListEntitiesForPolicy;
        ListInstanceProfiles;
        ListInstanceProfilesForRole;
        ListOpenIDConnectProviders;
        ListRolePolicies;
        ListRoles;
        ListSAMLProviders;
        PassRole;
        PutRolePermissionsBoundary;
        PutRolePolicy;
        RemoveRoleFromInstanceProfile;
        SimulatePrincipalPolicy;
        TagInstanceProfile;
        TagRole;
        UntagInstanceProfile;
        UntagRole;
        UpdateAssumeRolePolicy;
    }
    kms "kms" {
        CreateGrant;
        Decrypt;
        DescribeKey;
        Encrypt;
        GenerateDataKey;
        GenerateDataKeyWithoutPlaintext;
        ReEncryptFrom;
        ReEncryptTo;
    }
    lambda "lambda" {
        AddPermission;
        CreateAlias;
        // https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
        CreateFunction + [lambda::TagResource, iam::PassRole];
        CreateFunctionUrlConfig;
        DeleteFunction;
        DeleteFunctionConcurrency;
        DeleteFunctionUrlConfig;
        DeleteProvisionedConcurrencyConfig;
        GetAccountSettings;
        GetAlias;
        // "Lambda returns tag data only if you have explicit allow permissions for lambda:ListTags"
        GetFunction + [lambda::ListTags];
        GetFunctionConfiguration;
        GetFunctionUrlConfig;
        GetLayerVersion;
        GetPolicy;
        GetProvisionedConcurrencyConfig;
        InvokeFunction;
        InvokeFunctionUrl;
        ListTags;
        ListVersionsByFunction;
        PublishVersion;
        PutFunctionConcurrency;
        PutProvisionedConcurrencyConfig;
        RemovePermission;
        TagResource;
        UntagResource;
        UpdateAlias;
        UpdateFunctionCode;
        // https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
        UpdateFunctionConfiguration + [iam::PassRole];
        UpdateFunctionUrlConfig;
    }
    logs "logs" {
        AssociateKmsKey;
        // "To assign tags when you create a log group, you must have either the logs:TagResource or
        // logs:TagLogGroup"
        CreateLogGroup + [logs::TagResource];
        CreateLogStream;
        DeleteLogGroup;
        DeleteLogStream;
        // Its tags are asked for with it.
        DescribeLogGroups + [logs::ListTagsForResource];
        DescribeLogStreams;
        GetLogEvents;
        ListTagsForResource;
        PutLogEvents;
        PutRetentionPolicy;
        TagResource;
        UntagResource;
    }
    pricing "pricing" {
        GetProducts;
    }
    s3 "s3" {
        AbortMultipartUpload;
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
        CompleteMultipartUpload = [s3::PutObject];
        // "You must have the s3:TagResource permission to create a general purpose bucket with tags"
        CreateBucket + [s3::TagResource];
        CreateMultipartUpload = [s3::PutObject];
        DeleteBucket;
        DeleteBucketPolicy;
        DeleteObject;
        // "To delete an object from a bucket, you must always specify the s3:DeleteObject permission"
        DeleteObjectVersion + [s3::DeleteObject];
        GetBucketLocation;
        GetBucketPolicy;
        GetBucketPublicAccessBlock;
        GetBucketTagging;
        GetBucketVersioning;
        GetEncryptionConfiguration;
        GetLifecycleConfiguration;
        // "If you don't have the s3:ListBucket permission, Amazon S3 returns an HTTP status code 403"
        GetObject + [s3::ListBucket];
        // "To get a specific version of an object, you need the s3:GetObjectVersion permission."
        GetObjectVersion;
        ListAllMyBuckets;
        ListBucket;
        ListBucketMultipartUploads;
        ListBucketVersions;
        ListMultipartUploadParts;
        PutBucketPolicy;
        PutBucketPublicAccessBlock;
        PutBucketTagging;
        PutBucketVersioning;
        PutEncryptionConfiguration;
        PutLifecycleConfiguration;
        PutObject;
        TagResource;
        UploadPart = [s3::PutObject];
    }
    sagemaker "sagemaker" {
        AddTags;
        CreateEndpoint + [sagemaker::AddTags];
        CreateEndpointConfig + [sagemaker::AddTags];
        // "the caller of this API must have the iam:PassRole permission", and for tags AddTags:
        // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
        CreateModel + [iam::PassRole, sagemaker::AddTags];
        CreateNotebookInstance + [iam::PassRole, sagemaker::AddTags];
        CreateNotebookInstanceLifecycleConfig + [sagemaker::AddTags];
        CreatePresignedNotebookInstanceUrl;
        CreateTrainingJob + [iam::PassRole, sagemaker::AddTags];
        DeleteEndpoint;
        DeleteEndpointConfig;
        DeleteModel;
        DeleteNotebookInstance;
        DeleteNotebookInstanceLifecycleConfig;
        DeleteTags;
        DeleteTrainingJob;
        DescribeEndpoint;
        DescribeEndpointConfig;
        DescribeModel;
        DescribeNotebookInstance;
        DescribeNotebookInstanceLifecycleConfig;
        // Its tags are asked for with it.
        DescribeTrainingJob + [sagemaker::ListTags];
        InvokeEndpoint;
        ListEndpointConfigs;
        ListEndpoints;
        ListModels;
        ListNotebookInstanceLifecycleConfigs;
        ListNotebookInstances;
        ListTags;
        ListTrainingJobs;
        StartNotebookInstance;
        StopNotebookInstance;
        StopTrainingJob;
        UpdateEndpoint;
        UpdateEndpointWeightsAndCapacities;
        UpdateNotebookInstance + [iam::PassRole];
        UpdateNotebookInstanceLifecycleConfig;
    }
    // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgescheduler.html
    scheduler "scheduler" {
        CreateSchedule + [iam::PassRole];
        CreateScheduleGroup + [scheduler::TagResource];
        DeleteSchedule;
        DeleteScheduleGroup;
        GetSchedule;
        GetScheduleGroup;
        ListSchedules;
        ListTagsForResource;
        TagResource;
        UntagResource;
        UpdateSchedule + [iam::PassRole];
    }
    servicequotas "servicequotas" {
        GetAWSDefaultServiceQuota;
        GetServiceQuota;
        ListAWSDefaultServiceQuotas;
        ListServiceQuotas;
    }
    ssm "ssm" {
        GetParameter;
    }
    sts "sts" {
        AssumeRole;
        AssumeRoleWithWebIdentity;
        // "No permissions are required to perform this operation."
        GetCallerIdentity = [];
    }
    tag "tag" {
        GetResources;
    }
}
