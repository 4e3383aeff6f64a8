//! Ctrl-C, SIGTERM, SIGHUP and `--timeout`, for as long as the process lives.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::engine::{Cancel, Cause, GRACE};

/// The first signal, or the end of `limit`, stops what can be stopped; the second, or a moment, drops the
/// rest; one more ends the process. Everything that we write is good at every moment.
pub fn listen(limit: Option<Duration>) -> Cancel {
    let cancel = Cancel::within(limit);
    let shared = cancel.clone();
    tokio::spawn(async move {
        let mut signals = Signals::listen();
        let cause = tokio::select! {
            cause = signals.next() => cause,
            cause = shared.overdue() => cause,
        };
        shared.stop(cause);
        let _ = timeout(GRACE, signals.next()).await;
        shared.abort.cancel();
        let cause = signals.next().await;
        #[expect(clippy::exit, reason = "a third signal means now, whatever is under way")]
        std::process::exit(if cause == Cause::Terminate { 143 } else { 130 });
    });
    cancel
}

/// Without a handler a signal keeps its effect.
struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    /// The terminal was closed.
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> Self {
        let hangup = (!hangup_is_ignored()).then(|| signal(SignalKind::hangup()).ok());
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
            hangup: hangup.flatten(),
        }
    }

    async fn next(&mut self) -> Cause {
        tokio::select! {
            () = next(&mut self.interrupt) => Cause::Interrupt,
            () = next(&mut self.terminate) => Cause::Terminate,
            () = next(&mut self.hangup) => Cause::Terminate,
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether this process is to outlive its terminal, as `nohup` says by having the signal ignored: a handler
/// would take its place. Where that cannot be known (`/proc` is Linux's), it is taken for so.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is 1, the lowest bit.
    ignored.is_none_or(|mask| mask & 1 == 1)
}
