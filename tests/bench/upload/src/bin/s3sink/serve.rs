//! Connections, requests, faults.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use rustls::ServerConfig;

use crate::answer::{Answer, Fault};
use crate::counters::event;
use crate::intake::{Intake, Keep};
use crate::options::{Conditions, Options};
use crate::request::{Conversation, Head};
use crate::route::{Work, route};
use crate::store::Store;
use crate::wire::Wire;

/// Documents that clients send (a list of 10,000 parts) are smaller.
const LARGEST_DOCUMENT: usize = 16 * 1024 * 1024;

pub struct Sink {
    store: Store,
    keep: Option<std::path::PathBuf>,
    conditions: RwLock<Arc<Conditions>>,
    /// Numbers the requests: names of kept files, request ids, dice.
    requests: AtomicU64,
}

/// What befalls one request.
#[derive(Clone, Copy, PartialEq)]
enum Mishap {
    None,
    SlowDown,
    /// The connection breaks while the body comes.
    ResetBefore,
    /// The work is done and the answer lost: what makes a repeated conditional PUT fail.
    ResetAfter,
    Corrupt,
}

/// The connection was reset on purpose.
fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl Sink {
    pub fn new(options: Options) -> Self {
        Self {
            store: Store::new(options.verify),
            keep: options.keep,
            conditions: RwLock::new(Arc::new(options.conditions)),
            requests: AtomicU64::new(1),
        }
    }

    /// Serves forever.
    pub fn accept(self: &Arc<Self>, listener: &TcpListener, tls: Option<&Arc<ServerConfig>>) {
        for socket in listener.incoming() {
            let Ok(socket) = socket else { continue };
            let (sink, tls) = (self.clone(), tls.cloned());
            let talk = move || {
                // A client that goes away, or speaks no TLS, is its own affair.
                let _ = sink.converse(socket, tls.as_ref());
            };
            let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(talk);
            if let Err(error) = thread {
                eprintln!("s3sink: a connection is refused: {error}");
            }
        }
    }

    fn converse(&self, socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<()> {
        let mut conversation = Conversation::new(Wire::new(socket, tls)?);
        let mut first = true;
        while let Some(head) = conversation.head()? {
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            let answer = if head.bucket == "_sink" {
                let _ = document(&mut conversation, &head, 0)?;
                self.control(&head).unwrap_or_else(|fault| fault.answer())
            } else {
                if std::mem::take(&mut first) {
                    self.store.counters.event(event::CONNECTIONS);
                }
                let result = self.serve(&mut conversation, &head, number);
                if result.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::ConnectionReset) {
                    conversation.wire.reset()?;
                }
                result?
            };
            conversation.wire.send(&answer.bytes(number, head.method == "HEAD"))?;
            if !head.keeps_alive() {
                break;
            }
        }
        Ok(())
    }

    fn serve(&self, conversation: &mut Conversation, head: &Head, number: u64) -> io::Result<Answer> {
        let conditions = self.conditions();
        let (name, work) = route(head);
        self.store.counters.operation(name);
        // Faults are S3's; STS answers.
        let mishap = if head.bucket.is_empty() { Mishap::None } else { conditions.mishap(number) };
        let result = match work {
            Work::Document(work) => {
                let document = document(conversation, head, conditions.rate_cap)?;
                self.count(mishap, false)?;
                if mishap == Mishap::SlowDown {
                    Err(Fault::slow_down())
                } else {
                    work(&self.store, head, &document)
                }
            }
            Work::Body(work) => {
                let mut intake = Intake::new(
                    head,
                    self.place(head, number),
                    self.store.verify,
                    mishap == Mishap::Corrupt,
                )?;
                let (mut size, half) =
                    (0, head.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0) / 2);
                let trailers = conversation.body(head, conditions.rate_cap, |bytes| {
                    size += bytes.len() as u64;
                    if mishap == Mishap::ResetBefore && size >= half {
                        Err(reset())
                    } else {
                        intake.take(bytes)
                    }
                });
                self.store.counters.bytes(size);
                if trailers.is_err() && mishap == Mishap::ResetBefore {
                    self.store.counters.event(event::RESET);
                }
                let trailers = trailers?;
                self.count(mishap, size > 0)?;
                match mishap {
                    Mishap::SlowDown => Err(Fault::slow_down()),
                    _ => {
                        intake.finish(head, &trailers).and_then(|received| work(&self.store, head, received))
                    }
                }
            }
        };
        if result.as_ref().is_err_and(Fault::is_mismatch) {
            self.store.counters.event(event::REJECTED);
        }
        if !conditions.latency.is_zero() {
            std::thread::sleep(conditions.latency);
        }
        if mishap == Mishap::ResetAfter {
            return Err(reset());
        }
        Ok(result.unwrap_or_else(|fault| fault.answer()))
    }

    /// Counts what befalls the request; the reset of a request without a body happens here.
    fn count(&self, mishap: Mishap, body: bool) -> io::Result<()> {
        match mishap {
            Mishap::SlowDown => self.store.counters.event(event::SLOW_DOWN),
            Mishap::ResetBefore | Mishap::ResetAfter => self.store.counters.event(event::RESET),
            Mishap::Corrupt if body => self.store.counters.event(event::CORRUPTED),
            Mishap::Corrupt | Mishap::None => {}
        }
        if mishap == Mishap::ResetBefore { Err(reset()) } else { Ok(()) }
    }

    fn conditions(&self) -> Arc<Conditions> {
        self.conditions.read().expect("no holder of this lock panics").clone()
    }

    /// Where a body goes. Manifests and opsctl's own objects are always kept, since their readers want them
    /// back.
    fn place(&self, head: &Head, number: u64) -> Keep {
        match &self.keep {
            Some(folder) => Keep::File(folder.join(format!("{number:010}"))),
            None if head.key.contains("manifest") || head.key.contains(".opsctl") => Keep::Memory,
            None => Keep::Nowhere,
        }
    }

    fn control(&self, head: &Head) -> Result<Answer, Fault> {
        match (head.method.as_str(), head.key.as_str()) {
            ("GET", "") => {}
            ("POST", "reset") => self.store.counters.reset(),
            ("POST", "clear") => {
                self.store.clear();
                self.store.counters.reset();
            }
            ("POST", "set") => {
                let mut conditions = Conditions::clone(&self.conditions());
                for (name, value) in head.queries() {
                    conditions.set(name, value).map_err(|wrong| Fault::new(400, "InvalidArgument", wrong))?;
                }
                *self.conditions.write().expect("no holder of this lock panics") = Arc::new(conditions);
            }
            _ => return Err(Fault::new(404, "NotFound", "s3sink --help tells what there is")),
        }
        let body = self.store.counters.json().into_bytes();
        Ok(Answer { body, ..Answer::empty(200) }.with("content-type", "application/json"))
    }
}

fn document(conversation: &mut Conversation, head: &Head, rate_cap: u64) -> io::Result<String> {
    let mut all = Vec::new();
    conversation.body(head, rate_cap, |bytes| {
        all.extend_from_slice(bytes);
        if all.len() > LARGEST_DOCUMENT { Err(io::Error::other("too large a document")) } else { Ok(()) }
    })?;
    Ok(String::from_utf8_lossy(&all).into_owned())
}

impl Conditions {
    /// Throws the dice for the request of that number: one throw for all shares, so that they add up.
    fn mishap(&self, number: u64) -> Mishap {
        let dice = split_mix(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut thrown = (dice >> 11) as f64 / (1_u64 << 53) as f64;
        let shares = [
            (self.slow_down, Mishap::SlowDown),
            (self.reset, if dice & 1 == 0 { Mishap::ResetBefore } else { Mishap::ResetAfter }),
            (self.corrupt, Mishap::Corrupt),
        ];
        for (share, mishap) in shares {
            if thrown < share {
                return mishap;
            }
            thrown -= share;
        }
        Mishap::None
    }
}

/// Sebastiano Vigna's SplitMix64, the finaliser.
fn split_mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_are_fair_and_repeatable() {
        let conditions =
            Conditions { slow_down: 0.2, reset: 0.02, corrupt: 0.001, seed: 7, ..Conditions::default() };
        let count = |wanted| (0..100_000).filter(|n| conditions.mishap(*n) == wanted).count();
        assert!((19_000..21_000).contains(&count(Mishap::SlowDown)));
        assert!((900..1_100).contains(&count(Mishap::ResetBefore)));
        assert!((900..1_100).contains(&count(Mishap::ResetAfter)));
        assert!((60..150).contains(&count(Mishap::Corrupt)));
    }
}
