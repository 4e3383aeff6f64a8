//! Tests of one kind: `function`.

use serde_json::json;

use super::{made_again, put_right};

#[test]
fn what_is_gone_is_made_again() {
    made_again("function/classify");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([
        ("function/classify", "/live", json!(null), "alias: none -> live"),
        ("function/classify", "/live/more", json!({ "tracing": "Active" }), "tracing: Active -> default"),
        (
            "function/classify",
            "/latest/more",
            json!({ "tracing": "Active" }),
            "$LATEST: another code or configuration -> as the alias",
        ),
        ("function/classify", "/reserved", json!(0), "reserved concurrency: 0 -> none"),
        (
            "function/classify",
            "/latest/config/environment",
            json!({}),
            "$LATEST: another code or configuration -> as the alias",
        ),
        ("function/classify", "/weighted", json!(true), "alias weights: some -> none"),
        ("function/classify", "/live/config/memory_mb", json!(512), "memory_mb: 512 -> 128"),
        ("function/classify", "/live/config/environment", json!({}), "environment: other values -> these"),
    ]);
}
