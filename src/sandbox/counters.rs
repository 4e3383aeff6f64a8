//! Who called what: counts and a log of calls, for tests (`GET /_sandbox/calls`) and for `sandbox status`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};

use super::clock::Millis;
use super::effect::Effect;
use super::exchange::Exchange;

/// One line of the log of calls.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub number: u64,
    pub at: Millis,
    /// `sagemaker:CreateModel`
    pub operation: String,
    /// The access key id that signed it, as CloudTrail has it; none of an unsigned call.
    pub caller: Option<String>,
    pub effect: Effect,
    /// HTTP status; none when the connection was cut.
    pub status: Option<u16>,
}

/// The log keeps this many calls; the counts know them all.
const LOG_LENGTH: usize = 10_000;

/// So much of a name that somebody else has made up is kept; AWS's access key ids have 128 characters at most
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html>).
const LONGEST: usize = 128;

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[derive(Debug, Default)]
struct Tally {
    by_operation: BTreeMap<String, u64>,
    by_effect: BTreeMap<Effect, u64>,
    log: VecDeque<Line>,
}

/// Counts of calls since the start, or since the last reset.
#[derive(Debug, Default)]
pub struct CallLog {
    begun: AtomicU64,
    tally: Mutex<Tally>,
}

impl CallLog {
    pub(super) fn begin(&self, caller: Option<String>) -> Exchange {
        Exchange::new(self.begun.fetch_add(1, Ordering::Relaxed) + 1, caller.map(|id| cut(&id)))
    }

    /// Counts a finished exchange, if it ever became a call of an operation.
    pub(super) fn end(&self, exchange: &Exchange, at: Millis, status: Option<u16>) {
        let Some((service, operation)) = exchange.named() else { return };
        let effect = Effect::of(operation);
        // The count of what is not there is one, however many names it is called by.
        let counted = format!("{service}:{}", if exchange.known() { operation } else { "unknown" });
        let operation = format!("{service}:{}", cut(operation));
        tracing::debug!(target: "opsctl::sandbox", number = exchange.number, operation, status, "call");
        let mut tally = self.tally();
        *tally.by_operation.entry(counted).or_default() += 1;
        *tally.by_effect.entry(effect).or_default() += 1;
        if tally.log.len() == LOG_LENGTH {
            tally.log.pop_front();
        }
        tally.log.push_back(Line {
            number: exchange.number,
            at,
            operation,
            caller: exchange.caller.clone(),
            effect,
            status,
        });
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
        let calls = CallLog::default();
        for operation in ["DescribeModel", "CreateModel", "InvokeEndpoint", "DescribeModel"] {
            let exchange = calls.begin(Some("AKIAANN".into()));
            exchange.name("sagemaker", operation);
            calls.end(&exchange, 5, Some(200));
        }
        calls.end(&calls.begin(None), 6, Some(403));
        assert_eq!(calls.of("sagemaker:DescribeModel"), 2);
        assert_eq!(
            [Effect::Reads, Effect::Writes, Effect::Invokes].map(|effect| calls.with(effect)),
            [2, 1, 1]
        );
        let log = calls.report()["log"].clone();
        assert_eq!((log.as_array().unwrap().len(), log[3]["caller"].as_str()), (4, Some("AKIAANN")));
        calls.reset();
        assert_eq!(calls.of("sagemaker:DescribeModel"), 0);
    }

    #[test]
    fn what_a_client_makes_up_is_neither_counted_apart_nor_kept_whole() {
        let calls = CallLog::default();
        for n in 0..20 {
            let exchange = calls.begin(Some("k".repeat(30_000)));
            exchange.is_unknown();
            exchange.name("sagemaker", &format!("{n}{}", "x".repeat(50_000)));
            calls.end(&exchange, 5, Some(501));
        }
        assert_eq!(calls.of("sagemaker:unknown"), 20);
        let report = calls.report().to_string();
        assert!(report.len() < 10_000, "{}", report.len());
    }
}
