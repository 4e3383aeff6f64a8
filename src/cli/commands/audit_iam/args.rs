//! The arguments of `opsctl audit-iam`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::audit::Severity;
use crate::audit::last_accessed::Detail;
use crate::audit::report::{Format, GroupBy};
use crate::cli::wrote::{Replace, place};
use crate::domain::Days;
use opsctl_iam::arn::is_account_id;

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("used").args(["usage", "usage_from_aws"]))]
pub struct AuditArgs {
    /// Audit this file instead of an account (- for stdin): a dump (`aws iam
    /// get-account-authorization-details`), a Terraform plan (`terraform show -json`) or a CloudFormation
    /// template
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "policy")]
    pub input: Option<PathBuf>,
    /// Audit this policy document, or every *.json in this folder, before it is deployed
    #[arg(long, value_name = "PATH", global = true)]
    pub policy: Option<PathBuf>,
    /// Policies of resources and of the organization: {"ResourcePolicies": {ARN: document},
    /// "ServiceControlPolicies": {name: document}, "ResourceControlPolicies": {name: document}}
    #[arg(long, value_name = "FILE", global = true)]
    pub resources: Option<PathBuf>,
    /// Say only whether anybody may do more than in this dump, plan, template or policy: exit code 2 when so
    #[arg(long, value_name = "OLD")]
    pub against: Option<PathBuf>,
    /// Save what was read, as a dump for --input
    #[arg(long, value_name = "FILE", value_parser = place())]
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
    #[arg(long, value_name = "TIME", global = true)]
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
    /// Exit with code 2 when there is a new finding of at least this severity, shown or not: critical, high,
    /// medium, low, info or none
    #[arg(long, value_name = "SEVERITY", default_value = "none")]
    pub fail_on: String,
    /// Show findings of at least this severity: critical, high, medium, low or info
    #[arg(long, value_name = "SEVERITY")]
    pub severity: Option<Severity>,
    /// Show findings of this rule, such as IAM103, full-access-policy or 'IAM2*'; repeatable
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<String>,
    /// Show findings on this role, user or other resource, by name or ARN, such as 'deploy-*'; repeatable
    #[arg(long, value_name = "NAME")]
    pub role: Vec<String>,
    /// Show this many findings, the worst
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,
    /// Put findings together by rule or by role (human)
    #[arg(long, value_name = "WHAT", value_enum)]
    pub group_by: Option<By>,
    /// Show all evidence of every finding, and everybody whom it is about (human)
    #[arg(long)]
    pub details: bool,
    /// Write the report as human, json, sarif, junit, markdown, github, html, csv, ocsf or asff
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Write the report to a file too, in another format, such as csv=audit.csv; repeatable
    #[arg(long, value_name = "FORMAT=FILE", value_parser = also)]
    pub also: Vec<(Format, PathBuf)>,
    #[command(flatten)]
    pub replace: Replace,
    /// Do not fail on findings listed in this file
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write the current findings into the --baseline file
    #[arg(long, requires = "baseline")]
    pub update_baseline: bool,
    /// Write a smaller policy per role, as proposals to review, into this folder (needs usage data)
    #[arg(long, value_name = "DIR", value_parser = place(), requires = "used")]
    pub write: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
}

fn account_id(text: &str) -> Result<String, String> {
    match is_account_id(text) {
        true => Ok(text.to_owned()),
        false => Err("an account has twelve digits".to_owned()),
    }
}

fn also(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = text.split_once('=').ok_or("write it like csv=audit.csv")?;
    match file {
        "" | "-" => Err("it needs the name of a file; --format is what goes to stdout".to_owned()),
        file => Ok((format.parse()?, file.into())),
    }
}

/// What findings are put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    Rule,
    Role,
}

impl From<By> for GroupBy {
    fn from(by: By) -> Self {
        match by {
            By::Rule => Self::Rule,
            By::Role => Self::Role,
        }
    }
}

/// How much to ask IAM of the use of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UsageDetail {
    Services,
    Actions,
}

impl From<UsageDetail> for Detail {
    fn from(detail: UsageDetail) -> Self {
        match detail {
            UsageDetail::Services => Self::Services,
            UsageDetail::Actions => Self::Actions,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Explain why a role or user may, or may not, do something
    Explain {
        /// Name or ARN of the role or user
        role: String,
        /// Such as s3:GetObject
        action: String,
        /// An ARN (default: any)
        resource: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_format() {
        let command = AuditArgs::augment_args(clap::Command::new("audit-iam"));
        let arg = command.get_arguments().find(|arg| arg.get_id() == "format").expect("an option");
        let help = arg.get_help().expect("a help").to_string();
        for (word, _) in Format::ALL {
            assert!(help.split([' ', ',']).any(|said| said == word), "{word}: {help}");
        }
    }
}
