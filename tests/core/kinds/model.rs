//! Tests of one kind: `model`.

use serde_json::json;

use super::{made_again, put_right};

#[test]
fn what_is_gone_is_made_again() {
    made_again("model/numbers");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([("model/numbers", "/archive", json!(false), "archive: gone -> packed again")]);
}
