//! `opsctl invoke`: sends a payload through the function, or straight to the endpoint.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::cli::CommandResult;
use crate::cli::args::Global;
use crate::cli::environment::{Environment, Lifetime};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::files;
use crate::cli::named::{Among, named};
use crate::cli::session::{only, with_session_in};
use crate::cli::ui::Ui;
use crate::domain::{KindName, ResourceId, codes, shown};
use crate::report::answer;
use crate::run::invoke::{self, InvokeError, Response, Start};
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
    /// The payload, as JSON text
    #[arg(long, value_name = "JSON", conflicts_with = "file")]
    pub payload: Option<String>,
    /// Read the payload from a file, or - for stdin (default: sample.json beside opsctl.toml,
    /// NAME/sample.json beside NAME.toml)
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print the whole response as it came, not only the model's answer
    #[arg(long)]
    pub raw: bool,
}

pub async fn run(args: &InvokeArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session_in(Lifetime::Stays, global, env, Folders::Read, async |session| {
        let payload = payload(args.payload.as_deref(), args.file.as_deref(), &session.config.document.file)?;
        let job = target(session, args).await?;
        let response = sent(session, &job.id, payload).await.map_err(|error| match error {
            InvokeError::Model { resource, said, .. } if !ui.verbose => {
                let help = format!("the whole of it with -v, and in its log: `opsctl logs {resource}`");
                let message = format!("{resource} failed: {}", answer::model_error(&said));
                Failure::new(codes::MODEL_ERROR, Exit::Failed, message, help)
            }
            error => error.into(),
        })?;
        Ok(show(&response, args.raw, ui))
    })
    .await
}

/// What is invoked.
async fn target(session: &Session, args: &InvokeArgs) -> Result<Job, Failure> {
    const FUNCTION: &[KindName] = &[KindName::Function];
    const ENDPOINT: &[KindName] = &[KindName::Endpoint];
    let is_function = |given: &str| {
        session.desired.nodes.iter().any(|n| n.id.kind == KindName::Function && n.is_named(given))
    };
    let (given, kinds) = match (&args.endpoint, &args.target) {
        (Some(endpoint), _) => (endpoint.as_str(), ENDPOINT),
        // Of a function and an endpoint of one name, the function is meant.
        (None, Some(given)) if is_function(given) => (given.as_str(), FUNCTION),
        (None, Some(given)) => (given.as_str(), &[KindName::Function, KindName::Endpoint][..]),
        (None, None) if session.config.section("function").is_none() => {
            (only(session, "endpoint", None)?, ENDPOINT)
        }
        (None, None) => (only(session, "function", None)?, FUNCTION),
    };
    named(session, given, &Among { what: "can be invoked", kinds: &|kind| kinds.contains(&kind) }).await
}

/// What is invoked: the function that is named or the only one; without any, the only endpoint.
pub(super) fn through(
    session: &Session,
    function: Option<&str>,
    endpoint: Option<&str>,
) -> Result<ResourceId, Failure> {
    let no_function = session.config.section("function").is_none() && function.is_none();
    let (kind, section, name) = match endpoint {
        Some(name) => (KindName::Endpoint, "endpoint", Some(name)),
        None if no_function => (KindName::Endpoint, "endpoint", None),
        None => (KindName::Function, "function", function),
    };
    Ok(ResourceId::new(kind, only(session, section, name)?))
}

pub(super) async fn sent(
    session: &Session,
    through: &ResourceId,
    payload: Vec<u8>,
) -> Result<Response, InvokeError> {
    match through.kind {
        KindName::Function => invoke::function(session, &through.name, payload).await,
        _ => invoke::endpoint(session, &through.name, payload).await,
    }
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

fn show(response: &Response, raw: bool, ui: &Ui) -> Exit {
    let Response { status, body, latency_ms, start } = response;
    let latency_ms = (latency_ms * 10.0).round() / 10.0;
    let decoded = answer::decoded(body);
    if ui.json() {
        let init = start.as_ref().map(|start| match start {
            Start::Warm => json!(null),
            Start::Cold(ms) => json!(ms),
        });
        let cold = start.as_ref().map(|start| matches!(start, Start::Cold(_)));
        ui.out_json(&json!({
            "format": 1, "status": status, "answer": decoded, "response": body, "latency_ms": latency_ms,
            "cold_start": cold, "init_ms": init,
        }));
    } else {
        match raw {
            true => ui.out(&shown::json(&format!("{body:#}\n"))),
            false => ui.out(&answer::human(&decoded)),
        }
        let start = match start {
            None => String::new(),
            Some(Start::Warm) => ", warm".to_owned(),
            Some(Start::Cold(ms)) => format!(", cold start ({ms} ms to initialize)"),
        };
        ui.say(&format!("status {status} in {latency_ms} ms{start}"));
    }
    if *status < 400 { Exit::Done } else { Exit::Failed }
}

/// The sample of this config: two configs in one folder have two.
fn sample(config: &Path) -> PathBuf {
    const SAMPLE: &str = "sample.json";
    match config.file_stem().filter(|stem| *stem != "opsctl") {
        Some(stem) => config.with_file_name(stem).join(SAMPLE),
        None => config.with_file_name(SAMPLE),
    }
}

/// JSON that is given, or the sample of the config.
pub(super) fn payload(text: Option<&str>, file: Option<&Path>, config: &Path) -> Result<Vec<u8>, Failure> {
    let sample = sample(config);
    let bytes = match (text, file) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(file)) if file == Path::new("-") => {
            files::stdin(files::LARGE).map_err(|e| unreadable(file, &e))?
        }
        (None, Some(file)) => files::read(file, files::LARGE).map_err(|e| unreadable(file, &e))?,
        (None, None) if sample.is_file() => {
            files::read(&sample, files::LARGE).map_err(|e| unreadable(&sample, &e))?
        }
        (None, None) => {
            let help = format!("add --payload JSON or --file FILE, or write {}", sample.display());
            return Err(Failure::new(codes::USAGE, Exit::Usage, "there is no payload", help));
        }
    };
    // Editors on Windows begin a file with it; JSON has none (RFC 8259, section 8.1).
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).map(<[u8]>::to_vec).unwrap_or(bytes);
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let message = format!("the payload is not JSON: {error}");
            let help = match text {
                Some(_) => "in a shell, put it in single quotes",
                None => "opsctl sends JSON; bytes such as a picture's go into a text of it, in base64",
            };
            Err(Failure::new(codes::USAGE, Exit::Usage, message, help))
        }
    }
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    let message = format!("{} cannot be read: {error}", file.display());
    Failure::new(codes::LOCAL_IO, Exit::Failed, message, "check the path")
}
