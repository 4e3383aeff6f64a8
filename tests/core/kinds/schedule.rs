//! Tests of one kind: `schedule`.

use opsctl::config::Document;
use opsctl::desired::{Desired, Kind, Seen};
use opsctl::domain::{KindName, Owner};
use opsctl::plan::Verb;
use opsctl::resources::role::Role;
use opsctl::resources::schedule::{Schedule, Spec, State};
use serde_json::json;

use super::made_again_in;
use crate::plan::world::{Account, DEPLOY, Files, shown};

fn files() -> Files {
    let mut files = Files::new();
    let text = files.text().replacen("[project]\n", "[project]\nttl = \"8h\"\n", 1);
    files.rewrite(text);
    files
}

fn spec(desired: &Desired) -> Spec {
    let node = desired.nodes.iter().find(|node| node.id.kind == KindName::Schedule).expect("it is wanted");
    node.spec_as::<Schedule>().expect("its kind").clone()
}

fn seen(spec: &Spec, change: impl FnOnce(&mut State)) -> Vec<String> {
    let mut state = Schedule::wanted(spec);
    change(&mut state);
    let seen = Seen::ready(Owner::Ours, "Scheduled", state);
    Schedule::diff(spec, &seen).iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_gone_is_made_again() {
    made_again_in(&files(), "schedule/ttl");
}

#[test]
fn it_ends_what_bills_and_may_do_nothing_else() {
    let desired = files().desired();
    let spec = spec(&desired);
    let calls: Vec<&str> = spec.ends.values().map(|ends| ends.target.rsplit(':').next().unwrap()).collect();
    assert_eq!(
        calls,
        [
            "deregisterScalableTarget",
            "deleteProvisionedConcurrencyConfig",
            "deleteEndpoint",
            "stopNotebookInstance"
        ]
    );
    let role = desired.nodes.iter().find(|node| node.id.to_string() == "role/schedule-ttl").unwrap();
    let role = role.spec_as::<Role>().unwrap();
    let statements = role.policy["Statement"].as_array().unwrap();
    let allowed: Vec<&str> =
        statements.iter().flat_map(|s| s["Action"].as_array().unwrap()).filter_map(|a| a.as_str()).collect();
    assert_eq!(
        allowed,
        [
            "sagemaker:DeleteEndpoint",
            "application-autoscaling:DeregisterScalableTarget",
            "cloudwatch:DeleteAlarms",
            "lambda:DeleteProvisionedConcurrencyConfig",
            "sagemaker:StopNotebookInstance"
        ]
    );
    assert!(statements.iter().all(|s| s["Resource"][0] != "*"), "{statements:?}");
    let condition = &role.trust["Statement"][0]["Condition"]["StringEquals"];
    let group = condition["aws:SourceArn"].as_str().unwrap();
    assert!(group.contains(":schedule-group/") && group.ends_with("-ttl"), "{group}");

    // It is there before what it ends, and gone after it.
    for node in desired.nodes.iter().filter(|node| node.id.kind > KindName::Model) {
        let ends = [KindName::Endpoint, KindName::Autoscaling, KindName::Concurrency, KindName::Notebook];
        assert_eq!(node.needs.contains(&Schedule::id("ttl")), ends.contains(&node.id.kind), "{}", node.id);
    }
}

#[test]
fn it_is_renewed_but_not_by_every_second_deploy() {
    let spec = spec(&files().desired());
    assert_eq!(seen(&spec, |_| {}), [] as [String; 0]);
    let set = |state: &mut State, at: i64| {
        state.ends_at = Some(at);
        state.schedules.values_mut().for_each(|schedule| schedule.at = Some(at));
    };
    let hours = 3_600;
    assert_eq!(seen(&spec, |state| set(state, 8 * hours - 200)), [] as [String; 0], "a moment ago");
    let early = seen(&spec, |state| set(state, 7 * hours));
    assert_eq!(early, ["end: 1970-01-01T07:00:00Z -> 8h after this deploy"]);
    // A deploy that took hours has renewed it when it began.
    let long = |state: &mut State| {
        set(state, 8 * hours);
        state.now = 7 * hours;
    };
    assert_eq!(seen(&spec, long), [] as [String; 0]);
    // Somebody has put it off.
    assert_eq!(seen(&spec, |state| set(state, 80 * hours)).len(), 1);
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    let spec = spec(&files().desired());
    let first = spec.ends.keys().next().unwrap().clone();
    let altered = |change: &dyn Fn(&mut opsctl::resources::schedule::Scheduled)| {
        seen(&spec, |state| change(state.schedules.get_mut(&first).unwrap())).join(", ")
    };
    let said = format!("altered schedules: {first} -> as generated");
    assert_eq!(altered(&|s| s.is_usual = false), said);
    assert_eq!(altered(&|s| s.role_arn.push('x')), said);
    assert_eq!(altered(&|s| s.ends.input = json!({})), said);
    assert!(altered(&|s| s.at = None).starts_with("end: "));
    let one_less = seen(&spec, |state| drop(state.schedules.remove(&first)));
    assert!(one_less[0].starts_with("schedules: "), "{one_less:?}");
}

/// What it has ended says so, and is made again.
#[test]
fn a_plan_after_the_end_says_what_ended_it() {
    let want = files().desired();
    let mut account = Account::with(&want);
    for id in ["concurrency/classify", "autoscaling/numbers", "endpoint/numbers"] {
        if want.nodes.iter().any(|node| node.id.to_string() == id) {
            account.remove(&want, id);
        }
    }
    *account.seen(&want, "schedule/ttl") = json!({
        "owner": "ours",
        "status": { "word": "Ended", "phase": "stopped", "reason": "ended by its ttl at noon" },
        "schedules": {}, "ends_at": 5, "now": 10, "began": 10,
    });
    let plan = account.deploy(&want, DEPLOY);
    let said = shown(&plan);
    assert!(said.contains("end: ended at 1970-01-01T00:00:05Z -> 8h after this deploy"), "{said}");
    let made =
        plan.steps.iter().find(|s| s.target.to_string() == "concurrency/classify").expect("made again");
    assert_eq!(
        (made.op.verb(), made.why.as_slice()),
        (Verb::Create, &["ended by its ttl at noon".to_owned()][..])
    );
}

/// A schedule that the config does not name any more would end what it names.
#[test]
fn without_the_key_it_goes_unpruned() {
    let (with, without) = (files().desired(), Files::new().desired());
    let plan = Account::with(&with).plan(&without, DEPLOY);
    let gone: Vec<_> =
        plan.steps.iter().filter(|s| s.op.verb() == Verb::Delete).map(|s| s.target.kind).collect();
    assert_eq!(gone, [KindName::Schedule], "{}", shown(&plan));
}

#[test]
fn a_ttl_is_neither_too_short_nor_too_long() {
    for (ttl, refused) in
        [("8h", false), ("30m", false), ("5m", true), ("2000d", true), ("1h 30m 500ms", true)]
    {
        let text = format!("[project]\nname = \"digits\"\nttl = \"{ttl}\"\n");
        let document = Document::parse(std::path::Path::new("opsctl.toml"), text).unwrap();
        assert_eq!(opsctl::config::Config::of(&document, "dev", &[]).is_err(), refused, "{ttl}");
    }
}
