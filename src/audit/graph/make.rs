//! The graph as it is made: principals, whom their trust lets in, and what each of them can become.

use std::collections::HashMap;

use super::moved::is_on_name;
use super::{Graph, Via, takeover};
use crate::audit::account::{Role, User};
use crate::audit::escalate::PASSING_WAYS;
use crate::audit::evaluate::Engine;
use crate::audit::loosen::Held;
use crate::audit::node::{Asking, Node, is_on_tag, with_tags_of};
use crate::audit::role_view::{self, Admin, RoleKind, RoleView};
use crate::audit::said;
use crate::audit::serving;
use crate::audit::trust::{self, Entry};
use opsctl_iam::circumstance::is_on_mfa;
use opsctl_iam::condition;
use opsctl_iam::effective::is_admin;
use opsctl_iam::moment::Moment;
use opsctl_iam::policy::Condition;

/// The provider whose tokens are those of identity pools.
const POOLS: &str = "cognito-identity.amazonaws.com";

impl Graph {
    /// Works out who can become whom, at all times or at a moment.
    pub fn build(engine: &Engine<'_>, moment: Option<Moment>) -> Self {
        let mut graph = Self { moment, ..Self::empty(engine.account) };
        let mut asking = graph.add_nodes(engine);
        graph.find_asked(&asking);
        graph.add_everybody();
        let by_name = asking.iter().filter(|asked| asked.conditions.iter().any(is_on_name));
        graph.name_askers = by_name.cloned().collect();
        asking.retain(|asked| asked.conditions.iter().any(is_on_tag));
        for index in 0..graph.nodes.len() {
            graph.add_ways_of(index, engine, &asking);
        }
        graph.admin_sessions = graph.add_sessions(engine, &asking);
        graph.tag_askers = asking;
        graph.takeovers = takeover::find(&graph, engine, &graph.writers, |_| true);
        let back = graph.back();
        graph.find_ways_and_together(engine, &back);
        graph
    }

    /// Adds all principals; returns the roles that ask something of who comes.
    fn add_nodes(&mut self, engine: &Engine<'_>) -> Vec<Asking> {
        let mut asking = Vec::new();
        for (index, role) in engine.account.roles.iter().enumerate() {
            self.add_role(index, role, engine, &mut asking);
        }
        for user in &engine.account.users {
            let node = Node::new(&user.arn, &user.user_id, &user.tags);
            let boundary = user.permissions_boundary.as_ref().map(|b| b.arn.clone());
            self.nodes.push(Node { may_have_mfa: true, boundary, ..node });
        }
        let sorted = |range: std::ops::Range<usize>| {
            let mut sorted: Vec<_> = range.map(|index| (self.nodes[index].arn.clone(), index)).collect();
            sorted.sort();
            sorted
        };
        (self.sorted, self.sorted_users) = (sorted(0..self.roles), sorted(self.roles..self.nodes.len()));
        asking
    }

    /// Adds what a principal can become.
    pub(super) fn add_ways_of(&mut self, index: usize, engine: &Engine<'_>, asking: &[Asking]) {
        match index.checked_sub(self.roles) {
            None => self.add_ways_of_role(index, &engine.account.roles[index], engine, asking),
            Some(place) => self.add_ways_of_user(index, &engine.account.users[place], engine, asking),
        }
    }

    fn add_ways_of_role(&mut self, index: usize, role: &Role, engine: &Engine<'_>, asking: &[Asking]) {
        if RoleKind::of(role) == RoleKind::ServiceLinked {
            return;
        }
        let mut view = RoleView::new(engine, role, index);
        self.note_waiting(index, &view.effective);
        if let Some(then) = self.moment.and_then(|moment| view.at(engine, moment)) {
            view = then;
        }
        self.nodes[index].admin = view.admin == Admin::Yes;
        self.nodes[index].serves = serving::serves(&view);
        let has_arrived = self.nodes[index].admin || view.rewrites_itself(engine);
        self.add_edges(index, &view.effective, view.touches_iam, engine);
        if view.touches_iam {
            self.add_tagged(index, &view.effective, asking);
        }
        if !has_arrived && (view.touches_iam || !view.effective.void.is_empty()) {
            self.add_loosened_role(index, role, &view.effective, engine, asking);
            let held = || engine.tags_asked_by_role(role);
            self.add_retagged(index, &view.effective, held, engine, asking);
        }
        if has_arrived {
            self.arrived.push(index);
        } else if view.touches_iam && takeover::may_write(&view.effective) {
            self.writers.push((index, view.effective));
        }
    }

    fn add_ways_of_user(&mut self, index: usize, user: &User, engine: &Engine<'_>, asking: &[Asking]) {
        let mut effective = engine.principal(index);
        self.note_waiting(index, &effective);
        if let Some(then) = self.moment.and_then(|moment| role_view::at(&effective, moment, true)) {
            effective = then;
        }
        if is_admin(&effective.open, engine.catalogue) {
            self.admin_users.push(user.arn.clone());
            self.nodes[index].admin = true;
            self.arrived.push(index);
            return;
        }
        self.add_edges(index, &effective, true, engine);
        self.add_tagged(index, &effective, asking);
        self.add_renamed(index, &effective, engine);
        self.add_joined(index, user, &effective, engine, asking);
        let more = |attachment| {
            let mut more = user.clone();
            more.attached.push(attachment);
            engine.user(&more)
        };
        let held = Held::by_user(user, engine, &effective);
        self.add_loosened(&held, more, index, engine, asking);
        self.add_retagged(index, &effective, || engine.tags_asked_by_user(user), engine, asking);
        if takeover::may_write(&effective) {
            self.writers.push((index, effective));
        }
    }

    fn add_role(&mut self, index: usize, role: &Role, engine: &Engine<'_>, asking: &mut Vec<Asking>) {
        let kind = RoleKind::of(role);
        let mut node = Node::of_role(role);
        // Service-linked roles and those of Identity Center cannot be edited.
        node.rewritable = !matches!(kind, RoleKind::ServiceLinked | RoleKind::IdentityCenter);
        let admissions = role_view::admissions(engine, role);
        node.asked_to = trust::asked_to(&admissions);
        node.said = said::Asked::of(&admissions, trust::takes(role));
        for provider in admissions.iter().flat_map(trust::Admission::saml_providers) {
            self.federated.entry(provider.to_owned()).or_default().push(index);
        }
        node.may_have_mfa = admissions.iter().any(trust::Admission::lets_people_in);
        let waiting = admissions.iter().filter(|a| self.note_statement(&a.statement)).count();
        self.guarded.extend((waiting > 0).then_some(index));
        let entries = trust::entries(&admissions, &engine.account.id, self.moment);
        for entry in &entries {
            match entry {
                Entry::Service(name, sources) if kind != RoleKind::ServiceLinked => {
                    let name = condition::plain_service(name).into_owned();
                    node.of_machines |= name == "ec2.amazonaws.com" && !role.instance_profiles.is_empty();
                    node.add_sources(&name, sources);
                    self.add_trusting(name, index);
                }
                Entry::AnyService => {
                    let mut services: Vec<&str> = PASSING_WAYS.iter().map(|(name, _)| &**name).collect();
                    services.dedup();
                    services.into_iter().for_each(|name| self.add_trusting(name.to_owned(), index));
                }
                _ => {}
            }
        }
        // Whoever may say which roles an identity pool gives has them by the pool's tokens.
        let of_pools = |a: &trust::Admission<'_>| {
            a.by("sts:AssumeRoleWithWebIdentity")
                && a.principals.contains(&trust::Principal::Public(POOLS))
                && !a.negated
        };
        if admissions.iter().any(|a| of_pools(a) && !a.fixes(&format!("{POOLS}:sub"))) {
            self.add_trusting(POOLS.to_owned(), index);
        }
        self.arns.insert(role.arn.clone(), index);
        self.nodes.push(node);
        self.let_in(index, role, entries, engine, asking);
    }

    /// Notes which principals of the account the trust of a role lets in.
    pub(super) fn let_in(
        &mut self,
        index: usize,
        role: &Role,
        entries: Vec<Entry<'_>>,
        engine: &Engine<'_>,
        asking: &mut Vec<Asking>,
    ) {
        let node = &mut self.nodes[index];
        let mut ask = |named: Option<&str>, anyone: bool, asks: Vec<&Condition>| {
            let conditions = asks.into_iter().map(|c| with_tags_of(role, c)).collect();
            asking.push(Asking { named: named.map(str::to_owned), anyone, conditions, role: index });
        };
        for entry in entries {
            match entry {
                Entry::Account(asks) if asks.is_empty() => node.entries_account = true,
                Entry::Account(asks) if asks.iter().all(|c| is_on_mfa(c)) => node.entries_mfa = true,
                Entry::Account(asks) => ask(None, false, asks),
                Entry::Anyone(asks) if asks.is_empty() => {
                    // Also who comes by a policy of its own is told of.
                    node.entries_account = true;
                    self.open.push(index);
                }
                Entry::Anyone(asks) => ask(None, true, asks),
                Entry::Named(arn, asks) => {
                    // A session is its role's: whoever starts one names it.
                    let session = arn.split_once(":assumed-role/").map(|(_, session)| session);
                    let role = session.and_then(|session| role_of_session(engine, session));
                    let let_in = if session.is_some() { &mut self.open_to } else { &mut self.naming };
                    let Some(arn) = role.or(session.is_none().then_some(arn)) else { continue };
                    match asks.is_empty() {
                        true => let_in.entry(arn.to_owned()).or_default().push(index),
                        false => ask(Some(arn), false, asks),
                    }
                }
                Entry::Service(..) | Entry::AnyService => {}
            }
        }
    }

    /// Adds the node that leads to the roles that let in everybody.
    fn add_everybody(&mut self) {
        if !self.open.is_empty() {
            self.everybody = Some(self.edges.len());
            self.edges.push(self.open.iter().map(|&role| (role, Via::Assume)).collect());
        }
    }

    fn add_trusting(&mut self, service: String, role: usize) {
        let trusting = self.trusting.entry(service).or_default();
        if trusting.last() != Some(&role) {
            trusting.push(role);
        }
    }

    /// Finds the principals that roles ask for by conditions.
    pub(super) fn find_asked(&mut self, asking: &[Asking]) {
        let mut known: HashMap<String, Vec<usize>> = HashMap::new();
        for Asking { named, anyone, conditions, role } in asking {
            let role = *role;
            let key = conditions.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let fitting = known.entry(key).or_insert_with(|| {
                let nodes = self.nodes.iter().enumerate();
                let fits = |(_, node): &(usize, &Node)| conditions.iter().all(|c| node.meets(c));
                nodes.filter(fits).map(|(index, _)| index).collect()
            });
            let arns = fitting.iter().map(|&index| &self.nodes[index].arn);
            match named {
                Some(named) => {
                    if arns.into_iter().any(|arn| arn == named) {
                        self.naming.entry(named.clone()).or_default().push(role);
                    }
                }
                None => {
                    let let_in = if *anyone { &mut self.open_to } else { &mut self.asking };
                    for arn in arns {
                        let_in.entry(arn.clone()).or_default().push(role);
                    }
                }
            }
        }
    }
}

/// The role of a session, by the `ROLE/SESSION` of its ARN.
fn role_of_session<'a>(engine: &Engine<'a>, session: &str) -> Option<&'a str> {
    let name = session.split('/').next()?;
    engine.account.roles.iter().find(|role| role.name == name).map(|role| role.arn.as_str())
}
