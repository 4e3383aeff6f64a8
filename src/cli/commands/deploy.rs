//! `opsctl deploy`: everything as the config says.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Ended;
use crate::cli::act::{Intent, can_consent, run_plan};
use crate::cli::args::{ChangeArgs, DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::saved::Saved;
use crate::cli::session::Session;
use crate::cli::ui::Ui;
use crate::plan::Mode;

#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Apply exactly this saved plan; fail if it is out of date
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    pub changes: ChangeArgs,
    #[command(flatten)]
    pub preview: DryRun,
}

pub async fn run(args: &DeployArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    can_consent(args.preview.dry_run || args.plan.is_some(), global, ui)?;
    let saved = args.plan.as_deref().map(Saved::load).transpose()?;
    let session = Session::open(global, env, |_| Ok(())).await?;
    let mode = Mode::Deploy { prune: args.changes.prune, adopt: args.changes.adopt };
    let intent = Intent { mode, desired: session.desired.clone(), whole: true, fixed: false };
    run_plan(session, intent, args.preview, saved, global, ui).await
}
