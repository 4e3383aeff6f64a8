//! The sandbox for its own sake: served, ended, shown, emptied. What commands do with `--sandbox` is in
//! `sandbox`.

use std::path::Path;
use std::time::Duration;

use opsctl_sandbox::{Holder, Sandbox, SandboxError, SandboxOptions, SandboxRoot, SetAside, StatePace, User};
use serde_json::json;

use super::act::confirm;
use super::args::Global;
use super::background;
use super::environment::Environment;
use super::error::{CommandResult, Failure};
use super::exit::Exit;
use super::sandbox::{refused, warn_of_set_aside};
use super::ui::Ui;
use crate::domain::{HumanDuration, bytes, codes, many, shown};
use crate::engine::Cause;

/// How long answers that are under way are waited for.
const LONGEST_STOP: Duration = Duration::from_secs(1);

/// Serves until it is told to end.
pub async fn serve(mut options: SandboxOptions, ui: &Ui, env: &Environment) -> CommandResult {
    let root = options.root.clone();
    options.pace = StatePace::Realistic;
    options.announce = true;
    // It ends by itself, and says so to its clients.
    env.cancel.commit()?;
    let sandbox = Sandbox::start(options).await.map_err(|error| refused(&error))?;
    warn_of_set_aside(&sandbox, env);
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
    tokio::select! {
        () = env.cancel.drain.cancelled() => {}
        () = sandbox.asked_to_stop() => {}
    }
    end(sandbox, env).await
}

/// Serves as a command's own sandbox would, until nobody has asked for anything for a while, or nobody can
/// find it any more.
pub async fn serve_in_background(
    mut options: SandboxOptions,
    idle: HumanDuration,
    ui: &Ui,
    env: &Environment,
) -> CommandResult {
    /// How often it looks.
    const LOOK: Duration = Duration::from_secs(1);
    opsctl_sandbox::leave_terminal();
    options.announce = true;
    options.background = true;
    options.program = background::this_program();
    env.cancel.commit()?;
    let sandbox = Sandbox::start(options).await.map_err(|error| refused(&error))?;
    warn_of_set_aside(&sandbox, env);
    ui.out_line(&json!({ "format": 1, "endpoint_url": sandbox.endpoint_url() }));
    let mut looks = tokio::time::interval(LOOK);
    let unused = async {
        while sandbox.idle() < Duration::from_secs(idle.as_secs()) && sandbox.is_announced() {
            looks.tick().await;
        }
    };
    tokio::select! {
        () = env.cancel.drain.cancelled() => {}
        () = sandbox.asked_to_stop() => {}
        () = unused => {}
    }
    end(sandbox, env).await
}

async fn end(sandbox: Sandbox, env: &Environment) -> CommandResult {
    // Requests that compute are left behind: the process ends. While all threads compute no timer runs, but
    // the one of the signals.
    tokio::select! {
        _ = tokio::time::timeout(LONGEST_STOP, sandbox.stop()) => {}
        () = env.cancel.abort.cancelled() => {}
    }
    Ok(match env.cancel.cause() {
        Some(Cause::Deadline(_)) => Exit::TimedOut,
        _ => Exit::Done,
    })
}

/// Ends the sandbox that is served, or that stays for the next command; with `force` also while others use
/// it.
pub async fn stop(root: &Path, force: bool, ui: &Ui) -> CommandResult {
    let Err(holder) = taken(root)? else {
        ui.say("No sandbox is running.");
        return Ok(Exit::Done);
    };
    if holder.endpoint.is_none() {
        return Err(in_use(root, &holder, "it ends with its command"));
    }
    end_served(root, &holder, "stop", force).await?;
    ui.say("The sandbox has ended; its state is kept.");
    Ok(Exit::Done)
}

/// Ends it, unless somebody would lose what they wait for.
async fn end_served(root: &Path, holder: &Holder, verb: &str, force: bool) -> Result<(), Failure> {
    if !holder.answers().await {
        let help =
            "it does not answer: is it suspended? continue it, or kill it: what is in the sandbox is kept";
        return Err(in_use(root, holder, help));
    }
    let users = if force { Vec::new() } else { holder.others().await };
    if !users.is_empty() {
        let user = |user: &User| format!("opsctl {} (process {})", shown::line(&user.command), user.pid);
        let users = users.iter().map(user).collect::<Vec<_>>().join(" and ");
        let message = format!("the sandbox is in use by {users}");
        let help = format!("wait for its end, or end it; `opsctl sandbox {verb} --force` does not wait");
        return Err(Failure::new(codes::SANDBOX_USED, Exit::Failed, message, help));
    }
    holder.end(root).await.map_err(|_| in_use(root, holder, "it does not end: kill it"))
}

fn in_use(root: &Path, holder: &Holder, help: &str) -> Failure {
    let process = holder.pid.map_or("another process".to_owned(), |pid| format!("process {pid}"));
    let message = format!("{process} uses the sandbox in {}", root.display());
    Failure::new(codes::SANDBOX_BUSY, Exit::Failed, message, help)
}

/// The state of the sandbox, taken for a moment; or who has it. Its lock tells, not what a killed process
/// left behind.
fn taken(root: &Path) -> Result<Result<Option<SandboxRoot>, Holder>, Failure> {
    match SandboxRoot::find(root) {
        Ok(place) => Ok(Ok(place)),
        Err(SandboxError::Held { holder, .. }) => Ok(Err(holder)),
        Err(error) => Err(refused(&error)),
    }
}

/// Shows where its state is, and who uses it.
pub fn status(root: &Path, ui: &Ui) -> CommandResult {
    let (place, holder) = match taken(root)? {
        Ok(place) => (place, None),
        Err(holder) => (None, Some(holder)),
    };
    let empty = place.is_none() && holder.is_none();
    drop(place);
    let (pid, endpoint) = holder.clone().map(|h| (h.pid, h.endpoint)).unwrap_or_default();
    let background = holder.as_ref().is_some_and(|holder| holder.background);
    let set_aside = SetAside::all(root);
    if ui.json() {
        ui.out_json(&json!({
            "format": 1, "state": root, "in_use": holder.is_some(), "pid": pid, "endpoint_url": endpoint,
            "background": background, "set_aside": set_aside,
        }));
        return Ok(Exit::Done);
    }
    ui.out(&format!("state: {}{}\n", root.display(), if empty { " (empty)" } else { "" }));
    let process = pid.map(|pid| format!(" by process {pid}")).unwrap_or_default();
    ui.out(&ui.suggest(&match (holder, endpoint) {
        (None, _) => "not in use\n".to_owned(),
        (Some(_), None) => format!("in use{process}\n"),
        (Some(_), Some(url)) if background => {
            format!("served in the background{process} on {url}, for the next command; `opsctl sandbox stop` ends it\n")
        }
        (Some(_), Some(url)) => format!("served{process} on {url}\n"),
    }));
    for file in set_aside {
        ui.out(&format!("set aside because it could not be read: {}\n", file.display()));
    }
    Ok(Exit::Done)
}

/// Deletes the state, after a question; with `force` also while others use it.
pub async fn reset(root: &Path, force: bool, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    if let Some(holder) = background::at_once(root).filter(|holder| holder.background) {
        end_served(root, &holder, "reset", force).await?;
    }
    let place = taken(root)?.map_err(|holder| in_use(root, &holder, "end it first"))?;
    let Some(place) = place else {
        return Ok(emptied(root, &[], ui));
    };
    let contents = place.contents();
    let (documents, size) = (many(contents.documents, "document"), bytes(contents.bytes));
    ui.say(&format!("{} holds {documents}, {size}.", root.display()));
    if !global.yes && !confirm("Delete all this?", &env.cancel, ui).await? {
        return Ok(Exit::Done);
    }
    env.cancel.commit()?;
    let left = place.reset().map_err(|error| refused(&error))?;
    Ok(emptied(root, &left, ui))
}

/// Says that nothing is in it any more, and which files are not its own to delete.
fn emptied(root: &Path, left: &[String], ui: &Ui) -> Exit {
    if ui.json() {
        ui.out_json(&json!({ "format": 1, "root": root.display().to_string(), "left": left }));
        return Exit::Done;
    }
    ui.say("The sandbox is empty.");
    if !left.is_empty() {
        let (root, left) = (root.display(), left.join(", "));
        ui.say(&format!("Left in {root}, because the sandbox did not make it: {left}"));
    }
    Exit::Done
}
