//! Tests of one kind: `log-group`.

use serde_json::json;

use super::{made_again, put_right};

#[test]
fn what_is_gone_is_made_again() {
    made_again("log-group/function-classify");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([(
        "log-group/function-classify",
        "/retention_days",
        json!(null),
        "retention: never expires -> 30 days",
    )]);
}
