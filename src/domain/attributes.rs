//! What a person would look for on the page of a resource, in words. Environment variables are on no page of
//! ours: their values may be anything.

use super::HumanDuration;

/// Names and values, in the order in which they are shown.
pub type Attributes = Vec<(String, String)>;

/// The name that the report looks for.
pub const INSTANCE_TYPE: &str = "Instance type";

/// Without what has no value.
pub fn listed<const N: usize>(all: [(&str, String); N]) -> Attributes {
    let given = all.into_iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `yes` or `no`.
pub fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

/// `name = value`, one after the other.
pub fn pairs<'a>(all: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    all.into_iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
}

/// The beginning of a digest, as the names of resources have it.
pub fn digest(digest: &str) -> String {
    digest.get(..10).unwrap_or(digest).to_owned()
}

/// Each name with the beginning of its digest.
pub fn digests<'a>(all: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    all.into_iter().map(|(name, value)| format!("{name} {}", digest(value))).collect::<Vec<_>>().join(", ")
}

/// A time that AWS gives in seconds.
pub fn seconds(seconds: i32) -> String {
    HumanDuration::seconds(u64::from(seconds.unsigned_abs())).to_string()
}
