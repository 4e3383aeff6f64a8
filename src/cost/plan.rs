//! What a project costs before and after a plan, and now.

use std::collections::BTreeSet;

use super::{Bill, Estimate, Item, Prices, Rate};
use crate::desired::{AnyKind, Desired, Node, kind_of};
use crate::domain::{HumanDuration, KindName, Money, ResourceId, Usage};
use crate::plan::{Kept, Observation, Observed, Op, Plan, Step, holder};

/// What a plan changes in what is billed.
#[derive(Clone, Debug)]
pub struct Cost {
    pub prices: Prices,
    /// What is there.
    pub before: Bill,
    /// What will be there.
    pub after: Bill,
    /// The jobs that the plan runs: they are in `after`, with what a run costs.
    pub runs: Vec<ResourceId>,
    /// So long after the plan, what bills by the hour ends by itself.
    pub ends_after: Option<HumanDuration>,
    /// It is of a part of the project alone: that which the command is about.
    pub is_part: bool,
}

impl Cost {
    /// What a plan costs: before it, after it, and what of it is new.
    pub fn of(
        plan: &Plan,
        want: &Desired,
        have: &Observed,
        kinds: &[Box<dyn AnyKind>],
        prices: Prices,
    ) -> Self {
        let runs = |node: &&Node| steps(plan, &node.id).any(|step| matches!(step.op, Op::Create { .. }));
        let before = live(want, have, kinds, &prices);
        let mut after = bill(&after(plan, want, have, kinds), have, kinds, &prices);
        // One that is awaited has a step too.
        let is_kept = |step: &Step| matches!(step.op, Op::Update { .. });
        let goes_on = |id: &ResourceId| before.of(id).is_some() && steps(plan, id).all(is_kept);
        // A job that has ended, or is yet to run, costs by the run.
        for job in after.0.iter_mut().filter(|estimate| estimate.run.is_some()) {
            if !goes_on(&job.id) {
                (job.now, job.most) = (Rate::ZERO, Rate::ZERO);
            }
        }
        name_ends(&mut after, want, have, kinds);
        after.0.extend(unread(want, have, kinds, |id| steps(plan, id).next().is_none()));
        let runs: Vec<ResourceId> = want.nodes.iter().filter(runs).map(|node| node.id.clone()).collect();
        let is_job = |id: &ResourceId| after.of(id).is_some_and(|estimate| estimate.run.is_some());
        let runs = runs.into_iter().filter(is_job).collect();
        let ends_after = want.nodes.iter().find_map(|node| node.spec.usage().ends_after);
        Self { before, after, runs, prices, ends_after, is_part: false }
    }

    /// The most that it can cost until it ends by itself: all at its maximum, and the jobs that the plan
    /// runs.
    pub fn until_end(&self) -> Option<Money> {
        let most = self.after.most().per_hour().part(self.ends_after?.as_secs(), 3_600);
        let runs = self.runs.iter().filter_map(|id| self.after.of(id)?.run.as_ref());
        Some(most + runs.map(super::Run::highest_price).sum())
    }

    /// What the prices are of that it is made with.
    pub fn items(&self) -> BTreeSet<&Item> {
        self.before.items().into_iter().chain(self.after.items()).collect()
    }

    /// The most that the first month after the plan can cost, as far as it is known beforehand: all that may
    /// scale at its maximum for the whole month, and each job that runs, or that the plan runs, for as long
    /// as it may take.
    ///
    /// # Errors
    /// What is not known.
    pub fn highest_month(&self) -> Result<Money, Vec<String>> {
        let runs = self.runs.iter().filter_map(|id| self.after.of(id)?.run.as_ref());
        match self.after.unknown() {
            unknown if unknown.is_empty() => {
                Ok(self.after.most().per_month() + runs.map(super::Run::highest_price).sum())
            }
            unknown => Err(unknown.into_iter().map(str::to_owned).collect()),
        }
    }
}

/// What there is costs that.
pub fn live(want: &Desired, have: &Observed, kinds: &[Box<dyn AnyKind>], prices: &Prices) -> Bill {
    let present = want.nodes.iter().filter_map(|node| {
        let Some(Observation::Present(seen)) = have.observations.get(&node.id) else { return None };
        Some(Used { id: node.id.clone(), physical: node.physical.clone(), usage: seen.used() })
            .filter(|_| seen.owner().is_managed() || is_lost(node, have, kinds))
    });
    let used: Vec<Used> = present.chain(leftovers(have, |_| true)).chain(lost(have)).collect();
    let mut bill = bill(&used, have, kinds, prices);
    name_ends(&mut bill, want, have, kinds);
    bill.0.extend(unread(want, have, kinds, |_| true));
    bill
}

/// What would be billed and could not be looked at: no sum is whole without it.
fn unread(
    want: &Desired,
    have: &Observed,
    kinds: &[Box<dyn AnyKind>],
    is_asked: impl Fn(&ResourceId) -> bool,
) -> Vec<Estimate> {
    let is_unreadable = |id| matches!(have.observations.get(id), Some(Observation::Unreadable(..)));
    let nodes = want.nodes.iter().filter(|node| is_unreadable(&node.id) && !node.spec.usage().is_free());
    let nodes = nodes.filter(|node| is_asked(&node.id)).map(|node| &node.id);
    // What is not in the config may be billed too, where its kind is.
    let bills = |kind: &dyn AnyKind| kind.runs_code() || kind.stops() || kind.part_of().is_some();
    let is_billed = |id: &ResourceId| kinds.iter().any(|kind| kind.name() == id.kind && bills(&**kind));
    let left = have.unread.iter().map(|(id, ..)| id).filter(|id| is_billed(id));
    nodes.chain(left).map(|id| Estimate::unread(id.clone())).collect()
}

struct Used {
    id: ResourceId,
    physical: String,
    usage: Usage,
}

fn steps<'p>(plan: &'p Plan, id: &'p ResourceId) -> impl Iterator<Item = &'p Step> {
    plan.steps.iter().filter(move |step| step.target == *id)
}

/// What is there when the plan is carried out: all that it makes, all that it leaves, and what was not looked
/// at as the config says.
fn after(plan: &Plan, want: &Desired, have: &Observed, kinds: &[Box<dyn AnyKind>]) -> Vec<Used> {
    let usage = |node: &Node| {
        let mut steps = steps(plan, &node.id).peekable();
        match (steps.peek(), have.observations.get(&node.id)) {
            (None, None) => Some(node.spec.usage()),
            (None, Some(Observation::Present(seen))) if is_lost(node, have, kinds) => Some(seen.used()),
            (None, Some(Observation::Present(seen))) => seen.owner().is_managed().then(|| node.spec.usage()),
            (None, Some(_)) => None,
            // The spec of the step: `scale` has its own numbers.
            (Some(_), _) => steps.find_map(|step| match &step.op {
                Op::Create { spec } | Op::Update { spec, .. } => Some(spec.usage()),
                Op::Delete | Op::Release | Op::DeleteWhole { .. } => None,
            }),
        }
    };
    let nodes = want.nodes.iter().filter_map(|node| {
        Some(Used { id: node.id.clone(), physical: node.physical.clone(), usage: usage(node)? })
    });
    nodes.chain(leftovers(have, |id| steps(plan, id).next().is_none())).chain(lost(have)).collect()
}

/// Whether it, or what carries the tags for it, has lost them and is at work: whoever made it pays for it.
fn is_lost(node: &Node, have: &Observed, kinds: &[Box<dyn AnyKind>]) -> bool {
    let seen = have.observations.get(holder(node, kinds).unwrap_or(&node.id));
    matches!(seen, Some(Observation::Present(seen)) if seen.is_lost())
}

/// The same of what has left the config.
fn lost(have: &Observed) -> impl Iterator<Item = Used> {
    have.seen_lost.iter().map(|(id, seen)| {
        Used { id: id.clone(), physical: id.name.clone(), usage: seen.used() } // as of a leftover
    })
}

/// Neither what has lost its tags nor what may be used by it is ended by a destroy as it is.
fn name_ends(bill: &mut Bill, want: &Desired, have: &Observed, kinds: &[Box<dyn AnyKind>]) {
    let kept = Kept::of(want, have, kinds);
    for estimate in &mut bill.0 {
        let is_lost = match have.observations.get(&estimate.id) {
            Some(Observation::Present(seen)) => seen.is_lost(),
            _ => have.seen_lost.contains_key(&estimate.id),
        };
        let leftover = have.leftovers.iter().find(|leftover| leftover.id == estimate.id);
        let user = kept.user(&estimate.id).or_else(|| kept.user_of(leftover?));
        match user {
            _ if is_lost => estimate.ended_by = "`opsctl destroy` when it has its tags again".to_owned(),
            Some(user) => {
                estimate.ended_by = format!("`opsctl destroy` when {user} has its tags again, or is gone");
            }
            None => {}
        }
    }
}

fn leftovers(have: &Observed, stays: impl Fn(&ResourceId) -> bool) -> impl Iterator<Item = Used> {
    have.seen_leftovers.iter().filter(move |(id, _)| stays(id)).map(|(id, seen)| {
        // A leftover goes by its physical name.
        Used { id: id.clone(), physical: id.name.clone(), usage: seen.used() }
    })
}

/// Parts are billed with their wholes.
fn bill(used: &[Used], have: &Observed, kinds: &[Box<dyn AnyKind>], prices: &Prices) -> Bill {
    let whole_of = |part: &Used| -> Option<(KindName, String)> {
        let kind = kind_of(kinds, part.id.kind);
        Some((kind.part_of()?, kind.whole_of(&part.physical)?.to_owned()))
    };
    let parts: Vec<_> = used.iter().filter_map(|part| Some((whole_of(part)?, part))).collect();
    let wholes = used.iter().filter(|whole| whole_of(whole).is_none());
    let estimates = wholes.filter_map(|whole| {
        let is_on = |(on, _): &&((KindName, String), &Used)| *on == (whole.id.kind, whole.physical.clone());
        let own = parts.iter().filter(is_on).map(|(_, part)| part.usage.clone());
        let usage = own.fold(whole.usage.clone(), Usage::and);
        if usage.is_free() {
            return None;
        }
        let ended_by = match kind_of(kinds, whole.id.kind) {
            _ if have.seen_leftovers.contains_key(&whole.id) => "`opsctl deploy --prune`".to_owned(),
            kind if kind.stops() => format!("`opsctl stop {}`", whole.id),
            _ => "`opsctl destroy`".to_owned(),
        };
        Some(Estimate::of(whole.id.clone(), &usage, took(&whole.id, have), prices, ended_by))
    });
    Bill(estimates.collect())
}

/// How long a job took the last time that it ended well.
fn took(id: &ResourceId, have: &Observed) -> Option<HumanDuration> {
    let last = match have.observations.get(id) {
        Some(Observation::Present(seen)) => seen.took(),
        _ => None,
    };
    last.or_else(|| have.previous_generations.get(id)?.took())
}
