//! CRC-64/NVME: what S3 itself computes over every object, stores with it, and compares on arrival.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>

use std::fmt;
use std::io;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crc_fast::{CrcAlgorithm, Digest, checksum, checksum_combine};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The checksum of a whole file. Shown as in the header `x-amz-checksum-crc64nvme`: base64 of eight bytes,
/// big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Crc64(u64);

impl Crc64 {
    /// Of no bytes at all; the neutral element of [`Crc64::then`].
    pub const EMPTY: Self = Self(0);

    /// Of bytes that are in memory as a whole.
    pub fn of(bytes: &[u8]) -> Self {
        Self(checksum(CrcAlgorithm::Crc64Nvme, bytes))
    }

    /// The checksum of these bytes followed by `length` bytes whose checksum is `next`.
    pub fn then(self, next: Self, length: u64) -> Self {
        Self(checksum_combine(CrcAlgorithm::Crc64Nvme, self.0, next.0, length))
    }
}

/// Computes a [`Crc64`] piece by piece.
pub struct Crc64Hasher(Digest);

impl Default for Crc64Hasher {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Nvme))
    }
}

impl Crc64Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all bytes so far; more may follow.
    pub fn finish(&self) -> Crc64 {
        Crc64(self.0.finalize())
    }
}

impl io::Write for Crc64Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0.to_be_bytes()))
    }
}

impl FromStr for Crc64 {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| "not base64")?;
        let bytes = bytes.try_into().map_err(|_| "not eight bytes")?;
        Ok(Self(u64::from_be_bytes(bytes)))
    }
}

impl Serialize for Crc64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Crc64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the CRC catalogue: https://reveng.sourceforge.io/crc-catalogue/all.htm
    /// (CRC-64/NVME).
    #[test]
    fn the_catalogues_check_value() {
        assert_eq!(Crc64::of(b"123456789"), Crc64(0xae8b_1486_0a79_9888));
    }

    #[test]
    fn parts_in_a_row_give_the_whole() {
        let (a, b) = (b"some bytes, ".as_slice(), b"and some more".as_slice());
        let whole = Crc64::of(&[a, b].concat());
        assert_eq!(Crc64::EMPTY.then(Crc64::of(a), a.len() as u64).then(Crc64::of(b), b.len() as u64), whole);
        let mut hasher = Crc64Hasher::default();
        hasher.update(a);
        hasher.update(b);
        assert_eq!(hasher.finish(), whole);
        assert_eq!(whole.to_string().parse(), Ok(whole));
    }
}
