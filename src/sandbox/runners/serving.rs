//! A hosting instance's container as a local process: one model server (docs/aws/sagemaker-endpoints.md).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::ApiAccess;
use super::archive::unpack_tar_gz;
use super::container::{ContainerFolders, ShortTemporary, text};
use super::families::{Handlers, Played};
use super::loopback::{self, Reply};
use super::process::{Line, LineSink, Process, Program, SYSTEM_PATH, keep_tail};
use super::python::contents::Contents;
use super::python::{Environments, PythonError, Wanted, path_of_the_folder};

const SERVER: &str = include_str!("model_server.py");
/// Where the code of a model is, when its environment does not say.
const PROGRAM: &str = "inference.py";
/// Where servers run pip that do not in the folder of the code.
const ELSEWHERE: &str = "/";
const LISTENING: &str = "opsctl-listening ";

/// A container must pass `/ping` within 4 minutes unless the start-up time-out is raised
/// (docs/aws/sagemaker-endpoints.md#container-contract).
pub const STARTUP_LIMIT: Duration = Duration::from_secs(240);
/// `/ping` must answer within 2 s, `/invocations` within 60 s; SIGKILL comes 30 s after SIGTERM
/// (docs/aws/sagemaker-endpoints.md#container-contract).
const PING_LIMIT: Duration = Duration::from_secs(2);
const INVOKE_LIMIT: Duration = Duration::from_secs(60);
const STOP_GRACE: Duration = Duration::from_secs(30);

/// One instance of a variant, ready to start.
#[derive(Clone, Debug)]
pub struct ModelServerSpec {
    /// The private root: the container's `/opt/ml` is `<root>/opt/ml`.
    pub root: PathBuf,
    /// `model.tar.gz`.
    pub model: PathBuf,
    /// The code's own archive, when `SAGEMAKER_SUBMIT_DIRECTORY` names one in S3; else the code is `code/` of
    /// the model.
    pub code: Option<PathBuf>,
    /// Whose defaults do what the code does not.
    pub handlers: Handlers,
    /// How the image is played where no code is with the model.
    pub alone: Played,
    /// The model's environment, with `SAGEMAKER_PROGRAM` (default `inference.py`).
    pub environment: BTreeMap<String, String>,
    /// What the container image brings ([`super::python::CONTAINER_PACKAGES`]); `requirements.txt` comes on
    /// top.
    pub packages: Vec<String>,
    /// The rest of it, of which the code gets what it imports, and what the defaults need.
    pub contents: Option<Contents>,
    /// For loading the model, without the installation of packages.
    pub startup_limit: Duration,
    pub reach: ApiAccess,
}

/// Why an instance does not serve. AWS only says that the ping health check did not pass and points to the
/// log; this says more.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct StartFailure {
    pub cause: StartCause,
    /// The last lines of the container's log.
    pub log_tail: Vec<String>,
}

/// Why a model server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartCause {
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error("the model archive cannot be used: {0}")]
    Archive(#[source] io::Error),
    #[error("the model has no code, and {0}")]
    NotPlayed(&'static str),
    #[error(
        "requirements.txt has {path}, and AWS's server for this image runs pip in another folder than that \
         of the code, where there is none. Modules beside the script are imported without being installed; \
         a package of yours can lie there too, or be named by an address"
    )]
    InstalledElsewhere { path: String },
    #[error("the model server cannot be started: {0}")]
    Io(#[from] io::Error),
    #[error("the model server ended while it loaded the model: {last_line}")]
    Ended { last_line: String },
    #[error("the model server did not answer /ping within {} s", .limit.as_secs())]
    TimedOut { limit: Duration },
}

/// Why an instance gave no answer at all. Any answer, also an error of the user's handler, is a [`Reply`].
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// AWS's text, as `OriginalMessage` of the ModelError.
    #[error(
        "Your invocation timed out while waiting for a response from container primary. \
         Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try \
         again."
    )]
    TimedOut,
    #[error("the model server is gone: {0}")]
    Gone(#[source] io::Error),
}

/// A running instance. Dropping it kills the server.
#[derive(Debug)]
pub struct ModelServer {
    process: Process,
    port: u16,
    _temporary: ShortTemporary,
}

impl ModelServer {
    /// Unpacks the archive, installs `code/requirements.txt`, loads the model, waits for `/ping`.
    pub async fn start(
        spec: ModelServerSpec,
        environments: &Environments,
        sink: LineSink,
    ) -> Result<Self, StartFailure> {
        let (sink, tail) = keep_tail(sink, 50);
        let started = Self::load(&spec, environments, sink).await;
        started.map_err(|cause| {
            let log_tail = tail.lines();
            let cause = match cause {
                StartCause::Ended { .. } => {
                    StartCause::Ended { last_line: log_tail.last().cloned().unwrap_or_default() }
                }
                other => other,
            };
            StartFailure { cause, log_tail }
        })
    }

    async fn load(
        spec: &ModelServerSpec,
        environments: &Environments,
        sink: LineSink,
    ) -> Result<Self, StartCause> {
        let layout = ContainerFolders::new(&spec.root);
        layout.create()?;
        unpack_tar_gz(&spec.model, &layout.model()).await.map_err(StartCause::Archive)?;
        let code = spec.code(&layout).await?;
        if let (Played::Not(why), false) = (&spec.alone, code.is_dir()) {
            return Err(StartCause::NotPlayed(why));
        }
        let program = spec.environment.get("SAGEMAKER_PROGRAM").map_or(PROGRAM, String::as_str);
        let held = match &spec.contents {
            Some(image) => image.needed(&environments.python, &code, program, Some(spec.handlers)).await,
            None => Vec::new(),
        };
        let wanted = Wanted { packages: spec.packages.clone(), held, ..Wanted::default() };
        let requirements = code.join("requirements.txt");
        let wanted = if spec.handlers.installs_in_the_folder() {
            wanted.and_package(&code).and_file(&requirements)
        } else if let Some(path) = path_of_the_folder(&requirements) {
            return Err(StartCause::InstalledElsewhere { path });
        } else {
            wanted.and_file(&requirements).installed_in(Path::new(ELSEWHERE))
        };
        let venv = environments.of_job(&wanted, layout.python(), &sink).await?;

        let script = spec.root.join("model_server.py");
        std::fs::write(&script, SERVER)?;
        let temporary = ShortTemporary::new(&layout.temporary())?;
        let program = Program::new(venv.python(), &spec.root)
            .args([script.as_os_str(), layout.model().as_os_str(), code.as_os_str()])
            .args([spec.handlers.as_str()])
            .envs([("PATH", format!("{}:{SYSTEM_PATH}", venv.bin().display()))])
            .envs([("SAGEMAKER_PROGRAM", PROGRAM), ("SAGEMAKER_REGION", &spec.reach.region)])
            .envs(layout.environment(&spec.reach, &spec.environment, &temporary))
            .envs([
                ("SAGEMAKER_BASE_DIR", text(layout.ml())),
                ("SAGEMAKER_SUBMIT_DIRECTORY", text(&code)),
                ("SM_MODEL_DIR", text(layout.model())),
                ("PYTHONPATH", text(&code)),
            ]);
        let (port, listening) = take_port(sink);
        let process = Process::start(&program, port)?;
        let ready = async {
            let port = listening.await.map_err(|_| StartCause::Ended { last_line: String::new() })?;
            let server = Self { process, port, _temporary: temporary };
            if server.ping().await { Ok(server) } else { Err(StartCause::TimedOut { limit: PING_LIMIT }) }
        };
        timeout(spec.startup_limit, ready)
            .await
            .unwrap_or(Err(StartCause::TimedOut { limit: spec.startup_limit }))
    }

    /// Whether `/ping` answers 200 within 2 s.
    pub async fn ping(&self) -> bool {
        let ping = loopback::send(self.port, Method::GET, "/ping", &[], Bytes::new());
        matches!(timeout(PING_LIMIT, ping).await, Ok(Ok(Reply { status: 200, .. })))
    }

    /// `POST /invocations`. A handler that raised is a reply with status 500 and the traceback as body: AWS
    /// turns it into ModelError 424 with `OriginalStatusCode` and `OriginalMessage`.
    pub async fn invoke(
        &self,
        body: Bytes,
        content_type: Option<&str>,
        accept: Option<&str>,
    ) -> Result<Reply, InvokeError> {
        let headers: Vec<_> = [("Content-Type", content_type), ("Accept", accept)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let call = loopback::send(self.port, Method::POST, "/invocations", &headers, body);
        match timeout(INVOKE_LIMIT, call).await {
            Ok(reply) => reply.map_err(InvokeError::Gone),
            Err(_) => Err(InvokeError::TimedOut),
        }
    }

    /// Scale-in: SIGTERM, then SIGKILL after 30 s.
    pub async fn stop(self) {
        self.process.terminate(STOP_GRACE).await;
    }

    /// Whether the server has ended by itself; AWS then replaces the instance.
    pub fn ended(&self) -> bool {
        self.process.ended().is_some()
    }
}

impl ModelServerSpec {
    async fn code(&self, layout: &ContainerFolders) -> Result<PathBuf, StartCause> {
        if let Some(archive) = &self.code {
            unpack_tar_gz(archive, &layout.code()).await.map_err(StartCause::Archive)?;
            return Ok(layout.code());
        }
        let named =
            self.environment.get("SAGEMAKER_SUBMIT_DIRECTORY").filter(|path| path.starts_with("/opt/ml/"));
        Ok(named
            .map_or_else(|| layout.model().join("code"), |path| Path::new(&layout.rerooted(path)).to_owned()))
    }
}

/// Takes the server's line with its port out of the log. The receiver fails when the log ends without one.
fn take_port(sink: LineSink) -> (LineSink, oneshot::Receiver<u16>) {
    let (send, receive) = oneshot::channel();
    let send = Mutex::new(Some(send));
    let sink: LineSink = Arc::new(move |line: Line| {
        let Some(port) = line.text.strip_prefix(LISTENING).and_then(|port| port.parse().ok()) else {
            return sink(line);
        };
        let waiting = send.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            // Nobody waits any more when the start-up limit has passed.
            let _ = waiting.send(port);
        }
    });
    (sink, receive)
}
