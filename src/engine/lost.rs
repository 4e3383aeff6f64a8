//! What has lost its tags and is not in the config, and what it uses all the same.

use std::collections::BTreeSet;

use super::{AnyDriver, Found, Registry};
use crate::desired::{AnySeen, Desired};
use crate::domain::{KindName, Owner, Phase, ResourceId};
use crate::plan::{Leftover, Lost, Observation, Observed};

/// Whether what was seen under a name like this project's may be its own, and at work.
pub(super) fn is_lost(driver: &dyn AnyDriver, seen: &AnySeen) -> bool {
    let has_lost_tags = matches!(seen.owner(), Owner::Nobody | Owner::Partly { .. });
    let is_at_work = match driver.name() {
        // One that has ended uses nothing.
        KindName::Training | KindName::Instance => seen.status().phase == Phase::Busy,
        _ => seen.status().phase != Phase::Leaving,
    };
    // What a bucket, a log group or a role is for, its users say.
    driver.name() > KindName::Role && driver.owned_with().is_none() && has_lost_tags && is_at_work
}

/// What a leftover was made for and no list has without its tags. Its name tells.
pub(super) fn unlisted(want: &Desired, leftovers: &[Leftover]) -> Vec<(KindName, Found)> {
    // Functions are listed by their tags.
    let (kind, scope) = (KindName::Function, &want.scope);
    let (before, after) = (scope.physical(&format!("{kind}-")), format!("-{}", scope.region));
    let roles = leftovers.iter().filter(|leftover| leftover.id.kind == KindName::Role);
    let users = roles.filter_map(|role| role.physical.strip_prefix(&before)?.strip_suffix(&after));
    let is_known = |name: &String| {
        let is_left = leftovers.iter().any(|it| it.id.kind == kind && it.physical == *name);
        is_left || want.nodes.iter().any(|node| node.id.kind == kind && node.physical == *name)
    };
    let unlisted = users.map(|name| scope.physical(name)).filter(|name| !is_known(name));
    unlisted.map(|name| (kind, Found::new(name))).collect()
}

/// Those of them that use what is this project's: what was read of each names that.
pub(super) fn users(
    lost: &[(ResourceId, AnySeen)],
    want: &Desired,
    have: &Observed,
    registry: &Registry,
) -> Vec<Lost> {
    let lost = lost.iter().filter_map(|(id, seen)| {
        let uses = uses(id, seen, want, have, registry);
        let (id, owner) = (id.clone(), seen.owner().clone());
        (!uses.is_empty()).then_some(Lost { id, owner, uses })
    });
    lost.collect()
}

fn uses(
    of: &ResourceId,
    seen: &AnySeen,
    want: &Desired,
    have: &Observed,
    registry: &Registry,
) -> BTreeSet<ResourceId> {
    let wanted = want.nodes.iter().filter_map(|node| match have.observations.get(&node.id) {
        Some(Observation::Present(seen)) if seen.owner().is_managed() => {
            Some((&node.id, node.physical.as_str(), seen))
        }
        _ => None,
    });
    let leftovers = have.leftovers.iter();
    let leftovers =
        leftovers.filter_map(|it| Some((&it.id, it.physical.as_str(), have.seen_leftovers.get(&it.id)?)));
    let ours: Vec<(&ResourceId, &str, &AnySeen)> = wanted.chain(leftovers).collect();
    let mut used: BTreeSet<ResourceId> = BTreeSet::new();
    let mut open = vec![(of.kind, of.name.as_str(), text(seen))];
    while let Some((kind, name, text)) = open.pop() {
        for (id, physical, seen) in ours.iter().copied() {
            let driver = registry.of(id.kind);
            let is_named = id.kind < kind && names(&text, physical);
            let is_its_log = id.kind == KindName::LogGroup
                && physical.strip_suffix(name).is_some_and(|rest| rest.ends_with('/'));
            let is_part = driver.part_of() == Some(kind) && driver.whole_of(physical) == Some(name);
            if (is_named || is_its_log || is_part) && used.insert(id.clone()) && id.kind > KindName::Role {
                open.push((id.kind, physical, self::text(seen)));
            }
        }
    }
    if !used.is_empty() {
        // Archives and data are read from it, whoever names them.
        used.extend(want.nodes.iter().map(|node| &node.id).filter(|id| id.kind == KindName::Bucket).cloned());
    }
    used
}

fn text(seen: &AnySeen) -> String {
    seen.json().map(|value| value.to_string()).unwrap_or_default()
}

/// Whether a text has this name in it, and not as a part of a longer one.
fn names(text: &str, name: &str) -> bool {
    let is_longer = |c: char| c.is_alphanumeric() || "-_".contains(c);
    text.match_indices(name).any(|(start, _)| {
        let (before, after) = (&text[..start], &text[start + name.len()..]);
        !before.ends_with(is_longer) && !after.starts_with(is_longer)
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_name_is_found_whole() {
        let text = r#"{"role_arn":"arn:aws:iam::1:role/p-dev-e-us-east-1","config":"p-dev-e-0123456789"}"#;
        assert!(names(text, "p-dev-e-us-east-1") && names(text, "p-dev-e-0123456789"));
        assert!(!names(text, "p-dev-e") && !names(text, "dev-e-us-east-1"));
    }
}
