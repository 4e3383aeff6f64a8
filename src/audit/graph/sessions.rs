//! Sessions with tags of the caller's choice: who assumes a role that lets its sessions be tagged decides
//! what conditions on the caller's tags say of it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>

use std::rc::Rc;
use std::sync::Arc;

use super::{Graph, Via};
use crate::audit::account::{Role, account_of};
use crate::audit::evaluate::Engine;
use crate::audit::node::{Asking, is_on_tag};
use crate::audit::own_tags::OwnTagging;
use crate::audit::role_view::RoleView;
use opsctl_iam::condition::{self, Asked, ConditionResult, opposite};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective, is_admin};
use opsctl_iam::grant::{Grant, Sourced};
use opsctl_iam::pattern;
use opsctl_iam::policy::{Condition, Statement};
use opsctl_iam::tagging::fitting_values;

const TAG: &str = "sts:TagSession";

/// The statements of a role's trust that let principals of the account tag its sessions.
struct Tagging<'a>(Vec<&'a Statement>);

impl<'a> Tagging<'a> {
    fn of(role: &'a Role, account: &str) -> Self {
        let statements = role.trust.policy().into_iter().flat_map(|policy| &policy.statements);
        let is_own = |(kind, value): &(String, String)| {
            let of_account = value == account || account_of(value) == Some(account);
            value == "*" || (kind.eq_ignore_ascii_case("AWS") && of_account)
        };
        let lets = |s: &&Statement| {
            let named = s.actions.covers(TAG, pattern::matches_ignoring_case);
            let principals = s.principals.as_ref().filter(|principals| !principals.negated);
            s.allow && named && principals.is_some_and(|principals| principals.listed.iter().any(is_own))
        };
        Self(statements.map(|s| &**s).filter(lets).collect())
    }

    /// Whether a tag may be given to a session so that a condition on it holds.
    fn meets(&self, c: &Condition) -> bool {
        let Some((_, tag)) = c.key.split_once('/').filter(|_| is_on_tag(c)) else { return false };
        fitting_values(c).into_iter().any(|value| self.may(tag, value.as_deref()))
    }

    /// Whether a tag may be given to a session, with a value unless that may be any.
    fn may(&self, tag: &str, value: Option<&str>) -> bool {
        let asked = Asked { sets: Some((tag, value)), ..Asked::default() };
        self.0.iter().any(|s| condition::read(s, asked) == ConditionResult::Open)
    }

    /// A statement as it reads in a session whose tags are whatever helps; `None`: it is a Deny that they
    /// avoid.
    fn freed(&self, grant: &Grant) -> Option<Grant> {
        let statement = &grant.statement;
        if !statement.conditions.iter().any(is_on_tag) {
            return Some(grant.clone());
        }
        if !statement.allow {
            let avoided = |c: &Condition| opposite(c).is_some_and(|c| self.meets(&c));
            return (!statement.conditions.iter().any(avoided)).then(|| grant.clone());
        }
        let mut left = Statement::clone(statement);
        left.conditions.retain(|c| !self.meets(c));
        let restriction = condition::restriction(&left);
        Some(Grant { statement: Arc::new(left), restriction, ..grant.clone() })
    }

    fn of_session(&self, effective: &Effective) -> Effective {
        let of = |list: &[Sourced]| -> Vec<Sourced> {
            let freed =
                |s: &Sourced| Some(Sourced { source: s.source.clone(), grant: self.freed(&s.grant)? });
            list.iter().filter_map(freed).collect()
        };
        let ceiling = match &effective.ceiling {
            Ceiling::None => Ceiling::None,
            Ceiling::Missing { arn } => Ceiling::Missing { arn: arn.clone() },
            Ceiling::Known { source, grants } => Ceiling::Known {
                source: source.clone(),
                grants: grants.iter().filter_map(|grant| self.freed(grant)).collect(),
            },
        };
        let (allows, denies) = (of(&effective.allows), of(&effective.denies));
        Effective::of(allows, denies, ceiling, Vec::new(), effective.unreadable.clone())
    }
}

impl Graph {
    /// Adds a node for the tagged sessions of each role where tags open ways; those that are administrators
    /// are returned.
    pub(super) fn add_sessions(&mut self, engine: &Engine<'_>, asking: &[Asking]) -> Vec<usize> {
        let account = engine.account;
        let (mut arrived, mut back) = (Vec::new(), Vec::new());
        for (index, role) in account.roles.iter().enumerate() {
            let tagging = Tagging::of(role, &account.id);
            if tagging.0.is_empty() || self.nodes[index].admin {
                continue;
            }
            let view = RoleView::new(engine, role, index);
            let effective = &view.effective;
            let held = engine.tags_asked_by_role(role);
            if held.is_empty() && asking.is_empty() {
                continue;
            }
            self.taggable.push(index);
            // A tag of the role's own that no tag of the session replaces stays.
            let may = |tag: &str, value: Option<&str>| value.is_some() && tagging.may(tag, value);
            let targets = self.targets_by_might(engine);
            let found = OwnTagging { may, targets }.helpful(&self.nodes[index], &held);
            let with_tags = found.iter().map(|tags| self.with_tags(index, tags, engine));
            let sessions: Vec<_> =
                std::iter::once(Rc::new(tagging.of_session(effective))).chain(with_tags).collect();
            for session in sessions {
                arrived.extend(self.add_session(&view, &session, &tagging, engine, asking, &mut back));
            }
        }
        arrived
    }

    /// Notes the nodes that lead to each node, from those that were not there before.
    fn note_back(&self, back: &mut Vec<Vec<usize>>) {
        let noted = back.len();
        back.resize(self.edges.len(), Vec::new());
        for (from, edges) in self.edges.iter().enumerate().skip(noted) {
            edges.iter().for_each(|&(to, _)| back[to].push(from));
        }
    }

    /// Adds a node for sessions of a role that may do this; it is returned where they are administrators.
    fn add_session(
        &mut self,
        view: &RoleView<'_>,
        session: &Effective,
        tagging: &Tagging<'_>,
        engine: &Engine<'_>,
        asking: &[Asking],
        back: &mut Vec<Vec<usize>>,
    ) -> Option<usize> {
        let index = view.index;
        let known = std::mem::take(&mut self.edges[index]);
        self.add_edges(index, session, view.touches_iam, engine);
        for asked in asking.iter().filter(|asked| asked.role != index) {
            let node = &self.nodes[index];
            let fits = asked.conditions.iter().all(|c| node.meets(c) || tagging.meets(c));
            let open = self.comes(session, index, asked);
            if fits && open {
                self.edges[index].push((asked.role, Via::Assume));
            }
        }
        let mut further = std::mem::replace(&mut self.edges[index], known);
        further.retain(|edge| !self.edges[index].contains(edge));
        let has_arrived = is_admin(&session.open, engine.catalogue);
        if further.is_empty() && !has_arrived {
            return None;
        }
        let twin = self.edges.len();
        self.edges.push(further);
        self.sessions.insert(twin, index);
        self.note_back(back);
        for node in self.taggers(index, tagging, back, engine) {
            self.edges[node].push((twin, Via::WithTags));
            back[twin].push(node);
        }
        has_arrived.then_some(twin)
    }

    /// The principals that assume a role and may tag its session.
    fn taggers(
        &self,
        role: usize,
        tagging: &Tagging<'_>,
        back: &[Vec<usize>],
        engine: &Engine<'_>,
    ) -> Vec<usize> {
        let is_principal = |node: &usize| *node < self.nodes.len();
        let assumes = |node: &&usize| self.edges[**node].contains(&(role, Via::Assume));
        let mut from = Vec::new();
        for &node in back[role].iter().filter(assumes) {
            match is_principal(&node) {
                true => from.push(node),
                false => from.extend(back[node].iter().copied().filter(is_principal)),
            }
        }
        from.sort_unstable();
        from.dedup();
        let arn = &self.nodes[role].arn;
        let may_tag = |&node: &usize| {
            let effective = engine.principal(node);
            let own = &self.nodes[node].arn;
            let is_named = tagging.0.iter().any(|s| {
                s.principals.as_ref().is_some_and(|p| p.listed.iter().any(|(_, value)| value == own))
            });
            match effective.decide(TAG, arn) {
                Decision::Allowed => true,
                Decision::NotAllowed => is_named,
                _ => false,
            }
        };
        from.into_iter().filter(|&node| node != role).filter(may_tag).collect()
    }
}
