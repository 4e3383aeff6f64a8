//! Functions that run: connects Lambda to [`runners::lambda`](crate::runners::lambda).
//!
//! Each version has a pool of execution environments, opened when it is first needed and gone with the
//! process. So after a restart, provisioned concurrency is made again: at once by a sandbox that keeps
//! serving, by one inside a command at the first invocation, which waits for it.
//!
//! A function's timeout is real time, however fast the sandbox's clock runs: so is the time of what it
//! limits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::lines::Lines;
use super::{environments, reach, remove, with_causes};
use crate::authority::{self, Principal, Request, Session};
use crate::clock::real_sleep;
use crate::fault::Fault;
use crate::runners::lambda::{FunctionSpec, Initialization, LogSink, Pool};
use crate::runners::process::{Line, LineSink};
use crate::services::iam;
use crate::services::lambda::{Backend, FunctionVersion, Invocation, Invoked};
use crate::state::SandboxState;

/// Where code is unpacked. Nothing in it outlives the process.
const FOLDER: &str = "run/lambda";

/// AWS ends idle environments after some minutes; it does not say how many.
const IDLE: Duration = Duration::from_secs(600);

/// Runs functions, and ends their idle environments.
pub(super) fn functions(shared: &SandboxState) -> Functions {
    // What a killed process left. If it stays, it costs its space only.
    let _ = remove(&shared.root.join(FOLDER));
    let functions = Functions::default();
    shared.spawn(keep(EndOnDrop(functions.clone())));
    functions
}

/// Ends idle environments from time to time, and all of them when the sandbox stops (when this is dropped).
async fn keep(functions: EndOnDrop) {
    loop {
        real_sleep(IDLE / 10).await;
        for version in functions.0.all().values() {
            if let Some(running) = version.running.get() {
                running.pool.reap(IDLE);
            }
        }
    }
}

struct EndOnDrop(Functions);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.all().clear();
    }
}

/// Region, name and version.
type Key = (String, String, String);

/// The versions that ran in this process.
#[derive(Clone, Default)]
pub(super) struct Functions(Arc<Mutex<HashMap<Key, Arc<Version>>>>);

/// One version. Only the last fingerprint of it has environments.
struct Version {
    fingerprint: String,
    running: OnceCell<Running>,
}

struct Running {
    pool: Pool,
    lines: Arc<Lines>,
    /// The unpacked code. Last, because the environments use it.
    files: TempDir,
}

impl Running {
    /// A text with the paths that the function's files have on AWS.
    fn inside(&self, text: &str) -> String {
        text.replace(&*self.files.path().to_string_lossy(), "")
    }
}

fn key(version: &FunctionVersion) -> Key {
    (version.region.clone(), version.name.clone(), version.version.clone())
}

impl Functions {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Arc<Version>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its place here. What ran there with another fingerprint may end.
    fn place(&self, version: &FunctionVersion) -> Arc<Version> {
        let fresh =
            || Arc::new(Version { fingerprint: version.fingerprint.clone(), running: OnceCell::new() });
        let mut all = self.all();
        let place = all.entry(key(version)).or_insert_with(fresh);
        if place.fingerprint != version.fingerprint {
            *place = fresh();
        }
        Arc::clone(place)
    }
}

impl Version {
    /// Its environments; unpacks the code first if need be. One that failed to open is tried again.
    async fn running(
        &self,
        shared: &Arc<SandboxState>,
        version: &FunctionVersion,
    ) -> Result<&Running, String> {
        self.running.get_or_try_init(|| open(shared, version)).await
    }
}

async fn open(shared: &Arc<SandboxState>, version: &FunctionVersion) -> Result<Running, String> {
    let failed = |error: &dyn std::error::Error| with_causes(error);
    iam::note_use(shared, &version.role, &version.region).map_err(|fault| fault.message)?;
    let files = shared.folder(FOLDER).and_then(TempDir::new_in).map_err(|error| failed(&error))?;
    let environments = environments(shared, Some(&version.runtime)).await.map_err(|error| failed(&error))?;
    let lines = Lines::new(shared, &version.region, &version.log_group);
    let (kept, root) = (Arc::clone(&lines), files.path().to_string_lossy().into_owned());
    let writes = may_log(shared, version);
    let sink: LogSink = Arc::new(move |stream: &str, line: Line| {
        if writes {
            kept.push(stream, line.text.replace(&root, ""));
        }
    });
    // The first line says what is being made; the others are pip's.
    let (progress, name, told) = (shared.progress.clone(), version.name.clone(), Once::new());
    let progress: LineSink = Arc::new(move |line: Line| {
        told.call_once(|| progress.say(&format!("{} (only once; {name} waits for it)", line.text)));
        tracing::info!("{}", line.text);
    });
    if version.layered {
        shared
            .progress
            .say(&format!("{}: the sandbox has no layers, so none of their files is there", version.name));
    }
    let pool = Pool::open(spec(shared, version), &environments, files.path(), sink, &progress).await;
    Ok(Running { pool: pool.map_err(|error| failed(&error))?, lines, files })
}

fn session(version: &FunctionVersion) -> Session {
    Session::new(&version.role, &version.name)
}

/// Whether the role may write the function's log. Without that, nobody is told, and there is none
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>).
fn may_log(shared: &SandboxState, version: &FunctionVersion) -> bool {
    let principal = Principal::Session(session(version));
    let input = json!({"logGroupName": version.log_group, "logStreamName": version.version});
    ["CreateLogStream", "PutLogEvents"].into_iter().all(|operation| {
        let (service, region) = ("logs", &version.region);
        let request = Request { principal: &principal, service, operation, region, input: &input };
        authority::authorize(shared, &request).is_ok()
    })
}

fn spec(shared: &SandboxState, version: &FunctionVersion) -> FunctionSpec {
    FunctionSpec {
        name: version.name.clone(),
        version: version.version.clone(),
        code: version.code.clone(),
        handler: version.handler.clone(),
        runtime: version.runtime.clone(),
        memory_mb: version.memory_mb,
        timeout: version.timeout,
        environment: version.environment.clone(),
        log_group: version.log_group.clone(),
        reach: reach(shared, &version.region, Some(&session(version))),
    }
}

/// Makes provisioned environments that are told to be ready. One that fails now shows when it is invoked.
async fn again(pool: &Pool, version: &FunctionVersion, count: usize) {
    if let Err(failure) = pool.provision(count).await {
        tracing::debug!(function = version.name, %failure, "provisioned concurrency was not made again");
    }
}

/// An error document in a line or two: its kind, its message, and the last place of its stack.
fn told(document: &str) -> String {
    let Ok(error) = serde_json::from_str::<Value>(document) else { return document.to_owned() };
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    let place = error["stackTrace"].as_array().and_then(|stack| stack.last()).and_then(Value::as_str);
    let place = place.map(|place| format!("\n  {}", place.trim())).unwrap_or_default();
    format!("{}: {}{place}", text("errorType"), text("errorMessage"))
}

/// The function cannot run on this machine. Trying again does not help, and no SDK tries a 501 again.
fn cannot_run(reason: &str) -> Fault {
    Fault::new(501, "ServiceException", format!("the sandbox cannot run this function: {reason}"))
}

impl Backend for Functions {
    fn invoke(
        &self,
        shared: Arc<SandboxState>,
        version: FunctionVersion,
        invocation: Invocation,
    ) -> BoxFuture<'static, Result<Invoked, Fault>> {
        let place = self.place(&version);
        Box::pin(async move {
            let running = place.running(&shared, &version).await.map_err(|reason| cannot_run(&reason))?;
            let Running { pool, lines, .. } = running;
            let wanted = usize::try_from(version.provisioned).unwrap_or(usize::MAX);
            // A restart lost them. The first is waited for; invocations that come meanwhile spill over, as on
            // AWS.
            let lost = pool.provisioned().requested == 0 && wanted > 0;
            if lost {
                again(pool, &version, 1).await;
            }
            let ended = pool.invoke(invocation).await;
            lines.flush();
            if lost && wanted > 1 {
                let (pool, version) = (pool.clone(), version);
                shared.spawn(async move { again(&pool, &version, wanted).await });
            }
            let ended = ended.map_err(|error| cannot_run(&with_causes(&error)))?;
            Ok(Invoked {
                log_tail: running.inside(&ended.log_tail()),
                payload: match &ended.function_error {
                    // A stack trace names files.
                    Some(_) => running.inside(&String::from_utf8_lossy(&ended.payload)).into(),
                    None => ended.payload,
                },
                function_error: ended.function_error.map(str::to_owned),
                duration: ended.duration,
                provisioned: ended.initialization == Initialization::ProvisionedConcurrency,
            })
        })
    }

    fn provision(
        &self,
        shared: Arc<SandboxState>,
        version: FunctionVersion,
        count: u32,
    ) -> BoxFuture<'static, Result<(), String>> {
        // To end environments, none need to be opened.
        let known = self.all().get(&key(&version)).is_some_and(|place| place.running.initialized());
        if count == 0 && !known {
            return Box::pin(async { Ok(()) });
        }
        let place = self.place(&version);
        Box::pin(async move {
            let running = place.running(&shared, &version).await?;
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let provisioned = running.pool.provision(count).await;
            running.lines.flush();
            provisioned.map_err(|failure| running.inside(&told(&failure.document)))
        })
    }

    fn discard(&self, _: &SandboxState, version: &FunctionVersion) {
        let mut all = self.all();
        if all.get(&key(version)).is_some_and(|place| place.fingerprint == version.fingerprint) {
            all.remove(&key(version));
        }
    }
}
