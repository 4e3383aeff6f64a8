//! `opsctl model pull`: the archive of a training job, on this machine, verified.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::data::PullArgs;
use crate::cli::Ended;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::generations::Job;
use crate::cli::session::Session;
use crate::cli::ui::Ui;
use crate::domain::{KindName, bytes, codes};
use crate::engine::OpCx;
use crate::inputs::note_written;
use crate::resources::instance::Instance;
use crate::resources::training::Training;
use crate::resources::training::job::{model_key, model_uri};
use crate::transfer::{Object, Ranges, download};

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
pub async fn run(args: &PullArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let session = Session::open(global, env, |_| Ok(())).await?;
    // `opsctl status` shows KIND/NAME.
    let given = args.name.as_deref().map(|given| given.rsplit_once('/').map_or(given, |(_, name)| name));
    let named = match given {
        Some(name) => Job::named(&session, name).await?,
        None => None,
    };
    let job = match named {
        Some(job) => job,
        None => {
            let name = session.only("training", given)?;
            Job::named(&session, name).await?.expect("the config has it")
        }
    };
    let root = if job.id.kind == KindName::Instance { Instance::OUTPUT } else { Training::OUTPUT };
    let bucket = session.world.wanted(KindName::Bucket).next().unwrap_or_default();
    let cx = OpCx { world: &session.world, step: 0, target: job.id.clone() };
    let found = job.newest_with(&session, ui, "model", async |physical| {
        Ok(Object::look(&cx.aws.s3, bucket, &model_key(root, physical)).await?)
    });
    let Some((physical, object)) = found.await? else {
        let message =
            format!("there is no model of {} at {}", job.id, model_uri(bucket, root, &job.physical));
        let help = "`opsctl train` trains it; `opsctl status` shows how far it is";
        return Err(Failure::said(codes::NOT_DEPLOYED, Exit::Failed, message, help));
    };
    env.cancel.commit()?;
    let file = args.to.clone().unwrap_or_else(|| PathBuf::from("model.tar.gz"));
    download(&cx, (bucket, &model_key(root, &physical)), &object, &file, &Ranges::default()).await?;
    note_written(session.config.document.folder(), &file);
    if ui.json() {
        let file = file.display().to_string();
        ui.out_json(&serde_json::json!({
            "format": 1, "target": job.id, "job": physical, "file": file, "bytes": object.size,
        }));
    } else {
        let uri = model_uri(bucket, root, &physical);
        ui.out(&format!("{}: {} from {uri}\n", file.display(), bytes(object.size)));
    }
    session.close().await;
    Ok(Exit::Done)
}
