//! Any sound plan of any project, changed in one place in every way that we know of: the checker must say so.

use std::collections::{BTreeMap, BTreeSet};

use opsctl::desired::Desired;
use opsctl::domain::{Contents, FieldChange, KindName, Needs, Owner, ResourceId, Tally};
use opsctl::plan::{Foreign, Observed, Op, Plan, Step, check};
use opsctl::resources::kinds;
use proptest::prelude::*;
use proptest::sample::Index;

use super::properties::{any_drift, befall, sample};
use super::recipe::any_recipe;
use super::world::{Account, DEPLOY, DESTROY, PRUNE};

/// A plan that is not the one that was made, and how it came about.
type Mutant = (String, Plan);

/// The plan with its steps in this order, numbered again.
fn renumbered(plan: &Plan, steps: Vec<Step>) -> Plan {
    let number: BTreeMap<usize, usize> = steps.iter().enumerate().map(|(new, s)| (s.id, new)).collect();
    let numbered = |(new, mut step): (usize, Step)| {
        step.id = new;
        step.after = step.after.iter().filter_map(|a| number.get(a).copied()).collect();
        step
    };
    Plan { steps: steps.into_iter().enumerate().map(numbered).collect(), ..plan.clone() }
}

type Key<'a> = (&'a ResourceId, &'static str);

fn key(step: &Step) -> Key<'_> {
    (&step.target, step.op.verb().as_str())
}

/// For each step all that have ended when it starts.
fn order(plan: &Plan) -> BTreeMap<Key<'_>, BTreeSet<Key<'_>>> {
    let mut before: Vec<BTreeSet<_>> = Vec::new();
    for step in &plan.steps {
        let all = step.after.iter().flat_map(|a| before[*a].iter().copied().chain([key(&plan.steps[*a])]));
        before.push(all.collect());
    }
    plan.steps.iter().map(key).zip(before).collect()
}

/// Whether it does the same, each step after all that it has to wait for.
fn is_as_good(mutant: &Plan, plan: &Plan) -> bool {
    let in_place = mutant.steps.iter().enumerate().all(|(i, s)| s.id == i && s.after.iter().all(|a| *a < i));
    let does = |step: &Step| {
        let then = plan.steps.iter().find(|then| key(then) == key(step));
        then.is_some_and(|then| {
            (&then.physical, &then.op, &then.why) == (&step.physical, &step.op, &step.why)
        })
    };
    let beside = |plan: &Plan| {
        (
            plan.scope.clone(),
            plan.unchanged.clone(),
            plan.leftovers.clone(),
            plan.foreign.clone(),
            plan.contents.clone(),
        )
    };
    if !in_place
        || mutant.steps.len() != plan.steps.len()
        || !mutant.steps.iter().all(does)
        || beside(mutant) != beside(plan)
    {
        return false;
    }
    let (now, then) = (order(mutant), order(plan));
    then.iter().all(|(step, before)| now.get(step).is_some_and(|now| now.is_superset(before)))
}

fn fake() -> FieldChange {
    FieldChange { path: "made up".into(), from: "1".into(), to: "2".into(), needs: Needs::Update }
}

/// All that can be wrong at some places of the plan.
#[expect(clippy::too_many_lines, reason = "a list")]
fn mutants(plan: &Plan, want: &Desired, have: &Observed, places: &[Index]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let mut add = |what: String, plan: Plan| mutants.push((what, plan));
    let some = places.iter().filter(|_| !plan.steps.is_empty()).map(|place| place.get(&plan.steps));
    for step in some.clone() {
        let i = step.id;
        let name = format!("{} {}", step.op.verb().as_str(), step.target);
        let with = |change: &dyn Fn(&mut Step)| {
            let mut plan = plan.clone();
            change(&mut plan.steps[i]);
            plan
        };
        let rest: Vec<Step> = plan.steps.iter().filter(|s| s.id != i).cloned().collect();
        let dropped = renumbered(plan, rest);
        // Called unchanged, or left over, it would be green and false.
        let mut hidden = dropped.clone();
        let wanted = want.nodes.iter().map(|n| &n.id);
        let touched: BTreeSet<&ResourceId> = dropped.steps.iter().map(|s| &s.target).collect();
        hidden.unchanged = wanted.filter(|id| !touched.contains(id)).cloned().collect();
        hidden.leftovers = have.leftovers.iter().filter(|l| !touched.contains(&l.id)).cloned().collect();
        hidden.contents.remove(&step.target);
        add(format!("without {name}"), dropped.clone());
        add(format!("{name} hidden"), hidden);

        for other in some.clone().map(|other| other.id).filter(|other| *other != i) {
            let mut swapped = plan.clone();
            swapped.steps.swap(i, other);
            add(format!("{name} at the place of {other}"), swapped.clone());
            for (at, step) in swapped.steps.iter_mut().enumerate() {
                step.id = at;
            }
            add(format!("{name} as {other}, edges of numbers"), swapped.clone());
            swapped.steps[i].after = plan.steps[i].after.clone();
            swapped.steps[other].after = plan.steps[other].after.clone();
            add(format!("{name} instead of {other}"), swapped);
            let mut steps = plan.steps.clone();
            steps.swap(i, other);
            add(format!("{name} and {other} change places"), renumbered(plan, steps));
        }
        for edge in &step.after {
            add(
                format!("{name} does not wait for {edge}"),
                with(&|s| {
                    s.after.remove(edge);
                }),
            );
        }
        add(
            format!("{name} waits for itself"),
            with(&|s| {
                s.after.insert(i);
            }),
        );
        add(format!("{name} waits for nothing"), with(&|s| s.after.clear()));

        let node = want.node(&step.target);
        let mut ops = vec![
            Op::Delete,
            Op::Release,
            Op::DeleteWhole { others: String::new() },
            Op::DeleteWhole { others: "others".into() },
        ];
        for node in want
            .nodes
            .iter()
            .filter(|n| Some(&n.id) == node.map(|n| &n.id) || n.id.kind == step.target.kind)
            .take(3)
        {
            let spec = node.spec.clone();
            ops.push(Op::Update { spec: spec.clone(), changes: vec![] });
            ops.push(Op::Update { spec: spec.clone(), changes: vec![fake()] });
            ops.push(Op::Create { spec });
        }
        for op in ops.into_iter().filter(|op| *op != step.op) {
            let what = format!("{name} becomes {op:?}");
            add(what.clone(), with(&|s| s.op = op.clone()));
            if let Op::Update { changes, .. } = &op {
                let why = changes.iter().map(ToString::to_string).collect::<Vec<_>>();
                add(format!("{what}, with reasons"), with(&|s| (s.op, s.why) = (op.clone(), why.clone())));
            }
        }
        if let Op::Update { changes, .. } = &step.op {
            for (n, change) in changes.iter().enumerate() {
                for how in 0..5 {
                    // Words for people, made of what was seen.
                    if [1, 2].contains(&how) && ["owner", "status"].contains(&change.path.as_str()) {
                        continue;
                    }
                    let changed = with(&|s| {
                        let Op::Update { changes, .. } = &mut s.op else { unreachable!() };
                        match how {
                            0 => drop(changes.remove(n)),
                            1 => changes[n].to.push('x'),
                            2 => changes[n].from.push('x'),
                            3 => changes[n].path.push('x'),
                            _ if changes[n].needs == Needs::Wait => changes[n].needs = Needs::Replace,
                            _ => changes[n].needs = Needs::Wait,
                        }
                        s.why = changes.iter().map(ToString::to_string).collect();
                    });
                    add(format!("{name}: change {n}, {how}"), changed);
                }
            }
            add(
                format!("{name}: one change more"),
                with(&|s| {
                    let Op::Update { changes, .. } = &mut s.op else { unreachable!() };
                    changes.push(fake());
                    s.why.push(fake().to_string());
                }),
            );
            add(format!("{name}: for another reason"), with(&|s| s.why = vec!["because".into()]));
        }
        add(format!("{name}: for no reason"), with(&|s| s.why.clear()));
        add(format!("{name}: another name"), with(&|s| s.physical.push('x')));
        add(format!("{name}: another target"), with(&|s| s.target.name.push('x')));
        let mut twice = plan.clone();
        twice.steps.push(Step { id: plan.steps.len(), ..step.clone() });
        add(format!("{name} twice"), twice);
    }

    // Steps that nobody needs.
    let more = |target: &ResourceId, physical: &str, op: Op| {
        let mut plan = plan.clone();
        let after = (0..plan.steps.len()).collect();
        let why = match &op {
            Op::Update { changes, .. } => changes.iter().map(ToString::to_string).collect(),
            _ => vec!["destroy".to_owned()],
        };
        plan.unchanged.retain(|id| id != target);
        plan.leftovers.retain(|l| l.id != *target);
        let id = plan.steps.len();
        plan.steps.push(Step { id, target: target.clone(), physical: physical.to_owned(), op, after, why });
        plan
    };
    let touched: BTreeSet<&ResourceId> = plan.steps.iter().map(|s| &s.target).collect();
    let nodes = places.iter().map(|place| place.get(&want.nodes));
    for node in nodes.filter(|n| !touched.contains(&n.id)) {
        let spec = node.spec.clone();
        for op in [
            Op::Create { spec: spec.clone() },
            Op::Update { spec: spec.clone(), changes: vec![] },
            Op::Update { spec, changes: vec![fake()] },
            Op::Delete,
            Op::Release,
        ] {
            add(format!("also {} {}", op.verb().as_str(), node.id), more(&node.id, &node.physical, op));
        }
    }
    for leftover in have.leftovers.iter().filter(|l| !touched.contains(&l.id)).take(places.len()) {
        for op in [Op::Delete, Op::Release] {
            add(
                format!("also {} {}", op.verb().as_str(), leftover.id),
                more(&leftover.id, &leftover.physical, op),
            );
        }
    }
    for kind in KindName::ALL {
        add(
            format!("also a {kind} of others"),
            more(&ResourceId::new(*kind, "theirs"), "theirs", Op::Delete),
        );
    }

    // What it says beside its steps.
    let with = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        plan
    };
    for n in (0..plan.unchanged.len()).take(places.len()) {
        add(
            format!("{} is not said to be unchanged", plan.unchanged[n]),
            with(&|p| drop(p.unchanged.remove(n))),
        );
    }
    for n in (0..plan.leftovers.len()).take(places.len()) {
        add(
            format!("{} is not said to be left", plan.leftovers[n].id),
            with(&|p| drop(p.leftovers.remove(n))),
        );
    }
    for n in 0..plan.foreign.len() {
        add(
            format!("{} is not said to be others'", plan.foreign[n].target),
            with(&|p| drop(p.foreign.remove(n))),
        );
    }
    if let Some(node) =
        want.nodes.iter().find(|node| plan.foreign.iter().all(|foreign| foreign.target != node.id))
    {
        add(
            format!("{} is said to be others'", node.id),
            with(&|p| {
                let (target, physical) = (node.id.clone(), node.physical.clone());
                p.foreign.push(Foreign {
                    target,
                    physical,
                    owner: Owner::Nobody,
                    is_untagged: false,
                    is_record: false,
                    used_by: None,
                });
            }),
        );
    }
    add("another account".to_owned(), with(&|p| p.scope.account = "999999999999".into()));
    add("another environment".to_owned(), with(&|p| p.scope.environment = "prod".into()));
    if let Some(step) = plan.steps.first() {
        add("unchanged, with a step".to_owned(), with(&|p| p.unchanged.push(step.target.clone())));
        let contents =
            Contents { others: Tally { objects: 9, old_versions: 9, bytes: 9 }, ..Contents::default() };
        add(
            "other contents".to_owned(),
            with(&|p| drop(p.contents.insert(step.target.clone(), contents.clone()))),
        );
    }
    mutants
}

proptest! {
    #![proptest_config(sample(8))]

    #[test]
    fn every_mutated_plan_is_caught(
        (before, between, after) in (any_recipe(), any_recipe(), any_recipe()),
        drift in any_drift(),
        mode in prop::sample::select(&[DEPLOY, PRUNE, DESTROY][..]),
        from_nothing in prop::bool::weighted(0.1),
        same in prop::bool::weighted(0.2),
        places in prop::collection::vec(any::<Index>(), 3),
        strangers in prop::collection::vec(any::<Index>(), 0..4),
    ) {
        let (before, between) = (before.desired(), between.desired());
        let want = if same { between.clone() } else { after.desired() };
        let mut account = Account::default();
        if !from_nothing {
            account.deploy(&before, DEPLOY);
            account.deploy(&between, DEPLOY);
            befall(&mut account, &between, &drift);
            // Beside what is others' only a destroy goes on. A part has no tags: it is whose the whole is.
            for which in strangers.iter().filter(|_| mode == DESTROY) {
                let node = which.get(&between.nodes);
                let kind = kinds().into_iter().find(|kind| kind.name() == node.id.kind);
                let id = node.id.to_string();
                if kind.is_some_and(|kind| kind.owned_with().is_none())
                    && account.has(&between, &id)
                    && let Some(owner) = account.seen(&between, &id).get_mut("owner")
                {
                    *owner = "nobody".into();
                }
            }
        }
        let plan = account.plan(&want, mode);
        let have = account.observe(&want);
        let (kinds, mut count) = (kinds(), 0);
        for (what, mutant) in mutants(&plan, &want, &have, &places) {
            let good = is_as_good(&mutant, &plan);
            let wrong = check::check(&mutant, &want, &have, &kinds, mode);
            prop_assert_eq!(wrong.is_empty(), good, "{}: {:?}\n{:#?}", what, wrong, plan);
            count += usize::from(!good);
        }
        prop_assert!(count > 10, "{} mutants", count);
    }
}
