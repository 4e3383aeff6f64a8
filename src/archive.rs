//! Archives that are the same bytes for the same files: no times, one order, permissions by the content. A
//! function whose zip does not change gets no new version (docs/aws/lambda.md#versions-and-aliases), an
//! unchanged source is not uploaded twice.

use std::cell::Cell;
use std::io::{self, Cursor, Read, Write};
use std::rc::Rc;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A file to pack: its path inside the archive, with `/`, and its bytes.
pub type File<'a> = (&'a str, &'a [u8]);

/// A zip as Lambda takes it.
pub fn zip(files: &[File<'_>]) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default()); // 1980-01-01, the first a zip can hold
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut files = files.to_vec();
    files.sort_unstable_by_key(|(path, _)| *path);
    let written = files.iter().try_for_each(|(path, content)| {
        writer.start_file(*path, options.unix_permissions(mode(content)))?;
        Ok::<(), zip::result::ZipError>(writer.write_all(content)?)
    });
    let finished = written.and_then(|()| writer.finish());
    finished.expect("writing to memory does not fail").into_inner()
}

/// A gzipped tar as SageMaker takes sources and models: no leading folder, no links.
pub fn tar_gz(files: &[File<'_>]) -> Vec<u8> {
    let mut tar = tar_gz_writer(Vec::new());
    let mut files = files.to_vec();
    files.sort_unstable_by_key(|(path, _)| *path);
    let written =
        files.iter().try_for_each(|(path, content)| append(&mut tar, path, content.len() as u64, *content));
    let finished = written.and_then(|()| tar.into_inner()).and_then(GzEncoder::finish);
    finished.expect("writing to memory does not fail")
}

/// A tar.gz that is written as it goes, for archives that do not belong in memory.
pub fn tar_gz_writer<W: Write>(out: W) -> tar::Builder<GzEncoder<W>> {
    // gzip's own header has no time and no name here, so it too is the same each time.
    tar::Builder::new(GzEncoder::new(out, Compression::default()))
}

/// Permissions of a file that begins so: what a system can run may be run. What the file itself has differs
/// from machine to machine (Windows has no such bit, its disks seen from Linux set it on all), and the same
/// files must be the same archive.
fn mode(content: &[u8]) -> u32 {
    if content.starts_with(b"#!") || content.starts_with(b"\x7fELF") { 0o755 } else { 0o644 }
}

/// Appends one regular file with neutral metadata.
pub fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    size: u64,
    mut content: impl Read,
) -> io::Result<()> {
    let mut first = Vec::with_capacity(4);
    content.by_ref().take(4).read_to_end(&mut first)?;
    let content = first.as_slice().chain(content);
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode(&first));
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    tar.append_data(&mut header, path, content)
}

/// How much of an archive names and other headers of one entry may be. They are held in memory.
const LARGEST_HEADERS: u64 = 1 << 20;

/// Reads no more than is `left`.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        let left = self.left.get().checked_sub(read as u64);
        self.left.set(left.ok_or_else(|| io::Error::other("a header of the archive is too large"))?);
        Ok(read)
    }
}

/// Whether a file begins as a gzipped tar does: no more of it is read than its first entry's header.
///
/// # Errors
/// It cannot be read.
pub fn is_tar_gz(file: impl Read) -> io::Result<bool> {
    let mut block = [0; 512];
    match GzDecoder::new(file).read_exact(&mut block) {
        Ok(()) => {}
        Err(error) if [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidInput].contains(&error.kind()) => {
            return Ok(false);
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(false),
        Err(error) => return Err(error),
    }
    // An empty one begins with its end.
    if block.iter().all(|byte| *byte == 0) {
        return Ok(true);
    }
    // The sum of all bytes, those of the sum itself taken for spaces.
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(i, b)| u32::from(if (148..156).contains(&i) { b' ' } else { *b }))
        .sum();
    Ok(tar::Header::from_byte_slice(&block).cksum().is_ok_and(|written| written == sum))
}

/// A model's archive with serving code in it: copies the trained files, leaves out any `code/` that the
/// training wrote, and adds this.
pub fn with_code<'a>(
    trained: impl Read,
    code: impl IntoIterator<Item = File<'a>>,
    out: impl Write,
) -> io::Result<()> {
    let mut output = tar_gz_writer(out);
    let left = Rc::new(Cell::new(LARGEST_HEADERS));
    let mut input = tar::Archive::new(Bounded { inner: GzDecoder::new(trained), left: Rc::clone(&left) });
    for entry in input.entries()? {
        let entry = entry?;
        left.set(entry.size().saturating_add(LARGEST_HEADERS));
        let path = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
        // Links break deployment (docs/aws/sagemaker-training.md#container-layout), folders are made by their
        // files.
        if entry.header().entry_type().is_file() && !path.starts_with("code/") {
            append(&mut output, &path, entry.size(), entry)?;
        }
    }
    for (path, content) in code {
        append(&mut output, &format!("code/{path}"), content.len() as u64, content)?;
    }
    output.into_inner()?.finish()?.flush()
}
