//! How fast to poll. Drivers declare AWS's own waiter intervals; the target may shorten them.

use std::time::Duration;

/// The pace of waits and retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollPace {
    /// As AWS's waiters poll (docs/aws/errors-and-retries.md#waiters): never faster than AWS allows.
    Declared,
    /// For an endpoint on this machine, whose states change in milliseconds and whose rates are nobody's.
    Local,
}

impl PollPace {
    /// How long a new resource may not be visible yet. EC2's guide to eventual consistency
    /// (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>) speaks of seconds to
    /// minutes; the sandbox shows an instance after two seconds of its clock.
    pub fn lag(self) -> Duration {
        match self {
            Self::Declared => Duration::from_secs(120),
            Self::Local => Duration::from_secs(20),
        }
    }

    /// The pause before the next poll, after having waited for `elapsed`.
    pub fn interval(self, declared: Duration, elapsed: Duration) -> Duration {
        match self {
            Self::Declared => declared,
            // A long wait need not end to the millisecond.
            Self::Local => (elapsed / 10).clamp(Duration::from_millis(5), Duration::from_millis(500)),
        }
    }
}
