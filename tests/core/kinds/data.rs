//! Tests of one kind: `data`.

use serde_json::json;

use super::{made_again, put_right};

#[test]
fn what_is_gone_is_made_again() {
    made_again("data/digits");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([(
        "data/digits",
        "/digest",
        json!(""),
        "content: 1 file, 6 bytes (unknown) -> 1 file, 6 bytes (<1>)",
    )]);
}
