//! Who called what: counts and a log of calls, for tests (`GET /_sandbox/calls`) and for `sandbox status`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::{Value, json};

use super::call::Fault;
use super::clock::{Millis, real_sleep};
use super::faults::{Break, When};

/// What an operation does to the account, by its verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Reads,
    Writes,
    /// Runs what is there: `Invoke`, `InvokeEndpoint`.
    Invokes,
}

const READING: &[&str] =
    &["Get", "List", "Describe", "Head", "Search", "Filter", "Simulate", "BatchGet", "Lookup", "Query"];

impl Effect {
    pub fn of(operation: &str) -> Self {
        if operation.starts_with("Invoke") {
            Self::Invokes
        } else if READING.iter().any(|verb| operation.starts_with(verb)) {
            Self::Reads
        } else {
            Self::Writes
        }
    }
}

/// One request on its way through the sandbox. It is in the request's extensions ([`Visit::of`]).
#[derive(Debug)]
pub struct Visit {
    /// The request id of the answer.
    pub id: String,
    number: u64,
    name: OnceLock<(&'static str, String)>,
    cut: AtomicBool,
    corrupt: AtomicBool,
    after: Mutex<Vec<Break>>,
}

impl Visit {
    /// The server has put one into the extensions of every request.
    pub fn of(head: &hyper::http::request::Parts) -> std::sync::Arc<Self> {
        head.extensions.get().cloned().unwrap_or_else(|| std::sync::Arc::new(Self::new(0)))
    }

    fn new(number: u64) -> Self {
        // AWS's request ids are UUIDs; ours look like them and say which call of which process it was: logs outlive
        // processes.
        let hash = blake3::hash(format!("{number} of {}", std::process::id()).as_bytes()).to_hex();
        let id = format!("{number:08x}-{}-{}-{}-{}", &hash[0..4], &hash[4..8], &hash[8..12], &hash[12..24]);
        let [cut, corrupt] = [(); 2].map(|()| AtomicBool::new(false));
        Self { id, number, name: OnceLock::new(), cut, corrupt, after: Mutex::default() }
    }

    /// The operation, once a service has found it out.
    pub fn operation(&self) -> Option<&str> {
        self.name.get().map(|(_, operation)| operation.as_str())
    }

    pub(super) fn name(&self, service: &'static str, operation: &str) {
        // A second name would be a service calling `admit` twice; the first one counts.
        let _ = self.name.set((service, operation.to_owned()));
    }

    /// Flips one bit of the first bytes that arrive after a rule has said so.
    pub(super) fn deliver(&self, bytes: Bytes) -> Bytes {
        if bytes.is_empty() || !self.corrupt.swap(false, Ordering::Relaxed) {
            return bytes;
        }
        let mut bytes = BytesMut::from(bytes);
        bytes[0] ^= 1;
        bytes.freeze()
    }

    /// Breaks the exchange now, or remembers to do it once the work is done.
    pub(super) async fn break_off(&self, when: When, broken: Break) -> Result<(), Fault> {
        match when {
            When::Before => self.suffer(broken).await,
            When::After => {
                self.after.lock().unwrap_or_else(PoisonError::into_inner).push(broken);
                Ok(())
            }
        }
    }

    /// The end of the exchange. `false`: the connection is to be closed without an answer.
    pub(super) async fn may_answer(&self) -> bool {
        let after = std::mem::take(&mut *self.after.lock().unwrap_or_else(PoisonError::into_inner));
        for broken in after {
            // The work is done; a cut says so in `self.cut`.
            let _ = self.suffer(broken).await;
        }
        !self.cut.load(Ordering::Relaxed)
    }

    async fn suffer(&self, broken: Break) -> Result<(), Fault> {
        match broken {
            Break::Delay(duration) => real_sleep(duration).await,
            Break::Cut => {
                self.cut.store(true, Ordering::Relaxed);
                return Err(Fault::new(500, "ConnectionCut", "this answer is never sent"));
            }
            // As kill -9 would: no destructor runs, no buffer is flushed. 137 is what a shell says of it.
            Break::Corrupt => self.corrupt.store(true, Ordering::Relaxed),
            Break::Kill => std::process::exit(137),
        }
        Ok(())
    }
}

/// One line of the log of calls.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub number: u64,
    pub at: Millis,
    /// `sagemaker:CreateModel`
    pub operation: String,
    pub effect: Effect,
    /// HTTP status; none when the connection was cut.
    pub status: Option<u16>,
}

/// The log keeps this many calls; the counts know them all.
const LOG_LENGTH: usize = 10_000;

#[derive(Debug, Default)]
struct Tally {
    by_operation: BTreeMap<String, u64>,
    by_effect: BTreeMap<Effect, u64>,
    log: VecDeque<Line>,
}

/// Counts of calls since the start, or since the last reset.
#[derive(Debug, Default)]
pub struct Calls {
    begun: AtomicU64,
    tally: Mutex<Tally>,
}

impl Calls {
    pub(super) fn begin(&self) -> Visit {
        Visit::new(self.begun.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Counts a finished exchange, if it ever became a call of an operation.
    pub(super) fn end(&self, visit: &Visit, at: Millis, status: Option<u16>) {
        let Some((service, operation)) = visit.name.get() else { return };
        let effect = Effect::of(operation);
        let operation = format!("{service}:{operation}");
        tracing::debug!(target: "opsctl::sandbox", number = visit.number, operation, status, "call");
        let mut tally = self.tally();
        *tally.by_operation.entry(operation.clone()).or_default() += 1;
        *tally.by_effect.entry(effect).or_default() += 1;
        if tally.log.len() == LOG_LENGTH {
            tally.log.pop_front();
        }
        tally.log.push_back(Line { number: visit.number, at, operation, effect, status });
    }

    /// How often `sagemaker:CreateModel` was called.
    pub fn of(&self, operation: &str) -> u64 {
        self.tally().by_operation.get(operation).copied().unwrap_or(0)
    }

    /// How many calls had this effect.
    pub fn with(&self, effect: Effect) -> u64 {
        self.tally().by_effect.get(&effect).copied().unwrap_or(0)
    }

    /// Forgets everything.
    pub fn reset(&self) {
        *self.tally() = Tally::default();
    }

    /// `{"reads":2,"writes":1,"invokes":0,"by_operation":{…},"log":[…]}`
    pub fn report(&self) -> Value {
        let [reads, writes, invokes] = [Effect::Reads, Effect::Writes, Effect::Invokes].map(|e| self.with(e));
        let tally = self.tally();
        json!({
            "reads": reads, "writes": writes, "invokes": invokes,
            "by_operation": tally.by_operation, "log": tally.log,
        })
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_operation_and_effect_once_they_are_named() {
        let calls = Calls::default();
        for operation in ["DescribeModel", "CreateModel", "InvokeEndpoint", "DescribeModel"] {
            let visit = calls.begin();
            visit.name("sagemaker", operation);
            calls.end(&visit, 5, Some(200));
        }
        calls.end(&calls.begin(), 6, Some(403));
        assert_eq!(calls.of("sagemaker:DescribeModel"), 2);
        assert_eq!(
            [Effect::Reads, Effect::Writes, Effect::Invokes].map(|effect| calls.with(effect)),
            [2, 1, 1]
        );
        assert_eq!(calls.report()["log"].as_array().unwrap().len(), 4);
        calls.reset();
        assert_eq!(calls.of("sagemaker:DescribeModel"), 0);
    }
}
