//! What the options of `opsctl audit-iam` mean.

use std::path::{Path, PathBuf};

use super::args::AuditArgs;
use crate::audit::filter::Filter;
use crate::audit::report::{Format, Look, change};
use crate::audit::{self, Account, Audit, Instant, Settings, Severity};
use crate::cli::args::Global;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::config::section::nearest;
use crate::domain::{Days, codes};
use crate::run;

/// Whether an option is given, by its name.
type Given = (&'static str, bool);

fn of_aws(args: &AuditArgs, global: &Global) -> Vec<Given> {
    vec![
        ("--profile", global.profile.is_some()),
        ("--region", global.region.is_some()),
        ("--endpoint-url", global.endpoint_url.is_some()),
        ("--sandbox", global.sandbox),
        ("--save", args.save.is_some()),
        ("--usage-from-aws", args.usage_from_aws.is_some()),
    ]
}

/// Those that choose what is shown.
fn of_choice(args: &AuditArgs) -> Vec<Given> {
    vec![
        ("--severity", args.severity.is_some()),
        ("--rule", !args.rule.is_empty()),
        ("--role", !args.role.is_empty()),
        ("--top", args.top.is_some()),
    ]
}

fn of_look(args: &AuditArgs) -> Vec<Given> {
    vec![("--group-by", args.group_by.is_some()), ("--details", args.details)]
}

fn of_report(args: &AuditArgs) -> Vec<Given> {
    let mut all = vec![
        ("--baseline", args.baseline.is_some()),
        ("--write", args.write.is_some()),
        ("--also", !args.also.is_empty()),
        ("--fail-on", args.fail_on != "none"),
    ];
    all.extend(of_choice(args).into_iter().chain(of_look(args)));
    all
}

fn of_use(args: &AuditArgs) -> Vec<Given> {
    vec![("--usage", args.usage.is_some()), ("--usage-from-aws", args.usage_from_aws.is_some())]
}

/// An option that does nothing would look as if it had done something.
pub fn none_is_idle(args: &AuditArgs, global: &Global, format: Format) -> Result<(), Failure> {
    let said = |options: Vec<Given>, is: bool, beside: &str, why: &str| match options
        .iter()
        .find(|(_, given)| *given && is)
    {
        Some((option, _)) => {
            let message = format!("{option} does nothing beside {beside}: {why}");
            Err(usage(message, format!("leave out {option}, or {beside}")))
        }
        None => Ok(()),
    };
    let with_format = vec![("--format", args.format.is_some())];
    let against = vec![("--against", args.against.is_some())];
    let explains = args.command.is_some();
    let one_answer = "one question is answered, and nothing is audited";
    said(of_aws(args, global), args.input.is_some(), "--input", "a file is read, and AWS is not called")?;
    said(of_aws(args, global), args.policy.is_some(), "--policy", "files are read, and AWS is not called")?;
    said(of_use(args), args.policy.is_some(), "--policy", "nobody has used a policy that is not deployed")?;
    said([of_report(args), with_format, against].concat(), explains, "explain", one_answer)?;
    let compares = args.against.is_some();
    let only_gains = "only what a change gives is told, and it is not audited";
    said([of_report(args), of_use(args)].concat(), compares, "--against", only_gains)?;
    let around = vec![("--resources", args.resources.is_some())];
    said(around, compares, "--against", "what principals may do is compared, and not what holds them back")?;
    let (has_look, is_human) = (of_look(args), format == Format::Human);
    said(has_look, !is_human, "that format", "it is about the report for people")?;
    let is_junit = format == Format::Junit || args.also.iter().any(|(form, _)| *form == Format::Junit);
    said(of_choice(args), is_junit, "junit", "a rule whose findings are not shown would pass")?;
    let files = [
        ("--input", &args.input),
        ("--policy", &args.policy),
        ("--resources", &args.resources),
        ("--against", &args.against),
        ("--usage", &args.usage),
        ("--baseline", &args.baseline),
    ];
    let read: Vec<_> = files.iter().filter(|(_, file)| file.as_deref() == Some(Path::new("-"))).collect();
    if let [(first, _), (second, _), ..] = read.as_slice() {
        let message = format!("{first} and {second} are both `-`, and stdin is read once");
        return Err(usage(message, "give one of them the name of a file".to_owned()));
    }
    if compares && !change::FORMATS.iter().any(|(_, known)| *known == format) {
        let known: Vec<_> = change::FORMATS.iter().map(|(word, _)| *word).collect();
        let message = "what a change gives has no finding, which that format is made of".to_owned();
        return Err(usage(message, format!("with --against, --format is one of {}", known.join(", "))));
    }
    Ok(())
}

/// A file that is written is named by one option only: it would be read after it was replaced, or replaced by
/// what comes after it.
pub fn files_differ(args: &AuditArgs) -> Result<(), Failure> {
    let given = [
        ("--input", &args.input, false),
        ("--policy", &args.policy, false),
        ("--resources", &args.resources, false),
        ("--against", &args.against, false),
        ("--usage", &args.usage, false),
        ("--baseline", &args.baseline, args.update_baseline),
        ("--save", &args.save, true),
    ];
    let given = given.into_iter().filter_map(|(option, file, is_written)| {
        Some((option, file.as_deref().filter(|file| *file != Path::new("-"))?, is_written))
    });
    let also = args.also.iter().map(|(_, file)| ("--also", file.as_path(), true));
    if args.update_baseline && args.baseline.as_deref() == Some(Path::new("-")) {
        let message = "--update-baseline writes a file, and --baseline is `-`".to_owned();
        return Err(usage(message, "give the baseline a name".to_owned()));
    }
    let mut known: Vec<(&str, PathBuf, bool)> = Vec::new();
    for (option, file, is_written) in given.chain(also) {
        // Nothing is lost in a pipe or a terminal.
        if file.metadata().is_ok_and(|about| !about.is_file()) {
            continue;
        }
        let place = place(file);
        let same = |(_, other, written): &&(&str, PathBuf, bool)| *other == place && (is_written || *written);
        if let Some((other, ..)) = known.iter().find(same) {
            let message = format!("{other} and {option} name the same file, {}", file.display());
            return Err(usage(message, "give one of them the name of another file".to_owned()));
        }
        known.push((option, place, is_written));
    }
    Ok(())
}

/// A file without links on the way to it, whether it is there or not.
fn place(file: &Path) -> PathBuf {
    let of_folder = || {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(file.file_name()?))
    };
    file.canonicalize().ok().or_else(of_folder).unwrap_or_else(|| file.to_owned())
}

fn usage(message: String, help: String) -> Failure {
    Failure::new(codes::USAGE, Exit::Usage, message, help)
}

/// In which form the findings are written.
pub fn format(args: &AuditArgs, ui: &Ui) -> Result<Format, Failure> {
    match &args.format {
        Some(word) => word.parse().map_err(|_| {
            let known: Vec<_> = Format::ALL.iter().map(|(word, _)| *word).collect();
            let near = nearest(word, known.iter().copied());
            let meant = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
            usage(format!("unknown format `{word}`"), format!("{meant}one of {}", known.join(", ")))
        }),
        None if ui.json() => Ok(Format::Json),
        None => Ok(Format::Human),
    }
}

/// From which severity a finding fails the command.
pub fn fail_on(args: &AuditArgs) -> Result<Option<Severity>, Failure> {
    match args.fail_on.as_str() {
        "none" => Ok(None),
        word => word.parse().map(Some).map_err(|error: String| {
            usage(error, "one of critical, high, medium, low, info, none".to_owned())
        }),
    }
}

/// Which findings are shown.
pub fn filter(args: &AuditArgs) -> Result<Filter, Failure> {
    let filter = Filter {
        severity: args.severity,
        rules: args.rule.clone(),
        roles: args.role.clone(),
        top: args.top.and_then(|top| usize::try_from(top).ok()),
    };
    let Some(unknown) = filter.unknown_rule() else { return Ok(filter) };
    let known = || audit::rules::all().flat_map(|rule| [rule.id, rule.slug]);
    let as_written = if unknown.to_ascii_uppercase().starts_with("IAM") {
        unknown.to_ascii_uppercase()
    } else {
        unknown.to_ascii_lowercase()
    };
    let help = match nearest(&as_written, known()) {
        Some(near) => format!("did you mean {near}?"),
        None => "`opsctl explain IAM101` explains one; Tab after --rule lists all (`opsctl completions`)"
            .to_owned(),
    };
    Err(Failure::new(codes::UNKNOWN_RULE, Exit::Usage, format!("there is no rule `{unknown}`"), help))
}

/// Nothing on somebody who is not there would look like nothing wrong with them.
pub fn somebody_is_meant(filter: &Filter, account: &Account, audit: &Audit) -> Result<(), Failure> {
    let Some(unknown) = filter.unknown_role(account, audit) else { return Ok(()) };
    let names = account.roles.iter().map(|role| role.name.as_str());
    let help = match nearest(unknown, names.chain(account.users.iter().map(|user| user.name.as_str()))) {
        Some(near) => format!("did you mean {near}?"),
        None => "give a name, an ARN, or a pattern such as 'deploy-*'".to_owned(),
    };
    let message = format!("nobody in the account is called `{unknown}`");
    Err(Failure::new(codes::NOBODY, Exit::Usage, message, help))
}

/// How the report for people looks.
pub fn look(args: &AuditArgs, ui: &Ui) -> Look {
    Look { width: ui.width_out(), details: args.details, group_by: args.group_by.map(Into::into) }
}

/// By the options, else by the config.
pub fn settings(args: &AuditArgs, config: Option<&Config>, clock: Instant) -> Result<Settings, Failure> {
    let now = match &args.now {
        Some(text) => Instant::parse(text).ok_or_else(|| {
            let help = "write it like 2026-11-22T00:00:00Z";
            usage(format!("`{text}` is not a time"), help.to_owned())
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
