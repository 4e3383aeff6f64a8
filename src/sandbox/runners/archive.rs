//! Archives as SageMaker and Lambda use them: `.tar.gz` in and out, `.zip` in.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// What a file takes on a disk at least.
const BLOCK: u64 = 4096;
/// More entries are no model and no code: the names alone would fill the memory.
const MOST_ENTRIES: usize = 1_000_000;
/// How much of an archive names and other headers of one entry may be. They are held in memory.
const LARGEST_HEADERS: u64 = 1 << 20;

/// Unpacks a `.tar.gz` into `target`, which is created. Entries that would leave `target` are not unpacked.
/// What this disk has no room for is an error that leaves nothing behind.
pub async fn unpack_tar_gz(archive: &Path, target: &Path) -> io::Result<()> {
    let (archive, target) = (archive.to_owned(), target.to_owned());
    blocking(move || {
        std::fs::create_dir_all(&target)?;
        let room = room(&target)?;
        cleared(&target, unpack_entries(GzDecoder::new(File::open(&archive)?), &target, room))
    })
    .await
}

fn unpack_entries(tar: impl Read, target: &Path, mut room: u64) -> io::Result<()> {
    // Its errors hide the system's ("No space left on device") behind the file's name.
    let with_cause = |error: io::Error| match std::error::Error::source(&error) {
        Some(cause) => io::Error::new(error.kind(), format!("{error}: {cause}")),
        None => error,
    };
    let left = Rc::new(Cell::new(LARGEST_HEADERS));
    let mut tar = tar::Archive::new(Bounded { inner: tar, left: Rc::clone(&left) });
    tar.set_preserve_mtime(false);
    // Last, because their permissions may forbid files in them.
    let mut directories = Vec::new();
    for (index, entry) in tar.entries()?.enumerate() {
        let mut entry = entry?;
        // A sparse file is larger than the part of the archive that it is in, but never than this.
        room = room.checked_sub(entry.size().max(BLOCK)).ok_or_else(no_room)?;
        if index == MOST_ENTRIES {
            return Err(io::Error::other(format!("the archive has more than {MOST_ENTRIES} entries")));
        }
        left.set(entry.size().saturating_add(LARGEST_HEADERS));
        if entry.header().entry_type().is_dir() {
            directories.push(entry);
        } else {
            entry.unpack_in(target).map_err(with_cause)?;
        }
    }
    directories.sort_by(|a, b| b.path_bytes().cmp(&a.path_bytes()));
    directories.iter_mut().try_for_each(|directory| directory.unpack_in(target).map(drop).map_err(with_cause))
}

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

/// How many bytes may be unpacked: what is free on the disk, less a tenth for everybody else.
fn room(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    Ok(free - free / 10)
}

fn no_room() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "what it unpacks to does not fit on the disk")
}

/// Half of an archive is of no use to anybody.
fn cleared(target: &Path, unpacked: io::Result<()>) -> io::Result<()> {
    if unpacked.is_err() {
        let _ = std::fs::remove_dir_all(target).and_then(|()| std::fs::create_dir(target));
    }
    unpacked
}

/// Packs the content of `directory` (no leading directory level,
/// docs/aws/sagemaker-endpoints.md#model-archive) into a `.tar.gz`.
///
/// Names are sorted and times are zero, so equal content gives equal bytes. Symbolic links are followed:
/// links in `model.tar.gz` break deployment on AWS (docs/aws/sagemaker-training.md#container-layout).
pub async fn pack_tar_gz(directory: &Path, archive: &Path) -> io::Result<()> {
    let (directory, archive) = (directory.to_owned(), archive.to_owned());
    blocking(move || {
        let mut tar = tar::Builder::new(GzEncoder::new(File::create(&archive)?, Compression::fast()));
        tar.mode(tar::HeaderMode::Deterministic);
        append(&mut tar, &directory, Path::new(""))?;
        tar.into_inner()?.finish()?;
        Ok(())
    })
    .await
}

fn append<W: io::Write>(tar: &mut tar::Builder<W>, directory: &Path, prefix: &Path) -> io::Result<()> {
    for path in sorted_entries(directory)? {
        let name = prefix.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            tar.append_dir(&name, &path)?;
            append(tar, &path, &name)?;
        } else {
            tar.append_path_with_name(&path, &name)?;
        }
    }
    Ok(())
}

/// Unpacks a `.zip` into `target`, which is created. Entries that would leave `target`, and what this disk
/// has no room for, are errors that leave nothing behind.
pub async fn unpack_zip(archive: &Path, target: &Path) -> io::Result<()> {
    let (archive, target) = (archive.to_owned(), target.to_owned());
    blocking(move || {
        std::fs::create_dir_all(&target)?;
        let mut zip = zip::ZipArchive::new(File::open(&archive)?).map_err(io::Error::other)?;
        if unzipped_size(&mut zip, room(&target)?)?.is_none() {
            return Err(no_room());
        }
        cleared(&target, zip.extract(&target).map_err(io::Error::other))
    })
    .await
}

/// How many bytes the files of an archive have, counted by unpacking them into nothing, because what an
/// archive says about its sizes need not be so. `None`: more than `most`.
///
/// # Errors
/// An entry that cannot be unpacked, or is not as large as it says.
pub fn unzipped_size(zip: &mut zip::ZipArchive<impl Read + Seek>, most: u64) -> io::Result<Option<u64>> {
    let mut total = 0_u64;
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(io::Error::other)?;
        let (name, said) = (entry.name().to_owned(), entry.size());
        let size = io::copy(&mut entry.take((most - total).saturating_add(1)), &mut io::sink())?;
        total += size;
        if total > most {
            return Ok(None);
        }
        if size != said {
            return Err(io::Error::other(format!("{name} has {size} bytes and is said to have {said}")));
        }
    }
    Ok(Some(total))
}

/// Whether a directory is absent or has nothing in it.
pub fn is_empty(directory: &Path) -> bool {
    sorted_entries(directory).map_or(true, |entries| entries.is_empty())
}

fn sorted_entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tar::{EntryType, Header};

    use super::*;

    const MIB: usize = 1 << 20;

    /// A tar, in parts: header, content, and zeros to the next block.
    fn part(kind: EntryType, name: &str, content: &[u8]) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_path(name).unwrap();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let mut part = [header.as_bytes(), content].concat();
        part.resize(part.len().next_multiple_of(512), 0);
        part
    }

    fn unpack(tar: &[u8], room: u64) -> (Result<(), String>, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = cleared(folder.path(), unpack_entries(tar, folder.path(), room));
        let left = sorted_entries(folder.path()).unwrap();
        (unpacked.map_err(|error| error.to_string()), left)
    }

    #[test]
    fn an_archive_takes_no_more_than_there_is_room_for() {
        let file = part(EntryType::Regular, "model.bin", &vec![0; 3 * MIB]);
        assert_eq!(unpack(&file, 4 * MIB as u64).0, Ok(()));
        let (refused, left) = unpack(&file, 2 * MIB as u64);
        assert!(refused.unwrap_err().contains("does not fit on the disk"));
        assert!(left.is_empty(), "half of it is left: {left:?}");
        let empty = part(EntryType::Regular, "empty", b"").repeat(10);
        assert!(unpack(&empty, 9 * BLOCK).0.is_err(), "ten empty files take ten blocks");
        // Which says that it is 1 TB, with nothing in it.
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::GNUSparse);
        header.set_path("sparse").unwrap();
        header.set_size(0);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.set_real_size(1 << 40);
        gnu.sparse[0].offset = *b"20000000000\0";
        gnu.sparse[0].numbytes = *b"00000000001\0";
        header.set_size(1);
        header.set_cksum();
        let mut sparse = header.as_bytes().to_vec();
        sparse.resize(1024, 0);
        assert!(unpack(&sparse, 1 << 30).0.is_err());
    }

    #[test]
    fn names_do_not_fill_the_memory() {
        let named = |length| {
            let mut name = part(EntryType::GNULongName, "././@LongLink", &vec![b'a'; length]);
            name.extend(part(EntryType::Regular, "short", b"content"));
            name
        };
        assert_eq!(unpack(&named(200), 1 << 30).0, Ok(()));
        let (refused, _) = unpack(&named(2 * MIB), 1 << 30);
        assert!(refused.unwrap_err().contains("header of the archive is too large"));
    }

    #[test]
    fn what_a_zip_says_about_its_sizes_is_not_believed() {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        zip.start_file("app.py", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&vec![0; MIB]).unwrap();
        let mut bytes = zip.finish().unwrap().into_inner();
        let size = |bytes: &[u8], most| {
            unzipped_size(&mut zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap(), most)
        };
        assert_eq!(size(&bytes, MIB as u64).unwrap(), Some(MIB as u64));
        assert_eq!(size(&bytes, MIB as u64 - 1).unwrap(), None);
        // The size in the central directory.
        let directory = bytes.windows(4).position(|at| at == b"PK\x01\x02").unwrap();
        bytes[directory + 24..directory + 28].copy_from_slice(&5_u32.to_le_bytes());
        assert_eq!(size(&bytes, MIB as u64 - 1).unwrap(), None, "it is as large as before");
        let lies = size(&bytes, MIB as u64).unwrap_err().to_string();
        assert_eq!(lies, "app.py has 1048576 bytes and is said to have 5");
    }
}
