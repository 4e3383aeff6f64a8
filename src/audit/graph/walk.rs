//! What is asked of the graph while it is made, and after.

use std::collections::{HashMap, VecDeque};

use super::{Graph, Via};

/// The principals that one can become, and how.
pub(in crate::audit) struct Reach {
    /// Nearest first.
    pub nodes: Vec<usize>,
    /// The node before each, and the way from there.
    before: HashMap<usize, (usize, Via)>,
}

impl Reach {
    /// The calls that lead to a principal, in order.
    pub fn calls(&self, graph: &Graph, to: usize) -> Vec<String> {
        let mut calls = Vec::new();
        let mut at = to;
        while let Some(&(prior, via)) = self.before.get(&at) {
            calls.splice(0..0, graph.calls_to(at, via));
            at = prior;
        }
        calls
    }
}

/// The ways to some nodes: the next node on the shortest from each that leads to them.
pub(super) struct Toward(HashMap<usize, usize>);

impl Toward {
    /// The nodes that lead there, and are not there yet.
    pub fn starts(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter(|(node, next)| node != next).map(|(&node, _)| node)
    }

    /// Whether a node leads there.
    pub fn has(&self, node: usize) -> bool {
        self.0.contains_key(&node)
    }

    /// The calls from a node to where the way ends, and that end.
    pub fn calls(&self, graph: &Graph, from: usize) -> (Vec<String>, usize) {
        let (mut calls, mut at, mut by) = (Vec::new(), from, Via::Assume);
        while let Some(&next) = self.0.get(&at).filter(|&&next| next != at) {
            // What a pattern leads to is one step from where it is named.
            if graph.is_step(at) {
                by = graph.edges[at].iter().find(|&&(to, _)| to == next).map_or(by, |&(_, via)| via);
            }
            if graph.is_step(next) {
                calls.extend(graph.calls_to(next, by));
            }
            at = next;
        }
        (calls, at)
    }
}

impl Graph {
    /// The principals that one can become, nearest first.
    pub(in crate::audit) fn within_reach(&self, from: usize) -> Reach {
        let mut before: HashMap<usize, (usize, Via)> = HashMap::new();
        let mut queue = VecDeque::from([from]);
        let mut nodes = Vec::new();
        while let Some(node) = queue.pop_front() {
            for &(to, via) in &self.edges[node] {
                // What tagged sessions may write is not followed.
                if to == from || before.contains_key(&to) || self.sessions.contains_key(&to) {
                    continue;
                }
                // Patterns are no principals: what is behind them is one step from where they begin.
                let origin = match self.is_step(node) {
                    true => (node, via),
                    false => before[&node],
                };
                before.insert(to, origin);
                if to < self.nodes.len() {
                    nodes.push(to);
                }
                queue.push_back(to);
            }
        }
        Reach { nodes, before }
    }

    /// Whether a node is a principal, or one that changed itself: there a call ends.
    fn is_step(&self, node: usize) -> bool {
        node < self.nodes.len() || self.changed.contains_key(&node)
    }

    fn calls_to(&self, node: usize, via: Via) -> Vec<String> {
        match self.changed.get(&node) {
            Some(changed) => changed.calls.clone(),
            None => vec![via.calls(self.arn(node))],
        }
    }

    /// The ways to some principals from those that do not lead to an administrator as it is.
    pub(super) fn toward(&self, ends: &[usize], back: &[Vec<usize>]) -> Toward {
        let mut next: HashMap<usize, usize> = ends.iter().map(|&end| (end, end)).collect();
        let mut queue: VecDeque<usize> = ends.iter().copied().collect();
        while let Some(node) = queue.pop_front() {
            for &from in &back[node] {
                let known = next.contains_key(&from) || self.reaches_admin(from);
                if !known && !self.sessions.contains_key(&from) {
                    next.insert(from, node);
                    queue.push_back(from);
                }
            }
        }
        Toward(next)
    }

    /// Whether two principals can become the same others.
    pub(in crate::audit) fn has_same_edges(&self, one: usize, other: usize) -> bool {
        self.edges[one] == self.edges[other]
    }

    /// The ARN of a principal.
    pub fn arn(&self, node: usize) -> &str {
        &self.nodes[node].arn
    }

    /// Whether the policies of a principal can be changed by IAM's calls.
    pub(in crate::audit) fn is_rewritable(&self, node: usize) -> bool {
        self.nodes[node].rewritable
    }

    /// How many of the nodes are roles; users follow.
    pub fn role_count(&self) -> usize {
        self.roles
    }
}
