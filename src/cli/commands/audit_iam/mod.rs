//! `opsctl audit-iam`: the roles of an account, or of a file that shows one, against the rules.

mod args;
mod baseline;
mod change;
mod explain;
mod files;
mod input;
mod options;
mod policies;
mod together;

use std::path::Path;
use std::time::SystemTime;

pub use args::AuditArgs;
use args::AuditCommand;

use crate::audit::expected::Expected;
use crate::audit::report::{self, Emphasis, Layout, Options};
use crate::audit::{self, Account, Audit, Instant, Severity, against};
use crate::cli::args::Global;
use crate::cli::environment::{Environment, find_config};
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::session;
use crate::cli::ui::Ui;
use crate::cli::wrote;
use crate::config::Config;
use crate::inputs::Record;
use crate::report::style::Styles;
use crate::resources::kinds;
use crate::run::{self, sections};

/// Audits, compares, or explains. Findings at or above `--fail-on` exit with 2, gaps with 10.
pub async fn run(args: &AuditArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let format = options::format(args, ui)?;
    let fail_on = options::fail_on(args)?;
    let filter = options::filter(args)?;
    together::none_is_idle(args, global, format)?;
    together::files_differ(args)?;
    let config = config(global)?;
    let clock = clock();
    let mut settings = options::settings(args, config.as_ref(), clock)?;
    let old = args.against.as_ref().map(|old| change::before(args, old, settings.now).map(|was| (old, was)));
    let old = old.transpose()?;
    let record = record(config.as_ref(), env);
    may_be_written(args, &record)?;
    let places = (global, env, config.as_ref());
    let home = old.as_ref().and_then(|(_, before)| against::home(before));
    let (account, usage) = input::read(args, home, places, (&mut settings, clock), (&record, ui)).await?;
    if let Some(AuditCommand::Explain { role, action, resource }) = &args.command {
        return explain::run(&account, role, action, resource.as_deref(), settings.now, ui);
    }
    settings.expected = expected(args, global, env, config.as_ref(), &account);
    let location = location(config.as_ref());
    let paint = if ui.styled_out().is_colored() { colored } else { report::plain };
    let (shape, layout) = (Options { location: &location, fail_on, paint }, options::layout(args, ui));
    if let Some((old, before)) = old {
        return change::run((&before, &account), (old, format), (shape, layout), (settings.now, ui));
    }
    let mut result = audit::audit(&account, &usage, &settings);
    options::somebody_is_meant(&filter, &account, &result)?;
    baseline::accept_known(args, &mut result, settings.now, ui)?;
    result.findings.iter_mut().for_each(|finding| finding.fix = ui.suggest(&finding.fix));
    if let Some(folder) = &args.write {
        let proposals = run::audit::propose(&account, &usage, &settings);
        baseline::propose(&proposals, folder, args.replace, &record, ui)?;
    }
    let shown = filter.of(&result);
    also(args, &shown, shape, &record)?;
    ui.out(&report::render_as(&shown, format, shape, layout));
    Ok(exit(&result, fail_on))
}

/// What the config makes of roles. A file may be of any account, so it is not compared with the config.
fn expected(
    args: &AuditArgs,
    global: &Global,
    env: &Environment,
    config: Option<&Config>,
    account: &Account,
) -> Option<Expected> {
    let config = config.filter(|_| args.input.is_none() && args.policy.is_none())?;
    let region = global.region.as_ref().or(env.region.as_ref()).or(config.project.region.as_ref())?;
    run::audit::expected_by(config, region, account)
}

fn exit(result: &Audit, fail_on: Option<Severity>) -> Exit {
    match fail_on {
        // Findings first: that something else could not be read does not make them better.
        Some(limit) if result.fails(limit) => Exit::Changes,
        _ if result.is_incomplete() => Exit::Incomplete,
        _ => Exit::Done,
    }
}

/// Nothing is lost where a file is to be written.
fn may_be_written(args: &AuditArgs, record: &Record) -> Result<(), Failure> {
    let saved = args.save.as_deref().map(|file| (file, "--save FILE"));
    let also = args.also.iter().map(|(_, file)| (file.as_path(), "--also FORMAT=FILE"));
    let folder = args.write.as_deref().map(|folder| (folder, "--write DIR"));
    args.replace.allows(record, saved.into_iter().chain(also).chain(folder))
}

/// The same findings in other forms, as files.
fn also(args: &AuditArgs, shown: &Audit, shape: Options<'_>, record: &Record) -> Result<(), Failure> {
    let shape = Options { paint: report::plain, ..shape };
    let layout = Layout { width: None, ..Layout::default() };
    args.also.iter().try_for_each(|(format, file)| {
        wrote::write(record, file, report::render_as(shown, *format, shape, layout))
    })
}

/// Where it is noted what was written: beside the config, else in the user's cache.
fn record(config: Option<&Config>, env: &Environment) -> Record {
    match (config, &env.cache) {
        (Some(config), _) => Record::of(config.document.folder()),
        (None, Some(cache)) => Record::in_cache(cache),
        (None, None) => Record::of(Path::new(".")),
    }
}

fn colored(layout: Emphasis, text: &str) -> String {
    let styles = Styles::colored();
    match layout {
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

/// Where findings about roles of the config are.
fn location(config: Option<&Config>) -> String {
    config.map_or_else(|| "opsctl.toml".into(), |config| config.document.file.to_string_lossy().into_owned())
}

fn clock() -> Instant {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
