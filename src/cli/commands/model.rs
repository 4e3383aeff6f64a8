//! `opsctl model pull`: downloads the archive of a training job, and verifies it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::data::{PullArgs, not_pulled};
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::named::{Among, named, only_one, say_latest};
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::cli::wrote;
use crate::domain::{Phase, bytes, codes, shown};
use crate::run::jobs::Job;
use crate::run::pull::model::{Model, NoModel};
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    pub command: ModelCommand,
}

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Download the model archive of a training job (default: ./model.tar.gz)
    Pull(PullArgs),
}

/// Fetches the archive that a training job or instance left: that of the job which the config asks for, else
/// that of the newest one before it.
pub async fn run(args: &PullArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Spared, async |session| pull(session, args, ui).await).await
}

async fn pull(session: &Session, args: &PullArgs, ui: &Ui) -> CommandResult {
    let job = job(session, args).await?;
    say_latest(session, &job, ui);
    let not_pulled = |why| not_pulled(why, |none| no_model(session, &job, none));
    let model = Model::find(session, &job).await.map_err(not_pulled)?;
    if model.is_earlier {
        ui.err(&job.is_of_earlier("model", &model.physical));
    }
    if let Some((word, why)) = &model.ended {
        let is = if word == "Failed" { "has failed".to_owned() } else { format!("is {word}") };
        let why = why.as_ref().map(|why| format!(": {}", shown::line(why))).unwrap_or_default();
        ui.err(&format!("{} {is}, and this is what it has left{why}", job.id));
    }
    let file = args.to.clone().unwrap_or_else(|| PathBuf::from("model.tar.gz"));
    model.fetch(session, &job, &file, args.replace.force).await.map_err(not_pulled)?;
    wrote::record(session).note(&file);
    wrote::say_left_out(session, ui, &file);
    let (file, size) = (file.display().to_string(), model.object.size);
    if ui.json() {
        ui.out_json(&json!({
            "format": 1, "target": job.id, "job": model.physical, "file": file, "bytes": size,
        }));
    } else {
        ui.out(&format!("{file}: {} from {}\n", bytes(size), model.uri()));
    }
    Ok(Exit::Done)
}

/// The job that is meant: the named one, or that of the only training.
async fn job(session: &Session, args: &PullArgs) -> Result<Job, Failure> {
    let leaves = |kind| session.kind(kind).leaves_artifact();
    let among = Among { what: "leaves a model", kinds: &leaves };
    match &args.name {
        Some(given) => named(session, given, &among).await,
        None => only_one(session, &among),
    }
}

/// Why a job has left no model, as `opsctl status` and a deploy say it.
fn no_model(session: &Session, job: &Job, none: NoModel) -> Failure {
    let id = &job.id;
    let said = |code, message: String, help: String| Failure::new(code, Exit::Failed, message, help);
    let seen = match none {
        NoModel::Mixed { physical, mixed } => {
            return said(mixed.code, mixed.said(id.kind, &physical), mixed.help.to_owned());
        }
        NoModel::NotSaved(seen) => seen,
    };
    let Some(seen) = seen else {
        let help = "`opsctl train` trains it";
        return said(codes::NOT_DEPLOYED, format!("{id} has no model: it is not trained"), help.to_owned());
    };
    let status = seen.status();
    let cause = status.cause().map(|cause| format!(": {cause}")).unwrap_or_default();
    let log = format!("its log: `opsctl logs {id}`");
    match status.phase {
        _ if seen.saved_nothing() => {
            let help = format!("save the model there and run `opsctl train` again; {log}");
            said(codes::SAVED_NOTHING, format!("there is no model of {id}{cause}"), help)
        }
        Phase::Failed | Phase::Leaving => {
            said(codes::FAILED, format!("{id} has left no model; it is {}{cause}", status.word), log)
        }
        Phase::Busy => {
            let help = format!("`opsctl logs -f {id}` follows it to its end");
            said(codes::NOT_DEPLOYED, format!("{id} is still being trained ({})", status.word), help)
        }
        Phase::Ready | Phase::Stopped => {
            let uri = format!("s3://{}/{}", session.bucket(), job.artifact(session, &job.physical));
            let help = "`opsctl train` trains it again";
            said(codes::NOT_DEPLOYED, format!("{id} is {}, and {uri} is not there", status.word), help.into())
        }
    }
}
