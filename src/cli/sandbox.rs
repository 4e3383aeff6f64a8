//! The sandbox behind `--sandbox`: in this process, or one that is being served.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::environment::{self, Environment};
use super::error::Failure;
use super::exit::Exit;
use super::hidden;
use crate::domain::codes;
use opsctl_sandbox::{ProgressSink, SandboxError, SandboxOptions};

pub use opsctl_sandbox::Sandbox;

/// Where the state lies: beside the config file, under `.opsctl/sandbox`.
pub fn root(config: Option<&Path>, env: &Environment) -> PathBuf {
    match (&env.sandbox, config) {
        (Some(folder), _) => folder.clone(),
        (None, Some(config)) => environment::home(config).join(".opsctl/sandbox"),
        (None, None) => PathBuf::from(".opsctl/sandbox"),
    }
}

/// Environments are the user's, not the state's: a reset does not throw them away, and projects share them.
pub fn options(root: &Path, env: &Environment) -> SandboxOptions {
    let options = SandboxOptions::new(root);
    match &env.cache {
        Some(cache) => SandboxOptions { cache: cache.clone(), ..options },
        None => options,
    }
}

/// Packages are installed once; until they are, nothing else would be seen of a function's first call.
pub fn progress(env: &Environment) -> ProgressSink {
    let screen = env.screen.clone();
    ProgressSink::new(move |text| screen.write(&format!("sandbox: {text}\n")))
}

/// Starts the sandbox of this config in this process, or finds the one that `sandbox serve` runs.
pub async fn attach(
    config: Option<&Path>,
    quiet: bool,
    env: &Environment,
) -> Result<(Option<Sandbox>, Option<String>), Failure> {
    let root = root(config, env);
    hide(&root);
    let progress = if quiet { ProgressSink::default() } else { progress(env) };
    match Sandbox::start(SandboxOptions { progress, ..options(&root, env) }).await {
        Ok(sandbox) => {
            warn_of_lost_state(&sandbox, env);
            let url = sandbox.endpoint_url().to_owned();
            Ok((Some(sandbox), Some(url)))
        }
        Err(SandboxError::Held { holder, .. }) if holder.endpoint.is_some() => Ok((None, holder.endpoint)),
        Err(error) => Err(refused(&error)),
    }
}

/// Keeps the state out of the user's repository.
pub fn hide(root: &Path) {
    if let Some(folder) = root.parent().filter(|parent| parent.ends_with(".opsctl")) {
        hidden::make(folder);
    }
}

/// `--quiet` does not silence this: something that was made is gone.
pub fn warn_of_lost_state(sandbox: &Sandbox, env: &Environment) {
    /// So many are told one by one; `sandbox status` has them all.
    const MOST_TOLD: usize = 10;
    let lost = sandbox.set_aside();
    for lost in lost.iter().take(MOST_TOLD) {
        env.screen.write(&format!("sandbox: {lost}. `opsctl --sandbox deploy` makes it again.\n"));
    }
    if let Some(more) = lost.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        env.screen.write(&format!("sandbox: and {more} more: `opsctl sandbox status` has them.\n"));
    }
}

pub fn refused(error: &SandboxError) -> Failure {
    let (code, exit, help) = match error {
        SandboxError::Held { holder, .. } => {
            let help = match holder.endpoint {
                Some(_) => {
                    "`opsctl --sandbox COMMAND` uses the one that is served; end that to serve another"
                }
                None => {
                    "wait until the other opsctl has ended; `opsctl sandbox serve`, started before, is shared by all"
                }
            };
            (codes::SANDBOX_BUSY, Exit::Failed, help)
        }
        SandboxError::Foreign { .. } => {
            let help = "name an empty folder in OPSCTL_SANDBOX, or unset it: nothing was changed in this one";
            (codes::NOT_A_SANDBOX, Exit::Failed, help)
        }
        SandboxError::Speed { .. } => {
            (codes::USAGE, Exit::Usage, "1 is real time, 60 makes a minute a second")
        }
        SandboxError::Listen { source, .. } => (codes::LOCAL_IO, Exit::Failed, port_help(source.kind())),
        SandboxError::Root { source, .. } => (codes::LOCAL_IO, Exit::Failed, folder_help(source.kind())),
    };
    Failure::new(code, exit, error.to_string(), help)
}

fn port_help(cause: ErrorKind) -> &'static str {
    match cause {
        ErrorKind::AddrInUse => "another program listens there: name another --port, or none for any",
        ErrorKind::PermissionDenied => "ports below 1024 are the administrator's: name another --port",
        _ => "name another --port, or none for any",
    }
}

fn folder_help(cause: ErrorKind) -> &'static str {
    match cause {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "the sandbox must write there: change its permissions, or name another folder in OPSCTL_SANDBOX"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
            "something else is in the way: move it, or name another folder in OPSCTL_SANDBOX"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on that disk, then run it again",
        _ => "`opsctl sandbox reset` starts over; OPSCTL_SANDBOX names another folder",
    }
}
