//! Lambda functions on AWS's own Python runtime interface client, against a Runtime API that we serve.
//!
//! A [`Pool`] belongs to one published version, or to `$LATEST`. It holds execution environments (one process
//! each): those of provisioned concurrency, initialized ahead, and those of past cold starts. An invocation
//! takes a free provisioned one, else a free other one, else makes a cold start. As each version has its own
//! pool, an invocation of `$LATEST` never gets a provisioned environment
//! (docs/aws/lambda.md#provisioned-concurrency).
//!
//! Differences from AWS, on purpose: an init that fails is not run a second time inside the invocation (only
//! one that takes longer than 10 s is); memory is the process's resident memory, looked at every 50 ms and at
//! the end of each invocation; CPU power does not follow the memory size; `/tmp` is `TMPDIR`, without a size
//! limit; a function without network isolation can reach what this machine reaches.

mod environment;
mod report;
mod runtime_api;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::Instant;

pub use environment::Initialization;
use environment::{End, Environment};
use report::{Breakdown, Usage};

use super::ApiAccess;
use super::archive::unpack_zip;
use super::process::{Line, LineSink};
use super::python::{Environments, PythonError, Venv, Wanted};

const BOOTSTRAP: &str = include_str!("bootstrap.py");
const RUNTIME_CLIENT: &str = include_str!("runtime_client.py");
const RUNTIME_PACKAGE: &str = "awslambdaric>=2,<5";
/// What `awslambdaric` itself needs, where it cannot be installed as a whole.
const RUNTIME_NEEDS: &[&str] = &["simplejson>=3.20", "snapshot-restore-py>=1"];

/// AWS gives the init phase of an on-demand environment 10 s, then runs it again within the invocation
/// (lambda/latest/dg/lambda-runtime-environment).
const ON_DEMAND_INIT_LIMIT: Duration = Duration::from_secs(10);
/// A provisioned environment may take up to 15 minutes, or the function's timeout if that is longer (same
/// page).
const PROVISIONED_INIT_LIMIT: Duration = Duration::from_secs(900);

/// Where log lines go: the name of the log stream, and the line.
pub type LogSink = Arc<dyn Fn(&str, Line) + Send + Sync>;

/// One version of a function.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// The zip archive, or a directory with its content.
    pub code: PathBuf,
    /// `module.function`.
    pub handler: String,
    /// `python3.12`. The interpreter is that of [`Environments`]; find one with `Python::find(None,
    /// Some("3.12"))`.
    pub runtime: String,
    pub memory_mb: u32,
    pub timeout: Duration,
    pub environment: BTreeMap<String, String>,
    pub log_group: String,
    pub reach: ApiAccess,
}

/// One call of the function.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub request_id: String,
    /// The ARN that the caller named, with its qualifier.
    pub invoked_arn: String,
    pub payload: Bytes,
    /// JSON, decoded from `X-Amz-Client-Context`.
    pub client_context: Option<String>,
}

/// What Invoke answers from.
#[derive(Clone, Debug)]
pub struct InvocationResult {
    pub payload: Bytes,
    /// `Unhandled`, when the function raised, timed out or died; the payload is then the error document.
    pub function_error: Option<&'static str>,
    pub duration: Duration,
    pub billed_ms: u64,
    /// Set on a cold start only.
    pub init: Option<Duration>,
    pub peak_memory_mb: u32,
    pub log_stream: String,
    /// The invocation's log lines, from START to REPORT.
    pub log: Vec<String>,
    /// Which kind of environment served it: `ProvisionedConcurrencyInvocations` or spill-over.
    pub initialization: Initialization,
}

impl InvocationResult {
    /// The last 4 KB of the log, for `LogResult` (docs/aws/lambda.md#invoking), not encoded yet.
    pub fn log_tail(&self) -> String {
        let text: String = self.log.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        text[text.ceil_char_boundary(text.len().saturating_sub(4096))..].to_owned()
    }
}

/// Why a function cannot run here at all.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error("the code of function {function} cannot be unpacked")]
    Code {
        function: String,
        #[source]
        source: io::Error,
    },
    #[error("an environment of function {function} cannot be started")]
    Start {
        function: String,
        #[source]
        source: io::Error,
    },
}

/// Provisioned concurrency could not be allocated: `FUNCTION_ERROR_INIT_FAILURE`
/// (docs/aws/lambda.md#provisioned-concurrency).
#[derive(Debug, thiserror::Error)]
#[error("the function's init failed: {document}")]
pub struct InitFailure {
    /// The runtime's error document, JSON.
    pub document: String,
}

/// How many provisioned environments there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Provisioned {
    pub requested: usize,
    pub allocated: usize,
    /// Initialized and not busy.
    pub available: usize,
}

/// Where a function's files are.
#[derive(Debug)]
struct Prepared {
    root: PathBuf,
    task_root: PathBuf,
    runtime_directory: PathBuf,
    temporary: PathBuf,
    venv: Venv,
    /// Its version, as runtimes are called.
    python: String,
}

/// The execution environments of one version. Dropping it ends the free ones at once, and each busy one after
/// its invocation, as AWS does when code is replaced or deleted.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    spec: FunctionSpec,
    prepared: Prepared,
    sink: LogSink,
    free: Mutex<Free>,
    streams: AtomicU64,
}

#[derive(Default)]
struct Free {
    on_demand: Vec<Environment>,
    provisioned: Vec<Environment>,
    /// What provisioned concurrency asks for.
    requested: usize,
    /// Provisioned environments that exist or are being made, busy ones included.
    allocated: usize,
}

impl Pool {
    /// Unpacks the code under `root` and prepares the Python environment (boto3 and AWS's runtime client, and
    /// nothing else, as on AWS). No process is started yet.
    pub async fn open(
        spec: FunctionSpec,
        environments: &Environments,
        root: &Path,
        sink: LogSink,
        progress: &LineSink,
    ) -> Result<Self, PoolError> {
        let failed = |source| PoolError::Code { function: spec.name.clone(), source };
        let runtime_directory = root.join("var/runtime");
        let temporary = root.join("tmp");
        for directory in [&runtime_directory, &temporary] {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        std::fs::write(runtime_directory.join("bootstrap.py"), BOOTSTRAP).map_err(failed)?;
        std::fs::write(runtime_directory.join("runtime_client.py"), RUNTIME_CLIENT).map_err(failed)?;
        let task_root = if spec.code.is_dir() {
            std::path::absolute(&spec.code).map_err(failed)?
        } else {
            let task_root = root.join("var/task");
            unpack_zip(&spec.code, &task_root).await.map_err(failed)?;
            task_root
        };
        let wanted = runtime_packages(environments.python.manylinux);
        let venv = environments.of_job(&wanted, root.join("opt/python"), progress).await?;
        let (major, minor, _) = environments.python.version;
        let python = format!("python{major}.{minor}");
        let prepared =
            Prepared { root: root.to_owned(), task_root, runtime_directory, temporary, venv, python };
        let inner = Inner { spec, prepared, sink, free: Mutex::default(), streams: AtomicU64::new(0) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sets provisioned concurrency: initializes environments up to `count`, or ends those above it.
    pub async fn provision(&self, count: usize) -> Result<(), InitFailure> {
        let missing = {
            let mut free = self.inner.free();
            free.requested = count;
            while free.allocated > count && free.provisioned.pop().is_some() {
                free.allocated -= 1;
            }
            let missing = count.saturating_sub(free.allocated);
            free.allocated += missing;
            missing
        };
        let started = join_all((0..missing).map(|_| self.inner.start_provisioned())).await;
        started.into_iter().collect()
    }

    /// How much of its provisioned concurrency is ready.
    pub fn provisioned(&self) -> Provisioned {
        let free = self.inner.free();
        Provisioned {
            requested: free.requested,
            allocated: free.allocated,
            available: free.provisioned.len(),
        }
    }

    /// Runs the function. The invocation continues when the caller goes away, as on AWS.
    pub async fn invoke(&self, invocation: Invocation) -> Result<InvocationResult, PoolError> {
        let inner = Arc::clone(&self.inner);
        let failed = |source| PoolError::Start { function: self.inner.spec.name.clone(), source };
        match tokio::spawn(async move { inner.invoke(invocation).await }).await {
            Ok(result) => result.map_err(failed),
            Err(error) => Err(failed(io::Error::other(error))),
        }
    }

    /// Ends on-demand environments that were idle for `longer_than`. AWS does so after some minutes.
    pub fn reap(&self, longer_than: Duration) {
        self.inner.free().on_demand.retain(|environment| environment.idle_since.elapsed() <= longer_than);
    }
}

/// AWS's client is a C extension with wheels for Linux; elsewhere its Python files are taken out of such a
/// wheel, and `runtime_client.py` stands in for the extension. Building it would need cmake and a C++
/// compiler.
fn runtime_packages(manylinux: bool) -> Wanted {
    let boto3 = super::python::FUNCTION_PACKAGES;
    if manylinux {
        Wanted::of(&[boto3, &[RUNTIME_PACKAGE]].concat())
    } else {
        Wanted { foreign: vec![RUNTIME_PACKAGE.to_owned()], ..Wanted::of(&[boto3, RUNTIME_NEEDS].concat()) }
    }
}

impl Inner {
    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn start(&self, kind: Initialization) -> io::Result<Environment> {
        Environment::start(&self.spec, &self.prepared, kind, self.stream_name(), Arc::clone(&self.sink)).await
    }

    /// `2026/01/31/[version]<32 hex digits>`.
    fn stream_name(&self) -> String {
        let now = SystemTime::now();
        let number = self.streams.fetch_add(1, Ordering::Relaxed);
        let seed = format!("{}/{now:?}/{number}", self.prepared.root.display());
        let date = humantime::format_rfc3339_seconds(now).to_string()[..10].replace('-', "/");
        format!("{date}/[{}]{}", self.spec.version, &blake3::hash(seed.as_bytes()).to_hex()[..32])
    }

    /// Makes one provisioned environment, which is counted in `allocated` already.
    async fn start_provisioned(&self) -> Result<(), InitFailure> {
        let made = async {
            let mut environment = self
                .start(Initialization::ProvisionedConcurrency)
                .await
                .map_err(|error| InitFailure { document: error.to_string() })?;
            let limit = PROVISIONED_INIT_LIMIT.max(self.spec.timeout);
            environment.initialize(limit).await.map_err(|end| InitFailure {
                document: match end {
                    End::Raised(body) | End::Answered(body) => String::from_utf8_lossy(&body).into_owned(),
                    End::Broken(breakdown) => String::from_utf8_lossy(&breakdown.document("")).into_owned(),
                },
            })?;
            Ok(environment)
        };
        let made = made.await;
        let mut free = self.free();
        match made {
            Ok(environment) if free.allocated <= free.requested => {
                free.provisioned.push(environment);
                Ok(())
            }
            Ok(_) => {
                free.allocated -= 1; // asked for no more
                Ok(())
            }
            Err(failure) => {
                free.allocated -= 1;
                Err(failure)
            }
        }
    }

    async fn invoke(self: Arc<Self>, invocation: Invocation) -> io::Result<InvocationResult> {
        if let Some(environment) = self.take() {
            return Ok(self.run(environment, invocation, None, Instant::now() + self.spec.timeout).await);
        }
        let mut environment = self.start(Initialization::OnDemand).await?;
        let limit = match environment.initialize(ON_DEMAND_INIT_LIMIT).await {
            Ok(()) => {
                let init = Some(environment.init);
                return Ok(self.run(environment, invocation, init, Instant::now() + self.spec.timeout).await);
            }
            Err(End::Broken(Breakdown::TimedOut(limit))) => limit,
            Err(end) => {
                let init = environment.init;
                environment.write_log(report::init(init, "error", end.error_type().as_deref()));
                environment.write_log(report::start(&invocation.request_id, &self.spec.version));
                return Ok(self.finish(environment, invocation, end, Duration::ZERO, Some(init)));
            }
        };
        environment.write_log(report::init(limit, "timeout", None));
        drop(environment);
        let begun = Instant::now();
        let mut environment = self.start(Initialization::OnDemand).await?;
        environment.begin_log(report::start(&invocation.request_id, &self.spec.version));
        match environment.initialize(self.spec.timeout).await {
            Ok(()) => Ok(self.run(environment, invocation, None, begun + self.spec.timeout).await),
            Err(end) => Ok(self.finish(environment, invocation, end, begun.elapsed(), None)),
        }
    }

    /// A free environment that still lives; provisioned ones first.
    fn take(self: &Arc<Self>) -> Option<Environment> {
        let mut dead = 0;
        let taken = {
            let mut free = self.free();
            loop {
                match free.provisioned.pop() {
                    Some(environment) if environment.ended() => dead += 1,
                    Some(environment) => break Some(environment),
                    None => break None,
                }
            }
            .or_else(|| {
                free.on_demand.retain(|environment| !environment.ended());
                free.on_demand.pop()
            })
        };
        (0..dead).for_each(|_| self.replace_provisioned());
        taken
    }

    async fn run(
        self: &Arc<Self>,
        mut environment: Environment,
        invocation: Invocation,
        init: Option<Duration>,
        deadline: Instant,
    ) -> InvocationResult {
        environment.begin_log(report::start(&invocation.request_id, &self.spec.version));
        let (end, duration) = environment.invoke(&invocation, deadline, self.spec.timeout).await;
        self.finish(environment, invocation, end, duration, init)
    }

    /// Writes the last log lines, makes the result, and keeps or ends the environment.
    fn finish(
        self: &Arc<Self>,
        mut environment: Environment,
        invocation: Invocation,
        end: End,
        duration: Duration,
        init: Option<Duration>,
    ) -> InvocationResult {
        let id = &invocation.request_id;
        let memory_mb = self.spec.memory_mb;
        let peak_mb = environment.peak_mb.min(memory_mb);
        let duration = match &end {
            End::Broken(Breakdown::TimedOut(limit)) => *limit,
            _ => duration,
        };
        let usage = Usage { duration, init, memory_mb, peak_mb };
        let (payload, function_error, breakdown) = match end {
            End::Answered(payload) => (payload, None, None),
            End::Raised(document) => (document, Some("Unhandled"), None),
            End::Broken(breakdown) => (breakdown.document(id), Some("Unhandled"), Some(breakdown)),
        };
        let breakdown_lines = breakdown.iter().flat_map(|breakdown| breakdown.log_lines(id));
        for line in breakdown_lines.chain([report::end(id), usage.report(id, breakdown.as_ref())]) {
            environment.write_log(line);
        }
        let result = InvocationResult {
            payload,
            function_error,
            duration,
            billed_ms: usage.billed_ms(),
            init,
            peak_memory_mb: peak_mb,
            log_stream: environment.stream.clone(),
            log: environment.take_log(),
            initialization: environment.kind,
        };
        environment.idle_since = Instant::now();
        self.give_back(environment, breakdown.is_none());
        result
    }

    fn give_back(self: &Arc<Self>, environment: Environment, healthy: bool) {
        let healthy = healthy && !environment.ended();
        match environment.kind {
            Initialization::OnDemand if healthy => self.free().on_demand.push(environment),
            Initialization::OnDemand => {}
            Initialization::ProvisionedConcurrency => {
                let mut free = self.free();
                if free.allocated > free.requested {
                    free.allocated -= 1;
                } else if healthy {
                    free.provisioned.push(environment);
                } else {
                    drop(free);
                    self.replace_provisioned();
                }
            }
        }
    }

    /// AWS initializes another environment for one that broke; a failure shows in `allocated`.
    fn replace_provisioned(self: &Arc<Self>) {
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(failure) = inner.start_provisioned().await {
                let function = &inner.spec.name;
                tracing::warn!(function, %failure, "a provisioned environment was not replaced");
            }
        });
    }
}
