//! What the options of `opsctl audit-iam` mean.

use super::AuditArgs;
use crate::audit::report::Format;
use crate::audit::{Instant, Settings, Severity};
use crate::cli::args::Global;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::domain::{Days, codes};
use crate::run;

/// An option that does nothing would look as if it had done something.
pub fn none_is_idle(args: &AuditArgs, global: &Global) -> Result<(), Failure> {
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

/// In which form the findings are written.
pub fn format(args: &AuditArgs, ui: &Ui) -> Result<Format, Failure> {
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

/// From which severity a finding fails the command.
pub fn fail_on(args: &AuditArgs) -> Result<Option<Severity>, Failure> {
    match args.fail_on.as_str() {
        "none" => Ok(None),
        word => word.parse().map(Some).map_err(|error: String| {
            Failure::new(codes::USAGE, Exit::Usage, error, "one of critical, high, medium, low, info, none")
        }),
    }
}

/// By the options, else by the config.
pub fn settings(args: &AuditArgs, config: Option<&Config>, clock: Instant) -> Result<Settings, Failure> {
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
