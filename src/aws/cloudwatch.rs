//! CloudWatch's `GetMetricData`, the one call that opsctl makes of it, without its crate of the SDK: that has
//! the older generation of `http` beside the one that all other crates of the SDK share, and with it each of
//! them is built in both (docs/decisions/0048). What is used here are the SDK's own parts: its orchestrator,
//! signatures, retries and time limits, and AWS JSON 1.0, which CloudWatch speaks too
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/making-api-requests.html>).

use std::collections::BTreeMap;
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
use serde_json::{Value, json};

use super::http::ReadTimeouts;
use super::rates::{NameOperation, RateLimitedClient};
use super::target::configured;
use super::{CallCounter, Fence, OpResult, SdkResultExt, Target};
use crate::domain::{action, places};

/// Its name in the SDK's settings: `AWS_ENDPOINT_URL_CLOUDWATCH`.
pub(super) const SERVICE: &str = "CloudWatch";

/// Queries of one call
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>).
const MOST_QUERIES: usize = 500;
/// Pages that are read of one answer: each holds up to 100,800 points.
const MOST_PAGES: usize = 50;

/// The client.
#[derive(Clone, Debug)]
pub struct CloudWatch(Operation<Value, Value, Refused>);

/// A metric of AWS's, and what is wanted of it.
#[derive(Clone, Debug)]
pub struct Metric {
    pub namespace: &'static str,
    pub name: &'static str,
    pub dimensions: Vec<(&'static str, String)>,
    /// `Sum`, `Average`, `Maximum`.
    pub statistic: &'static str,
}

/// Some metrics over a time.
#[derive(Clone, Debug)]
pub struct MetricQuery {
    pub metrics: Vec<Metric>,
    pub time: MetricTime,
}

/// Seconds since 1970, and the seconds that one point is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricTime {
    pub from: i64,
    pub to: i64,
    pub period: i64,
}

/// Points in the order of time: seconds since 1970, and the value.
pub type MetricSeries = Vec<(i64, f64)>;

/// What CloudWatch answers instead.
#[derive(Debug)]
pub(super) struct Refused(ErrorMetadata);

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

impl CloudWatch {
    pub(super) fn new(
        target: &Target,
        client: RateLimitedClient,
        retries: &RetryConfig,
        fence: &Fence,
        calls: &CallCounter,
    ) -> Self {
        let sdk = &target.sdk;
        let region = sdk.region().cloned().unwrap_or(Region::from_static("us-east-1"));
        let endpoint = target.endpoint.clone().or_else(|| configured(sdk, SERVICE));
        let endpoint = endpoint.unwrap_or_else(|| {
            let name = if sdk.use_fips() == Some(true) { "monitoring-fips" } else { "monitoring" };
            format!("https://{name}.{region}.{}", places::partition(region.as_ref()).1)
        });
        let mut signing = Layer::new("signing");
        signing.store_put(SigV4OperationSigningConfig::default());
        signing.store_put(SigningRegion::from(region));
        signing.store_put(SigningName::from_static("monitoring"));
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
            .service_name(SERVICE)
            .operation_name("GetMetricData")
            .behavior_version(BehaviorVersion::latest())
            .http_client(client)
            .endpoint_url(&endpoint)
            .timeout_config(super::http::limits())
            .standard_retry(retries)
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(TransientErrorClassifier::<Refused>::new())
            .retry_classifier(AwsErrorCodeClassifier::<Refused>::new())
            .interceptor(NameOperation)
            .interceptor(fence.clone())
            .interceptor(calls.clone())
            .interceptor(ReadTimeouts)
            .runtime_plugin(signing)
            .serializer(request)
            .deserializer(answer)
            .build();
        Self(operation)
    }

    /// The points of each metric, in the order of the query.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn read(&self, query: &MetricQuery) -> OpResult<Vec<MetricSeries>> {
        let MetricQuery { metrics, time } = query;
        let mut found: Vec<BTreeMap<i64, f64>> = vec![BTreeMap::new(); metrics.len()];
        for (chunk, metrics) in metrics.chunks(MOST_QUERIES).enumerate() {
            let queries: Vec<Value> = metrics.iter().enumerate().map(|(i, m)| of_query(i, m, time)).collect();
            let mut token: Option<String> = None;
            for _ in 0..MOST_PAGES {
                let input = json!({
                    "MetricDataQueries": queries, "StartTime": time.from, "EndTime": time.to,
                    "ScanBy": "TimestampAscending", "NextToken": token,
                });
                let page = self.0.invoke(input).await.op(action::cloudwatch::GetMetricData)?;
                for result in page["MetricDataResults"].as_array().into_iter().flatten() {
                    let index = result["Id"].as_str().and_then(|id| id.strip_prefix('m')?.parse().ok());
                    let place = index.and_then(|index: usize| found.get_mut(chunk * MOST_QUERIES + index));
                    if let Some(series) = place {
                        series.extend(points(result));
                    }
                }
                token = page["NextToken"].as_str().map(str::to_owned);
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(found.into_iter().map(|series| series.into_iter().collect()).collect())
    }
}

fn of_query(index: usize, metric: &Metric, time: &MetricTime) -> Value {
    let dimensions = metric.dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value }));
    json!({
        "Id": format!("m{index}"),
        "ReturnData": true,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace, "MetricName": metric.name,
                "Dimensions": dimensions.collect::<Vec<_>>(),
            },
            "Period": time.period,
            "Stat": metric.statistic,
        },
    })
}

fn points(result: &Value) -> impl Iterator<Item = (i64, f64)> + '_ {
    let list = |name: &str| result[name].as_array().into_iter().flatten();
    let times = list("Timestamps").map(|at| at.as_f64().map(|seconds| seconds as i64));
    let values = list("Values").map(Value::as_f64);
    times.zip(values).filter_map(|(at, value)| Some((at?, value.filter(|value| value.is_finite())?)))
}

fn request(mut input: Value) -> Result<HttpRequest, BoxError> {
    // A null is no absent member.
    if let Some(members) = input.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    let mut request = HttpRequest::new(SdkBody::from(input.to_string()));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-amz-json-1.0");
    headers.insert("x-amz-target", "GraniteServiceVersion20100801.GetMetricData");
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
