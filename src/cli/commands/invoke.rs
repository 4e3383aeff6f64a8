//! `opsctl invoke`: sends a payload through the function, or straight to the endpoint.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::args::Global;
use crate::cli::environment::{Environment, Lifetime};
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::named::{Among, named};
use crate::cli::payload::{Given, content_type, payload};
use crate::cli::session::{only, with_session_in};
use crate::cli::ui::Ui;
use crate::cli::wrote::{self, Replace};
use crate::domain::{KindName, ResourceId, codes, shown};
use crate::engine::invoke::{Request, Response};
use crate::report::{answer, invocation};
use crate::run::invoke::{self, InvokeError};
use crate::run::jobs::Job;
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// The function, or the endpoint if no function has this name (default: the only function; without any,
    /// the only endpoint)
    #[arg(value_name = "NAME")]
    pub target: Option<String>,
    /// Call this endpoint directly
    #[arg(long, value_name = "NAME", conflicts_with = "target")]
    pub endpoint: Option<String>,
    /// The payload as text: JSON, unless --content-type says otherwise
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    pub payload: Option<String>,
    /// Read the payload from a file, or - for stdin (default: sample.json beside opsctl.toml,
    /// NAME/sample.json beside NAME.toml)
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// What the payload is, such as image/jpeg or text/csv (default: by the ending of the file's name, else
    /// application/json). A function gets anything but JSON as its URL would send it
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// The content type that the answer should have (default: application/json)
    #[arg(long, value_name = "TYPE")]
    pub accept: Option<String>,
    /// Write the model's answer to this file, byte for byte
    #[arg(long, value_name = "FILE", value_parser = wrote::place(), conflicts_with = "raw")]
    pub to: Option<PathBuf>,
    #[command(flatten)]
    pub replace: Replace,
    /// Print the whole response as it came, not only the model's answer
    #[arg(long)]
    pub raw: bool,
}

impl InvokeArgs {
    fn request(&self, config: &Path) -> Result<Request, Failure> {
        if let Some(text) = self.target.as_deref().filter(|text| text.trim_start().starts_with(['{', '['])) {
            let message = format!("`{}` is a payload, where a name is expected", shown::line(text));
            return Err(Failure::new(codes::USAGE, Exit::Usage, message, "write --payload before it"));
        }
        let given = Given {
            text: self.payload.as_deref(),
            file: self.file.as_deref(),
            content_type: self.content_type.as_deref(),
        };
        let accept = self.accept.clone();
        accept.as_deref().map_or(Ok(()), content_type)?;
        Ok(Request { payload: payload(given, config)?, accept })
    }
}

/// Prints the model's answer. One with a status of 400 or more exits with 1.
pub async fn run(args: &InvokeArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session_in(Lifetime::Stays, global, env, Folders::Spared, async |session| {
        args.replace.allows(&wrote::record(session), args.to.as_deref().map(|file| (file, "--to FILE")))?;
        let request = args.request(&session.config.document.file)?;
        let job = target(session, args).await?;
        let response = invoke::send(session, &job, request).await.map_err(|error| match error {
            InvokeError::Model { resource, said, .. } if !ui.verbose => {
                let help = format!("the whole of it with -v, and in its log: `opsctl logs {resource}`");
                let message = format!("{resource} failed: {}", answer::model_error(&said));
                Failure::new(codes::MODEL_ERROR, Exit::Failed, message, help)
            }
            error => error.into(),
        })?;
        show(session, &response, args, ui)
    })
    .await
}

async fn target(session: &Session, args: &InvokeArgs) -> Result<Job, Failure> {
    let usual = invoke::usual(session);
    let (given, kinds) = match (&args.endpoint, &args.target) {
        (Some(endpoint), _) => (endpoint.as_str(), vec![KindName::Endpoint]),
        (None, Some(given)) => (given.as_str(), invoke::kinds(session, given)),
        (None, None) => (only(session, usual, None)?, vec![usual]),
    };
    named(session, given, &Among { what: "can be invoked", kinds: &|kind| kinds.contains(&kind) }).await
}

/// This function, else the only one; without any, the only endpoint.
pub(super) fn through(session: &Session, function: Option<&str>) -> Result<Job, Failure> {
    let kind = function.map_or_else(|| invoke::usual(session), |_| KindName::Function);
    Ok(Job::of(session, ResourceId::new(kind, only(session, kind, function)?)))
}

impl From<InvokeError> for Failure {
    fn from(error: InvokeError) -> Self {
        match error {
            InvokeError::Op(error) => error.into(),
            InvokeError::Model { resource, whole, .. } => {
                let help = format!("these are the container's own words; its log: `opsctl logs {resource}`");
                Self::new(codes::MODEL_ERROR, Exit::Failed, whole, help)
            }
            InvokeError::Failed { code, message, help } => Self::new(code, Exit::Failed, message, help),
        }
    }
}

/// The answer on stdout, or in the file that was asked for. An error's text is in no such file.
fn show(session: &Session, response: &Response, args: &InvokeArgs, ui: &Ui) -> CommandResult {
    let (answer, failed) = (&response.answer, response.status >= 400);
    let file = args.to.as_deref().filter(|_| !failed);
    if let Some(file) = file {
        wrote::write(&wrote::record(session), file, &answer.bytes)?;
        wrote::say_left_out(session, ui, file);
    }
    match (file, answer.value()) {
        _ if ui.json() => ui.out_json(&invocation::document(response)),
        (Some(file), _) => ui.out(&format!("{}: {}\n", file.display(), shown::line(&answer.summary()))),
        _ if args.raw => ui.out(&shown::json(&format!("{:#}\n", response.body))),
        (None, Some(value)) => ui.out(&answer::human(&value)),
        (None, None) => {
            ui.out(&format!("{}\n", shown::line(&answer.summary())));
            ui.say("--to FILE writes it");
        }
    }
    if !ui.json() {
        ui.say(&invocation::status(response));
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
