//! The commands, one file each: arguments with their help, and what it calls.

mod audit_iam;
mod bucket;
mod check;
mod completions;
mod data;
mod deploy;
mod destroy;
mod explain;
mod init;
mod invoke;
mod lease;
mod logs;
mod model;
mod notebook;
mod plan;
mod sandbox;
mod scale;
mod schema;
mod status;
mod stop;
mod train;
mod upload;

use audit_iam::AuditArgs;
use clap::Subcommand;
use completions::CompletionsArgs;
use data::{DataArgs, DataCommand};
use deploy::DeployArgs;
use destroy::DestroyArgs;
use explain::ExplainArgs;
use init::InitArgs;
use invoke::InvokeArgs;
use lease::LeaseArgs;
use logs::LogsArgs;
use model::{ModelArgs, ModelCommand};
use notebook::NotebookArgs;
use plan::PlanArgs;
use sandbox::SandboxArgs;
use scale::ScaleArgs;
use status::StatusArgs;
use stop::{OpenArgs, TargetArgs};
use train::TrainArgs;
use upload::UploadArgs;

use super::CommandResult;
use super::args::{DryRun, Global};
use super::environment::Environment;
use super::ui::Ui;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented config and a starter project
    Init(InitArgs),
    /// Validate the config without calling AWS
    Check,
    /// Show what deploy would do, and why
    Plan(PlanArgs),
    /// Create or update everything in the config
    Deploy(DeployArgs),
    /// Create the bucket
    Bucket(DryRun),
    /// Upload data sets
    Upload(UploadArgs),
    /// Download data sets
    Data(DataArgs),
    /// Download trained models
    Model(ModelArgs),
    /// Run training jobs
    Train(TrainArgs),
    /// Create, start, stop or open the notebook
    Notebook(NotebookArgs),
    /// Change autoscaling and provisioned concurrency of deployed resources
    Scale(ScaleArgs),
    /// Send a payload through the function, or straight to the endpoint
    Invoke(InvokeArgs),
    /// List deployed resources, their states and what they measured
    Status(StatusArgs),
    /// Show the log of a job, endpoint, function or notebook
    Logs(LogsArgs),
    /// Stop a training job, an EC2 job or a notebook, and delete nothing
    Stop(TargetArgs),
    /// Start a stopped notebook
    Start(TargetArgs),
    /// Open a notebook, or a resource's page in AWS's console, in the browser
    Open(OpenArgs),
    /// Delete everything of this project and environment
    Destroy(DestroyArgs),
    /// Show who holds the lease of this project and environment, or break it
    Lease(LeaseArgs),
    /// Audit the account's IAM roles, or a saved dump of them
    AuditIam(Box<AuditArgs>),
    /// Serve, inspect or reset the local AWS
    Sandbox(SandboxArgs),
    /// Print the JSON Schema of the config file
    Schema,
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Explain an error or warning code
    Explain(ExplainArgs),
}

impl Command {
    /// What a person wants to hear when the command is cut off before it changes anything. `None`: a signal
    /// is how it is meant to end.
    pub fn interrupted_note(&self) -> Option<&'static str> {
        match self {
            Self::Logs(_) => None,
            Self::Status(args) if args.watch => None,
            Self::Stop(_) | Self::Start(_) => Some("AWS keeps working on what it was asked to do."),
            Self::Invoke(_) | Self::Notebook(_) => Some("AWS keeps working on what it was asked to do."),
            _ => Some("Nothing was changed."),
        }
    }
}

/// Calls the command.
pub async fn run(command: &Command, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    match command {
        Command::Init(args) => init::run(args, ui),
        Command::Check => check::run(global, ui, env),
        Command::Plan(args) => plan::run(args, global, ui, env).await,
        Command::Deploy(args) => deploy::run(args, global, ui, env).await,
        Command::Bucket(args) => bucket::run(args, global, ui, env).await,
        Command::Upload(args) => upload::run(args, global, ui, env).await,
        Command::Data(DataArgs { command: DataCommand::Pull(args) }) => {
            data::run(args, global, ui, env).await
        }
        Command::Model(ModelArgs { command: ModelCommand::Pull(args) }) => {
            model::run(args, global, ui, env).await
        }
        Command::Train(args) => train::run(args, global, ui, env).await,
        Command::Scale(args) => scale::run(args, global, ui, env).await,
        Command::Destroy(args) => destroy::run(args, global, ui, env).await,
        Command::Lease(args) => lease::run(args, global, ui, env).await,
        Command::Notebook(args) => notebook::run(args, global, ui, env).await,
        Command::Invoke(args) => invoke::run(args, global, ui, env).await,
        Command::Status(args) => status::run(args, global, ui, env).await,
        Command::Stop(args) => stop::stop(args, global, ui, env).await,
        Command::Start(args) => stop::start(args, global, ui, env).await,
        Command::Open(args) => stop::open(args, global, ui, env).await,
        Command::Logs(args) => logs::run(args, global, ui, env).await,
        Command::AuditIam(args) => audit_iam::run(args, global, ui, env).await,
        Command::Sandbox(args) => sandbox::run(args, global, ui, env).await,
        Command::Schema => schema::run(ui),
        Command::Completions(args) => completions::run(args, ui),
        Command::Explain(args) => explain::run(args, ui),
    }
}
