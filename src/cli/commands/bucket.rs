//! `opsctl bucket`: deploys only the bucket.

use crate::cli::act::deploy_subset;
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::CommandResult;
use crate::cli::ui::Ui;
use crate::domain::KindName;

/// A deploy of the bucket alone, which needs no data, code or training.
pub async fn run(args: &DryRun, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    deploy_subset(&[KindName::Bucket], &[], *args, global, ui, env).await
}
