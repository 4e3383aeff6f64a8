//! The fast lane for single PUTs: `object_store` on the SDK's own HTTP client, at about half the CPU per
//! request of `aws-sdk-s3` (docs/decisions/0009). Its errors are not reported: what it cannot send is sent
//! again through the SDK.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential, Checksum};
use object_store::client::{
    ClientOptions, CredentialProvider, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest,
    HttpResponse, HttpResponseBody, HttpService,
};
use object_store::path::Path;
use object_store::{Attribute, Attributes, BackoffConfig, ObjectStore, PutMode, PutOptions, RetryConfig};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::WHOSE;
use super::limit::ConcurrencyLimit;
use crate::aws::{
    CallCounter, Fence, OpError, OpErrorKind, OpResult, Routes, SdkResultExt, Target, for_large_bodies, s3,
};
use crate::domain::{Crc64, action};
use crate::engine::OpCx;

const CRC: &str = "x-amz-checksum-crc64nvme";
/// For whoever gives credentials: STS, SSO, a program.
const CREDENTIALS: Duration = Duration::from_secs(30);

/// Sends one buffer as one object.
pub(super) struct Lane {
    store: AmazonS3,
    attributes: Attributes,
    pub over_tls: bool,
}

impl Lane {
    /// Connects to the bucket with the credentials of the SDK.
    pub async fn open(cx: &OpCx<'_>, bucket: &str, limit: Arc<ConcurrencyLimit>) -> OpResult<Self> {
        let (aws, target) = (&cx.aws, &cx.aws.target);
        let base = base_url(target, bucket).await?;
        let over_tls = base.starts_with("https://");
        let Some(credentials) = target.sdk.credentials_provider() else {
            return Err(OpError::new(
                action::s3::PutObject,
                OpErrorKind::Credentials,
                "there are no credentials",
            ));
        };
        let routes = target.wire.routes(&for_large_bodies());
        let wire = SdkConnector { routes, limit, calls: aws.calls.clone(), fence: aws.fence.clone() };
        let retry = RetryConfig {
            backoff: BackoffConfig { init_backoff: target.first_backoff(), ..BackoffConfig::default() },
            max_retries: 10,
            retry_timeout: Duration::from_secs(180),
        };
        let store = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&cx.scope.region)
            // The URL holds the bucket already, in the host or in the path.
            .with_virtual_hosted_style_request(true)
            .with_allow_http(!over_tls)
            // TLS protects the body; over plain HTTP the signature must.
            .with_unsigned_payload(over_tls)
            .with_endpoint(base)
            .with_checksum_algorithm(Checksum::CRC64NVME)
            .with_credentials(Arc::new(SdkCredentials { provider: credentials, known: Mutex::default() }))
            .with_retry(retry)
            .with_http_connector(wire)
            .build()
            .map_err(|e| OpError::new(action::s3::PutObject, OpErrorKind::Unexpected, e.to_string()))?;
        let whose = Attribute::Metadata(WHOSE.into());
        let attributes = Attributes::from_iter([(whose, cx.scope.whose())]);
        Ok(Self { store, attributes, over_tls })
    }

    /// The checksum that went with the bytes, by which S3 checked them, and the new ETag. `None`: it could
    /// not be sent this way. `create`: only where nothing is.
    pub async fn put(&self, key: &str, body: Bytes, create: bool) -> Option<(Crc64, String)> {
        // Keys that object_store would change (`.` and `..`, double slashes) go the other way.
        let path = Path::parse(key).ok().filter(|path| path.as_ref() == key)?;
        let mode = if create { PutMode::Create } else { PutMode::Overwrite };
        let options = PutOptions { mode, attributes: self.attributes.clone(), ..PutOptions::default() };
        let done = self.store.put_opts(&path, body.into(), options).await;
        match done {
            Ok(done) => Some((*done.extensions.get::<Crc64>()?, done.e_tag?)),
            Err(error) => {
                tracing::debug!(key, %error, "not by the fast lane");
                None
            }
        }
    }
}

/// The URL to which the SDK would send, without the key: it alone knows endpoints, path styles and
/// partitions.
async fn base_url(target: &Target, bucket: &str) -> OpResult<String> {
    const KEY: &str = "opsctl";
    let hour = PresigningConfig::expires_in(Duration::from_secs(3600)).expect("less than a week");
    // Nothing is sent, so nothing is to be counted.
    let client = aws_sdk_s3::Client::from_conf(s3(target).build());
    let signed =
        client.put_object().bucket(bucket).key(KEY).presigned(hour).await.op(action::s3::PutObject)?;
    let url = signed.uri().split('?').next().unwrap_or_default();
    Ok(url.trim_end_matches(KEY).trim_end_matches('/').to_owned())
}

/// `object_store`'s requests on the SDK's connections: one TLS stack, one trust store, one counter.
#[derive(Clone)]
struct SdkConnector {
    routes: Arc<Routes>,
    limit: Arc<ConcurrencyLimit>,
    calls: CallCounter,
    fence: Fence,
}

impl std::fmt::Debug for SdkConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SdkConnector")
    }
}

impl HttpConnector for SdkConnector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for SdkConnector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.fence.check().map_err(|lost| HttpError::new(HttpErrorKind::Unknown, lost))?;
        self.calls.count("S3:PutObject");
        let crc = request.headers().get(CRC).and_then(|v| v.to_str().ok()?.parse::<Crc64>().ok());
        let request = request.map(|body| match body.as_bytes() {
            Some(bytes) => SdkBody::from(bytes.clone()),
            None => SdkBody::from_body_1_x(body),
        });
        let request = request.try_into().map_err(|e| HttpError::new(HttpErrorKind::Unknown, e))?;
        let answer = self.routes.call(request).await.map_err(|error| {
            // Nothing but a new connection helps these; other errors of a connection (a wrong certificate)
            // stay.
            let kind = if error.is_timeout() {
                HttpErrorKind::Timeout
            } else if error.is_io() {
                HttpErrorKind::Interrupted
            } else {
                HttpErrorKind::Unknown
            };
            HttpError::new(kind, error)
        })?;
        match answer.status().as_u16() {
            503 | 429 => self.limit.slow_down(),
            200 => self.limit.speed_up(),
            _ => {}
        }
        let answer = answer.try_into_http1x().map_err(|e| HttpError::new(HttpErrorKind::Decode, e))?;
        let mut answer = answer.map(|body| {
            HttpResponseBody::new(body.map_err(|e| HttpError::new_boxed(HttpErrorKind::Interrupted, e)))
        });
        if let Some(crc) = crc {
            answer.extensions_mut().insert(crc);
        }
        Ok(answer)
    }
}

/// The SDK's credentials, kept until five minutes before they expire.
#[derive(Debug)]
struct SdkCredentials {
    provider: SharedCredentialsProvider,
    known: Mutex<Option<(Arc<AwsCredential>, Option<SystemTime>)>>,
}

#[async_trait]
impl CredentialProvider for SdkCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut known = self.known.lock().await;
        let soon = SystemTime::now() + Duration::from_secs(300);
        if let Some((credential, expiry)) = known.as_ref()
            && expiry.is_none_or(|at| at > soon)
        {
            return Ok(credential.clone());
        }
        let unauthenticated = |source| object_store::Error::Unauthenticated { path: String::new(), source };
        // The SDK's cache has a limit of its own; this goes past it.
        let fresh = match timeout(CREDENTIALS, self.provider.provide_credentials()).await {
            Ok(fresh) => fresh.map_err(|error| unauthenticated(error.into()))?,
            Err(late) => return Err(unauthenticated(late.into())),
        };
        let credential = Arc::new(AwsCredential {
            key_id: fresh.access_key_id().to_owned(),
            secret_key: fresh.secret_access_key().to_owned(),
            token: fresh.session_token().map(str::to_owned),
        });
        *known = Some((credential.clone(), fresh.expiry()));
        Ok(credential)
    }
}
