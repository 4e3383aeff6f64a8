//! References in `environment`: `${endpoint.NAME}` is the exact name of that endpoint, `${bucket}` that of
//! the project's bucket.

use std::collections::BTreeMap;

use crate::desired::{Draft, Node};
use crate::domain::{KeyPath, KindName, codes};
use crate::resources::bucket::Bucket;

/// The environment with its references filled in, and the endpoints that it names. What is wrong is reported
/// at its line.
pub fn filled(
    environment: &BTreeMap<String, String>,
    at: &KeyPath,
    draft: &mut Draft<'_>,
) -> (BTreeMap<String, String>, Vec<Node>) {
    let mut endpoints: Vec<Node> = Vec::new();
    let mut filled = BTreeMap::new();
    for (name, value) in environment {
        let value = fill(value, &at.join(name), &mut endpoints, draft);
        filled.insert(name.clone(), value);
    }
    (filled, endpoints)
}

fn fill(value: &str, at: &KeyPath, endpoints: &mut Vec<Node>, draft: &mut Draft<'_>) -> String {
    let (mut text, mut rest) = (String::new(), value);
    while let Some((before, after)) = rest.split_once("${") {
        // Two are one that is meant as it is.
        if let Some(before) = before.strip_suffix('$') {
            text += before;
            text += "${";
            rest = after;
            continue;
        }
        text += before;
        let Some((reference, after)) = after.split_once('}') else {
            // The value may be the user's secret.
            let message = "the value has a reference without an end";
            draft.error(
                codes::BAD_VALUE,
                at.clone(),
                message,
                "write ${endpoint.NAME}, or $${ for the text ${",
            );
            return text;
        };
        rest = after;
        match reference.split_once('.') {
            None if reference == "bucket" => text += &Bucket::name(draft),
            Some(("endpoint", name)) => {
                let Some(node) = draft.find(&[KindName::Endpoint], name, "endpoint", at.clone()) else {
                    continue;
                };
                text += &node.physical;
                if endpoints.iter().all(|known| known.id != node.id) {
                    endpoints.push(node);
                }
            }
            _ => {
                let message = "the value has a reference that opsctl does not know";
                let help = "there are ${endpoint.NAME} and ${bucket}; write $${ for the text ${";
                draft.error(codes::UNKNOWN_REFERENCE, at.clone(), message, help);
            }
        }
    }
    text + rest
}
