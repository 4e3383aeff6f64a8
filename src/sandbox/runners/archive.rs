//! Archives as SageMaker and Lambda use them: `.tar.gz` in and out, `.zip` in.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Unpacks a `.tar.gz` into `target`, which is created. Entries that would leave `target` are not unpacked.
pub async fn unpack_tar_gz(archive: &Path, target: &Path) -> io::Result<()> {
    let (archive, target) = (archive.to_owned(), target.to_owned());
    blocking(move || {
        std::fs::create_dir_all(&target)?;
        let mut tar = tar::Archive::new(GzDecoder::new(File::open(&archive)?));
        tar.set_preserve_mtime(false);
        // Its errors hide the system's ("No space left on device") behind the file's name.
        tar.unpack(&target).map_err(|error| match std::error::Error::source(&error) {
            Some(cause) => io::Error::new(error.kind(), format!("{error}: {cause}")),
            None => error,
        })
    })
    .await
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

/// Unpacks a `.zip` into `target`, which is created. Entries that would leave `target` are an error.
pub async fn unpack_zip(archive: &Path, target: &Path) -> io::Result<()> {
    let (archive, target) = (archive.to_owned(), target.to_owned());
    blocking(move || {
        std::fs::create_dir_all(&target)?;
        let mut zip = zip::ZipArchive::new(File::open(&archive)?).map_err(io::Error::other)?;
        zip.extract(&target).map_err(io::Error::other)
    })
    .await
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
