//! `opsctl scale`: autoscaling and provisioned concurrency of what is already deployed, and nothing else.

use clap::Args;

use crate::cli::act::{Allowed, on_command_line, run_plan};
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::CommandResult;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::desired::Node;
use crate::domain::Scale;
use crate::run::{Folders, Intent};

#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// Only these endpoints and functions (default: all)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Scale to keep this many invocations per instance per minute
    #[arg(long, value_name = "N")]
    pub target: Option<f64>,
    /// Keep at least this many instances
    #[arg(long, value_name = "N")]
    pub min: Option<i64>,
    /// Keep at most this many instances
    #[arg(long, value_name = "N")]
    pub max: Option<i64>,
    /// Keep this many environments of the function initialized
    #[arg(long, value_name = "N")]
    pub provisioned_concurrency: Option<i64>,
    #[command(flatten)]
    pub preview: DryRun,
}

/// Changes the numbers in AWS alone, and says that the next deploy brings back those of the file.
pub async fn run(args: &ScaleArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let ScaleArgs { min, max, target, provisioned_concurrency, .. } = *args;
    let to = Scale { min, max, target, provisioned_concurrency };
    with_session(global, env, Folders::Spared, async |session| {
        let intent = Intent::scale(session, &args.names, to).map_err(on_command_line)?;
        if !to.is_of_config() {
            let file = session.config.document.file.display();
            let wanted = |node: &Node| session.desired.nodes.iter().any(|known| known.id == node.id);
            // What is scaled comes with what it is a part of, which is in the file.
            ui.say(&match intent.desired.nodes.iter().all(wanted) {
                true => format!("Note: the next deploy resets this to {file}. Change it there to keep it."),
                false => format!(
                    "Note: {file} does not scale all of this: what it does not name, the next deploy leaves \
                     as it is, and `opsctl deploy --prune` deletes. Write it there to keep it."
                ),
            });
        }
        run_plan(session, &intent, args.preview, Allowed::default(), global, ui).await
    })
    .await
}
