//! `opsctl stop`, `opsctl start` and `opsctl open`: what runs, one resource at a time.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use tokio::process::Command;
use tokio::time::timeout;

use crate::aws::OpErrorKind;
use crate::cli::CommandResult;
use crate::cli::args::{self, Global};
use crate::cli::environment::{Environment, home};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::hidden;
use crate::cli::named::{Among, named};
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::{Phase, codes, console};
use crate::engine::{OpCx, lease};
use crate::run::jobs::Job;
use crate::run::{self, Folders, Session};

#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Resource as `opsctl status` shows it: training/numbers, notebook/lab; or the name alone if only one
    /// has it
    #[arg(value_name = "KIND/NAME", value_parser = args::target)]
    pub target: String,
}

#[derive(Debug, Args)]
pub struct OpenArgs {
    #[command(flatten)]
    pub resource: TargetArgs,
    /// Print the address and open nothing
    #[arg(long)]
    pub print: bool,
}

/// Stops a job, an instance or a notebook.
pub async fn stop(args: &TargetArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Read, async |session| {
        let among = Among { what: "can be stopped", kinds: &|kind| session.kind(kind).stops() };
        let job = named(session, &args.target, &among).await?;
        change_to_stopped(session, &job, ui).await
    })
    .await
}

/// Starts a notebook.
pub async fn start(args: &TargetArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Read, async |session| {
        let among = Among { what: "can be started", kinds: &|kind| session.kind(kind).starts() };
        let job = named(session, &args.target, &among).await?;
        change_to_running(session, &job, ui).await
    })
    .await
}

pub async fn change_to_stopped(session: &Session, job: &Job, ui: &Ui) -> CommandResult {
    let driver = session.registry.of(job.id.kind);
    change(session, job, "stopped", ui, async |cx| driver.stop(cx, &job.physical).await).await
}

pub async fn change_to_running(session: &Session, job: &Job, ui: &Ui) -> CommandResult {
    let driver = session.registry.of(job.id.kind);
    change(session, job, "running", ui, async |cx| driver.start(cx, &job.physical).await).await
}

/// What runs on its own is changed without the lease: a deploy that waits for it sees its end.
async fn change(
    session: &Session,
    job: &Job,
    done: &str,
    ui: &Ui,
    act: impl AsyncFn(&OpCx<'_>) -> crate::aws::OpResult<()>,
) -> CommandResult {
    let cx = OpCx { context: &session.context, step: 0, target: job.id.clone() };
    let seen = seen(session, job).await?;
    let starts = session.kind(job.id.kind).starts();
    if matches!(seen, Phase::Ready | Phase::Failed) && !starts {
        tell(job, "ended", &format!("{} has ended already.", job.id), ui);
        return Ok(Exit::Done);
    }
    session.context.cancel.commit()?;
    // A notebook has settings that a deploy changes.
    let lease = match starts {
        true => {
            let take = run::leased(&session.context, &session.who);
            session.context.cancel.briefly("lease", take).await?
        }
        // A job is stopped also while a deploy waits for it, which may be why.
        false => {
            let look = lease::ensure_free(&session.context, session.bucket());
            match session.context.cancel.briefly("lease", look).await {
                Err(error) if error.kind == OpErrorKind::LeaseHeld => {
                    let said = &error.message;
                    ui.say(&format!("The lease is {said}: what waits there for {} ends as failed.", job.id));
                }
                // Who may not look stops it all the same.
                _ => {}
            }
            None
        }
    };
    let acted = session.context.cancel.writing("waiting for an answer", act(&cx)).await;
    let lost = run::release(&session.context, lease).await;
    acted?;
    if let Some(lost) = lost {
        return Err(crate::aws::OpError::lost(&lost).into());
    }
    tell(job, done, &format!("{} is {done}.", job.id), ui);
    Ok(Exit::Done)
}

/// How it is now: a document for a program, a sentence for a person.
fn tell(job: &Job, state: &str, sentence: &str, ui: &Ui) {
    match ui.json() {
        true => ui.out_line(&serde_json::json!({ "format": 1, "target": job.id, "physical": job.physical,
            "state": state })),
        false => ui.say(sentence),
    }
}

/// How a resource is; refuses what is not there, and what is not ours.
async fn seen(session: &Session, job: &Job) -> Result<Phase, Failure> {
    run::ours(session, &job.id, &job.physical).await?;
    let cx = OpCx { context: &session.context, step: 0, target: job.id.clone() };
    let look = session.registry.of(job.id.kind).observe(&cx, &job.physical);
    match session.context.cancel.reading("looking", look).await? {
        Some(seen) => Ok(seen.status().phase),
        None => Err(absent(job)),
    }
}

fn absent(job: &Job) -> Failure {
    let message = format!("{} is not deployed", job.id);
    Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, "`opsctl deploy` creates it")
}

/// Opens a resource's own page, or that of AWS's console.
pub async fn open(args: &OpenArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Read, async |session| {
        let among = Among { what: "has a page", kinds: &|_| true };
        let job = named(session, &args.resource.target, &among).await?;
        let (address, is_secret) = address(session, &job).await?;
        if ui.json() {
            ui.out_line(&serde_json::json!({ "format": 1, "target": job.id, "address": address }));
            return Ok(Exit::Done);
        }
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let folder = home(&session.config.document.file).join(".opsctl");
        let opened = !args.print && ui.rewrites() && browse(program, &address, is_secret, &folder).await;
        // A link that is a credential goes nowhere but to who asked for it.
        match (opened, is_secret) {
            (true, true) => ui.say(&format!(
                "Opened {id}. If the browser shows nothing, `opsctl open --print {id}` prints the address.",
                id = job.id
            )),
            (true, false) => ui.say(&format!("Opened {address}")),
            (false, _) => ui.out(&format!("{address}\n")),
        }
        Ok(Exit::Done)
    })
    .await
}

/// Where it is, and whether whoever has the address may use it.
pub async fn address(session: &Session, job: &Job) -> Result<(String, bool), Failure> {
    run::ours(session, &job.id, &job.physical).await?;
    let driver = session.registry.of(job.id.kind);
    let cx = OpCx { context: &session.context, step: 0, target: job.id.clone() };
    let found = session.context.cancel.reading("looking", driver.observe(&cx, &job.physical)).await?;
    let Some(found) = found else { return Err(absent(job)) };
    let link = session.context.cancel.reading("looking", driver.link(&cx, &job.physical)).await;
    let link = link.map_err(|error| match error.kind {
        OpErrorKind::Invalid | OpErrorKind::Conflict => {
            let message = format!("{} is not running", job.id);
            let help = format!("`opsctl start {}` starts it", job.id);
            Failure::new(codes::FAILED, Exit::Failed, message, help)
        }
        _ => error.into(),
    })?;
    if let Some(link) = link {
        return Ok((link, true));
    }
    let page = found
        .console_name(&job.physical)
        .filter(|_| session.is_aws)
        .and_then(|name| console::page(job.id.kind, &name, &session.context.scope.region));
    page.map(|page| (page, false)).ok_or_else(|| {
        let (message, help) = match session.is_aws {
            true => (format!("AWS's console has no page for {}", job.id), "`opsctl status` shows its state"),
            false => (
                format!("{} is not in AWS, so AWS's console has no page for it", job.id),
                "`opsctl status` shows its state, `opsctl logs` what it printed",
            ),
        };
        Failure::new(codes::UNKNOWN_NAME, Exit::Failed, message, help)
    })
}

/// Hands an address to the program that the desktop has for them. Whether there is a desktop, it knows. One
/// that is a credential is not for its command line, which every user of the machine can read: it goes into
/// a file that only this user can, as Jupyter does
/// (<https://jupyter-server.readthedocs.io/en/latest/operators/security.html>).
async fn browse(program: &str, address: &str, is_secret: bool, folder: &Path) -> bool {
    /// Some of them end with the browser.
    const LONGEST: Duration = Duration::from_secs(10);
    let file = match is_secret.then(|| redirect(address, folder)).transpose() {
        Ok(file) => file,
        Err(error) => {
            tracing::debug!(%error, "no page can be written");
            return false;
        }
    };
    let place = file.as_deref().map_or(OsStr::new(address), Path::as_os_str);
    let mut command = Command::new(program);
    command.arg(place).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let opened = match command.spawn() {
        Ok(mut running) => match timeout(LONGEST, running.wait()).await {
            Ok(ended) => ended.is_ok_and(|status| status.success()),
            Err(_) => true,
        },
        Err(_) => false,
    };
    if let Some(file) = file.filter(|_| !opened) {
        let _ = std::fs::remove_file(file);
    }
    opened
}

/// Writes a page that leads to an address. The browser reads it when it likes; the next command removes it.
fn redirect(address: &str, folder: &Path) -> std::io::Result<PathBuf> {
    let escaped = address.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"refresh\" content=\"0; url={escaped}\"><title>opsctl</title>\n\
         <a href=\"{escaped}\">open</a>\n"
    );
    std::fs::create_dir_all(folder)?;
    hidden::keep(folder);
    // It is readable by its user only from the beginning.
    let mut file = tempfile::Builder::new().prefix(hidden::PAGE).suffix(".html").tempfile_in(folder)?;
    file.write_all(page.as_bytes())?;
    std::path::absolute(file.into_temp_path().keep()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn no_credential_is_on_a_command_line_and_no_program_is_awaited_forever() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("open");
        let script = "#!/bin/sh\nprintf %s \"$1\" > \"$(dirname \"$0\")/argument\"\n";
        std::fs::write(&program, script).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("ours");
        let (program, hidden) = (program.display().to_string(), folder.path().join(".opsctl"));
        let secret = "https://lab.notebook.aws?a=1&authToken=\"x";
        assert!(browse(&program, secret, true, &hidden).await);
        let argument = std::fs::read_to_string(folder.path().join("argument")).expect("it was started");
        assert!(!argument.contains("authToken"), "{argument}");
        let page = std::fs::read_to_string(&argument).expect("a file");
        assert!(page.contains("url=https://lab.notebook.aws?a=1&amp;authToken=&quot;x\""), "{page}");
        let mode = std::fs::metadata(&argument).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Its address is worth nothing after some minutes, and is not kept longer.
        let old = std::fs::File::options().write(true).open(&argument).expect("ours");
        old.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("set");
        hidden::keep(&hidden);
        assert!(!Path::new(&argument).exists());
        assert!(!browse("/nonexistent/open", secret, true, &hidden).await);
        let left = std::fs::read_dir(&hidden).expect("there").flatten();
        assert!(left.map(|file| file.file_name()).all(|name| name == ".gitignore"));
    }
}
