//! What below the prefixes of data sets is opsctl's, as a bucket with versions keeps it: what is there, and
//! what an upload has deleted since.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::empty::Version;
use super::{Keys, empty};
use crate::aws::OpResult;
use crate::domain::{KindName, Owner};
use crate::engine::OpCx;
use crate::resources::manifest::Manifest;
use crate::resources::uploads::{self, IsOurs};

/// Objects that are asked for at the same time.
const AT_ONCE: usize = 32;

/// What is below the prefix of a data set.
#[derive(Debug, Default)]
pub struct Below {
    /// The manifest, where it is this project's.
    pub manifest: Option<Manifest>,
    /// Whether all is this project's that is not there any more: a manifest of it is there, or was.
    pub is_ours: bool,
    /// Paths of what opsctl has put there and nobody has replaced, those of old versions included.
    pub paths: HashSet<String>,
    /// Paths of objects that are there as opsctl has not put them there. The console's "folders" are nobody's
    /// work.
    pub others: HashSet<String>,
    /// Entity tags of old versions, by path, that are not opsctl's: somebody had them there before, or
    /// between two uploads. Only in a bucket of others; in one that opsctl made, they go with it.
    pub foreign: HashMap<String, HashSet<String>>,
}

impl Below {
    /// Whether a version of a path of ours is ours too; a marker that hides what is somebody's is not.
    pub fn has(&self, path: &str, version: Option<&Version>) -> bool {
        let Some((version, foreign)) = version.zip(self.foreign.get(path)) else { return true };
        !version.is_marker && !foreign.contains(&version.etag)
    }
}

/// The names of the data sets that are or were in a bucket, by their manifests.
pub async fn names(cx: &OpCx<'_>, bucket: &str) -> OpResult<BTreeSet<String>> {
    let keys = empty::keys(cx, bucket, "data/", Some("/")).await?;
    Ok(keys.keys().filter_map(|key| Keys::data_set_of(key)).map(str::to_owned).collect())
}

/// What is below `prefix`, such as `data/dogs/`. In a bucket that opsctl made, what is not there any more is
/// ours wherever a data set is, or was; in another's only what a manifest has named.
pub async fn below(cx: &OpCx<'_>, bucket: &str, prefix: &str, bucket_owner: &Owner) -> OpResult<Below> {
    let uri = format!("s3://{bucket}/{prefix}");
    let uploaded = uploads::uploaded(cx, &uri, bucket_owner).await?;
    let is_wanted = cx.wanted(KindName::Data).any(|wanted| wanted == uri);
    let has_manifest = uploaded.manifest.is_some();
    let mut paths: HashSet<String> = uploaded.paths.keys().cloned().collect();
    let (mut others, mut gone, mut unsure) = (HashSet::new(), HashSet::new(), Vec::new());
    let mut foreign: HashMap<String, HashSet<String>> = HashMap::new();
    for (key, versions) in empty::keys(cx, bucket, prefix, None).await? {
        let Some(path) = key.strip_prefix(prefix) else { continue };
        let old = versions.iter().filter(|version| !version.current && *bucket_owner != Owner::Ours);
        let old = old.map(|version| version.etag.clone());
        let unknown: HashSet<_> = old.filter(|etag| uploaded.is_ours(path, etag) != IsOurs::Yes).collect();
        if !unknown.is_empty() {
            foreign.insert(path.to_owned(), unknown);
        }
        match versions.into_iter().find(|version| version.current).map(|version| version.etag) {
            Some(_) if path.is_empty() || path.ends_with('/') => {}
            Some(etag) => match uploaded.is_ours(path, &etag) {
                IsOurs::Yes => {}
                IsOurs::IfMeant => unsure.push((key.clone(), path.to_owned())),
                IsOurs::No => drop(others.insert(path.to_owned())),
            },
            None if paths.contains(path) => {}
            None => drop(gone.insert(path.to_owned())),
        }
    }
    let asked = unsure
        .into_iter()
        .map(async |(key, path)| OpResult::Ok((uploaded.was_meant(cx, bucket, &key, &path).await?, path)));
    let asked: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await?;
    others.extend(asked.into_iter().filter(|(meant, _)| !meant).map(|(_, path)| path));
    paths.retain(|path| !others.contains(path));
    let is_others = uploaded.is_others;
    let is_ours = has_manifest || (is_wanted && *bucket_owner == Owner::Ours);
    let mut below = Below { manifest: uploaded.manifest, is_ours, paths, others, foreign };
    if below.is_ours && *bucket_owner == Owner::Ours {
        below.paths.extend(gone);
    } else if !is_others && (!gone.is_empty() || !has_manifest || !below.foreign.is_empty()) {
        claim(cx, bucket, prefix, bucket_owner, gone, &mut below).await?;
    }
    Ok(below)
}

/// Adds what earlier manifests of this project's name. A bucket with versions keeps them as long as what they
/// name.
async fn claim(
    cx: &OpCx<'_>,
    bucket: &str,
    prefix: &str,
    bucket_owner: &Owner,
    mut gone: HashSet<String>,
    below: &mut Below,
) -> OpResult<()> {
    for version in empty::old_versions(cx, bucket, &Manifest::key(prefix)).await? {
        if below.is_ours && gone.is_empty() && below.foreign.is_empty() {
            break;
        }
        let manifest = uploads::written(cx, bucket, prefix, Some(version)).await?;
        let Some(manifest) = manifest.filter(|m| uploads::is_own(cx, m, bucket_owner)) else { continue };
        below.is_ours = true;
        if *bucket_owner == Owner::Ours {
            below.paths.extend(gone);
            break;
        }
        for (path, stored) in &manifest.files {
            if let Some(foreign) = below.foreign.get_mut(path) {
                foreign.remove(&stored.etag);
            }
        }
        below.foreign.retain(|_, etags| !etags.is_empty());
        let named = manifest.files.keys().chain(manifest.meant.keys());
        below.paths.extend(named.filter_map(|path| gone.take(path)));
    }
    Ok(())
}
