//! `opsctl upload`: uploads data sets with as few requests as there are changes. Where the project has no
//! bucket yet, it deploys that part of the graph.

use std::path::Path;

use clap::Args;

use super::data::elsewhere;
use crate::cli::act::{confirm, deploy_subset, finish_display, print_warnings, start_display, unknown_name};
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure, exit_of, help_with};
use crate::cli::exit::Exit;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::{KindName, bytes, codes};
use crate::report::upload as report;
use crate::run::upload::{self, Comparison, NotMeant, Upload, UploadRefusal};
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct UploadArgs {
    /// Only these data sets (default: all)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Compare with the objects in the bucket instead of the manifest, and repair both
    #[arg(long)]
    pub verify: bool,
    #[command(flatten)]
    pub preview: DryRun,
}

/// Sends what differs. Where there is no bucket yet it is a deploy of the data sets.
pub async fn run(args: &UploadArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let uploaded = with_session(global, env, Folders::Listed, async |session| {
        let intent = upload::intent(session, &args.names).map_err(not_meant)?;
        let reading = |folder: &Path, unread| say_reading(folder, unread, ui);
        let compared = upload::compare(session, &intent, args.verify, reading).await;
        let Some(compared) = compared.map_err(|why| not_compared(why, session))? else { return Ok(None) };
        show(session, &compared, args.preview, ui);
        // A program that reads events wants to read that there were none.
        if args.preview.dry_run || (compared.todo.is_empty() && !ui.json()) {
            compared.leave(session);
            return Ok(Some(Exit::Done));
        }
        if ui.is_broken() {
            return Ok(Some(Exit::Failed));
        }
        let asks = !global.yes && !compared.todo.is_empty();
        let question = format!("Go ahead in {}?", session.place);
        if asks && !confirm(&question, &session.context.cancel, ui).await? {
            return Ok(Some(Exit::Done));
        }
        send(session, compared, ui).await.map(Some)
    });
    match uploaded.await? {
        Some(exit) => Ok(exit),
        None => deploy_subset(&[KindName::Data], &args.names, args.preview, global, ui, env).await,
    }
}

fn not_meant(why: NotMeant) -> Failure {
    match why {
        NotMeant::Unknown(unknown) => unknown_name(KindName::Data, unknown),
        NotMeant::Elsewhere(id) => elsewhere(&id),
    }
}

/// Reading may take long enough to say so.
fn say_reading(folder: &Path, unread: u64, ui: &Ui) {
    const MUCH: u64 = 2_000_000_000;
    if unread > MUCH {
        ui.say(&format!("Reading {} of {} to compare …", bytes(unread), folder.display()));
    }
}

fn show(session: &Session, compared: &Comparison, preview: DryRun, ui: &Ui) {
    let Comparison { todo, done } = compared;
    if !ui.json() {
        print_warnings(session, ui);
        ui.out(&report::human(session, todo, done, ui.styled_out()));
    } else if preview.dry_run {
        ui.out_json(&report::json(session, todo, done));
    }
}

async fn send(session: &mut Session, compared: Comparison, ui: &Ui) -> CommandResult {
    let display = start_display(session.events.take(), session, ui);
    let upload = match Upload::begin(session, compared).await {
        Ok(upload) => upload,
        Err(why) => {
            finish_display(session, display).await;
            return Err(not_begun(why, session));
        }
    };
    let uploaded = upload.send(session).await;
    finish_display(session, display).await;
    let Some((target, error)) = uploaded.failed else { return Ok(Exit::Done) };
    // An interruption was reported already, and is not a failure.
    if !ui.json() && !session.context.cancel.caused(&error) {
        ui.error(error.code(), &format!("{target} failed: {error}"), help_with(&error));
    }
    Ok(exit_of(&error.kind))
}

/// Why nothing was compared.
fn not_compared(why: UploadRefusal, session: &Session) -> Failure {
    match why {
        UploadRefusal::Op(error) => error.into(),
        UploadRefusal::Problems(problems) => Failure::config(session.config.document.clone(), problems),
        UploadRefusal::UploadedMeanwhile(id) => {
            let message = format!("somebody else has just uploaded {id}; nothing was done");
            Failure::new(codes::CHANGED_MEANWHILE, Exit::Failed, message, "run the same command again")
        }
    }
}

/// Why nothing was sent.
fn not_begun(why: UploadRefusal, session: &Session) -> Failure {
    match why {
        UploadRefusal::Op(error) => Failure::not_begun(error, &session.context.cancel, Failure::from),
        why => not_compared(why, session),
    }
}
