//! One request on its way through the sandbox.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::{Bytes, BytesMut};

use super::clock::real_sleep;
use super::fault::Fault;
use super::faults::{Break, When};

/// One request on its way through the sandbox. It is in the request's extensions ([`Exchange::of`]).
#[derive(Debug)]
pub struct Exchange {
    /// The request id of the answer.
    pub id: String,
    pub(super) number: u64,
    /// The access key id.
    pub(super) caller: Option<String>,
    name: OnceLock<(&'static str, String)>,
    /// Whether the operation is none that the sandbox has: its name is whatever somebody sent.
    unknown: AtomicBool,
    cut: AtomicBool,
    corrupt: AtomicBool,
    truncated: AtomicBool,
    after: Mutex<Vec<Break>>,
}

impl Exchange {
    /// The server has put one into the extensions of every request.
    pub fn of(head: &hyper::http::request::Parts) -> std::sync::Arc<Self> {
        head.extensions.get().cloned().unwrap_or_else(|| std::sync::Arc::new(Self::new(0, None)))
    }

    pub(super) fn new(number: u64, caller: Option<String>) -> Self {
        // AWS's request ids are UUIDs; ours look like them and say which call of which process it was: logs
        // outlive processes.
        let hash = blake3::hash(format!("{number} of {}", std::process::id()).as_bytes()).to_hex();
        let id = format!("{number:08x}-{}-{}-{}-{}", &hash[0..4], &hash[4..8], &hash[8..12], &hash[12..24]);
        let [unknown, cut, corrupt, truncated] = [(); 4].map(|()| AtomicBool::new(false));
        let (name, after) = (OnceLock::new(), Mutex::default());
        Self { id, number, caller, name, unknown, cut, corrupt, truncated, after }
    }

    /// The service and the operation, once a service has found it out.
    pub(super) fn named(&self) -> Option<(&'static str, &str)> {
        self.name.get().map(|(service, operation)| (*service, operation.as_str()))
    }

    /// The operation, once a service has found it out.
    pub fn operation(&self) -> Option<&str> {
        self.name.get().map(|(_, operation)| operation.as_str())
    }

    /// Says that no service has the operation.
    pub(super) fn is_unknown(&self) {
        self.unknown.store(true, Ordering::Relaxed);
    }

    pub(super) fn known(&self) -> bool {
        !self.unknown.load(Ordering::Relaxed)
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
            When::Before => self.inject(broken).await,
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
            let _ = self.inject(broken).await;
        }
        !self.cut.load(Ordering::Relaxed)
    }

    /// Whether the answer is to break off in its body.
    pub(super) fn is_truncated(&self) -> bool {
        self.truncated.load(Ordering::Relaxed)
    }

    async fn inject(&self, broken: Break) -> Result<(), Fault> {
        match broken {
            Break::Delay(duration) => real_sleep(duration).await,
            Break::Cut => {
                self.cut.store(true, Ordering::Relaxed);
                return Err(Fault::new(500, "ConnectionCut", "this answer is never sent"));
            }
            // As kill -9 would: no destructor runs, no buffer is flushed. 137 is what a shell says of it.
            Break::Corrupt => self.corrupt.store(true, Ordering::Relaxed),
            Break::Truncate => self.truncated.store(true, Ordering::Relaxed),
            Break::Kill => std::process::exit(137),
        }
        Ok(())
    }
}
