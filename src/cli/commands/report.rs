//! `opsctl report`: what is deployed and what shows that it works, as one file.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::invoke::through;
use crate::cli::act::print_warnings;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::payload::{Given, payload};
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::cli::wrote::{self, Replace};
use crate::domain::{HumanDuration, Media, codes};
use crate::evidence::{Evidence, Gap};
use crate::report::page;
use crate::run::evidence::{AuditOf, Wanted, gather, invoked};
use crate::run::jobs::Job;
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Write to this file, or - for stdout (default: PROJECT-ENVIRONMENT-report.html, or .md)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub replace: Replace,
    /// How it is written (default: as the name of the file says, else html)
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<PageFormat>,
    /// Plot what endpoints and functions were asked since this long ago
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub since: HumanDuration,
    /// Whose IAM roles are audited
    #[arg(long, value_enum, value_name = "WHOSE", default_value = "project")]
    pub audit: Audited,
    /// Make a test invocation of the function (default: the only one): it runs your code, and AWS bills it
    #[arg(long, value_name = "FUNCTION", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub invoke: Option<String>,
    /// The payload of the test as text: JSON, unless --content-type says otherwise
    #[arg(long, value_name = "TEXT", requires = "invoke", conflicts_with = "file")]
    pub payload: Option<String>,
    /// Read the payload of the test from a file, or - for stdin (default: sample.json, as `opsctl invoke`)
    #[arg(long, value_name = "FILE", requires = "invoke")]
    pub file: Option<PathBuf>,
    /// What the payload of the test is, such as image/jpeg (default: as `opsctl invoke`)
    #[arg(long, value_name = "TYPE", requires = "invoke")]
    pub content_type: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PageFormat {
    Html,
    #[value(alias = "md")]
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Audited {
    /// Those of this project
    Project,
    /// All of the account
    Account,
    /// None
    None,
}

/// Writes the report. What could not be read is in it as a gap, and exits with 10.
pub async fn run(args: &ReportArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let format = format(args)?;
    with_session(global, env, Folders::Spared, async |session| {
        print_warnings(session, ui);
        // What cannot be written or sent is refused before anything is asked.
        let file = file(args, format, session, ui);
        args.replace.allows(&wrote::record(session), file.as_deref().map(|file| (file, "--out FILE")))?;
        let test = test(args, session)?;
        let audit = match args.audit {
            Audited::Project => AuditOf::Project,
            Audited::Account => AuditOf::Account,
            Audited::None => AuditOf::Nobody,
        };
        // Before the rest is read, so that the metrics may have it.
        let invocation = match test {
            Some((through, payload)) => Some(invoked(session, &through, payload).await?),
            None => None,
        };
        let wanted = Wanted { since: args.since, audit };
        let gathered = session.context.cancel.reading("reading", gather(session, wanted)).await;
        let mut evidence = gathered.map_err(Failure::Unread)?;
        evidence.invocation = invocation;
        write(&evidence, format, file.as_deref(), session, ui)?;
        Ok(exit(&evidence))
    })
    .await
}

fn exit(evidence: &Evidence) -> Exit {
    match &evidence.invocation {
        Some(invocation) if !invocation.outcome.is_ok() => Exit::Failed,
        _ if !evidence.is_complete() => Exit::Incomplete,
        _ => Exit::Done,
    }
}

/// As it is said, or as the name of the file says. A name that says something else is no guess of ours.
fn format(args: &ReportArgs) -> Result<PageFormat, Failure> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let file = args.out.as_deref().unwrap_or(Path::new("-"));
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        None | Some("html" | "htm") => Ok(PageFormat::Html),
        Some("md" | "markdown") => Ok(PageFormat::Markdown),
        Some(other) => {
            let message = format!("a report is written as HTML or Markdown, not as `.{other}`");
            let help = "name the file .html or .md, or say which with --format";
            Err(Failure::new(codes::USAGE, Exit::Usage, message, help))
        }
    }
}

/// What is to be invoked, and with what.
fn test(args: &ReportArgs, session: &Session) -> Result<Option<(Job, Media)>, Failure> {
    let Some(name) = &args.invoke else { return Ok(None) };
    let name = Some(name.as_str()).filter(|name| !name.is_empty());
    let through = through(session, name)?;
    let given = Given {
        text: args.payload.as_deref(),
        file: args.file.as_deref(),
        content_type: args.content_type.as_deref(),
    };
    Ok(Some((through, payload(given, &session.config.document.file)?)))
}

/// Where it is written; `None`: to stdout.
fn file(args: &ReportArgs, format: PageFormat, session: &Session, ui: &Ui) -> Option<PathBuf> {
    let ending = if format == PageFormat::Html { "html" } else { "md" };
    let scope = &session.context.scope;
    match &args.out {
        Some(file) if file == Path::new("-") => None,
        Some(file) => Some(file.clone()),
        // With `-o json` the document on stdout is the report.
        None if ui.json() => None,
        None => Some(format!("{}-{}-report.{ending}", scope.project, scope.environment).into()),
    }
}

fn write(
    evidence: &Evidence,
    format: PageFormat,
    file: Option<&Path>,
    session: &Session,
    ui: &Ui,
) -> Result<(), Failure> {
    let page = || match format {
        PageFormat::Html => page::html(evidence, &|text| ui.suggest(text)),
        PageFormat::Markdown => page::markdown(evidence, &|text| ui.suggest(text)),
    };
    if let Some(file) = file {
        wrote::write(&wrote::record(session), file, page())?;
        wrote::say_left_out(session, ui, file);
    }
    match file {
        _ if ui.json() => ui.out_json(&serde_json::to_value(evidence).expect("a report is plain data")),
        Some(file) => ui.out(&format!("{}\n", file.display())),
        None => ui.out(&page()),
    }
    for Gap { what, why } in &evidence.gaps {
        ui.say(&format!("incomplete: {what}: {why}"));
    }
    Ok(())
}
