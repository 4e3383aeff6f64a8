//! `opsctl model pull`: downloads the archive of a training job, and verifies it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::data::{PullArgs, in_the_way, is_there};
use crate::cli::CommandResult;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::named::{Among, named};
use crate::cli::session::{only, with_session};
use crate::cli::ui::Ui;
use crate::cli::wrote::record_written_file;
use crate::domain::{Phase, Stored, bytes, codes};
use crate::engine::OpCx;
use crate::inputs::{Output, is_as_written};
use crate::run::jobs::{Job, Newest};
use crate::run::{self, Folders, Session};
use crate::transfer::{Object, Ranges, download, output};

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
    with_session(global, env, Folders::Read, async |session| pull(session, args, ui).await).await
}

async fn pull(session: &Session, args: &PullArgs, ui: &Ui) -> CommandResult {
    run::bucket_is_ours(session).await?;
    let job = job(session, args).await?;
    let (bucket, key) = (session.bucket(), |physical: &str| job.artifact(session, physical));
    let cx = OpCx::new(&session.context, job.id.clone());
    let found =
        job.newest_with(session, async |physical| Object::head(&cx.aws.s3, bucket, &key(physical)).await);
    let Some(Newest { physical, found: object, is_earlier, seen }) = found.await? else {
        return Err(no_model(session, &job).await);
    };
    // Whose weights these are, nobody knows.
    if let Some(mixed) = seen.and_then(|seen| seen.mixed()) {
        let message = format!("{} `{physical}` {}", job.id.kind.words(), mixed.what);
        return Err(Failure::new(mixed.code, Exit::Failed, message, mixed.help));
    }
    if is_earlier {
        ui.err(&job.is_of_earlier("model", &physical));
    }
    let file = args.to.clone().unwrap_or_else(|| PathBuf::from("model.tar.gz"));
    let differs = file.symlink_metadata().is_ok()
        && !is_as_written(session.config.document.folder(), &file)
        && !object
            .crc
            .is_some_and(|crc| is_there(&file, &Stored { size: object.size, crc, etag: String::new() }));
    if differs && !args.may_replace() {
        return Err(in_the_way(&[file.display().to_string()]));
    }
    session.context.cancel.commit()?;
    let output = output(&file, Output::named)?;
    download(&cx, (bucket, &key(&physical)), &object, output, &Ranges::default()).await?;
    record_written_file(session, ui, &file);
    if ui.json() {
        let file = file.display().to_string();
        ui.out_json(&serde_json::json!({
            "format": 1, "target": job.id, "job": physical, "file": file, "bytes": object.size,
        }));
    } else {
        let uri = format!("s3://{bucket}/{}", key(&physical));
        ui.out(&format!("{}: {} from {uri}\n", file.display(), bytes(object.size)));
    }
    Ok(Exit::Done)
}

/// The job that is meant: the named one, or that of the only training.
async fn job(session: &Session, args: &PullArgs) -> Result<Job, Failure> {
    let given = match &args.name {
        Some(given) => given.as_str(),
        None => only(session, "training", None)?,
    };
    let leaves = |kind| session.kind(kind).artifact("").is_some();
    named(session, given, &Among { what: "leaves a model", kinds: &leaves }).await
}

/// Why a job has left no model, as `opsctl status` and a deploy say it.
async fn no_model(session: &Session, job: &Job) -> Failure {
    let id = &job.id;
    let cx = OpCx::new(&session.context, id.clone());
    let look = session.registry.of(id.kind).observe(&cx, &job.physical);
    let seen = match session.context.cancel.reading("looking", look).await {
        Ok(seen) => seen,
        Err(error) => return error.into(),
    };
    let said = |code, message: String, help: String| Failure::new(code, Exit::Failed, message, help);
    let Some(seen) = seen else {
        let help = "`opsctl train` trains it";
        return said(codes::NOT_DEPLOYED, format!("{id} is not trained yet"), help.to_owned());
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
