//! From flags and environment to an SDK configuration: a real account, any endpoint URL, or the sandbox.
//! Nothing behind this file can tell which (docs/decisions/0029).

use std::time::Duration;

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::clients::{S3, SERVICES};
use super::http::{self, Connections};
use super::target::{Target, TargetOptions, configured};
use crate::aws::PollPace;

/// The certificates of a PEM file, beside the system's.
///
/// # Errors
/// What is wrong with it, without its name.
pub fn trust(pem: &[u8]) -> Result<TlsContext, String> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    // Its own words have the bytes of the marker in them.
    let all = all.map_err(|_| "it is cut off, or damaged".to_owned())?;
    if all.is_empty() {
        return Err("there is no certificate in it".into());
    }
    // The SDK's client insists on good ones by panicking, so a bad one must be found here.
    for (n, certificate) in all.iter().enumerate() {
        if let Err(error) = webpki::anchor_from_trusted_cert(certificate) {
            tracing::debug!(%error, "a bad certificate");
            return Err(format!("certificate {} of {} is not a valid X.509 certificate", n + 1, all.len()));
        }
    }
    let store = TrustStore::default().with_pem_certificate(pem);
    TlsContext::builder().with_trust_store(store).build().map_err(|e| e.to_string())
}

/// What AWS's configuration files have.
#[derive(Clone, Debug)]
pub struct Profiles {
    pub names: Vec<String>,
    /// The endpoint URL of the selected profile, unless it says that such are ignored.
    pub endpoint_url: Option<String>,
}

/// All profiles, as the SDK finds them, and what the selected one has.
///
/// # Errors
/// Why a file cannot be read.
pub async fn profiles(selected: Option<&str>) -> Result<Profiles, String> {
    let selected = selected.map(|name| name.to_owned().into());
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), selected).await;
    let profiles = profiles.map_err(|error| error.to_string())?;
    let mut names: Vec<String> = profiles.profiles().map(str::to_owned).collect();
    names.sort();
    let ignored =
        profiles.get("ignore_configured_endpoint_urls").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let endpoint_url = profiles.get("endpoint_url").filter(|_| !ignored).map(str::to_owned);
    Ok(Profiles { names, endpoint_url })
}

/// Builds the SDK configuration. Makes no call: credentials are looked up with the first one.
pub async fn connect(choice: &TargetOptions) -> Target {
    let endpoint = choice.sandbox.as_ref().or(choice.endpoint_url.as_ref());
    let wire = Connections::new(choice.trust.clone(), choice.proxies.clone(), choice.sandbox.is_some());
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(wire.clone())
        .timeout_config(http::limits())
        // Read below.
        .retry_config(RetryConfig::standard());
    if let Some(profile) = &choice.profile {
        // Named on the command line, it counts more than keys in the environment, as with the AWS CLI
        // (https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html). The SDK's chain asks
        // the environment first.
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
    let mut sdk = loader.load().await;
    let misread = match retries(&sdk) {
        Ok(retries) => {
            sdk = sdk.into_builder().retry_config(retries).build();
            None
        }
        Err(misread) => Some(misread),
    };
    let endpoints = SERVICES.iter().map(|id| (*id, endpoint.cloned().or_else(|| configured(&sdk, id))));
    let endpoints: Vec<(&str, Option<String>)> = endpoints.collect();
    // One service that is elsewhere answers as late as AWS does.
    let local = endpoints.iter().all(|(_, url)| url.as_ref().is_some_and(|url| http::is_loopback(url)));
    if local {
        // The SDK's first backoff is up to a second, made for a service that many share.
        let retries = RetryConfig::standard().with_max_attempts(4);
        let retries = retries.with_initial_backoff(Duration::from_millis(20));
        sdk = sdk.into_builder().retry_config(retries).build();
    }
    let path_style = endpoints.iter().any(|(id, url)| *id == S3 && url.is_some());
    Target {
        pace: if local { PollPace::Local } else { PollPace::Declared },
        path_style,
        address: address(sdk.endpoint_url(), &endpoints).filter(|_| choice.sandbox.is_none()),
        endpoint: endpoint.cloned(),
        sdk,
        wire,
        misread,
    }
}

/// How often the SDK tries, by the environment and the profile. The SDK would read that itself, and panic at
/// what it does not know, such as `legacy`, which is boto3's word for its own way
/// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html).
fn retries(sdk: &SdkConfig) -> Result<RetryConfig, String> {
    let setting = |env: &'static str, profile: &'static str| {
        let key = ServiceConfigKey::builder().service_id("sts").env(env).profile(profile);
        sdk.service_config()?.load_config(key.build().expect("all three are given"))
    };
    let mode = setting("AWS_RETRY_MODE", "retry_mode");
    let retries = match mode.as_deref().map(|mode| mode.trim().to_ascii_lowercase()).as_deref() {
        None | Some("standard" | "legacy") => RetryConfig::standard(),
        Some("adaptive") => RetryConfig::adaptive(),
        Some(mode) => {
            return Err(format!(
                "there is no retry mode `{mode}` (AWS_RETRY_MODE, or `retry_mode` of the profile)"
            ));
        }
    };
    match setting("AWS_MAX_ATTEMPTS", "max_attempts") {
        None => Ok(retries),
        Some(text) => match text.trim().parse::<u32>() {
            Ok(attempts) if attempts > 0 => Ok(retries.with_max_attempts(attempts)),
            _ => Err(format!(
                "`{text}` is not a number of attempts (AWS_MAX_ATTEMPTS, or `max_attempts` of the profile)"
            )),
        },
    }
}

/// Where the services are that are not at AWS: one for all, and those that differ.
fn address(all: Option<&str>, endpoints: &[(&str, Option<String>)]) -> Option<String> {
    let differ = endpoints.iter().filter(|(_, url)| url.as_deref() != all);
    let differ = differ.filter_map(|(id, url)| Some(format!("{id} at {}", url.as_ref()?)));
    let differ: Vec<String> = differ.collect();
    let all = all.filter(|all| endpoints.iter().any(|(_, url)| url.as_deref() == Some(*all)));
    let parts: Vec<String> = all.map(|url| format!("at {url}")).into_iter().chain(differ).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_what_is_elsewhere() {
        let at = |url: &str| Some(url.to_owned());
        let told = |all, s3: &str, lambda: &str| {
            let or_all = |url: &str| if url.is_empty() { all } else { Some(url) }.map(str::to_owned);
            address(all, &[("S3", or_all(s3)), ("Lambda", or_all(lambda))])
        };
        assert_eq!(told(None, "", ""), None);
        assert_eq!(told(Some("http://h:1"), "", ""), at("at http://h:1"));
        assert_eq!(told(Some("http://h:1"), "", "http://l:2"), at("at http://h:1, Lambda at http://l:2"));
        assert_eq!(told(None, "http://s:3", ""), at("S3 at http://s:3"));
    }
}
