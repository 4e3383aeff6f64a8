//! Tags that decide who can become whom: those that are there, and those that may be set first.

use std::collections::HashSet;
use std::rc::Rc;

use super::changed::Changed;
use super::{Graph, Via};
use crate::audit::account::{Role, Tag, User};
use crate::audit::evaluate::Engine;
use crate::audit::node::{Asking, is_on_tag};
use crate::audit::own_tags::{self, OwnTagging, OwnTags, Target, Targets};
use opsctl_iam::effective::{Effective, is_admin};
use opsctl_iam::policy::{Condition, Selector, Statement};

impl Graph {
    /// Roles whose trust asks for a tag that the principal may give itself.
    pub(super) fn add_tagged(&mut self, index: usize, effective: &Effective, asking: &[Asking]) {
        let node = &self.nodes[index];
        let may_tag = || [node.tag_action(), node.untag_action()].iter().any(|call| effective.may_ever(call));
        if asking.is_empty() || !may_tag() {
            return;
        }
        let known = self.edges[index].iter().filter(|(_, via)| *via == Via::Assume);
        let known: HashSet<usize> = known.map(|&(role, _)| role).collect();
        for asked in asking.iter().filter(|asked| asked.role != index) {
            let node = &self.nodes[index];
            let is_set = |c: &Condition| {
                let tag = c.key.split_once('/').map(|(_, tag)| tag);
                is_on_tag(c) && tag.is_some_and(|tag| node.settable(effective, tag, c).is_some())
            };
            let fits = asked.conditions.iter().all(|c| node.meets(c) || is_set(c));
            if fits && !known.contains(&asked.role) && self.comes(effective, index, asked) {
                let is_tagged = asked.conditions.iter().all(|c| node.meets(c));
                let via = if is_tagged { Via::Assume } else { Via::Tagged };
                self.edges[index].push((asked.role, via));
            }
        }
    }

    /// Adds what a principal can become that first sets tags of its own, or takes them off, as far as its own
    /// statements, its boundary or the trust of roles ask for tags.
    pub(super) fn add_retagged(
        &mut self,
        index: usize,
        effective: &Effective,
        held: impl Fn() -> Vec<Statement>,
        engine: &Engine<'_>,
        asking: &[Asking],
    ) {
        let node = &self.nodes[index];
        let calls = [node.tag_action(), node.untag_action()];
        if !node.rewritable || !calls.iter().any(|call| effective.may_ever(call)) {
            return;
        }
        // What a tag that is set opens is known already, not what one opens that is taken off.
        let is_open = self.edges[index].iter().filter(|(_, via)| *via == Via::Tagged);
        let is_open: HashSet<usize> = is_open.map(|&(role, _)| role).collect();
        let by_trust = asking.iter().filter(|asked| asked.role != index && !is_open.contains(&asked.role));
        // Many ask for the same.
        let mut known = HashSet::new();
        let by_trust = by_trust.filter(|asked| known.insert(&asked.conditions)).map(|asked| Statement {
            sid: None,
            allow: true,
            actions: Selector::Only(Vec::new()),
            resources: None,
            principals: None,
            conditions: asked.conditions.clone(),
        });
        let statements: Vec<Statement> = held().into_iter().chain(by_trust).collect();
        if statements.is_empty() {
            return;
        }
        let may = |tag: &str, value: Option<&str>| node.may_be_tagged(effective, tag, value);
        let found = OwnTagging { may, targets: self.targets_by_might(engine) }.helpful(node, &statements);
        for tags in found {
            let calls = own_tags::calls(&self.nodes[index], &tags);
            let words = format!("calls {}", calls.join(", then "));
            let effective = self.with_tags(index, &tags, engine);
            let changed = Changed { of: index, calls, words, effective, tags: Some(tags) };
            self.add_changed(changed, None, engine, asking);
        }
    }

    /// What a principal may do with other tags.
    pub(super) fn with_tags(&self, index: usize, tags: &OwnTags, engine: &Engine<'_>) -> Rc<Effective> {
        let tags = tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
        match index.checked_sub(self.roles) {
            None => engine.role(&Role { tags, ..engine.account.roles[index].clone() }),
            Some(place) => engine.user(&User { tags, ..engine.account.users[place].clone() }),
        }
    }

    /// What there is to act upon, administrators first; asked once.
    pub(super) fn targets_by_might(&self, engine: &Engine<'_>) -> &Targets {
        let account = engine.account;
        self.might.get_or_init(|| {
            let tags = |all: &[Tag]| all.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
            let roles = account.roles.iter().map(|role| (&role.arn, &role.tags));
            let principals = roles.chain(account.users.iter().map(|user| (&user.arn, &user.tags)));
            let principals = principals.enumerate().map(|(node, (arn, own))| {
                (is_admin(&engine.principal(node).open, engine.catalogue), (arn.clone(), tags(own)))
            });
            let groups = account.groups.iter().map(|group| &group.arn);
            let others = groups.chain(account.policies.iter().map(|policy| &policy.arn));
            let others = others.map(|arn| (false, (arn.clone(), Vec::new())));
            let mut all: Vec<(bool, Target)> = principals.chain(others).collect();
            all.sort_by_key(|(is_mighty, _)| !is_mighty);
            Targets::new(all.into_iter().map(|(_, target)| target).collect())
        })
    }

    /// Whether a principal may be acted upon, by what is known of its tags and its name, or can be made so.
    pub(super) fn may_call(
        &self,
        effective: &Effective,
        action: &str,
        node: usize,
        service: Option<&str>,
    ) -> bool {
        let node = &self.nodes[node];
        if action == "sts:AssumeRole" && !node.said.fits(effective, &node.arn, true) {
            return false;
        }
        node.admits_call(effective, action, service) || self.moved(effective, action, node).is_some()
    }
}
