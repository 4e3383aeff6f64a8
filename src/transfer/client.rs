//! The SDK's S3 client, set up for bulk: nothing is computed twice, time limits are long, and SlowDown is
//! noticed.

use std::sync::Arc;

use aws_sdk_s3::config::{RequestChecksumCalculation, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;

use super::limit::ConcurrencyLimit;
use crate::aws::Clients;

/// A client that shares the connections of the usual one.
pub(super) fn client_with_retries(aws: &Clients, limit: Arc<ConcurrencyLimit>) -> aws_sdk_s3::Client {
    let config = aws
        .s3
        .config()
        .to_builder()
        // We give the checksum ourselves, of the very buffer that is sent.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        // It takes a slow uplink for a dead one (aws-sdk-rust#1146).
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().upload_enabled(false).build())
        .retry_config(
            RetryConfig::standard().with_max_attempts(10).with_initial_backoff(aws.target.first_backoff()),
        )
        .interceptor(ThrottleInterceptor(limit));
    aws_sdk_s3::Client::from_conf(config.build())
}

/// Reports every response of S3, attempt by attempt, to the concurrency limit.
struct ThrottleInterceptor(Arc<ConcurrencyLimit>);

impl std::fmt::Debug for ThrottleInterceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ThrottleInterceptor")
    }
}

#[dyn_dispatch_hint]
impl Intercept for ThrottleInterceptor {
    fn name(&self) -> &'static str {
        "ThrottleInterceptor"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.response().status().as_u16() {
            503 | 429 => self.0.slow_down(),
            200 => self.0.speed_up(),
            _ => {}
        }
        Ok(())
    }
}
