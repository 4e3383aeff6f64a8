//! `opsctl destroy`: deletes everything of this project and environment.

use clap::Args;

use crate::cli::CommandResult;
use crate::cli::act::run_plan;
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
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

pub async fn run(args: &DestroyArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Spared, async |session| {
        let intent = Intent::destroy(session, args.adopted);
        run_plan(session, &intent, args.preview, None, global, ui).await
    })
    .await
}
