//! The tags of the user's own (`[project] tags`), beside those that say whose something is. Tags of others on
//! the same resource are left alone, so one tag lists the keys that opsctl has put
//! (docs/decisions/0061-tags-of-the-users-own.md).

use std::collections::{BTreeMap, BTreeSet};

use super::change::{FieldChange, Needs};
use super::id::{ResourceId, Scope};

/// Values by their keys.
pub type Tags = BTreeMap<String, String>;

/// The tag with the keys of the others.
pub const KEYS_TAG: &str = "opsctl:tags";
/// What the tags of opsctl itself begin with.
pub const OWN: &str = "opsctl:";
/// What AWS's begin with, in any case.
pub const AWSS: &str = "aws:";
/// With it begins the path of a change.
const PATH: &str = "tags.";

/// The keys as one value: AWS takes no other separator than a space, and keys may have spaces.
pub fn list<'k>(keys: impl IntoIterator<Item = &'k String>) -> String {
    let escaped = |key: &String| key.replace('=', "=e").replace(' ', "=s");
    keys.into_iter().map(escaped).collect::<Vec<_>>().join(" ")
}

fn listed(list: &str) -> BTreeSet<String> {
    let plain = |key: &str| key.replace("=s", " ").replace("=e", "=");
    list.split(' ').filter(|key| !key.is_empty()).map(plain).collect()
}

/// With the tag that lists them; nothing for none.
pub fn with_list(tags: &Tags) -> Tags {
    let list = (!tags.is_empty()).then(|| (KEYS_TAG.to_owned(), list(tags.keys())));
    tags.clone().into_iter().chain(list).collect()
}

/// Of all tags of a resource those that anybody may set, and the list.
pub fn seen<'t>(all: impl IntoIterator<Item = (&'t str, &'t str)>) -> Tags {
    let theirs = |key: &str| key == KEYS_TAG || !(key.starts_with(OWN) || key.starts_with(AWSS));
    let all = all.into_iter().filter(|(key, _)| theirs(key));
    all.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// What differs: wanted ones that are not there or have another value, and those that opsctl has put and that
/// are not wanted any more.
pub fn differences(want: &Tags, seen: &Tags) -> Vec<FieldChange> {
    let text = |value: Option<&String>| value.map_or_else(|| "none".to_owned(), Clone::clone);
    let change = |key: &str, from, to| {
        let (path, from, to) = (format!("{PATH}{key}"), text(from), text(to));
        FieldChange { path, from, to, needs: Needs::Update }
    };
    let put = seen.get(KEYS_TAG);
    let put_keys = put.map(|list| listed(list)).unwrap_or_default();
    let keys: BTreeSet<&String> = want.keys().chain(&put_keys).collect();
    let differs = keys.into_iter().filter(|key| want.get(*key) != seen.get(*key));
    let mut changes: Vec<FieldChange> =
        differs.map(|key| change(key, seen.get(key), want.get(key))).collect();
    let list = with_list(want).remove(KEYS_TAG);
    if changes.is_empty() && put != list.as_ref() {
        changes.push(change(KEYS_TAG, put, list.as_ref()));
    }
    changes
}

/// That a resource was made as another one of this project than it is now.
pub fn made_as(before: &str, id: &ResourceId) -> Option<FieldChange> {
    let (path, to) = (format!("{PATH}{}", Scope::RESOURCE_TAG), id.to_string());
    (before != to).then(|| FieldChange { path, from: before.to_owned(), to, needs: Needs::Update })
}

/// The key of the tag that a change is of; `None` for a change of something else.
pub fn changed(change: &FieldChange) -> Option<&str> {
    change.path.strip_prefix(PATH)
}
