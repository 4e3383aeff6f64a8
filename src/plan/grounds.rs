//! The checker's other half: every step follows from what was observed, and every observed difference has its
//! step. `check` rejects what no plan may do; this rejects what no plan may leave out.

use std::collections::{BTreeMap, BTreeSet};

use super::dependents::{goes_whole, holder};
use super::keys;
use super::predecessors::Predecessors;
use super::{Leftover, Mode, Observation, Observed, Op, Plan, Step};
use crate::desired::{AnyKind, AnySeen, Desired, Node, kind_of};
use crate::domain::{FieldChange, KindName, Needs, Owner, Phase, ResourceId, Verb};

/// What a step is there for without a reason, and what lacks one.
pub(super) fn check(
    plan: &Plan,
    want: &Desired,
    have: &Observed,
    kinds: &[Box<dyn AnyKind>],
    mode: Mode,
    before: &Predecessors,
) -> Vec<String> {
    let mut steps: BTreeMap<&ResourceId, Steps<'_>> = BTreeMap::new();
    for step in &plan.steps {
        let of = steps.entry(&step.target).or_default();
        if step.op.verb().removes() { of.gone.push(step) } else { of.made.push(step) }
    }
    let mut users: BTreeMap<&ResourceId, Vec<&ResourceId>> = BTreeMap::new();
    for node in &want.nodes {
        node.needs.iter().for_each(|need| users.entry(need).or_default().push(&node.id));
    }
    let leftovers = have.leftovers.iter().map(|l| (&l.id, l)).collect();
    let needed = needed(want, have, kinds);
    let grounds = Reasons { plan, want, have, kinds, mode, before, steps, users, needed, leftovers };
    let mut wrong = grounds.lists();
    wrong.extend(plan.steps.iter().filter_map(|step| grounds.step(step)));
    wrong.extend(want.nodes.iter().filter_map(|node| grounds.node(node)));
    wrong.extend(have.leftovers.iter().filter_map(|leftover| grounds.leftover(leftover)));
    wrong
}

/// The steps of one resource.
#[derive(Default)]
struct Steps<'a> {
    made: Vec<&'a Step>,
    gone: Vec<&'a Step>,
}

struct Reasons<'a> {
    plan: &'a Plan,
    want: &'a Desired,
    have: &'a Observed,
    kinds: &'a [Box<dyn AnyKind>],
    mode: Mode,
    before: &'a Predecessors,
    steps: BTreeMap<&'a ResourceId, Steps<'a>>,
    users: BTreeMap<&'a ResourceId, Vec<&'a ResourceId>>,
    /// What is used, itself or through others, by what is there and may have lost its tags; and its parts.
    needed: BTreeSet<&'a ResourceId>,
    leftovers: BTreeMap<&'a ResourceId, &'a Leftover>,
}

/// Grows until nothing is added.
fn needed<'a>(want: &'a Desired, have: &'a Observed, kinds: &[Box<dyn AnyKind>]) -> BTreeSet<&'a ResourceId> {
    let is_lost = |node: &Node| match have.observations.get(&node.id) {
        Some(Observation::Present(seen)) => seen.is_lost(),
        _ => false,
    };
    let mut needed: BTreeSet<&ResourceId> = have.lost.iter().flat_map(|lost| &lost.uses).collect();
    loop {
        let known = needed.len();
        for node in &want.nodes {
            let of = kind_of(kinds, node.id.kind).part_of();
            if node.needs.iter().any(|need| Some(need.kind) == of && needed.contains(need)) {
                needed.insert(&node.id);
            }
            if needed.contains(&node.id) || is_lost(node) {
                needed.extend(&node.needs);
            }
        }
        if needed.len() == known {
            return needed;
        }
    }
}

impl Reasons<'_> {
    fn kind(&self, name: KindName) -> &dyn AnyKind {
        kind_of(self.kinds, name)
    }

    fn made(&self, id: &ResourceId) -> Option<&Step> {
        self.steps.get(id)?.made.first().copied()
    }

    fn gone(&self, id: &ResourceId) -> Option<&Step> {
        self.steps.get(id)?.gone.first().copied()
    }

    /// What the plan says beside its steps.
    fn lists(&self) -> Vec<String> {
        let (plan, have) = (self.plan, self.have);
        let mut wrong = Vec::new();
        if plan.scope != self.want.scope {
            wrong.push("it is for another project, environment, account or region".to_owned());
        }
        if plan.tags != self.want.tags {
            wrong.push("it is for other tags".to_owned());
        }
        if self.mode.deletes() && !have.unread.is_empty() {
            wrong.push("it deletes, and not all that may be this project's could be read".to_owned());
        }
        if let Mode::Deploy { adopt, .. } = self.mode
            && !keys::refused(self.want, have, adopt).is_empty()
        {
            wrong.push("jobs could not use a key that objects are under".to_owned());
        }
        let untouched = |id: &ResourceId| !self.steps.contains_key(id);
        let kept = self.want.nodes.iter().map(|n| &n.id).filter(|id| !self.mode.destroys() && untouched(id));
        if !plan.unchanged.iter().eq(kept) {
            wrong.push("what is unchanged is not what has no step".to_owned());
        }
        if !plan.leftovers.iter().eq(have.leftovers.iter().filter(|l| untouched(&l.id))) {
            wrong.push("what is left over is not what has no step".to_owned());
        }
        let there = |node: &&Node| matches!(have.observations.get(&node.id), Some(Observation::Present(_)));
        let left = self.want.nodes.iter().filter(|node| self.mode.destroys() && untouched(&node.id));
        let goes = |node: &&Node| holder(node, self.kinds).is_some_and(|of| goes_whole(of, &plan.steps));
        let left = left.filter(there).filter(|node| !goes(node)).map(|node| (&node.id, &node.physical));
        let kept = have.leftovers.iter().filter(|left| untouched(&left.id) && self.is_kept(left));
        let left = left.chain(kept.map(|left| (&left.id, &left.physical)));
        let left = left.chain(have.lost.iter().map(|lost| (&lost.id, &lost.id.name)));
        if !plan.foreign.iter().map(|foreign| (&foreign.target, &foreign.physical)).eq(left) {
            wrong.push("what is said to be others' is not what stays".to_owned());
        }
        let gone: BTreeSet<_> =
            self.steps.iter().filter(|(_, s)| !s.gone.is_empty()).map(|(id, _)| *id).collect();
        if !plan.contents.iter().eq(have.contents.iter().filter(|(id, _)| gone.contains(id))) {
            wrong.push("what is said to lie in what goes is not what was counted".to_owned());
        }
        wrong
    }

    /// A step alone: whose, by which name, and why.
    fn step(&self, step: &Step) -> Option<String> {
        let id = &step.target;
        let says_why = match &step.op {
            Op::Update { changes, .. } => step.why == texts(changes),
            _ => !step.why.is_empty(),
        };
        if !says_why {
            return Some(format!("{id} is not said why"));
        }
        let (node, leftover) = (self.want.node(id), self.leftovers.get(id));
        let name = node.map(|n| &n.physical).or(leftover.map(|l| &l.physical));
        match (name, &step.op) {
            (None, _) => return Some(format!("{id} is neither wanted nor this project's")),
            (Some(name), _) if *name != step.physical => {
                return Some(format!("{id} is named {name}, not {}", step.physical));
            }
            _ => {}
        }
        match (&step.op, node) {
            (Op::Create { .. } | Op::Update { .. }, None) => Some(format!("{id} is made, and not wanted")),
            (Op::Create { .. } | Op::Update { .. }, _) if self.mode.destroys() => {
                Some(format!("{id} is made by what destroys"))
            }
            (Op::Create { spec } | Op::Update { spec, .. }, Some(node)) if *spec != node.spec => {
                Some(format!("{id} is made otherwise than wanted"))
            }
            _ => None,
        }
    }

    /// A wanted resource, by what was seen of it.
    fn node(&self, node: &Node) -> Option<String> {
        let id = &node.id;
        let (made, gone) = (self.made(id), self.gone(id));
        match self.have.observations.get(id).unwrap_or(&Observation::Absent) {
            Observation::Unreadable(..) => Some(format!("{id} could not be read")),
            Observation::Taken(_) if made.is_some() => {
                Some(format!("{id} is made over what is not this project's"))
            }
            Observation::Absent | Observation::Taken(_) if gone.is_some() => {
                Some(format!("{id} is not there to be deleted"))
            }
            Observation::Absent | Observation::Taken(_) if self.mode.destroys() => None,
            Observation::Absent | Observation::Taken(_) => match made.map(|step| (&step.op, &step.why)) {
                Some((Op::Create { .. }, why)) if self.names_previous_generation(node, why) => None,
                Some((Op::Create { .. }, _)) => Some(format!("{id} is not said why")),
                _ => Some(format!("{id} is not there, and is not made")),
            },
            Observation::Present(seen) if self.mode.destroys() => {
                let needed = self.needed.contains(id);
                let goes = seen.owner().is_managed() && !self.stands_on_foreign(node) && !needed;
                match gone {
                    Some(_) if needed => Some(format!("{id} is deleted, and what stays may use it")),
                    None => goes.then(|| format!("{id} is left")),
                    Some(gone) => {
                        let early = self.early(gone);
                        early.map(|user| format!("{id} is deleted before {user}, which may need it"))
                    }
                }
            }
            Observation::Present(seen) if seen.status().phase == Phase::Leaving => {
                let waits = gone.is_none() && made.is_some_and(|step| step.op.verb() == Verb::Create);
                (!waits).then(|| format!("{id} is on its way out, and nothing takes its place"))
            }
            Observation::Present(seen) => self.present(node, seen, made, gone),
        }
    }

    /// Whether what it stands on, which has the tags for both, is there and not this project's.
    fn stands_on_foreign(&self, node: &Node) -> bool {
        holder(node, self.kinds).is_some_and(|holder| match self.have.observations.get(holder) {
            Some(Observation::Present(seen)) => {
                !seen.owner().is_managed() && seen.status().phase != Phase::Leaving
            }
            _ => false,
        })
    }

    /// Whether it is an earlier generation of what is needed so.
    fn is_earlier_of_needed(&self, leftover: &Leftover) -> bool {
        let of_kind = self.want.nodes.iter().filter(|node| node.id.kind == leftover.id.kind);
        let is_earlier = |node: &&Node| self.want.scope.is_generation(&node.id.name, &leftover.physical);
        of_kind.filter(is_earlier).any(|node| self.needed.contains(&node.id))
    }

    /// Whether it stays where leftovers are deleted.
    fn is_kept(&self, leftover: &Leftover) -> bool {
        self.needed.contains(&leftover.id) || (self.mode.destroys() && self.is_earlier_of_needed(leftover))
    }

    /// A new generation of what there was says in what it differs.
    fn names_previous_generation(&self, node: &Node, why: &[String]) -> bool {
        let Some(earlier) = self.have.previous_generations.get(&node.id) else { return true };
        let changes = node.spec.diff(earlier);
        changes.is_empty() || texts(&changes) == why
    }

    fn present(
        &self,
        node: &Node,
        seen: &AnySeen,
        made: Option<&Step>,
        gone: Option<&Step>,
    ) -> Option<String> {
        let (id, kind) = (&node.id, self.kind(node.id.kind));
        let (owner, phase) = (seen.owner().clone(), seen.status().phase);
        if owner.is_managed() && seen.saved_nothing() && (made.is_some() || gone.is_some()) {
            return Some(format!("{id} saved nothing, and would do so again"));
        }
        if node.spec.mistaken(seen).is_some() && (made.is_some() || gone.is_some()) {
            return Some(format!("{id} is changed by mistake"));
        }
        // What a fingerprinted resource of ours is made of is in its name.
        let in_name = kind.fingerprinted() && owner == Owner::Ours;
        let mut changes = if in_name { node.spec.gone(seen) } else { node.spec.diff(seen) };
        changes.extend(self.want.tags_differ(&node.id, seen));
        let must = changes.iter().map(|c| c.needs).max();
        let differs = must.is_some() || phase == Phase::Busy || !owner.is_managed();
        let is_gone = !differs && seen.output_is_gone() && self.is_read(id);
        let again = must == Some(Needs::Replace)
            || phase == Phase::Failed
            || self.whole_detaches_parts(node)
            || is_gone;
        match (gone, made.map(|step| &step.op)) {
            (None, None) if again || differs => Some(format!("{id} differs, and is left as it is")),
            (None, None) => None,
            (Some(_), None) => Some(format!("{id} is deleted, and not made again")),
            (None, Some(Op::Update { .. })) if again => {
                Some(format!("{id} is changed, and must be made again"))
            }
            (None, Some(Op::Update { changes: done, .. })) => {
                let told = |told: fn(&FieldChange) -> bool, is: bool, needs: Needs| {
                    let of: Vec<_> = done.iter().filter(|c| told(c)).collect();
                    of.len() == usize::from(is) && of.iter().all(|c| c.needs == needs)
                };
                let ours = |c: &&FieldChange| !c.is_adoption() && !c.is_of_status();
                let right = differs
                    && told(FieldChange::is_adoption, !owner.is_managed(), Needs::Update)
                    && told(FieldChange::is_of_status, phase == Phase::Busy, Needs::Wait)
                    && done.iter().filter(ours).eq(&changes);
                (!right).then(|| format!("{id} is changed in what does not differ, or not in all that does"))
            }
            (None, Some(_)) => Some(format!("{id} is there already")),
            (Some(_), Some(Op::Update { .. })) => Some(format!("{id} is deleted, and then changed")),
            (Some(_), Some(_)) if !again => Some(format!("{id} is made again, and need not be")),
            (Some(gone), Some(_)) => {
                let why = made.map(|step| &step.why);
                let aside = self.whole_detaches_parts(node);
                let told = aside || changes.iter().all(|c| gone.why.contains(&c.to_string()));
                (why != Some(&gone.why) || !told).then(|| format!("{id} is not said why"))
            }
        }
    }

    /// Whether somebody is made, or packed again, of what it has put out; or nobody has taken it anywhere.
    fn is_read(&self, id: &ResourceId) -> bool {
        let reads = |user: &ResourceId| match self.made(user).map(|step| &step.op) {
            Some(Op::Create { .. }) => true,
            Some(Op::Update { changes, .. }) => changes.iter().any(|c| c.path == "archive"),
            _ => false,
        };
        self.users.get(id).is_none_or(|users| users.iter().copied().any(reads))
    }

    /// Whether what it is a part of is deleted, or changed as it may not be under its parts.
    fn whole_detaches_parts(&self, node: &Node) -> bool {
        let Some(of) = self.kind(node.id.kind).part_of() else { return false };
        let whole = node.needs.iter().find(|need| need.kind == of);
        whole.is_some_and(|whole| self.detaches_parts(whole))
    }

    fn detaches_parts(&self, whole: &ResourceId) -> bool {
        let detaches = |step: &Step| match &step.op {
            Op::Update { changes, .. } => changes.iter().any(|c| c.needs == Needs::Detach),
            _ => false,
        };
        self.gone(whole).is_some() || self.made(whole).is_some_and(detaches)
    }

    /// What is not in the config is deleted when that was asked for, or when it blocks something else.
    fn leftover(&self, leftover: &Leftover) -> Option<String> {
        let id = &leftover.id;
        let kind = self.kind(id.kind);
        let whole = kind.part_of().zip(kind.whole_of(&leftover.physical));
        let is_whole = |n: &&Node| whole == Some((n.id.kind, n.physical.as_str()));
        let in_the_way = self.want.nodes.iter().filter(is_whole).any(|n| self.detaches_parts(&n.id));
        match self.steps.get(id).map(|steps| steps.gone.as_slice()).unwrap_or_default() {
            [] if self.is_kept(leftover) => None,
            [_] if in_the_way && !self.mode.destroys() => None,
            [_] if !kind.stays() && !self.mode.destroys() => None,
            [_] if self.is_kept(leftover) => Some(format!("{id} is deleted, and what stays may use it")),
            [] if self.mode.deletes() => Some(format!("{id} is left")),
            [] if !kind.stays() && !matches!(self.mode, Mode::Scale(_)) => {
                Some(format!("{id} is left, and would act"))
            }
            [] => None,
            [gone] if self.mode.deletes() => {
                self.early(gone).map(|user| format!("{id} is deleted before {user}, which may need it"))
            }
            [_] => Some(format!("{id} is deleted, and nobody asked for that")),
            _ => Some(format!("{id} has the same verb twice")),
        }
    }

    /// Nobody knows what uses what is left over: kinds use only kinds before them, and what is made in its
    /// place is made first. What comes too late for that.
    fn early(&self, gone: &Step) -> Option<&ResourceId> {
        let left = |step: &Step| self.leftovers.contains_key(&step.target);
        let first = |step: &&Step| {
            let uses = step.op.verb().removes() && step.target.kind > gone.target.kind;
            let unclear = left(gone) || left(step);
            (uses && unclear) || (left(gone) && !left(step) && !self.mode.destroys())
        };
        let late = self.plan.steps.iter().filter(first).find(|step| !self.before.holds(step.id, gone.id));
        late.map(|step| &step.target)
    }
}

fn texts(changes: &[FieldChange]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}
