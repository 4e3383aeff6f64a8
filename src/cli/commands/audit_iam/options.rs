//! What the options of `opsctl audit-iam` mean.

use super::args::AuditArgs;
use super::files::usage;
use crate::audit::filter::Filter;
use crate::audit::report::{Format, Layout};
use crate::audit::{self, Account, Audit, Instant, Settings, Severity};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::config::section::nearest;
use crate::domain::{Days, codes};
use crate::run;

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
pub fn layout(args: &AuditArgs, ui: &Ui) -> Layout {
    Layout { width: ui.width_out(), details: args.details, group_by: args.group_by.map(Into::into) }
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
