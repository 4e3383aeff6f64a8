//! Ctrl-C, SIGTERM and `--timeout`, for as long as the process lives.

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

/// Without handlers signals keep their default effect.
struct Signals(Option<(Signal, Signal)>);

impl Signals {
    fn listen() -> Self {
        Self(signal(SignalKind::interrupt()).ok().zip(signal(SignalKind::terminate()).ok()))
    }

    async fn next(&mut self) -> Cause {
        let Some((interrupt, terminate)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => Cause::Interrupt,
            _ = terminate.recv() => Cause::Terminate,
        }
    }
}
