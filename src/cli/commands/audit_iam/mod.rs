//! `opsctl audit-iam`: the account's roles, or a saved dump of them, against the rules.

mod explain;
mod options;

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, Subcommand, ValueEnum};

use crate::audit::account::plain_text;
use crate::audit::last_accessed::Detail;
use crate::audit::report::{self, Emphasis, Options};
use crate::audit::{self, Account, Audit, Baseline, Instant, Settings, Usage};
use crate::cli::CommandResult;
use crate::cli::args::Global;
use crate::cli::environment::{Environment, find_config, home};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::files;
use crate::cli::session;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::domain::{Days, codes, many, shown};
use crate::inputs;
use crate::report::style::Styles;
use crate::resources::kinds;
use crate::run::{self, sections};

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

/// Audits, or explains. Findings at or above `--fail-on` exit with 2, gaps with 10.
pub async fn run(args: &AuditArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let format = options::format(args, ui)?;
    let fail_on = options::fail_on(args)?;
    options::none_is_idle(args, global)?;
    let config = config(global)?;
    let clock = clock();
    let mut settings = options::settings(args, config.as_ref(), clock)?;
    let (account, usage) = read(args, global, ui, env, config.as_ref(), &settings, clock).await?;
    if let Some(AuditCommand::Explain { role, action, resource }) = &args.command {
        return explain::run(&account, role, action, resource.as_deref(), settings.now, ui);
    }
    // A dump may be of any account, so it is not compared.
    if let Some(config) = config.as_ref().filter(|_| args.input.is_none()) {
        let region = global.region.as_ref().or(env.region.as_ref()).or(config.project.region.as_ref());
        settings.expected = region.and_then(|region| run::audit::expected_by(config, region, &account));
    }
    let mut result = audit::audit(&account, &usage, &settings);
    accept_known(args, &mut result, settings.now, ui)?;
    for finding in &mut result.findings {
        finding.fix = ui.suggest(&finding.fix);
    }
    if let Some(folder) = &args.write {
        propose(&account, &usage, &settings, folder, ui)?;
    }
    let location =
        config.map_or_else(|| "opsctl.toml".into(), |c| c.document.file.to_string_lossy().into_owned());
    let paint = if ui.styled_out().is_colored() { colored } else { report::plain };
    ui.out(&report::render(&result, format, Options { location: &location, fail_on, paint }));
    Ok(match fail_on {
        // Findings first: that something else could not be read does not make them better.
        Some(limit) if result.fails(limit) => Exit::Changes,
        _ if result.is_incomplete() => Exit::Incomplete,
        _ => Exit::Done,
    })
}

/// The account to audit, from a dump or from AWS, and what its roles used.
async fn read(
    args: &AuditArgs,
    global: &Global,
    ui: &Ui,
    env: &Environment,
    config: Option<&Config>,
    settings: &Settings,
    clock: Instant,
) -> Result<(Account, Usage), Failure> {
    let usage = match &args.usage {
        Some(file) => Usage::from_json(&plain_text(&read_file(file)?))
            .map_err(|error| bad_file(file, "usage data", &error))?,
        None => Usage::default(),
    };
    let (mut account, usage) = match &args.input {
        Some(file) => (dump(file)?, usage),
        None => {
            let read = session::with_clients(global, env, config, async |aws, pace| {
                let live = run::audit::LiveAccount::read(&aws).await?;
                if let Some(file) = &args.save {
                    write(file, &live.to_dump())?;
                }
                let mut account = live.account();
                let Some(detail) = args.usage_from_aws else { return Ok((account, usage)) };
                let cache = cache(global, config, env, &account.id);
                let about = (detail.into(), clock);
                let used = run::audit::used(&aws, pace, (&account, settings), about, cache.as_deref()).await;
                say_used(&used, ui);
                for problem in &used.fetched.problems {
                    account.not_evaluated_because("IAM404", problem);
                }
                Ok((account, used.fetched.usage))
            });
            read.await?
        }
    };
    if let Some(file) = &args.usage {
        run::audit::doubt_usage(&mut account, &usage, file);
    }
    Ok((account, usage))
}

/// What was asked of IAM, and how old the answers are. A cache that cannot be written is no reason to fail.
fn say_used(used: &run::audit::Used, ui: &Ui) {
    if let Some((file, error)) = &used.not_kept {
        ui.say(&format!("{} cannot be written, so the reports are not kept: {error}", file.display()));
    }
    let fetched = &used.fetched;
    let aged = match used.kept_minutes {
        Some(minutes) => format!(", {} kept from up to {} ago", fetched.cached, many(minutes, "minute")),
        None => String::new(),
    };
    let (roles, asked) = (many(fetched.usage.roles.len(), "role"), many(fetched.asked, "report"));
    ui.say(&format!("Use of {roles}: {asked} asked of IAM{aged}."));
}

/// Where reports on use are kept: beside the project's other state, else in the user's cache.
fn cache(global: &Global, config: Option<&Config>, env: &Environment, account: &str) -> Option<PathBuf> {
    let endpoint = match (global.sandbox, &global.endpoint_url) {
        (true, _) => Some(run::audit::Endpoint::Sandbox),
        (false, Some(url)) => Some(run::audit::Endpoint::Url(url)),
        (false, None) => None,
    };
    let folder = match config {
        Some(config) => Some(home(&config.document.file).join(".opsctl")),
        None => env.cache.clone(),
    };
    folder.map(|folder| run::audit::cache(&folder, account, endpoint.as_ref()))
}

fn dump(file: &Path) -> Result<Account, Failure> {
    const HELP: &str =
        "`aws iam get-account-authorization-details > dump.json` writes one, and so does --save";
    run::audit::dump(&read_file(file)?).map_err(|why| {
        let message = format!("{} is not a dump: {why}", file.display());
        Failure::new(codes::LOCAL_IO, Exit::Failed, message, HELP)
    })
}

/// Marks the findings that the baseline accepts; with `--update-baseline`, accepts those of now.
fn accept_known(args: &AuditArgs, result: &mut Audit, now: Instant, ui: &Ui) -> Result<(), Failure> {
    let Some(file) = &args.baseline else { return Ok(()) };
    let baseline = baseline(file, args.update_baseline)?;
    baseline.apply(result, now);
    if args.update_baseline {
        write(file, &baseline.updated(result).to_text())?;
        ui.say(&format!(
            "Wrote {}. Edit it to say why each finding is accepted, by whom, and until when.",
            file.display()
        ));
    }
    Ok(())
}

fn baseline(file: &Path, may_be_new: bool) -> Result<Baseline, Failure> {
    if may_be_new && !file.exists() {
        return Ok(Baseline::default());
    }
    if !file.exists() {
        let message = format!("there is no baseline {}", file.display());
        let help =
            "--update-baseline writes one with the current findings; edit it to say why each is accepted";
        return Err(Failure::new(codes::LOCAL_IO, Exit::Failed, message, help));
    }
    let text = String::from_utf8_lossy(&read_file(file)?).into_owned();
    Baseline::parse(&text).map_err(|error| bad_file(file, "a baseline", &error))
}

/// Proposals, never applied: a policy and its difference per role that its owner can change.
fn propose(
    account: &Account,
    usage: &Usage,
    settings: &Settings,
    folder: &Path,
    ui: &Ui,
) -> Result<(), Failure> {
    let proposals = run::audit::propose(account, usage, settings, folder);
    let run::audit::Proposals { written, unused } =
        proposals.map_err(|(file, error)| unwritten(&file, &error))?;
    for role in &written {
        ui.say(&format!("{}: {}.", role.name, role.notes.join("; ")));
    }
    let count = many(written.len(), "proposal");
    ui.say(&format!("Wrote {count} to {}; each only takes rights away.", folder.display()));
    if !unused.is_empty() {
        let (count, names) = (unused.len(), unused[..unused.len().min(5)].join(", "));
        let more = if count > 5 { ", …" } else { "" };
        ui.say(&format!(
            "{} used nothing of what is allowed, and a policy without statements is none: {}{more}. Delete what \
             is not needed, or see IAM401 and IAM402.",
            many(count, "role"),
            shown::line(&names)
        ));
    }
    Ok(())
}

fn colored(look: Emphasis, text: &str) -> String {
    let styles = Styles::colored();
    match look {
        Emphasis::Severe => styles.error(text),
        Emphasis::Doubtful => styles.update(text),
        Emphasis::Minor => styles.faint(text),
        Emphasis::Title => styles.strong(text),
        Emphasis::Advice => styles.help(text),
    }
}

/// The config is welcome but not needed: an account can be audited from anywhere.
fn config(global: &Global) -> Result<Option<Config>, Failure> {
    if global.config.is_none() && find_config(None).is_err() {
        return Ok(None);
    }
    let document = session::document(global)?;
    Config::of(&document, &global.env, &sections(&kinds()))
        .map(Some)
        .map_err(|problems| Failure::config(document.environment(&global.env), problems))
}

fn clock() -> Instant {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Reads a file, or stdin for `-`.
fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let text = match file == Path::new("-") {
        true => files::stdin(files::LARGE),
        false => files::read(file, files::LARGE),
    };
    text.map_err(|error| {
        let message = format!("{} cannot be read: {error}", file.display());
        Failure::new(codes::LOCAL_IO, Exit::Failed, message, "check the path")
    })
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    inputs::write(file, text).map_err(|error| unwritten(file, &error))
}

fn unwritten(file: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be written: {error}", file.display());
    Failure::new(codes::LOCAL_IO, Exit::Failed, message, "check the folder")
}

fn bad_file(file: &Path, what: &str, error: &dyn std::fmt::Display) -> Failure {
    let message = format!("{} is not {what}: {error}", file.display());
    Failure::new(codes::LOCAL_IO, Exit::Failed, message, "see `opsctl audit-iam --help`")
}
