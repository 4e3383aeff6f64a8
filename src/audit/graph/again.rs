//! The graph at a moment, from that of all times: only what waits for a moment is worked out again, and who
//! can become that.

use std::collections::HashMap;

use super::{Graph, Via, takeover};
use crate::audit::evaluate::Engine;
use crate::audit::node::is_on_tag;
use crate::audit::role_view;
use crate::audit::trust;
use opsctl_iam::moment::Moment;
use opsctl_iam::pattern;

impl Graph {
    /// The same graph at a moment, as [`Graph::build`] would make it.
    pub fn at(&self, engine: &Engine<'_>, moment: Moment) -> Self {
        let mut graph = Self { moment: Some(moment), ..self.clone() };
        if !graph.open_trust(engine) {
            return Self::build(engine, Some(moment));
        }
        let changed = graph.changed();
        let is_changed = |node: usize| changed.binary_search(&node).is_ok();
        if self.taggable.iter().any(|&role| is_changed(role)) {
            return Self::build(engine, Some(moment));
        }
        graph.arrived.retain(|&node| !is_changed(node));
        graph.writers.retain(|(node, _)| !is_changed(*node));
        graph.changed.retain(|_, changed| !is_changed(changed.of));
        let asking = std::mem::take(&mut graph.tag_askers);
        for &node in &changed {
            graph.edges[node].retain(|(_, via)| *via == Via::WithTags);
            graph.admin_users.retain(|arn| *arn != self.nodes[node].arn);
            graph.add_ways_of(node, engine, &asking);
        }
        graph.tag_askers = asking;
        graph.waiters.clone_from(&self.waiters);
        // Who becomes a role may tag its sessions.
        if changed.iter().any(|&node| graph.assumes_taggable(node)) {
            return Self::build(engine, Some(moment));
        }
        let back = graph.back();
        let affected = graph.leading_to(&changed, &back);
        let writers: Vec<_> = graph.writers.iter().filter(|(node, _)| affected[*node]).cloned().collect();
        let found = takeover::find(&graph, engine, &writers, |node| affected[node]);
        graph.takeovers.retain(|&node, _| !affected[node]);
        graph.takeovers.extend(found);
        graph.find_ways_and_together(engine, &back);
        graph
    }

    /// Lets in whom the trust of roles lets in at the moment; whether no more than that follows from it.
    fn open_trust(&mut self, engine: &Engine<'_>) -> bool {
        if self.guarded.is_empty() {
            return true;
        }
        let is_guarded = self.by_node(&self.guarded);
        for roles in
            [&mut self.naming, &mut self.asking, &mut self.open_to].into_iter().flat_map(HashMap::values_mut)
        {
            roles.retain(|&role| !is_guarded[role]);
        }
        let mut asking = Vec::new();
        for index in self.guarded.clone() {
            let role = &engine.account.roles[index];
            let admissions = role_view::admissions(engine, role);
            let entries = trust::entries(&admissions, &engine.account.id, self.moment);
            self.let_in(index, role, entries, engine, &mut asking);
        }
        let by_tags = asking.iter().any(|asked| asked.conditions.iter().any(is_on_tag));
        if by_tags || self.open.iter().any(|&role| is_guarded[role]) {
            return false;
        }
        self.find_asked(&asking);
        self.reached.borrow_mut().retain(|(_, _, via), _| *via != Via::Assume);
        self.alike.forget(Via::Assume);
        let patterns: Vec<(usize, String)> = self
            .patterns
            .iter()
            .filter(|((via, _), _)| *via == Via::Assume)
            .map(|((_, p), &n)| (n, p.clone()))
            .collect();
        for (node, pattern) in patterns {
            for &role in &self.guarded {
                let edge = (role, Via::Assume);
                let fits =
                    pattern::matches(&pattern, &self.nodes[role].arn) && self.admits(role, Via::Assume);
                if fits && !self.edges[node].contains(&edge) {
                    self.edges[node].push(edge);
                }
            }
        }
        true
    }

    /// The principals that can become others at the moment, in order.
    fn changed(&self) -> Vec<usize> {
        let mut changed = self.waiters.clone();
        if !self.guarded.is_empty() {
            changed.extend(&self.assuming);
            let is_guarded = self.by_node(&self.guarded);
            for (arn, roles) in self.naming.iter().chain(&self.asking).chain(&self.open_to) {
                if roles.iter().any(|&role| is_guarded[role]) {
                    changed.extend(self.arns.get(arn).copied().or_else(|| self.node_of_user(arn)));
                }
            }
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// Whether a principal may assume a role that has a node for its tagged sessions.
    fn assumes_taggable(&self, node: usize) -> bool {
        let is_taggable = |to: usize| self.sessions.values().any(|&role| role == to);
        let mut assumed = self.edges[node].iter().filter(|(_, via)| *via == Via::Assume).map(|&(to, _)| to);
        assumed.any(|to| match to < self.nodes.len() {
            true => is_taggable(to),
            false => self.edges[to].iter().any(|&(behind, _)| is_taggable(behind)),
        })
    }

    /// By node, whether it is one of these.
    fn by_node(&self, nodes: &[usize]) -> Vec<bool> {
        let mut is_one = vec![false; self.edges.len()];
        nodes.iter().for_each(|&node| is_one[node] = true);
        is_one
    }

    /// By node, whether a way leads to one of these, or it is one.
    fn leading_to(&self, nodes: &[usize], back: &[Vec<usize>]) -> Vec<bool> {
        let mut leads = self.by_node(nodes);
        let mut open = nodes.to_vec();
        while let Some(node) = open.pop() {
            for &from in &back[node] {
                if !std::mem::replace(&mut leads[from], true) {
                    open.push(from);
                }
            }
        }
        leads
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::audit::account::Account;

    const OWN: &str = "arn:aws:iam::111122223333";

    fn role(name: &str, trust: Value, statements: Value) -> Value {
        json!({"RoleName": name, "RoleId": format!("AROA{name}"), "Arn": format!("{OWN}:role/{name}"),
            "Path": "/", "CreateDate": "2026-01-01T00:00:00Z", "InstanceProfileList": [],
            "AttachedManagedPolicies": [], "AssumeRolePolicyDocument": {"Statement": [trust]},
            "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"Statement": statements}}]})
    }

    fn by(who: &str, condition: Value) -> Value {
        json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Condition": condition,
            "Principal": {"AWS": format!("{OWN}:{who}")}})
    }

    fn may(action: &str, on: &str, condition: Value) -> Value {
        let on = format!("{OWN}:role/{on}");
        json!({"Effect": "Allow", "Action": action, "Resource": on, "Condition": condition})
    }

    #[test]
    fn it_is_the_graph_that_would_be_built() {
        let place = || json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}});
        let mfa = || json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
        let all = json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]);
        let assume = |on: &str, c: Value| json!([may("sts:AssumeRole", on, c)]);
        let none = || json!({});
        let dump = json!({"RoleDetailList": [
            role("adm", by("root", none()), all.clone()),
            role("guarded", by("root", mfa()), all),
            role("in-place", by("root", none()), assume("adm", place())),
            role("behind", by("root", none()), assume("in-*", none())),
            role("with-mfa", by("root", none()), assume("guarded", none())),
            role("by-name", by("role/with-mfa", place()), assume("adm", none())),
            role("writes", by("root", none()), json!([may("iam:PutRolePolicy", "low", place()),
                may("sts:AssumeRole", "low", none())])),
            role("before", by("root", none()), assume("writes", none())),
            role("low", by("root", none()), json!([])),
        ]});
        let account = Account::from_json(dump.to_string().as_bytes()).expect("a dump");
        let engine = Engine::new(&account);
        let now = Graph::build(&engine, None);
        let reach = |graph: &Graph| -> Vec<bool> {
            (0..account.roles.len()).map(|node| graph.reaches_admin(node)).collect()
        };
        let mut all = vec![reach(&now)];
        for moment in now.moments() {
            let again = reach(&now.at(&engine, moment));
            assert_eq!(again, reach(&Graph::build(&engine, Some(moment))), "{moment:?}");
            all.push(again);
        }
        all.dedup();
        assert_eq!(all.len(), 2, "the moments open more");
    }
}
