//! An object in S3, as S3 confirmed it.

use serde::{Deserialize, Serialize};

use super::Crc64;

/// The key of the object in the project's bucket by which one run at a time writes (docs/decisions/0040).
pub const LEASE_KEY: &str = ".opsctl/lease.json";

/// What is known about an object without fetching it. In JSON a list of three, because there are many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(u64, Crc64, String)", from = "(u64, Crc64, String)")]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    pub crc: Crc64,
    /// Nobody interprets it: with KMS or multipart it is no digest of the content.
    pub etag: String,
}

impl From<Stored> for (u64, Crc64, String) {
    fn from(s: Stored) -> Self {
        (s.size, s.crc, s.etag)
    }
}

impl From<(u64, Crc64, String)> for Stored {
    fn from((size, crc, etag): (u64, Crc64, String)) -> Self {
        Self { size, crc, etag }
    }
}
