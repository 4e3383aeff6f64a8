//! What is audited: an account in AWS, a file, or policies alone.

use std::path::{Path, PathBuf};

use super::args::AuditArgs;
use super::files;
use super::policies::{name, policies};
use crate::audit::account::plain_text;
use crate::audit::planned::Kind;
use crate::audit::{Account, Instant, Settings, Usage};
use crate::cli::args::Global;
use crate::cli::environment::{Environment, home};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::session;
use crate::cli::ui::Ui;
use crate::cli::wrote;
use crate::config::Config;
use crate::domain::{codes, many};
use crate::inputs::Record;
use crate::run::{self, audit::Input};

/// The account to audit, and what its roles used. `home` is the account that a plan or a template is for,
/// where that is known.
pub async fn read(
    args: &AuditArgs,
    home: Option<&str>,
    places: (&Global, &Environment, Option<&Config>),
    (settings, clock): (&mut Settings, Instant),
    (record, ui): (&Record, &Ui),
) -> Result<(Account, Usage), Failure> {
    let usage = match &args.usage {
        Some(file) => Usage::from_json(&plain_text(&files::read(file)?))
            .map_err(|error| files::bad(file, "usage data", &error))?,
        None => Usage::default(),
    };
    let surroundings = args.resources.as_deref().map(surroundings).transpose()?;
    let (mut account, usage) = match (&args.policy, &args.input) {
        (Some(path), _) => (policies(path, settings.now)?, usage),
        (None, Some(file)) => (whole(file, home, settings.now)?, usage),
        (None, None) => {
            let (account, used) = live(args, places, (settings, clock), (record, ui)).await?;
            (account, used.unwrap_or(usage))
        }
    };
    if let Some(file) = &args.usage {
        run::audit::doubt_usage(&mut account, &usage, file);
    }
    if let Some(surroundings) = surroundings {
        account.surround(surroundings);
    }
    Ok((account, usage))
}

/// The account in AWS; and what its roles used, where AWS is to say that.
async fn live(
    args: &AuditArgs,
    (global, env, config): (&Global, &Environment, Option<&Config>),
    (settings, clock): (&mut Settings, Instant),
    (record, ui): (&Record, &Ui),
) -> Result<(Account, Option<Usage>), Failure> {
    let read = session::with_clients(global, env, config, async |aws, pace| {
        let live = run::audit::LiveAccount::read(&aws).await?;
        if let Some(file) = &args.save {
            wrote::write(record, file, live.to_dump())?;
        }
        if let (None, Some(now)) = (&args.now, live.now) {
            settings.now = now;
        }
        let mut account = live.account();
        let Some(detail) = args.usage_from_aws else { return Ok((account, None)) };
        let cache = cache(global, config, env, &account.id);
        let about = (detail.into(), clock);
        let whose = (&account, &*settings);
        let used = run::audit::used(&aws, pace, whose, about, cache.as_deref()).await;
        say_used(&used, ui);
        for problem in &used.fetched.problems {
            account.not_evaluated_because("IAM404", problem);
        }
        Ok((account, Some(used.fetched.usage)))
    });
    read.await
}

/// A dump, a plan or a template. A policy alone has an option of its own.
fn whole(file: &Path, home: Option<&str>, now: Instant) -> Result<Account, Failure> {
    match taken(file, home, now)? {
        Input { kind: Kind::Policy, .. } => {
            let message = format!("{} is a policy, and --input takes what has roles", file.display());
            let help =
                "--policy judges it as all that a role may do; --resources takes policies of resources";
            Err(Failure::new(codes::NOT_AUDITABLE, Exit::Failed, message, help))
        }
        input => Ok(input.account),
    }
}

/// Whatever can be audited, by what the file holds.
pub fn taken(file: &Path, home: Option<&str>, now: Instant) -> Result<Input, Failure> {
    run::audit::input(&name(file), &files::read(file)?, home, now).map_err(|why| files::refused(file, &why))
}

fn surroundings(file: &Path) -> Result<crate::audit::surroundings::Surroundings, Failure> {
    run::audit::surroundings(&files::read(file)?).map_err(|why| {
        let message = format!("{} has no policies of resources: {why}", file.display());
        let help = "its keys are ResourcePolicies, ServiceControlPolicies and ResourceControlPolicies";
        Failure::new(codes::NOT_AUDITABLE, Exit::Failed, message, help)
    })
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
