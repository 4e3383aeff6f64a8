//! Downloads a data set, and verifies it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;

use super::{PullRefusal, is_there};
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::domain::{KindName, ResourceId, Stored};
use crate::engine::OpCx;
use crate::inputs::{Output, led_to, remove_left};
use crate::resources::data::{Data, Spec, sync};
use crate::resources::manifest::Manifest;
use crate::run::{Session, bucket_is_ours};
use crate::transfer::{Object, Ranges, download, output};

/// Files at the same time.
const AT_ONCE: usize = 16;

/// What was fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    pub files: usize,
    pub bytes: u64,
    /// Files that were there already.
    pub same: usize,
    /// An upload has begun and did not come to its end: the files may be of two versions of the folder.
    pub unfinished: bool,
}

/// Why there is nothing to fetch.
#[derive(Debug)]
pub enum NoData {
    /// It lies in somebody's bucket, where trainings read it.
    Elsewhere,
    /// It was never uploaded to this place.
    Absent { uri: String },
    /// Another version of opsctl may have written its manifest.
    OtherFormat,
    /// The manifest names it, and somebody has deleted it.
    Deleted { object: String },
}

/// Fetches the files of a data set that the config names into a folder. Those that are there already are left
/// alone; nothing is deleted. Others are replaced if they may be.
///
/// # Errors
/// See [`PullRefusal`].
pub async fn pull(
    session: &Session,
    name: &str,
    folder: &Path,
    may_replace: bool,
) -> Result<Pulled, PullRefusal<NoData>> {
    let id = ResourceId::new(KindName::Data, name);
    let node = session.desired.node(&id).and_then(|node| node.spec_as::<Data>());
    // What has a `uri` is no resource of the project.
    let Some(spec) = node else { return Err(PullRefusal::Nothing(NoData::Elsewhere)) };
    let cx = OpCx::new(&session.context, id.clone());
    bucket_is_ours(session).await?;
    let manifest = manifest(&cx, spec).await?;
    let (wanted, place) = (manifest.files.clone(), folder.to_owned());
    let looking = spawn_blocking(move || {
        let folders = folders(&wanted, &place);
        if let Some(link) = leads_out(&folders, &place) {
            return Err(PullRefusal::LeadsOut(link));
        }
        let differ = if may_replace { Vec::new() } else { differing(&wanted, &place) };
        if !differ.is_empty() {
            return Err(PullRefusal::InTheWay(differ));
        }
        folders.iter().for_each(|folder| remove_left(folder));
        Ok(())
    });
    looking.await.expect("looking does not panic")?;
    let folder = &make(folder)
        .map_err(|error| OpError::local("making a folder", format!("{}: {error}", folder.display())))?;
    // It ends by itself, and keeps what it has.
    session.context.cancel.commit()?;
    let (files, bytes) = fetch(&cx, spec, &manifest, folder).await?;
    Ok(Pulled { files, bytes, same: manifest.files.len() - files, unfinished: manifest.is_open() })
}

/// What the bucket has of a data set.
async fn manifest(cx: &OpCx<'_>, spec: &Spec) -> Result<Manifest, PullRefusal<NoData>> {
    let there = sync::read(cx, &spec.uri()).await?;
    if there.etag.is_none() {
        return Err(PullRefusal::Nothing(NoData::Absent { uri: spec.uri() }));
    }
    if there.manifest.format != Manifest::FORMAT {
        return Err(PullRefusal::Nothing(NoData::OtherFormat));
    }
    Ok(there.manifest)
}

/// Downloads what the folder does not have yet: the number of files, and their bytes.
async fn fetch(
    cx: &OpCx<'_>,
    spec: &Spec,
    manifest: &Manifest,
    folder: &Path,
) -> Result<(usize, u64), PullRefusal<NoData>> {
    let ranges = &Ranges::default();
    // Boxed, because the compiler cannot yet name the futures of a stream of borrows (rust-lang/rust#102211).
    let files = manifest.files.iter().map(|(path, stored)| {
        async move {
            let file = folder.join(inside(path)?);
            let (local, wanted) = (file.clone(), stored.clone());
            if spawn_blocking(move || is_there(&local, &wanted)).await.expect("reading does not panic") {
                return Ok((0, 0));
            }
            let key = format!("{}{path}", spec.prefix);
            let output = output(&file, Output::inside)?;
            let place = (&*spec.bucket, &*key);
            match download(cx, place, &Object::from(stored), output, ranges).await {
                Err(error) if error.kind == OpErrorKind::NotFound => {
                    let object = format!("s3://{}/{key}", spec.bucket);
                    Err(PullRefusal::Nothing(NoData::Deleted { object }))
                }
                done => done.map(|_| (1, stored.size)).map_err(PullRefusal::Op),
            }
        }
        .boxed()
    });
    stream::iter(files.collect::<Vec<_>>())
        .buffer_unordered(AT_ONCE)
        .try_fold((0, 0), |(n, size), (one, more)| async move { Ok((n + one, size + more)) })
        .await
}

/// A path of the manifest, if it stays inside the folder: whoever may write to the bucket must not write
/// elsewhere.
fn inside(path: &str) -> OpResult<&Path> {
    let path = Path::new(path);
    let is_file = !path.as_os_str().is_empty() && !path.as_os_str().as_encoded_bytes().ends_with(b"/");
    if is_file && path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(path);
    }
    let message = format!("the manifest names {}, which leads out of the folder", path.display());
    Err(OpError::new("data pull", OpErrorKind::Invalid, message))
}

/// The folders that the files go to.
fn folders(files: &BTreeMap<String, Stored>, folder: &Path) -> BTreeSet<PathBuf> {
    let inside = files.keys().filter_map(|path| inside(path).ok()?.parent());
    inside.map(|parent| folder.join(parent)).collect()
}

/// The first folder on the way to a file that is a link out of `folder`: what would be written there is
/// somebody else's.
fn leads_out(folders: &BTreeSet<PathBuf>, folder: &Path) -> Option<PathBuf> {
    let Ok(home) = folder.canonicalize() else { return None };
    let inside = folders.iter().flat_map(|inside| inside.ancestors().take_while(|above| *above != folder));
    let mut links = inside.filter(|inside| inside.is_symlink());
    let leads_out = |link: &&Path| !link.canonicalize().is_ok_and(|real| real.starts_with(&home));
    links.find(leads_out).map(Path::to_owned)
}

/// Makes the folder that the user named; a link is followed, as every file's that they name.
fn make(folder: &Path) -> io::Result<PathBuf> {
    let place = led_to(folder);
    std::fs::create_dir_all(&place)?;
    Ok(place)
}

/// The files of a folder that are other than in the bucket.
fn differing(wanted: &BTreeMap<String, Stored>, folder: &Path) -> Vec<String> {
    // What leads out of the folder is refused before it is fetched.
    let files = wanted.iter().filter_map(|(path, stored)| Some((folder.join(inside(path).ok()?), stored)));
    let there = files.filter(|(file, _)| file.symlink_metadata().is_ok());
    let differing = there.filter(|(file, stored)| !is_there(file, stored));
    differing.map(|(file, _)| file.display().to_string()).collect()
}
