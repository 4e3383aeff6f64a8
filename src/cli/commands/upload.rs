//! `opsctl upload`: uploads data sets with as few requests as there are changes. Where the project has no
//! bucket yet, it deploys that part of the graph.

use clap::Args;

use super::data::elsewhere;
use crate::cli::CommandResult;
use crate::cli::act::{confirm, deploy_subset, finish_display, print_warnings, start_display, subset};
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::{Failure, exit_of, help_of};
use crate::cli::exit::Exit;
use crate::cli::session::{names, with_session};
use crate::cli::ui::Ui;
use crate::domain::{Diagnostics, KindName, ResourceId, bytes, codes};
use crate::report::upload as report;
use crate::run::upload::{DataSet, Upload, UploadRefusal, read_files, read_manifests};
use crate::run::{Folders, Intent, Session};

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
    let uploaded =
        with_session(global, env, Folders::Listed, async |session| upload(session, args, global, ui).await);
    match uploaded.await? {
        Some(exit) => Ok(exit),
        None => deploy_subset(&[KindName::Data], &args.names, args.preview, global, ui, env).await,
    }
}

/// The data sets that are meant. One that the config has, and opsctl does not upload, is said to be so.
fn meant(session: &Session, given: &[String]) -> Result<Intent, Failure> {
    subset(session, &[KindName::Data], given).map_err(|unknown| {
        let is_given = |name: &&str| given.is_empty() || given.iter().any(|given| given == name);
        let id = names(session, "data").into_iter().find(is_given);
        let id = id.map(|name| ResourceId::new(KindName::Data, name));
        let id = id.filter(|id| session.desired.node(id).is_none());
        id.map_or(unknown, |id| elsewhere(&id))
    })
}

/// `None`: there is no bucket of ours yet.
async fn upload(
    session: &mut Session,
    args: &UploadArgs,
    global: &Global,
    ui: &Ui,
) -> Result<Option<Exit>, Failure> {
    let intent = meant(session, &args.names)?;
    let Some(sets) = read_manifests(session, &intent, args.verify).await? else { return Ok(None) };
    compare(session, &sets, ui)?;
    let (todo, done): (Vec<DataSet>, Vec<DataSet>) = sets.into_iter().partition(|set| set.has_work(session));
    if !ui.json() {
        print_warnings(session, ui);
        ui.out(&report::human(session, &todo, &done, ui.styled_out()));
    } else if args.preview.dry_run {
        ui.out_json(&report::json(session, &todo, &done));
    }
    // A program that reads events wants to read that there were none.
    if args.preview.dry_run || (todo.is_empty() && !ui.json()) {
        session.context.inputs.remember(&session.context.cache);
        return Ok(Some(Exit::Done));
    }
    if ui.is_broken() {
        return Ok(Some(Exit::Failed));
    }
    let asks = !global.yes && !todo.is_empty();
    if asks && !confirm(&format!("Go ahead in {}?", session.place), &session.context.cancel, ui).await? {
        return Ok(Some(Exit::Done));
    }
    send(session, todo, ui).await.map(Some)
}

/// Reads the files that have to be compared with what is in the bucket.
fn compare(session: &mut Session, sets: &[DataSet], ui: &Ui) -> Result<(), Failure> {
    /// From here on, reading takes long enough to say so.
    const MUCH: u64 = 2_000_000_000;
    let read = read_files(session, sets, |path, unread| {
        if unread > MUCH {
            ui.say(&format!("Reading {} of {} to compare …", bytes(unread), path.display()));
        }
    });
    read.map_err(|problem| Failure::config(session.config.document.clone(), Diagnostics(vec![problem])))
}

async fn send(session: &mut Session, todo: Vec<DataSet>, ui: &Ui) -> CommandResult {
    let display = start_display(session.events.take(), session, ui);
    let upload = match Upload::begin(session, todo).await {
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
        ui.error(error.code(), &format!("{target} failed: {error}"), help_of(error.code()));
    }
    Ok(exit_of(&error.kind))
}

fn not_begun(why: UploadRefusal, session: &Session) -> Failure {
    match why {
        UploadRefusal::Op(error) => Failure::not_begun(error, &session.context.cancel, Failure::from),
        UploadRefusal::Changed(id) => {
            let message = format!("somebody else has just uploaded {id}; nothing was done");
            Failure::new(codes::CHANGED_MEANWHILE, Exit::Failed, message, "run the same command again")
        }
    }
}
