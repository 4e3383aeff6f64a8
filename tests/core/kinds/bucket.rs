//! Tests of one kind: `bucket`.

use serde_json::json;

use super::{made_again, put_right};

#[test]
fn what_is_gone_is_made_again() {
    made_again("bucket/main");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([
        ("bucket/main", "/public_access_blocked", json!(false), "public access blocked: false -> true"),
        ("bucket/main", "/encryption", json!(null), "encryption: none -> AES256"),
        ("bucket/main", "/versioning", json!(false), "versioning: false -> true"),
        ("bucket/main", "/policy", json!(null), "policy: another -> TLS only"),
        (
            "bucket/main",
            "/rules/opsctl/keep_old_versions_days",
            json!(null),
            "keep old versions: forever -> 30 days",
        ),
    ]);
}
