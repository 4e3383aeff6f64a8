//! One execution environment: one process that initializes once and then takes one invocation at a time.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::report::Breakdown;
use super::runtime_api::{Event, RuntimeApi, Work};
use super::{FunctionSpec, Invocation, LogSink, Prepared};
use crate::runners::container::text;
use crate::runners::process::{Line, LineSink, Process, Program, SYSTEM_PATH};

/// Before each poll the bootstrap writes this line.
const MARK: &str = "\u{1e}opsctl-next";
/// How often the memory of a running invocation is looked at.
const MEMORY_PERIOD: Duration = Duration::from_millis(50);
/// How long the log lines of a finished invocation are waited for.
const LOG_DRAIN: Duration = Duration::from_secs(1);

/// Whose environment it is: the value of AWS_LAMBDA_INITIALIZATION_TYPE
/// (docs/aws/lambda.md#provisioned-concurrency).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initialization {
    OnDemand,
    ProvisionedConcurrency,
}

impl Initialization {
    fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::ProvisionedConcurrency => "provisioned-concurrency",
        }
    }
}

/// How an init or an invocation ended.
#[derive(Debug)]
pub(super) enum End {
    Answered(Bytes),
    /// The error document that the runtime made: the function raised, or its module cannot be imported.
    Raised(Bytes),
    Broken(Breakdown),
}

impl End {
    /// `errorType` of its error document, if it is an error.
    pub fn error_type(&self) -> Option<String> {
        match self {
            Self::Answered(_) => None,
            Self::Raised(body) => {
                let document: serde_json::Value = serde_json::from_slice(body).ok()?;
                document["errorType"].as_str().map(str::to_owned)
            }
            Self::Broken(breakdown) => Some(breakdown.error_type().to_owned()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Environment {
    pub stream: String,
    pub kind: Initialization,
    /// How long the init took.
    pub init: Duration,
    pub idle_since: Instant,
    process: Process,
    api: RuntimeApi,
    log: Log,
    /// How often the runtime asked for work; it marked its log as often.
    polls: u64,
    memory_mb: u32,
    /// The largest memory seen so far, in MB.
    pub peak_mb: u32,
    /// Its `/tmp`, which goes with it.
    _temporary: TempDir,
}

impl Environment {
    /// Starts the process. [`Self::initialize`] waits for it.
    pub async fn start(
        spec: &FunctionSpec,
        prepared: &Prepared,
        kind: Initialization,
        stream: String,
        sink: LogSink,
    ) -> io::Result<Self> {
        let api = RuntimeApi::open().await?;
        let temporary = TempDir::new_in(&prepared.temporary)?;
        let program = program(spec, prepared, kind, &stream, api.port)
            .envs([("HOME", text(&prepared.root)), ("TMPDIR", text(temporary.path()))]);
        let log = Log::new(stream.clone(), sink);
        let python = &prepared.python;
        let played = match spec.runtime == *python {
            true => "opsctl sandbox".to_owned(),
            false => format!("opsctl sandbox, with {python}: packages compiled for another do not load"),
        };
        log.platform(format!("INIT_START Runtime Version: {} ({played})", spec.runtime));
        let process = Process::start(&program, log.sink())?;
        let now = Instant::now();
        Ok(Self {
            stream,
            kind,
            init: Duration::ZERO,
            idle_since: now,
            process,
            api,
            log,
            polls: 0,
            memory_mb: spec.memory_mb,
            peak_mb: 0,
            _temporary: temporary,
        })
    }

    /// Waits until the runtime asks for work. The first init of an on-demand environment has 10 s (AWS:
    /// "Lambda runtime environment", init phase).
    pub async fn initialize(&mut self, limit: Duration) -> Result<(), End> {
        let begun = Instant::now();
        let end = self.run_until(begun + limit, limit, true).await;
        self.init = begun.elapsed();
        self.log.wait_for_marks(self.polls).await;
        match end {
            None => Ok(()),
            Some(end) => Err(end),
        }
    }

    /// One invocation, at most `limit` long. Afterwards the environment is free, unless the end is `Broken`.
    pub async fn invoke(
        &mut self,
        invocation: &Invocation,
        deadline: Instant,
        limit: Duration,
    ) -> (End, Duration) {
        let begun = Instant::now();
        let left = deadline.saturating_duration_since(Instant::now());
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let work = Work {
            request_id: invocation.request_id.clone(),
            invoked_arn: invocation.invoked_arn.clone(),
            deadline_ms: (since_epoch + left).as_millis(),
            client_context: invocation.client_context.clone(),
            payload: invocation.payload.clone(),
        };
        if !self.api.give(work).await {
            return (End::Broken(Breakdown::Exited("the Runtime API is closed".to_owned())), begun.elapsed());
        }
        let mut answer = None;
        let end = loop {
            match self.run_until(deadline, limit, answer.is_some()).await {
                None => break answer.take().expect("readiness is only waited for after an answer"),
                // The runtime still has to come back for more before it is free.
                Some(end @ (End::Answered(_) | End::Raised(_))) => answer = Some(end),
                Some(broken) => break broken,
            }
        };
        let duration = begun.elapsed();
        self.log.wait_for_marks(self.polls).await;
        // A spike between two looks is still in the process's own peak.
        self.look_at_memory().await;
        let end = if self.peak_mb > self.memory_mb { self.out_of_memory().await } else { end };
        (end, duration)
    }

    /// Waits for the next thing that matters; `None` is readiness (waited for only if `ready` is asked).
    async fn run_until(&mut self, deadline: Instant, limit: Duration, ready: bool) -> Option<End> {
        loop {
            let step = (Instant::now() + MEMORY_PERIOD).min(deadline);
            tokio::select! {
                biased;
                event = self.api.events.recv() => match event {
                    Some(Event::Ready) => {
                        self.polls += 1;
                        if ready {
                            return None;
                        }
                    }
                    Some(Event::Response(body)) => return Some(End::Answered(body)),
                    Some(Event::Error(body) | Event::InitError(body)) => {
                        return Some(End::Raised(body));
                    }
                    Some(Event::TooLarge) => return Some(End::Broken(Breakdown::TooLarge)),
                    None => {
                        let why = "the Runtime API is closed".to_owned();
                        return Some(End::Broken(Breakdown::Exited(why)));
                    }
                },
                status = self.process.wait() => return Some(End::Broken(exited(status))),
                _ = timeout_at(step, std::future::pending::<()>()) => {
                    if Instant::now() >= deadline {
                        self.process.kill();
                        self.process.wait().await;
                        return Some(End::Broken(Breakdown::TimedOut(limit)));
                    }
                    self.look_at_memory().await;
                    if self.peak_mb > self.memory_mb {
                        return Some(self.out_of_memory().await);
                    }
                }
            }
        }
    }

    /// AWS's memory limit is the container's; its kernel kills the process. We look at the resident memory
    /// and do the same. (`RLIMIT_AS` counts reserved addresses, of which Python with an SDK takes hundreds of
    /// MB.)
    async fn out_of_memory(&mut self) -> End {
        self.process.kill();
        let status = self.process.wait().await;
        End::Broken(exited(status))
    }

    async fn look_at_memory(&mut self) {
        if let Some(peak) = peak_resident_mb(self.process.pid()).await {
            self.peak_mb = self.peak_mb.max(peak);
        }
    }

    /// Begins the log of an invocation: what follows is kept for its log tail.
    pub fn begin_log(&self, first: String) {
        self.take_log();
        self.log.platform(first);
    }

    /// Adds to the log of the invocation.
    pub fn write_log(&self, text: String) {
        self.log.platform(text);
    }

    /// The log so far, which is empty then.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.kept())
    }

    /// Whether the process ended while nobody used it.
    pub fn ended(&self) -> bool {
        self.process.ended().is_some()
    }
}

fn exited(status: Option<ExitStatus>) -> Breakdown {
    let how = match status {
        Some(status) => match (status.signal(), status.code()) {
            (Some(9), _) => "signal: killed".to_owned(),
            (Some(11), _) => "signal: segmentation fault".to_owned(),
            (Some(signal), _) => format!("signal: {signal}"),
            (None, code) => format!("exit status {}", code.unwrap_or_default()),
        },
        None => "signal: killed".to_owned(),
    };
    Breakdown::Exited(how)
}

/// The environment variables that AWS defines (lambda/latest/dg/configuration-envvars), and the user's own,
/// which cannot replace them.
fn program(
    spec: &FunctionSpec,
    prepared: &Prepared,
    kind: Initialization,
    stream: &str,
    port: u16,
) -> Program {
    let memory = spec.memory_mb.to_string();
    let api = format!("127.0.0.1:{port}");
    let execution = format!("AWS_Lambda_{}", spec.runtime);
    let task_root = text(&prepared.task_root);
    let reserved = [
        ("_HANDLER", spec.handler.as_str()),
        ("AWS_EXECUTION_ENV", &execution),
        ("AWS_LAMBDA_FUNCTION_NAME", &spec.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", &spec.version),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &spec.log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", stream),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", kind.name()),
        ("AWS_LAMBDA_RUNTIME_API", &api),
        ("LAMBDA_TASK_ROOT", &task_root),
    ];
    Program::new(prepared.venv.python(), &prepared.task_root)
        .args([prepared.runtime_directory.join("bootstrap.py"), prepared.venv.foreign()])
        .envs([("PATH", format!("{}:{SYSTEM_PATH}", prepared.venv.bin().display()))])
        .envs([("TZ", ":UTC")])
        .envs(&spec.environment)
        .envs(spec.reach.environment())
        .envs(reserved)
}

/// The log of one environment: lines go to the caller's sink, and are kept while an invocation runs.
#[derive(Clone)]
struct Log {
    stream: String,
    sink: LogSink,
    kept: Arc<Mutex<Vec<String>>>,
    marks: Arc<watch::Sender<u64>>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Log {
    fn new(stream: String, sink: LogSink) -> Self {
        Self { stream, sink, kept: Arc::default(), marks: Arc::new(watch::Sender::new(0)) }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: Line) {
        self.kept().push(line.text.clone());
        (self.sink)(&self.stream, line);
    }

    /// A line of Lambda's own.
    fn platform(&self, text: String) {
        self.write(Line { at: SystemTime::now(), text });
    }

    fn sink(&self) -> LineSink {
        let log = self.clone();
        Arc::new(move |line: Line| match line.text.strip_suffix(MARK) {
            // The runtime client separates the lines of one event by carriage returns.
            None => log.write(Line { text: line.text.replace('\r', "\n"), ..line }),
            Some(before) => {
                if !before.is_empty() {
                    log.write(Line { text: before.to_owned(), ..line });
                }
                log.marks.send_modify(|count| *count += 1);
            }
        })
    }

    /// Waits for the lines before the given number of marks. Without a mark (the process died) the lines that
    /// came are what there is.
    async fn wait_for_marks(&self, count: u64) {
        let mut marks = self.marks.subscribe();
        let _ = timeout(LOG_DRAIN, marks.wait_for(|seen| *seen >= count)).await;
    }
}

/// The largest resident memory of a process so far, in MB; on systems without `/proc`, the present one.
async fn peak_resident_mb(pid: u32) -> Option<u32> {
    let kilobytes: u64 = if Path::new("/proc/self/status").exists() {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()?
    } else {
        let output = Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output().await.ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()?
    };
    u32::try_from(kilobytes.div_ceil(1024)).ok()
}
