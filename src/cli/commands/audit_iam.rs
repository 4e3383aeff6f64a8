//! `opsctl audit-iam`: the account's roles, or a saved dump of them, against the rules.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, Subcommand, ValueEnum};

use crate::audit::account::{Role, plain_text};
use crate::audit::collect::{self, Collected};
use crate::audit::evaluate::Engine;
use crate::audit::expected::Expected;
use crate::audit::last_accessed::{Detail, Fetched, Reporter, Reports};
use crate::audit::report::{self, Emphasis, Format, Options};
use crate::audit::role_view::RoleKind;
use crate::audit::{self, Account, Audit, Baseline, Instant, Settings, Severity, Usage, explain, least};
use crate::aws::{Clients, SdkResultExt};
use crate::cli::CommandResult;
use crate::cli::args::Global;
use crate::cli::environment::{Environment, find_config, home};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::files;
use crate::cli::session;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::desired;
use crate::domain::{Days, Scope, action, codes, shown};
use crate::inputs::{self, Inputs};
use crate::report::style::Styles;
use crate::resources::kinds;
use crate::run::{self, sections};
use opsctl_iam::decide::Decision;

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

pub async fn run(args: &AuditArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let format = format(args, ui)?;
    let fail_on = fail_on(args)?;
    no_idle_options(args, global)?;
    let config = config(global)?;
    let clock = clock();
    let mut settings = settings(args, config.as_ref(), clock)?;
    let (account, usage) = read_account(args, global, ui, env, config.as_ref(), &settings, clock).await?;
    if let Some(AuditCommand::Explain { role, action, resource }) = &args.command {
        return why(&account, role, action, resource.as_deref(), settings.now, ui);
    }
    if args.input.is_none() {
        settings.expected = config.as_ref().and_then(|config| expected(config, global, env, &account));
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
async fn read_account(
    args: &AuditArgs,
    global: &Global,
    ui: &Ui,
    env: &Environment,
    config: Option<&Config>,
    settings: &Settings,
    clock: Instant,
) -> Result<(Account, Usage), Failure> {
    let mut usage = match &args.usage {
        Some(file) => Usage::from_json(&plain_text(&read(file)?))
            .map_err(|error| bad_file(file, "usage data", &error))?,
        None => Usage::default(),
    };
    let mut account = match &args.input {
        Some(file) => dump(file)?,
        None => {
            let read = session::with_clients(global, env, config, async |aws, pace| {
                let account = collected(args, &aws).await?;
                let Some(detail) = args.usage_from_aws else { return Ok((account, None)) };
                let cache = cache(global, config, env, &account.id);
                let detail = match detail {
                    UsageDetail::Services => Detail::Services,
                    UsageDetail::Actions => Detail::Actions,
                };
                let reporter = Reporter::new(&aws.iam, pace, detail, clock);
                let used = used(&reporter, clock, &account, settings, cache.as_deref(), ui).await;
                Ok((account, Some(used)))
            });
            let (mut account, fetched) = read.await?;
            for problem in fetched.iter().flat_map(|fetched| &fetched.problems) {
                account.not_evaluated_because("IAM404", problem);
            }
            usage = fetched.map_or(usage, |fetched| fetched.usage);
            account
        }
    };
    if let Some(file) =
        args.usage.as_ref().filter(|_| !account.roles.iter().any(|r| usage.roles.contains_key(&r.arn)))
    {
        let message = format!(
            "{} has the use of {} roles, and none of them is in the account: its keys are whole role ARNs",
            file.display(),
            usage.roles.len()
        );
        account.not_evaluated_because("IAM404", &message);
    }
    Ok((account, usage))
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

/// An option that does nothing would look as if it had done something.
fn no_idle_options(args: &AuditArgs, global: &Global) -> Result<(), Failure> {
    let of_aws = [
        ("--profile", global.profile.is_some()),
        ("--region", global.region.is_some()),
        ("--endpoint-url", global.endpoint_url.is_some()),
        ("--sandbox", global.sandbox),
        ("--save", args.save.is_some()),
    ];
    let of_report = [
        ("--baseline", args.baseline.is_some()),
        ("--write", args.write.is_some()),
        ("--format", args.format.is_some()),
        ("--fail-on", args.fail_on != "none"),
    ];
    let first =
        |options: &[(&'static str, bool)]| options.iter().find(|(_, given)| *given).map(|(name, _)| *name);
    let said = |option: &str, beside: &str, why: &str| {
        let message = format!("{option} does nothing beside {beside}: {why}");
        Err(Failure::new(codes::USAGE, Exit::Usage, message, format!("leave out {option}, or {beside}")))
    };
    match (first(&of_aws), first(&of_report)) {
        (Some(option), _) if args.input.is_some() => {
            said(option, "--input", "a dump is read, and AWS is not asked")
        }
        (_, Some(option)) if args.command.is_some() => {
            said(option, "explain", "one question is answered, and nothing is audited")
        }
        _ => Ok(()),
    }
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

fn format(args: &AuditArgs, ui: &Ui) -> Result<Format, Failure> {
    match &args.format {
        Some(word) => word.parse().map_err(|_| {
            let known: Vec<_> = Format::ALL.iter().map(|(word, _)| *word).collect();
            let help = format!("one of {}", known.join(", "));
            Failure::new(codes::USAGE, Exit::Usage, format!("unknown format `{word}`"), help)
        }),
        None if ui.json() => Ok(Format::Json),
        None => Ok(Format::Human),
    }
}

fn fail_on(args: &AuditArgs) -> Result<Option<Severity>, Failure> {
    match args.fail_on.as_str() {
        "none" => Ok(None),
        word => word.parse().map(Some).map_err(|error: String| {
            Failure::new(codes::USAGE, Exit::Usage, error, "one of critical, high, medium, low, info, none")
        }),
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

async fn collected(args: &AuditArgs, aws: &Clients) -> Result<Account, Failure> {
    let identity = aws.sts.get_caller_identity().send().await.op(action::sts::GetCallerIdentity)?;
    let found: Collected = collect::collect(&aws.iam).await;
    if let Some(file) = &args.save {
        write(file, &format!("{:#}\n", found.dump))?;
    }
    Ok(found.account(identity.account().unwrap_or_default()))
}

/// Where reports on use are kept: beside the project's other state, else in the user's cache. Not shared
/// between the real account and one of the same number elsewhere.
fn cache(global: &Global, config: Option<&Config>, env: &Environment, account: &str) -> Option<PathBuf> {
    let place = match (global.sandbox, &global.endpoint_url) {
        (true, _) => "-sandbox".to_owned(),
        (false, Some(url)) => format!("-{}", &blake3::hash(url.as_bytes()).to_hex()[..8]),
        (false, None) => String::new(),
    };
    let folder = match config {
        Some(config) => Some(home(&config.document.file).join(".opsctl")),
        None => env.cache.clone(),
    };
    folder.map(|folder| folder.join(format!("iam-usage-{account}{place}.json")))
}

/// Asks IAM for what the roles used, and says how old the answers are. A cache that cannot be written is no
/// reason to fail.
async fn used(
    reporter: &Reporter<'_>,
    clock: Instant,
    account: &Account,
    settings: &Settings,
    cache: Option<&Path>,
    ui: &Ui,
) -> Fetched {
    let kept = cache.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    let mut reports = Reports::read(&kept, clock);
    let age = reports.oldest().map(|day| (clock.0 - day.0) / 60);
    let fetched = reporter.fetch(account, settings, &mut reports).await;
    if let Some(file) = cache.filter(|_| fetched.asked > 0) {
        let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
        if let Err(error) = folder.and_then(|()| fs::write(file, reports.to_text())) {
            ui.say(&format!("{} cannot be written, so the reports are not kept: {error}", file.display()));
        }
    }
    let aged = match age.filter(|_| fetched.cached > 0) {
        Some(minutes) => format!(", {} kept from up to {minutes} minutes ago", fetched.cached),
        None => String::new(),
    };
    ui.say(&format!(
        "Use of {} roles: {} reports asked of IAM{aged}.",
        fetched.usage.roles.len(),
        fetched.asked
    ));
    fetched
}

fn clock() -> Instant {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

fn settings(args: &AuditArgs, config: Option<&Config>, clock: Instant) -> Result<Settings, Failure> {
    let now = match &args.now {
        Some(text) => Instant::parse(text).ok_or_else(|| {
            let help = "write it like 2026-11-22T00:00:00Z";
            Failure::new(codes::USAGE, Exit::Usage, format!("`{text}` is not a time"), help)
        })?,
        None => clock,
    };
    let mut settings = run::audit::settings(config, now);
    let days = |days: Days| i64::try_from(days.count()).unwrap_or(i64::MAX);
    settings.stale_after_days = args.stale_after.map_or(settings.stale_after_days, days);
    settings.grace_days = args.grace.map_or(settings.grace_days, days);
    settings.old_after_days = args.old_after.map(days).or(settings.old_after_days);
    settings.own_accounts.extend(args.own_account.iter().cloned());
    Ok(settings)
}

/// The roles that the config makes, as they should be; `None` where they were never deployed. A dump may be
/// of any account, so it is not compared.
fn expected(config: &Config, global: &Global, env: &Environment, account: &Account) -> Option<Expected> {
    let kinds = kinds();
    let inputs = Inputs::read(config.document.folder(), desired::sources(config, &kinds));
    let region = global.region.as_ref().or(env.region.as_ref()).or(config.project.region.as_ref())?;
    let scope = Scope::new(&config.project.name, &config.environment, &account.id, region);
    let (graph, _) = desired::build(config, &scope, &inputs, &kinds);
    run::audit::expected(&graph, account)
}

/// A saved dump. JSON of another shape has no roles, and would pass as a clean account.
fn dump(file: &Path) -> Result<Account, Failure> {
    const HELP: &str =
        "`aws iam get-account-authorization-details > dump.json` writes one, and so does --save";
    let text = read(file)?;
    let odd = |why: String| {
        let message = format!("{} is not a dump: {why}", file.display());
        Failure::new(codes::LOCAL_IO, Exit::Failed, message, HELP)
    };
    let unreadable = |error: serde_json::Error| {
        odd(if error.is_eof() { format!("it is cut off ({error})") } else { error.to_string() })
    };
    let value: serde_json::Value = serde_json::from_slice(&plain_text(&text)).map_err(unreadable)?;
    if !value.get("RoleDetailList").is_some_and(serde_json::Value::is_array) {
        return Err(odd("it has no RoleDetailList".to_owned()));
    }
    let mut account = Account::from_json(&text).map_err(unreadable)?;
    account.doubt();
    Ok(account)
}

fn why(
    account: &Account,
    role: &str,
    action: &str,
    resource: Option<&str>,
    now: Instant,
    ui: &Ui,
) -> CommandResult {
    // A question about a pattern has as many answers as it has actions.
    let named = action.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    if !named || action.contains(['*', '?']) {
        let message = format!("`{action}` is not an action");
        let help = "name one, such as s3:GetObject; for everything that a role may do, run the audit";
        return Err(Failure::new(codes::USAGE, Exit::Usage, message, help));
    }
    let Some(answer) = explain::explain(account, role, action, resource, now) else {
        let message = format!("the account has no role `{role}`");
        return Err(Failure::new(
            codes::UNKNOWN_NAME,
            Exit::Usage,
            message,
            "give its name or its whole ARN",
        ));
    };
    if ui.json() {
        ui.out_json(&serde_json::json!({
            "format": 1, "role": answer.role, "action": answer.action, "resource": answer.resource,
            "decision": answer.decision.words(), "because": answer.lines,
        }));
    } else {
        let lines: String = answer.lines.iter().map(|line| format!("  {}\n", shown::line(line))).collect();
        ui.out(&format!(
            "{} {} on {}: {}\n{lines}",
            shown::line(&answer.role),
            shown::line(&answer.action),
            shown::line(&answer.resource),
            answer.decision.words()
        ));
    }
    Ok(match answer.decision {
        Decision::Unknown => Exit::Incomplete,
        _ => Exit::Done,
    })
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
    let text = String::from_utf8_lossy(&read(file)?).into_owned();
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
    let engine = Engine::at(account, settings.now);
    let (mut taken, mut written, mut unused) = (BTreeSet::new(), 0, Vec::new());
    for role in account.roles.iter().filter(|role| is_ours_to_change(role, settings)) {
        let Some(used) = usage.roles.get(&role.arn) else { continue };
        let Some(proposal) = least::propose(&engine, role, used, settings) else { continue };
        if proposal.removed == 0 {
            continue;
        }
        if proposal.is_empty() {
            unused.push(role.name.as_str());
            continue;
        }
        let name = file_name(role, &mut taken);
        put(&folder.join(format!("{name}.json")), &proposal.after)?;
        put(&folder.join(format!("{name}.diff")), &proposal.diff)?;
        ui.say(&format!("{name}: {}.", proposal.notes.join("; ")));
        written += 1;
    }
    ui.say(&format!("Wrote {written} proposals to {}; each only takes rights away.", folder.display()));
    if !unused.is_empty() {
        let (count, names) = (unused.len(), unused[..unused.len().min(5)].join(", "));
        let more = if count > 5 { ", …" } else { "" };
        ui.say(&format!(
            "{count} roles used nothing that they may do, and a policy without statements is none: {}{more}. \
             Delete them, or see IAM401 and IAM402.",
            shown::line(&names)
        ));
    }
    Ok(())
}

/// Nobody edits the policies of a service-linked role; those of a platform come from its own templates, and a
/// role for emergencies is rightly idle.
fn is_ours_to_change(role: &Role, settings: &Settings) -> bool {
    RoleKind::of(role) == RoleKind::Ordinary && !settings.is_break_glass(role)
}

/// A file's name for a role. IAM allows letters, digits and `+=,.@_-`; a dump may hold anything, a path
/// included, and names that differ in case alone are one file on some disks.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html>
fn file_name(role: &Role, taken: &mut BTreeSet<String>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    let name = &role.name;
    let can_be_one =
        (1..=64).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with(['.', '-']);
    if can_be_one && taken.insert(name.to_ascii_lowercase()) {
        return name.clone();
    }
    let kept: String = name.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("{kept}~{}", &blake3::hash(role.arn.as_bytes()).to_hex()[..16])
}

/// Writes a file of ours into a folder that somebody else may write to as well: a link there is replaced, not
/// followed.
fn put(file: &Path, text: &str) -> Result<(), Failure> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        if fs::symlink_metadata(file).is_ok_and(|about| about.is_symlink()) {
            fs::remove_file(file)?;
        }
        fs::write(file, shown::json(text).as_bytes())
    });
    written.map_err(|error| unwritten(file, &error))
}

/// Reads a file, or stdin for `-`.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
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
