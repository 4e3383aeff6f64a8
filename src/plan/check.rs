//! The independent checker: knows nothing of how the planner works, only what no plan may do. It runs in every
//! planner test and before every execute.

use std::collections::{BTreeMap, BTreeSet};

use super::{Look, Mode, Observed, Op, Plan, Step, StepId};
use crate::desired::Desired;
use crate::domain::{FieldChange, Needs, Owner, Phase, ResourceId, Verb};
use crate::resources::{AnyKind, KindName};

/// What is wrong with the plan; empty for every plan the planner makes.
pub fn check(
    plan: &Plan,
    want: &Desired,
    have: &Observed,
    kinds: &[Box<dyn AnyKind>],
    mode: Mode,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (position, step) in plan.steps.iter().enumerate() {
        if step.id != position {
            wrong.push(format!("step {} stands at {position}", step.id));
        }
        if let Some(late) = step.after.iter().find(|after| **after >= position) {
            wrong.push(format!("{} waits for step {late}, which is not before it", step.target));
        }
    }
    if !wrong.is_empty() {
        return wrong; // the rest would follow edges that lead nowhere
    }
    let before = transitive(plan);
    let making = |id: &ResourceId| find(plan, id, |verb| !verb.removes());
    let deleting = |id: &ResourceId| find(plan, id, |verb| verb.removes());
    for node in &want.nodes {
        let (made, gone) = (making(&node.id), deleting(&node.id));
        if made.len() > 1 || gone.len() > 1 {
            wrong.push(format!("{} has the same verb twice", node.id));
        }
        if !mode.destroys() && made.is_empty() && !plan.unchanged.contains(&node.id) {
            wrong.push(format!("{} is neither made nor unchanged", node.id));
        }
        if made.iter().any(|made| gone.iter().any(|gone| !before[made].contains(gone))) {
            wrong.push(format!("{} is made again before the old one is gone", node.id));
        }
        for need in &node.needs {
            if made.iter().any(|user| making(need).iter().any(|used| !before[user].contains(used))) {
                wrong.push(format!("{} does not wait for {need}", node.id));
            }
            let early = |user: &StepId| deleting(need).iter().any(|used| !before[used].contains(user));
            if mode.destroys() && gone.iter().any(early) {
                wrong.push(format!("{need} is deleted before {}, which needs it", node.id));
            }
        }
    }
    // The lease lies in the bucket: others may begin as soon as it is gone.
    let buckets =
        plan.steps.iter().filter(|s| s.target.kind == KindName::Bucket && want.node(&s.target).is_some());
    for bucket in buckets.filter(|_| mode.destroys()) {
        let others = plan.steps.iter().filter(|s| s.target.kind != KindName::Bucket);
        for early in others.filter(|s| !before[&bucket.id].contains(&s.id)) {
            wrong.push(format!("{} is deleted before {}", bucket.target, early.target));
        }
    }
    wrong.extend(under_parts(plan, want, have, kinds, &before));
    wrong.extend(plan.steps.iter().filter_map(|step| touches_foreign(step, have, kinds, mode)));
    wrong
}

/// A whole that is deleted, or changed as it may not be under its parts (`Needs::Detach`), while one is still there.
fn under_parts(
    plan: &Plan,
    want: &Desired,
    have: &Observed,
    kinds: &[Box<dyn AnyKind>],
    before: &BTreeMap<StepId, BTreeSet<StepId>>,
) -> Vec<String> {
    let kind = |id: &ResourceId| kinds.iter().find(|k| k.kind() == id.kind);
    let wanted = want.nodes.iter().map(|n| (&n.id, &n.physical));
    let present = wanted.filter(|(id, _)| matches!(have.looks.get(id), Some(Look::Present(_))));
    let there: Vec<_> = present.chain(have.leftovers.iter().map(|l| (&l.id, &l.physical))).collect();
    let mut wrong = Vec::new();
    for step in &plan.steps {
        let alone = match &step.op {
            Op::Delete | Op::Release | Op::DeleteWhole { .. } => {
                !have.leftovers.iter().any(|l| l.id == step.target)
            }
            Op::Update { changes, .. } => changes.iter().any(|c| c.needs == Needs::Detach),
            Op::Create { .. } => false,
        };
        for (id, physical) in there.iter().filter(|_| alone) {
            let Some(part) = kind(id).filter(|k| k.part() == Some(step.target.kind)) else { continue };
            let on_it = part.whole_name(physical) == Some(&step.physical);
            if on_it
                && !find(plan, id, |verb| verb.removes()).iter().any(|gone| before[&step.id].contains(gone))
            {
                wrong.push(format!("{} is changed while {id} is on it", step.target));
            }
        }
    }
    wrong
}

fn find(plan: &Plan, id: &ResourceId, wanted: impl Fn(Verb) -> bool) -> Vec<StepId> {
    plan.steps.iter().filter(|s| &s.target == id && wanted(s.op.verb())).map(|s| s.id).collect()
}

/// For each step, all steps that have ended before it starts.
fn transitive(plan: &Plan) -> BTreeMap<StepId, BTreeSet<StepId>> {
    let mut before: BTreeMap<StepId, BTreeSet<StepId>> = BTreeMap::new();
    for step in &plan.steps {
        let mut all = step.after.clone();
        for after in &step.after {
            all.extend(before[after].iter().copied());
        }
        before.insert(step.id, all);
    }
    before
}

/// What is not ours is neither deleted nor replaced nor silently changed.
fn touches_foreign(step: &Step, have: &Observed, kinds: &[Box<dyn AnyKind>], mode: Mode) -> Option<String> {
    let kind = kinds.iter().find(|k| k.kind() == step.target.kind)?;
    let leftover = have.leftovers.iter().find(|l| l.id == step.target);
    let owner = match (have.looks.get(&step.target), leftover) {
        (Some(Look::Present(seen)), _) => kind.owner_of(seen),
        (_, Some(leftover)) if leftover.adopted => Owner::Adopted,
        (_, Some(_)) => Owner::Ours,
        _ => return None,
    };
    let others = have.contents.get(&step.target).map(|c| c.others).unwrap_or_default();
    let agreed = mode == Mode::Destroy { adopted: true };
    let adopts = |changes: &[FieldChange]| {
        let nothing_else = changes.iter().all(|c| c.path == "owner" || c.needs == Needs::Wait);
        changes.iter().any(|c| c.path == "owner") && (kind.adoptable() || nothing_else)
    };
    // What AWS is deleting is only awaited, by the delete of it or by the one that takes its name.
    let leaving = match have.looks.get(&step.target) {
        Some(Look::Present(seen)) => kind.status_of(seen).phase == Phase::Leaving,
        _ => false,
    };
    let allowed = match (&step.op, &owner) {
        (Op::Create { .. }, _) | (Op::Delete, Owner::Nobody) if leaving => true,
        (Op::Update { changes, .. }, Owner::Nobody | Owner::Other(_)) => adopts(changes),
        (_, Owner::Nobody | Owner::Other(_)) => false,
        (Op::Update { .. }, _) => true,
        (Op::Release, Owner::Adopted) => true,
        (Op::Release, _) => !others.is_empty(),
        (Op::DeleteWhole { others: said }, _) => agreed && *said == others,
        (Op::Delete, Owner::Ours) => others.is_empty(),
        // A replacement: the delete before it is judged above.
        (Op::Create { .. }, Owner::Ours) => true,
        (Op::Delete | Op::Create { .. }, _) => false,
    };
    (!allowed).then(|| match owner {
        Owner::Ours => format!("{} holds what is not ours", step.target),
        _ => format!("{} is not ours", step.target),
    })
}
