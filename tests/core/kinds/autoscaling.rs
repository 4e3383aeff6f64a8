//! Tests of one kind: `autoscaling`.

use serde_json::json;

use super::{made_again, put_right};

#[test]
fn what_is_gone_is_made_again() {
    made_again("autoscaling/numbers");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([
        ("autoscaling/numbers", "/max", json!(40), "max: 40 -> 4"),
        ("autoscaling/numbers", "/policy", json!(null), "target: none -> 600"),
        ("autoscaling/numbers", "/policy/scale_in_cooldown_s", json!(300), "scale_in_cooldown: 5m -> 30s"),
        ("autoscaling/numbers", "/suspended", json!(true), "suspended: true -> false"),
        ("autoscaling/numbers", "/more_policies", json!(["night"]), "more scaling policies: night -> none"),
        (
            "autoscaling/numbers",
            "/policy/metric",
            json!(null),
            "metric: none -> SageMakerVariantInvocationsPerInstance",
        ),
        ("autoscaling/numbers", "/policy/scale_in_disabled", json!(true), "scale_in_disabled: true -> false"),
        ("autoscaling/numbers", "/scheduled", json!(["night"]), "scheduled actions: night -> none"),
    ]);
}
