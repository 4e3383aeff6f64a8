//! Tests of one kind: `concurrency`.

use serde_json::json;

use super::{made_again, put_right};

#[test]
fn what_is_gone_is_made_again() {
    made_again("concurrency/classify");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([("concurrency/classify", "/requested", json!(1), "provisioned_concurrency: 1 -> 2")]);
}
