//! The command line as types. Help texts are imperative; docs/commands.md is generated from them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::ui::{Color, Format};
use crate::domain::{Days, Human, ResourceId};

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

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Read this config file instead of the nearest opsctl.toml
    #[arg(short, long, global = true, env = "OPSCTL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Use the environment NAME (its values are under [env.NAME])
    #[arg(short, long, global = true, env = "OPSCTL_ENV", value_name = "NAME", default_value = crate::config::project::DEFAULT_ENVIRONMENT)]
    pub env: String,
    /// Use this profile of the AWS configuration
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Use this AWS region
    #[arg(long, global = true, value_name = "REGION", value_parser = region)]
    pub region: Option<String>,
    /// Send every call to this URL (an emulator, a proxy)
    #[arg(long, global = true, value_name = "URL", value_parser = checked_endpoint)]
    pub endpoint_url: Option<String>,
    /// Run against the built-in local AWS: no account, no cost
    #[arg(long, global = true, conflicts_with_all = ["endpoint_url", "profile"])]
    pub sandbox: bool,
    /// Go ahead without asking
    #[arg(short, long, global = true, visible_alias = "auto-approve")]
    pub yes: bool,
    /// Write results for people or for programs
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// When to use color
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Increase verbosity (-vv adds the SDK's retries)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Stop after this long, such as 30m, with exit code 8 (time at a prompt does not count; AWS keeps
    /// working)
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<Human>,
}

/// The SDK would tell only with the first call, and show the whole request.
pub fn endpoint(text: &str) -> Result<(), &'static str> {
    let url = text.parse::<hyper::Uri>().ok();
    match url.as_ref().map(|url| (url.scheme_str(), url.host())) {
        Some((Some("http" | "https"), Some(_))) => Ok(()),
        _ => Err("write http://HOST:PORT or https://HOST"),
    }
}

fn checked_endpoint(text: &str) -> Result<String, &'static str> {
    endpoint(text).map(|()| text.to_owned())
}

/// Regions become part of host names, and of every name.
fn region(text: &str) -> Result<String, &'static str> {
    match is_region(text) {
        true => Ok(text.to_owned()),
        false => Err("a region reads like us-east-1"),
    }
}

/// Whether a text can be a region.
pub fn is_region(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

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
    Bucket(PartArgs),
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
    /// List deployed resources and their states
    Status,
    /// Show the log of a job, endpoint, function or notebook
    Logs(LogsArgs),
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
    pub fn last_words(&self) -> Option<&'static str> {
        match self {
            Self::Logs(_) => None,
            Self::Invoke(_) | Self::Notebook(_) => Some("AWS keeps working on what it was asked to do."),
            _ => Some("Nothing was changed."),
        }
    }
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Write into this folder
    #[arg(default_value = ".", value_name = "DIR")]
    pub folder: PathBuf,
    /// Name of the project (default: the folder's name)
    #[arg(long)]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Show all reasons for every step
    #[arg(long)]
    pub why: bool,
    /// Save the plan for `deploy --plan`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with code 2 when there are changes
    #[arg(long, visible_alias = "detailed-exit-code")]
    pub detailed_exitcode: bool,
    #[command(flatten)]
    pub changes: ChangeArgs,
}

/// What a plan may touch.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct ChangeArgs {
    /// Also delete this project's resources that the config no longer names
    #[arg(long)]
    pub prune: bool,
    /// Use existing buckets, roles and log groups that have the planned names; destroy will leave them
    #[arg(long)]
    pub adopt: bool,
}

#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Apply exactly this saved plan; fail if it is out of date
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    pub changes: ChangeArgs,
    #[command(flatten)]
    pub preview: PartArgs,
}

/// Options of every command that changes something.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct PartArgs {
    /// Show the plan and stop
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct NamedArgs {
    /// Only these (default: all)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub part: PartArgs,
}

#[derive(Debug, Args)]
pub struct UploadArgs {
    /// Only these data sets (default: all)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Compare with the objects in the bucket instead of the manifest, and repair both
    #[arg(long)]
    pub verify: bool,
    #[command(flatten)]
    pub part: PartArgs,
}

#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Download what is in the bucket into a folder (default: ./NAME)
    Pull(PullArgs),
}

#[derive(Debug, Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    pub command: ModelCommand,
}

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Download the model archive of a training job (default: ./model.tar.gz)
    Pull(PullArgs),
}

#[derive(Debug, Args)]
pub struct PullArgs {
    /// Which one, when the config has several
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Write to this path
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Place {
    Sagemaker,
    Ec2,
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Only training jobs that run there
    #[arg(long, value_enum)]
    pub on: Option<Place>,
    #[command(flatten)]
    pub named: NamedArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NotebookVerb {
    Start,
    Stop,
    /// Print a link that opens it, valid for five minutes
    Url,
}

#[derive(Debug, Args)]
pub struct NotebookArgs {
    /// Without a verb: create or update the notebook from the config
    #[arg(value_enum)]
    pub verb: Option<NotebookVerb>,
    /// Which one, when the config has several
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub part: PartArgs,
}

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
    pub part: PartArgs,
}

#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// The function (default: the only one)
    #[arg(value_name = "FUNCTION")]
    pub function: Option<String>,
    /// Call this endpoint directly
    #[arg(long, value_name = "NAME", conflicts_with = "function")]
    pub endpoint: Option<String>,
    /// The payload, as JSON text
    #[arg(long, value_name = "JSON", conflicts_with = "file")]
    pub payload: Option<String>,
    /// Read the payload from a file, or - for stdin (default: sample.json beside opsctl.toml,
    /// NAME/sample.json beside NAME.toml)
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Resource whose log to show, as KIND/NAME: training/breeds, endpoint/breeds, function/classify,
    /// notebook/lab
    #[arg(value_name = "KIND/NAME")]
    pub target: ResourceId,
    /// Keep printing new lines
    #[arg(short, long)]
    pub follow: bool,
}

#[derive(Debug, Args)]
pub struct LeaseArgs {
    #[command(subcommand)]
    pub command: LeaseCommand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum LeaseCommand {
    /// Show who holds the lease, since when, and when it expires
    Show,
    /// Take the lease away from a run that is certainly dead, instead of waiting for it to expire
    Break,
}

#[derive(Debug, Args)]
pub struct DestroyArgs {
    /// Also delete what was adopted, and what others put into the bucket
    #[arg(long)]
    pub adopted: bool,
    #[command(flatten)]
    pub part: PartArgs,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("used").args(["usage", "usage_from_aws"]))]
pub struct AuditArgs {
    /// Audit this dump (`aws iam get-account-authorization-details`), or - for stdin, instead of an account
    #[arg(long, value_name = "FILE", global = true)]
    pub input: Option<PathBuf>,
    /// Save what was read, as a dump for --input
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Service-last-accessed data: role ARN → [{ServiceNamespace, LastAuthenticated}]
    #[arg(long, value_name = "FILE")]
    pub usage: Option<PathBuf>,
    /// Ask IAM which services (or which actions too) the roles used: at least two calls per role, cached for
    /// 4 hours
    #[arg(long, value_name = "DETAIL", value_enum, num_args = 0..=1, default_missing_value = "services",
          require_equals = true, conflicts_with_all = ["usage", "input"])]
    pub usage_from_aws: Option<UsageDetail>,
    /// Audit as of this time, such as 2026-11-22T00:00:00Z (default: now)
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// Another account of yours: trust in it is not foreign
    #[arg(long, value_name = "ID", value_parser = account_id)]
    pub own_account: Vec<String>,
    /// Report roles unused for longer than this
    #[arg(long, value_name = "DURATION")]
    pub stale_after: Option<Days>,
    /// Do not judge roles younger than this by their use
    #[arg(long, value_name = "DURATION")]
    pub grace: Option<Days>,
    /// Require the tag opsctl:reviewed on roles older than this
    #[arg(long, value_name = "DURATION")]
    pub old_after: Option<Days>,
    /// Exit with code 2 when there is a new finding of at least this severity: critical, high, medium, low,
    /// info or none
    #[arg(long, value_name = "SEVERITY", default_value = "none")]
    pub fail_on: String,
    /// Write the report as human, json, sarif, junit, markdown or github
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Do not fail on findings listed in this file
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write the current findings into the --baseline file
    #[arg(long, requires = "baseline")]
    pub update_baseline: bool,
    /// Write a smaller policy per role, as proposals to review, into this folder (needs usage data)
    #[arg(long, value_name = "DIR", requires = "used")]
    pub write: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
}

fn account_id(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("an account has twelve digits".to_owned()),
    }
}

/// How much to ask IAM of the use of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UsageDetail {
    Services,
    Actions,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Explain why a role may, or may not, do something
    Explain {
        /// Name or ARN of the role
        role: String,
        /// Such as s3:GetObject
        action: String,
        /// An ARN (default: any)
        resource: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct SandboxArgs {
    #[command(subcommand)]
    pub command: SandboxCommand,
}

#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Serve the sandbox to other clients until interrupted
    Serve {
        /// Listen on this port of 127.0.0.1 (0: any)
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Make time pass this many times faster
        #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
        speed: f64,
        /// Inject a fault, such as throttle@sagemaker:CreateEndpoint
        #[arg(long, value_name = "RULE")]
        fault: Vec<String>,
        /// Random seed for percentage faults, such as throttle@s3:PutObject%20
        #[arg(long, default_value_t = 0, value_name = "NUMBER")]
        fault_seed: u64,
    },
    /// Show where its state is, and who uses it
    Status,
    /// Delete its state
    Reset,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A code such as C101, or nothing for all of them
    pub code: Option<String>,
}
