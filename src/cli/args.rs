//! Options that several commands have. Help texts are imperative; docs/commands.md is generated from them.

use std::path::PathBuf;

use clap::Args;

use crate::config::project::DEFAULT_ENVIRONMENT;
use crate::domain::{HumanDuration, KindName, Money};

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Human,
    Json,
}

/// When to use color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Read this config file instead of the nearest opsctl.toml
    #[arg(short, long, global = true, env = "OPSCTL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Use the environment NAME (its values are under [env.NAME])
    #[arg(short, long, global = true, env = "OPSCTL_ENV", value_name = "NAME",
          default_value = DEFAULT_ENVIRONMENT,
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
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
    /// Stop after this long, such as 30m, with exit code 8 (time at a prompt does not count; a change that
    /// AWS was asked for has 3s more to be answered; AWS keeps working)
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<HumanDuration>,
    /// Wait while another run holds the lease, at most this long; without a duration until --timeout
    #[arg(long, global = true, value_name = "DURATION", num_args = 0..=1, require_equals = true)]
    pub wait: Option<Option<HumanDuration>>,
}

/// What is wrong with the URL of an endpoint. The SDK would tell only with the first call, and show the whole
/// request. One with a password is not repeated: opsctl shows its target everywhere, and puts it into saved
/// plans.
pub fn endpoint(text: &str) -> Result<(), String> {
    let url = text.parse::<hyper::Uri>().ok();
    match url.as_ref().map(|url| (url.scheme_str(), url.host())) {
        _ if text.contains('@') => Err("has a name or a password in it".to_owned()),
        Some((Some("http" | "https"), Some(_))) => Ok(()),
        _ => Err(format!("is not a URL: {text}")),
    }
}

/// One with a password is refused later: clap would repeat it.
fn checked_endpoint(text: &str) -> Result<String, &'static str> {
    match endpoint(text) {
        Err(_) if !text.contains('@') => Err("write http://HOST:PORT or https://HOST"),
        _ => Ok(text.to_owned()),
    }
}

/// A resource as it is shown, or its name alone. What can be none needs no look at AWS.
pub fn target(text: &str) -> Result<String, String> {
    let (kind, name) = text.split_once('/').map_or((None, text), |(kind, name)| (Some(kind), name));
    kind.map_or(Ok(()), |kind| kind.parse::<KindName>().map(drop))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match !name.is_empty() && name.chars().all(is_name) {
        true => Ok(text.to_owned()),
        false => Err("write KIND/NAME, such as training/numbers, or a name alone".to_owned()),
    }
}

/// Regions become part of host names, and of every name.
fn region(text: &str) -> Result<String, &'static str> {
    match is_region(text) {
        true => Ok(text.to_owned()),
        false => Err("a region looks like us-east-1"),
    }
}

/// Whether a text can be a region.
pub fn is_region(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
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
    /// Refuse with exit code 9 when a month could cost more than USD at AWS's list prices, with everything
    /// at its maximum; takes the place of [budget]
    #[arg(long, value_name = "USD")]
    pub max_monthly: Option<Money>,
}

/// Options of every command that changes something.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct DryRun {
    /// Show the plan and stop
    #[arg(long)]
    pub dry_run: bool,
}
