//! Conditions on the circumstances of a call, met on the way to an administrator.

use super::Graph;
use super::takeover::Takeover;
use crate::audit::account::name_of;
use crate::audit::escalate::LEADS;
use crate::audit::evaluate::Engine;
use crate::audit::role_view;
use opsctl_iam::circumstance::{is_on_circumstance, is_on_mfa};
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::condition_text;
use opsctl_iam::moment::Moment;
use opsctl_iam::policy::Statement;

impl Graph {
    /// Notes which moments a principal's ways wait for.
    pub(super) fn note_waiting(&mut self, node: usize, effective: &Effective) {
        let limits = match &effective.ceiling {
            Ceiling::Known { grants, .. } => &grants[..],
            _ => &[],
        };
        let all = effective.allows.iter().chain(&effective.denies).map(|s| &s.grant).chain(limits);
        let mut waits = false;
        for grant in all.filter(|grant| !grant.statement.conditions.is_empty()) {
            waits |= grant.actions.meets(&LEADS) && self.note_statement(&grant.statement);
        }
        if waits {
            self.waiters.push(node);
        }
    }

    /// Notes which moments a statement waits for; whether it waits for any.
    pub(super) fn note_statement(&mut self, statement: &Statement) -> bool {
        let mut waits = false;
        for c in statement.conditions.iter().filter(|c| is_on_circumstance(c)) {
            let moment = if is_on_mfa(c) { Moment::WithMfa } else { Moment::InPlace };
            waits = true;
            if !self.waiting.contains(&moment) {
                self.waiting.push(moment);
            }
        }
        waits
    }

    /// Whether statements about a principal's ways wait for a moment.
    pub fn waits(&self, node: usize) -> bool {
        self.waiters.binary_search(&node).is_ok()
    }

    /// The moments at which there may be more ways, the most usual first.
    pub fn moments(&self) -> Vec<Moment> {
        let mut moments = self.waiting.clone();
        moments.sort_unstable();
        moments
    }

    /// Whether somebody reaches an administrator here who does not there.
    pub fn leads_further(&self, other: &Self) -> bool {
        (0..self.nodes.len()).any(|node| self.way[node].is_some() && other.way[node].is_none())
    }

    /// What the way of a principal to an administrator waits for, a line for each statement.
    pub fn waits_on_the_way(&self, from: usize, engine: &Engine<'_>) -> Vec<String> {
        let (mut lines, mut node, mut at) = (Vec::new(), from, from);
        loop {
            let Some((steps, next)) = self.way.get(node).copied().flatten() else { return lines };
            let is_principal = node < self.nodes.len();
            if is_principal {
                at = node;
            }
            if steps == 0 {
                let takeover = self.takeover(node);
                let calls = takeover.map(Takeover::actions).unwrap_or_default();
                let who = || std::iter::once(at).chain(takeover.and_then(|takeover| takeover.by));
                for (node, action) in calls.into_iter().flat_map(|action| who().map(move |w| (w, action))) {
                    self.add_waits(node, action, engine, &mut lines);
                }
                return lines;
            }
            if let Some(&(_, via)) = self.edges[node].iter().find(|&&(to, _)| to == next) {
                if is_principal {
                    self.add_waits(at, via.action(), engine, &mut lines);
                }
                if next < self.nodes.len() {
                    self.add_trust(next, engine, &mut lines);
                }
            }
            node = next;
        }
    }

    fn add_waits(&self, node: usize, action: &str, engine: &Engine<'_>, lines: &mut Vec<String>) {
        let effective = engine.principal(node);
        let waits = |statement: &Statement| statement.conditions.iter().any(is_on_circumstance);
        let who = name_of(&self.nodes[node].arn);
        for s in effective.allows.iter().chain(&effective.denies) {
            let line = || format!("{who}: {}", s.evidence(action));
            if s.grant.names(action) && waits(&s.grant.statement) && !lines.contains(&line()) {
                lines.push(line());
            }
        }
    }

    fn add_trust(&self, node: usize, engine: &Engine<'_>, lines: &mut Vec<String>) {
        let Some(role) = engine.account.roles.get(node) else { return };
        let admissions = role_view::admissions(engine, role);
        let waiting = admissions.iter().filter(|a| a.statement.conditions.iter().any(is_on_circumstance));
        lines.extend(
            waiting.map(|a| {
                format!("{}: {}{}", role.name, a.label(), condition_text(&a.statement, a.restriction))
            }),
        );
    }
}
