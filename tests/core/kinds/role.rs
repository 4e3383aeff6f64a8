//! Tests of one kind: `role`.

use serde_json::json;

use super::{made_again, put_right};

#[test]
fn what_is_gone_is_made_again() {
    made_again("role/training-numbers");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([
        ("role/training-numbers", "/trust", json!({}), "trust policy: another -> generated"),
        ("role/training-numbers", "/policy", json!(null), "policy: another -> generated"),
        (
            "role/training-numbers",
            "/attached",
            json!(["arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"]),
            "attached policies: arn:aws:iam::aws:policy/AmazonSageMakerFullAccess -> none",
        ),
        ("role/instance-numbers-on-ec2", "/in_profile", json!(null), "instance profile: none -> one"),
        (
            "role/instance-numbers-on-ec2",
            "/in_profile",
            json!("other"),
            "instance profile: holds other -> one",
        ),
        ("role/training-numbers", "/more_policies", json!(["evil"]), "more inline policies: evil -> none"),
    ]);
}
