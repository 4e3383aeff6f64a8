//! One call of one operation, as a service sees it, and what it may answer.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::header::HeaderMap;
use serde_json::{Map, Value};

use super::clock::{self, Millis};
use super::paging::{self, Page};
use super::protocol::constraint::Rule;
use super::store::Shelf;
use super::world::World;

/// A refusal; the protocol renders it as AWS renders it there.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// AWS's error code as it is on the wire: `ValidationException`, `NoSuchEntity`.
    pub code: Cow<'static, str>,
    pub message: String,
    /// HTTP status.
    pub status: u16,
    /// Further members of the error: `OriginalMessage`, `Reason`.
    pub extra: Map<String, Value>,
}

impl Fault {
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status, extra: Map::new() }
    }

    /// Adds a member to the error.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// What the sandbox does not do. 501 is retried by no SDK.
    pub fn not_implemented(service: &str, operation: &str) -> Self {
        let message = format!("the sandbox does not implement {service}:{operation}; see docs/sandbox.md");
        Self::new(501, "NotImplemented", message)
    }
}

/// The sandbox's own trouble with its files. A disk that is full stays so: its status is one that no SDK retries.
impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        let causes = with_causes(&error);
        if matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
        ) {
            let message = format!(
                "the sandbox cannot write: {causes}. Free some space there, or set OPSCTL_SANDBOX to a folder elsewhere"
            );
            return Self::new(507, "SandboxDiskFull", message);
        }
        Self::new(500, "InternalFailure", format!("the sandbox cannot use its files: {causes}"))
    }
}

/// An error with its causes, for a message: that a disk is full is often the last of them.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What an operation of a JSON or query service answers.
pub type Answer = Result<Value, Fault>;

/// One decoded call. The input has passed the operation's constraint table.
#[derive(Debug)]
pub struct Call {
    pub world: Arc<World>,
    /// The service's IAM prefix, which is also its name in ARNs.
    pub service: &'static str,
    pub operation: &'static str,
    /// From the credential scope, else the sandbox's.
    pub region: String,
    pub access_key: Option<String>,
    pub request_id: String,
    /// An object. Query and URL values are strings: read numbers and flags through [`Call::number`] and [`Call::flag`].
    pub input: Value,
    pub headers: HeaderMap,
    /// The body as it came, for operations whose payload is not JSON (`Invoke`, `InvokeEndpoint`).
    pub body: Bytes,
}

impl Call {
    /// A string member; empty when absent. For those that the constraint table requires.
    pub fn text(&self, name: &str) -> &str {
        self.maybe(name).unwrap_or_default()
    }

    /// An optional string member.
    pub fn maybe(&self, name: &str) -> Option<&str> {
        self.input.get(name).and_then(Value::as_str)
    }

    /// An optional number, also where the protocol writes it as text.
    pub fn number(&self, name: &str) -> Option<i64> {
        let value = self.input.get(name)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    /// An optional flag, also where the protocol writes it as text; absent is `false`.
    pub fn flag(&self, name: &str) -> bool {
        let value = &self.input[name];
        value
            .as_bool()
            .unwrap_or_else(|| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")))
    }

    /// A list member; empty when absent.
    pub fn list(&self, name: &str) -> &[Value] {
        self.input[name].as_array().map_or(&[], Vec::as_slice)
    }

    /// Sandbox time in milliseconds.
    pub fn now(&self) -> Millis {
        self.world.clock.now()
    }

    /// Now, as AWS's JSON protocols write it.
    pub fn timestamp(&self) -> Value {
        clock::epoch_seconds(self.now())
    }

    /// The ARN of a resource of this service in this region: `call.arn("endpoint/breeds")`.
    pub fn arn(&self, rest: &str) -> String {
        self.world.arn(self.service, &self.region, rest)
    }

    /// The documents of a resource in this call's region. Tables are named `<service>.<resource>`.
    pub fn shelf(&self, table: &'static str) -> Shelf<'_> {
        self.world.shelf(table, &self.region)
    }

    /// One page of `items` (names and what is shown of them, in the order to be shown), after the one that the
    /// token in member `token` names. The caller knows its service's code for a token that is not ours.
    pub fn page<T>(&self, items: Vec<(String, T)>, token: &str, size: usize) -> Option<Page<T>> {
        let token = self.maybe(token).filter(|token| !token.is_empty());
        match (self.world.short_pages, token) {
            (true, None) => Some(paging::before_all()),
            (true, token) => paging::page(items, token, 1),
            (false, token) => paging::page(items, token, size),
        }
    }
}

/// One row of a service's table: the operation's name, its constraints, its function.
#[derive(Debug)]
pub struct Operation<T: 'static = Value> {
    pub name: &'static str,
    pub rules: &'static [Rule],
    pub run: Run<T>,
}

/// How an operation is carried out.
#[derive(Debug)]
pub enum Run<T: 'static> {
    Now(fn(&Call) -> Result<T, Fault>),
    Later(fn(Call) -> BoxFuture<'static, Result<T, Fault>>),
}

/// A row whose function answers at once.
pub const fn op<T>(
    name: &'static str,
    rules: &'static [Rule],
    run: fn(&Call) -> Result<T, Fault>,
) -> Operation<T> {
    Operation { name, rules, run: Run::Now(run) }
}

/// A row whose function waits for something: `op_async("Invoke", RULES, |call| Box::pin(invoke(call)))`.
pub const fn op_async<T>(
    name: &'static str,
    rules: &'static [Rule],
    run: fn(Call) -> BoxFuture<'static, Result<T, Fault>>,
) -> Operation<T> {
    Operation { name, rules, run: Run::Later(run) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_once_and_with_what_to_do() {
        let full = Fault::from(std::io::Error::from(ErrorKind::StorageFull));
        assert_eq!((full.status, full.code.as_ref()), (507, "SandboxDiskFull"));
        assert!(full.message.contains("OPSCTL_SANDBOX"), "{}", full.message);
        let other = Fault::from(std::io::Error::from(ErrorKind::PermissionDenied));
        assert_eq!((other.status, other.code.as_ref()), (500, "InternalFailure"));
    }
}
