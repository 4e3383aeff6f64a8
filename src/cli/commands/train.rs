//! `opsctl train`: training jobs, with all that they need.

use clap::{Args, ValueEnum};

use crate::cli::Ended;
use crate::cli::act::deploy_subset;
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::ui::Ui;
use crate::domain::KindName;

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Only training jobs that run there
    #[arg(long, value_enum)]
    pub on: Option<Place>,
    /// Only these (default: all)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub preview: DryRun,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Place {
    Sagemaker,
    Ec2,
}

pub async fn run(args: &TrainArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let kinds: &[KindName] = match args.on {
        None => &[KindName::Training, KindName::Instance],
        Some(Place::Sagemaker) => &[KindName::Training],
        Some(Place::Ec2) => &[KindName::Instance],
    };
    deploy_subset(kinds, &args.names, args.preview, global, ui, env).await
}
