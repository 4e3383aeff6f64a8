//! Calls in AWS's JSON protocols to services of which opsctl needs one call each, without their crates of the
//! SDK: CloudWatch's has the older generation of `http` beside the one that all other crates of the SDK
//! share, and with it each of them is built in both (docs/decisions/0048); ECR's would be large for one
//! question. What is used here are the SDK's own parts: its orchestrator, signatures, retries, time limits.

use std::fmt;

use aws_config::{BehaviorVersion, Region};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_smithy_types::retry::RetryConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use serde_json::Value;

use super::http::ReadTimeouts;
use super::rates::{NameOperation, RateLimitedClient};
use super::target::configured;
use super::{CallCounter, Fence, OpResult, SdkResultExt, Target};
use crate::domain::{Action, places};

/// A service, and the one operation of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonCall {
    /// The service's name in the SDK's settings: `CloudWatch` of `AWS_ENDPOINT_URL_CLOUDWATCH`.
    pub service: &'static str,
    pub operation: &'static str,
    /// What its host's name begins with, and the same with FIPS.
    pub host: &'static str,
    pub fips_host: &'static str,
    /// Its name in a signature.
    pub signing_name: &'static str,
    /// What is before the dot in `X-Amz-Target`.
    pub target: &'static str,
    /// `application/x-amz-json-1.0` or `-1.1`.
    pub content_type: &'static str,
    pub action: Action,
}

/// What all clients of a run share.
pub(super) struct Shared<'a> {
    pub target: &'a Target,
    pub retries: &'a RetryConfig,
    pub fence: &'a Fence,
    pub calls: &'a CallCounter,
}

impl Shared<'_> {
    /// The region of the run.
    pub fn region(&self) -> Region {
        self.target.sdk.region().cloned().unwrap_or(Region::from_static("us-east-1"))
    }
}

/// The client of one operation.
#[derive(Clone, Debug)]
pub(super) struct JsonClient {
    operation: Operation<Value, Value, Refused>,
    action: Action,
}

/// What the service answers instead.
#[derive(Debug)]
struct Refused(ErrorMetadata);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl JsonClient {
    /// The operation in the region of the run.
    pub fn new(call: &'static JsonCall, shared: &Shared<'_>, client: RateLimitedClient) -> Self {
        Self::in_region(call, shared, client, shared.region())
    }

    /// The operation in another region: of a service that is offered in a few.
    pub fn in_region(
        call: &'static JsonCall,
        shared: &Shared<'_>,
        client: RateLimitedClient,
        region: Region,
    ) -> Self {
        let sdk = &shared.target.sdk;
        let endpoint = shared.target.endpoint.clone().or_else(|| configured(sdk, call.service));
        let endpoint = endpoint.unwrap_or_else(|| {
            let name = if sdk.use_fips() == Some(true) { call.fips_host } else { call.host };
            format!("https://{name}.{region}.{}", places::partition(region.as_ref()).1)
        });
        let mut signing = Layer::new("signing");
        signing.store_put(SigV4OperationSigningConfig::default());
        signing.store_put(SigningRegion::from(region));
        signing.store_put(SigningName::from_static(call.signing_name));
        signing.store_put(AuthSchemeOptionResolverParams::new(()));
        let mut parts = RuntimeComponentsBuilder::new("signing")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])));
        parts.set_identity_cache(sdk.identity_cache());
        if let Some(credentials) = sdk.credentials_provider() {
            parts.set_identity_resolver(SCHEME_ID, credentials);
        }
        let signing = StaticRuntimePlugin::new().with_config(signing.freeze()).with_runtime_components(parts);
        let operation = Operation::builder()
            .service_name(call.service)
            .operation_name(call.operation)
            .behavior_version(BehaviorVersion::latest())
            .http_client(client)
            .endpoint_url(&endpoint)
            .timeout_config(super::http::limits())
            .standard_retry(shared.retries)
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(TransientErrorClassifier::<Refused>::new())
            .retry_classifier(AwsErrorCodeClassifier::<Refused>::new())
            .interceptor(NameOperation)
            .interceptor(shared.fence.clone())
            .interceptor(shared.calls.clone())
            .interceptor(ReadTimeouts)
            .runtime_plugin(signing)
            .serializer(|input| request(call, input))
            .deserializer(answer)
            .build();
        Self { operation, action: call.action }
    }

    /// One request.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn ask(&self, input: Value) -> OpResult<Value> {
        self.operation.invoke(input).await.op(self.action)
    }
}

fn request(call: &JsonCall, mut input: Value) -> Result<HttpRequest, BoxError> {
    // A null is no absent member.
    if let Some(members) = input.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    let mut request = HttpRequest::new(SdkBody::from(input.to_string()));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", call.content_type);
    headers.insert("x-amz-target", format!("{}.{}", call.target, call.operation));
    Ok(request)
}

fn answer(response: &HttpResponse) -> Result<Value, OrchestratorError<Refused>> {
    let body = response.body().bytes().unwrap_or_default();
    let read = serde_json::from_slice::<Value>(body);
    if response.status().is_success() {
        return read.map_err(|error| OrchestratorError::response(error.into()));
    }
    let mut error = ErrorMetadata::builder();
    if let Ok(answer) = read {
        // `com.amazonaws.cloudwatch#InternalServiceFault`, with an address behind it or not.
        let code = answer["__type"].as_str().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
        let message = answer["message"].as_str().or_else(|| answer["Message"].as_str());
        error = error.code(code).message(message.unwrap_or_default());
    }
    Err(OrchestratorError::operation(Refused(error.build())))
}
