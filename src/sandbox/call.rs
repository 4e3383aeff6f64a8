//! One call of one operation, as a service sees it.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderMap;
use serde_json::Value;

use super::authority::Principal;
use super::clock::{self, Millis};
use super::fault::Fault;
use super::paging::{self, Page};
use super::state::SandboxState;
use super::store::ScopedTable;

/// What an operation of a JSON or query service answers.
pub type Answer = Result<Value, Fault>;

/// One decoded call. The input has passed the operation's constraint table.
#[derive(Debug)]
pub struct Call {
    pub shared: Arc<SandboxState>,
    /// The service's IAM prefix, which is also its name in ARNs.
    pub service: &'static str,
    pub operation: &'static str,
    /// From the credential scope, else the sandbox's.
    pub region: String,
    pub principal: Principal,
    pub request_id: String,
    /// An object. Query and URL values are strings: read numbers and flags through [`Call::number`] and
    /// [`Call::flag`].
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
        self.shared.clock.now()
    }

    /// Now, as AWS's JSON protocols write it.
    pub fn timestamp(&self) -> Value {
        clock::epoch_seconds(self.now())
    }

    /// The ARN of a resource of this service in this region: `call.arn("endpoint/breeds")`.
    pub fn arn(&self, rest: &str) -> String {
        self.shared.arn(self.service, &self.region, rest)
    }

    /// The documents of a resource in this call's region. Tables are named `<service>.<resource>`.
    pub fn table(&self, table: &'static str) -> ScopedTable<'_> {
        self.shared.table(table, &self.region)
    }

    /// One page of `items` (names and what is shown of them, in the order to be shown), after the one that
    /// the token in member `token` names. The caller knows its service's code for a token that is not ours.
    pub fn page<T>(&self, items: Vec<(String, T)>, token: &str, size: usize) -> Option<Page<T>> {
        let token = self.maybe(token).filter(|token| !token.is_empty());
        match (self.shared.short_pages, token) {
            (true, None) => Some(paging::before_all()),
            (true, token) => paging::page(items, token, 1),
            (false, token) => paging::page(items, token, size),
        }
    }
}
