//! The seams of Lambda: who runs functions, and who has the objects that code comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::code;
use super::place::{Place, fingerprint};
use crate::call::Fault;
use crate::world::World;

/// What really runs functions. All methods take what they need by value: work goes on when its caller goes away.
pub trait Work: Send + Sync {
    /// Runs a function once. That the function raised, timed out or died is an [`Invoked`], too.
    ///
    /// # Errors
    /// The fault to answer with when nothing could be run.
    fn invoke(
        &self,
        world: Arc<World>,
        version: FunctionVersion,
        invocation: Invocation,
    ) -> BoxFuture<'static, Result<Invoked, Fault>>;

    /// Keeps `count` environments of a version initialized from now on; 0 ends them. Done when they are ready.
    ///
    /// # Errors
    /// Why the function's init failed.
    fn provision(
        &self,
        world: Arc<World>,
        version: FunctionVersion,
        count: u32,
    ) -> BoxFuture<'static, Result<(), String>>;

    /// The version is gone, or `$LATEST` is another one now: its environments may end. They need not end before
    /// their invocations do.
    fn discard(&self, world: &World, version: &FunctionVersion);
}

/// Where `Code.S3Bucket` and `Code.S3Key` are read.
pub trait Objects: Send + Sync {
    /// Reads an object whole.
    ///
    /// # Errors
    /// The fault to answer with; AWS has `InvalidParameterValueException` for objects that cannot be read.
    fn read(
        &self,
        world: Arc<World>,
        region: String,
        object: ObjectName,
    ) -> BoxFuture<'static, Result<Bytes, Fault>>;
}

/// An object that holds a function's archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    pub bucket: String,
    pub key: String,
    pub version: Option<String>,
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
    pub(super) fn new(place: &Place, configuration: &Value, provisioned: u32) -> Self {
        let text = |name: &str| configuration[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| configuration[name].as_u64().unwrap_or_default();
        let variables = configuration["Environment"]["Variables"].as_object().into_iter().flatten();
        let variables =
            variables.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned()));
        Self {
            region: place.region.clone(),
            name: text("FunctionName"),
            version: text("Version"),
            fingerprint: fingerprint(configuration),
            code: code::file(&place.world, &text("CodeSha256")),
            handler: text("Handler"),
            runtime: text("Runtime"),
            memory_mb: u32::try_from(number("MemorySize")).unwrap_or(u32::MAX),
            timeout: Duration::from_secs(number("Timeout")),
            environment: variables.collect(),
            role: text("Role"),
            log_group: configuration["LoggingConfig"]["LogGroup"].as_str().unwrap_or_default().to_owned(),
            provisioned,
        }
    }
}

/// One call of a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub request_id: String,
    /// The ARN that the caller named, with its qualifier.
    pub invoked_arn: String,
    pub payload: Bytes,
    /// JSON, decoded from `X-Amz-Client-Context`.
    pub client_context: Option<String>,
}

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

/// What is behind Lambda. The default runs nothing and says so.
#[derive(Clone)]
pub struct Seams {
    pub work: Arc<dyn Work>,
    pub objects: Arc<dyn Objects>,
}

impl Default for Seams {
    fn default() -> Self {
        Self { work: Arc::new(Nobody), objects: Arc::new(Nobody) }
    }
}

/// Nothing is plugged in.
struct Nobody;

/// With 501, which no SDK retries.
fn nobody(what: &str) -> Fault {
    Fault::new(501, "ServiceException", format!("this sandbox {what}; see docs/sandbox.md"))
}

impl Work for Nobody {
    fn invoke(
        &self,
        _: Arc<World>,
        _: FunctionVersion,
        _: Invocation,
    ) -> BoxFuture<'static, Result<Invoked, Fault>> {
        Box::pin(async { Err(nobody("was started without a runner, so it cannot run functions")) })
    }

    fn provision(&self, _: Arc<World>, _: FunctionVersion, _: u32) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn discard(&self, _: &World, _: &FunctionVersion) {}
}

impl Objects for Nobody {
    fn read(&self, _: Arc<World>, _: String, _: ObjectName) -> BoxFuture<'static, Result<Bytes, Fault>> {
        Box::pin(async { Err(nobody("takes a function's code from Code.ZipFile only, not from S3")) })
    }
}
