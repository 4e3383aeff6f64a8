//! Taking a body in: its digest as cheaply as the request allows, its checksums if they are to be verified,
//! its bytes if they are to be kept.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crc_fast::CrcAlgorithm::{Crc32Iscsi, Crc32IsoHdlc, Crc64Nvme};
use sha2::Digest;

use crate::answer::Fault;
use crate::request::Head;

/// Bytes that were kept.
#[derive(Clone)]
pub enum Kept {
    Memory(Arc<Vec<u8>>),
    File(Arc<PathBuf>),
}

/// Where the bytes of a body go.
pub enum Keep {
    Nowhere,
    Memory,
    File(PathBuf),
}

/// A body that has arrived.
#[derive(Clone)]
pub struct Received {
    pub size: u64,
    /// Of the form S3's has where the client stated an MD5; else of another length, so that nobody takes it
    /// for one.
    pub etag: String,
    /// Stated by the client or computed here.
    pub crc64: Option<u64>,
    /// The checksum header that the client stated, to be given back.
    pub stated: Option<(String, String)>,
    pub kept: Option<Kept>,
}

enum Hash {
    /// And of how many bytes it is.
    Crc(Box<crc_fast::Digest>, usize),
    Sha256(Box<sha2::Sha256>),
    Md5(Box<md5::Md5>),
}

impl Hash {
    /// For the header that states it; `None` for headers that are no checksum that we know.
    fn of(header: &str) -> Option<Self> {
        let crc = |algorithm, bytes| Self::Crc(Box::new(crc_fast::Digest::new(algorithm)), bytes);
        Some(match header {
            "x-amz-checksum-crc64nvme" => crc(Crc64Nvme, 8),
            "x-amz-checksum-crc32" => crc(Crc32IsoHdlc, 4),
            "x-amz-checksum-crc32c" => crc(Crc32Iscsi, 4),
            "x-amz-checksum-sha256" | "x-amz-content-sha256" => Self::Sha256(Box::default()),
            "content-md5" => Self::Md5(Box::default()),
            _ => return None,
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(digest, _) => digest.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            Self::Md5(hash) => hash.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc(digest, bytes) => digest.finalize().to_be_bytes()[8 - bytes..].to_vec(),
            Self::Sha256(hash) => hash.finalize().to_vec(),
            Self::Md5(hash) => hash.finalize().to_vec(),
        }
    }
}

/// The checksums of S3 are base64, the SHA-256 that is signed is hexadecimal.
fn written(header: &str, value: &[u8]) -> String {
    if header == "x-amz-content-sha256" { hex(value) } else { BASE64_STANDARD.encode(value) }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub struct Intake {
    size: u64,
    /// Computed if the request states nothing as good.
    crc64: Option<crc_fast::Digest>,
    /// By the header that states (or, before the trailers have come, will state) the value.
    checks: Vec<(String, Hash)>,
    keep: Keeping,
    corrupt: bool,
}

enum Keeping {
    Nowhere,
    Memory(Vec<u8>),
    File(File, PathBuf),
}

impl Intake {
    pub fn new(head: &Head, keep: Keep, verify: bool, corrupt: bool) -> io::Result<Self> {
        let announced = head.header("x-amz-trailer").into_iter().flat_map(|t| t.split(',')).map(str::trim);
        let names: Vec<&str> = head.headers().map(|(name, _)| name).chain(announced).collect();
        let stated = names.iter().any(|name| ["content-md5", "x-amz-checksum-crc64nvme"].contains(name));
        let keeps = !matches!(keep, Keep::Nowhere);
        let checked = |name: &&&str| {
            // UNSIGNED-PAYLOAD and STREAMING-… state nothing.
            let hashed = |value: &str| value.len() == 64;
            **name != "x-amz-content-sha256" || head.header(name).is_some_and(hashed)
        };
        let checks =
            names.iter().filter(checked).filter_map(|name| Some(((*name).to_owned(), Hash::of(name)?)));
        Ok(Self {
            size: 0,
            crc64: (verify || keeps || !stated).then(|| crc_fast::Digest::new(Crc64Nvme)),
            checks: if verify { checks.collect() } else { Vec::new() },
            keep: match keep {
                Keep::Nowhere => Keeping::Nowhere,
                Keep::Memory => Keeping::Memory(Vec::new()),
                Keep::File(path) => Keeping::File(File::create(&path)?, path),
            },
            corrupt,
        })
    }

    pub fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.corrupt && !bytes.is_empty() {
            self.corrupt = false;
            let mut damaged = bytes.to_vec();
            damaged[bytes.len() / 2] ^= 0x10;
            return self.take(&damaged);
        }
        self.size += bytes.len() as u64;
        if let Some(digest) = &mut self.crc64 {
            digest.update(bytes);
        }
        for (_, hash) in &mut self.checks {
            hash.update(bytes);
        }
        match &mut self.keep {
            Keeping::Nowhere => Ok(()),
            Keeping::Memory(all) => {
                all.extend_from_slice(bytes);
                Ok(())
            }
            Keeping::File(file, _) => file.write_all(bytes),
        }
    }

    /// The body is complete. The fault is S3's, for a checksum that does not match.
    pub fn finish(self, head: &Head, trailers: &[(String, String)]) -> Result<Received, Fault> {
        let find = |name: &str| {
            let trailer = || trailers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
            head.header(name).or_else(trailer)
        };
        for (name, hash) in self.checks {
            let (wanted, got) = (find(&name).unwrap_or_default(), written(&name, &hash.finish()));
            if wanted != got {
                return Err(Fault::mismatch(&name, wanted, &got));
            }
        }
        let computed = self.crc64.map(|digest| digest.finalize());
        let stated = |name: &str| BASE64_STANDARD.decode(find(name)?).ok();
        let crc64 = computed
            .or_else(|| Some(u64::from_be_bytes(stated("x-amz-checksum-crc64nvme")?.try_into().ok()?)));
        let etag = match (stated("content-md5"), crc64) {
            (Some(md5), _) => hex(&md5),
            (None, crc) => format!("{:016x}{:08x}", crc.unwrap_or_default(), self.size),
        };
        let all = head.headers().chain(trailers.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let checksum =
            |(name, _): &(&str, &str)| name.starts_with("x-amz-checksum-") && Hash::of(name).is_some();
        Ok(Received {
            size: self.size,
            etag,
            crc64,
            stated: all.into_iter().find(checksum).map(|(name, value)| (name.to_owned(), value.to_owned())),
            kept: match self.keep {
                Keeping::Nowhere => None,
                Keeping::Memory(all) => Some(Kept::Memory(Arc::new(all))),
                Keeping::File(_, path) => Some(Kept::File(Arc::new(path))),
            },
        })
    }
}
