//! What is asked of the graph while it is made, and after.

use std::collections::{HashMap, VecDeque};

use super::{Graph, Via};

impl Graph {
    /// The principals that one can become, nearest first, each with the node before it and how.
    pub(in crate::audit) fn within_reach(&self, from: usize) -> Vec<(usize, usize, Via)> {
        let mut before: HashMap<usize, (usize, Via)> = HashMap::new();
        let mut queue = VecDeque::from([from]);
        let mut found = Vec::new();
        while let Some(node) = queue.pop_front() {
            for &(to, via) in &self.edges[node] {
                // What tagged sessions may write is not followed.
                if to == from || before.contains_key(&to) || self.sessions.contains_key(&to) {
                    continue;
                }
                // Patterns are no principals: what is behind them is one step from where they begin.
                let origin = match node < self.nodes.len() {
                    true => (node, via),
                    false => before[&node],
                };
                before.insert(to, origin);
                if to < self.nodes.len() {
                    found.push((to, origin.0, origin.1));
                }
                queue.push_back(to);
            }
        }
        found
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
