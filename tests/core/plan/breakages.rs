//! A sound plan, broken in one place: the checker must say so. It knows nothing of how the planner works.

use std::collections::BTreeSet;

use opsctl::desired::Desired;
use opsctl::domain::{Contents, FieldChange, KindName, Needs, ResourceId, Tally};
use opsctl::plan::{Mode, Op, Plan, Verb, check};
use opsctl::resources::kinds;
use serde_json::json;

use super::world::{ADOPT, Account, DEPLOY, DESTROY, DESTROY_ADOPTED, Files};

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
    (account.plan(&want, DESTROY), want, account)
}

/// All steps that a step comes after, through others too.
fn before(plan: &Plan, id: usize) -> BTreeSet<usize> {
    plan.steps[id].after.iter().flat_map(|a| before(plan, *a).into_iter().chain([*a])).collect()
}

#[test]
fn a_dropped_edge_is_caught() {
    for (mode, (plan, want, have)) in [(DEPLOY, creates()), (DEPLOY, detach()), (DESTROY, destroy())] {
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
    for (mode, (plan, want, have)) in [(DEPLOY, creates()), (DESTROY, destroy())] {
        let mut broken = plan.clone();
        broken.steps.reverse();
        assert!(!wrong(&broken, &want, &have, mode).is_empty(), "{mode:?}: numbers");
        for (i, step) in broken.steps.iter_mut().enumerate() {
            step.id = i;
        }
        assert!(!wrong(&broken, &want, &have, mode).is_empty(), "{mode:?}: edges");
    }
}

/// Nobody knows what uses what is left over, so it goes from the last kind to the first.
#[test]
fn a_leftover_before_a_later_kind_is_caught() {
    let mut files = Files::new();
    let account = Account::with(&files.desired());
    files.edit("[notebook.lab]", "[notebook.den]");
    files.edit("provisioned_concurrency = 2", "provisioned_concurrency = 0");
    let want = files.desired();
    let plan = account.plan(&want, DESTROY);
    let at = plan.steps.iter().position(|s| s.target.kind == KindName::Concurrency).unwrap();
    let mut broken = plan.clone();
    broken.steps[at].after.clear();
    assert_eq!(
        wrong(&broken, &want, &account, DESTROY),
        [
            "concurrency/function:shop-dev-classify:live is deleted before notebook/shop-dev-lab, which may need it"
        ]
    );
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
        said.contains(&"autoscaling/numbers is re-created before the old one is gone".to_owned()),
        "{said:?}"
    );
}

#[test]
fn to_touch_what_is_not_ours_is_caught() {
    let (plan, want, mut have) = destroy();
    have.seen(&want, "notebook/lab")["owner"] = json!("nobody");
    assert_eq!(wrong(&plan, &want, &have, DESTROY), ["notebook/lab is not this project's"]);
}

#[test]
fn an_adoption_by_deletion_is_caught() {
    let want = Files::new().desired();
    let mut have = Account::with(&want);
    have.seen(&want, "notebook/lab")["owner"] = json!("nobody");
    let mut plan = have.plan(&want, ADOPT);
    plan.steps[0].op = Op::Delete;
    assert!(wrong(&plan, &want, &have, ADOPT).contains(&"notebook/lab is not this project's".to_owned()));
}

/// Every way to let go of a resource, against every owner and content: only the right one passes.
#[test]
fn a_wrong_removal_is_caught() {
    let want = Files::new().desired();
    let id: ResourceId = "bucket/main".parse().unwrap();
    let others = Tally { objects: 1, old_versions: 0, bytes: 9 };
    let digest = "theirs".to_owned();
    let whole = Op::DeleteWhole { others: digest.clone() };
    for (owner, others_in_it, mode, right) in [
        ("ours", false, DESTROY, [true, false, false]),
        ("ours", true, DESTROY, [false, true, false]),
        ("ours", true, DESTROY_ADOPTED, [false, true, true]),
        ("adopted", false, DESTROY, [false, true, false]),
        ("adopted", true, DESTROY, [false, true, false]),
        ("adopted", true, DESTROY_ADOPTED, [false, true, true]),
    ] {
        let mut have = Account::with(&want);
        have.seen(&want, "bucket/main")["owner"] = json!(owner);
        if others_in_it {
            let contents = Contents { others, digest: digest.clone(), ..Contents::default() };
            have.contents.insert(id.clone(), contents);
        }
        let mut plan = have.plan(&want, mode);
        for (op, right) in [Op::Delete, Op::Release, whole.clone()].into_iter().zip(right) {
            plan.steps.last_mut().unwrap().op = op.clone();
            let said = wrong(&plan, &want, &have, mode);
            assert_eq!(said.is_empty(), right, "{owner}, others: {others_in_it}, {mode:?}, {op:?}: {said:?}");
        }
    }
}

/// Something else is in the bucket than what was counted.
#[test]
fn a_wrong_content_is_caught() {
    let want = Files::new().desired();
    let mut have = Account::with(&want);
    let others = Tally { objects: 1, old_versions: 0, bytes: 9 };
    let contents = Contents { others, digest: "theirs".into(), ..Contents::default() };
    have.contents.insert("bucket/main".parse().unwrap(), contents);
    let mut plan = have.plan(&want, DESTROY_ADOPTED);
    plan.steps.last_mut().unwrap().op = Op::DeleteWhole { others: "other".into() };
    assert_eq!(wrong(&plan, &want, &have, DESTROY_ADOPTED), ["bucket/main holds what others put there"]);
}

#[test]
fn an_adoption_that_overwrites_is_caught() {
    let want = Files::new().desired();
    let mut have = Account::with(&want);
    have.seen(&want, "notebook/lab")["owner"] = json!("nobody");
    let mut plan = have.plan(&want, ADOPT);
    let Op::Update { changes, .. } = &mut plan.steps[0].op else { panic!() };
    let (path, needs) = ("volume_gb".to_owned(), Needs::Update);
    changes.push(FieldChange { path, from: "5".into(), to: "10".into(), needs });
    assert_eq!(wrong(&plan, &want, &have, ADOPT), ["notebook/lab is not this project's"]);
}
