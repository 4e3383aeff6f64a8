//! The commands, one file each: arguments with their help, and what it calls.

mod audit_iam;
mod bucket;
mod check;
mod completions;
mod data;
mod deploy;
mod destroy;
mod doctor;
mod explain;
mod init;
mod invoke;
mod lease;
mod logs;
mod man;
mod model;
mod notebook;
mod open;
mod plan;
mod policy;
mod report;
mod sandbox;
mod scale;
mod schema;
mod status;
mod stop;
mod train;
mod upload;

use audit_iam::AuditArgs;
use clap::{Parser, Subcommand};
use completions::CompletionsArgs;
use data::{DataArgs, DataCommand};
use deploy::DeployArgs;
use destroy::DestroyArgs;
use explain::ExplainArgs;
use init::InitArgs;
use invoke::InvokeArgs;
use lease::LeaseArgs;
use logs::LogsArgs;
use man::ManArgs;
use model::{ModelArgs, ModelCommand};
use notebook::NotebookArgs;
use open::OpenArgs;
use plan::PlanArgs;
use policy::PolicyArgs;
use report::ReportArgs;
use sandbox::SandboxArgs;
use scale::ScaleArgs;
use schema::SchemaArgs;
use status::StatusArgs;
use stop::{StartArgs, StopArgs};
use train::TrainArgs;
use upload::UploadArgs;

use super::args::{DryRun, Global};
use super::environment::Environment;
use super::error::CommandResult;
use super::examples;
use super::ui::Ui;

/// Operationalize a machine-learning project on AWS from one file.
#[derive(Debug, Parser)]
#[command(
    name = "opsctl",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Try it without an account: opsctl --sandbox deploy --yes\nExit codes: https://github.com/opsctl/opsctl/blob/main/docs/exit-codes.md"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented config and a starter project
    #[command(after_help = examples::INIT)]
    Init(InitArgs),
    /// Validate the config without calling AWS
    #[command(after_help = examples::CHECK)]
    Check,
    /// Show what deploy would do, and why
    #[command(after_help = examples::PLAN)]
    Plan(PlanArgs),
    /// Create or update everything in the config
    #[command(after_help = examples::DEPLOY)]
    Deploy(DeployArgs),
    /// Create the bucket
    Bucket(DryRun),
    /// Upload data sets
    #[command(after_help = examples::UPLOAD)]
    Upload(UploadArgs),
    /// Download data sets
    #[command(after_help = examples::DATA)]
    Data(DataArgs),
    /// Download trained models
    #[command(after_help = examples::MODEL)]
    Model(ModelArgs),
    /// Run training jobs
    #[command(after_help = examples::TRAIN)]
    Train(TrainArgs),
    /// Create, start, stop or open the notebook
    #[command(after_help = examples::NOTEBOOK)]
    Notebook(NotebookArgs),
    /// Change autoscaling and provisioned concurrency of deployed resources
    #[command(after_help = examples::SCALE)]
    Scale(ScaleArgs),
    /// Send a payload through the function, or straight to the endpoint
    #[command(after_help = examples::INVOKE)]
    Invoke(InvokeArgs),
    /// List deployed resources, their states and what they measured
    #[command(after_help = examples::STATUS)]
    Status(StatusArgs),
    /// Write a report of everything deployed: states, metrics, scaling, a test, roles, cost
    #[command(after_help = examples::REPORT)]
    Report(Box<ReportArgs>),
    /// Show the log of a job, endpoint, function or notebook
    #[command(after_help = examples::LOGS)]
    Logs(LogsArgs),
    /// Stop a training job, an EC2 job or a notebook, and delete nothing
    #[command(after_help = examples::STOP)]
    Stop(StopArgs),
    /// Start a stopped notebook
    #[command(after_help = examples::START)]
    Start(StartArgs),
    /// Open a notebook, or a resource's page in AWS's console, in the browser
    #[command(after_help = examples::OPEN)]
    Open(OpenArgs),
    /// Delete everything of this project and environment
    #[command(after_help = examples::DESTROY)]
    Destroy(DestroyArgs),
    /// Show who holds the lease of this project and environment, or break it
    #[command(after_help = examples::LEASE)]
    Lease(LeaseArgs),
    /// Look whether a deploy can succeed: credentials, permissions, limits of the account
    #[command(after_help = examples::DOCTOR)]
    Doctor,
    /// Audit the account's IAM roles, or a saved dump of them
    #[command(after_help = examples::AUDIT_IAM)]
    AuditIam(Box<AuditArgs>),
    /// Print the IAM policies that deploying, planning or a pipeline needs
    #[command(after_help = examples::POLICY)]
    Policy(PolicyArgs),
    /// Serve, inspect or reset the local AWS
    #[command(after_help = examples::SANDBOX)]
    Sandbox(SandboxArgs),
    /// Print the JSON Schema of the config file, or of the events of `-o json`
    #[command(after_help = examples::SCHEMA)]
    Schema(SchemaArgs),
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write manual pages
    #[command(after_help = examples::MAN)]
    Man(ManArgs),
    /// Explain an error or warning code
    #[command(after_help = examples::EXPLAIN)]
    Explain(ExplainArgs),
}

impl Command {
    /// What a person wants to hear when the command is cut off before it changes anything. `None`: a signal
    /// is how it is meant to end.
    pub fn interrupted_note(&self) -> Option<&'static str> {
        match self {
            Self::Logs(_) => None,
            Self::Status(args) if args.watch => None,
            Self::Report(args) if args.invoke.is_some() => Some("The test invocation may still run."),
            // These send a request that AWS carries out, whoever waits for the answer.
            Self::Notebook(_) | Self::Invoke(_) | Self::Stop(_) | Self::Start(_) => {
                Some("AWS keeps working on what it was asked to do.")
            }
            // These read, write here alone, or call `cancel.commit()` before they write.
            Self::Init(_)
            | Self::Check
            | Self::Plan(_)
            | Self::Deploy(_)
            | Self::Destroy(_)
            | Self::Scale(_)
            | Self::Bucket(_)
            | Self::Upload(_)
            | Self::Data(_)
            | Self::Model(_)
            | Self::Train(_)
            | Self::Report(_)
            | Self::Policy(_)
            | Self::Doctor
            | Self::Status(_)
            | Self::Open(_)
            | Self::Lease(_)
            | Self::AuditIam(_)
            | Self::Sandbox(_)
            | Self::Schema(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Explain(_) => Some("Nothing was changed."),
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
        Command::Report(args) => report::run(args, global, ui, env).await,
        Command::Stop(args) => stop::stop(args, global, ui, env).await,
        Command::Start(args) => stop::start(args, global, ui, env).await,
        Command::Open(args) => open::run(args, global, ui, env).await,
        Command::Logs(args) => logs::run(args, global, ui, env).await,
        Command::Doctor => doctor::run(global, ui, env).await,
        Command::AuditIam(args) => audit_iam::run(args, global, ui, env).await,
        Command::Policy(args) => policy::run(args, global, ui, env).await,
        Command::Sandbox(args) => sandbox::run(args, global, ui, env).await,
        Command::Schema(args) => schema::run(args, ui),
        Command::Completions(args) => completions::run(args, ui),
        Command::Man(args) => man::run(args, ui),
        Command::Explain(args) => explain::run(args, ui),
    }
}
