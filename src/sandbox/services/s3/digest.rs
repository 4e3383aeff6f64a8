//! Checksums of bytes on their way to disk, and what the client says they are (docs/aws/s3.md#checksums).

use std::sync::{Arc, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto;
use serde::{Deserialize, Serialize};

use super::wire::{Trailers, Wire};
use crate::fault::Fault;

/// The algorithms that `s3s` knows; AWS has more since 2026, and calls without one get CRC64NVME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// AWS's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The algorithm of a header's value or name ending, in any case of letters.
    pub fn named(name: &str) -> Result<Self, Fault> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            let message =
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                 [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
            Fault::new(400, "InvalidRequest", message)
        })
    }

    /// CRC64NVME has no composite form, the hashes no form for a whole object made of parts.
    pub const fn usual_kind(self) -> Kind {
        if matches!(self, Self::Crc64Nvme) { Kind::FullObject } else { Kind::Composite }
    }

    /// Whether AWS takes this kind of checksum with it.
    pub const fn allows(self, kind: Kind) -> bool {
        match self {
            Self::Crc32 | Self::Crc32c => true,
            Self::Crc64Nvme => matches!(kind, Kind::FullObject),
            Self::Sha1 | Self::Sha256 => matches!(kind, Kind::Composite),
        }
    }

    fn hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Self::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Self::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Self::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Self::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
        hasher
    }

    fn value_in(self, sums: dto::Checksum) -> Option<String> {
        match self {
            Self::Crc32 => sums.checksum_crc32,
            Self::Crc32c => sums.checksum_crc32c,
            Self::Crc64Nvme => sums.checksum_crc64nvme,
            Self::Sha1 => sums.checksum_sha1,
            Self::Sha256 => sums.checksum_sha256,
        }
    }

    /// The checksum of an object made of parts: the checksum of the parts' checksums, and how many they are.
    pub fn composite<'a>(self, parts: impl IntoIterator<Item = &'a str>) -> Sum {
        let (mut hasher, mut count) = (self.hasher(), 0);
        for part in parts {
            hasher.update(&BASE64.decode(part).unwrap_or_default());
            count += 1;
        }
        let value = self.value_in(hasher.finalize()).unwrap_or_default();
        Sum { algorithm: self, kind: Kind::Composite, value: format!("{value}-{count}") }
    }
}

/// What the checksum of an upload in parts is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    #[serde(rename = "FULL_OBJECT")]
    FullObject,
    #[serde(rename = "COMPOSITE")]
    Composite,
}

impl From<Kind> for dto::ChecksumType {
    fn from(kind: Kind) -> Self {
        Self::from_static(match kind {
            Kind::FullObject => Self::FULL_OBJECT,
            Kind::Composite => Self::COMPOSITE,
        })
    }
}

impl Kind {
    /// By AWS's name.
    pub fn named(name: &dto::ChecksumType) -> Result<Self, Fault> {
        match name.as_str() {
            dto::ChecksumType::FULL_OBJECT => Ok(Self::FullObject),
            dto::ChecksumType::COMPOSITE => Ok(Self::Composite),
            _ => Err(Fault::new(400, "InvalidRequest", "Value for x-amz-checksum-type header is invalid.")),
        }
    }
}

/// The checksum that is kept with an object or a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    pub algorithm: Algorithm,
    pub kind: Kind,
    /// Base64, with `-N` when composite.
    pub value: String,
}

impl Sum {
    /// As S3 shows it: in the field of its algorithm.
    pub fn shown(sum: Option<&Self>) -> dto::Checksum {
        let mut shown = dto::Checksum::default();
        if let Some(Self { algorithm, kind, value }) = sum {
            let value = Some(value.clone());
            match algorithm {
                Algorithm::Crc32 => shown.checksum_crc32 = value,
                Algorithm::Crc32c => shown.checksum_crc32c = value,
                Algorithm::Crc64Nvme => shown.checksum_crc64nvme = value,
                Algorithm::Sha1 => shown.checksum_sha1 = value,
                Algorithm::Sha256 => shown.checksum_sha256 = value,
            }
            shown.checksum_type = Some((*kind).into());
        }
        shown
    }
}

/// Copies the checksum of a [`dto::Checksum`] into the five fields that each output has.
macro_rules! show_sum {
    ($output:expr, $sum:expr) => {{
        let shown = $crate::services::s3::digest::Sum::shown($sum);
        $output.checksum_crc32 = shown.checksum_crc32;
        $output.checksum_crc32c = shown.checksum_crc32c;
        $output.checksum_crc64nvme = shown.checksum_crc64nvme;
        $output.checksum_sha1 = shown.checksum_sha1;
        $output.checksum_sha256 = shown.checksum_sha256;
        shown.checksum_type
    }};
}

/// Collects the five fields of an input.
macro_rules! given_sums {
    ($input:expr) => {
        s3s::dto::Checksum {
            checksum_crc32: $input.checksum_crc32.clone(),
            checksum_crc32c: $input.checksum_crc32c.clone(),
            checksum_crc64nvme: $input.checksum_crc64nvme.clone(),
            checksum_sha1: $input.checksum_sha1.clone(),
            checksum_sha256: $input.checksum_sha256.clone(),
            checksum_type: None,
        }
    };
}
pub(super) use {given_sums, show_sum};

/// Which digests of some bytes are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    pub md5: bool,
    pub sum: Option<Algorithm>,
    /// SHA-256 of the payload, when the client has signed it.
    pub payload: bool,
}

/// The digests of bytes that pass by.
pub struct Digester {
    size: u64,
    md5: Option<Md5>,
    sum: Option<(Algorithm, ChecksumHasher)>,
    payload: Option<Sha256>,
}

impl Digester {
    /// Nothing has come in yet.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            size: 0,
            md5: wanted.md5.then(Md5::new),
            sum: wanted.sum.map(|algorithm| (algorithm, algorithm.hasher())),
            payload: wanted.payload.then(Sha256::new),
        }
    }

    /// The bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some((_, hasher)) = &mut self.sum {
            hasher.update(bytes);
        }
        if let Some(payload) = &mut self.payload {
            payload.update(bytes);
        }
    }

    /// All has come in.
    pub fn finish(self) -> Digests {
        Digests {
            size: self.size,
            md5: self.md5.map(Md5::finalize).unwrap_or_default(),
            sum: self.sum.map(|(algorithm, hasher)| Sum {
                algorithm,
                kind: Kind::FullObject,
                value: algorithm.value_in(hasher.finalize()).unwrap_or_default(),
            }),
            payload: self.payload.map(|payload| hex(&payload.finalize())),
        }
    }
}

/// What became of the bytes; without what was not wanted.
#[derive(Debug)]
pub struct Digests {
    pub size: u64,
    pub md5: [u8; 16],
    pub sum: Option<Sum>,
    payload: Option<String>,
}

/// In hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// MD5 of some bytes, as ETags of multipart uploads need it.
pub fn md5_of(bytes: &[u8]) -> String {
    hex(&Md5::checksum(bytes))
}

/// What a client says about the body that it sends.
#[derive(Debug)]
pub struct Claims {
    algorithm: Algorithm,
    /// The value, or that it follows the body.
    value: Option<String>,
    trailer: Option<Trailers>,
    md5: Option<Vec<u8>>,
    payload: Option<String>,
    length: Option<u64>,
}

impl Claims {
    /// Reads the headers of a request whose body becomes an object or a part.
    ///
    /// # Errors
    /// `InvalidRequest` for more than one checksum or an announced one that is not there, `InvalidDigest`.
    pub fn new(
        wire: &Wire,
        given: dto::Checksum,
        declared: Option<&dto::ChecksumAlgorithm>,
        md5: Option<&str>,
        usual: Algorithm,
    ) -> Result<Self, Fault> {
        let invalid = |message: &str| Fault::new(400, "InvalidRequest", message.to_owned());
        let mut values = Algorithm::ALL
            .into_iter()
            .filter_map(|algorithm| Some((algorithm, algorithm.value_in(given.clone())?)));
        let value = values.next();
        if values.next().is_some() || (value.is_some() && wire.trailer.is_some()) {
            return Err(invalid(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        let trailer = wire.trailer.as_deref().map(Algorithm::named).transpose()?;
        let declared = declared.map(|name| Algorithm::named(name.as_str())).transpose()?;
        let found = value.as_ref().map(|(algorithm, _)| *algorithm).or(trailer);
        if declared.is_some() && found.is_none() {
            return Err(invalid(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
                 x-amz-trailer headers were found.",
            ));
        }
        let md5 = md5.map(|text| {
            let bytes = BASE64.decode(text).ok().filter(|bytes| bytes.len() == 16);
            bytes
                .ok_or_else(|| Fault::new(400, "InvalidDigest", "The Content-MD5 you specified was invalid."))
        });
        Ok(Self {
            algorithm: found.unwrap_or(usual),
            value: value.map(|(_, value)| value),
            trailer: trailer.map(|_| Arc::clone(&wire.trailers)),
            md5: md5.transpose()?,
            payload: wire.payload.clone(),
            length: wire.length,
        })
    }

    /// Whether the client has said anything of a checksum.
    pub fn algorithm(&self) -> Option<Algorithm> {
        (self.value.is_some() || self.trailer.is_some()).then_some(self.algorithm)
    }

    /// The digests that it takes to check it.
    pub fn wanted(&self) -> Wanted {
        Wanted { md5: true, sum: Some(self.algorithm), payload: self.payload.is_some() }
    }

    /// Compares with what has come.
    ///
    /// # Errors
    /// `BadDigest`, `IncompleteBody`, `XAmzContentSHA256Mismatch`, each 400.
    pub fn verify(&self, digests: &Digests) -> Result<(), Fault> {
        let refuse = |code: &'static str, message: String| Err(Fault::new(400, code, message));
        if self.length.is_some_and(|length| length != digests.size) {
            return Err(incomplete());
        }
        if self.md5.as_ref().is_some_and(|md5| *md5 != digests.md5) {
            let message = "The Content-MD5 you specified did not match what we received.";
            return refuse("BadDigest", message.into());
        }
        if self.payload.is_some() && self.payload != digests.payload {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return refuse("XAmzContentSHA256Mismatch", message.into());
        }
        let name = self.algorithm.name();
        let following = self.trailer.as_ref().map(|trailers| {
            let header = format!("x-amz-checksum-{}", name.to_ascii_lowercase());
            trailers.lock().unwrap_or_else(PoisonError::into_inner).get(&header).cloned().unwrap_or_default()
        });
        match (self.value.clone().or(following), &digests.sum) {
            (Some(claimed), Some(sum)) if claimed != sum.value => refuse(
                "BadDigest",
                format!("The {name} you specified did not match the calculated checksum."),
            ),
            _ => Ok(()),
        }
    }
}

/// The body ended before what its headers promised.
pub fn incomplete() -> Fault {
    let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    Fault::new(400, "IncompleteBody", message)
}
