//! AWS JSON 1.0 and 1.1: one path, the operation in `X-Amz-Target`, JSON both ways.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hyper::http::request::Parts;
use serde_json::{Map, Value};

use super::{Decoded, MISTYPED, Request, Response, Service, collect, header, inflated, json_object, respond};
use crate::authority::Denied;
use crate::call::Answer;
use crate::constraint;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::model::Form;
use crate::operation::Operation;
use crate::state::SandboxState;

/// The largest requests of these services are 1 MiB of log events or metrics, in which a character may be
/// six.
const LARGEST_BODY: usize = 8 << 20;

/// A service of this protocol.
#[derive(Debug)]
pub struct Api {
    /// IAM prefix.
    pub name: &'static str,
    pub signing_name: &'static str,
    /// What is before the dot in `X-Amz-Target`.
    pub target: &'static str,
    /// The service's code for an input that breaks a constraint.
    pub invalid: &'static str,
    /// Its words for "too fast" and "my fault".
    pub faults: FaultCodes,
    pub operations: &'static [Operation],
}

impl Service for Api {
    fn name(&self) -> &'static str {
        self.name
    }

    fn operations(&self) -> Vec<(&'static str, &'static [constraint::Constraint])> {
        self.operations.iter().map(|row| (row.name, row.rules)).collect()
    }

    fn signing_name(&self) -> &'static str {
        self.signing_name
    }

    fn claims(&self, head: &Parts) -> bool {
        header(&head.headers, "x-amz-target").split_once('.').is_some_and(|(target, _)| target == self.target)
    }

    fn handle<'a>(&'a self, shared: &'a Arc<SandboxState>, request: Request) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let content_type = match header(&head.headers, "content-type") {
                "application/x-amz-json-1.0" => "application/x-amz-json-1.0",
                _ => "application/x-amz-json-1.1",
            };
            match self.answer(shared, &head, body).await {
                Ok(output) => respond(200, content_type, output.to_string()),
                Err(fault) => render(&fault, content_type),
            }
        })
    }
}

impl Api {
    async fn answer(&self, shared: &Arc<SandboxState>, head: &Parts, body: super::Body) -> Answer {
        let target = header(&head.headers, "x-amz-target");
        let name = target.rsplit_once('.').map_or(target, |(_, name)| name);
        let body = inflated(&head.headers, collect(shared, body, LARGEST_BODY).await?, LARGEST_BODY)?;
        let input = json_object(&body)?;
        let operation = self.operations.iter().find(|row| row.name == name).ok_or(name);
        let refuse = |found: &[constraint::Violation]| constraint::refusal(self.invalid, found);
        let (form, mistyped) = (Form::Json, MISTYPED);
        Decoded {
            shared,
            service: self.name,
            faults: self.faults,
            head,
            operation,
            input,
            body,
            form,
            mistyped,
            denied: |Denied(message)| Fault::new(400, "AccessDeniedException", message),
            refuse: &refuse,
        }
        .run()
        .await
    }
}

/// `{"__type": code, "message": …}`
pub fn render(fault: &Fault, content_type: &'static str) -> Response {
    let mut body = Map::from_iter([
        ("__type".to_owned(), Value::from(fault.code.as_ref())),
        ("message".to_owned(), Value::from(fault.message.as_str())),
    ]);
    body.extend(fault.extra.clone());
    respond(fault.status, content_type, Value::Object(body).to_string())
}
