//! An EC2 instance's user data as a local process (docs/aws/ec2.md#user-data).
//!
//! The contract with the script: `OPSCTL_ROOT` is its private root (it writes nothing elsewhere), and on its
//! PATH are an `aws` that knows `s3 cp` and `s3 sync`, a `shutdown` that ends the instance, and a `python3`
//! with boto3 and the packages asked for. `OPSCTL_VENV` is the virtual environment of that `python3`, the
//! instance's own; it finds there what is shared of its requirements, so pip finds them satisfied. The script
//! does not run as root, and there is no `dnf`.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::ApiAccess;
use super::container::{ShortTemporary, text};
use super::process::{LineSink, Process, Program, SYSTEM_PATH};
use super::python::alike::first_lines;
use super::python::{Environments, PythonError, Wanted};

const AWS: &str = include_str!("ec2_aws.py");
const TIMEOUT: &str = include_str!("ec2_timeout.py");
const SHUTDOWN: &str = include_str!("ec2_shutdown.sh");

/// What every instance's `python3` has.
pub const PACKAGES: &[&str] = &["boto3"];

/// One instance, ready to boot.
#[derive(Clone, Debug)]
pub struct Ec2Run {
    /// The private root.
    pub root: PathBuf,
    /// The user data, decoded. It must start with `#!`, else nothing runs, as on AWS.
    pub user_data: String,
    /// Seconds that pass outside for each second here: the limits that the user data sets itself (`timeout`,
    /// a later `shutdown`) are as long as they seem to be outside.
    pub speed: f64,
    /// Packages of the script's `python3`, besides boto3.
    pub packages: Vec<String>,
    /// A `requirements.txt` that the script is going to install.
    pub requirements: Option<PathBuf>,
    pub environment: BTreeMap<String, String>,
    pub reach: ApiAccess,
}

/// Why an instance could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Ec2Error {
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error("the instance cannot be prepared")]
    Io(#[from] io::Error),
}

/// How the user data ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ec2Outcome {
    /// It called `shutdown`: the instance stops or terminates, as `InstanceInitiatedShutdownBehavior` says.
    ShutDown,
    /// It ended without: the instance runs on. None when a signal ended it.
    Ended { code: Option<i32> },
    /// By [`Ec2Instance::terminate`].
    Terminated,
}

/// An instance whose user data runs (or ended). Dropping it kills the script.
#[derive(Debug)]
pub struct Ec2Instance {
    /// None when the user data is not a script.
    process: Option<Process>,
    halted: PathBuf,
    terminated: std::sync::atomic::AtomicBool,
    _temporary: ShortTemporary,
}

impl Ec2Run {
    /// Starts the user data as a process.
    pub async fn start(self, environments: &Environments, sink: LineSink) -> Result<Ec2Instance, Ec2Error> {
        let bin = self.root.join("opsctl-bin");
        let temporary = self.root.join("tmp");
        for directory in [&bin, &temporary] {
            std::fs::create_dir_all(directory)?;
        }
        let halted = bin.join("halted");
        let temporary = ShortTemporary::new(&temporary)?;
        let short = temporary.path();
        let instance = |process| Ec2Instance {
            process,
            halted: halted.clone(),
            terminated: false.into(),
            _temporary: temporary,
        };
        if !self.user_data.starts_with("#!") {
            return Ok(instance(None));
        }
        let mut wanted = Wanted::of(PACKAGES);
        wanted.packages.extend(self.packages.iter().cloned());
        if let Some(file) = &self.requirements {
            wanted = wanted.and_file(file);
            wanted.of_each_job = None; // the user data installs it by itself
        }
        let venv = environments.of_job(&wanted, self.root.join("opt/python"), &sink).await?;
        let begin = first_lines(&text(venv.python()));
        write_program(&bin.join("aws"), &format!("{begin}{AWS}"))?;
        write_program(&bin.join("timeout"), &format!("{begin}{TIMEOUT}"))?;
        write_program(&bin.join("shutdown"), SHUTDOWN)?;
        let script = self.root.join("user-data");
        write_program(&script, &self.user_data)?;

        let program = Program::new(script, &self.root)
            .envs([("PATH", format!("{}:{}:{SYSTEM_PATH}", bin.display(), venv.bin().display()))])
            .envs(
                [
                    ("OPSCTL_ROOT", &self.root),
                    ("HOME", &self.root),
                    ("TMPDIR", &short),
                    ("OPSCTL_TMP", &short),
                ]
                .map(|(k, v)| (k, text(v))),
            )
            .envs([("OPSCTL_VENV", text(&venv.directory))])
            .envs([("PIP_DISABLE_PIP_VERSION_CHECK", "1"), ("PYTHONUNBUFFERED", "1")])
            .envs([("OPSCTL_HALTED", text(&halted)), ("OPSCTL_SPEED", self.speed.to_string())])
            .envs(self.reach.environment())
            .envs(self.environment);
        Ok(instance(Some(Process::start(&program, sink)?)))
    }
}

impl Ec2Instance {
    /// Waits until the user data has ended.
    pub async fn outcome(&self) -> Ec2Outcome {
        let status: Option<ExitStatus> = match &self.process {
            Some(process) => process.wait().await,
            None => None,
        };
        if self.terminated.load(std::sync::atomic::Ordering::Acquire) {
            Ec2Outcome::Terminated
        } else if self.halted.exists() {
            Ec2Outcome::ShutDown
        } else {
            Ec2Outcome::Ended { code: status.and_then(|status| status.code()) }
        }
    }

    /// `TerminateInstances` or `StopInstances`: SIGTERM, then SIGKILL after `grace`.
    pub async fn terminate(&self, grace: Duration) {
        self.terminated.store(true, std::sync::atomic::Ordering::Release);
        if let Some(process) = &self.process {
            process.terminate(grace).await;
        }
    }
}

fn write_program(path: &Path, content: &str) -> io::Result<()> {
    std::fs::write(path, content)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}
