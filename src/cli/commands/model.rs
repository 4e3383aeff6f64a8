//! `opsctl model pull`: downloads the archive of a training job, and verifies it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::data::PullArgs;
use crate::cli::CommandResult;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::session::{only, with_session};
use crate::cli::ui::Ui;
use crate::cli::wrote::record_written_file;
use crate::domain::{bytes, codes};
use crate::engine::OpCx;
use crate::inputs::Output;
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
    let cx = OpCx { context: &session.context, step: 0, target: job.id.clone() };
    let found =
        job.newest_with(session, async |physical| Object::head(&cx.aws.s3, bucket, &key(physical)).await);
    let Some(Newest { physical, found: object, is_earlier }) = found.await? else {
        let message = format!("there is no model of {} at s3://{bucket}/{}", job.id, key(&job.physical));
        let help = "`opsctl train` trains it; `opsctl status` shows how far it is";
        return Err(Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, help));
    };
    if is_earlier {
        ui.err(&job.is_of_earlier("model", &physical));
    }
    session.context.cancel.commit()?;
    let file = args.to.clone().unwrap_or_else(|| PathBuf::from("model.tar.gz"));
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
    // `opsctl status` shows KIND/NAME.
    let given = args.name.as_deref().map(|given| given.rsplit_once('/').map_or(given, |(_, name)| name));
    if let Some(name) = given
        && let Some(job) = Job::named(session, name).await?
    {
        return Ok(job);
    }
    let name = only(session, "training", given)?;
    Ok(Job::named(session, name).await?.expect("the config has it"))
}
