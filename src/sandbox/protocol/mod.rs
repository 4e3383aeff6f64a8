//! AWS's wire protocols. Each module offers an `Api`: a service's name, its codes, and its table of
//! operations.

pub mod json11;
pub mod query;
pub mod rest_json;
pub mod scope;

use std::io::Read as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use serde_json::Value;

use super::authority::{self, Denied, Principal};
use super::call::Call;
use super::exchange::Exchange;
use super::fault::Fault;
use super::faults::FaultCodes;
use super::guard;
use super::model::{self, Form};
use super::operation::{Operation, Run};
use super::regions;
use super::rules::AwsRule;
use super::state::SandboxState;
use crate::constraint::{Constraint, Violation, Violations};
use scope::CredentialScope;

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BodyError(#[from] Box<dyn std::error::Error + Send + Sync>);

/// What requests and responses carry.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;
/// A request as it comes in.
pub type Request = hyper::Request<Body>;
/// A response as it goes out.
pub type Response = hyper::Response<Body>;

/// A service at the level of HTTP. The `Api`s of this module implement it for tables; S3 does it itself.
pub trait Service: Send + Sync {
    /// The IAM prefix: the name in counters, fault rules, ARNs and error texts.
    fn name(&self) -> &'static str;

    /// Its operations, with what AWS refuses beyond its model.
    fn operations(&self) -> Vec<(&'static str, &'static [Constraint])>;

    /// The service in a credential scope, where it differs (`monitoring` for CloudWatch).
    fn signing_name(&self) -> &'static str {
        self.name()
    }

    /// Whether the head of a request alone says that it is for this service: asked when the request is not
    /// signed, and when two services sign with one name (SageMaker and its runtime).
    fn claims(&self, head: &Parts) -> bool;

    /// Whether the service answers this request to whoever knows its URL, without a signature.
    fn is_public(&self, _: &Parts) -> bool {
        false
    }

    /// Answers a request. It must call [`SandboxState::admit`] once, with `Exchange::of(&head)`.
    fn handle<'a>(&'a self, shared: &'a Arc<SandboxState>, request: Request) -> BoxFuture<'a, Response>;
}

/// Reads a whole body of at most `largest` bytes into memory. Where there is no room for it, it is read all
/// the same and thrown away: a client that is cut off while it sends does not see the answer.
pub async fn collect(shared: &SandboxState, body: Body, largest: usize) -> Result<Bytes, Fault> {
    let (mut body, mut bytes) = (Limited::new(body, largest), BytesMut::new());
    let mut room = Ok(shared.memory.room());
    loop {
        let frame = match &room {
            Ok(held) => match held.next(body.frame()).await {
                Ok(frame) => frame,
                Err(fault) => {
                    (room, bytes) = (Err(fault), BytesMut::new());
                    continue;
                }
            },
            Err(_) => body.frame().await,
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| match error {
            error if error.is::<http_body_util::LengthLimitError>() => too_large(largest),
            error if is_idle(error.as_ref()) => idle(),
            _ => Fault::new(400, "IncompleteBody", "the request's body ended too early"),
        })?;
        if let (Ok(data), Ok(held)) = (frame.into_data(), &mut room) {
            match held.grow(data.len()).await {
                Ok(()) => bytes.extend_from_slice(&data),
                Err(fault) => (room, bytes) = (Err(fault), BytesMut::new()),
            }
        }
    }
    Ok(room?.keep(bytes))
}

fn too_large(largest: usize) -> Fault {
    let message = format!("Request must be smaller than {largest} bytes");
    Fault::new(413, "RequestEntityTooLargeException", message)
}

/// Whether a body ended because nothing came for too long (`super::patience`).
pub fn is_idle(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| cause.is::<super::timeouts::BodyTimeout>())
}

/// In S3's words, which has them for this (docs/aws/s3.md#idle-connections).
pub fn idle() -> Fault {
    let message = "Your socket connection to the server was not read from or written to within the timeout \
                   period. Idle connections will be closed.";
    Fault::new(400, "RequestTimeout", message)
}

/// The body without its compression: SDKs compress large inputs of some operations (`PutMetricData`).
fn inflated(headers: &HeaderMap, body: Bytes, largest: usize) -> Result<Bytes, Fault> {
    if header(headers, "content-encoding") != "gzip" {
        return Ok(body);
    }
    let mut inflated = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(&body[..]).take(largest as u64 + 1);
    match reader.read_to_end(&mut inflated) {
        Ok(length) if length > largest => Err(too_large(largest)),
        Ok(_) => Ok(inflated.into()),
        Err(_) => Err(Fault::new(400, "SerializationException", "the body is not gzip")),
    }
}

/// A body from bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// An answer from its parts. A status outside of HTTP's range, which only a fault rule can ask for, becomes
/// 500.
pub fn respond(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(full(body));
    *response.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// What a protocol has found out about a request before its operation runs.
struct Decoded<'a, T: 'static> {
    shared: &'a Arc<SandboxState>,
    service: &'static str,
    faults: FaultCodes,
    head: &'a Parts,
    /// The row of the table, or the name of an operation that is in none.
    operation: Result<&'static Operation<T>, &'a str>,
    input: Value,
    body: Bytes,
    /// Whether the wire has types.
    form: Form,
    /// The protocol's code for a value of the wrong type.
    mistyped: &'static str,
    /// How the protocol refuses who may not do this.
    denied: fn(Denied) -> Fault,
    /// How the protocol words an input that breaks the operation's rules.
    refuse: &'a (dyn Fn(&[Violation]) -> Fault + Sync),
}

impl<T> Decoded<'_, T> {
    /// Admit, validate, run: the same for all protocols.
    async fn run(self) -> Result<T, Fault> {
        let exchange = Exchange::of(self.head);
        let name = self.operation.map_or_else(|unknown| unknown, |row| row.name);
        guard::check_effect(&self.head.method, self.service, name)?;
        if self.operation.is_err() {
            exchange.is_unknown();
        }
        self.shared.admit(&exchange, self.service, self.faults, name).await?;
        let row = self.operation.map_err(|unknown| Fault::not_implemented(self.service, unknown))?;
        let violations = self.violations(row)?;
        if !violations.told().is_empty() {
            return Err((self.refuse)(violations.told()));
        }
        let scope = CredentialScope::of(self.head).unwrap_or_default();
        let region = scope.region.unwrap_or_else(|| self.shared.region.clone());
        regions::check(self.shared, &region)?;
        let principal = self.head.extensions.get::<Principal>().cloned().unwrap_or_default();
        let (service, operation, input) = (self.service, row.name, &self.input);
        let asked = authority::Request { principal: &principal, service, operation, region: &region, input };
        authority::authorize(self.shared, &asked).map_err(self.denied)?;
        let call = Call {
            shared: Arc::clone(self.shared),
            service: self.service,
            operation: row.name,
            region,
            principal,
            request_id: exchange.id.clone(),
            input: self.input,
            headers: self.head.headers.clone(),
            body: self.body,
        };
        match row.run {
            Run::Now(answer) => answer(&call),
            Run::Later(answer) => answer(call).await,
        }
    }
}

impl<T> Decoded<'_, T> {
    /// How the input violates the operation's constraints and AWS's model.
    fn violations(&self, row: &Operation<T>) -> Result<Violations, Fault> {
        let model = model::input(self.service, row.name);
        if let Some(model) = model.filter(|_| self.shared.enforces(AwsRule::ModelTypes))
            && let Some(wrong) = model.wrong_type(self.form, &self.input)
        {
            return Err(Fault::new(400, self.mistyped, wrong));
        }
        let mut violations = Violations::of(row.rules, &self.input);
        if let Some(model) = model.filter(|_| self.shared.enforces(AwsRule::ModelConstraints)) {
            model.check(self.shared, &self.input, &mut violations);
        }
        Ok(violations)
    }
}

/// A header's text, empty when absent.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// So many values and objects are in no request of AWS's (1,000 metrics with 150 values each, 10,000 events
/// of a log); each takes many times the bytes that it has in the text.
const MOST_VALUES: usize = 500_000;
const MOST_OBJECTS: usize = 100_000;

/// The code of the JSON protocols for what has another type than the model says, or is no JSON.
const MISTYPED: &str = "SerializationException";

/// A JSON object from a body; an empty body is an empty object. How deep it may be is serde_json's limit of
/// 128.
fn json_object(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let (values, objects) = parts(body);
    if values > MOST_VALUES || objects > MOST_OBJECTS {
        return Err(Fault::new(400, MISTYPED, "the body has too many values"));
    }
    match serde_json::from_slice(body) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err(Fault::new(400, MISTYPED, "the body is not a JSON object")),
        Err(error) => Err(Fault::new(400, MISTYPED, error.to_string())),
    }
}

/// How many values and objects a text of JSON has: what is in its strings does not count.
fn parts(json: &[u8]) -> (usize, usize) {
    let (mut values, mut objects, mut in_string, mut escaped) = (0, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' if !in_string => values += 1,
            b'{' | b'[' if !in_string => objects += 1,
            _ => {}
        }
    }
    (values, objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_refused_before_it_takes_many_times_its_bytes() {
        let list = |item: &str, count: usize| format!("{{\"a\":[{}0]}}", format!("{item},").repeat(count));
        for (item, count) in [("1", 400_000), ("{}", 90_000), (r#""{{,,\",{,""#, 90_000)] {
            assert!(json_object(list(item, count).as_bytes()).is_ok(), "{item}");
        }
        for (item, count) in [("1", 600_000), ("{}", 110_000), ("[]", 110_000)] {
            assert!(json_object(list(item, count).as_bytes()).is_err(), "{item}");
        }
    }
}
