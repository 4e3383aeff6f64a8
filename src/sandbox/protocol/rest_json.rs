//! REST-JSON (Lambda, the SageMaker runtime): the operation is in method and path.
//!
//! The input of an operation joins the JSON body, the query parameters, and the labels of the path. A body
//! that is a payload rather than an input (`Invoke`) stays in `Call::body`; header members stay in
//! `Call::headers`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{Decoded, MISTYPED, Request, Response, Service, collect, full, json_object, respond};
use crate::authority::Denied;
use crate::call::Call;
use crate::constraint;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::model::Form;
use crate::operation::Operation;
use crate::state::SandboxState;

/// The largest JSON request is a function's archive: 70,167,211 bytes for CreateFunction
/// (docs/aws/lambda.md#limits).
const LARGEST_BODY: usize = 80 << 20;

/// A service of this protocol.
#[derive(Debug)]
pub struct Api {
    /// IAM prefix.
    pub name: &'static str,
    pub signing_name: &'static str,
    /// The service's code for an input that breaks a constraint.
    pub invalid: &'static str,
    /// Its words for "too fast" and "my fault".
    pub faults: FaultCodes,
    /// Operations for whoever knows their URL, as presigned ones are on AWS.
    pub public: &'static [&'static str],
    /// Tried in order, so `…?List=ALL` stands before the same path without it.
    pub routes: &'static [Route],
}

/// In a route: every method.
pub const ANY: &str = "*";
/// The last segment of a path: whatever follows, also nothing. It is the label `Path`; method and query are
/// labels then, too.
const REST: &str = "{+}";

/// Where an operation is found.
#[derive(Debug)]
pub struct Route {
    pub method: &'static str,
    /// `/2015-03-31/functions/{FunctionName}/aliases`, where a query literal may follow: `?List=ALL`.
    pub path: &'static str,
    /// Whether the body is the input as JSON, or a payload of its own.
    pub body: Payload,
    pub operation: Operation<Reply>,
}

/// What the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    Json,
    Raw,
}

/// A route whose body is JSON (or empty).
pub const fn route(method: &'static str, path: &'static str, operation: Operation<Reply>) -> Route {
    Route { method, path, body: Payload::Json, operation }
}

/// A route whose body is a payload.
pub const fn raw_route(method: &'static str, path: &'static str, operation: Operation<Reply>) -> Route {
    Route { method, path, body: Payload::Raw, operation }
}

/// What an operation of this protocol answers.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
}

impl Reply {
    /// An answer that is a JSON document.
    pub fn json(status: u16, output: &Value) -> Self {
        Self::raw(status, HeaderValue::from_static("application/json"), output.to_string())
    }

    /// 204: done, nothing to say.
    pub fn empty() -> Self {
        Self { status: 204, headers: Vec::new(), body: Bytes::new() }
    }

    /// An answer of any bytes.
    pub fn raw(status: u16, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![(CONTENT_TYPE, content_type)], body: body.into() }
    }

    /// Adds a header; a value that HTTP cannot carry is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        let mut response = Response::new(full(reply.body));
        *response.status_mut() =
            hyper::StatusCode::from_u16(reply.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().extend(reply.headers);
        response
    }
}

impl Route {
    /// The labels of the path, when method and path fit.
    fn labels(&self, method: &str, path: &str, query: &str) -> Option<Vec<(&'static str, String)>> {
        let (own, literal) = self.path.split_once('?').unwrap_or((self.path, ""));
        if ![method, ANY].contains(&self.method)
            || !(literal.is_empty() || query.split('&').any(|pair| pair == literal))
        {
            return None;
        }
        let mut labels = Vec::new();
        let mut given = path.trim_end_matches('/').split('/');
        for (i, segment) in own.trim_end_matches('/').split('/').enumerate() {
            if segment == REST {
                // As it came: what is in it is for others to read.
                let rest = path.splitn(i + 1, '/').nth(i).unwrap_or_default();
                let request = [("Method", method), ("Path", rest), ("Query", query)];
                labels.extend(request.map(|(label, text)| (label, text.to_owned())));
                return Some(labels);
            }
            let value = given.next()?;
            match segment.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
                Some(label) => {
                    labels.push((label, percent_decode_str(value).decode_utf8_lossy().into_owned()))
                }
                None if segment == value => {}
                None => return None,
            }
        }
        given.next().is_none().then_some(labels)
    }
}

impl Service for Api {
    fn name(&self) -> &'static str {
        self.name
    }

    fn operations(&self) -> Vec<(&'static str, &'static [constraint::Constraint])> {
        self.routes.iter().map(|route| (route.operation.name, route.operation.rules)).collect()
    }

    fn signing_name(&self) -> &'static str {
        self.signing_name
    }

    fn claims(&self, head: &Parts) -> bool {
        self.find(head).is_some()
    }

    fn is_public(&self, head: &Parts) -> bool {
        self.find(head).is_some_and(|(route, _)| self.public.contains(&route.operation.name))
    }

    fn handle<'a>(&'a self, shared: &'a Arc<SandboxState>, request: Request) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            match self.answer(shared, &head, body).await {
                Ok(reply) => reply.into(),
                Err(fault) => render(&fault),
            }
        })
    }
}

impl Api {
    fn find(&self, head: &Parts) -> Option<(&'static Route, Vec<(&'static str, String)>)> {
        let query = head.uri.query().unwrap_or_default();
        self.routes
            .iter()
            .find_map(|route| Some((route, route.labels(head.method.as_str(), head.uri.path(), query)?)))
    }

    async fn answer(
        &self,
        shared: &Arc<SandboxState>,
        head: &Parts,
        body: super::Body,
    ) -> Result<Reply, Fault> {
        let body = collect(shared, body, LARGEST_BODY).await?;
        // An operation that is not there has no name in this protocol but its method and path.
        let unknown = format!("{} {}", head.method, head.uri.path());
        let (operation, input) = match self.find(head) {
            Some((route, labels)) => {
                let input = match route.body {
                    Payload::Json => json_object(&body)?,
                    Payload::Raw => Value::Object(Map::new()),
                };
                (Ok(&route.operation), join_input(input, head.uri.query().unwrap_or_default(), labels))
            }
            None => (Err(unknown.as_str()), Value::Null),
        };
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
            denied: |Denied(message)| Fault::new(403, "AccessDeniedException", message),
            refuse: &refuse,
        }
        .run()
        .await
    }
}

/// A parameter that comes more than once (`tagKeys=a&tagKeys=b`) becomes a list.
fn join_input(mut input: Value, query: &str, labels: Vec<(&'static str, String)>) -> Value {
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name), Value::String(decode(value)));
        match &mut input[name.as_str()] {
            Value::Array(values) => values.push(value),
            slot @ Value::Null => *slot = value,
            slot => *slot = Value::Array(vec![slot.take(), value]),
        }
    }
    for (name, value) in labels {
        input[name] = Value::String(value);
    }
    input
}

/// A list that may come in the query, where a list of one looks like a text.
pub fn values<'a>(call: &'a Call, name: &str) -> Vec<&'a str> {
    match &call.input[name] {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// In a query, unlike in a path, a plus is a space.
pub fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', "%20")).decode_utf8_lossy().into_owned()
}

/// The code in a header, the message in the body. Lambda's models have `message` in some errors and `Message`
/// in others, so both are there.
pub fn render(fault: &Fault) -> Response {
    let message = Value::from(fault.message.as_str());
    let kind = if fault.status < 500 { "User" } else { "Service" };
    let mut body = Map::from_iter([
        ("Type".to_owned(), Value::from(kind)),
        ("message".to_owned(), message.clone()),
        ("Message".to_owned(), message),
    ]);
    body.extend(fault.extra.clone());
    let mut response = respond(fault.status, "application/json", Value::Object(body).to_string());
    if let Ok(code) = HeaderValue::from_str(&fault.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::op;

    fn any(path: &'static str) -> Route {
        route("GET", path, op("GetX", &[], |_| Ok(Reply::empty())))
    }

    #[test]
    fn paths_match_by_segment_and_labels_are_decoded() {
        let alias = any("/2015-03-31/functions/{FunctionName}/aliases/{Name}");
        let arn = "/2015-03-31/functions/arn%3Aaws%3Alambda/aliases/live";
        let labels = alias.labels("GET", arn, "").unwrap();
        assert_eq!(labels, [("FunctionName", "arn:aws:lambda".to_owned()), ("Name", "live".to_owned())]);
        assert_eq!(alias.labels("PUT", arn, ""), None);
        assert_eq!(alias.labels("GET", "/2015-03-31/functions/f/aliases", ""), None);
        assert_eq!(alias.labels("GET", "/2015-03-31/functions/f/aliases/live/more", ""), None);
        assert!(
            any("/functions/").labels("GET", "/functions", "").is_some(),
            "a slash at the end is nothing"
        );
        let all = any("/pc?List=ALL");
        assert!(all.labels("GET", "/pc", "MaxItems=1&List=ALL").is_some());
        assert!(all.labels("GET", "/pc", "Qualifier=live").is_none());
    }

    #[test]
    fn the_input_joins_body_query_and_labels() {
        let input = join_input(
            json!({"Description": "d"}),
            "Qualifier=a%20b&tagKeys=x&tagKeys=y&tagKeys=z",
            vec![("FunctionName", "f".to_owned())],
        );
        let expected =
            json!({"Description": "d", "Qualifier": "a b", "tagKeys": ["x", "y", "z"], "FunctionName": "f"});
        assert_eq!(input, expected);
    }
}
