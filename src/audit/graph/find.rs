//! Ways through the graph: the shortest to an administrator, and what an action reaches.

use std::collections::VecDeque;

use super::{
    Graph, KEYS, Node, PROVIDER, Passing, Takeover, Target, Via, own_tags, passable, stacks, takeover,
};
use crate::audit::account::name_of;
use crate::audit::escalate::PASSING_WAYS;
use crate::audit::evaluate::Engine;
use crate::audit::role_view::RoleView;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::condition::{self, ConditionResult};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;

impl Graph {
    /// The nodes that lead to each node.
    pub(super) fn back(&self) -> Vec<Vec<usize>> {
        let mut back: Vec<Vec<usize>> = vec![Vec::new(); self.edges.len()];
        for (from, edges) in self.edges.iter().enumerate() {
            edges.iter().for_each(|&(to, _)| back[to].push(from));
        }
        back
    }

    /// The ways to administrators, those included that several principals make of one of them.
    pub(super) fn find_ways_and_together(&mut self, engine: &Engine<'_>, back: &[Vec<usize>]) {
        self.find_ways(back);
        let found = takeover::find_together(self, engine, back);
        if !found.is_empty() {
            self.takeovers.extend(found);
            self.find_ways(back);
        }
        // Whom one may make may lead to whom another may.
        const MOST: usize = 4;
        for _ in 0..MOST {
            if !self.add_made(engine) {
                return;
            }
            self.find_ways(&self.back());
        }
    }

    /// Breadth-first from the administrators, and from the sessions that are, backwards: the shortest way of
    /// each role to one of them.
    fn find_ways(&mut self, back: &[Vec<usize>]) {
        let mut sources = self.admin_sessions.clone();
        sources.extend(&self.arrived);
        sources.extend(self.takeovers.iter().filter(|(_, t)| t.becomes_admin).map(|(&index, _)| index));
        sources.sort_unstable();
        self.way = vec![None; self.edges.len()];
        let mut queue: VecDeque<usize> = sources.iter().copied().collect();
        sources.iter().for_each(|&role| self.way[role] = Some((0, role)));
        let mut order = Vec::new();
        while let Some(node) = queue.pop_front() {
            order.push(node);
            let steps = self.way[node].map_or(0, |(steps, _)| steps);
            for &from in &back[node] {
                if self.way[from].is_none() {
                    self.way[from] = Some((steps + 1, node));
                    queue.push_back(from);
                }
            }
        }
        self.choose_ways(&order);
    }

    /// Of ways that are equally short takes that to the principal whose ARN comes first, whatever the order
    /// of the data.
    fn choose_ways(&mut self, nearest_first: &[usize]) {
        // The principal that a node is, or leads to next.
        let mut next_principal = vec![0; self.edges.len()];
        for &node in nearest_first {
            let Some((steps, known)) = self.way[node] else { continue };
            let mut next = known;
            if steps > 0 {
                let is_nearer = |to: usize| self.way[to].is_some_and(|(other, _)| other + 1 == steps);
                let all = self.edges[node].iter().map(|&(to, _)| to).filter(|&to| is_nearer(to));
                next = all.min_by_key(|&to| &self.nodes[next_principal[to]].arn).unwrap_or(known);
                self.way[node] = Some((steps, next));
            }
            let stands_for = self.sessions.get(&node).copied();
            let stands_for = stands_for.or_else(|| self.changed.get(&node).map(|changed| changed.of));
            next_principal[node] = match stands_for {
                _ if node < self.nodes.len() => node,
                Some(principal) => principal,
                None => next_principal[next],
            };
        }
    }

    /// Whether a principal's way ends with calls, and with nobody who is an administrator now.
    pub fn ends_with_calls(&self, from: usize) -> bool {
        let mut node = from;
        while let Some((steps, next)) = self.way.get(node).copied().flatten() {
            if steps == 0 {
                return self.takeovers.get(&node).is_some_and(|takeover| takeover.becomes_admin);
            }
            node = next;
        }
        false
    }

    /// The action that a principal's way to an administrator begins with.
    pub fn first_action(&self, from: usize) -> Option<&str> {
        let (steps, next) = self.way.get(from).copied().flatten()?;
        if steps == 0 {
            return self.takeover(from)?.actions().first().copied();
        }
        if let Some(changed) = self.changed.get(&next) {
            return changed.calls.first()?.split(' ').next();
        }
        self.edges[from].iter().find(|&&(to, _)| to == next).map(|(_, via)| via.action())
    }

    /// The calls that make somebody whom the first principal on the way to an administrator lets in, that
    /// set, or take off, its tags, or that move it, without which the call on it is not allowed.
    pub fn first_of_all(&self, from: usize, effective: &Effective) -> Option<String> {
        let (_, next) = self.way.get(from).copied().flatten().filter(|(steps, _)| *steps > 0)?;
        let via = self.edges[from].iter().find(|&&(to, _)| to == next)?.1;
        if let (Via::Made(_), Some(calls)) = (via, self.made.get(&(from, next))) {
            return Some(calls.clone());
        }
        let target = if next < self.nodes.len() { next } else { self.way[next]?.1 };
        let arn = &self.nodes.get(target).filter(|_| !matches!(via, Via::Change | Via::WithTags))?.arn;
        self.calls_before(effective, via.action(), arn, via.service())
    }

    /// The calls that set, or take off, tags of what is acted upon, or that move it, without which a call is
    /// not allowed.
    pub fn calls_first(&self, effective: &Effective, action: &str, on: &str) -> Option<String> {
        self.calls_before(effective, action, on, None)
    }

    fn calls_before(
        &self,
        effective: &Effective,
        action: &str,
        on: &str,
        service: Option<&str>,
    ) -> Option<String> {
        let known = self.arns.get(on).copied().or_else(|| self.node_of_user(on));
        let other = || Node::new(on, "", &[]);
        let node = known.map_or_else(other, |node| self.nodes[node].clone());
        let Some(tags) = node.tags_first(effective, action, service) else {
            let is_open = node.admits_call(effective, action, service);
            return (!is_open).then(|| self.move_first(effective, action, &node))?;
        };
        let calls = own_tags::calls(&node, &tags);
        (!calls.is_empty()).then(|| calls.join(", then "))
    }

    /// Whether a role is, or can make itself, or can become an administrator.
    pub fn reaches_admin(&self, role: usize) -> bool {
        self.way.get(role).is_some_and(Option::is_some)
    }

    /// The chain from a role to an administrator, as words; empty when the role is one itself.
    pub fn chain(&self, from: usize) -> Option<String> {
        let mut words = String::new();
        let mut node = from;
        while let Some((steps, next)) = self.way.get(node).copied().flatten()
            && steps > 0
        {
            if let Some(&(_, via)) = self.edges[node].iter().find(|&&(to, _)| to == next)
                && self.is_somebody(node)
                && via != Via::Change
            {
                words.push_str(&format!(" {} ", via.words()));
            }
            let reached = self.nodes.get(*self.sessions.get(&next).unwrap_or(&next));
            if let Some(changed) = self.changed.get(&next) {
                words.push_str(&format!(" {},", changed.words));
            } else if let Some(reached) = reached {
                words.push_str(name_of(&reached.arn));
                words.push(',');
            }
            node = next;
        }
        if let Some(takeover) = self.takeovers.get(&node).filter(|t| t.becomes_admin) {
            words.push_str(if node == from { " calls " } else { " which calls " });
            words.push_str(&takeover.in_order());
        }
        let who = if from < self.roles { "role" } else { "user" };
        (!words.is_empty()).then(|| format!("the {who}{}", words.trim_end_matches(',')))
    }

    /// Whether a node is a principal, its sessions, or itself after a change, and no pattern.
    fn is_somebody(&self, node: usize) -> bool {
        node < self.nodes.len() || self.sessions.contains_key(&node) || self.changed.contains_key(&node)
    }

    /// What a principal becomes an administrator by, or can give others, though nobody is one yet.
    pub fn takeover(&self, node: usize) -> Option<&Takeover> {
        self.takeovers.get(&node)
    }

    /// The roles that trust a SAML provider that a principal may rewrite.
    pub(super) fn rewritable_federations(&self, effective: &Effective) -> impl Iterator<Item = (usize, Via)> {
        let may = |call: &str, arn: &str| effective.decide(call, arn) == Decision::Allowed;
        let is_gone = |arn: &str| self.providers.as_ref().is_some_and(|known| !known.contains(arn));
        let way = |arn: &str| {
            let open = |calls: &&[&str]| calls.iter().all(|call| may(call, arn));
            let applies = |way: usize| if is_gone(arn) { way == 2 } else { way < 2 };
            (0..PROVIDER.len()).find(|&way| applies(way) && open(&PROVIDER[way]))
        };
        let known = self.federated.iter().filter_map(|(arn, roles)| Some((way(arn)?, roles)));
        let mut roles: Vec<(usize, usize)> =
            known.flat_map(|(way, roles)| roles.iter().map(move |&role| (role, way))).collect();
        roles.sort_unstable();
        roles.into_iter().map(|(role, way)| (role, Via::Provider(way)))
    }

    /// A role besides `this` that leads to an administrator, and trusts a provider that may be rewritten or
    /// made, and how.
    pub fn federated_admin(&self, effective: &Effective, this: usize) -> Option<(&str, Via)> {
        let mut roles = self.rewritable_federations(effective);
        let (found, via) = roles.find(|&(role, _)| role != this && self.reaches_admin(role))?;
        Some((self.arn(found), via))
    }

    /// A call of one's own that leads to an administrator.
    pub(super) fn onward(&self, effective: &Effective, this: usize, engine: &Engine<'_>) -> Option<String> {
        let ways = [Via::Assume, Via::Rewrite].into_iter().chain((0..KEYS.len()).map(Via::Key));
        let all = ways.chain(passable(effective, engine).into_iter().map(Via::Pass));
        all.into_iter().find_map(|via| {
            let action = engine.catalogue.find(via.action())?;
            effective.allowing(action).next()?;
            let leads = |node: &usize| *node != this && self.reaches_admin(*node);
            let found = self.targets(effective, action, via).iter().find_map(|target| match target {
                Target::Role(role) => Some(*role).filter(leads),
                Target::Pattern(pattern) => {
                    let mut aimed = self.aimed_at(via, pattern).filter(leads);
                    aimed.find(|&node| self.admits(node, via) && self.is_given(effective, node, via))
                }
            });
            found.map(|node| via.calls(self.arn(node)))
        })
    }

    /// Of the roles that an action reaches, whether there is any, and one that leads to an administrator.
    pub fn judge(
        &self,
        effective: &Effective,
        action: ActionId,
        via: Via,
        this: usize,
    ) -> (bool, Option<&str>) {
        let mut any = false;
        for target in self.targets(effective, action, via).iter() {
            let node = match target {
                Target::Role(role) => Some(*role),
                Target::Pattern(pattern) => {
                    self.patterns.get(&(via.representative(), pattern.clone())).copied()
                }
            };
            let Some(node) = node else { continue };
            any |= node < self.nodes.len() || !self.edges[node].is_empty();
            if node != this
                && let Some((_, next)) = self.way[node]
            {
                let role = if node < self.nodes.len() { node } else { next };
                if role != this {
                    return (true, self.nodes.get(role).map(|node| node.arn.as_str()));
                }
            }
        }
        (any, None)
    }

    /// Roles that lead to an administrator and may be passed to a service that is not in the table of ways,
    /// each with the service.
    pub fn passed_elsewhere(&self, effective: &Effective, this: usize) -> Vec<(&str, &str)> {
        let is_known = |name: &str| PASSING_WAYS.iter().any(|(known, _)| known == name);
        let mut found = Vec::new();
        for service in self.trusting.keys().filter(|name| !is_known(name)) {
            let role = self.passed_to(effective, service, this);
            found.extend(role.map(|role| (service.as_str(), role)));
        }
        found.sort_unstable();
        found
    }

    /// Whether a role leads to an administrator for whoever has a service act with it.
    pub(super) fn is_mighty(&self, role: usize) -> bool {
        self.reaches_admin(role) && !self.serves(role)
    }

    /// Whether a role is a service's alone, with what AWS wrote for it.
    pub fn serves(&self, role: usize) -> bool {
        self.nodes[role].serves
    }

    /// A role that leads to an administrator and may be passed to a service.
    pub fn passed_to(&self, effective: &Effective, service: &str, this: usize) -> Option<&str> {
        let leads = |role: &&usize| **role != this && self.is_mighty(**role);
        let may = |role: &&usize| self.may_call(effective, "iam:PassRole", **role, Some(service));
        self.trusting(service).iter().filter(leads).find(may).map(|&role| self.arn(role))
    }

    /// What passing a role by a way reaches: whether any role may be passed, and one that leads to an
    /// administrator.
    pub fn passes(&self, view: &RoleView<'_>, pass: ActionId, way: usize) -> Passing<'_> {
        let via = Via::Pass(way);
        let service = via.service();
        let gives = |grant: &Grant| grant.unlimited.contains(pass);
        let read = |grant: &Grant| condition::read(&grant.statement, service);
        let within = match &view.effective.ceiling {
            Ceiling::None => true,
            Ceiling::Missing { .. } => false,
            Ceiling::Known { grants, .. } => {
                grants.iter().any(|g| g.statement.allow && gives(g) && read(g) == ConditionResult::Open)
            }
        };
        let denied = view.effective.denies.iter().any(|deny| {
            let always = deny
                .grant
                .statement
                .conditions
                .iter()
                .all(|c| c.key.eq_ignore_ascii_case("iam:PassedToService"));
            gives(&deny.grant) && always && read(&deny.grant) != ConditionResult::Never
        });
        let allows =
            || view.effective.allows.iter().map(|s| &s.grant).filter(|g| gives(g) && within && !denied);
        let unlimited = allows().any(|g| read(g) == ConditionResult::Open);
        let at_times = !unlimited
            && allows().any(|g| {
                read(g) == ConditionResult::Held && condition::is_circumstance_but_service(&g.statement)
            });
        let (_, admin) = self.judge(&view.effective, pass, via, view.index);
        let any = (unlimited || at_times) && stacks::may_be_given_any(&view.effective, way, self.home());
        Passing { unlimited: any, at_times: at_times && admin.is_none(), admin }
    }

    /// The ARNs of the roles that a role can assume now.
    pub fn assumable(&self, role: usize) -> Vec<&str> {
        let mut arns = Vec::new();
        for &(to, via) in self.edges[role].iter().filter(|(_, via)| *via == Via::Assume) {
            if let Some(node) = self.nodes.get(to) {
                arns.push(node.arn.as_str());
            } else {
                arns.extend(
                    self.edges[to]
                        .iter()
                        .filter(|(_, v)| *v == via)
                        .map(|&(role, _)| self.nodes[role].arn.as_str()),
                );
            }
        }
        arns
    }
}
