//! `opsctl audit-iam`: the account's roles, or a saved dump of them, against the rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Ended;
use super::args::{AuditArgs, AuditCommand, Global, UsageDetail};
use super::error::Failure;
use super::exit::Exit;
use super::session::{self, Environment};
use super::ui::Ui;
use crate::audit::account::plain_text;
use crate::audit::collect::{self, Collected};
use crate::audit::evaluate::Engine;
use crate::audit::expected::{Expected, ExpectedRole};
use crate::audit::last_accessed::{Detail, Fetched, Reporter, Reports};
use crate::audit::report::{self, Format, Look, Options};
use crate::audit::{self, Account, Baseline, Instant, Settings, Severity, Usage, explain, least};
use crate::aws::Clients;
use crate::config::Config;
use crate::desired;
use crate::domain::{Scope, codes};
use crate::engine::Outcomes;
use crate::inputs::Inputs;
use crate::report::style::Styles;
use crate::resources::role::{Role, Spec as RoleSpec};
use crate::resources::{KindName, kinds};

pub async fn run(args: &AuditArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let format = format(args, ui)?;
    let fail_on = fail_on(args)?;
    let config = config(global)?;
    let clock = clock();
    let mut settings = settings(args, config.as_ref(), clock)?;
    let mut usage = match &args.usage {
        Some(file) => Usage::from_json(&plain_text(&read(file)?))
            .map_err(|error| bad_file(file, "usage data", &error))?,
        None => Usage::default(),
    };
    let mut fetched = None;
    let account = match &args.input {
        Some(file) => dump(file)?,
        None => {
            let (aws, pace, sandbox) = session::clients(global, env, config.as_ref()).await?;
            let read = collected(args, &aws).await;
            if let (Ok(account), Some(detail)) = (&read, args.usage_from_aws) {
                let cache = cache(global, config.as_ref(), env, &account.id);
                let detail = match detail {
                    UsageDetail::Services => Detail::Services,
                    UsageDetail::Actions => Detail::Actions,
                };
                let reporter = Reporter::new(&aws.iam, pace, detail, clock);
                fetched = Some(used(&reporter, clock, account, &settings, cache.as_deref(), ui).await);
            }
            if let Some(sandbox) = sandbox {
                sandbox.stop().await;
            }
            let mut account = read?;
            for problem in fetched.iter().flat_map(|fetched| &fetched.problems) {
                account.not_told("IAM404", problem);
            }
            usage = fetched.map_or(usage, |fetched| fetched.usage);
            account
        }
    };
    if let Some(AuditCommand::Explain { role, action, resource }) = &args.command {
        return why(&account, role, action, resource.as_deref(), settings.now, ui);
    }
    if args.input.is_none() {
        settings.expected = config.as_ref().and_then(|config| expected(config, global, env, &account));
    }
    let mut result = audit::audit(&account, &usage, &settings);
    if let Some(file) = &args.baseline {
        let baseline = baseline(file, args.update_baseline)?;
        baseline.apply(&mut result, settings.now);
        if args.update_baseline {
            write(file, &baseline.updated(&result).to_text())?;
            ui.say(&format!(
                "Wrote {}. Say in it why each finding is accepted, by whom, and until when.",
                file.display()
            ));
        }
    }
    for finding in &mut result.findings {
        finding.fix = ui.suggest(&finding.fix);
    }
    if let Some(folder) = &args.write {
        propose(&account, &usage, &settings, folder, ui)?;
    }
    let location =
        config.map_or_else(|| "opsctl.toml".into(), |c| c.document.file.to_string_lossy().into_owned());
    ui.out(&report::render(
        &result,
        format,
        Options {
            location: &location,
            fail_on,
            paint: if ui.styled_out().is_colored() { colored } else { report::plain },
        },
    ));
    Ok(match fail_on {
        // Findings first: that something else could not be read does not make them better.
        Some(limit) if result.fails(limit) => Exit::Changes,
        _ if result.is_incomplete() => Exit::Incomplete,
        _ => Exit::Done,
    })
}

fn colored(look: Look, text: &str) -> String {
    let styles = Styles::colored();
    match look {
        Look::Severe => styles.error(text),
        Look::Doubtful => styles.update(text),
        Look::Minor => styles.faint(text),
        Look::Title => styles.strong(text),
        Look::Advice => styles.help(text),
    }
}

fn format(args: &AuditArgs, ui: &Ui) -> Result<Format, Failure> {
    match &args.format {
        Some(word) => word.parse().map_err(|_| {
            let known: Vec<_> = Format::ALL.iter().map(|(word, _)| *word).collect();
            let help = format!("one of {}", known.join(", "));
            Failure::said(codes::USAGE, Exit::Usage, format!("no format is called `{word}`"), help)
        }),
        None if ui.json() => Ok(Format::Json),
        None => Ok(Format::Human),
    }
}

fn fail_on(args: &AuditArgs) -> Result<Option<Severity>, Failure> {
    match args.fail_on.as_str() {
        "none" => Ok(None),
        word => word.parse().map(Some).map_err(|error: String| {
            Failure::said(codes::USAGE, Exit::Usage, error, "one of critical, high, medium, low, none")
        }),
    }
}

/// The config is welcome but not needed: an account can be audited from anywhere.
fn config(global: &Global) -> Result<Option<Config>, Failure> {
    if global.config.is_none() && session::find_config(None).is_err() {
        return Ok(None);
    }
    let document = session::document(global)?;
    Config::of(&document, &global.env, &session::sections(&kinds()))
        .map(Some)
        .map_err(|problems| Failure::config(document.environment(&global.env), problems))
}

async fn collected(args: &AuditArgs, aws: &Clients) -> Result<Account, Failure> {
    let identity = aws.sts.get_caller_identity().send().await.op("sts:GetCallerIdentity")?;
    let found: Collected = collect::collect(&aws.iam).await;
    if let Some(file) = &args.save {
        write(file, &format!("{:#}\n", found.dump))?;
    }
    Ok(found.account(identity.account().unwrap_or_default()))
}

/// Where reports on use are kept: beside the project's other state, else in the user's cache. Not shared between the
/// real account and one of the same number elsewhere.
fn cache(global: &Global, config: Option<&Config>, env: &Environment, account: &str) -> Option<PathBuf> {
    let place = match (global.sandbox, &global.endpoint_url) {
        (true, _) => "-sandbox".to_owned(),
        (false, Some(url)) => format!("-{}", &blake3::hash(url.as_bytes()).to_hex()[..8]),
        (false, None) => String::new(),
    };
    let folder = match config {
        Some(config) => Some(session::home(&config.document.file).join(".opsctl")),
        None => env.cache.clone(),
    };
    folder.map(|folder| folder.join(format!("iam-usage-{account}{place}.json")))
}

/// Asks IAM for what the roles used, and says how old the answers are. A cache that can not be written is no reason to
/// fail.
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
            Failure::said(codes::USAGE, Exit::Usage, format!("`{text}` is not a time"), help)
        })?,
        None => clock,
    };
    let said = config.map(|c| c.audit.clone()).unwrap_or_default();
    let days = |days: crate::domain::Days| i64::try_from(days.count()).unwrap_or(i64::MAX);
    let mut own_accounts = said.own_accounts;
    own_accounts.extend(args.own_account.iter().cloned());
    Ok(Settings {
        stale_after_days: days(args.stale_after.unwrap_or(said.stale_after)),
        grace_days: days(args.grace.unwrap_or(said.grace)),
        old_after_days: Some(days(args.old_after.unwrap_or(said.old_after))),
        rarely_used: said.rarely_used,
        break_glass_tag: said.break_glass_tag,
        regions: Some(said.regions).filter(|regions| !regions.is_empty()),
        own_accounts,
        known_accounts: said.known_accounts,
        required_tags: said.required_tags,
        require_boundary: said.require_boundary,
        ..Settings::at(now)
    })
}

/// The roles that the config makes, as they should be; `None` where they were never deployed. A dump may be of any
/// account, so it is not compared.
fn expected(config: &Config, global: &Global, env: &Environment, account: &Account) -> Option<Expected> {
    let kinds = kinds();
    let inputs = Inputs::read(config.document.folder(), desired::sources(config, &kinds));
    let region = global.region.as_ref().or(env.region.as_ref()).or(config.project.region.as_ref())?;
    let scope = Scope::new(&config.project.name, &config.environment, &account.id, region);
    let (graph, _) = desired::build(config, &scope, &inputs, &kinds);
    let claim = [(Scope::PROJECT_TAG, &scope.project), (Scope::ENVIRONMENT_TAG, &scope.environment)];
    let claim = claim.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let mut expected = Expected { claim, ..Expected::default() };
    for node in graph.nodes.iter().filter(|n| n.id.kind == KindName::Role) {
        let spec: RoleSpec = serde_json::from_value(node.spec.clone()).ok()?;
        let role = ExpectedRole {
            trust: Expected::policy(spec.trust).ok(),
            inline: BTreeMap::from([(Role::POLICY.to_owned(), Expected::policy(spec.policy).ok()?)]),
            tags: scope.tags(&node.id),
            ..ExpectedRole::default()
        };
        expected.roles.insert(node.physical.clone(), role);
    }
    let deployed = account.roles.iter().any(|role| expected.roles.contains_key(&role.name));
    deployed.then_some(expected)
}

/// A saved dump. JSON of another shape has no roles, and would pass as a clean account.
fn dump(file: &Path) -> Result<Account, Failure> {
    let text = read(file)?;
    let value: serde_json::Value =
        serde_json::from_slice(&plain_text(&text)).map_err(|error| bad_file(file, "a dump", &error))?;
    if !value.get("RoleDetailList").is_some_and(serde_json::Value::is_array) {
        return Err(bad_file(file, "a dump", &"it has no RoleDetailList"));
    }
    Account::from_json(&text).map_err(|error| bad_file(file, "a dump", &error))
}

fn why(account: &Account, role: &str, action: &str, resource: Option<&str>, now: Instant, ui: &Ui) -> Ended {
    let Some(answer) = explain::explain(account, role, action, resource, now) else {
        let message = format!("the account has no role `{role}`");
        return Err(Failure::said(
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
        let lines: String = answer.lines.iter().map(|line| format!("  {line}\n")).collect();
        ui.out(&format!(
            "{} {} on {}: {}\n{lines}",
            answer.role,
            answer.action,
            answer.resource,
            answer.decision.words()
        ));
    }
    Ok(Exit::Done)
}

fn baseline(file: &Path, may_be_new: bool) -> Result<Baseline, Failure> {
    if may_be_new && !file.exists() {
        return Ok(Baseline::default());
    }
    let text = String::from_utf8_lossy(&read(file)?).into_owned();
    Baseline::parse(&text).map_err(|error| bad_file(file, "a baseline", &error))
}

/// Proposals, never applied: a policy and its difference per role.
fn propose(
    account: &Account,
    usage: &Usage,
    settings: &Settings,
    folder: &Path,
    ui: &Ui,
) -> Result<(), Failure> {
    let engine = Engine::at(account, settings.now);
    let mut written = 0;
    for role in &account.roles {
        let Some(used) = usage.roles.get(&role.arn) else { continue };
        let Some(proposal) = least::propose(&engine, role, used, settings) else { continue };
        if proposal.removed == 0 {
            continue;
        }
        write(&folder.join(format!("{}.json", role.name)), &proposal.after)?;
        write(&folder.join(format!("{}.diff", role.name)), &proposal.diff)?;
        written += 1;
    }
    ui.say(&format!("Wrote {written} proposals to {}; each only takes rights away.", folder.display()));
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| {
        let message = format!("{} cannot be read: {error}", file.display());
        Failure::said(codes::LOCAL_IO, Exit::Failed, message, "check the path")
    })
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty());
    let written = folder.map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, text));
    written.map_err(|error| {
        let message = format!("{} cannot be written: {error}", file.display());
        Failure::said(codes::LOCAL_IO, Exit::Failed, message, "check the folder")
    })
}

fn bad_file(file: &Path, what: &str, error: &dyn std::fmt::Display) -> Failure {
    let message = format!("{} is not {what}: {error}", file.display());
    Failure::said(codes::LOCAL_IO, Exit::Failed, message, "see `opsctl audit-iam --help`")
}
