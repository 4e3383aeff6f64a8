//! Where AWS is: what the user asks for, and what becomes of it. [`super::connect()`] leads from one to the
//! other.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_http_client::tls::TlsContext;
use aws_types::service_config::ServiceConfigKey;

use super::http::Connections;
use crate::aws::{PollPace, Proxies};

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct TargetOptions {
    pub profile: Option<String>,
    /// `--region`, else the environment's, else the config file's.
    pub region: Option<String>,
    pub endpoint_url: Option<String>,
    /// The address of a sandbox; its keys are no secret.
    pub sandbox: Option<String>,
    /// Certificates to trust beside the system's (`AWS_CA_BUNDLE`).
    pub trust: Option<TlsContext>,
    /// The variables that name proxies, for errors; which proxy is used, the environment says by itself.
    pub proxies: Proxies,
}

/// Where to deploy to.
#[derive(Clone, Debug)]
pub struct Target {
    pub sdk: SdkConfig,
    pub pace: PollPace,
    /// S3 is not AWS's own, so bucket names cannot be relied on as host names.
    pub path_style: bool,
    /// Its address for people, if it is not AWS.
    pub address: Option<String>,
    /// One endpoint for all services, which also outranks `AWS_ENDPOINT_URL_<SERVICE>`: a flag beats the
    /// environment.
    pub endpoint: Option<String>,
    /// The connections, for what is not the SDK's.
    pub wire: Connections,
    /// A retry setting of the environment or the profile that cannot be understood.
    pub misread: Option<String>,
}

impl Target {
    /// The first pause between two tries of a bulk transfer.
    pub fn first_backoff(&self) -> Duration {
        match self.pace {
            PollPace::Local => Duration::from_millis(20),
            PollPace::Declared => Duration::from_millis(200),
        }
    }
}

/// The endpoint of a service by the environment and the profile, as its client finds it
/// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
pub(super) fn configured(sdk: &SdkConfig, id: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(id).env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let key = key.build().expect("all three are given");
    let own = sdk.service_config().and_then(|config| config.load_config(key));
    own.or_else(|| sdk.endpoint_url().map(str::to_owned))
}
