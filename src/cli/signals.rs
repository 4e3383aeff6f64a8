//! Ctrl-C and SIGTERM: the first drains, the second aborts, the third ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::engine::Cancel;

/// SIGTERM came: the exit code is 143 instead of 130.
static TERMINATED: AtomicBool = AtomicBool::new(false);

pub fn terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
}

/// A cancellation that signals trigger, for as long as the process lives.
pub fn listen() -> Cancel {
    let cancel = Cancel::default();
    let shared = cancel.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return; // no handlers: the signals keep their default effect
        };
        for token in [&shared.drain, &shared.abort] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => TERMINATED.store(true, Ordering::Relaxed),
            }
            token.cancel();
        }
        // Somebody insists, and what runs does not listen (it reads a large file, or asks a question). Everything that we
        // write is good at every moment.
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => TERMINATED.store(true, Ordering::Relaxed),
        }
        std::process::exit(if terminated() { 143 } else { 130 });
    });
    cancel
}
