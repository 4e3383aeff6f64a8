//! `opsctl sandbox`, and how `--sandbox` finds it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{Global, SandboxArgs, SandboxCommand};
use super::error::Failure;
use super::exit::Exit;
use super::session::{self, Environment};
use super::ui::Ui;
use super::{Ended, hidden};
use crate::domain::codes;
use opsctl_sandbox::faults::Rule;
use opsctl_sandbox::{Holder, Place, ProgressSink, SandboxError, SandboxOptions, SetAside, StatePace};

pub use opsctl_sandbox::Sandbox;

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
fn progress(env: &Environment) -> ProgressSink {
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
            tell_what_is_lost(&sandbox, env);
            let url = sandbox.endpoint_url().to_owned();
            Ok((Some(sandbox), Some(url)))
        }
        Err(SandboxError::Held { holder, .. }) if holder.endpoint.is_some() => Ok((None, holder.endpoint)),
        Err(error) => Err(refused(&error)),
    }
}

/// Keeps the state out of the user's repository.
fn hide(root: &Path) {
    if let Some(folder) = root.parent().filter(|parent| parent.ends_with(".opsctl")) {
        hidden::make(folder);
    }
}

/// `--quiet` does not silence this: something that was made is gone.
fn tell_what_is_lost(sandbox: &Sandbox, env: &Environment) {
    for lost in sandbox.set_aside() {
        env.screen.write(&format!("sandbox: {lost}. `opsctl --sandbox deploy` makes it again.\n"));
    }
}

fn refused(error: &SandboxError) -> Failure {
    let (code, exit, help) = match error {
        SandboxError::Held { .. } => {
            let help = "wait for the other opsctl, or run `opsctl sandbox serve` to share it";
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
    Failure::said(code, exit, error.to_string(), help)
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

pub async fn run(args: &SandboxArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let config = session::find_config(global.config.as_deref()).ok();
    let root = root(config.as_deref(), env);
    match &args.command {
        SandboxCommand::Serve { port, speed, fault, fault_seed } => {
            let options = SandboxOptions {
                port: *port,
                speed: *speed,
                faults: rules(fault, *fault_seed)?,
                progress: progress(env),
                ..options(&root, env)
            };
            hide(&root);
            serve(options, ui, env).await
        }
        SandboxCommand::Status => status(&root, ui),
        SandboxCommand::Reset => reset(&root, global, ui, env).await,
    }
}

/// The faults of the command line. The seed is that of all of them.
fn rules(words: &[String], seed: u64) -> Result<Vec<Rule>, Failure> {
    let parse = |word: &String| match word.parse::<Rule>() {
        Ok(rule) => Ok(Rule { seed, ..rule }),
        Err(error) => {
            let message = format!("`{word}` is not a fault: {error}");
            Err(Failure::said(
                codes::USAGE,
                Exit::Usage,
                message,
                "https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md has the syntax",
            ))
        }
    };
    words.iter().map(parse).collect()
}

async fn serve(mut options: SandboxOptions, ui: &Ui, env: &Environment) -> Ended {
    let root = options.root.clone();
    options.pace = StatePace::Realistic;
    options.announce = true;
    // It ends by itself, and says so to its clients.
    env.cancel.commit()?;
    let sandbox = Sandbox::start(options).await.map_err(|error| refused(&error))?;
    tell_what_is_lost(&sandbox, env);
    let url = sandbox.endpoint_url().to_owned();
    if ui.json() {
        ui.out_json(&json!({ "format": 1, "endpoint_url": url, "state": root }));
    } else {
        ui.out(&format!(
            "export AWS_ENDPOINT_URL={url}\nexport AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox\n\
             export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n"
        ));
        ui.say(&format!("The sandbox serves on {url}, its state is in {}. Ctrl-C ends it.", root.display()));
    }
    env.cancel.drain.cancelled().await;
    sandbox.stop().await;
    Ok(Exit::Done)
}

/// The state of the sandbox, taken for a moment; or who has it. Its lock tells, not what a killed process
/// left behind.
fn taken(root: &Path) -> Result<Result<Option<Place>, Holder>, Failure> {
    match Place::find(root) {
        Ok(place) => Ok(Ok(place)),
        Err(SandboxError::Held { holder, .. }) => Ok(Err(holder)),
        Err(error) => Err(refused(&error)),
    }
}

fn status(root: &Path, ui: &Ui) -> Ended {
    let (place, holder) = match taken(root)? {
        Ok(place) => (place, None),
        Err(holder) => (None, Some(holder)),
    };
    let empty = place.is_none() && holder.is_none();
    drop(place);
    let (pid, endpoint) = holder.clone().map(|h| (h.pid, h.endpoint)).unwrap_or_default();
    let set_aside = SetAside::all(root);
    if ui.json() {
        ui.out_json(&json!({
            "format": 1, "state": root, "in_use": holder.is_some(), "pid": pid, "endpoint_url": endpoint,
            "set_aside": set_aside,
        }));
        return Ok(Exit::Done);
    }
    ui.out(&format!("state: {}{}\n", root.display(), if empty { " (empty)" } else { "" }));
    let process = pid.map(|pid| format!(" by process {pid}")).unwrap_or_default();
    ui.out(&match (holder, endpoint) {
        (None, _) => "not in use\n".to_owned(),
        (Some(_), None) => format!("in use{process}\n"),
        (Some(_), Some(url)) => format!("served{process} on {url}\n"),
    });
    for file in set_aside {
        ui.out(&format!("set aside because it could not be read: {}\n", file.display()));
    }
    Ok(Exit::Done)
}

async fn reset(root: &Path, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    if !global.yes && (!ui.interactive || ui.json()) {
        let (message, help) =
            ("there is no terminal to ask for confirmation", "add --yes to delete the sandbox's state");
        return Err(Failure::said(codes::NEEDS_CONSENT, Exit::Usage, message, help));
    }
    let place = taken(root)?.map_err(|holder| {
        let process = holder.pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
        let message = format!("another process{process} uses the sandbox in {}", root.display());
        Failure::said(codes::SANDBOX_BUSY, Exit::Failed, message, "end it first")
    })?;
    let Some(place) = place else {
        ui.say("The sandbox is empty.");
        return Ok(Exit::Done);
    };
    let contents = place.contents();
    let (documents, megabytes) = (contents.documents, contents.bytes as f64 / 1e6);
    ui.say(&format!("{} holds {documents} documents, {megabytes:.1} MB.", root.display()));
    if !global.yes && !ui.confirm("Delete all this?", &env.cancel).await {
        ui.say("Nothing was changed.");
        return Ok(Exit::Done);
    }
    env.cancel.commit()?;
    let left = place.reset().map_err(|error| refused(&error))?;
    ui.say("The sandbox is empty.");
    if !left.is_empty() {
        let (root, left) = (root.display(), left.join(", "));
        ui.say(&format!("Left in {root}, because the sandbox did not make it: {left}"));
    }
    Ok(Exit::Done)
}
