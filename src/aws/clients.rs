//! One client per service, all counting their calls.

use super::Target;
use super::cloudwatch::CloudWatch;
use super::ecr::Ecr;
use super::http::ReadTimeouts;
use super::json::Shared;
use super::kms::Kms;
use super::pricing::Pricing;
use super::rates::{NameOperation, RateLimitedClient, RateLimiter, retries};
use crate::aws::{CallCounter, Fence, PollPace};

macro_rules! clients {
    ($($field:ident $crate_name:ident $id:literal;)*) => {
        /// The services' names as the SDK's settings know them.
        pub(super) const SERVICES: &[&str] = &[
            $($id,)*
            S3,
            super::cloudwatch::CALL.service,
            super::ecr::CALL.service,
            super::kms::CALL.service,
            super::pricing::CALL.service,
        ];

        /// The clients of a run. Cheap to make: connections open with the first call.
        #[derive(Clone, Debug)]
        pub struct Clients {
            $(pub $field: $crate_name::Client,)*
            pub s3: aws_sdk_s3::Client,
            pub cloudwatch: CloudWatch,
            pub ecr: Ecr,
            pub kms: Kms,
            pub pricing: Pricing,
            pub calls: CallCounter,
            /// Stops what changes something once the run's lease is lost.
            pub fence: Fence,
            /// How they reach AWS, for what is sent without them (`crate::transfer`).
            pub target: Target,
        }

        impl Clients {
            /// One client for each service, all with one fence and one count of calls.
            pub fn new(target: &Target) -> Self {
                let (calls, fence) = (CallCounter::default(), Fence::default());
                let is_shared = target.pace == PollPace::Declared;
                let retries = retries(target.sdk.retry_config(), is_shared);
                let limited = |bulk| {
                    let limiter = RateLimiter::new(is_shared, bulk);
                    RateLimitedClient::new(target.wire.clone(), limiter, fence.clone())
                };
                $(
                    let mut config = $crate_name::config::Builder::from(&target.sdk)
                        .http_client(limited(false))
                        .retry_config(retries.clone())
                        .interceptor(NameOperation)
                        .interceptor(fence.clone())
                        .interceptor(calls.clone())
                        .interceptor(ReadTimeouts);
                    if let Some(endpoint) = &target.endpoint {
                        config = config.endpoint_url(endpoint);
                    }
                    let $field = $crate_name::Client::from_conf(config.build());
                )*
                let shared = Shared { target, retries: &retries, fence: &fence, calls: &calls };
                let cloudwatch = CloudWatch::new(&shared, limited(false));
                let ecr = Ecr::new(&shared, limited(false));
                let kms = Kms::new(&shared, limited(false));
                let pricing = Pricing::new(&shared, limited(false));
                let s3 = s3(target)
                    .http_client(limited(true))
                    .retry_config(retries)
                    .interceptor(NameOperation)
                    .interceptor(fence.clone())
                    .interceptor(calls.clone())
                    .interceptor(ReadTimeouts);
                let s3 = aws_sdk_s3::Client::from_conf(s3.build());
                Self { $($field,)* s3, cloudwatch, ecr, kms, pricing, calls, fence, target: target.clone() }
            }

            /// EC2 in another region.
            pub fn ec2_in(&self, region: &'static str) -> aws_sdk_ec2::Client {
                let config = aws_sdk_ec2::config::Builder::from(&self.target.sdk)
                    .region(aws_config::Region::from_static(region))
                    .interceptor(self.calls.clone())
                    .interceptor(ReadTimeouts);
                let config = match &self.target.endpoint {
                    Some(endpoint) => config.endpoint_url(endpoint),
                    None => config,
                };
                aws_sdk_ec2::Client::from_conf(config.build())
            }

            /// For the lease itself, on which the fence depends.
            pub(crate) fn unfenced_s3(&self) -> aws_sdk_s3::Client {
                let s3 = s3(&self.target).interceptor(self.calls.clone()).interceptor(ReadTimeouts);
                aws_sdk_s3::Client::from_conf(s3.build())
            }
        }
    };
}

/// How S3 is reached.
pub(crate) fn s3(target: &Target) -> aws_sdk_s3::config::Builder {
    // Bucket names as host names need a DNS that a local endpoint does not have.
    let config = aws_sdk_s3::config::Builder::from(&target.sdk).force_path_style(target.path_style);
    match &target.endpoint {
        Some(endpoint) => config.endpoint_url(endpoint),
        None => config,
    }
}

/// S3's, whose client is made in its own way.
pub(super) const S3: &str = "S3";

clients! {
    sts aws_sdk_sts "STS";
    iam aws_sdk_iam "IAM";
    sagemaker aws_sdk_sagemaker "SageMaker";
    scheduler aws_sdk_scheduler "Scheduler";
    runtime aws_sdk_sagemakerruntime "SageMaker Runtime";
    autoscaling aws_sdk_applicationautoscaling "Application Auto Scaling";
    lambda aws_sdk_lambda "Lambda";
    ec2 aws_sdk_ec2 "EC2";
    ssm aws_sdk_ssm "SSM";
    quotas aws_sdk_servicequotas "Service Quotas";
    logs aws_sdk_cloudwatchlogs "CloudWatch Logs";
    tagging aws_sdk_resourcegroupstagging "Resource Groups Tagging API";
}
