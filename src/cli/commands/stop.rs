//! `opsctl stop`, `opsctl start` and `opsctl open`: what runs, one resource at a time.

use std::process::{Command, Stdio};

use clap::Args;

use crate::aws::OpErrorKind;
use crate::cli::CommandResult;
use crate::cli::args::{self, Global};
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::named::{Among, named};
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::{Phase, codes, console};
use crate::engine::OpCx;
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
        false => None,
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
        let opened = !args.print && ui.rewrites() && browse(&address);
        // A link that is a credential goes nowhere but to who asked for it.
        match (opened, is_secret) {
            (true, true) => ui.say(&format!("Opened {}.", job.id)),
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

/// Hands an address to the program that the desktop has for them. Whether there is a desktop, it knows.
fn browse(address: &str) -> bool {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    let command = command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
