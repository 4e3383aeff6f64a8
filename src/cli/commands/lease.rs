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
use crate::desired::Kind;
use crate::domain::{KindName, Owner, codes};
use crate::engine::OpCx;
use crate::engine::lease::{self, FoundLease};
use crate::resources::bucket::{self, Bucket};
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

/// The lease of the project, and its bucket: the one of the config, else one that it had under another name,
/// where a run with the config of then may be under way.
async fn found(session: &Session) -> Result<Option<(String, FoundLease)>, Failure> {
    let Some(name) = session.context.wanted(KindName::Bucket).next() else { return Ok(None) };
    let (aws, cx) = (&session.context.aws, OpCx::new(&session.context, Bucket::id(Bucket::MAIN)));
    let here = match bucket::owner(&cx, name).await? {
        Some(Owner::Other(_)) => None,
        // One that has lost its tags is no less held.
        _ => lease::read(aws, name).await?.map(|found| (name.to_owned(), found)),
    };
    if here.as_ref().is_some_and(|(_, found)| !found.left().is_zero()) {
        return Ok(here);
    }
    for other in session.registry.of(KindName::Bucket).owned(&cx).await? {
        let there = if other.physical == name { None } else { lease::read(aws, &other.physical).await? };
        if let Some(found) = there.filter(|found| !found.left().is_zero()) {
            return Ok(Some((other.physical, found)));
        }
    }
    Ok(here)
}

async fn show(session: &Session, ui: &Ui) -> CommandResult {
    let found = found(session).await?;
    if ui.json() {
        let lease = found.as_ref().map(|(bucket, lease)| {
            json!({
                "bucket": bucket, "who": lease.who(), "since": lease.since(),
                "renewed_s_ago": lease.age.as_secs(), "expires_in_s": lease.left().as_secs(),
            })
        });
        let held = found.is_some_and(|(_, lease)| !lease.left().is_zero());
        ui.out_json(&json!({ "format": 1, "held": held, "lease": lease }));
    } else {
        ui.out(&match found {
            None => "Nobody holds the lease.\n".to_owned(),
            Some((_, lease)) if lease.left().is_zero() => {
                format!("Nobody holds the lease. Last holder: {lease}\n")
            }
            Some((bucket, lease)) => format!("Held by {lease}, in the bucket {bucket}\n"),
        });
    }
    Ok(Exit::Done)
}

async fn take_away(session: &Session, global: &Global, ui: &Ui) -> CommandResult {
    let Some((bucket, lease)) = found(session).await? else {
        ui.say("Nobody holds the lease.");
        return Ok(Exit::Done);
    };
    ui.say(&format!("Held by {lease}, in the bucket {bucket}"));
    if !global.yes
        && !confirm("Is that run certainly dead? Break its lease?", &session.context.cancel, ui).await?
    {
        return Ok(Exit::Done);
    }
    let cancel = &session.context.cancel;
    // From here on it may be gone.
    cancel.commit()?;
    let remove = lease::remove(&session.context.aws, &bucket, &lease);
    cancel.writing("waiting for an answer", remove).await.map_err(|error| match error.kind {
        OpErrorKind::Conflict => {
            let message =
                format!("the lease was renewed or taken over meanwhile, so a run is alive: {}", lease.who());
            Failure::new(codes::CHANGED_MEANWHILE, Exit::Failed, message, "end that run, or wait for it")
        }
        _ => error.into(),
    })?;
    ui.say("Broken. If that run is alive after all, it stops within half a minute: wait that long before you deploy.");
    Ok(Exit::Done)
}
