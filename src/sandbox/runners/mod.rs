//! What really runs the user's code: training scripts, model servers, functions, user data.
//!
//! | AWS | here | what runs it |
//! |---|---|---|
//! | training container | [`training::TrainingRun`] | the script itself, with script mode's arguments and environment |
//! | hosting container | [`serving::ModelServer`] | AWS's `sagemaker-inference` in a small HTTP server of ours |
//! | Lambda environment | [`lambda::Pool`] | AWS's `awslambdaric` against a Runtime API of ours |
//! | EC2 instance | [`ec2::Ec2Run`] | the user data, with a small `aws` and `shutdown` on its PATH |
//!
//! Everything is a local process ([`process`]) in a cached virtual environment ([`python`]) under a private
//! root. No container, no root, no Java. The module needs nothing of the rest of the sandbox: callers give
//! directories, texts and a sink for log lines, and get typed outcomes, whose texts are AWS's where AWS has
//! one.
//!
//! Limits, all of them consequences of "a process, not a container":
//! - It is not a security boundary. The user's code runs with the user's rights and network, as if started by
//!   hand. Only its environment is clean: none of the caller's variables, keys or home directory are passed
//!   on.
//! - Absolute paths of the container (`/opt/ml/...`) exist only under the private root; see [`container`].
//! - One host, no GPU; memory and CPU of an instance type are not limited; only functions have a memory
//!   limit.
//! - The packages are those of PyPI for this Python: of what AWS's images hold ([`python::contents`]), what
//!   the code imports, in the image's version or the next that there is a wheel of.
//! - Linux and macOS only: process groups and `/bin/sh` are used.
//! - Times inside a process are real: a faster sandbox clock does not make a script run faster.

pub mod archive;
pub mod container;
pub mod ec2;
pub mod families;
pub mod lambda;
mod loopback;
pub mod metrics;
pub mod process;
pub mod python;
pub mod serving;
pub mod training;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use loopback::Reply;

/// How the code inside reaches AWS's API: the sandbox.
#[derive(Clone, Debug)]
pub struct ApiAccess {
    pub region: String,
    /// The sandbox's own URL.
    pub endpoint_url: String,
    /// None of an instance without a profile.
    pub keys: Option<Keys>,
}

/// Credentials of a role. They open nothing but the sandbox.
#[derive(Clone, Debug)]
pub struct Keys {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
}

impl ApiAccess {
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let mut variables: BTreeMap<String, String> = [
            ("AWS_REGION", self.region.as_str()),
            ("AWS_DEFAULT_REGION", &self.region),
            ("AWS_ENDPOINT_URL", &self.endpoint_url),
            // There is no instance metadata here; without this the SDK looks for it for seconds.
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if let Some(keys) = &self.keys {
            for (name, value) in [
                ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
                ("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key),
                ("AWS_SESSION_TOKEN", &keys.session_token),
            ] {
                variables.insert(name.to_owned(), value.clone());
            }
        }
        variables
    }
}
