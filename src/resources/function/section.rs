//! `[function.NAME]`: what the user writes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::code;
use super::url::Url;
use crate::config::Name;
use crate::domain::HumanDuration;
use crate::inputs::UseAs;
use crate::resources::role::{Permission, Rights};

/// Lambda's own default.
pub(super) const USUAL_ARCHITECTURE: &str = "x86_64";
/// MB, Lambda's own default.
pub(super) const USUAL_MEMORY: i32 = 128;
/// Seconds, Lambda's own default; that of the config is longer.
#[cfg(feature = "sdk")]
pub(super) const USUAL_TIMEOUT: i32 = 3;
/// MB of `/tmp`, of which Lambda bills nothing.
pub(super) const USUAL_STORAGE: i32 = 512;

/// `[function.NAME]`: a Lambda function in front of an endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Function")]
pub struct Item {
    /// Its exact name in AWS, where a program has that written in. Another name is another function: the one
    /// before is left until `--prune`. Default `<project>-<environment>-<NAME>`.
    pub(super) name: Option<String>,
    /// A name under `[endpoint]`. The function has it in `ENDPOINT_NAME` and may invoke no other.
    pub(super) endpoint: Name,
    /// A folder with your own code; without it opsctl's own handler runs. Its `requirements.txt` (or
    /// `requirements.lock`) is installed for Lambda's machine while it is packed, by pip or uv. Default none.
    pub(super) source: Option<PathBuf>,
    /// Pack only files of `source` that match one of these patterns (gitignore syntax). Empty: all but data
    /// sets and, where it has all of the project, notebooks that no script names and, at its top, logs,
    /// configuration and documents; the last stay where a `setup.py`, `-e .` in its requirements or
    /// `pip install .` in a shell script makes a package of it.
    #[serde(default)]
    pub(super) include: Vec<String>,
    /// Files of `source` to leave out (gitignore syntax), beside what `.gitignore` files of the project and
    /// its git repository leave out. `!base.h5` takes along what those do.
    #[serde(default)]
    pub(super) exclude: Vec<String>,
    /// `<file>.<function>` within `source`.
    #[serde(default = "template_handler")]
    pub(super) handler: String,
    /// `python3.11` to `python3.14`.
    #[serde(default = "python")]
    pub(super) runtime: String,
    /// `x86_64`, or `arm64`, which costs less. Compiled packages in `source` must be built for it.
    #[serde(default = "intel")]
    pub(super) architecture: String,
    /// Memory in MB; CPU time grows with it.
    #[serde(default = "smallest")]
    pub(super) memory_mb: i32,
    /// When Lambda ends a call. An endpoint may take 60 s, and opsctl's handler waits 75 s for it.
    #[serde(default = "ninety_seconds")]
    pub(super) timeout: HumanDuration,
    /// How many environments of the alias `live` are always warm, and billed. 0: none.
    #[serde(default = "two")]
    pub(super) provisioned_concurrency: i32,
    /// Files below `/tmp` of an environment, in MB.
    #[serde(default = "usual_storage")]
    pub(super) ephemeral_storage_mb: i32,
    /// ARNs of layer versions, whose files are below `/opt`. At most five.
    #[serde(default)]
    pub(super) layers: Vec<String>,
    /// An HTTPS address of its own: `iam` for whoever signs with credentials that may call it, `public` for
    /// everybody. Shown by `opsctl status`. Default none.
    pub(super) url: Option<Url>,
    /// How many calls may run at once, taken from the account's limit: no more, and nobody else's. 0 switches
    /// the function off. Default none: as many as the account has left.
    pub(super) reserved_concurrency: Option<i32>,
    /// Environment variables. `${endpoint.NAME}` is the exact name of an endpoint, which the function may
    /// then invoke too; `${bucket}` that of the project's bucket. No secrets.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    /// A name under `[network]`: it runs in those subnets of your VPC, and reaches the endpoint by what leads
    /// out of them, such as a VPC endpoint of the SageMaker runtime. Default none.
    pub(super) network: Option<Name>,
    /// The ARN of a role that you have, in place of the one that opsctl makes: it is used, and never changed
    /// or deleted. Before the first write IAM is asked whether it may do what is needed. Default a role of
    /// its own.
    pub(super) role: Option<String>,
    /// What the role that opsctl makes may do beside what it needs:
    /// `[{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::my-files/*"] }]`. Default none.
    #[serde(default)]
    pub(super) permissions: Vec<Permission>,
}

impl Item {
    pub(super) fn use_as(&self) -> UseAs {
        UseAs::Code { include: self.include.clone(), exclude: self.exclude.clone() }
    }

    pub(super) fn rights(&self) -> Rights<'_> {
        Rights { role: self.role.as_deref(), permissions: &self.permissions }
    }
}

fn template_handler() -> String {
    code::TEMPLATE_HANDLER.into()
}
fn python() -> String {
    "python3.13".into()
}
fn intel() -> String {
    USUAL_ARCHITECTURE.into()
}
fn smallest() -> i32 {
    USUAL_MEMORY
}
fn two() -> i32 {
    2
}
fn usual_storage() -> i32 {
    USUAL_STORAGE
}
fn ninety_seconds() -> HumanDuration {
    HumanDuration::seconds(90)
}
