//! The sandbox's time: the only place that reads it or waits for it.
//!
//! Sandbox time runs `speed` times as fast as real time and can be advanced by hand. It never goes back, not
//! even over a restart: how far it is ahead of real time is kept in a file, because the documents in the
//! store carry timestamps of sandbox time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::header::HeaderValue;
use s3s::dto::{Timestamp, TimestampFormat};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::files::{read_text, write_atomically};

/// Milliseconds of sandbox time since 1970.
pub type Millis = u64;

/// How long the states of resources last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatePace {
    /// Every state lasts 20 ms at most: long enough to be seen by a poll, short enough for a test.
    #[default]
    Short,
    /// States last as long as on AWS (divided by the clock's speed).
    Realistic,
}

impl StatePace {
    /// The sandbox time that something takes which takes `realistic` on AWS.
    pub fn of(self, realistic: Duration) -> Duration {
        match self {
            Self::Short => realistic.min(Duration::from_millis(20)),
            Self::Realistic => realistic,
        }
    }
}

/// An injected clock.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    at_start: Millis,
    speed: f64,
    advanced: watch::Sender<Millis>,
    file: PathBuf,
    saved_lead: AtomicU64,
}

/// The end of time: 9998-12-31T23:59:59Z. The clock stops there. Every format of AWS can write a year more,
/// which a client that signs by this clock needs while its own runs.
pub const LAST: Millis = 253_370_764_799_000;

/// So long at most is waited in one go; no arithmetic of an operating system's timers ends below it.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// The lead is written again when it has grown by this much; less than this is lost by a kill.
const LEAD_STEP: Millis = 1_000;

impl Clock {
    /// Continues the time of the sandbox in `root`, where its lead over real time is kept in the file
    /// `clock`.
    pub fn open(root: &Path, speed: f64) -> Self {
        let file = root.join("clock");
        let lead: Millis = read_text(&file).and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Self {
            started: Instant::now(),
            at_start: real_now().saturating_add(lead).min(LAST),
            speed,
            advanced: watch::Sender::new(0),
            file,
            saved_lead: AtomicU64::new(lead),
        }
    }

    /// Sandbox time now.
    pub fn now(&self) -> Millis {
        self.after((self.started.elapsed().as_secs_f64() * self.speed * 1_000.0) as Millis)
    }

    /// Sandbox time so long after the start: it has an end.
    fn after(&self, elapsed: Millis) -> Millis {
        self.at_start.saturating_add(*self.advanced.borrow()).saturating_add(elapsed).min(LAST)
    }

    /// Sandbox time at real speed: what S3 dates objects and answers by. Clients measure ages by these two,
    /// and wait for them in their own time, which nothing speeds up.
    pub fn steady(&self) -> Millis {
        self.after(millis(self.started.elapsed()))
    }

    /// Sandbox seconds per real second.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Moves time forward by hand and wakes whoever waits for it.
    pub fn advance(&self, by: Duration) {
        self.advanced.send_modify(|advanced| *advanced = advanced.saturating_add(millis(by)).min(LAST));
    }

    /// Waits for `duration` of sandbox time.
    pub async fn sleep(&self, duration: Duration) {
        self.until(self.now().saturating_add(millis(duration))).await;
    }

    /// Waits until sandbox time reaches `at`; `advance` shortens the wait. At the end of time, which stands
    /// still there, what is due later takes as long as it would.
    pub async fn until(&self, at: Millis) {
        let mut advanced = self.advanced.subscribe();
        loop {
            let now = self.now();
            let left = at.saturating_sub(now);
            if left == 0 {
                return;
            }
            let real =
                Duration::try_from_secs_f64(left as f64 / 1_000.0 / self.speed).unwrap_or(LONGEST_WAIT);
            tokio::select! {
                () = real_sleep(real.clamp(Duration::from_millis(1), LONGEST_WAIT)) => {}
                _ = advanced.changed() => {}
            }
            if now == LAST {
                return;
            }
        }
    }

    /// Remembers the lead over real time for the next start. The store calls it at each write.
    pub fn save(&self) -> std::io::Result<()> {
        let lead = self.now().saturating_sub(real_now());
        if lead.abs_diff(self.saved_lead.load(Ordering::Relaxed)) < LEAD_STEP {
            return Ok(());
        }
        write_atomically(&self.file, lead.to_string().as_bytes())?;
        self.saved_lead.store(lead, Ordering::Relaxed);
        Ok(())
    }
}

/// Waits in real time: only for injected delays and for child processes, whose time is real.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox is a server: it has no OpCx, this is its one sleep"
)]
/// Waits on the machine's own clock.
pub async fn real_sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

fn real_now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

/// In whole milliseconds, as far as they can be counted.
fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// `2026-11-30T12:00:00.000Z`, the timestamp of AWS's XML protocols and of Lambda.
pub fn iso8601(at: Millis) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at.min(LAST))).to_string()
}

/// The header `Date` of an answer.
pub fn http_date(at: Millis) -> Option<HeaderValue> {
    let mut date = Vec::new();
    let at = UNIX_EPOCH + Duration::from_millis(at.min(LAST));
    Timestamp::from(at).format(TimestampFormat::HttpDate, &mut date).ok()?;
    HeaderValue::from_bytes(&date).ok()
}

/// Seconds since 1970 with milliseconds, the timestamp of AWS's JSON protocols.
pub fn epoch_seconds(at: Millis) -> serde_json::Value {
    serde_json::Value::from(at as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn advancing_wakes_a_sleeper_and_survives_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let clock = Clock::open(root.path(), 1.0);
        let before = clock.now();
        tokio::join!(clock.sleep(Duration::from_secs(3_600)), async {
            clock.advance(Duration::from_secs(3_600))
        });
        assert!(clock.now() >= before + 3_600_000);
        clock.save().unwrap();
        assert!(Clock::open(root.path(), 1.0).now() >= before + 3_600_000);
    }

    /// One posted number would otherwise end every later request.
    #[tokio::test]
    async fn time_has_an_end_and_no_number_goes_beyond_it() {
        let root = tempfile::tempdir().unwrap();
        let clock = Clock::open(root.path(), 1.0);
        for _ in 0..3 {
            clock.advance(Duration::from_millis(u64::MAX));
        }
        assert_eq!(iso8601(clock.now()), "9998-12-31T23:59:59.000Z");
        assert_eq!(clock.steady(), LAST);
        assert_eq!(iso8601(u64::MAX), "9998-12-31T23:59:59.000Z");
        clock.sleep(Duration::from_millis(5)).await;
        clock.save().unwrap();
        assert_eq!(Clock::open(root.path(), 1.0).now(), LAST);
        std::fs::write(root.path().join("clock"), u64::MAX.to_string()).unwrap();
        assert_eq!(Clock::open(root.path(), f64::MAX).now(), LAST);
    }

    #[test]
    fn timestamps_are_written_as_aws_writes_them() {
        assert_eq!(iso8601(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(epoch_seconds(1_500).to_string(), "1.5");
    }
}
