//! References in `environment`: `${endpoint.NAME}` is the exact name of that endpoint, `${bucket}` that of
//! the project's bucket.

use std::collections::BTreeMap;

use crate::desired::{Draft, Node};
use crate::domain::{KeyPath, KindName, codes};
use crate::resources::bucket::Bucket;
use crate::resources::references::{Piece, pieces};

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
    let mut text = String::new();
    for piece in pieces(value) {
        let reference = match piece {
            Piece::Text(piece) => {
                text += piece;
                continue;
            }
            Piece::Escaped => {
                text += "${";
                continue;
            }
            Piece::Open(_) => {
                // The value may be the user's secret.
                let message = "the value has a reference without an end";
                let help = "write ${endpoint.NAME}, or $${ for the text ${";
                draft.error(codes::BAD_VALUE, at.clone(), message, help);
                continue;
            }
            Piece::Reference(reference) => reference,
        };
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
    text
}
