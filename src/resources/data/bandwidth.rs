//! Bytes per second, as people write them: `20MB/s`, `1.5 MiB/s`, `500kB`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The upper limit of bytes sent per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth(u64);

const LIKE: &str = "bytes per second like \"20MB/s\" or \"512KiB/s\" (a B is a byte; an uplink of 100 Mbit/s carries 12.5MB/s)";

impl Bandwidth {
    /// Bytes per second, at least 1.
    pub fn bytes_per_second(self) -> u64 {
        self.0
    }
}

impl FromStr for Bandwidth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let amount = text.trim().trim_end_matches("/s").trim_end();
        // bytesize reads "Mb" as megabytes, but a network's Mbit is an eighth of that: better to ask than to
        // guess.
        if amount.to_ascii_lowercase().contains("bit") || amount.ends_with('b') {
            return Err(format!("expected {LIKE}"));
        }
        match amount.parse::<ByteSize>() {
            Ok(size) if size.as_u64() > 0 => Ok(Self(size.as_u64())),
            _ => Err(format!("expected {LIKE}")),
        }
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", crate::domain::bytes(self.0))
    }
}

impl Serialize for Bandwidth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{} B/s", self.0))
    }
}

impl<'de> Deserialize<'de> for Bandwidth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Bandwidth {
    fn schema_name() -> Cow<'static, str> {
        "Bandwidth".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9.]+ *([kKMGT]i?)?B?(/s)?$",
            "description": "Bytes per second, such as 20MB/s or 512KiB/s."
        })
    }
}
