//! Tests of one kind: `notebook`.

use serde_json::json;

use super::{made_again, put_right};

#[test]
fn what_is_gone_is_made_again() {
    made_again("notebook/lab");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([
        ("notebook/lab", "/metadata_version", json!("1"), "metadata: 1 -> 2"),
        ("notebook/lab", "/on_start", json!(null), "idle_stop: another script -> this"),
        ("notebook/lab", "/attached", json!(false), "lifecycle configuration: none or another -> its own"),
        (
            "notebook/lab",
            "/platform",
            json!("notebook-al2-v3"),
            "platform: notebook-al2-v3 -> notebook-al2023-v1",
        ),
    ]);
}
