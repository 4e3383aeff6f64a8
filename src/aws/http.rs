//! The connections to AWS: one TLS stack, one trust store, one proxy policy, time limits on everything. The
//! SDK's clients and the fast lane of uploads share them.

use std::collections::HashMap;
use std::error::Error;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::Proxies;

/// TCP, the proxy's CONNECT and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// From the request to the first byte of its answer, as botocore has it.
const ANSWER: Duration = Duration::from_secs(60);
/// The same with a large body, on an uplink of 30 kB/s.
const LARGE_BODY: Duration = Duration::from_secs(600);
/// Bodies up to this size go within [`ANSWER`], on the same uplink.
const SMALL: u64 = 1 << 20;
/// A function may run for 15 minutes
/// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const FUNCTION: Duration = Duration::from_secs(15 * 60 + 60);
/// A model may take 60 seconds
/// (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html).
const MODEL: Duration = Duration::from_secs(60 + 60);

/// The time limits of a call. Nothing else is limited here: `--timeout` bounds the whole
/// command.
pub(super) fn limits() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(ANSWER).build()
}

/// The time limits of a connection for large bodies alone.
pub(crate) fn for_large_bodies() -> HttpConnectorSettings {
    HttpConnectorSettings::builder().connect_timeout(CONNECT).read_timeout(LARGE_BODY).build()
}

/// Gives more time to calls that are slow for a good reason. There are few different limits, because each
/// has connections of its own.
#[derive(Debug)]
pub(super) struct ReadTimeouts;

impl ReadTimeouts {
    fn with(service: &str, operation: &str, body: Option<u64>) -> Option<Duration> {
        match (service, operation) {
            ("Lambda", "Invoke") => Some(FUNCTION),
            ("SageMaker Runtime", "InvokeEndpoint") => Some(MODEL),
            // It is put together before the answer
            // (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
            ("S3", "CompleteMultipartUpload") => Some(LARGE_BODY),
            _ => body.is_none_or(|size| size > SMALL).then_some(LARGE_BODY),
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for ReadTimeouts {
    fn name(&self) -> &'static str {
        "ReadTimeouts"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let size = context.request().body().content_length();
        let patience = cfg.load::<Metadata>().and_then(|call| Self::with(call.service(), call.name(), size));
        if let (Some(patience), Some(limits)) = (patience, cfg.load::<TimeoutConfig>()) {
            let limits = limits.to_builder().read_timeout(patience).build();
            cfg.interceptor_state().store_put(limits);
        }
        Ok(())
    }
}

/// For connecting, and for answering.
type Limits = (Option<Duration>, Option<Duration>);

/// All connections of a run.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    /// Certificates to trust beside the system's.
    trust: Option<TlsContext>,
    proxies: Proxies,
    /// They lead to a sandbox: where nobody listens any more, it has ended.
    is_sandbox: bool,
    routes: Arc<Mutex<HashMap<Limits, Arc<Routes>>>>,
}

impl Connections {
    pub(super) fn new(trust: Option<TlsContext>, proxies: Proxies, is_sandbox: bool) -> Self {
        Self { trust, proxies, is_sandbox, routes: Arc::default() }
    }

    /// What connects within these limits.
    pub(crate) fn routes(&self, limits: &HttpConnectorSettings) -> Arc<Routes> {
        let mut routes = self.routes.lock().expect("nobody panics");
        let new = || Routes {
            trust: self.trust.clone(),
            proxies: self.proxies.clone(),
            is_sandbox: self.is_sandbox,
            limits: limits.clone(),
            ..Routes::default()
        };
        let key = (limits.connect_timeout(), limits.read_timeout());
        routes.entry(key).or_insert_with(|| Arc::new(new())).clone()
    }
}

impl HttpClient for Connections {
    fn http_connector(&self, limits: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Shared(self.routes(limits)))
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        Some(ConnectorMetadata::new("hyper", Some("1.x".into())))
    }
}

/// Through the proxy of the environment, or past it.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    trust: Option<TlsContext>,
    proxies: Proxies,
    is_sandbox: bool,
    limits: HttpConnectorSettings,
    by_environment: OnceLock<Connector>,
    direct: OnceLock<Connector>,
}

impl Routes {
    fn connector(&self, proxy: ProxyConfig) -> Connector {
        let builder = Connector::builder()
            // As the SDK's own default has it.
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .proxy_config(proxy)
            .connector_settings(self.limits.clone())
            .enable_tcp_nodelay(true);
        match &self.trust {
            Some(trust) => builder.tls_context(trust.clone()).build(),
            None => builder.build(),
        }
    }

    /// Sends a request.
    pub fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if host(request.uri()).is_some_and(is_near) {
            let way = self.direct.get_or_init(|| self.connector(ProxyConfig::disabled()));
            let answer = way.call(request);
            return match self.is_sandbox {
                true => HttpConnectorFuture::new(async move { answer.await.map_err(sandbox_ended) }),
                false => answer,
            };
        }
        let way = self.by_environment.get_or_init(|| self.connector(ProxyConfig::from_env()));
        let (url, proxies) = (request.uri().to_owned(), self.proxies.clone());
        let answer = way.call(request);
        HttpConnectorFuture::new(async move { answer.await.map_err(|error| proxies.named(&url, error)) })
    }
}

/// Why nobody listens at the address of a sandbox.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox has ended: another command ended it, its process was killed, or its folder was moved")]
pub(super) struct SandboxEnded;

fn sandbox_ended(error: ConnectorError) -> ConnectorError {
    let mut next: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        let io = cause.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused) {
            return ConnectorError::io(Box::new(SandboxEnded));
        }
        next = cause.source();
    }
    error
}

#[derive(Debug)]
struct Shared(Arc<Routes>);

impl HttpConnector for Shared {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.call(request)
    }
}

/// The host of a URL, without its brackets.
fn host(url: &str) -> Option<String> {
    let url: hyper::Uri = url.parse().ok()?;
    Some(url.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase())
}

/// Whether a URL leads to this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    host(url).is_some_and(|host| is_this_machine(&host))
}

fn is_this_machine(host: &str) -> bool {
    let address = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    address || host == "localhost" || host.ends_with(".localhost")
}

/// Where no proxy can lead: this machine, and the link to what runs it, which is where the credentials of an
/// instance and of a container come from
/// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html).
fn is_near(host: impl AsRef<str>) -> bool {
    let host = host.as_ref();
    let on_the_link = match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local(),
        // The documented address of the metadata service.
        Ok(IpAddr::V6(address)) => address.is_unicast_link_local() || host == "fd00:ec2::254",
        Err(_) => false,
    };
    is_this_machine(host) || on_the_link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_reached_without_a_proxy() {
        for url in [
            "http://127.0.0.1:4566/x",
            "http://127.8.9.1",
            "http://[::1]:80/",
            "http://LocalHost:1",
            "http://s3.localhost:4566/bucket",
        ] {
            assert!(is_loopback(url) && host(url).is_some_and(is_near), "{url}");
        }
        for url in ["http://169.254.169.254/latest", "http://169.254.170.2/", "http://[fd00:ec2::254]/"] {
            assert!(!is_loopback(url) && host(url).is_some_and(is_near), "{url}");
        }
        for url in [
            "https://sts.amazonaws.com",
            "http://127.evil.com/",
            "http://localhost.evil.com",
            "http://10.0.0.1",
        ] {
            assert!(!is_loopback(url) && !host(url).is_some_and(is_near), "{url}");
        }
    }

    #[test]
    fn no_call_hangs_for_ever() {
        let limits = limits();
        assert_eq!((limits.connect_timeout(), limits.read_timeout()), (Some(CONNECT), Some(ANSWER)));
        let large = for_large_bodies();
        assert_eq!((large.connect_timeout(), large.read_timeout()), (Some(CONNECT), Some(LARGE_BODY)));
    }

    #[test]
    fn late_answers_have_time() {
        assert_eq!(ReadTimeouts::with("IAM", "GetRole", Some(200)), None);
        assert_eq!(ReadTimeouts::with("Lambda", "Invoke", Some(2)), Some(FUNCTION));
        assert_eq!(ReadTimeouts::with("S3", "UploadPart", Some(16 << 20)), Some(LARGE_BODY));
        assert_eq!(ReadTimeouts::with("Lambda", "CreateFunction", Some(50 << 20)), Some(LARGE_BODY));
        assert!(MODEL > ANSWER && FUNCTION > Duration::from_secs(900));
    }
}
