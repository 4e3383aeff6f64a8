//! How fast to poll. Drivers declare AWS's own waiter intervals; the target decides the tempo.

use std::time::Duration;

/// The tempo of waits and retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As AWS's waiters poll (aws-facts §1.3): never faster than AWS allows.
    Declared,
    /// For an endpoint on this machine, whose states change in milliseconds and whose rates are nobody's.
    Local,
}

impl Pace {
    /// The pause before the next look, after having waited for `elapsed`.
    pub fn interval(self, declared: Duration, elapsed: Duration) -> Duration {
        match self {
            Self::Declared => declared,
            // What takes long need not be seen to the millisecond.
            Self::Local => (elapsed / 10).clamp(Duration::from_millis(5), Duration::from_millis(500)),
        }
    }
}
