//! A payload through the function.

use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{LogType, ThrottleReason};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tokio::time::Instant;

use super::{Function, http_event};
use crate::aws::SdkResultExt;
use crate::domain::{Media, action};
use crate::engine::OpCx;
use crate::engine::invoke::{NoAnswer, Request, Response, Start};

/// Invokes the alias. JSON is the event itself; what Lambda takes as no event comes as its URL would send it.
pub async fn send(cx: &OpCx<'_>, function: &str, request: Request) -> Result<Response, NoAnswer> {
    let payload = match request {
        Request { payload, accept: None } if payload.is_json() => payload.bytes,
        Request { payload, accept } => http_event::of(&payload, accept.as_deref()),
    };
    let start = Instant::now();
    // The alias, because provisioned concurrency is there and never on $LATEST.
    let call = cx.aws.lambda.invoke().function_name(function).qualifier(Function::ALIAS);
    let call = call.log_type(LogType::Tail).payload(Blob::new(payload));
    let sent = call.send().await;
    if sent.as_ref().err().and_then(SdkError::as_service_error).is_some_and(is_reserved) {
        return Err(NoAnswer::Reserved);
    }
    let answer = sent.op(action::lambda::InvokeFunction)?;
    let latency_ms = start.elapsed().as_secs_f64() * 1000.0;
    let body = Media::json(answer.payload().map(|p| p.as_ref().to_vec()).unwrap_or_default());
    let response = body.value().unwrap_or_default();
    if let Some(kind) = answer.function_error() {
        return Err(raised(kind, &response));
    }
    let status = response["statusCode"].as_i64().unwrap_or(200);
    let start = start_of(answer.log_result());
    let answer = http_event::answer(&response).unwrap_or(body);
    Ok(Response { status, body: response, answer, latency_ms, start })
}

/// Whether it is the function's own limit that is reached, and not the account's.
fn is_reserved(error: &InvokeError) -> bool {
    let InvokeError::TooManyRequestsException(error) = error else { return false };
    error.reason() == Some(&ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
}

/// What the code raised, as Lambda's Python tells it
/// (<https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html>); `kind` is Lambda's word for it.
fn raised(kind: &str, response: &Value) -> NoAnswer {
    let text = response["errorMessage"].as_str().unwrap_or("it gives no message");
    let frames = response["stackTrace"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let place = place_of(frames.collect()).map(|l| format!("\n  at {l}")).unwrap_or_default();
    let kind = response["errorType"].as_str().unwrap_or(kind);
    // opsctl's own handler raises this for what went wrong behind it.
    NoAnswer::Raised { what: format!("{kind}: {text}{place}"), is_behind: kind == "EndpointError" }
}

/// Where the user's own code stood: the last frame in it. What it called (botocore, say) is elsewhere.
fn place_of(frames: Vec<&str>) -> Option<&str> {
    let is_own = |frame: &&&str| frame.contains("/var/task/") && !frame.contains("/site-packages/");
    frames.iter().rfind(is_own).or(frames.last()).map(|frame| frame.trim())
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
