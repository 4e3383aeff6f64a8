//! Puts an archive of this machine into the bucket, unless it is there.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::section::Given;
use crate::archive;
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::domain::{Crc64, Crc64Hasher};
use crate::engine::OpCx;
use crate::inputs::{Entry, FileStamp, Tree};
use crate::resources::objects::bare;
use crate::resources::uploads::journal_of;
use crate::transfer::{self, Journal, Object, TransferOptions};

const WHAT: &str = "packing the model";

/// An archive as a file, with its checksum.
pub struct Archive {
    root: PathBuf,
    entry: Entry,
}

impl Archive {
    /// A file that is there.
    pub fn of(root: &Path, name: &str) -> io::Result<Self> {
        let path = root.join(name);
        let (mut file, mut crc) = (File::open(&path)?, Crc64Hasher::default());
        io::copy(&mut file, &mut crc)?;
        let stamp = FileStamp::from(&file.metadata()?);
        let entry = Entry { path: name.into(), stamp, crc: Some(crc.finish()), content: Vec::new() };
        Ok(Self { root: root.to_owned(), entry })
    }

    /// Where the archive is on this machine.
    pub fn path(&self) -> PathBuf {
        self.root.join(&*self.entry.path)
    }

    /// Whether the file is as it was when it was read.
    pub fn is_unchanged(&self) -> io::Result<bool> {
        Ok(FileStamp::from(&self.path().metadata()?) == self.entry.stamp)
    }
}

/// The archive that a section names: itself, or packed into `folder`.
pub async fn local(cx: &OpCx<'_>, path: &Path, folder: &Path) -> OpResult<Archive> {
    let Some(tree) = cx.inputs.accepted(path, &Given::use_as()).cloned() else {
        return Err(OpError::local(WHAT, format!("{} was not read for this run", path.display())));
    };
    if let ([entry], true) = (tree.entries.as_slice(), Given::is_packed(path)) {
        return Ok(Archive { root: tree.root.clone(), entry: entry.clone() });
    }
    let folder = folder.to_owned();
    let packing = tokio::task::spawn_blocking(move || pack(&tree, &folder));
    packing.await.expect("packing does not panic").map_err(|e| OpError::local(WHAT, e))
}

/// The files in the order of their paths: the same archive for the same files.
fn pack(tree: &Tree, folder: &Path) -> io::Result<Archive> {
    const NAME: &str = "model.tar.gz";
    let mut output = archive::tar_gz_writer(BufWriter::new(File::create(folder.join(NAME))?));
    for entry in &tree.entries {
        let file = File::open(tree.root.join(&*entry.path))?;
        let mut read =
            Checked { inner: BufReader::new(file).take(entry.size()), crc: Crc64Hasher::default() };
        archive::append(&mut output, &entry.path, entry.size(), &mut read)?;
        if Some(read.crc.finish()) != entry.crc {
            let text = format!("{} changed since it was planned; run the command again", entry.path);
            return Err(io::Error::other(text));
        }
    }
    output.into_inner()?.finish()?.flush()?;
    Archive::of(folder, NAME)
}

/// Computes the checksum of what is read.
struct Checked<R> {
    inner: R,
    crc: Crc64Hasher,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.crc.update(&into[..read]);
        Ok(read)
    }
}

/// Makes the object of it, and gives its entity tag. S3 knows the checksum of what it has: the same is not
/// sent again, and what somebody has put in its place is replaced.
pub async fn send(cx: &OpCx<'_>, bucket: &str, key: &str, archive: &Archive) -> OpResult<String> {
    let wanted: Option<Crc64> = archive.entry.crc;
    let there = Object::head(&cx.aws.s3, bucket, key).await?;
    if let Some(there) = there.filter(|there| there.crc.is_some() && there.crc == wanted) {
        return Ok(bare(Some(&there.etag)));
    }
    let journal = Journal::open(&journal_of(cx, &format!("s3://{bucket}/{key}")))?;
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("", key));
    let prefix = format!("{prefix}/");
    let order = TransferOptions {
        bucket,
        prefix: &prefix,
        root: &archive.root,
        max_concurrency: 16,
        bytes_per_second: None,
        fresh: Arc::default(),
    };
    if *name != *archive.entry.path {
        let text = format!("{} would be sent as {name}", archive.entry.path);
        return Err(OpError::local(WHAT, text));
    }
    journal.start();
    let (sent, journal) = transfer::upload(cx, order, journal, &[&archive.entry]).await?;
    journal.finish();
    match sent.files.as_slice() {
        [(_, _, stored)] if Some(stored.crc) == wanted => Ok(bare(Some(&stored.etag))),
        _ => {
            let text =
                format!("{} changed since it was planned; run the command again", archive.path().display());
            Err(OpError::new(WHAT, OpErrorKind::Local, text))
        }
    }
}
