//! A principal of the caller's own making that the trust of a role lets in, by the name or the tag that it
//! asks for: whoever makes a role writes its trust, and whoever makes a user may make its keys.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn>

use std::collections::HashSet;
use std::rc::Rc;

use super::changed::attachable;
use super::moved::is_on_name;
use super::takeover::{boundaries_of_new, is_of_aws, joined, named_here, names_written};
use super::via::MAKES;
use super::{Graph, Via};
use crate::audit::account::{Attachment, Boundary, InlinePolicy, Role, Tag, User, name_of};
use crate::audit::evaluate::Engine;
use crate::audit::node::{Asking, Node, is_on_tag, may_make, may_on, may_within};
use opsctl_iam::condition::Bound;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::Effective;
use opsctl_iam::policy::{Condition, Document};
use serde_json::json;

/// What may be made: its kind in ARNs, what gives it rights, and what makes whoever calls it.
struct Kind {
    name: &'static str,
    rights: [&'static str; 2],
    become_it: &'static [&'static str],
}

/// By the place of the call that makes it in [`MAKES`].
const KINDS: [Kind; MAKES.len()] = [
    Kind {
        name: "role",
        rights: ["iam:PutRolePolicy", "iam:AttachRolePolicy"],
        become_it: &["sts:AssumeRole"],
    },
    Kind {
        name: "user",
        rights: ["iam:PutUserPolicy", "iam:AttachUserPolicy"],
        become_it: &["iam:CreateAccessKey", "iam:CreateLoginProfile"],
    },
];

/// So many names are tried for one role that asks.
const MOST: usize = 32;

impl Graph {
    /// Adds the ways of those who have none to roles that lead to an administrator and let in somebody whom
    /// they may make; whether there are any.
    pub(super) fn add_made(&mut self, engine: &Engine<'_>) -> bool {
        let leads = |asked: &&Asking| asked.named.is_none() && self.reaches_admin(asked.role);
        let by_name = self.name_askers.iter().filter(|asked| !asked.conditions.iter().any(is_on_tag));
        let mut asking: Vec<&Asking> = by_name.chain(&self.tag_askers).filter(leads).collect();
        // Many ask for the same.
        let mut known: HashSet<(bool, &Vec<Condition>)> = HashSet::new();
        asking.retain(|&asked| known.insert((asked.anyone, &asked.conditions)));
        if asking.is_empty() {
            return false;
        }
        let assumes = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"});
        let assumes = Document::read(json!({"Version": "2012-10-17", "Statement": [assumes]}));
        let mut found: Vec<(usize, usize, usize, String)> = Vec::new();
        for (from, effective) in self.writers.iter().filter(|(node, _)| !self.reaches_admin(*node)) {
            for (way, kind) in KINDS.iter().enumerate() {
                let effective = &**effective;
                if effective.naming(MAKES[way]).next().is_none() {
                    continue;
                }
                let making =
                    Making { graph: self, engine, effective, from: *from, kind, way, assumes: &assumes };
                let others = asking.iter().filter(|asked| asked.role != *from);
                let first = others.into_iter().find_map(|asked| Some((asked.role, making.calls(asked)?)));
                found.extend(first.map(|(role, calls)| (*from, role, way, calls)));
            }
        }
        let is_any = !found.is_empty();
        for (from, role, way, calls) in found {
            self.edges[from].push((role, Via::Made(way)));
            self.made.insert((from, role), calls);
        }
        is_any
    }
}

/// Somebody who makes principals of a kind.
struct Making<'a> {
    graph: &'a Graph,
    engine: &'a Engine<'a>,
    effective: &'a Effective,
    from: usize,
    kind: &'a Kind,
    way: usize,
    /// The right to assume any role.
    assumes: &'a Document,
}

/// Policies of a new principal.
#[derive(Default)]
struct Given {
    inline: Vec<InlinePolicy>,
    attached: Vec<Attachment>,
}

impl Making<'_> {
    /// The calls that make a principal which a role lets in, and that make the caller it.
    fn calls(&self, asked: &Asking) -> Option<String> {
        // What callers are to say they must be allowed to.
        if !self.graph.nodes[asked.role].asked_to.is_empty() {
            return None;
        }
        let boundaries = boundaries_of_new(self.engine.account, self.effective, &[MAKES[self.way]]);
        let boundaries: Vec<Option<&str>> =
            std::iter::once(None).chain(boundaries.iter().map(|arn| Some(arn.as_str()))).collect();
        self.names(asked)
            .into_iter()
            .take(MOST)
            .find_map(|arn| {
                let node = self.tagged(&arn, asked)?;
                boundaries.iter().find_map(|boundary| {
                    let become_it = self.become_it(&arn, *boundary)?;
                    let given = boundary.map(Bound::By);
                    let is_made = may_make(self.effective, MAKES[self.way], &arn, given);
                    let rights = is_made.then(|| self.comes(&node, asked, *boundary))??;
                    let make = format!("{} on {arn} or the like", MAKES[self.way]);
                    Some([Some(make), rights, Some(become_it)].into_iter().flatten().collect::<Vec<_>>())
                })
            })
            .map(|calls| calls.join(", then "))
    }

    /// Names that nobody has, which the role may ask for and which may be made.
    fn names(&self, asked: &Asking) -> Vec<String> {
        let account = self.engine.account;
        let kind = self.kind.name;
        let here = |pattern: &str, x: &str| {
            named_here(pattern, account.partition(), &account.id, |name| name.replace(['*', '?'], x))
        };
        let own = |pattern: &str| named_here(pattern, account.partition(), &account.id, str::to_owned);
        let written: Vec<String> =
            names_written(self.effective, &[MAKES[self.way]], kind).iter().map(|p| own(p)).collect();
        let on_name = asked.conditions.iter().filter(|c| is_on_name(c));
        let values = on_name.flat_map(|c| c.values.iter().map(move |value| (c, value)));
        let values = values.filter(|(_, value)| !value.contains("${"));
        let wanted: Vec<String> = values
            .flat_map(|(c, value)| match c.key.eq_ignore_ascii_case("aws:username") {
                // Below any path.
                true => vec!["user/", "user/*/"]
                    .into_iter()
                    .map(|at| account.iam_arn(&format!("{at}{value}")))
                    .collect(),
                false => vec![own(value)],
            })
            .collect();
        let both = wanted.iter().flat_map(|one| written.iter().filter_map(|two| joined(one, two)));
        let any = account.iam_arn(&format!("{kind}/*"));
        let patterns: Vec<String> =
            both.chain(wanted.iter().cloned()).chain(written.iter().cloned()).chain([any]).collect();
        let place = format!(":{kind}/");
        let mut names: Vec<String> = Vec::new();
        for arn in ["x", "q7-new"].iter().flat_map(|x| patterns.iter().map(move |p| here(p, x))) {
            let is_new = arn.contains(&place) && !is_of_aws(&arn) && !names.contains(&arn);
            if is_new && !self.graph.names.is_taken(kind, name_of(&arn)) {
                names.push(arn);
            }
        }
        names
    }

    /// The new principal, with the tags that a role asks for, if it is then as all conditions ask.
    fn tagged(&self, arn: &str, asked: &Asking) -> Option<Node> {
        let mut node = Node::new(arn, "", &[]);
        let is_on_other = |c: &&Condition| is_on_tag(c) && !node.meets(c);
        let tags: Vec<(String, String)> = asked
            .conditions
            .iter()
            .filter(is_on_other)
            .map(|c| {
                let (_, tag) = c.key.split_once('/')?;
                Some((tag.to_owned(), node.settable(self.effective, tag, c)?))
            })
            .collect::<Option<_>>()?;
        node.tags = tags;
        asked.conditions.iter().all(|c| node.meets(c)).then_some(node)
    }

    /// The call by which the caller is the new principal. A role that names who may assume it asks for no
    /// policy of theirs.
    fn become_it(&self, arn: &str, boundary: Option<&str>) -> Option<String> {
        if self.kind.name == "user" {
            let may = |key: &&&str| match boundary {
                None => may_on(self.effective, key, arn),
                Some(_) => may_within(self.effective, key, arn, boundary),
            };
            return self.kind.become_it.iter().find(may).map(|key| format!("{key} on it"));
        }
        let assume = self.kind.become_it[0];
        let is_within = match self.effective.within_ceiling(assume, arn, None) {
            Decision::Allowed => true,
            other => self.from >= self.graph.role_count() && other != Decision::DeniedExplicitly,
        };
        let may = is_within && self.effective.decide(assume, arn) != Decision::DeniedExplicitly;
        may.then(|| format!("{assume} on it"))
    }

    /// Whether the new principal comes in, and the call that gives it the right to where it needs one.
    /// Whoever may give it any rights is an administrator by that; see `takeover`.
    fn comes(&self, node: &Node, asked: &Asking, boundary: Option<&str>) -> Option<Option<String>> {
        let none = Given::default();
        if asked.anyone && self.graph.comes_as_anyone(&self.may(node, none, boundary), asked.role) {
            return Some(None);
        }
        let target = &self.graph.nodes[asked.role].arn;
        let may = |given| {
            let effective = self.may(node, given, boundary);
            effective.decide("sts:AssumeRole", target) == Decision::Allowed
        };
        let mut rights = self.kind.rights.iter();
        if let Some(right) = rights.find(|right| may_within(self.effective, right, &node.arn, boundary)) {
            let inline = InlinePolicy { name: "new".to_owned(), document: self.assumes.clone() };
            let given = Given { inline: vec![inline], ..Given::default() };
            return may(given).then(|| Some(format!("{right} on it")));
        }
        let attach = self.kind.rights[1];
        let found = attachable(self.effective, attach, &node.arn, self.engine).into_iter().find(|arn| {
            let policy = Attachment { name: name_of(arn).to_owned(), arn: arn.clone() };
            may(Given { attached: vec![policy], ..Given::default() })
        })?;
        Some(Some(format!("{attach} of {found} on it")))
    }

    /// What the new principal may do with what it is given.
    fn may(&self, node: &Node, given: Given, boundary: Option<&str>) -> Rc<Effective> {
        let Given { inline, attached } = given;
        let permissions_boundary = boundary.map(|arn| Boundary { arn: arn.to_owned() });
        let tags = node.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() });
        let (arn, name, tags) = (node.arn.clone(), name_of(&node.arn).to_owned(), tags.collect());
        match self.kind.name {
            "role" => {
                let role =
                    Role { arn, name, tags, inline, attached, permissions_boundary, ..Role::default() };
                self.engine.role(&role)
            }
            _ => {
                let user =
                    User { arn, name, tags, inline, attached, permissions_boundary, ..User::default() };
                self.engine.user(&user)
            }
        }
    }
}
