//! `opsctl destroy`: nothing is left of this project and environment.

use clap::Args;

use crate::cli::Ended;
use crate::cli::act::{Intent, can_consent, run_plan};
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::session::{Folders, Session};
use crate::cli::ui::Ui;
use crate::plan::Mode;

#[derive(Debug, Args)]
pub struct DestroyArgs {
    /// Also delete what was adopted, and what others put into the bucket
    #[arg(long)]
    pub adopted: bool,
    #[command(flatten)]
    pub preview: DryRun,
}

pub async fn run(args: &DestroyArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    can_consent(args.preview.dry_run, global, ui)?;
    let session = Session::open_with(global, env, |_| Ok(()), Folders::Spared).await?;
    let mode = Mode::Destroy { adopted: args.adopted };
    let intent = Intent { mode, desired: session.desired.clone(), whole: true, fixed: false };
    run_plan(session, intent, args.preview, None, global, ui).await
}
