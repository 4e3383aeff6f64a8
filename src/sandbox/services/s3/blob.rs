//! Bytes in files. A file has a random name, so no key of an object ever is a path; it comes into its folder
//! by a rename once all its bytes are there and are what the client says, and is never changed after.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use s3s::dto::StreamingBlob;
use tempfile::NamedTempFile;

use super::digest::{Claims, Digester, Digests, Wanted, incomplete};
use crate::fault::Fault;
use crate::protocol::{idle, is_idle};
use crate::root::remove_own;
use crate::state::SandboxState;

/// Where bytes are while they come. What a killed sandbox left there is thrown away at the next start.
const INCOMING: &str = "s3/incoming";

/// A single PUT or part has at most 5 GiB (docs/aws/s3.md#limits).
const LARGEST: u64 = 5 << 30;

/// One read from disk.
pub const CHUNK: usize = 256 << 10;

/// The folder of a bucket's objects.
pub fn objects(root: &Path, bucket: &str) -> PathBuf {
    root.join("s3/objects").join(bucket)
}

/// The folder of the parts of one multipart upload.
pub fn parts(root: &Path, upload: &str) -> PathBuf {
    root.join("s3/parts").join(upload)
}

/// Throws away what an earlier sandbox was receiving when it was killed.
pub fn sweep(shared: &SandboxState) {
    let _ = remove_own(&shared.root, &shared.root.join(INCOMING));
}

/// Removes a file that no document names any more. One that stays only takes space.
pub fn discard(folder: &Path, blob: &str) {
    let _ = std::fs::remove_file(folder.join(blob));
}

/// A file that is being written.
pub struct Incoming {
    file: NamedTempFile,
    digester: Digester,
}

impl Incoming {
    /// A file for what comes in, with the digests that are wanted of it.
    pub fn new(shared: &SandboxState, wanted: Wanted) -> io::Result<Self> {
        let folder = shared.folder(INCOMING)?;
        let file = tempfile::Builder::new().prefix("").rand_bytes(24).tempfile_in(folder)?;
        Ok(Self { file, digester: Digester::new(wanted) })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digester.update(bytes);
        self.file.write_all(bytes)
    }

    /// Takes all of `source`.
    pub fn fill(&mut self, mut source: impl Read) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            match source.read(&mut buffer)? {
                0 => return Ok(()),
                count => self.write(&buffer[..count])?,
            }
        }
    }

    /// All has come in.
    pub fn finish(self) -> Received {
        Received { file: self.file, digests: self.digester.finish() }
    }
}

/// A file with all its bytes; gone when dropped, unless kept.
#[derive(Debug)]
pub struct Received {
    file: NamedTempFile,
    pub digests: Digests,
}

impl Received {
    /// Moves the file into a folder and says its name there.
    pub fn keep(self, folder: &Path) -> Result<(String, Digests), Fault> {
        std::fs::create_dir_all(folder)?;
        let name = self.file.path().file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| io::Error::other("a temporary file without a name"))?;
        self.file.persist(folder.join(&name)).map_err(|error| error.error)?;
        Ok((name, self.digests))
    }
}

/// Streams a body to disk and checks it.
pub async fn receive(
    shared: &SandboxState,
    body: Option<StreamingBlob>,
    claims: &Claims,
) -> Result<Received, Fault> {
    let mut incoming = Incoming::new(shared, claims.wanted())?;
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            let ended = |error: s3s::StdError| match is_idle(error.as_ref()) {
                true => idle(),
                false => incomplete(),
            };
            incoming.write(&chunk.map_err(ended)?)?;
            if incoming.digester.size() > LARGEST {
                let message = "Your proposed upload exceeds the maximum allowed size";
                return Err(Fault::new(400, "EntityTooLarge", message));
            }
        }
    }
    let received = incoming.finish();
    claims.verify(&received.digests)?;
    Ok(received)
}

/// Copies a range of a file, its digests included.
pub fn copy(
    shared: &SandboxState,
    from: &Path,
    range: Option<(u64, u64)>,
    wanted: Wanted,
) -> io::Result<Received> {
    let mut source = File::open(from)?;
    let mut incoming = Incoming::new(shared, wanted)?;
    match range {
        None => incoming.fill(source)?,
        Some((start, length)) => {
            io::Seek::seek(&mut source, io::SeekFrom::Start(start))?;
            incoming.fill(source.take(length))?;
        }
    }
    Ok(incoming.finish())
}

/// Runs what reads or writes whole files where it holds up no request.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
