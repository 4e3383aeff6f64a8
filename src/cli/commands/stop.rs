//! `opsctl stop` and `opsctl start`: what runs, one resource at a time.

use clap::Args;
use serde_json::json;

use crate::aws::OpError;
use crate::cli::args::{self, Global};
use crate::cli::budget;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::named::{Among, named, say_latest};
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::{Money, codes};
use crate::run::jobs::Job;
use crate::run::stop::{self, Change, ChangeError, ChangeOutcome};
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Resource as `opsctl status` shows it: training/numbers, notebook/lab; or the name alone if only one
    /// has it
    #[arg(value_name = "KIND/NAME", value_parser = args::target)]
    pub target: String,
}

#[derive(Debug, Args)]
pub struct StopArgs {
    #[command(flatten)]
    pub resource: TargetArgs,
    /// Stop a job also while another run holds the lease; what waits there for the job fails
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct StartArgs {
    #[command(flatten)]
    pub resource: TargetArgs,
    /// Refuse with exit code 9 when a month could cost more than USD at AWS's list prices, with everything
    /// at its maximum; takes the place of [budget]
    #[arg(long, value_name = "USD")]
    pub max_monthly: Option<Money>,
}

/// Stops a job, an instance or a notebook.
pub async fn stop(args: &StopArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Spared, async |session| {
        let among = Among { what: "can be stopped", kinds: &|kind| session.kind(kind).stops() };
        let job = named(session, &args.resource.target, &among).await?;
        change(session, &job, Change::Stop, args.force, ui).await
    })
    .await
}

/// Starts a notebook.
pub async fn start(args: &StartArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Spared, async |session| {
        let among = Among { what: "can be started", kinds: &|kind| session.kind(kind).starts() };
        let job = named(session, &args.resource.target, &among).await?;
        change(session, &job, Change::Start { monthly: args.max_monthly }, false, ui).await
    })
    .await
}

/// Changes it, and says how it is then: a document for a program, a sentence for a person.
pub(super) async fn change(session: &Session, job: &Job, to: Change, force: bool, ui: &Ui) -> CommandResult {
    say_latest(session, job, ui);
    let held = |who: &str| {
        ui.say(&format!("The lease is {who}: what waits there for {} ends as failed.", job.id));
    };
    let changed = stop::change(session, job, to, force, held).await.map_err(|error| match error {
        ChangeError::Op(error) => error.into(),
        ChangeError::Held(error) => lease_is_held(job, &error),
        ChangeError::Absent => absent(job),
        ChangeError::Unread(error) => Failure::Unread(error),
        ChangeError::OverBudget(over) => budget::refused(session, &over),
    })?;
    let (state, sentence) = match (changed, to) {
        (ChangeOutcome::AlreadyEnded, _) => ("ended", format!("{} has ended already.", job.id)),
        (ChangeOutcome::NeverRan, _) => {
            ("ended", format!("{} was not running: there is nothing to stop.", job.id))
        }
        (ChangeOutcome::Done, Change::Stop) => ("stopped", format!("{} is stopped.", job.id)),
        (ChangeOutcome::Done, Change::Start { .. }) => ("running", format!("{} is running.", job.id)),
    };
    match ui.json() {
        true => {
            ui.out_line(&json!({ "format": 1, "target": job.id, "physical": job.physical, "state": state }))
        }
        false => ui.say(&sentence),
    }
    Ok(Exit::Done)
}

/// Another run may be waiting for the job, perhaps on another machine.
fn lease_is_held(job: &Job, error: &OpError) -> Failure {
    let message = format!("the lease is {}, and that run may be waiting for {}", error.message, job.id);
    let help = format!(
        "end that run first, or wait for it with --wait; `opsctl stop --force {}` stops the job all the \
         same, and what waits for it there fails",
        job.id
    );
    Failure::new(error.code(), Exit::LeaseHeld, message, help)
}

pub(super) fn absent(job: &Job) -> Failure {
    let message = format!("{} is not deployed", job.id);
    Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, "`opsctl deploy` creates it")
}
