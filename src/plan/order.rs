//! Edges between deletes, and an order a person can read.

use std::collections::{BTreeMap, BTreeSet};

use super::{Leftover, Step, StepId};
use crate::domain::KindName;

/// The deletes of kinds that may use `kind`: kinds refer only to kinds registered before them.
pub(super) fn deletes_of_later_kinds(steps: &[Step], kind: KindName) -> BTreeSet<StepId> {
    steps.iter().filter(|s| s.op.verb().removes() && s.target.kind > kind).map(|s| s.id).collect()
}

/// Adds the edges from the deletes of leftovers to the deletes of the wanted resources they may use.
pub(super) fn wanted_after_leftovers(steps: &mut [Step], leftovers: &[Leftover]) {
    let leftover: BTreeSet<_> = leftovers.iter().map(|l| &l.id).collect();
    let gone: Vec<(KindName, StepId)> = steps
        .iter()
        .filter(|s| s.op.verb().removes() && leftover.contains(&s.target))
        .map(|s| (s.target.kind, s.id))
        .collect();
    for step in steps.iter_mut().filter(|s| s.op.verb().removes() && !leftover.contains(&s.target)) {
        step.after.extend(gone.iter().filter(|(kind, _)| *kind > step.target.kind).map(|(_, id)| *id));
    }
}

/// The steps in an order in which they can be done one by one, renumbered: the first that can be done is
/// next.
pub(super) fn sorted(steps: Vec<Step>) -> Vec<Step> {
    let mut followers: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
    let mut missing: BTreeMap<StepId, usize> = BTreeMap::new();
    for step in &steps {
        missing.insert(step.id, step.after.len());
        for after in &step.after {
            followers.entry(*after).or_default().push(step.id);
        }
    }
    let mut ready: BTreeSet<StepId> = steps.iter().filter(|s| s.after.is_empty()).map(|s| s.id).collect();
    let mut waiting: BTreeMap<StepId, Step> = steps.into_iter().map(|s| (s.id, s)).collect();
    let mut number: BTreeMap<StepId, StepId> = BTreeMap::new();
    let mut sorted = Vec::new();
    while !waiting.is_empty() {
        // A cycle would be a bug of the planner; the checker names it, so its steps are kept as they are.
        let next = ready.pop_first().unwrap_or_else(|| *waiting.keys().next().expect("not empty"));
        let Some(mut step) = waiting.remove(&next) else { continue };
        step.id = sorted.len();
        number.insert(next, step.id);
        sorted.push(step);
        for follower in followers.remove(&next).unwrap_or_default() {
            let left = missing.get_mut(&follower).expect("it is a step");
            *left -= 1;
            if *left == 0 {
                ready.insert(follower);
            }
        }
    }
    for step in &mut sorted {
        step.after = step.after.iter().map(|a| number[a]).collect();
    }
    sorted
}
