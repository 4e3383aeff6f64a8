//! What AWS takes as tags of the user's own: the narrowest of all services' rules.

use serde_json::json;

use super::bound::{Bound, check};
use crate::domain::tags::{self, AWSS, OWN, Tags};
use crate::domain::{Diagnostic, Diagnostics, KeyPath, codes, many};

/// A training has the most tags of opsctl: whose it is (3), which are the user's, what became of it (2), and
/// the data of each of its at most 20 channels. IAM's rules for keys and values are the narrowest.
const BOUND: &[Bound] = &[
    Bound::count("tags", "sagemaker:CreateTrainingJob.Tags", 26),
    Bound::names("tags", "iam:CreateRole.Tags.*.Key"),
    Bound::value("tags.*", "iam:CreateRole.Tags.*.Value"),
];

/// Characters of one tag's value, which the list of the keys has to fit in.
const LONGEST: usize = 256;

/// What is wrong with the tags at `at`.
pub fn tags(tags: &Tags, at: &KeyPath, problems: &mut Diagnostics) {
    let mut error = |code, at: KeyPath, text: String, help: &str| {
        problems.push(Diagnostic::error(code, at, text, help));
    };
    for (key, value) in tags {
        let at = at.join(key);
        let lower = key.to_lowercase();
        let twin = tags.keys().find(|other| *other < key && other.to_lowercase() == lower);
        if lower.starts_with(AWSS) || lower.starts_with(OWN) {
            let whose = if lower.starts_with(AWSS) { "AWS" } else { "opsctl" };
            let text = format!("keys that begin like `{key}` belong to {whose}");
            error(codes::OWN_TAG, at, text, "choose a key that begins with something else");
        } else if let Some(odd) = odd(key) {
            let text = format!("the tag `{key}` has {odd:?} in its key, and IAM takes no such character");
            error(codes::ENTRY_NAME, at, text, "use letters, digits, spaces and _ . : / = + - @");
        } else if let Some(odd) = odd(value) {
            let text = format!("the tag `{key}` has {odd:?} in its value, and IAM takes no such character");
            error(codes::LIMIT, at, text, "use letters, digits, spaces and _ . : / = + - @");
        } else if let Some(twin) = twin {
            let text = format!("`{key}` and `{twin}` are one key to IAM, which does not tell case apart");
            error(codes::ENTRY_NAME, at, text, "leave one of them out");
        } else if key.trim() != key || value.trim() != value {
            let text = format!("the tag `{key}` begins or ends with a space");
            error(
                codes::BAD_VALUE,
                at,
                text,
                "some services cut it off, and it would always differ: remove it",
            );
        }
    }
    let list = tags::list(tags.keys()).chars().count();
    if list > LONGEST {
        let list = many(list, "character");
        let text = format!("the keys of the tags have {list} in all, opsctl takes {LONGEST}");
        error(codes::LIMIT, at.clone(), text, "a tag of its own lists them: shorten keys, or leave some out");
    }
    let parent = at.parent().unwrap_or_default();
    problems.extend(check(BOUND, &json!({ "tags": tags }), &parent));
}

/// A character that is in no tag: IAM's pattern is `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
fn odd(text: &str) -> Option<char> {
    let fits =
        |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
    text.chars().find(|c| !fits(*c))
}
