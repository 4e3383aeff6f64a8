//! What principals may do to themselves in a call or two, though it makes no administrator of them yet:
//! groups that users may join, a boundary or a Deny that comes off, a policy that may be attached. What leads
//! on from there begins at a node of its own.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddUserToGroup.html>

use std::collections::HashSet;
use std::rc::Rc;

use super::{Graph, Via, takeover};
use crate::audit::account::{Attachment, Role, User, name_of};
use crate::audit::escalate::LEADS;
use crate::audit::evaluate::Engine;
use crate::audit::loosen::Held;
use crate::audit::node::{Asking, may_on};
use crate::audit::own_tags::OwnTags;
use crate::audit::role_view;
use opsctl_iam::condition::{admits, restriction_of};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective, is_admin};
use opsctl_iam::grant::{Grant, shorten};
use opsctl_iam::policy::Condition;

const JOIN: &str = "iam:AddUserToGroup";

/// So many policies that may be attached, and ways to take something off, are looked at.
const MOST: usize = 32;

/// A principal after calls of its own.
#[derive(Clone)]
pub(super) struct Changed {
    pub of: usize,
    pub calls: Vec<String>,
    /// The same, for a chain: `joins devs`.
    pub words: String,
    /// What it may do then.
    pub effective: Rc<Effective>,
    /// Its own tags then, where the calls change them.
    pub tags: Option<OwnTags>,
}

/// A group, as far as it matters to whoever joins it.
#[derive(Clone)]
pub(super) struct Kind {
    /// Whether it allows anything that is part of a way up.
    leads: bool,
    denies: bool,
}

impl Graph {
    /// Adds what a user can become in the groups that it may join: all that deny nothing, and each that does.
    pub(super) fn add_joined(
        &mut self,
        index: usize,
        user: &User,
        alone: &Effective,
        engine: &Engine<'_>,
        asking: &[Asking],
    ) {
        if !alone.may_ever(JOIN) {
            return;
        }
        let all = &engine.account.groups;
        let own = engine.groups_of(user);
        let may_move = alone.may_ever("iam:UpdateGroup");
        let moves = |graph: &Self, place: usize| {
            may_move.then(|| graph.calls_first(alone, JOIN, &all[place].arn)).flatten()
        };
        let joins = |place: usize| {
            alone.decide(JOIN, &all[place].arn) == Decision::Allowed || moves(self, place).is_some()
        };
        let groups = self.groups(engine).iter().enumerate();
        let open = groups.filter(|(place, kind)| kind.leads && !own.contains(place) && joins(*place));
        let (free, denying): (Vec<_>, Vec<_>) = open.partition(|(_, kind)| !kind.denies);
        let free: Vec<usize> = free.into_iter().map(|(place, _)| place).collect();
        let denying = denying.into_iter().map(|(place, _)| place);
        let mut sets: Vec<Vec<usize>> = Vec::new();
        sets.extend((!free.is_empty()).then(|| free.clone()));
        sets.extend(denying.map(|one| [&free[..], &[one]].concat()));
        // What all who deny nothing lead to is behind one node, and not behind each that denies as well.
        let mut behind = None;
        for set in sets {
            let groups = shorten(&set.iter().map(|&place| &all[place].name).collect::<Vec<_>>());
            let join = format!("{JOIN} of {} to {groups}", user.arn);
            let moves = set.iter().filter_map(|&place| moves(self, place));
            let calls = moves.chain([join]).collect();
            let effective = engine.user_in(user, &set);
            let words = format!("joins {groups}");
            let changed = Changed { of: index, calls, words, effective, tags: None };
            let node = self.add_changed(changed, behind, engine, asking);
            behind = behind.or(node.filter(|_| !free.is_empty()));
        }
    }

    /// What the groups of the account are, in their order; asked once.
    fn groups(&self, engine: &Engine<'_>) -> &[Kind] {
        let kind = |place: usize| {
            let effective = engine.group_at(place);
            let leads = effective.allows.iter().any(|s| s.grant.actions.meets(&LEADS));
            Kind { leads, denies: !effective.denies.is_empty() }
        };
        self.groups.get_or_init(|| (0..engine.account.groups.len()).map(kind).collect())
    }

    /// Adds what a principal can become that takes off what holds it back, or attaches a policy to itself
    /// that is no administrator's.
    pub(super) fn add_loosened(
        &mut self,
        held: &Held<'_>,
        more: impl Fn(Attachment) -> Rc<Effective>,
        index: usize,
        engine: &Engine<'_>,
        asking: &[Asking],
    ) {
        let effective = held.effective;
        let is_held_back = !effective.denies.is_empty() || matches!(effective.ceiling, Ceiling::Known { .. });
        if is_held_back {
            let may = |action: &str, on: &str| match on == held.arn {
                true => self.may_call(effective, action, index, None),
                false => may_on(effective, action, on),
            };
            for (calls, free) in held.loosened(engine, may).into_iter().take(MOST) {
                let words = format!("calls {}", calls.join(", then "));
                let effective = Rc::new(free);
                let changed = Changed { of: index, calls, words, effective, tags: None };
                self.add_changed(changed, None, engine, asking);
            }
        }
        let attach = if index < self.roles { "iam:AttachRolePolicy" } else { "iam:AttachUserPolicy" };
        for arn in attachable(effective, attach, held.arn, engine) {
            let calls = vec![format!("{attach} of {} on {}", name_of(&arn), held.arn)];
            let words = format!("calls {}", calls[0]);
            let effective = more(Attachment { name: name_of(&arn).to_owned(), arn });
            let changed = Changed { of: index, calls, words, effective, tags: None };
            self.add_changed(changed, None, engine, asking);
        }
    }

    /// The same of a role.
    pub(super) fn add_loosened_role(
        &mut self,
        index: usize,
        role: &Role,
        effective: &Effective,
        engine: &Engine<'_>,
        asking: &[Asking],
    ) {
        let more = |attachment| {
            let mut more = role.clone();
            more.attached.push(attachment);
            engine.role(&more)
        };
        if self.nodes[index].rewritable {
            self.add_loosened(&Held::by_role(role, effective), more, index, engine, asking);
        }
    }

    /// Adds the node that stands for a principal after such calls, where they give it anything that leads
    /// further, be it only further than what is `behind` another such node.
    pub(super) fn add_changed(
        &mut self,
        changed: Changed,
        behind: Option<usize>,
        engine: &Engine<'_>,
        asking: &[Asking],
    ) -> Option<usize> {
        let index = changed.of;
        self.note_waiting(index, &changed.effective);
        let may_have_mfa = self.nodes[index].may_have_mfa;
        let then = self.moment.and_then(|moment| role_view::at(&changed.effective, moment, may_have_mfa));
        let effective = then.unwrap_or_else(|| Rc::clone(&changed.effective));
        let known = std::mem::take(&mut self.edges[index]);
        self.add_edges(index, &effective, true, engine);
        // Not before: whom the same rights reach is kept for others, who meet it with the tags that it has.
        let own = changed.tags.clone().map(|tags| std::mem::replace(&mut self.nodes[index].tags, tags));
        self.add_tagged(index, &effective, asking);
        if let Some(own) = own {
            self.nodes[index].tags = own;
        }
        let mut further = std::mem::replace(&mut self.edges[index], known);
        let behind = behind.map_or(&[][..], |node| &self.edges[node]);
        let known: HashSet<_> = self.edges[index].iter().chain(behind).copied().collect();
        further.retain(|edge| !self.is_behind(*edge, &known));
        let has_arrived = is_admin(&effective.open, engine.catalogue);
        if further.is_empty() && !has_arrived && !takeover::may_write(&effective) {
            return None;
        }
        let node = self.edges.len();
        self.edges.push(further);
        self.edges[index].push((node, Via::Change));
        self.changed.insert(node, Changed { effective, ..changed });
        self.arrived.extend(has_arrived.then_some(node));
        Some(node)
    }
}

/// The policies that a principal may attach to itself, or to another, where a condition names some, none of
/// which makes an administrator.
pub(super) fn attachable(effective: &Effective, attach: &str, own: &str, engine: &Engine<'_>) -> Vec<String> {
    let on_policy = |c: &&Condition| c.key.eq_ignore_ascii_case("iam:PolicyARN");
    let about = |grant: &Grant| grant.names(attach) && grant.reaches(own);
    let others_open = |grant: &Grant| {
        let all = &grant.statement.conditions;
        all.iter().filter(|c| !on_policy(c)).all(|c| restriction_of(c, all).is_open())
    };
    let named = effective.allows.iter().chain(&effective.void).map(|s| &s.grant);
    let named: Vec<&Grant> = named
        .filter(|g| g.statement.allow && g.statement.conditions.iter().any(|c| on_policy(&c)))
        .filter(|g| about(g) && others_open(g))
        .collect();
    let denied = effective.denies.iter().any(|s| about(&s.grant));
    if named.is_empty() || denied || effective.within_ceiling(attach, own, None) != Decision::Allowed {
        return Vec::new();
    }
    let values = named.iter().flat_map(|grant| &grant.statement.conditions).filter(on_policy);
    let known = engine.account.policies.iter().map(|policy| &policy.arn);
    let mut all: Vec<String> = known.chain(values.flat_map(|c| &c.values)).cloned().collect();
    all.sort();
    all.dedup();
    let admitted = |arn: &String| {
        named.iter().any(|grant| {
            grant.statement.conditions.iter().filter(on_policy).all(|c| admits(c, arn) == Some(true))
        })
    };
    all.retain(|arn| admitted(arn) && engine.managed(arn).is_some());
    all.truncate(MOST);
    all
}
