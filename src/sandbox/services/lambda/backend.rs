//! What is behind Lambda: who runs functions.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::code;
use super::region::{LambdaRegion, fingerprint};
use crate::extensions::Plug;
use crate::fault::Fault;
use crate::state::SandboxState;

/// What really runs functions. All methods take what they need by value: work continues when its caller goes
/// away.
pub trait Backend: Send + Sync {
    /// Runs a function once. That the function raised, timed out or died is an [`Invoked`], too.
    ///
    /// # Errors
    /// The fault to answer with when nothing could be run.
    fn invoke(
        &self,
        shared: Arc<SandboxState>,
        version: FunctionVersion,
        invocation: Invocation,
    ) -> BoxFuture<'static, Result<Invoked, Fault>>;

    /// Keeps `count` environments of a version initialized from now on; 0 ends them. Done when they are
    /// ready.
    ///
    /// # Errors
    /// Why the function's init failed.
    fn provision(
        &self,
        shared: Arc<SandboxState>,
        version: FunctionVersion,
        count: u32,
    ) -> BoxFuture<'static, Result<(), String>>;

    /// The version is gone, or `$LATEST` is another one now: its environments may end. They need not end
    /// before their invocations do.
    fn discard(&self, shared: &SandboxState, version: &FunctionVersion);
}

/// One version of a function: everything that running it needs.
#[derive(Clone)]
pub struct FunctionVersion {
    pub region: String,
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// Equal for equal code and configuration: an environment of another fingerprint is out of date.
    pub fingerprint: String,
    /// The zip archive.
    pub code: PathBuf,
    pub handler: String,
    /// `python3.12`
    pub runtime: String,
    pub memory_mb: u32,
    pub timeout: Duration,
    pub environment: BTreeMap<String, String>,
    /// ARN of the execution role.
    pub role: String,
    pub log_group: String,
    /// Whether it has layers, whose files are nowhere in the sandbox.
    pub layered: bool,
    /// How many environments provisioned concurrency wants; after a restart none of them is there.
    pub provisioned: u32,
}

/// The values of the environment are the user's secrets, so they are not shown.
impl fmt::Debug for FunctionVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, name, version, fingerprint, .. } = self;
        write!(f, "FunctionVersion({region} {name}:{version} {fingerprint})")
    }
}

impl FunctionVersion {
    /// Reads a configuration as it is on the wire.
    pub(super) fn new(lambda: &LambdaRegion, configuration: &Value, provisioned: u32) -> Self {
        let text = |name: &str| configuration[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| configuration[name].as_u64().unwrap_or_default();
        let variables = configuration["Environment"]["Variables"].as_object().into_iter().flatten();
        let variables =
            variables.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned()));
        Self {
            region: lambda.region.clone(),
            name: text("FunctionName"),
            version: text("Version"),
            fingerprint: fingerprint(configuration),
            code: code::file(&lambda.shared, &text("CodeSha256")),
            handler: text("Handler"),
            runtime: text("Runtime"),
            memory_mb: u32::try_from(number("MemorySize")).unwrap_or(u32::MAX),
            timeout: Duration::from_secs(number("Timeout")),
            environment: variables.collect(),
            role: text("Role"),
            log_group: configuration["LoggingConfig"]["LogGroup"].as_str().unwrap_or_default().to_owned(),
            layered: configuration["Layers"].as_array().is_some_and(|layers| !layers.is_empty()),
            provisioned,
        }
    }
}

pub use crate::runners::lambda::Invocation;

/// How an invocation ended.
#[derive(Clone, Debug)]
pub struct Invoked {
    pub payload: Bytes,
    /// `Unhandled` when the function raised, timed out or died; the payload is the error document then.
    pub function_error: Option<String>,
    /// The last 4 KB of its log, not encoded.
    pub log_tail: String,
    /// Without the init.
    pub duration: Duration,
    /// Whether an environment of provisioned concurrency served it.
    pub provisioned: bool,
}

impl Plug for dyn Backend {
    fn unplugged() -> Arc<Self> {
        Arc::new(NoBackend)
    }
}

/// Who runs the functions of this sandbox.
pub(super) fn of(shared: &SandboxState) -> Arc<dyn Backend> {
    shared.extensions.plugged()
}

/// Nothing is plugged in.
struct NoBackend;

impl Backend for NoBackend {
    fn invoke(
        &self,
        _: Arc<SandboxState>,
        _: FunctionVersion,
        _: Invocation,
    ) -> BoxFuture<'static, Result<Invoked, Fault>> {
        // With 501, which no SDK retries.
        let message = "this sandbox was started without a runner, so it cannot run functions; see https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md";
        Box::pin(async move { Err(Fault::new(501, "ServiceException", message)) })
    }

    fn provision(
        &self,
        _: Arc<SandboxState>,
        _: FunctionVersion,
        _: u32,
    ) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn discard(&self, _: &SandboxState, _: &FunctionVersion) {}
}
