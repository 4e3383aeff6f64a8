//! Tags that decide who can become whom: those that are there, and those that may be set first.

use super::{Graph, Via};
use crate::audit::node::{Asking, is_on_tag};
use opsctl_iam::effective::Effective;
use opsctl_iam::policy::Condition;

impl Graph {
    /// Roles whose trust asks for a tag that the principal may give itself.
    pub(super) fn add_tagged(&mut self, index: usize, effective: &Effective, asking: &[Asking]) {
        if asking.is_empty() || !effective.may_ever(self.nodes[index].tag_action()) {
            return;
        }
        for asked in asking.iter().filter(|asked| asked.role != index) {
            let node = &self.nodes[index];
            let is_set = |c: &Condition| {
                let tag = c.key.split_once('/').map(|(_, tag)| tag);
                is_on_tag(c) && tag.is_some_and(|tag| node.settable(effective, tag, c).is_some())
            };
            let fits = asked.conditions.iter().all(|c| node.meets(c) || is_set(c));
            let open = self.comes(effective, index, asked);
            let known = self.edges[index].contains(&(asked.role, Via::Assume));
            if fits && open && !known {
                self.edges[index].push((asked.role, Via::Tagged));
            }
        }
    }

    /// Whether a principal may be acted upon, by what is known of its tags, or can be made so.
    pub(super) fn may_call(
        &self,
        effective: &Effective,
        action: &str,
        node: usize,
        service: Option<&str>,
    ) -> bool {
        self.nodes[node].admits_call(effective, action, service)
    }
}
