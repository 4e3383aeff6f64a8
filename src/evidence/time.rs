//! A moment, as reports write it.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

impl Time {
    /// By this machine's clock.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    /// `2026-11-28T22:07:03Z`. What is before 1970, or after the year 9999, is at that end.
    pub fn rfc3339(self) -> String {
        const LAST: u64 = 253_402_300_799;
        let seconds = u64::try_from(self.0).unwrap_or_default().min(LAST);
        humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }

    /// `22:07`.
    pub fn clock(self) -> String {
        self.rfc3339()[11..16].to_owned()
    }

    /// `11-28`.
    pub fn day(self) -> String {
        self.rfc3339()[5..10].to_owned()
    }
}

/// `2026-11-28 22:07 UTC`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.rfc3339();
        write!(f, "{} {} UTC", &text[..10], &text[11..16])
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_a_time() {
        assert_eq!(Time(1_795_904_823).to_string(), "2026-11-28 22:27 UTC");
        assert_eq!(Time(-5).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Time(i64::MAX).rfc3339(), "9999-12-31T23:59:59Z");
        assert_eq!((Time(90).clock(), Time(90).day()), ("00:01".to_owned(), "01-01".to_owned()));
    }
}
