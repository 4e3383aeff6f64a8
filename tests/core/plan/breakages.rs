//! A sound plan, broken in one place: the checker must say so. It knows nothing of how the planner works.

use std::collections::BTreeSet;

use opsctl::desired::Desired;
use opsctl::plan::{Mode, Op, Plan, Verb, check};
use opsctl::resources::kinds;
use serde_json::json;

use super::world::{ADOPT, Account, DEPLOY, Files};

fn wrong(plan: &Plan, want: &Desired, have: &Account, mode: Mode) -> Vec<String> {
    check::check(plan, want, &have.observe(want), &kinds(), mode)
}

/// From nothing: creates with edges along the needs.
fn creates() -> (Plan, Desired, Account) {
    let want = Files::new().desired();
    (Account::default().plan(&want, DEPLOY), want, Account::default())
}

/// A new instance type: a delete, an update, and a create of the same.
fn detach() -> (Plan, Desired, Account) {
    let mut files = Files::new();
    let account = Account::with(&files.desired());
    files.edit("\"ml.m5.large\"", "\"ml.c5.xlarge\"");
    let want = files.desired();
    (account.plan(&want, DEPLOY), want, account)
}

fn destroy() -> (Plan, Desired, Account) {
    let want = Files::new().desired();
    let account = Account::with(&want);
    (account.plan(&want, Mode::Destroy), want, account)
}

/// All steps that a step comes after, through others too.
fn before(plan: &Plan, id: usize) -> BTreeSet<usize> {
    plan.steps[id].after.iter().flat_map(|a| before(plan, *a).into_iter().chain([*a])).collect()
}

#[test]
fn a_dropped_edge_is_caught() {
    for (mode, (plan, want, have)) in [(DEPLOY, creates()), (DEPLOY, detach()), (Mode::Destroy, destroy())] {
        let mut dropped = 0;
        for step in &plan.steps {
            for edge in &step.after {
                let mut broken = plan.clone();
                broken.steps[step.id].after.remove(edge);
                // An edge that others imply may be dropped: the order is the same.
                if before(&broken, step.id).contains(edge) {
                    continue;
                }
                dropped += 1;
                let (from, to) = (&step.target, &plan.steps[*edge].target);
                assert!(
                    !wrong(&broken, &want, &have, mode).is_empty(),
                    "{mode:?}: {from} no longer waits for {to}"
                );
            }
        }
        assert!(dropped > 0, "{mode:?}: nothing to drop");
    }
}

#[test]
fn a_step_twice_is_caught() {
    let (plan, want, have) = creates();
    for step in &plan.steps {
        let mut broken = plan.clone();
        let id = broken.steps.len();
        broken.steps.push(opsctl::plan::Step { id, ..step.clone() });
        assert!(!wrong(&broken, &want, &have, DEPLOY).is_empty(), "{} twice", step.target);
    }
}

#[test]
fn a_missing_step_is_caught() {
    let (plan, want, have) = creates();
    let mut broken = plan.clone();
    let last = broken.steps.pop().unwrap();
    assert_eq!(
        wrong(&broken, &want, &have, DEPLOY),
        [format!("{} is neither made nor unchanged", last.target)]
    );
}

#[test]
fn another_order_is_caught() {
    for (mode, (plan, want, have)) in [(DEPLOY, creates()), (Mode::Destroy, destroy())] {
        let mut broken = plan.clone();
        broken.steps.reverse();
        assert!(!wrong(&broken, &want, &have, mode).is_empty(), "{mode:?}: numbers");
        for (i, step) in broken.steps.iter_mut().enumerate() {
            step.id = i;
        }
        assert!(!wrong(&broken, &want, &have, mode).is_empty(), "{mode:?}: edges");
    }
}

#[test]
fn an_edge_to_nowhere_is_caught() {
    let (mut plan, want, have) = creates();
    plan.steps[0].after.insert(99);
    assert_eq!(wrong(&plan, &want, &have, DEPLOY), ["bucket/main waits for step 99, which is not before it"]);
}

#[test]
fn to_make_again_before_the_old_is_gone_is_caught() {
    let (mut plan, want, have) = detach();
    let gone = plan.steps.iter().position(|s| s.op.verb() == Verb::Delete).unwrap();
    for step in &mut plan.steps {
        step.after.remove(&gone);
    }
    let said = wrong(&plan, &want, &have, DEPLOY);
    assert!(
        said.contains(&"autoscaling/numbers is made again before the old one is gone".to_owned()),
        "{said:?}"
    );
}

#[test]
fn to_touch_what_is_not_ours_is_caught() {
    let (plan, want, mut have) = destroy();
    have.seen(&want, "notebook/lab")["owner"] = json!("nobody");
    assert_eq!(wrong(&plan, &want, &have, Mode::Destroy), ["notebook/lab is not ours"]);
}

#[test]
fn an_adoption_by_deletion_is_caught() {
    let want = Files::new().desired();
    let mut have = Account::with(&want);
    have.seen(&want, "notebook/lab")["owner"] = json!("nobody");
    let mut plan = have.plan(&want, ADOPT);
    plan.steps[0].op = Op::Delete;
    assert!(wrong(&plan, &want, &have, ADOPT).contains(&"notebook/lab is not ours".to_owned()));
}
