//! Durations as people write them: `30s`, `15m`, `1h 30m`, `90d`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in a config file or on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

const LIKE: &str = "a duration like \"30s\", \"15m\", \"12h\" or \"90d\"";

impl HumanDuration {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
    /// So many minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes * 60)
    }
    /// So many hours.
    pub const fn hours(hours: u64) -> Self {
        Self::minutes(hours * 60)
    }
    /// So many days of 24 hours.
    pub const fn days(days: u64) -> Self {
        Self::hours(days * 24)
    }
    /// The unit that a person would say it in, of which it has two at least: its seconds, and its letter.
    pub const fn unit(self) -> (u64, char) {
        match self.as_secs() {
            0..120 => (1, 's'),
            120..7_200 => (60, 'm'),
            7_200..172_800 => (3_600, 'h'),
            _ => (86_400, 'd'),
        }
    }
    /// Without the seconds, where it is longer than two minutes: for a time that is left.
    pub fn in_minutes(self) -> Self {
        if self.as_secs() < 120 { self } else { Self::minutes(self.as_secs() / 60) }
    }

    /// AWS takes most durations in seconds.
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
    /// Whole days, rounded down.
    pub const fn as_days(self) -> u64 {
        self.0.as_secs() / 86_400
    }
}

/// A duration of whole days, where AWS counts in days: `30d`, `48h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days(pub HumanDuration);

impl Days {
    /// So many whole days.
    pub const fn new(days: u64) -> Self {
        Self(HumanDuration::days(days))
    }
    /// How many days.
    pub const fn count(self) -> u64 {
        self.0.as_days()
    }
}

impl std::str::FromStr for Days {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let time: HumanDuration = text.parse()?;
        let whole = time == HumanDuration::days(time.as_days()) && i32::try_from(time.as_days()).is_ok();
        let refused =
            || format!("\"{text}\" is not a number of whole days, expected a duration like \"30d\"");
        whole.then_some(Self(time)).ok_or_else(refused)
    }
}

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_text(d)
    }
}

impl JsonSchema for Days {
    fn schema_name() -> Cow<'static, str> {
        "Days".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A duration of whole days.",
            "pattern": r"^(\d+ ?[a-zA-Z]+ ?)+$", "examples": ["7d", "30d"] })
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days stay days: humantime would write 90 days as "2months 29days …".
        let secs = self.0.as_secs();
        if secs > 0 && self.0 == Duration::from_secs(secs) && secs.is_multiple_of(86_400) {
            write!(f, "{}d", secs / 86_400)
        } else {
            write!(f, "{}", humantime::format_duration(self.0).to_string().replace(' ', ""))
        }
    }
}

impl std::str::FromStr for HumanDuration {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|_| format!("\"{text}\" is not a duration, expected {LIKE}"))
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// Reads text as `T`, which says itself what is wrong with it.
fn from_text<'de, D: Deserializer<'de>, T: std::str::FromStr<Err = String>>(d: D) -> Result<T, D::Error> {
    struct Text<T>(PhantomData<T>);
    impl<T: std::str::FromStr<Err = String>> serde::de::Visitor<'_> for Text<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(LIKE)
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    d.deserialize_str(Text(PhantomData))
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_text(d)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^(\d+(\.\d+)? ?[a-zA-Z]+ ?)+$",
            "examples": ["30s", "15m", "12h", "90d"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by the fuzz target `words`.
    #[test]
    fn what_is_shown_is_read_as_the_same() {
        for text in ["19d", "19d 1ms", "48h", "90m", "1500ms", "0s", "1ns", "86400s 1ns"] {
            let read: HumanDuration = text.parse().unwrap();
            assert_eq!(read.to_string().parse(), Ok(read), "{text}");
        }
    }
}
