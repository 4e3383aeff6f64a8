//! `opsctl destroy`: deletes everything of this project and environment.

use clap::Args;

use crate::cli::act::{Allowed, run_plan};
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::{Environment, find_config};
use crate::cli::error::CommandResult;
use crate::cli::exit::Exit;
use crate::cli::sandbox;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::run::{Folders, Intent};

#[derive(Debug, Args)]
pub struct DestroyArgs {
    /// Also delete what was adopted, and what others put into the bucket
    #[arg(long)]
    pub adopted: bool,
    #[command(flatten)]
    pub preview: DryRun,
}

/// Deletes what is this project's, also when the folders of the config are gone.
pub async fn run(args: &DestroyArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let done = with_session(global, env, Folders::Spared, async |session| {
        let intent = Intent::destroy(session, args.adopted);
        run_plan(session, &intent, args.preview, Allowed::default(), global, ui).await
    })
    .await;
    if global.sandbox && !args.preview.dry_run && matches!(done, Ok(Exit::Done)) {
        // Nothing is left that the next command could want to find loaded.
        sandbox::end_background(find_config(global.config.as_deref()).ok().as_deref(), env).await;
    }
    done
}
