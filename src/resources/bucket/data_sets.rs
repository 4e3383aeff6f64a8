//! What below the prefixes of data sets is opsctl's, as a bucket with versions keeps it: what is there, and
//! what an upload has deleted since.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::empty::Version;
use super::{Keys, Known, empty};
use crate::aws::OpResult;
use crate::domain::{KindName, Owner};
use crate::engine::OpCx;
use crate::resources::manifest::Manifest;
use crate::resources::uploads::{self, IsOurs, Uploaded};

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
    let (mut others, mut gone) = (HashSet::new(), HashMap::new());
    let is_made = *bucket_owner == Owner::Ours;
    let mut has_foreign = false;
    let found = empty::keys(cx, bucket, prefix, None).await?;
    let sent = sent(cx, bucket, prefix, &uploaded, &found).await?;
    let mut unsure = Vec::new();
    for (key, versions) in found {
        let Some(path) = key.strip_prefix(prefix) else { continue };
        let is_ours = |etag: &str| match uploaded.is_ours(path, etag) {
            IsOurs::IfMeant => sent.contains(&(path.to_owned(), etag.to_owned())),
            is_ours => is_ours == IsOurs::Yes,
        };
        let is_folder = path.is_empty() || versions.iter().all(Version::is_folder);
        let (current, old): (Vec<_>, Vec<_>) = versions.into_iter().partition(|version| version.current);
        let etag = current.into_iter().next().map(|version| version.etag);
        let is_current_ours = etag.as_deref().map(is_ours);
        // Where somebody has put his own, his old versions may be below it.
        let goes_whole = is_made && is_current_ours != Some(false);
        let (foreign, ours): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|version| !goes_whole && !is_ours(&version.etag));
        has_foreign |= !foreign.is_empty();
        let mut ours: Vec<String> = ours.into_iter().map(|version| version.etag).collect();
        unsure.extend(foreign.iter().map(|old| (path.to_owned(), old.old_id(), old.etag.clone())));
        let foreign = foreign.into_iter().map(|version| version.etag).collect();
        ours.extend(etag.filter(|_| is_current_ours != Some(false)));
        let known = Known { ours, foreign };
        match is_current_ours {
            _ if is_folder => {}
            None if !uploaded.paths.contains_key(path) => drop(gone.insert(path.to_owned(), known)),
            is_ours => {
                if is_ours == Some(false) {
                    others.insert(path.to_owned());
                }
                if uploaded.paths.contains_key(path) {
                    paths.insert(path.to_owned(), known);
                }
            }
        }
    }
    let is_others = uploaded.is_others;
    let is_ours = has_manifest || (is_wanted && !uploaded.is_others && *bucket_owner == Owner::Ours);
    let mut below = Below { manifest: uploaded.manifest, is_ours, paths, others };
    if below.is_ours && *bucket_owner == Owner::Ours {
        below.paths.extend(gone);
    } else if !is_others && (!gone.is_empty() || !has_manifest || has_foreign) {
        claim(cx, bucket, prefix, bucket_owner, &mut gone, &mut below).await?;
    }
    if !is_others {
        claim_sent(cx, bucket, prefix, unsure, &mut below).await?;
    }
    Ok(below)
}

/// Objects that uploads which did not come to their end have sent, by path and entity tag.
async fn sent(
    cx: &OpCx<'_>,
    bucket: &str,
    prefix: &str,
    uploaded: &Uploaded,
    found: &BTreeMap<String, Vec<Version>>,
) -> OpResult<HashSet<(String, String)>> {
    let asked = found.iter().flat_map(|(key, versions)| versions.iter().map(move |version| (key, version)));
    let asked = asked.filter(|(_, version)| version.current).filter_map(|(key, version)| {
        let path = key.strip_prefix(prefix)?;
        let is_unsure = uploaded.is_ours(path, &version.etag) == IsOurs::IfMeant;
        is_unsure.then(|| (key.clone(), path.to_owned(), version.etag.clone()))
    });
    let asked = asked.collect::<Vec<_>>().into_iter().map(async |(key, path, etag)| {
        let meant = uploaded.was_meant(cx, bucket, &key, &path).await?;
        OpResult::Ok(meant.then_some((path, etag)))
    });
    let asked: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(asked.into_iter().flatten().collect())
}

/// Adds old versions that say themselves whose they are, under paths that a manifest has named: uploads that
/// did not come to their end have sent them, and no manifest has confirmed them. Each is a path, the id of a
/// version, and its entity tag.
async fn claim_sent(
    cx: &OpCx<'_>,
    bucket: &str,
    prefix: &str,
    mut unsure: Vec<(String, Option<String>, String)>,
    below: &mut Below,
) -> OpResult<()> {
    let known = |path: &str| below.paths.get(path);
    unsure.retain(|(path, _, etag)| known(path).is_some_and(|known| known.foreign.contains(etag)));
    let asked = unsure.into_iter().map(async |(path, id, etag)| {
        let ours = uploads::says_ours(cx, bucket, &format!("{prefix}{path}"), id).await?;
        OpResult::Ok(ours.then_some((path, etag)))
    });
    let asked: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await?;
    for (path, etag) in asked.into_iter().flatten() {
        if let Some(known) = below.paths.get_mut(&path) {
            known.ours.extend(known.foreign.take(&etag));
        }
    }
    Ok(())
}

/// Adds what earlier manifests of this project's name. A bucket with versions keeps them as long as what they
/// name.
async fn claim(
    cx: &OpCx<'_>,
    bucket: &str,
    prefix: &str,
    bucket_owner: &Owner,
    gone: &mut HashMap<String, Known>,
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
            below.paths.extend(gone.drain());
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
