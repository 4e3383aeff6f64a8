//! What a plan is when it is written down. A saved plan is a promise about the fingerprint of these bytes:
//! they stay as they are, or every plan that was saved before is refused.

use std::collections::BTreeSet;

use opsctl::desired::AnySpec;
use opsctl::domain::{KindName, ResourceId, Scope};
use opsctl::plan::{Op, Plan, Step};
use opsctl::resources::autoscaling::{Autoscaling, Spec};

#[test]
fn a_step_is_written_as_it_always_was() {
    let spec = Spec { min: 1, max: 4, target: 600.0, scale_in_cooldown_s: 300, scale_out_cooldown_s: 60 };
    let step = Step {
        id: 0,
        target: ResourceId::new(KindName::Autoscaling, "numbers"),
        physical: "endpoint/shop-dev-numbers/variant/AllTraffic".into(),
        op: Op::Create { spec: AnySpec::new::<Autoscaling>(spec) },
        after: BTreeSet::new(),
        why: vec!["not there yet".into()],
    };
    assert_eq!(
        serde_json::to_string(&step).unwrap(),
        r#"{"id":0,"target":"autoscaling/numbers","physical":"endpoint/shop-dev-numbers/variant/AllTraffic","#
            .to_owned()
            + r#""op":{"verb":"create","spec":{"max":4,"min":1,"scale_in_cooldown_s":300,"#
            + r#""scale_out_cooldown_s":60,"target":600.0}},"after":[],"why":["not there yet"]}"#
    );
    let plan = Plan {
        tags: Default::default(),
        scope: Scope::new("shop", "dev", "000000000000", "us-east-1"),
        steps: vec![step],
        unchanged: Vec::new(),
        leftovers: Vec::new(),
        contents: Default::default(),
        foreign: Vec::new(),
        took: Default::default(),
    };
    assert_eq!(plan.fingerprint(), "a7e02595983138c2bad3ead8babbfcc5b6f16d095ee2de78dd7d8c2e376b32a6");
}
