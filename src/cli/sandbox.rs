//! `opsctl sandbox`, and how `--sandbox` finds it.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Ended;
use super::args::{Global, SandboxArgs, SandboxCommand};
use super::error::Failure;
use super::exit::Exit;
use super::session::{self, Environment};
use super::ui::Ui;
use crate::domain::codes;
use crate::sandbox::faults::Rule;
use crate::sandbox::{Holder, Notice, Pace, Sandbox, SandboxError, SandboxOptions};

/// Where the state lies: beside the config file, under `.opsctl/sandbox`.
fn root(config: Option<&Path>, env: &Environment) -> PathBuf {
    match (&env.sandbox, config) {
        (Some(folder), _) => folder.clone(),
        (None, Some(config)) => session::home(config).join(".opsctl/sandbox"),
        (None, None) => PathBuf::from(".opsctl/sandbox"),
    }
}

/// Environments are the user's, not the state's: a reset does not throw them away, and projects share them.
fn options(root: &Path, env: &Environment) -> SandboxOptions {
    let options = SandboxOptions::new(root);
    match &env.cache {
        Some(cache) => SandboxOptions { cache: cache.clone(), ..options },
        None => options,
    }
}

/// Packages are installed once; until they are, nothing else would be seen of a function's first call.
fn notice(env: &Environment) -> Notice {
    let screen = env.screen.clone();
    Notice::new(move |text| screen.write(&format!("sandbox: {text}\n")))
}

/// Starts the sandbox of this config in this process, or finds the one that `sandbox serve` runs.
pub async fn attach(
    config: Option<&Path>,
    quiet: bool,
    env: &Environment,
) -> Result<(Option<Sandbox>, Option<String>), Failure> {
    let root = root(config, env);
    hide(&root);
    let notice = if quiet { Notice::default() } else { notice(env) };
    match Sandbox::start(SandboxOptions { notice, ..options(&root, env) }).await {
        Ok(sandbox) => {
            let url = sandbox.endpoint_url().to_owned();
            Ok((Some(sandbox), Some(url)))
        }
        Err(SandboxError::Held { holder, .. }) if holder.endpoint.is_some() => Ok((None, holder.endpoint)),
        Err(error) => Err(refused(&error)),
    }
}

/// Keeps the state out of the user's repository, as cargo does with `target`.
fn hide(root: &Path) {
    let Some(folder) = root.parent().filter(|parent| parent.ends_with(".opsctl")) else { return };
    let file = folder.join(".gitignore");
    if !file.exists() {
        // Nice to have: without it everything still works.
        let _ = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(file, "*\n"));
    }
}

fn refused(error: &SandboxError) -> Failure {
    let (code, exit) = match error {
        SandboxError::Held { .. } => (codes::SANDBOX_BUSY, Exit::Failed),
        SandboxError::Speed(_) => (codes::USAGE, Exit::Usage),
        _ => (codes::LOCAL_IO, Exit::Failed),
    };
    let (cause, help) = match error {
        SandboxError::Held { .. } => {
            (None, "wait for the other opsctl, or run `opsctl sandbox serve` and let all share it")
        }
        SandboxError::Listen { source, .. } => {
            (Some(source), "name another --port, or none for any that is free")
        }
        SandboxError::Root { source, .. } => (Some(source), room(source)),
        SandboxError::Speed(_) => (None, "1 is as fast as AWS, 60 makes a minute a second"),
    };
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    Failure::said(code, exit, format!("{error}{cause}"), help)
}

/// What to do about a folder that cannot be used.
fn room(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "make it writable, or name another folder with OPSCTL_SANDBOX"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space and run it again",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file is in the way: move it, or name another folder with OPSCTL_SANDBOX"
        }
        _ => "`opsctl sandbox reset` forgets what is in it",
    }
}

pub async fn run(args: &SandboxArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let config = session::find_config(global.config.as_deref()).ok();
    let root = root(config.as_deref(), env);
    match &args.command {
        SandboxCommand::Serve { port, speed, fault, fault_seed } => {
            let options = SandboxOptions {
                port: *port,
                speed: *speed,
                faults: rules(fault, *fault_seed)?,
                notice: notice(env),
                ..options(&root, env)
            };
            serve(options, ui, env).await
        }
        SandboxCommand::Status => status(&root, ui).await,
        SandboxCommand::Reset => reset(&root, ui).await,
    }
}

/// The faults of the command line. The seed is that of all of them.
fn rules(words: &[String], seed: u64) -> Result<Vec<Rule>, Failure> {
    let parse = |word: &String| match word.parse::<Rule>() {
        Ok(rule) => Ok(Rule { seed, ..rule }),
        Err(error) => {
            let message = format!("`{word}` is not a fault: {error}");
            Err(Failure::said(codes::USAGE, Exit::Usage, message, "docs/sandbox.md has the syntax"))
        }
    };
    words.iter().map(parse).collect()
}

async fn serve(mut options: SandboxOptions, ui: &Ui, env: &Environment) -> Ended {
    let root = options.root.clone();
    options.pace = Pace::Realistic;
    options.announce = true;
    // It ends by itself, and says so to its clients.
    env.cancel.commit()?;
    let sandbox = Sandbox::start(options).await.map_err(|error| refused(&error))?;
    let url = sandbox.endpoint_url().to_owned();
    if ui.json() {
        ui.out_json(&json!({ "format": 1, "endpoint_url": url, "state": root }));
    } else {
        ui.out(&format!(
            "export AWS_ENDPOINT_URL={url}\nexport AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox AWS_REGION=us-east-1\n"
        ));
        ui.say(&format!("The sandbox serves on {url}, its state is in {}. Ctrl-C ends it.", root.display()));
    }
    env.cancel.drain.cancelled().await;
    sandbox.stop().await;
    Ok(Exit::Done)
}

/// Who uses the sandbox now. Its lock tells, not what a killed process left behind.
async fn user(root: &Path) -> Result<Option<Holder>, Failure> {
    if !root.is_dir() {
        return Ok(None);
    }
    match Sandbox::start(SandboxOptions::new(root)).await {
        Ok(sandbox) => {
            sandbox.stop().await;
            Ok(None)
        }
        Err(SandboxError::Held { holder, .. }) => Ok(Some(holder)),
        Err(error) => Err(refused(&error)),
    }
}

async fn status(root: &Path, ui: &Ui) -> Ended {
    let holder = user(root).await?;
    let (pid, endpoint) = holder.clone().map(|h| (h.pid, h.endpoint)).unwrap_or_default();
    if ui.json() {
        ui.out_json(&json!({ "format": 1, "state": root, "in_use": holder.is_some(), "pid": pid, "endpoint_url": endpoint }));
        return Ok(Exit::Done);
    }
    ui.out(&format!("state: {}{}\n", root.display(), if root.is_dir() { "" } else { " (empty)" }));
    let process = pid.map(|pid| format!(" by process {pid}")).unwrap_or_default();
    ui.out(&match (holder, endpoint) {
        (None, _) => "not in use\n".to_owned(),
        (Some(_), None) => format!("in use{process}\n"),
        (Some(_), Some(url)) => format!("served{process} on {url}\n"),
    });
    Ok(Exit::Done)
}

async fn reset(root: &Path, ui: &Ui) -> Ended {
    if user(root).await?.is_some() {
        let message = format!("another process uses the sandbox in {}", root.display());
        return Err(Failure::said(codes::SANDBOX_BUSY, Exit::Failed, message, "end it first"));
    }
    match std::fs::remove_dir_all(root) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let message = format!("{} cannot be removed: {error}", root.display());
            Err(Failure::said(codes::LOCAL_IO, Exit::Failed, message, "check its permissions"))
        }
        _ => {
            ui.say("The sandbox is empty.");
            Ok(Exit::Done)
        }
    }
}
