//! The independent checker: knows nothing of how the planner works, only what no plan may do. It runs in
//! every planner test and before every execute.

use std::collections::{BTreeMap, BTreeSet};

use super::predecessors::Predecessors;
use super::scale::Scaled;
use super::{Leftover, Mode, Observation, Observed, Op, Plan, Step, StepId, grounds};
use crate::desired::{AnyKind, AnySpec, Desired, Node, kind_of};
use crate::domain::{FieldChange, KindName, Needs, Owner, Phase, ResourceId};

/// What is wrong with the plan; empty for every plan the planner makes.
pub fn check(
    plan: &Plan,
    want: &Desired,
    have: &Observed,
    kinds: &[Box<dyn AnyKind>],
    mode: Mode,
) -> Vec<String> {
    if let Mode::Scale(to) = mode {
        let Ok(scaled) = Scaled::of(want, have, kinds, &to) else {
            return vec!["it scales what cannot be scaled so".to_owned()];
        };
        // A deploy of the parts as they are to be, which also says what it keeps.
        return match scaled.unexplained(plan) {
            Ok(plain) => check(&plain, &scaled.want, have, kinds, Scaled::MODE),
            Err(id) => vec![format!("the plan does not say what {id} keeps")],
        };
    }
    let wrong = misnumbered(plan);
    if !wrong.is_empty() {
        return wrong; // the rest would follow edges that lead nowhere
    }
    let before = Predecessors::of(plan);
    let steps = Steps::of(plan);
    let unchanged: BTreeSet<&ResourceId> = plan.unchanged.iter().collect();
    let mut wrong = Vec::new();
    for node in &want.nodes {
        if !mode.destroys() && steps.of_target(&node.id).0.is_empty() && !unchanged.contains(&node.id) {
            wrong.push(format!("{} is neither made nor unchanged", node.id));
        }
        wrong.extend(out_of_order(node, have, mode, (&before, &steps)));
    }
    wrong.extend(behind_the_bucket(plan, want, &before).filter(|_| mode.destroys()));
    wrong.extend(under_parts(plan, want, have, kinds, (&before, &steps)));
    let leftovers: BTreeMap<_, _> = have.leftovers.iter().map(|l| (&l.id, l)).collect();
    let foreign =
        |step: &Step| touches_foreign(step, have, leftovers.get(&step.target).copied(), kinds, mode);
    wrong.extend(plan.steps.iter().filter_map(foreign));
    wrong.extend(on_foreign(plan, want, have, kinds));
    // A plan that breaks a rule has grounds that nobody needs to read.
    if wrong.is_empty() { grounds::check(plan, want, have, kinds, mode, &before) } else { wrong }
}

/// Steps that are not where their number says, or wait for one that comes later.
fn misnumbered(plan: &Plan) -> Vec<String> {
    let mut wrong = Vec::new();
    for (position, step) in plan.steps.iter().enumerate() {
        if step.id != position {
            wrong.push(format!("step {} is at position {position}", step.id));
        }
        if let Some(late) = step.after.iter().find(|after| **after >= position) {
            wrong.push(format!("{} waits for step {late}, which is not before it", step.target));
        }
    }
    wrong
}

/// Steps of a node that are too many, or before those that they need.
fn out_of_order(
    node: &Node,
    have: &Observed,
    mode: Mode,
    (before, steps): (&Predecessors, &Steps<'_>),
) -> Vec<String> {
    let mut wrong = Vec::new();
    let (made, gone) = steps.of_target(&node.id);
    if made.len() > 1 || gone.len() > 1 {
        wrong.push(format!("{} has the same verb twice", node.id));
    }
    if made.iter().any(|made| gone.iter().any(|gone| !before.holds(*gone, *made))) {
        wrong.push(format!("{} is re-created before the old one is gone", node.id));
    }
    for need in &node.needs {
        let (making, deleting) = steps.of_target(need);
        match have.observations.get(need) {
            Some(Observation::Present(seen)) if !made.is_empty() && seen.mixed().is_some() => {
                wrong.push(format!("{} reads what others put into {need}", node.id));
            }
            _ => {}
        }
        if made.iter().any(|user| making.iter().any(|used| !before.holds(*used, *user))) {
            wrong.push(format!("{} does not wait for {need}", node.id));
        }
        let early = |user: &StepId| deleting.iter().any(|used| !before.holds(*user, *used));
        if mode.destroys() && gone.iter().any(early) {
            wrong.push(format!("{need} is deleted before {}, which needs it", node.id));
        }
    }
    wrong
}

/// What a destroy deletes after the bucket. The lease is in it: others may begin as soon as it is gone.
fn behind_the_bucket<'p>(
    plan: &'p Plan,
    want: &'p Desired,
    before: &'p Predecessors,
) -> impl Iterator<Item = String> + 'p {
    let is_bucket = |step: &&Step| step.target.kind == KindName::Bucket;
    let buckets = plan.steps.iter().filter(is_bucket).filter(|step| want.node(&step.target).is_some());
    buckets.flat_map(move |bucket| {
        let others = plan.steps.iter().filter(move |step| !is_bucket(step));
        let early = others.filter(move |step| !before.holds(step.id, bucket.id));
        early.map(move |step| format!("{} is deleted before {}", bucket.target, step.target))
    })
}

/// A whole that is deleted, or changed as it may not be under its parts (`Needs::Detach`), while one is still
/// there.
fn under_parts(
    plan: &Plan,
    want: &Desired,
    have: &Observed,
    kinds: &[Box<dyn AnyKind>],
    (before, steps): (&Predecessors, &Steps<'_>),
) -> Vec<String> {
    let wanted = want.nodes.iter().map(|n| (&n.id, &n.physical));
    let present = wanted.filter(|(id, _)| matches!(have.observations.get(id), Some(Observation::Present(_))));
    let there = present.chain(have.leftovers.iter().map(|l| (&l.id, &l.physical)));
    // By kind and name of the whole.
    let mut parts: BTreeMap<(KindName, &str), Vec<&ResourceId>> = BTreeMap::new();
    for (id, physical) in there {
        let kind = kind_of(kinds, id.kind);
        let part = kind.part_of().zip(kind.whole_of(physical));
        if let Some(whole) = part {
            parts.entry(whole).or_default().push(id);
        }
    }
    let leftovers: BTreeSet<&ResourceId> = have.leftovers.iter().map(|l| &l.id).collect();
    let mut wrong = Vec::new();
    for step in &plan.steps {
        let alone = match &step.op {
            Op::Delete | Op::Release | Op::DeleteWhole { .. } => !leftovers.contains(&step.target),
            Op::Update { changes, .. } => changes.iter().any(|c| c.needs == Needs::Detach),
            Op::Create { .. } => false,
        };
        let whole = (step.target.kind, step.physical.as_str());
        for id in parts.get(&whole).into_iter().flatten().filter(|_| alone) {
            if !steps.of_target(id).1.iter().any(|gone| before.holds(*gone, step.id)) {
                wrong.push(format!("{} is changed while {id} is on it", step.target));
            }
        }
    }
    wrong
}

/// What is made, changed or deleted on something that is not this project's, and is not adopted either.
fn on_foreign(plan: &Plan, want: &Desired, have: &Observed, kinds: &[Box<dyn AnyKind>]) -> Vec<String> {
    let adopts = |op: &Op| match op {
        Op::Update { changes, .. } => changes.iter().any(FieldChange::is_adoption),
        _ => false,
    };
    let adopted = plan.steps.iter().filter(|step| adopts(&step.op)).map(|step| &step.target);
    let adopted: BTreeSet<&ResourceId> = adopted.collect();
    let foreign: BTreeSet<(KindName, &str)> = want
        .nodes
        .iter()
        .filter(|node| !adopted.contains(&node.id))
        .filter(|node| match have.observations.get(&node.id) {
            Some(Observation::Present(seen)) => {
                !seen.owner().is_managed() && seen.status().phase != Phase::Leaving
            }
            _ => false,
        })
        .map(|node| (node.id.kind, node.physical.as_str()))
        .collect();
    let stands_on = |step: &Step| {
        let kind = kind_of(kinds, step.target.kind);
        let whole = (kind.owned_with()?, kind.whole_of(&step.physical)?);
        foreign.contains(&whole).then(|| format!("{} is on what is not this project's", step.target))
    };
    plan.steps.iter().filter_map(stands_on).collect()
}

/// The steps of each resource: those that make or change it, and those that delete it.
struct Steps<'p>(BTreeMap<&'p ResourceId, (Vec<StepId>, Vec<StepId>)>);

impl<'p> Steps<'p> {
    fn of(plan: &'p Plan) -> Self {
        let mut steps: BTreeMap<_, (Vec<StepId>, Vec<StepId>)> = BTreeMap::new();
        for step in &plan.steps {
            let (made, gone) = steps.entry(&step.target).or_default();
            if step.op.verb().removes() { gone.push(step.id) } else { made.push(step.id) }
        }
        Self(steps)
    }

    fn of_target(&self, id: &ResourceId) -> (&[StepId], &[StepId]) {
        self.0.get(id).map_or((&[], &[]), |(made, gone)| (made, gone))
    }
}

/// What is not ours is neither deleted nor replaced nor silently changed.
fn touches_foreign(
    step: &Step,
    have: &Observed,
    leftover: Option<&Leftover>,
    kinds: &[Box<dyn AnyKind>],
    mode: Mode,
) -> Option<String> {
    let kind = kind_of(kinds, step.target.kind);
    let owner = match (have.observations.get(&step.target), leftover) {
        (Some(Observation::Present(seen)), _) => seen.owner().clone(),
        (_, Some(leftover)) => leftover.owner(),
        _ => return None,
    };
    let contents = have.contents.get(&step.target).cloned().unwrap_or_default();
    let agreed = mode == Mode::Destroy { adopted: true };
    let adopts = |changes: &[FieldChange]| {
        let nothing_else = changes.iter().all(|c| c.is_adoption() || c.needs == Needs::Wait);
        changes.iter().any(FieldChange::is_adoption) && (kind.adoptable() || nothing_else)
    };
    let overwrites = |spec: &AnySpec| match have.observations.get(&step.target) {
        Some(Observation::Present(seen)) => !spec.taken(seen).is_empty(),
        _ => false,
    };
    // What AWS is deleting is only awaited, by the delete of it or by the one that takes its name.
    let leaving = match have.observations.get(&step.target) {
        Some(Observation::Present(seen)) => seen.status().phase == Phase::Leaving,
        _ => false,
    };
    let allowed = match (&step.op, &owner) {
        (Op::Create { .. }, _) | (Op::Delete, Owner::Nobody) if leaving => true,
        (Op::Update { spec, changes }, Owner::Nobody) => adopts(changes) && !overwrites(spec),
        (Op::Update { changes, .. }, Owner::Partly { .. }) => adopts(changes),
        (_, Owner::Nobody | Owner::Partly { .. } | Owner::Other(_)) => false,
        (Op::Update { .. }, _) => true,
        (Op::Release, Owner::Adopted) => true,
        (Op::Release, _) => !contents.others.is_empty(),
        (Op::DeleteWhole { others: said }, _) => agreed && *said == contents.digest,
        (Op::Delete, Owner::Ours) => contents.others.is_empty(),
        // A replacement: the delete before it is judged above.
        (Op::Create { .. }, Owner::Ours) => true,
        (Op::Delete | Op::Create { .. }, _) => false,
    };
    (!allowed).then(|| match owner {
        Owner::Ours => format!("{} holds what others put there", step.target),
        _ => format!("{} is not this project's", step.target),
    })
}
