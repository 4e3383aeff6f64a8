//! Durations as people write them: `30s`, `15m`, `1h 30m`, `90d`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in a config file or on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Human(pub Duration);

impl Human {
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes * 60)
    }
    pub const fn hours(hours: u64) -> Self {
        Self::minutes(hours * 60)
    }
    pub const fn days(days: u64) -> Self {
        Self::hours(days * 24)
    }
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
    /// Whole days, rounded down.
    pub const fn as_days(self) -> u64 {
        self.0.as_secs() / 86_400
    }
}

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days stay days: humantime would write 90 days as "2months 29days …".
        let secs = self.0.as_secs();
        if secs > 0 && secs.is_multiple_of(86_400) {
            write!(f, "{}d", secs / 86_400)
        } else {
            write!(f, "{}", humantime::format_duration(self.0).to_string().replace(' ', ""))
        }
    }
}

impl std::str::FromStr for Human {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text).map(Self).map_err(|_| {
            format!("`{text}` is not a duration; write it like \"30s\", \"15m\", \"12h\" or \"90d\"")
        })
    }
}

impl Serialize for Human {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Human {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Human {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^(\d+ ?[a-zA-Z]+ ?)+$", "examples": ["30s", "15m", "12h", "90d"] })
    }
}
