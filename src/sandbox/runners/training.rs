//! A training job's container as a local process (docs/aws/sagemaker-training.md).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::ApiAccess;
use super::archive::{is_empty, pack_tar_gz, unpack_tar_gz};
use super::container::{ContainerFolders, Hyperparameters, Job, ShortTemporary};
use super::process::{Line, LineSink, Process, Program, SYSTEM_PATH, Tail, keep_tail};
use super::python::contents::Contents;
use super::python::{Environments, PythonError, Wanted};

/// SageMaker waits so long between SIGTERM and SIGKILL (docs/aws/sagemaker-training.md#states).
pub const STOP_GRACE: Duration = Duration::from_secs(120);

/// `FailureReason` holds so many characters (docs/aws/sagemaker-training.md#failure-reasons).
const LONGEST_REASON: usize = 1024;

/// Enough lines for the longest traceback that fits a `FailureReason`.
const KEPT_LINES: usize = 200;

/// One training job, ready to start.
#[derive(Clone, Debug)]
pub struct TrainingRun {
    /// The private root: the container's `/opt/ml` is `<root>/opt/ml`. A restart with the same root finds its
    /// checkpoints.
    pub root: PathBuf,
    /// The user's `sourcedir.tar.gz`.
    pub source: PathBuf,
    /// The entry point inside it: `train.py`, or a shell script.
    pub program: String,
    /// Channel names with the directories that hold their files.
    pub channels: Vec<(String, PathBuf)>,
    /// How each is brought, as `inputdataconfig.json` says it.
    pub input: Value,
    pub hyperparameters: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    pub job_name: String,
    pub job_arn: String,
    pub instance_type: String,
    /// What the container image brings ([`super::python::CONTAINER_PACKAGES`]); `requirements.txt` comes on
    /// top.
    pub packages: Vec<String>,
    /// The rest of it, of which the code gets what it imports.
    pub contents: Option<Contents>,
    pub max_runtime: Duration,
    pub reach: ApiAccess,
}

/// Why a job did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The user's side; the text is a `FailureReason` as AWS writes it.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Python(PythonError),
    #[error("the container of training job {job} cannot be prepared")]
    Io {
        job: String,
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// The text for `FailureReason`. What AWS has no words for (no Python, no network) comes as
    /// `ClientError`.
    pub fn failure_reason(&self) -> String {
        let text = match self {
            Self::Refused(reason) => reason.clone(),
            Self::Python(error) => format!("ClientError: {error}"),
            Self::Io { source, .. } => format!("ClientError: {self}: {source}"),
        };
        cut(&text, LONGEST_REASON).to_owned()
    }
}

/// The three kinds of entry point of AWS's toolkit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// With a `setup.py`: a module.
    Package,
    /// A Python script.
    Script,
    /// Anything else, for the shell.
    Command,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrainingEnd {
    Completed,
    /// `FailureReason` as AWS writes it, at most 1024 characters.
    Failed {
        reason: String,
    },
    /// By [`Training::stop`]: what is in the model directory is still uploaded
    /// (docs/aws/sagemaker-training.md#states).
    Stopped,
    /// Ends as `Stopped` with secondary status `MaxRuntimeExceeded` (docs/aws/sagemaker-training.md#states).
    MaxRuntimeExceeded,
    /// By [`Training::interrupt`]: a spot interruption. Start the run again with the same root or
    /// checkpoints.
    Interrupted,
}

/// What a job left, as archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifacts {
    /// `model.tar.gz`; none when the script saved nothing.
    pub model: Option<PathBuf>,
    /// `output.tar.gz`; none when the script wrote no output data.
    pub output: Option<PathBuf>,
}

/// For what the sandbox itself has to say in the end.
struct Log(LineSink);

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

/// A running (or ended) job. Dropping it kills the script.
#[derive(Debug)]
pub struct Training {
    process: Process,
    log: Log,
    layout: ContainerFolders,
    _temporary: ShortTemporary,
    command: String,
    tail: Tail,
    deadline: Instant,
    /// Who ended it, if it was not the script itself. The first one counts.
    ended_by: OnceLock<TrainingEnd>,
}

impl TrainingRun {
    /// Unpacks the source, installs `requirements.txt`, writes the contract's files and starts the script.
    /// Dropping the future before it is done stops the preparation.
    pub async fn start(self, environments: &Environments, sink: LineSink) -> Result<Training, StartError> {
        let layout = ContainerFolders::new(&self.root);
        let io_error = |source| StartError::Io { job: self.job_name.clone(), source };
        self.lay_out(&layout).await.map_err(io_error)?;
        self.make_executable(&layout).map_err(io_error)?;

        let requirements = layout.code().join("requirements.txt");
        let held = match &self.contents {
            Some(image) => image.needed(&environments.python, &layout.code(), &self.program, None).await,
            None => Vec::new(),
        };
        let wanted = Wanted { packages: self.packages.clone(), held, ..Wanted::default() };
        let wanted = wanted.and_package(&layout.code()).and_file(&requirements);
        let venv = environments.of_job(&wanted, layout.python(), &sink).await.map_err(install_failure)?;

        let hyperparameters = Hyperparameters::new(&self.hyperparameters, &layout);
        let names: Vec<String> = self.channels.iter().map(|(name, _)| name.clone()).collect();
        let job = Job {
            name: &self.job_name,
            arn: &self.job_arn,
            program: &self.program,
            instance_type: &self.instance_type,
            region: &self.reach.region,
            channels: &names,
            input: &self.input,
            hyperparameters: &hyperparameters,
        };
        job.write_config(&layout).map_err(io_error)?;

        let temporary = ShortTemporary::new(&layout.temporary()).map_err(io_error)?;
        let program = self
            .command(&layout, &venv.python(), hyperparameters.arguments())
            .envs([("PATH", format!("{}:{SYSTEM_PATH}", venv.bin().display()))])
            .envs(layout.environment(&self.reach, &self.environment, &temporary))
            .envs(job.environment(&layout));
        let (kept, tail) = keep_tail(Arc::clone(&sink), KEPT_LINES);
        let process = Process::start(&program, kept).map_err(io_error)?;
        Ok(Training {
            process,
            log: Log(sink),
            command: program.shown(),
            layout,
            _temporary: temporary,
            tail,
            deadline: Instant::now() + self.max_runtime,
            ended_by: OnceLock::new(),
        })
    }

    /// A restart after an interruption is a new instance: of the former one only the checkpoints are left.
    async fn lay_out(&self, layout: &ContainerFolders) -> io::Result<()> {
        for left in [layout.code(), layout.model(), layout.output()] {
            if left.exists() {
                std::fs::remove_dir_all(left)?;
            }
        }
        layout.create()?;
        unpack_tar_gz(&self.source, &layout.code()).await?;
        for (name, directory) in &self.channels {
            let channel = layout.channel(name);
            if channel != *directory && !channel.exists() {
                std::os::unix::fs::symlink(std::path::absolute(directory)?, channel)?;
            }
        }
        Ok(())
    }

    /// What kind of entry point it is (`entry_point_type.py` of AWS's toolkit).
    fn entry(&self, layout: &ContainerFolders) -> Entry {
        if layout.code().join("setup.py").is_file() {
            Entry::Package
        } else if self.program.ends_with(".py") {
            Entry::Script
        } else {
            Entry::Command
        }
    }

    /// A command need not be executable in the archive: the toolkit makes it so
    /// (<https://github.com/aws/sagemaker-training-toolkit/blob/master/src/sagemaker_training/entry_point.py>,
    /// `install`).
    fn make_executable(&self, layout: &ContainerFolders) -> io::Result<()> {
        if self.entry(layout) != Entry::Command {
            return Ok(());
        }
        // Only what came with the archive. What is not there, or is elsewhere, the shell will say.
        let (code, command) =
            (layout.code().canonicalize()?, layout.code().join(&self.program).canonicalize());
        match command {
            Ok(command) if command.starts_with(&code) && command.is_file() => {
                std::fs::set_permissions(command, std::fs::Permissions::from_mode(0o777))
            }
            _ => Ok(()),
        }
    }

    fn command(&self, layout: &ContainerFolders, python: &Path, arguments: Vec<String>) -> Program {
        let code = layout.code();
        match self.entry(layout) {
            Entry::Package => {
                let module = self.program.strip_suffix(".py").unwrap_or(&self.program);
                Program::new(python, &code).args(["-m", module]).args(arguments)
            }
            Entry::Script => Program::new(python, &code).args([&self.program]).args(arguments),
            Entry::Command => {
                let command = std::iter::once(format!("./{}", self.program));
                let line = command.chain(arguments).collect::<Vec<_>>().join(" ");
                Program::new("/bin/sh", &code).args(["-c", &line])
            }
        }
    }
}

impl Training {
    /// The container's directories: `model()`, `output_data()`, `checkpoints()`.
    pub fn layout(&self) -> &ContainerFolders {
        &self.layout
    }

    /// Waits for the end; enforces the time limit.
    pub async fn outcome(&self) -> TrainingEnd {
        let status = match timeout_at(self.deadline, self.process.wait()).await {
            Ok(status) => status,
            Err(_) => self.end(TrainingEnd::MaxRuntimeExceeded, STOP_GRACE).await,
        };
        if let Some(status) = status.filter(|_| self.ended_by.get().is_none()) {
            self.say_of_paths(status);
        }
        match (self.ended_by.get(), status) {
            (Some(outcome), _) => outcome.clone(),
            (None, Some(status)) if status.success() => TrainingEnd::Completed,
            (None, Some(status)) => TrainingEnd::Failed { reason: self.failure_reason(status) },
            (None, None) => TrainingEnd::Interrupted, // the sandbox itself shuts down
        }
    }

    /// What a script wrote to `/opt/ml` itself is in no model, and what it looks for there is not found.
    fn say_of_paths(&self, status: ExitStatus) {
        let looked = || self.tail.lines().iter().any(|line| line.contains("'/opt/ml"));
        let is_lost = if status.success() { is_empty(&self.layout.model()) } else { looked() };
        let Some(script) = is_lost.then(|| self.layout.script_with_paths()).flatten() else { return };
        let text = format!(
            "opsctl sandbox: {script} names /opt/ml, which is a folder of this machine here and not the \
             job's. On AWS it works. In both places it does with paths from SM_MODEL_DIR and \
             SM_CHANNEL_NAME, or from hyperparameters and `environment`, where the sandbox puts its own"
        );
        (self.log.0)(Line { at: SystemTime::now(), text });
    }

    /// `StopTrainingJob`: SIGTERM, and SIGKILL after `grace` (AWS: [`STOP_GRACE`]).
    pub async fn stop(&self, grace: Duration) {
        self.end(TrainingEnd::Stopped, grace).await;
    }

    /// A spot interruption: the same signals, another outcome.
    pub async fn interrupt(&self, grace: Duration) {
        self.end(TrainingEnd::Interrupted, grace).await;
    }

    async fn end(&self, outcome: TrainingEnd, grace: Duration) -> Option<ExitStatus> {
        if let Some(status) = self.process.ended() {
            return Some(status); // too late: it has ended by itself
        }
        let _ = self.ended_by.set(outcome);
        self.process.terminate(grace).await
    }

    /// Packs the model and the output data into `directory`, under AWS's names.
    pub async fn pack(&self, directory: &Path) -> io::Result<Artifacts> {
        let pack = async |content: PathBuf, name: &str| {
            if is_empty(&content) {
                return Ok(None);
            }
            let archive = directory.join(name);
            pack_tar_gz(&content, &archive).await.map(|()| Some(archive))
        };
        Ok(Artifacts {
            model: pack(self.layout.model(), "model.tar.gz").await?,
            output: pack(self.layout.output_data(), "output.tar.gz").await?,
        })
    }

    fn failure_reason(&self, status: ExitStatus) -> String {
        // The container itself ends with 1 whatever the script's code was (toolkit: `trainer.py`).
        const END: &str = ", exit code: 1";
        if let Ok(bytes) = std::fs::read(self.layout.failure()) {
            let said = String::from_utf8_lossy(&bytes);
            return format!("{}{END}", cut(&format!("AlgorithmError: {said}"), LONGEST_REASON - END.len()));
        }
        // A death by signal n is exit code -n, as Python's `subprocess` gives it to the toolkit.
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
        let reason =
            user_error("ExecuteUserScriptError", code, &last_error(&self.tail.lines()), &self.command);
        format!("{}{END}", cut(&reason, LONGEST_REASON - END.len()))
    }
}

fn install_failure(error: PythonError) -> StartError {
    match error {
        PythonError::Install { command, code, said, .. } => {
            StartError::Refused(user_error("InstallRequirementsError", code, &said, &command))
        }
        other => StartError::Python(other),
    }
}

/// `AlgorithmError: <class>:` and the three lines of the toolkit's `errors.py`. AWS cuts the whole at 1024
/// characters and so loses the exception at the end of a long traceback; we cut the traceback's beginning
/// instead.
fn user_error(class: &str, code: i32, message: &str, command: &str) -> String {
    let head = format!("AlgorithmError: {class}:\nExitCode {code}\nErrorMessage \"");
    let foot = format!("\"\nCommand \"{}\"", cut(command, 300));
    let room = LONGEST_REASON.saturating_sub(head.len() + foot.len() + 16);
    let start = message.ceil_char_boundary(message.len().saturating_sub(room));
    let kept = &message[start..];
    // Half a line says nothing, and half a path of this machine would be no path of the container's.
    let whole = kept.split_once('\n').map(|(_, whole)| whole).filter(|_| start > 0);
    format!("{head}{}{foot}", whole.unwrap_or(kept))
}

/// The last Python traceback, or else the last lines, of what the script wrote.
pub fn last_error(lines: &[String]) -> String {
    let start = lines
        .iter()
        .rposition(|line| line.starts_with("Traceback (most recent call last)"))
        .unwrap_or_else(|| lines.len().saturating_sub(5));
    lines[start..].join("\n").trim().to_owned()
}

fn cut(text: &str, length: usize) -> &str {
    &text[..text.floor_char_boundary(length)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_traceback_keeps_its_end_and_fits() {
        let message =
            format!("Traceback (most recent call last):\n{}ValueError: é the end", "  File x\n".repeat(300));
        let reason = user_error("ExecuteUserScriptError", 1, &message, "python train.py");
        assert!(reason.len() <= LONGEST_REASON, "{}", reason.len());
        assert!(reason.starts_with("AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage \""));
        assert!(reason.ends_with("ValueError: é the end\"\nCommand \"python train.py\""), "{reason}");
        assert!(reason.contains("ErrorMessage \"  File x\n"), "it begins with a whole line: {reason}");
    }

    #[test]
    fn the_last_traceback_is_the_error() {
        let lines = [
            "Traceback (most recent call last):",
            "old",
            "epoch 1",
            "Traceback (most recent call last):",
            "new",
        ];
        let lines = lines.map(str::to_owned);
        assert_eq!(last_error(&lines), "Traceback (most recent call last):\nnew");
        assert_eq!(last_error(&lines[1..3]), "old\nepoch 1");
    }
}
