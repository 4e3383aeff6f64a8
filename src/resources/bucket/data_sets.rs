//! What below the prefixes of data sets is opsctl's, as a bucket with versions keeps it: what is there, and
//! what an upload has deleted since.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Keys, Known, empty};
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
    /// What opsctl has put there and nobody has replaced, by its path; that of which only old versions are
    /// left included.
    pub paths: HashMap<String, Known>,
    /// Paths of objects that are there as opsctl has not put them there. The console's "folders" are nobody's
    /// work.
    pub others: HashSet<String>,
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
    // Of what is not there, parts may be.
    let mut paths: HashMap<_, _> =
        uploaded.paths.keys().map(|path| (path.clone(), Known::default())).collect();
    let (mut others, mut gone, mut unsure) = (HashSet::new(), HashMap::new(), Vec::new());
    let mut has_foreign = false;
    for (key, versions) in empty::keys(cx, bucket, prefix, None).await? {
        let Some(path) = key.strip_prefix(prefix) else { continue };
        let (current, old): (Vec<_>, Vec<_>) = versions.into_iter().partition(|version| version.current);
        let etag = current.into_iter().next().map(|version| version.etag);
        let is_foreign =
            |etag: &String| *bucket_owner != Owner::Ours && uploaded.is_ours(path, etag) != IsOurs::Yes;
        let (foreign, mut ours): (Vec<_>, Vec<_>) =
            old.into_iter().map(|version| version.etag).partition(is_foreign);
        let foreign = HashSet::from_iter(foreign);
        has_foreign |= !foreign.is_empty();
        let is_ours = etag.as_deref().map(|etag| uploaded.is_ours(path, etag));
        ours.extend(etag);
        let known = Known { ours, foreign };
        match is_ours {
            _ if path.is_empty() || path.ends_with('/') => {}
            Some(IsOurs::No) => drop(others.insert(path.to_owned())),
            Some(IsOurs::IfMeant) => unsure.push((key.clone(), path.to_owned(), known)),
            None if !uploaded.paths.contains_key(path) => drop(gone.insert(path.to_owned(), known)),
            Some(IsOurs::Yes) | None => drop(paths.insert(path.to_owned(), known)),
        }
    }
    let asked = unsure.into_iter().map(async |(key, path, known)| {
        OpResult::Ok((uploaded.was_meant(cx, bucket, &key, &path).await?, path, known))
    });
    let asked: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await?;
    for (meant, path, known) in asked {
        match meant {
            true => drop(paths.insert(path, known)),
            false => drop(others.insert(path)),
        }
    }
    paths.retain(|path, _| !others.contains(path));
    let is_others = uploaded.is_others;
    let is_ours = has_manifest || (is_wanted && *bucket_owner == Owner::Ours);
    let mut below = Below { manifest: uploaded.manifest, is_ours, paths, others };
    if below.is_ours && *bucket_owner == Owner::Ours {
        below.paths.extend(gone);
    } else if !is_others && (!gone.is_empty() || !has_manifest || has_foreign) {
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
    mut gone: HashMap<String, Known>,
    below: &mut Below,
) -> OpResult<()> {
    for version in empty::old_versions(cx, bucket, &Manifest::key(prefix)).await? {
        let is_clear = below.paths.values().chain(gone.values()).all(|known| known.foreign.is_empty());
        if below.is_ours && gone.is_empty() && is_clear {
            break;
        }
        let manifest = uploads::written(cx, bucket, prefix, Some(version)).await?;
        let Some(manifest) = manifest.filter(|m| uploads::is_own(cx, m, bucket_owner)) else { continue };
        below.is_ours = true;
        if *bucket_owner == Owner::Ours {
            below.paths.extend(gone);
            break;
        }
        let named = manifest.files.keys().chain(manifest.meant.keys());
        below.paths.extend(named.filter_map(|path| gone.remove_entry(path)));
        for (path, stored) in &manifest.files {
            if let Some(known) = below.paths.get_mut(path) {
                known.ours.extend(known.foreign.take(&stored.etag));
            }
        }
    }
    Ok(())
}
