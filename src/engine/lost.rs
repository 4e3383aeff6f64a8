//! What has lost its tags and is not in the config, and what it uses all the same.

use std::collections::BTreeSet;

use super::{Found, Registry};
use crate::desired::{AnySeen, Desired};
use crate::domain::{KindName, ResourceId};
use crate::plan::{Lost, Observation, Observed};

/// What the leftovers were made for and no list has. `is_listed` are all that some list has.
pub(super) fn unlisted(
    want: &Desired,
    have: &Observed,
    is_listed: impl Fn(KindName, &str) -> bool,
    registry: &Registry,
) -> Vec<(KindName, Found)> {
    let mut names: BTreeSet<(KindName, String)> = BTreeSet::new();
    for leftover in &have.leftovers {
        let seen = have.seen_leftovers.get(&leftover.id);
        let texts = seen.map(|seen| seen.made_for(&leftover.physical)).unwrap_or_default();
        for (text, driver) in texts.iter().flat_map(|text| registry.0.iter().map(move |it| (text, it))) {
            let name = driver.named_in(text, &want.scope);
            names.extend(name.map(|name| (driver.name(), name.into_owned())));
        }
    }
    let is_wanted = |kind: KindName, name: &str| {
        want.nodes.iter().any(|node| node.id.kind == kind && node.physical == name)
    };
    let mut known = BTreeSet::new();
    names.retain(|(kind, name)| {
        let one = if registry.of(*kind).ignores_capitals() { name.to_lowercase() } else { name.clone() };
        !is_listed(*kind, name) && !is_wanted(*kind, name) && known.insert((*kind, one))
    });
    names.into_iter().map(|(kind, name)| (kind, Found::new(name))).collect()
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
    let mut open = vec![(of.kind, of.name.as_str(), seen.uses(&of.name))];
    while let Some((kind, name, uses)) = open.pop() {
        for (id, physical, seen) in ours.iter().copied() {
            let driver = registry.of(id.kind);
            let named = |(of, text): &(KindName, String)| *of == id.kind && names(text, physical);
            let is_named = id.kind < kind && uses.iter().any(named);
            let is_part = driver.part_of() == Some(kind) && driver.whole_of(physical) == Some(name);
            if (is_named || is_part) && used.insert(id.clone()) {
                open.push((id.kind, physical, seen.uses(physical)));
            }
        }
    }
    if !used.is_empty() {
        let all = want.nodes.iter().map(|node| &node.id);
        used.extend(all.filter(|id| registry.of(id.kind).used_by_all()).cloned());
    }
    used
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
        let arn = "arn:aws:iam::1:role/p-dev-e-us-east-1";
        assert!(names(arn, "p-dev-e-us-east-1") && names("p-dev-e", "p-dev-e"));
        assert!(!names(arn, "p-dev-e") && !names(arn, "dev-e-us-east-1"));
    }
}
