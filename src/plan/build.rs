//! The planner: what to do with each node, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use super::adopt::may_adopt;
use super::dependents::{Dependents, goes_whole, holder, whole};
use super::kept::Kept;
use super::keys;
use super::scale::Scaled;
use super::unread::unreadable;
use super::{Foreign, Leftover, Mode, Observation, Observed, Op, Plan, Step, StepId, Verb, order, renamed};
use crate::desired::{AnyKind, AnySeen, Desired, Node, kind_of};
use crate::domain::{
    Code, Diagnostic, Diagnostics, FieldChange, KindName, Needs, Owner, Phase, ResourceId, Status, codes,
};

/// What is to be done with one node.
enum Decision {
    Keep,
    Create(Vec<String>),
    Update(Vec<FieldChange>),
    Replace(Vec<String>),
}

impl Decision {
    /// Whether the parts on the node must be gone before this is done.
    fn detaches(&self) -> bool {
        match self {
            Self::Update(changes) => changes.iter().any(|c| c.needs == Needs::Detach),
            Self::Replace(_) => true,
            Self::Keep | Self::Create(_) => false,
        }
    }
}

/// Steps from the seen to the wanted. Fails when something could not be read or is not ours to touch.
pub fn build(
    want: &Desired,
    have: &Observed,
    kinds: &[Box<dyn AnyKind>],
    mode: Mode,
) -> Result<Plan, Diagnostics> {
    if let Mode::Scale(to) = mode {
        // A deploy of the parts as they are to be.
        let scaled = Scaled::of(want, have, kinds, &to)?;
        let mut plan = build(&scaled.want, have, kinds, Scaled::MODE)?;
        scaled.explain(&mut plan);
        return Ok(plan);
    }
    let (steps, problems) = (Steps::default(), Diagnostics::default());
    let on = Dependents::new(want, have, kinds);
    let mut planner = Planner { want, have, kinds, mode, on, steps, foreign: Vec::new(), problems };
    match mode {
        Mode::Deploy { prune, adopt } => {
            planner.deploy(adopt);
            let kept = Kept::of(want, have, kinds);
            if prune {
                let everything = planner.steps.list.iter().map(|s| s.id).collect();
                planner.delete_leftovers("no longer in the config", &everything, &kept, Kept::lost_user_of);
            } else {
                // They would stay with --prune too.
                planner.foreign.extend(kept.said(|leftover| kept.lost_user_of(leftover)));
            }
        }
        Mode::Destroy { .. } => planner.destroy(),
        // Planned above, as a deploy.
        Mode::Scale(_) => {}
    }
    planner.finish()
}

/// The steps so far, with where to find them again.
#[derive(Default)]
struct Steps {
    list: Vec<Step>,
    /// The step after which a node is as wanted.
    made: BTreeMap<ResourceId, StepId>,
    /// The step after which a node is gone.
    gone: BTreeMap<ResourceId, StepId>,
}

impl Steps {
    fn push(
        &mut self,
        target: &ResourceId,
        physical: &str,
        op: Op,
        after: BTreeSet<StepId>,
        why: Vec<String>,
    ) {
        let id = self.list.len();
        match op.verb() {
            Verb::Delete | Verb::Release => self.gone.insert(target.clone(), id),
            Verb::Create | Verb::Update => self.made.insert(target.clone(), id),
        };
        self.list.push(Step { id, target: target.clone(), physical: physical.to_owned(), op, after, why });
    }
}

/// What has to become of a resource that is not ready.
fn of_status(status: &Status) -> Option<FieldChange> {
    let (to, needs) = match status.phase {
        Phase::Ready | Phase::Stopped | Phase::Leaving => return None,
        Phase::Failed => ("re-created", Needs::Replace),
        // docs/decisions/0022: what is being made is adopted and awaited, never made again.
        Phase::Busy => ("ready", Needs::Wait),
    };
    let reason = status.cause().filter(|reason| *reason != status.word);
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let from = format!("{}{reason}", status.word);
    Some(FieldChange::status(from, to.into(), needs))
}

struct Planner<'a> {
    want: &'a Desired,
    have: &'a Observed,
    kinds: &'a [Box<dyn AnyKind>],
    mode: Mode,
    on: Dependents<'a>,
    steps: Steps,
    /// What has a name of ours and is not ours, and stays.
    foreign: Vec<Foreign>,
    problems: Diagnostics,
}

impl<'a> Planner<'a> {
    fn kind(&self, name: KindName) -> &'a dyn AnyKind {
        kind_of(self.kinds, name)
    }

    fn observed(&self, id: &ResourceId) -> &'a Observation {
        self.have.observations.get(id).unwrap_or(&Observation::Absent)
    }

    fn problem(&mut self, code: Code, id: &ResourceId, message: String, help: &str) {
        let at = self.want.origin.get(id).cloned().unwrap_or_default();
        self.problems.push(Diagnostic::error(code, at, message, help));
    }

    /// What cannot be seen is neither made nor deleted.
    fn unreadable(&mut self, id: &ResourceId, why: &str, code: Code) {
        self.problems.push(unreadable(self.want, id, why, code));
    }

    fn deploy(&mut self, adopt: bool) {
        let mut decisions: BTreeMap<&'a ResourceId, Decision> = BTreeMap::new();
        let want = self.want;
        for node in &want.nodes {
            let decision = self.decide(node, adopt, &decisions);
            decisions.insert(&node.id, decision);
        }
        self.problems.extend(keys::refused(want, self.have, adopt));
        self.make_lost_outputs(&mut decisions);
        self.detach_leftovers(&decisions);
        self.remove_leftovers_that_act();
        // Parts step aside first: their deletes precede whatever happens to the whole.
        for node in self.want.nodes.iter().rev() {
            if let Some(Decision::Replace(why)) = decisions.get(&node.id) {
                let after = self.deleted_parts(node);
                self.steps.push(&node.id, &node.physical, Op::Delete, after, why.clone());
            }
        }
        for node in &self.want.nodes {
            let mut after: BTreeSet<StepId> =
                node.needs.iter().filter_map(|need| self.steps.made.get(need).copied()).collect();
            after.extend(self.deleted_parts(node));
            after.extend(self.steps.gone.get(&node.id));
            let spec = node.spec.clone();
            let (op, why) = match decisions.remove(&node.id).unwrap_or(Decision::Keep) {
                Decision::Keep => continue,
                Decision::Create(why) | Decision::Replace(why) => (Op::Create { spec }, why),
                Decision::Update(changes) => {
                    let why = changes.iter().map(ToString::to_string).collect();
                    (Op::Update { spec, changes }, why)
                }
            };
            self.steps.push(&node.id, &node.physical, op, after, why);
        }
    }

    /// What was trained and is gone is trained again, but not where a model made of it has an archive of its
    /// own and serves without.
    fn make_lost_outputs(&self, decisions: &mut BTreeMap<&'a ResourceId, Decision>) {
        for node in &self.want.nodes {
            let Observation::Present(seen) = self.observed(&node.id) else { continue };
            let kept = matches!(decisions.get(&node.id), Some(Decision::Keep));
            if !kept || !seen.output_is_gone() {
                continue;
            }
            let users = self.on.users.get(&node.id);
            let reads = |user: &&&ResourceId| match decisions.get(**user) {
                Some(Decision::Create(_) | Decision::Replace(_)) => true,
                Some(Decision::Update(changes)) => changes.iter().any(|c| c.path == "archive"),
                _ => false,
            };
            let why = match users.into_iter().flatten().find(reads) {
                Some(user) => format!("its output is gone, and {user} needs it"),
                // That was all of it.
                None if users.is_none() => "its output is gone".to_owned(),
                None => continue,
            };
            decisions.insert(&node.id, Decision::Replace(vec![why]));
        }
    }

    /// Parts that left the config block a change of the whole that needs them gone. They go, pruned or
    /// not: nobody wants them, and AWS refuses the update until they are gone.
    fn detach_leftovers(&mut self, decisions: &BTreeMap<&ResourceId, Decision>) {
        for node in &self.want.nodes {
            if decisions.get(&node.id).is_some_and(Decision::detaches) {
                for part in self.leftover_parts(node) {
                    let why =
                        format!("no longer in the config, and {} cannot change while this exists", node.id);
                    self.steps.push(&part.id, &part.physical, Op::Delete, BTreeSet::new(), vec![why]);
                }
            }
        }
    }

    /// What is no longer in the config and would act on what is goes, pruned or not, and first.
    fn remove_leftovers_that_act(&mut self) {
        let (have, kinds) = (self.have, self.kinds);
        for leftover in have.leftovers.iter().filter(|left| !kind_of(kinds, left.id.kind).stays()) {
            let why = vec!["no longer in the config, and it would end what is".to_owned()];
            self.steps.push(&leftover.id, &leftover.physical, Op::Delete, BTreeSet::new(), why);
        }
    }

    fn leftover_parts(&self, whole: &Node) -> Vec<&'a Leftover> {
        let parts = self.on.leftover_parts.get(&(whole.id.kind, whole.physical.as_str()));
        parts.cloned().unwrap_or_default()
    }

    /// The deletes, already planned, of the parts that live on `node`.
    fn deleted_parts(&self, node: &Node) -> BTreeSet<StepId> {
        let parts = self.on.parts.get(&node.id).into_iter().flatten().copied();
        let parts = parts.chain(self.leftover_parts(node).into_iter().map(|l| &l.id));
        parts.filter_map(|part| self.steps.gone.get(part).copied()).collect()
    }

    fn decide(&mut self, node: &Node, adopt: bool, decided: &BTreeMap<&ResourceId, Decision>) -> Decision {
        let seen = match self.present(node) {
            Ok(seen) => seen,
            Err(decision) => return decision,
        };
        let (owner, status) = (seen.owner(), seen.status());
        if status.phase == Phase::Leaving {
            return Decision::Create(vec![format!(
                "the previous one is {}; it is re-created when that is gone",
                status.word
            )]);
        }
        if !adopt && self.stands_on_foreign(node) {
            // That of which it is a part says so.
            return Decision::Keep;
        }
        // What a fingerprinted resource of ours is made of is in its name: if it is there, it is right.
        let right = self.kind(node.id.kind).fingerprinted() && *owner == Owner::Ours;
        let mut changes = if right { node.spec.gone(seen) } else { node.spec.diff(seen) };
        if !owner.is_managed() {
            match self.adoption(node, seen, &changes, adopt) {
                Some(change) => changes.insert(0, change),
                None => return Decision::Keep,
            }
        }
        if self.is_spoiled(node, seen) {
            return Decision::Keep;
        }
        changes.extend(self.want.tags_differ(&node.id, seen));
        changes.extend(of_status(status));
        self.by_changes(node, owner, changes, decided)
    }

    /// What is there of a node; else what is done without.
    fn present(&mut self, node: &Node) -> Result<&'a AnySeen, Decision> {
        match self.observed(&node.id) {
            Observation::Present(seen) => Ok(seen),
            Observation::Absent => Err(self.absent(node)),
            Observation::Taken(what) => {
                let (words, name) = (node.id.kind.words(), &node.physical);
                let text = format!("{words} `{name}` cannot be made: {what} is somebody else's");
                let help = "rename or delete that, or rename yours; opsctl overwrites nothing of others";
                self.problem(codes::FOREIGN, &node.id, text, help);
                Err(Decision::Keep)
            }
            Observation::Unreadable(why, code) => {
                self.unreadable(&node.id, why, *code);
                Err(Decision::Keep)
            }
        }
    }

    fn absent(&mut self, node: &Node) -> Decision {
        let ignores = self.kind(node.id.kind).ignores_capitals();
        let Some(there) = renamed::but_for_capitals(node, self.have).filter(|_| ignores) else {
            return Decision::Create(self.why_new(node));
        };
        let (words, name, other) = (node.id.kind.words(), &node.physical, &there.physical);
        let text = format!("{words} `{other}` is there, and to AWS `{name}` is the same name");
        self.problem(
            codes::SAME_NAME,
            &node.id,
            text,
            "write its capitals as they are, or take another name",
        );
        Decision::Keep
    }

    /// The change of owner that makes a resource ours; `None`, and a problem: it may not become that.
    fn adoption(
        &mut self,
        node: &Node,
        seen: &AnySeen,
        changes: &[FieldChange],
        adopt: bool,
    ) -> Option<FieldChange> {
        let (kind, owner) = (self.kind(node.id.kind), seen.owner());
        let adopt = adopt || (kind.adoptable() && *owner == Owner::Nobody && seen.made_by_aws());
        if let Err((text, help)) = may_adopt(kind, node, seen, changes, adopt) {
            self.problem(codes::FOREIGN, &node.id, text, help);
            return None;
        }
        let to = format!("{}/{}", self.want.scope.project, self.want.scope.environment);
        let to = match kind.adoptable() && !owner.is_made() {
            true => format!("{to} (adopted: destroy will not delete it)"),
            false => to,
        };
        Some(FieldChange::adoption(owner.to_string(), to))
    }

    /// Whether nothing may be made of it as it is, or by mistake, which is a problem then.
    fn is_spoiled(&mut self, node: &Node, seen: &AnySeen) -> bool {
        if let Some(mixed) = seen.mixed() {
            let text = mixed.said(node.id.kind, &node.physical);
            self.problem(mixed.code, &node.id, text, mixed.help);
            return true;
        }
        if let Some(mistake) = node.spec.mistaken(seen) {
            self.problem(mistake.code, &node.id, mistake.why, mistake.help);
            return true;
        }
        if seen.owner().is_managed() && seen.saved_nothing() {
            let cause = seen.status().cause().unwrap_or_else(|| "it saved nothing".into());
            let text = format!("{} is not trained again from the same: {cause}", node.id);
            let help = "save the model there; changed code, data or settings are trained";
            self.problem(codes::SAVED_NOTHING, &node.id, text, help);
            return true;
        }
        false
    }

    /// What is done about what differs, and about what happens to that of which it is a part.
    fn by_changes(
        &mut self,
        node: &Node,
        owner: &Owner,
        changes: Vec<FieldChange>,
        decided: &BTreeMap<&ResourceId, Decision>,
    ) -> Decision {
        let mut why: Vec<String> = changes.iter().map(ToString::to_string).collect();
        if let Some(whole) = whole(node, self.kinds) {
            match decided.get(whole) {
                Some(Decision::Replace(_)) => {
                    return Decision::Replace(vec![format!("{whole} is re-created")]);
                }
                Some(of_whole) if of_whole.detaches() => {
                    why.insert(
                        0,
                        format!("removed first and re-created: AWS rejects this change of {whole} while it is scaled"),
                    );
                    return Decision::Replace(why);
                }
                _ => {}
            }
        }
        match changes.iter().map(|c| c.needs).max() {
            Some(Needs::Replace) if *owner != Owner::Ours => {
                // To make it again would delete what somebody else made.
                let in_the_way =
                    changes.iter().filter(|c| c.needs == Needs::Replace).map(ToString::to_string);
                let reasons = in_the_way.collect::<Vec<_>>().join(", ");
                let text = format!(
                    "{} `{}` is not this project's, and would have to be re-created: {reasons}",
                    node.id.kind.words(),
                    node.physical
                );
                self.problem(codes::FOREIGN, &node.id, text, "delete it yourself, or rename yours");
                Decision::Keep
            }
            None => Decision::Keep,
            Some(Needs::Replace) => Decision::Replace(why),
            Some(_) => Decision::Update(changes),
        }
    }

    fn why_new(&self, node: &Node) -> Vec<String> {
        let Some(earlier) = self.have.previous_generations.get(&node.id) else {
            let why = self.why_ended(node).or_else(|| self.why_renamed(node));
            return vec![why.unwrap_or_else(|| Step::NOT_THERE.into())];
        };
        let changes = node.spec.diff(earlier);
        if changes.is_empty() {
            return vec!["an earlier one exists under the name of another fingerprint".into()];
        }
        changes.iter().map(ToString::to_string).collect()
    }

    /// That its exact name is another now.
    fn why_renamed(&self, node: &Node) -> Option<String> {
        let before = renamed::before(node, self.have).filter(|_| !self.kind(node.id.kind).fingerprinted())?;
        let prunes = matches!(self.mode, Mode::Deploy { prune: true, .. });
        let stays = if prunes { "" } else { " (that one stays until --prune)" };
        Some(format!("name: {} -> {}{stays}", before.physical, node.physical))
    }

    /// That it was ended by what it needs.
    fn why_ended(&self, node: &Node) -> Option<String> {
        let ends = node.needs.iter().filter(|need| !self.kind(need.kind).stays());
        ends.filter_map(|need| match self.observed(need) {
            Observation::Present(seen) if seen.status().phase == Phase::Stopped => seen.status().cause(),
            _ => None,
        })
        .next()
    }

    /// Whether what carries the tags for a node is there and not this project's.
    fn stands_on_foreign(&self, node: &Node) -> bool {
        holder(node, self.kinds).is_some_and(|holder| match self.observed(holder) {
            // What is on its way out may have lost its tags before.
            Observation::Present(seen) => !seen.owner().is_managed() && seen.status().phase != Phase::Leaving,
            Observation::Absent | Observation::Taken(_) | Observation::Unreadable(..) => false,
        })
    }

    fn destroy(&mut self) {
        let kept = Kept::of(self.want, self.have, self.kinds);
        // Later kinds use earlier ones, so the list runs backwards.
        for node in self.want.nodes.iter().rev() {
            match self.observed(&node.id) {
                Observation::Absent | Observation::Taken(_) => {}
                Observation::Unreadable(why, code) => self.unreadable(&node.id, why, *code),
                Observation::Present(seen)
                    if may_be_deleted(seen)
                        && !self.stands_on_foreign(node)
                        && kept.user(&node.id).is_none() =>
                {
                    let adopted = *seen.owner() == Owner::Adopted;
                    let users = self.on.users.get(&node.id).into_iter().flatten();
                    let mut after: BTreeSet<StepId> =
                        users.filter_map(|user| self.steps.gone.get(*user).copied()).collect();
                    if node.id.kind == KindName::Bucket {
                        // The lease is in it: while anything is left to delete, others are kept out.
                        after.extend(self.steps.list.iter().map(|step| step.id));
                    }
                    let (op, why) = self.removal(&node.id, adopted, Step::DESTROY);
                    self.steps.push(&node.id, &node.physical, op, after, why);
                }
                Observation::Present(seen) => self.foreign.push(Foreign {
                    target: node.id.clone(),
                    physical: node.physical.clone(),
                    owner: seen.owner().clone(),
                    is_untagged: self.kind(node.id.kind).owned_with().is_some(),
                    is_record: seen.is_record(),
                    used_by: kept.user(&node.id).filter(|_| seen.owner().is_managed()).cloned(),
                }),
            }
        }
        let (want, kinds, steps) = (self.want, self.kinds, &self.steps.list);
        // What lies in a bucket goes with it.
        self.foreign.retain(|foreign| {
            let holder = want.node(&foreign.target).and_then(|node| holder(node, kinds));
            !holder.is_some_and(|of| goes_whole(of, steps))
        });
        self.foreign.reverse();
        self.delete_leftovers(Step::DESTROY, &BTreeSet::new(), &kept, Kept::user_of);
    }

    /// How a resource of this project goes: what is not ours stays, unless it was agreed that it goes too.
    fn removal(&self, id: &ResourceId, adopted: bool, why: &str) -> (Op, Vec<String>) {
        let contents = self.have.contents.get(id).cloned().unwrap_or_default();
        let why = vec![why.to_owned()];
        if !adopted && contents.others.is_empty() {
            return (Op::Delete, why);
        }
        if self.mode.deletes_adopted() {
            let why = if adopted { vec![TOO.to_owned()] } else { why };
            return (Op::DeleteWhole { others: contents.digest }, why);
        }
        let reason = if adopted { "it was there before this project" } else { "others put objects into it" };
        let kept = format!("is kept, without what opsctl added: {reason}");
        let markers = "its versions are suspended, so S3 keeps a delete marker of each object that goes";
        let markers = contents.leaves_markers.then(|| markers.to_owned());
        (Op::Release, [kept].into_iter().chain(markers).collect())
    }

    /// Deletes leftovers, each after those of the kinds that may use it.
    fn delete_leftovers(
        &mut self,
        why: &str,
        before: &BTreeSet<StepId>,
        kept: &Kept<'a>,
        user: fn(&Kept<'a>, &Leftover) -> Option<&'a ResourceId>,
    ) {
        for (id, error, code) in &self.have.unread {
            let text = format!("{id} could not be read, and may be of this project: {error}");
            let help = match *code {
                codes::DENIED => "nothing was deleted; allow the call and run it again",
                _ => "nothing was deleted; run it again in a moment",
            };
            self.problem(*code, id, text, help);
        }
        let mut leftovers: Vec<&Leftover> = self.have.leftovers.iter().collect();
        let is_left = |l: &Leftover| !self.steps.gone.contains_key(&l.id);
        leftovers.retain(|l| is_left(l) && user(kept, l).is_none());
        self.foreign.extend(kept.said(|l| user(kept, l).filter(|_| is_left(l))));
        leftovers.sort_by_key(|l| std::cmp::Reverse(l.id.kind));
        for leftover in leftovers {
            let mut after = before.clone();
            after.extend(order::deletes_of_later_kinds(&self.steps.list, leftover.id.kind));
            let (op, why) = self.removal(&leftover.id, leftover.adopted, why);
            self.steps.push(&leftover.id, &leftover.physical, op, after, why);
        }
        // What stays in the config's graph may be used by a leftover: it goes after it.
        if before.is_empty() {
            order::wanted_after_leftovers(&mut self.steps.list, &self.have.leftovers);
        }
    }

    fn finish(self) -> Result<Plan, Diagnostics> {
        if self.problems.has_errors() {
            return Err(self.problems);
        }
        let touched: BTreeSet<&ResourceId> = self.steps.list.iter().map(|s| &s.target).collect();
        let unchanged = match self.mode {
            Mode::Deploy { .. } => {
                self.want.nodes.iter().filter(|n| !touched.contains(&n.id)).map(|n| n.id.clone()).collect()
            }
            Mode::Destroy { .. } | Mode::Scale(_) => Vec::new(),
        };
        let leftovers = self.have.leftovers.iter().filter(|l| !touched.contains(&l.id)).cloned().collect();
        let removed = self.steps.list.iter().filter(|s| s.op.verb().removes()).map(|s| &s.target);
        let counted = removed.filter_map(|id| Some((id.clone(), self.have.contents.get(id)?.clone())));
        let created = self.steps.list.iter().filter(|s| s.op.verb() == Verb::Create).map(|s| &s.target);
        let took = created
            .filter_map(|id| Some((id.clone(), self.have.previous_generations.get(id)?.took()?)))
            .collect();
        Ok(Plan {
            took,
            scope: self.want.scope.clone(),
            tags: self.want.tags.clone(),
            unchanged,
            leftovers,
            contents: counted.collect(),
            foreign: self.foreign,
            steps: order::sorted(self.steps.list),
        })
    }
}

const TOO: &str = "was there before this project; `--adopted` deletes it with all that is in it";

/// Ours; or on its way out without tags, which may go before the resource does: then the end is awaited.
fn may_be_deleted(seen: &AnySeen) -> bool {
    match seen.owner() {
        Owner::Ours | Owner::Adopted => true,
        Owner::Nobody => seen.status().phase == Phase::Leaving,
        Owner::Partly { .. } | Owner::Other(_) => false,
    }
}
