//! Sends a payload through a function, or straight to an endpoint: with it the user's code runs.

use aws_sdk_lambda::primitives::Blob as LambdaBlob;
use aws_sdk_lambda::types::LogType;
use aws_sdk_sagemakerruntime::primitives::Blob as RuntimeBlob;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tokio::time::Instant;

use super::{Session, http_event, whose};
use crate::aws::{OpError, OpErrorKind, SdkResultExt};
use crate::desired::Kind as _;
use crate::domain::{Code, KindName, Media, ResourceId, action, codes, media};
use crate::resources::endpoint::Endpoint;
use crate::resources::function::Function;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub payload: Media,
    /// The content type that the answer should have; JSON when nobody says.
    pub accept: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Response {
    /// The `statusCode` of the function's answer, or the endpoint's HTTP status.
    pub status: i64,
    /// The whole of it: JSON or text, `null` where it is neither.
    pub body: Value,
    /// The model's answer alone: what the endpoint sent, or what is in the `body` of the function's response.
    pub answer: Media,
    pub latency_ms: f64,
    /// What the function did before it could answer.
    pub start: Option<Start>,
}

/// How an invocation of a function began, by its log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    Warm,
    /// A new environment was initialized first, in that many milliseconds.
    Cold(f64),
}

/// Why nothing came back.
#[derive(Debug)]
pub enum InvokeError {
    Op(OpError),
    /// The container failed: in which resource, what it said, and the same as a whole message.
    Model {
        resource: String,
        said: String,
        whole: String,
    },
    /// What was invoked failed, or is not there; and what a person can do.
    Failed {
        code: Code,
        message: String,
        help: String,
    },
}

impl InvokeError {
    fn failed(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Failed { code, message: message.into(), help: help.into() }
    }
}

impl From<OpError> for InvokeError {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

/// The kinds of which `given` may be a name. Of a function and an endpoint of one name, the function is
/// meant.
pub fn kinds(session: &Session, given: &str) -> Vec<KindName> {
    let nodes = || session.desired.nodes.iter();
    let is_named = |kind: &KindName| nodes().any(|node| node.id.kind == *kind && node.is_named(given));
    match invoked(session).find(is_named) {
        Some(kind) => vec![kind],
        None => invoked(session).collect(),
    }
}

/// What can be invoked, and what stands before others first.
fn invoked(session: &Session) -> impl Iterator<Item = KindName> {
    session.kinds.iter().rev().filter(|kind| kind.invoked().is_some()).map(|kind| kind.name())
}

/// The kind that is invoked when nothing is named: a function, or an endpoint where the config has none.
pub fn usual(session: &Session) -> KindName {
    let has_section = |kind: &KindName| {
        session.kind(*kind).section().is_some_and(|section| session.config.section(section).is_some())
    };
    let mut first = invoked(session);
    let last = invoked(session).last().expect("an endpoint can be invoked");
    first.find(has_section).unwrap_or(last)
}

/// Sends a payload to a function or an endpoint of the config.
///
/// # Errors
/// See [`InvokeError`].
pub async fn send(session: &Session, to: &ResourceId, request: Request) -> Result<Response, InvokeError> {
    match to.kind {
        KindName::Function => function(session, &to.name, &request).await,
        _ => endpoint(session, &to.name, request).await,
    }
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

/// Invokes the alias of a function. JSON is the event itself; what Lambda takes as no event comes as its URL
/// would send it.
async fn function(session: &Session, name: &str, request: &Request) -> Result<Response, InvokeError> {
    let payload = match request {
        Request { payload, accept: None } if payload.is_json() => payload.bytes.clone(),
        Request { payload, accept } => http_event::of(payload, accept.as_deref()),
    };
    let physical = session.physical(&Function::id(name));
    whose::ours(session, &Function::id(name), &physical).await?;
    // What answers is behind it.
    if let Some(endpoint) = endpoint_of(session, name).map(Endpoint::id) {
        whose::ours(session, &endpoint, &session.physical(&endpoint)).await?;
    }
    let start = Instant::now();
    // The alias, because provisioned concurrency is there and never on $LATEST.
    let call = session.context.aws.lambda.invoke().function_name(&physical).qualifier(Function::ALIAS);
    let call = call.log_type(LogType::Tail).payload(LambdaBlob::new(payload));
    let answer = call.send().await.op(action::lambda::InvokeFunction);
    let answer = answer.map_err(|error| not_deployed(error, &format!("function/{name}")))?;
    let latency_ms = start.elapsed().as_secs_f64() * 1000.0;
    let body = answer.payload().map(|p| p.as_ref().to_vec()).unwrap_or_default();
    let body = Media::json(body);
    let response = body.value().unwrap_or_default();
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
        return Err(InvokeError::failed(codes::MODEL_ERROR, message, help));
    }
    let status = response["statusCode"].as_i64().unwrap_or(200);
    let start = start_of(answer.log_result());
    let answer = http_event::answer(&response).unwrap_or(body);
    Ok(Response { status, body: response, answer, latency_ms, start })
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

async fn endpoint(session: &Session, name: &str, request: Request) -> Result<Response, InvokeError> {
    let physical = session.physical(&Endpoint::id(name));
    whose::ours(session, &Endpoint::id(name), &physical).await?;
    let start = Instant::now();
    let call = session.context.aws.runtime.invoke_endpoint().endpoint_name(&physical);
    let call = call.content_type(request.payload.content_type);
    let call = call.accept(request.accept.as_deref().unwrap_or(media::JSON));
    let answer = call.body(RuntimeBlob::new(request.payload.bytes)).send().await;
    let answer = answer.op(action::sagemaker::InvokeEndpoint);
    let answer = answer.map_err(|error| not_deployed(error, &format!("endpoint/{name}")))?;
    let latency_ms = start.elapsed().as_secs_f64() * 1000.0;
    let content_type = answer.content_type().unwrap_or(media::JSON).to_owned();
    let bytes = answer.body().map(|body| body.as_ref().to_vec()).unwrap_or_default();
    let answer = Media { content_type, bytes };
    Ok(Response { status: 200, body: answer.value().unwrap_or_default(), answer, latency_ms, start: None })
}

fn not_deployed(error: OpError, resource: &str) -> InvokeError {
    let missing = error.kind == OpErrorKind::NotFound || error.message.contains("not found");
    if let Some(said) = error.message.strip_prefix("ModelError: ") {
        let (resource, said) = (resource.to_owned(), said.to_owned());
        return InvokeError::Model { resource, said, whole: error.to_string() };
    }
    if missing {
        let message = format!("{resource} is not deployed");
        return InvokeError::failed(codes::NOT_DEPLOYED, message, "run `opsctl deploy` first");
    }
    error.into()
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
