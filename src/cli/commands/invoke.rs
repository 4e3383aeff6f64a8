//! `opsctl invoke`: sends a payload through the function, or straight to the endpoint.

use std::path::{Path, PathBuf};

use aws_sdk_lambda::primitives::Blob as LambdaBlob;
use aws_sdk_lambda::types::LogType;
use aws_sdk_sagemakerruntime::primitives::Blob as RuntimeBlob;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::aws::SdkResultExt;
use crate::cli::CommandResult;
use crate::cli::args::Global;
use crate::cli::environment::{Environment, Lifetime};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::files;
use crate::cli::session::{only, with_session_in};
use crate::cli::ui::Ui;
use crate::desired::Kind as _;
use crate::domain::{action, codes, shown};
use crate::report::answer;
use crate::resources::endpoint::Endpoint;
use crate::resources::function::Function;
use crate::run::{self, Folders, Session};

#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// The function (default: the only one; without any, the only endpoint)
    #[arg(value_name = "FUNCTION")]
    pub function: Option<String>,
    /// Call this endpoint directly
    #[arg(long, value_name = "NAME", conflicts_with = "function")]
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

/// What came back.
struct Response {
    /// The `statusCode` of the function's answer, or the endpoint's HTTP status.
    status: i64,
    body: Value,
    latency_ms: f64,
    /// What the function did before it could answer.
    start: Option<Start>,
}

/// How an invocation of a function began, by its log.
enum Start {
    Warm,
    /// A new environment was initialized first, in that many milliseconds.
    Cold(f64),
}

pub async fn run(args: &InvokeArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session_in(Lifetime::Stays, global, env, Folders::Read, async |session| {
        let payload = payload(args, &session.config.document.file)?;
        let no_function = session.config.section("function").is_none() && args.function.is_none();
        let response = match &args.endpoint {
            Some(name) => endpoint(session, only(session, "endpoint", Some(name))?, payload).await?,
            None if no_function => endpoint(session, only(session, "endpoint", None)?, payload).await?,
            None => {
                let name = only(session, "function", args.function.as_deref())?;
                function(session, name, payload).await?
            }
        };
        Ok(show(&response, args.raw, ui))
    })
    .await
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

/// The last line of an invocation's log tells whether its environment was new: only then it has an `Init
/// Duration` (<https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html>).
fn start_of(log_result: Option<&str>) -> Option<Start> {
    let log = BASE64_STANDARD.decode(log_result?).ok()?;
    let log = String::from_utf8_lossy(&log).into_owned();
    let report = log.lines().rev().find(|line| line.starts_with("REPORT "))?;
    let duration = report.split_once("Init Duration: ").and_then(|(_, rest)| rest.split(' ').next());
    Some(match duration {
        None => Start::Warm,
        Some(ms) => Start::Cold(ms.parse().ok()?),
    })
}

async fn function(session: &Session, name: &str, payload: Vec<u8>) -> Result<Response, Failure> {
    let physical = session.context.scope.physical(name);
    run::ours(session, &Function::id(name), &physical).await?;
    // What answers is behind it.
    if let Some(endpoint) = endpoint_of(session, name) {
        run::ours(session, &Endpoint::id(endpoint), &session.context.scope.physical(endpoint)).await?;
    }
    let start = Instant::now();
    // The alias, because provisioned concurrency is there and never on $LATEST.
    let call = session.context.aws.lambda.invoke().function_name(&physical).qualifier(Function::ALIAS);
    let call = call.log_type(LogType::Tail).payload(LambdaBlob::new(payload));
    let answer = call.send().await.op(action::lambda::InvokeFunction);
    let answer = answer.map_err(|error| not_deployed(error, &format!("function/{name}")))?;
    let latency_ms = start.elapsed().as_secs_f64() * 1000.0;
    let body = answer.payload().map(|p| p.as_ref().to_vec()).unwrap_or_default();
    let response = parsed(&body);
    if let Some(kind) = answer.function_error() {
        let text = response["errorMessage"].as_str().unwrap_or("it gives no message");
        let frames = response["stackTrace"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let place = place_of(frames.collect()).map(|l| format!("\n  at {l}")).unwrap_or_default();
        let kind = response["errorType"].as_str().unwrap_or(kind);
        let message = format!("function/{name} failed: {kind}: {text}{place}");
        // opsctl's own handler raises this for what went wrong behind it.
        let behind = (kind == "EndpointError").then(|| endpoint_of(session, name)).flatten();
        let help = match behind {
            Some(endpoint) => format!("the model's log: `opsctl logs endpoint/{endpoint}`"),
            None => format!("the whole log: `opsctl logs function/{name}`"),
        };
        return Err(Failure::new(codes::MODEL_ERROR, Exit::Failed, message, help));
    }
    let status = response["statusCode"].as_i64().unwrap_or(200);
    Ok(Response { status, body: response, latency_ms, start: start_of(answer.log_result()) })
}

/// Where the user's own code stood: the last frame in it. What it called (botocore, say) is elsewhere.
fn place_of(frames: Vec<&str>) -> Option<&str> {
    let is_own = |frame: &&&str| frame.contains("/var/task/") && !frame.contains("/site-packages/");
    frames.iter().rfind(is_own).or(frames.last()).map(|frame| frame.trim())
}

/// The endpoint that a function of the config calls.
fn endpoint_of<'a>(session: &'a Session, function: &str) -> Option<&'a str> {
    session.config.section("function")?.get(function)?.get("endpoint")?.as_str()
}

async fn endpoint(session: &Session, name: &str, payload: Vec<u8>) -> Result<Response, Failure> {
    let physical = session.context.scope.physical(name);
    run::ours(session, &Endpoint::id(name), &physical).await?;
    let start = Instant::now();
    let call = session
        .context
        .aws
        .runtime
        .invoke_endpoint()
        .endpoint_name(&physical)
        .content_type("application/json");
    let answer = call.accept("application/json").body(RuntimeBlob::new(payload)).send().await;
    let answer = answer.op(action::sagemaker::InvokeEndpoint);
    let answer = answer.map_err(|error| not_deployed(error, &format!("endpoint/{name}")))?;
    let latency_ms = start.elapsed().as_secs_f64() * 1000.0;
    let response = parsed(answer.body().map(|b| b.as_ref()).unwrap_or_default());
    Ok(Response { status: 200, body: response, latency_ms, start: None })
}

fn not_deployed(error: crate::aws::OpError, resource: &str) -> Failure {
    use crate::aws::OpErrorKind;
    let missing = error.kind == OpErrorKind::NotFound || error.message.contains("not found");
    if error.message.starts_with("ModelError") {
        let help = format!("these are the container's own words; its log: `opsctl logs {resource}`");
        return Failure::new(codes::MODEL_ERROR, Exit::Failed, error.to_string(), help);
    }
    if missing {
        let message = format!("{resource} is not deployed");
        return Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, "run `opsctl deploy` first");
    }
    error.into()
}

/// JSON where it is JSON, text where not.
fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body).into_owned()))
}

/// The sample of this config: two configs in one folder have two.
fn sample(config: &Path) -> PathBuf {
    const SAMPLE: &str = "sample.json";
    match config.file_stem().filter(|stem| *stem != "opsctl") {
        Some(stem) => config.with_file_name(stem).join(SAMPLE),
        None => config.with_file_name(SAMPLE),
    }
}

fn payload(args: &InvokeArgs, config: &Path) -> Result<Vec<u8>, Failure> {
    let sample = sample(config);
    let bytes = match (&args.payload, &args.file) {
        (Some(text), _) => text.clone().into_bytes(),
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
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let message = format!("the payload is not JSON: {error}");
            let help = match &args.payload {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_in_the_users_code() {
        let own = "  File \"/var/task/app.py\", line 9, in handler\n";
        let library =
            "  File \"/var/lang/lib/python3.12/site-packages/botocore/client.py\", line 1, in _api_call\n";
        let place = Some("File \"/var/task/app.py\", line 9, in handler");
        assert_eq!(place_of(vec![own, library, library]), place);
        assert_eq!(place_of(vec![library]), Some(library.trim()));
        assert_eq!(place_of(Vec::new()), None);
    }
}
