//! Instants as AWS writes them, and spans of days. The clock is always a parameter.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Seconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub i64);

/// Seconds in a day.
pub const DAY: i64 = 86_400;

impl Instant {
    /// Reads `2026-11-22T15:04:05Z`, with fractions, with an offset, or a day alone.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || text.as_bytes()[4] != b'-' {
            return None;
        }
        let days = days_from_civil(year, month, day);
        // The 30th of February is another day.
        if civil_from_days(days) != (year, month, day) {
            return None;
        }
        let midnight = days * DAY;
        let Some(clock) = text.get(11..).filter(|clock| !clock.is_empty()) else {
            return Some(Self(midnight));
        };
        let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
        let zone = clock.get(8..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        Some(Self(midnight + seconds - offset(zone)?))
    }

    /// Whole days from this instant to a later one.
    pub fn days_until(self, later: Self) -> i64 {
        (later.0 - self.0).div_euclid(DAY)
    }

    /// `2026-11-22T15:04:05+00:00`, as the AWS CLI writes it.
    pub fn iso(self) -> String {
        let second = self.0.rem_euclid(DAY);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        format!("{}T{hour:02}:{minute:02}:{:02}+00:00", self.day(), second % 60)
    }

    /// `YYYY-MM-DD`.
    pub fn day(self) -> String {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY));
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// Seconds east of UTC: `Z`, `+02:00`, `+0200`, or nothing, which AWS means as UTC.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.bytes().next() {
        None | Some(b'Z' | b'z') => return Some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) =
        (digits.get(0..2)?.parse::<i64>().ok()?, digits.get(2..4).unwrap_or("0").parse::<i64>().ok()?);
    Some(sign * (hours * 3600 + minutes * 60))
}

/// Days since 1970-01-01 in the Gregorian calendar (H. Hinnant, `chrono`-Compatible Low-Level Date
/// Algorithms).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days - era * 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("not a time: {text}")))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.iso())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_aws_writes() {
        let noon = Some(Instant(1_767_268_800));
        for text in [
            "2026-01-01T12:00:00Z",
            "2026-01-01T12:00:00.123Z",
            "2026-01-01T12:00:00+00:00",
            "2026-01-01T14:00:00+02:00",
            "2026-01-01T12:00:00",
        ] {
            assert_eq!(Instant::parse(text), noon, "{text}");
        }
        assert_eq!(noon.map(Instant::iso).as_deref(), Some("2026-01-01T12:00:00+00:00"));
        assert_eq!(Instant::parse("1970-01-01"), Some(Instant(0)));
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-30",
            "2025-02-29",
            "2026-01-01T1",
            "2026-01-01T12:00:00X",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_go_there_and_back() {
        for day in (-200_000..200_000).step_by(97) {
            let (y, m, d) = civil_from_days(day);
            assert_eq!(days_from_civil(y, m, d), day);
        }
    }
}
