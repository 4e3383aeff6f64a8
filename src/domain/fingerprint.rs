//! Fingerprints: a hash of what a resource is made from, at the end of its name (docs/decisions/0003).

use serde::Serialize;

/// Characters of a fingerprint within a physical name: 40 bits, so two versions of one resource do not meet.
const LENGTH: usize = 10;

/// The suffix for these ingredients. Field names and order are part of it.
pub fn suffix<T: Serialize>(ingredients: &T) -> String {
    let text = serde_json::to_string(ingredients).expect("ingredients are plain data");
    blake3::hash(text.as_bytes()).to_hex()[..LENGTH].to_owned()
}

/// A name without its fingerprint: the generations of a resource differ in that only. `None`: it has none.
pub fn stem(name: &str) -> Option<&str> {
    name.rsplit_once('-').filter(|(_, end)| is_suffix(end)).map(|(stem, _)| stem)
}

/// Whether the end of a name looks like a fingerprint.
pub fn is_suffix(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}
