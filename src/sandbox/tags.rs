//! Tags of all resources, by ARN, in one table: so every service's tag operations are one line each, and the
//! tagging API sees what the services were told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fault::Fault;
use super::state::SandboxState;

const TABLE: &str = "tags";

/// Most resources allow this many tags (docs/aws/tagging.md#limits).
const MOST_TAGS: usize = 50;

/// By their keys.
pub type Tags = BTreeMap<String, String>;

/// The tags of a resource; empty when it has none.
pub fn of(shared: &SandboxState, arn: &str) -> Tags {
    shared.store.get(TABLE, arn).map(|doc| from_map(&doc)).unwrap_or_default()
}

/// Every tagged resource.
pub fn all(shared: &SandboxState) -> Vec<(String, Tags)> {
    let tagged = shared.store.list(TABLE, "");
    tagged.into_iter().map(|(arn, doc)| (arn, from_map(&doc))).collect()
}

/// Adds tags to a resource, or changes their values.
///
/// # Errors
/// A 400 with the service's `code` when a tag breaks AWS's rules; then nothing is changed.
pub fn add(shared: &SandboxState, arn: &str, tags: Tags, code: &'static str) -> Result<(), Fault> {
    if tags.is_empty() {
        return Ok(());
    }
    let mut all = of(shared, arn);
    all.extend(tags);
    check(&all).map_err(|message| Fault::new(400, code, message))?;
    shared.store.put(TABLE, arn, json!(all))
}

/// Removes tags by key.
pub fn remove<'a>(
    shared: &SandboxState,
    arn: &str,
    keys: impl IntoIterator<Item = &'a str>,
) -> Result<(), Fault> {
    let mut all = of(shared, arn);
    for key in keys {
        all.remove(key);
    }
    shared.store.put(TABLE, arn, json!(all))
}

/// Forgets a resource that was deleted.
pub fn forget(shared: &SandboxState, arn: &str) -> Result<(), Fault> {
    shared.store.remove(TABLE, arn).map(|_| ())
}

/// Reads `[{"Key": k, "Value": v}]`, the shape of most services.
pub fn from_list(list: &[Value]) -> Tags {
    let pair =
        |tag: &Value| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str().unwrap_or("").to_owned()));
    list.iter().filter_map(pair).collect()
}

/// Writes that shape.
pub fn to_list(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// Reads `{"k": "v"}`, the shape of Lambda and CloudWatch Logs.
pub fn from_map(map: &Value) -> Tags {
    let pairs = map.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// The rules that all services share; an invalid tag fails the whole create (docs/aws/tagging.md#limits).
pub fn check(tags: &Tags) -> Result<(), String> {
    let allowed =
        |text: &str| text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c));
    if tags.len() > MOST_TAGS {
        return Err(format!(
            "A resource can have at most {MOST_TAGS} tags, this one would have {}",
            tags.len()
        ));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 || !allowed(key) {
            return Err(format!("The tag key '{key}' is not 1 to 128 letters, digits, spaces or _.:/=+-@"));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(format!(
                "The tag key '{key}' is reserved: aws: prefixed tag key names are not allowed for external use."
            ));
        }
        if value.chars().count() > 256 || !allowed(value) {
            return Err(format!(
                "The value of tag '{key}' is not at most 256 letters, digits, spaces or _.:/=+-@"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_aws_refuses_are_refused() {
        let one = |key: &str, value: &str| Tags::from([(key.to_owned(), value.to_owned())]);
        assert_eq!(check(&one("opsctl:project", "dog breeds/é")), Ok(()));
        for (key, value) in [("", "v"), ("aws:x", "v"), ("AWS:x", "v"), ("a{b", "v"), ("k", "<v>")] {
            assert!(check(&one(key, value)).is_err(), "{key}={value}");
        }
        assert!(check(&one("k", &"v".repeat(257))).is_err());
        assert!(check(&(0..51).map(|n| (n.to_string(), String::new())).collect()).is_err());
    }

    #[test]
    fn both_shapes_round_trip() {
        let tags = from_list(&[json!({"Key": "a", "Value": "1"}), json!({"Key": "b"})]);
        assert_eq!(to_list(&tags), json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]));
        assert_eq!(from_map(&json!(tags)), tags);
    }
}
