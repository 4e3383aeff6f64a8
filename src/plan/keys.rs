//! Objects stay under the KMS key that they were written with: one that they may be under is not given up,
//! and the one that a bucket of others has is one that jobs may use.

use std::collections::BTreeSet;

use super::{Observation, Observed};
use crate::config::Encryption;
use crate::desired::{AnySeen, Desired, Node};
use crate::domain::{Diagnostic, Owner, codes, few};

/// What of this keeps a deploy from being planned.
pub fn refused(want: &Desired, have: &Observed, adopt: bool) -> Vec<Diagnostic> {
    let there = || {
        want.nodes.iter().filter_map(|node| match have.observations.get(&node.id) {
            Some(Observation::Present(seen)) => Some((node, seen)),
            _ => None,
        })
    };
    let is_used = |owner: &Owner| owner.is_managed() || (adopt && !matches!(owner, Owner::Other(_)));
    let others = there().filter(|(_, seen)| is_used(seen.owner()) && !seen.owner().is_made());
    let denied: Vec<(String, Diagnostic)> = others
        .filter_map(|(node, seen)| {
            let key = arn(want, seen.encrypts_with()?);
            let text = denied(want, node, &key)?;
            let help = "make it the `kms_key` of [encryption], or allow this on it by `permissions` of each \
                        section";
            let at = want.origin.get(&node.id).cloned().unwrap_or_else(Encryption::at);
            Some((key, Diagnostic::error(codes::STRANDED, at, text, help)))
        })
        .collect();
    // What is over was read by what takes its place. A run for parts, such as `scale`, has no place for it.
    let is_planned = |seen: &AnySeen| want.nodes.iter().any(|node| node.id.kind == seen.kind());
    let left = have.seen_leftovers.values().filter(|seen| is_planned(seen));
    let managed = there().map(|(_, seen)| seen).chain(left).filter(|seen| seen.owner().is_managed());
    let keys: BTreeSet<String> = managed.flat_map(|seen| seen.keys()).map(|key| arn(want, &key)).collect();
    let is_named =
        |key: &&String| !want.kms_key.iter().chain(&want.former_kms_keys).any(|named| named == *key);
    let is_told = |key: &&String| !denied.iter().any(|(told, _)| told == *key);
    let given_up = keys.iter().filter(is_named).filter(is_told).map(|key| {
        let text = format!("objects may be under {key}, which no role could decrypt after this change");
        let help = "add it to `former_kms_keys` in [encryption]: the roles may then decrypt with it";
        Diagnostic::error(codes::STRANDED, Encryption::at(), text, help)
    });
    let given_up: Vec<Diagnostic> = given_up.collect();
    denied.into_iter().map(|(_, problem)| problem).chain(given_up).collect()
}

/// S3 says a key by its ARN, or by its id, as somebody has set it.
fn arn(want: &Desired, key: &str) -> String {
    let mut named = want.kms_key.iter().chain(&want.former_kms_keys);
    match named.find(|arn| arn.rsplit('/').next() == Some(key)) {
        Some(arn) => arn.clone(),
        None if key.starts_with("arn:") => key.to_owned(),
        None => want.scope.arn("kms", &format!("key/{key}")),
    }
}

/// Who could not use the key of a bucket of others, in words.
fn denied(want: &Desired, bucket: &Node, key: &str) -> Option<String> {
    let (mut who, mut what) = (Vec::new(), BTreeSet::new());
    for node in &want.nodes {
        let lacks = node.spec.lacks_of_key(&bucket.physical, key);
        who.extend((!lacks.is_empty()).then(|| node.id.to_string()));
        what.extend(lacks.into_iter().map(|action| action.name));
    }
    let (who, what) = (few(&who, 3), what.into_iter().collect::<Vec<_>>().join(", "));
    let (words, name) = (bucket.id.kind.words(), &bucket.physical);
    let text =
        format!("{words} `{name}` has a key of its own, {key}, which is not for {who} to use ({what})");
    (!what.is_empty()).then_some(text)
}
