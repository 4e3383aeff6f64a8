//! Log lines on their way to CloudWatch Logs: collected for a moment, then written together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::clock::real_sleep;
use crate::services::logs;
use crate::state::SandboxState;

/// How long a line waits for others. Short enough for `logs --follow`.
const MOMENT: Duration = Duration::from_millis(100);

/// The lines of one log group that are not written yet.
pub struct Lines {
    /// A process that writes lines may be owned by the shared state, so it must not own that state in turn.
    shared: Weak<SandboxState>,
    region: String,
    group: String,
    /// Stream and text.
    pending: Mutex<Vec<(String, String)>>,
    /// Held while writing, so that lines stay in order.
    turn: Mutex<()>,
}

impl Lines {
    /// Lines that go to a log group.
    pub fn new(shared: &Arc<SandboxState>, region: &str, group: &str) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::downgrade(shared),
            region: region.to_owned(),
            group: group.to_owned(),
            pending: Mutex::default(),
            turn: Mutex::default(),
        })
    }

    /// Takes a line; it is written within [`MOMENT`], or by the next [`Self::flush`].
    pub fn push(self: &Arc<Self>, stream: &str, text: String) {
        let first = {
            let mut pending = locked(&self.pending);
            pending.push((stream.to_owned(), text));
            pending.len() == 1
        };
        if first && let Some(shared) = self.shared.upgrade() {
            let lines = Arc::clone(self);
            shared.spawn(async move {
                real_sleep(MOMENT).await;
                lines.flush();
            });
        }
    }

    /// Writes what is pending: when something has ended, its log is complete.
    pub fn flush(&self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let _turn = locked(&self.turn);
        let pending = std::mem::take(&mut *locked(&self.pending));
        for of_stream in pending.chunk_by(|one, next| one.0 == next.0) {
            let texts: Vec<&str> = of_stream.iter().map(|(_, text)| text.as_str()).collect();
            if let Err(fault) = logs::append(&shared, &self.region, &self.group, &of_stream[0].0, &texts) {
                tracing::warn!(group = self.group, error = fault.message, "log lines are lost");
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
