//! Sends a payload through a function, or straight to an endpoint: with it the user's code runs. How it is
//! sent is the kind's own ([`crate::engine::Driver::invoke`]).

use super::jobs::Job;
use super::{Session, whose};
use crate::aws::{OpError, OpErrorKind};
use crate::desired::Node;
use crate::domain::{Code, KindName, ResourceId, bytes, codes};
use crate::engine::OpCx;
use crate::engine::invoke::{NoAnswer, Request, Response};

/// Why nothing came back.
#[derive(Debug)]
pub enum InvokeError {
    Op(OpError),
    /// The container failed: of which resource, what it said, and the same as a whole message.
    Model {
        resource: ResourceId,
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
    let last = invoked(session).last().expect("something can be invoked");
    first.find(has_section).unwrap_or(last)
}

/// Sends a payload to a function or an endpoint.
///
/// # Errors
/// See [`InvokeError`].
pub async fn send(session: &Session, to: &Job, request: Request) -> Result<Response, InvokeError> {
    let Job { id, physical } = to;
    whose::ours(session, id, physical).await?;
    // What answers is behind it.
    for Node { id, physical, .. } in behind(session, id) {
        whose::ours(session, id, physical).await?;
    }
    let cx = OpCx::new(&session.context, id.clone());
    let size = request.payload.bytes.len() as u64;
    let sent = session.registry.of(id.kind).invoke(&cx, physical, request).await;
    sent.map_err(|none| match none {
        NoAnswer::Op(error) if error.is(TOO_LARGE) => too_large(&error, size, id),
        NoAnswer::Op(error) => unanswered(error, id),
        NoAnswer::Reserved => {
            let message =
                format!("{id} runs as many calls as its `reserved_concurrency` allows; 0 allows none");
            let help = "raise it, or leave the key out, and deploy; else ask again in a moment";
            InvokeError::failed(codes::THROTTLED, message, help)
        }
        NoAnswer::Raised { what, is_behind } => {
            let behind = behind(session, id).filter(|_| is_behind);
            let logs: Vec<String> = behind.map(|node| format!("`opsctl logs {}`", node.id)).collect();
            let denied =
                ["AccessDenied", "is not authorized to perform"].iter().any(|words| what.contains(words));
            let help = match logs.as_slice() {
                [] if denied => {
                    "`permissions = [{ actions = […], resources = […] }]` in its section lets it".into()
                }
                [] => format!("the whole log: `opsctl logs {id}`"),
                logs => format!("the model's log: {}", logs.join(" or ")),
            };
            InvokeError::failed(codes::MODEL_ERROR, format!("{id} failed: {what}"), help)
        }
    })
}

/// What of the config something asks when it is invoked: a function its endpoints.
fn behind<'a>(session: &'a Session, id: &ResourceId) -> impl Iterator<Item = &'a Node> {
    let needs = session.desired.node(id).into_iter().flat_map(|node| &node.needs);
    let nodes = needs.filter_map(|need| session.desired.node(need));
    nodes.filter(|node| session.kind(node.id.kind).invoked().is_some())
}

/// What Lambda answers to more than 6 MB
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const TOO_LARGE: &str = "RequestTooLargeException";

/// The function failed at nothing: it was not called.
fn too_large(error: &OpError, size: u64, id: &ResourceId) -> InvokeError {
    let message = format!("the payload of {} is too large for {id}: {}", bytes(size), error.said());
    let help = "bytes that are no text go in base64, so 4.5 MB of them are the most; \
                `--endpoint NAME` calls the endpoint itself";
    InvokeError::failed(codes::TOO_LARGE, message, help)
}

fn unanswered(error: OpError, id: &ResourceId) -> InvokeError {
    match error.kind {
        OpErrorKind::ModelFailed => InvokeError::Model {
            resource: id.clone(),
            said: error.said().to_owned(),
            whole: error.to_string(),
        },
        OpErrorKind::NotFound => {
            let message = format!("{id} is not deployed");
            InvokeError::failed(codes::NOT_DEPLOYED, message, "run `opsctl deploy` first")
        }
        _ => error.into(),
    }
}
