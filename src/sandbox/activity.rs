//! Whether anybody uses the sandbox: one that is kept for later commands ends when nobody does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests that are being answered, and when the last one was.
#[derive(Debug)]
pub struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    answering: usize,
    last: Instant,
}

/// A request that is being answered.
#[derive(Debug)]
pub struct Answering(Arc<Activity>);

impl Default for Activity {
    fn default() -> Self {
        Self(Mutex::new(State { answering: 0, last: Instant::now() }))
    }
}

impl Activity {
    /// Counts a request until the result is dropped.
    pub(super) fn begin(activity: &Arc<Self>) -> Answering {
        activity.state().answering += 1;
        Answering(Arc::clone(activity))
    }

    /// How long nobody has asked for anything.
    pub fn idle(&self) -> Duration {
        let state = self.state();
        if state.answering == 0 { state.last.elapsed() } else { Duration::ZERO }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.answering -= 1;
        state.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_idle_while_something_is_answered() {
        let activity = Arc::new(Activity::default());
        activity.state().last -= Duration::from_secs(60);
        assert!(activity.idle() >= Duration::from_secs(60));
        let (first, second) = (Activity::begin(&activity), Activity::begin(&activity));
        assert_eq!(activity.idle(), Duration::ZERO);
        drop(first);
        assert_eq!(activity.idle(), Duration::ZERO);
        drop(second);
        assert!(activity.idle() < Duration::from_secs(60));
    }
}
