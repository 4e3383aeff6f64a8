//! Tags that decide who can become whom: those that are there, and those that may be set first.

use super::node::{Asking, Node, is_on_tag};
use super::{Graph, Via};
use opsctl_iam::condition::{Asked, Bound, Tags};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;
use opsctl_iam::policy::Condition;
use opsctl_iam::tagging::fitting_values;

impl Graph {
    /// Roles whose trust asks for a tag that the principal may give itself.
    pub(super) fn add_tagged(&mut self, index: usize, effective: &Effective, asking: &[Asking]) {
        if asking.is_empty() || !effective.may_ever(self.tag_action(index)) {
            return;
        }
        for asked in asking.iter().filter(|asked| asked.role != index) {
            let node = &self.nodes[index];
            let is_set = |c: &Condition| {
                let tag = c.key.split_once('/').map(|(_, tag)| tag);
                is_on_tag(c) && tag.is_some_and(|tag| self.settable(effective, index, tag, c).is_some())
            };
            let fits = asked.conditions.iter().all(|c| node.meets(c) || is_set(c));
            let open = match &asked.named {
                Some(named) => *named == node.arn,
                None => self.decided(effective, asked.role, Via::Assume),
            };
            let known = self.edges[index].contains(&(asked.role, Via::Assume));
            if fits && open && !known {
                self.edges[index].push((asked.role, Via::Tagged));
            }
        }
    }

    fn tag_action(&self, node: usize) -> &'static str {
        if node < self.roles { "iam:TagRole" } else { "iam:TagUser" }
    }

    /// A value that meets a condition on a tag of a principal and that may be given to it.
    fn settable(&self, effective: &Effective, node: usize, tag: &str, c: &Condition) -> Option<String> {
        let Node { arn, tags, .. } = &self.nodes[node];
        let may = |value: Option<&str>| {
            let asked =
                Asked { service: None, tags: Tags::Told(tags), sets: Some((tag, value)), boundary: None };
            effective.decide_for(self.tag_action(node), arn, asked) == Decision::Allowed
        };
        let found = fitting_values(c).into_iter().find(|value| may(value.as_deref()));
        found.map(|value| value.unwrap_or_else(|| "x".to_owned()))
    }

    /// The tags of a principal with those added that a statement about it asks for and that may be set.
    fn tagged(&self, effective: &Effective, grant: &Grant, node: usize) -> Option<Vec<(String, String)>> {
        let mut all = self.nodes[node].tags.clone();
        for c in &grant.statement.conditions {
            let on_tag = c.key.split_once('/').filter(|(prefix, _)| {
                ["aws:ResourceTag", "iam:ResourceTag"].iter().any(|key| key.eq_ignore_ascii_case(prefix))
            });
            let Some((_, tag)) = on_tag else { continue };
            let value = self.settable(effective, node, tag, c)?;
            all.retain(|(key, _)| !key.eq_ignore_ascii_case(tag));
            all.push((tag.to_owned(), value));
        }
        Some(all)
    }

    /// Whether a principal may be acted upon, by what is known of its tags, or can be made so.
    pub(super) fn may_call(
        &self,
        effective: &Effective,
        action: &str,
        node: usize,
        service: Option<&str>,
    ) -> bool {
        let Node { arn, tags, boundary, .. } = &self.nodes[node];
        let boundary = Bound::of(action, boundary.as_deref());
        let decide =
            |tags: Tags<'_>| effective.decide_for(action, arn, Asked { service, tags, sets: None, boundary });
        match decide(Tags::Told(tags)) {
            Decision::Allowed => true,
            Decision::DeniedExplicitly | Decision::Unknown => false,
            _ if decide(Tags::Settable) != Decision::Allowed => false,
            _ => {
                let limits = match &effective.ceiling {
                    Ceiling::Known { grants, .. } => &grants[..],
                    _ => &[],
                };
                let grants = effective.allows.iter().map(|s| &s.grant).chain(limits);
                let about = grants.filter(|g| g.statement.allow && g.names(action) && g.reaches(arn));
                about
                    .filter_map(|grant| self.tagged(effective, grant, node))
                    .any(|tags| decide(Tags::Told(&tags)) == Decision::Allowed)
            }
        }
    }
}
