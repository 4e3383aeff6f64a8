//! `opsctl lease`: shows who is deploying, and releases the lease of a run that is known to be dead.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::aws::OpErrorKind;
use crate::cli::act::confirm;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::codes;
use crate::run::lease::ProjectLease;
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct LeaseArgs {
    #[command(subcommand)]
    pub command: LeaseCommand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum LeaseCommand {
    /// Show who holds the lease, since when, and when it expires
    Show,
    /// Take the lease away from a run that is certainly dead, instead of waiting for it to expire
    Break,
}

/// Shows who holds the lease of this environment, or takes it away from them.
pub async fn run(args: &LeaseArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Unneeded, async |session| match args.command {
        LeaseCommand::Show => show(session, ui).await,
        LeaseCommand::Break => take_away(session, global, ui).await,
    })
    .await
}

async fn show(session: &Session, ui: &Ui) -> CommandResult {
    let lease = ProjectLease::find(session).await?;
    if ui.json() {
        let held = lease.as_ref().is_some_and(ProjectLease::is_held);
        let lease = lease.map(|ProjectLease { bucket, found }| {
            json!({
                "bucket": bucket, "who": found.who(), "since": found.since(),
                "renewed_s_ago": found.age.as_secs(), "expires_in_s": found.left().as_secs(),
            })
        });
        ui.out_json(&json!({ "format": 1, "held": held, "lease": lease }));
    } else {
        ui.out(&match lease {
            None => "Nobody holds the lease.\n".to_owned(),
            Some(lease) if !lease.is_held() => {
                format!("Nobody holds the lease. Last holder: {}\n", lease.found)
            }
            Some(ProjectLease { bucket, found }) => format!("Held by {found}, in the bucket {bucket}\n"),
        });
    }
    Ok(Exit::Done)
}

async fn take_away(session: &Session, global: &Global, ui: &Ui) -> CommandResult {
    let Some(lease) = ProjectLease::find(session).await? else {
        ui.say("Nobody holds the lease.");
        return Ok(Exit::Done);
    };
    let ProjectLease { bucket, found } = &lease;
    ui.say(&format!("Held by {found}, in the bucket {bucket}"));
    if !global.yes
        && !confirm("Is that run certainly dead? Break its lease?", &session.context.cancel, ui).await?
    {
        return Ok(Exit::Done);
    }
    lease.take_away(session).await.map_err(|error| match error.kind {
        OpErrorKind::Conflict => {
            let message =
                format!("the lease was renewed or taken over meanwhile, so a run is alive: {}", found.who());
            Failure::new(codes::CHANGED_MEANWHILE, Exit::Failed, message, "end that run, or wait for it")
        }
        _ => error.into(),
    })?;
    ui.say("Broken. If that run is alive after all, it stops within half a minute: wait that long before you deploy.");
    Ok(Exit::Done)
}
