//! `opsctl train`: deploys training jobs and everything they need.

use clap::{Args, ValueEnum};

use crate::cli::act::deploy_subset;
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::CommandResult;
use crate::cli::ui::Ui;
use crate::domain::KindName;

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Only training jobs that run there
    #[arg(long, value_enum)]
    pub on: Option<TrainOn>,
    /// Only these (default: all)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub preview: DryRun,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TrainOn {
    Sagemaker,
    Ec2,
}

/// A deploy of trainings and of what they need. One whose inputs have not changed is not run again.
pub async fn run(args: &TrainArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let kinds: &[KindName] = match args.on {
        None => &[KindName::Training, KindName::Instance],
        Some(TrainOn::Sagemaker) => &[KindName::Training],
        Some(TrainOn::Ec2) => &[KindName::Instance],
    };
    deploy_subset(kinds, &args.names, args.preview, global, ui, env).await
}
