//! How often AWS may be called: a project of hundreds of resources must not use up the rates that all of an
//! account share. Every client waits here, so no driver can forget it.
//!
//! Rates are AWS's own where it documents them, else what others have measured, or a cautious guess. A burst
//! is at least what a plan of the shipped project asks at once: small projects wait for nobody. What AWS
//! refuses all the same, because others call it too, the SDK repeats with backoff.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::http::Connections;
use crate::aws::Fence;

/// Requests of one service that are under way at the same time, each on a connection of its own. A plan of
/// the shipped project asks 17 at once.
const AT_ONCE: usize = 32;

/// How often, and how slowly, the SDK repeats what AWS refuses: adaptively, since one client asks for
/// hundreds of resources. What the user has set (`AWS_RETRY_MODE`, `AWS_MAX_ATTEMPTS`, the profile) stays.
pub(super) fn retries(given: Option<&RetryConfig>, shared: bool) -> RetryConfig {
    let (usual, given) = (RetryConfig::standard(), given.cloned().unwrap_or_else(RetryConfig::standard));
    match (given.mode(), given.max_attempts()) == (usual.mode(), usual.max_attempts()) && shared {
        true => RetryConfig::adaptive().with_max_attempts(5),
        false => given,
    }
}

/// What AWS allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    per_second: u32,
    /// So many may go at once after a rest.
    burst: u32,
}

/// The rate of a call, by the names that the SDK has for it; `None`: no limit that we could reach.
fn rate<'c>(service: &str, operation: &'c str) -> Option<(&'c str, Rate)> {
    let rate = |of, per_second, burst| Some((of, Rate { per_second, burst }));
    match (service, operation) {
        // https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests: GetFunction
        // has a rate of its own, all other control calls share one.
        ("Lambda", "Invoke") => None,
        ("Lambda", "GetFunction") => rate(operation, 100, 100),
        ("Lambda", _) => rate("control", 15, 15),
        // https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
        ("CloudWatch Logs", "DescribeLogStreams") => rate(operation, 25, 25),
        ("CloudWatch Logs", "DeleteLogStream") => rate(operation, 15, 15),
        ("CloudWatch Logs", "DescribeLogGroups" | "CreateLogGroup" | "DeleteLogGroup" | "GetLogEvents") => {
            rate(operation, 10, 10)
        }
        ("CloudWatch Logs", _) => rate(operation, 5, 5),
        // https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
        ("EC2", "RunInstances") => rate(operation, 2, 5),
        ("EC2", "DescribeInstances") => rate(operation, 20, 100),
        ("EC2", _) => rate(operation, 5, 100),
        // https://docs.aws.amazon.com/general/latest/gr/ssm.html
        ("SSM", _) => rate("parameters", 40, 40),
        // Measured: 2 per second, which nobody can raise (aws-solutions/deepracer-on-aws#87).
        ("SageMaker", _) if operation.starts_with("List") && operation != "ListTags" => rate(operation, 2, 2),
        // Service Quotas has a "Rate of … requests" for each of SageMaker's calls; their values are not
        // documented.
        ("SageMaker", _) => rate(operation, 10, 20),
        // Documented nowhere. IAM counts per call and account (hashicorp/terraform-provider-aws#44853).
        ("IAM", _) => rate(operation, 10, 20),
        // https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
        ("Scheduler", _) => rate(operation, 10, 20),
        ("Application Auto Scaling", _) => rate(operation, 10, 20),
        ("Resource Groups Tagging API", _) => rate(operation, 5, 5),
        // S3 takes thousands per second and prefix, and transfers have a gate of their own; STS takes 600.
        _ => None,
    }
}

/// When the next call may start: a token bucket that is one point in time (GCRA).
#[derive(Debug, Default)]
struct Bucket(Option<Instant>);

impl Bucket {
    /// Takes the next token; returns when it is available.
    fn take(&mut self, rate: Rate, now: Instant) -> Instant {
        let interval = Duration::from_secs(1) / rate.per_second;
        let due = self.0.map_or(now, |due| due.max(now));
        self.0 = Some(due + interval);
        // The first `burst` of a row need not wait.
        due.checked_sub(interval * (rate.burst - 1)).map_or(now, |start| start.max(now))
    }
}

/// The limiter that all calls of one client go through.
#[derive(Debug)]
pub(super) struct RateLimiter {
    /// `None`: no bound.
    slots: Option<Semaphore>,
    /// By what the calls share; `None`: there are no rates to keep.
    buckets: Option<Mutex<BTreeMap<String, Bucket>>>,
}

impl RateLimiter {
    /// `shared`: the endpoint is AWS's, whose rates are all of an account's. `bulk`: transfers bound
    /// themselves.
    pub fn new(shared: bool, bulk: bool) -> Self {
        Self { slots: (!bulk).then(|| Semaphore::new(AT_ONCE)), buckets: shared.then(Mutex::default) }
    }

    /// Waits until the call may go. What waits for its time has no slot, and what has a slot waits for
    /// nothing else.
    async fn enter(&self, call: Option<&Metadata>) -> Option<SemaphorePermit<'_>> {
        let rate = call.and_then(|call| rate(call.service(), call.name()));
        if let (Some(buckets), Some((of, rate))) = (&self.buckets, rate) {
            let now = Instant::now();
            let start = {
                let mut buckets = buckets.lock().expect("nobody panics");
                buckets.entry(of.to_owned()).or_default().take(rate, now)
            };
            if start > now {
                let _ = timeout_at(start, pending::<()>()).await;
            }
        }
        match &self.slots {
            Some(slots) => Some(slots.acquire().await.expect("never closed")),
            None => None,
        }
    }
}

/// An HTTP client behind a rate limiter. The time limits of a call (connecting, the first byte) are of the
/// client within, so that waiting here does not count; a limit of the whole attempt
/// (`operation_attempt_timeout`) would count it.
#[derive(Clone, Debug)]
pub(super) struct RateLimitedClient {
    inner: Connections,
    gate: Arc<RateLimiter>,
    fence: Fence,
}

impl RateLimitedClient {
    /// A client that waits for its turn at `gate`, and sends writes only while `fence` lets it.
    pub fn new(inner: Connections, gate: RateLimiter, fence: Fence) -> Self {
        Self { inner, gate: Arc::new(gate), fence }
    }
}

impl HttpClient for RateLimitedClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let (inner, gate) = (self.inner.http_connector(settings, components), self.gate.clone());
        SharedHttpConnector::new(RateLimitedConnector { inner, gate, fence: self.fence.clone() })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct RateLimitedConnector {
    inner: SharedHttpConnector,
    gate: Arc<RateLimiter>,
    fence: Fence,
}

impl HttpConnector for RateLimitedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, gate, fence) = (self.inner.clone(), self.gate.clone(), self.fence.clone());
        HttpConnectorFuture::new(async move {
            let _slot = gate.enter(request.extension::<Metadata>()).await;
            // The lease may have been lost while the call waited.
            if let Some(call) = request.extension::<Metadata>() {
                fence.admits(call.name()).map_err(|lost| ConnectorError::other(lost.into(), None))?;
            }
            inner.call(request).await
        })
    }
}

/// Tells the limiter which operation a request is for.
#[derive(Debug)]
pub(super) struct NameOperation;

#[dyn_dispatch_hint]
impl Intercept for NameOperation {
    fn name(&self) -> &'static str {
        "NameOperation"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = cfg.load::<Metadata>() {
            context.request_mut().add_extension(call.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// The moments at which `n` calls at once may start, in milliseconds.
    fn starts(service: &str, operation: &str, n: usize) -> Vec<u128> {
        let (_, rate) = rate(service, operation).expect("it has a rate");
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        (0..n).map(|_| bucket.take(rate, now).duration_since(now).as_millis()).collect()
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let starts = starts("Lambda", "GetAlias", 45);
        assert_eq!(starts[..15], [0; 15]);
        assert_eq!((starts[15], starts[29], starts[44]), (66, 999, 1999));
    }

    #[test]
    fn tokens_that_nobody_took_are_kept_up_to_the_burst() {
        let rate = Rate { per_second: 10, burst: 2 };
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        let later = now + Duration::from_secs(60);
        let starts = [now, now, now, later, later, later].map(|at| bucket.take(rate, at) - at);
        assert_eq!(starts.map(|d| d.as_millis()), [0, 0, 100, 0, 0, 100]);
    }

    #[test]
    fn the_plan_of_a_small_project_waits_for_nobody() {
        // The shipped project's, by call; those of a service that share a rate are one.
        let asked = [
            ("IAM", "GetRole", 4),
            ("SageMaker", "ListTags", 5),
            ("SageMaker", "ListModels", 1),
            ("Lambda", "GetAlias", 5),
            ("CloudWatch Logs", "DescribeLogGroups", 4),
            ("CloudWatch Logs", "ListTagsForResource", 2),
            ("EC2", "DescribeInstances", 1),
            ("Resource Groups Tagging API", "GetResources", 4),
        ];
        for (service, operation, n) in asked {
            assert_eq!(starts(service, operation, n), vec![0; n], "{service}:{operation}");
        }
        assert_eq!(rate("S3", "GetObject"), None);
    }

    #[test]
    fn the_users_own_retries_stay() {
        let own = RetryConfig::standard().with_max_attempts(7);
        assert_eq!(retries(Some(&own), true), own);
        assert_eq!(retries(None, false), RetryConfig::standard());
        assert_eq!(retries(None, true), RetryConfig::adaptive().with_max_attempts(5));
    }

    #[test]
    fn as_many_go_at_once_as_there_are_slots() {
        let (gate, call) = (RateLimiter::new(true, false), Metadata::new("GetCallerIdentity", "STS"));
        let enter = || gate.enter(Some(&call)).now_or_never();
        let mut held: Vec<_> = (0..AT_ONCE).map(|_| enter().expect("there is a slot")).collect();
        assert!(enter().is_none(), "all slots are taken");
        held.pop();
        assert!(enter().is_some());
        let bulk = RateLimiter::new(true, true);
        assert!((0..1000).all(|_| bulk.enter(Some(&call)).now_or_never().is_some()));
    }

    // A timer needs a runtime, though nobody waits for it here.
    #[tokio::test]
    async fn rates_are_kept_where_they_are_those_of_an_account() {
        let call = Metadata::new("ListModels", "SageMaker");
        let asked =
            |gate: RateLimiter| (0..5).filter(|_| gate.enter(Some(&call)).now_or_never().is_some()).count();
        assert_eq!((asked(RateLimiter::new(true, false)), asked(RateLimiter::new(false, false))), (2, 5));
    }
}
