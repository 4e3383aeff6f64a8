//! From flags and environment to an SDK configuration: a real account, any endpoint URL, or the sandbox. Nothing
//! behind this file can tell which (D14).

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;

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
}

/// A place to deploy to.
#[derive(Clone, Debug)]
pub struct Target {
    pub sdk: SdkConfig,
    pub pace: Pace,
    /// Not AWS's own endpoints.
    pub custom_endpoint: bool,
    /// One endpoint for all services, which also outranks `AWS_ENDPOINT_URL_<SERVICE>`: a flag beats the environment.
    pub endpoint: Option<String>,
}

/// Builds the SDK configuration. Makes no call: credentials are looked up with the first one.
pub async fn connect(choice: &Choice) -> Target {
    let endpoint = choice.sandbox.as_ref().or(choice.endpoint_url.as_ref());
    let custom = endpoint.or(choice.endpoint_in_environment.as_ref());
    let local = custom.is_some_and(|url| is_loopback(url));
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(profile) = &choice.profile {
        loader = loader.profile_name(profile);
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
    Target { sdk: loader.load().await, pace, custom_endpoint: custom.is_some(), endpoint: endpoint.cloned() }
}

fn is_loopback(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or_default();
    ["127.", "localhost", "[::1]"].iter().any(|local| host.starts_with(local))
}
