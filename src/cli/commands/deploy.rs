//! `opsctl deploy`: creates or updates everything in the config.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::act::{Allowed, run_plan};
use crate::cli::args::{ChangeArgs, DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::files;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::codes;
use crate::run::{Folders, Intent, SavedPlan};

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

/// Plans, asks, and does it; with `--plan` exactly what was saved, or nothing.
pub async fn run(args: &DeployArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let saved = args.plan.as_deref().map(load).transpose()?;
    with_session(global, env, Folders::Read, async |session| {
        let (prune, adopt) = (args.changes.prune, args.changes.adopt);
        let intent = match &saved {
            Some(saved) => saved.intent(session, prune, adopt),
            None => Intent::deploy(session, prune, adopt),
        };
        let allowed = Allowed { saved, monthly: args.changes.max_monthly };
        run_plan(session, &intent, args.preview, allowed, global, ui).await
    })
    .await
}

/// Reads a plan that `opsctl plan --out` has saved.
fn load(file: &Path) -> Result<SavedPlan, Failure> {
    let text = files::read(file, files::LARGE).map_err(|error| error.to_string());
    text.and_then(|text| SavedPlan::read(&text)).map_err(|error| {
        let message = format!("{} is not a saved plan: {error}", file.display());
        Failure::new(codes::LOCAL_IO, Exit::Usage, message, "`opsctl plan --out FILE` makes one")
    })
}
