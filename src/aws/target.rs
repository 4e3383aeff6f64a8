//! From flags and environment to an SDK configuration: a real account, any endpoint URL, or the sandbox. Nothing
//! behind this file can tell which (docs/decisions/0029).

use std::time::Duration;

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_types::os_shim_internal::{Env, Fs};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::http::{self, Wire};
use crate::engine::Pace;

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    pub profile: Option<String>,
    /// `--region`, else the environment's, else the config file's.
    pub region: Option<String>,
    pub endpoint_url: Option<String>,
    /// The address of a sandbox; its keys are no secret.
    pub sandbox: Option<String>,
    /// The environment names an endpoint of its own (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`).
    pub endpoint_in_environment: Option<String>,
    /// Certificates to trust beside the system's (`AWS_CA_BUNDLE`).
    pub trust: Option<TlsContext>,
}

/// A place to deploy to.
#[derive(Clone, Debug)]
pub struct Target {
    pub sdk: SdkConfig,
    pub pace: Pace,
    /// Not AWS's own endpoints.
    pub custom_endpoint: bool,
    /// What a person wants to know of it, if it is not AWS: where it is.
    pub address: Option<String>,
    /// One endpoint for all services, which also outranks `AWS_ENDPOINT_URL_<SERVICE>`: a flag beats the environment.
    pub endpoint: Option<String>,
    /// The connections, for what is not the SDK's.
    pub wire: Wire,
}

impl Target {
    /// The first pause between two tries of a bulk transfer.
    pub fn first_backoff(&self) -> Duration {
        match self.pace {
            Pace::Local => Duration::from_millis(20),
            Pace::Declared => Duration::from_millis(200),
        }
    }
}

/// The certificates of a PEM file, beside the system's.
///
/// # Errors
/// What is wrong with it, without its name.
pub fn trust(pem: &[u8]) -> Result<TlsContext, String> {
    let all =
        CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    if all.is_empty() {
        return Err("there is no certificate in it".into());
    }
    // The SDK's client insists on good ones by panicking, so a bad one must be found here.
    for (n, certificate) in all.iter().enumerate() {
        if let Err(error) = webpki::anchor_from_trusted_cert(certificate) {
            tracing::debug!(%error, "a bad certificate");
            return Err(format!("number {} of the {} in it is no certificate of X.509", n + 1, all.len()));
        }
    }
    let store = TrustStore::default().with_pem_certificate(pem);
    TlsContext::builder().with_trust_store(store).build().map_err(|e| e.to_string())
}

/// The names of all profiles, as the SDK finds them.
///
/// # Errors
/// Why a file cannot be read.
pub async fn profiles() -> Result<Vec<String>, String> {
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), None).await;
    let profiles = profiles.map_err(|error| error.to_string())?;
    let mut names: Vec<String> = profiles.profiles().map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// Builds the SDK configuration. Makes no call: credentials are looked up with the first one.
pub async fn connect(choice: &Choice) -> Target {
    let endpoint = choice.sandbox.as_ref().or(choice.endpoint_url.as_ref());
    let custom = endpoint.or(choice.endpoint_in_environment.as_ref());
    let local = custom.is_some_and(|url| http::is_loopback(url));
    let wire = Wire::new(choice.trust.clone());
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(wire.clone())
        .timeout_config(http::limits());
    if let Some(profile) = &choice.profile {
        // Named on the command line, it counts more than keys in the environment, as with the AWS CLI
        // (https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html). The SDK's chain asks the
        // environment first.
        let region = match &choice.region {
            Some(region) => Some(Region::new(region.clone())),
            None => DefaultRegionChain::builder().profile_name(profile).build().region().await,
        };
        let provider = ProviderConfig::default().with_http_client(wire.clone()).with_region(region);
        let provider = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(profile);
        loader = loader.profile_name(profile).credentials_provider(provider.build());
    }
    if let Some(region) = &choice.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = endpoint {
        loader = loader.endpoint_url(url);
    }
    if choice.sandbox.is_some() {
        loader = loader.credentials_provider(Credentials::new("sandbox", "sandbox", None, None, "sandbox"));
    }
    if local {
        // The SDK's first backoff is up to a second, made for a service that many share.
        loader = loader.retry_config(
            RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(20)),
        );
    }
    let pace = if local { Pace::Local } else { Pace::Declared };
    Target {
        sdk: loader.load().await,
        pace,
        custom_endpoint: custom.is_some(),
        address: custom.filter(|_| choice.sandbox.is_none()).cloned(),
        endpoint: endpoint.cloned(),
        wire,
    }
}
