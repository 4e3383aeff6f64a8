//! Which principal can become which: by assuming a role, by passing it to a service, by rewriting its trust,
//! by making a key of a user.
//!
//! Linear in the size of the account: roles that share a pattern such as `role/app-*` share one node for it,
//! so that a thousand roles that may assume a thousand others are two thousand edges, not a million.

mod find;
mod moments;
mod node;
mod sessions;
mod stacks;
mod tags;
mod takeover;
mod via;
mod walk;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use self::node::{Asking, Node, is_on_tag, with_tags_of};
use super::account::{Account, Role};
use super::escalate::PASSING_WAYS;
use super::evaluate::Engine;
use super::role_view::{self, Admin, RoleKind, RoleView};
use super::trust::{self, Entry};
use super::ways;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::circumstance::is_on_mfa;
use opsctl_iam::condition::{self, Asked, ConditionResult, Tags};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective, is_admin};
use opsctl_iam::grant::Grant;
use opsctl_iam::moment::Moment;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Condition, Selector};

pub use takeover::Takeover;
pub use via::{KEYS, Via};

/// What an action of a role is aimed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All roles that this pattern matches.
    Pattern(String),
    Role(usize),
}

/// What a principal holds, the call, and the way.
type Question = (u32, ActionId, Via);

/// The graph of an account's roles and users.
pub struct Graph {
    /// Roles, then users.
    nodes: Vec<Node>,
    roles: usize,
    arns: HashMap<String, usize>,
    /// The roles, and the users, by ARN.
    sorted: Vec<(String, usize)>,
    sorted_users: Vec<(String, usize)>,
    trusting: HashMap<String, Vec<usize>>,
    /// Roles by the ARN that their trust names.
    naming: HashMap<String, Vec<usize>>,
    /// Roles by the ARN of who meets the conditions of their trust in the account.
    asking: HashMap<String, Vec<usize>>,
    /// Roles by the SAML provider that they trust.
    federated: HashMap<String, Vec<usize>>,
    patterns: HashMap<(Via, String), usize>,
    /// The nodes that stand for tagged sessions of a role.
    sessions: HashMap<usize, usize>,
    /// See [`Graph::targets`].
    reached: RefCell<HashMap<Question, Rc<[Target]>>>,
    /// Edges by node; the first nodes are the principals, the others patterns.
    edges: Vec<Vec<(usize, Via)>>,
    /// Steps to an administrator, and the next node on the way.
    way: Vec<Option<(u32, usize)>>,
    /// What principals become administrators by, though none is there yet.
    takeovers: HashMap<usize, Takeover>,
    /// The moment that it is of; `None`: what is so at all times.
    pub moment: Option<Moment>,
    /// The moments at which more may be, by what conditions it met while it was made.
    waiting: Vec<Moment>,
    /// ARNs of users who are administrators.
    pub admin_users: Vec<String>,
    users: HashSet<String>,
}

/// See [`Graph::passes`].
pub struct Passing<'g> {
    pub unlimited: bool,
    /// Only while a circumstance such as MFA holds.
    pub at_times: bool,
    pub admin: Option<&'g str>,
}

impl Graph {
    fn empty(account: &Account) -> Self {
        Self {
            nodes: Vec::new(),
            roles: account.roles.len(),
            arns: HashMap::new(),
            sorted: Vec::new(),
            sorted_users: Vec::new(),
            trusting: HashMap::new(),
            naming: HashMap::new(),
            asking: HashMap::new(),
            federated: HashMap::new(),
            patterns: HashMap::new(),
            sessions: HashMap::new(),
            reached: RefCell::default(),
            edges: vec![Vec::new(); account.roles.len() + account.users.len()],
            way: Vec::new(),
            takeovers: HashMap::new(),
            moment: None,
            waiting: Vec::new(),
            admin_users: Vec::new(),
            users: account.users.iter().map(|user| user.arn.clone()).collect(),
        }
    }

    /// Works out who can become whom, at all times or at a moment.
    pub fn build(engine: &Engine<'_>, moment: Option<Moment>) -> Self {
        let mut graph = Self { moment, ..Self::empty(engine.account) };
        let mut asking = graph.add_nodes(engine);
        graph.find_asked(&asking);
        asking.retain(|asked| asked.conditions.iter().any(is_on_tag));
        let mut writers = Vec::new();
        let mut sources = graph.add_edges_of_roles(engine, &asking, &mut writers);
        sources.extend(graph.add_edges_of_users(engine, &asking, &mut writers));
        sources.extend(graph.add_sessions(engine, &asking));
        graph.takeovers = takeover::find(&graph, engine, &writers);
        sources.extend(graph.takeovers.iter().filter(|(_, t)| t.becomes_admin).map(|(&index, _)| index));
        sources.sort_unstable();
        graph.find_ways(sources);
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

    /// Returns the roles that are administrators or can make themselves one.
    fn add_edges_of_roles(
        &mut self,
        engine: &Engine<'_>,
        asking: &[Asking],
        writers: &mut Vec<(usize, Rc<Effective>)>,
    ) -> Vec<usize> {
        let mut sources = Vec::new();
        for (index, role) in engine.account.roles.iter().enumerate() {
            if RoleKind::of(role) == RoleKind::ServiceLinked {
                continue;
            }
            let mut view = RoleView::new(engine, role, index);
            self.note_waiting(&view.effective);
            if let Some(then) = self.moment.and_then(|moment| view.at(engine, moment)) {
                view = then;
            }
            self.nodes[index].admin = view.admin == Admin::Yes;
            let has_arrived = self.nodes[index].admin || view.rewrites_itself(engine);
            self.add_edges(index, &view.effective, view.touches_iam, engine);
            if view.touches_iam {
                self.add_tagged(index, &view.effective, asking);
            }
            if has_arrived {
                sources.push(index);
            } else if view.touches_iam && takeover::may_write(&view.effective) {
                writers.push((index, view.effective));
            }
        }
        sources
    }

    /// Returns the users who are administrators.
    fn add_edges_of_users(
        &mut self,
        engine: &Engine<'_>,
        asking: &[Asking],
        writers: &mut Vec<(usize, Rc<Effective>)>,
    ) -> Vec<usize> {
        let mut sources = Vec::new();
        for (place, user) in engine.account.users.iter().enumerate() {
            let (index, mut effective) = (self.roles + place, Rc::new(engine.user(user)));
            self.note_waiting(&effective);
            if let Some(then) = self.moment.and_then(|moment| role_view::at(&effective, moment, true)) {
                effective = then;
            }
            if is_admin(&effective.open, engine.catalogue) {
                self.admin_users.push(user.arn.clone());
                self.nodes[index].admin = true;
                sources.push(index);
                continue;
            }
            self.add_edges(index, &effective, true, engine);
            self.add_tagged(index, &effective, asking);
            if takeover::may_write(&effective) {
                writers.push((index, effective));
            }
        }
        sources
    }

    fn add_role(&mut self, index: usize, role: &Role, engine: &Engine<'_>, asking: &mut Vec<Asking>) {
        let account = &engine.account.id;
        let kind = RoleKind::of(role);
        let mut node = Node::new(&role.arn, &role.role_id, &role.tags);
        // Service-linked roles and those of Identity Center cannot be edited.
        node.rewritable = !matches!(kind, RoleKind::ServiceLinked | RoleKind::IdentityCenter);
        let admissions = role_view::admissions(engine, role);
        node.asks_identity = admissions.iter().any(|a| a.fixes(trust::SAID_IDENTITY));
        for provider in admissions.iter().flat_map(trust::Admission::saml_providers) {
            self.federated.entry(provider.to_owned()).or_default().push(index);
        }
        node.boundary = role.permissions_boundary.as_ref().map(|b| b.arn.clone());
        node.may_have_mfa = admissions.iter().any(trust::Admission::lets_people_in);
        for admission in &admissions {
            self.note_statement(&admission.statement);
        }
        for entry in trust::entries(&admissions, account, self.moment) {
            let owned = |all: Vec<&Condition>| all.into_iter().map(|c| with_tags_of(role, c)).collect();
            match entry {
                Entry::Account(asks) if asks.is_empty() => node.entries_account = true,
                Entry::Account(asks) if asks.iter().all(|c| is_on_mfa(c)) => node.entries_mfa = true,
                Entry::Account(asks) => {
                    asking.push(Asking { named: None, conditions: owned(asks), role: index })
                }
                Entry::Named(arn, asks) => {
                    // A session is its role's: whoever starts one names it.
                    let arn = match arn.split_once(":assumed-role/") {
                        Some((_, session)) => role_of_session(engine, session),
                        None => Some(arn),
                    };
                    let Some(arn) = arn else { continue };
                    if asks.is_empty() {
                        self.naming.entry(arn.to_owned()).or_default().push(index);
                    } else {
                        let named = Some(arn.to_owned());
                        asking.push(Asking { named, conditions: owned(asks), role: index });
                    }
                }
                Entry::Service(name) if kind != RoleKind::ServiceLinked => {
                    let name = condition::plain_service(name);
                    node.of_machines |= name == "ec2.amazonaws.com" && !role.instance_profiles.is_empty();
                    self.add_trusting(name.into_owned(), index);
                }
                Entry::AnyService => {
                    let mut services: Vec<&str> = PASSING_WAYS.iter().map(|(name, _)| &**name).collect();
                    services.dedup();
                    services.into_iter().for_each(|name| self.add_trusting(name.to_owned(), index));
                }
                Entry::Service(_) => {}
            }
        }
        self.arns.insert(role.arn.clone(), index);
        self.nodes.push(node);
    }

    fn add_trusting(&mut self, service: String, role: usize) {
        let trusting = self.trusting.entry(service).or_default();
        if trusting.last() != Some(&role) {
            trusting.push(role);
        }
    }

    /// Finds the principals that roles ask for by conditions.
    fn find_asked(&mut self, asking: &[Asking]) {
        let mut known: HashMap<String, Vec<usize>> = HashMap::new();
        for Asking { named, conditions, role } in asking {
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
                    for arn in arns {
                        self.asking.entry(arn.clone()).or_default().push(role);
                    }
                }
            }
        }
    }

    fn add_edges(&mut self, index: usize, effective: &Effective, touches_iam: bool, engine: &Engine<'_>) {
        if matches!(effective.ceiling, Ceiling::Missing { .. }) {
            return;
        }
        let own = &self.nodes[index].arn;
        for target in self.naming.get(own).cloned().unwrap_or_default() {
            let arn = &self.nodes[target].arn;
            let denied = effective.decide("sts:AssumeRole", arn) == Decision::DeniedExplicitly;
            let asked = Asked::default();
            if !denied
                && self.may_say_so(effective, target)
                && effective.within_ceiling("sts:AssumeRole", arn, asked) == Decision::Allowed
            {
                self.edges[index].push((target, Via::Assume));
            }
        }
        let own = &self.nodes[index].arn;
        for target in self.asking.get(own).cloned().unwrap_or_default() {
            let open = self.decided(effective, target, Via::Assume) && self.may_say_so(effective, target);
            if target != index && open {
                self.edges[index].push((target, Via::Assume));
            }
        }
        let open = |name: &str| engine.catalogue.find(name).filter(|&id| may(effective, id));
        if let Some(assume) = open("sts:AssumeRole") {
            self.connect(index, effective, assume, Via::Assume);
            if self.moment == Some(Moment::WithMfa) && self.nodes[index].may_have_mfa {
                self.connect(index, effective, assume, Via::WithMfa);
            }
        }
        // An administrator has arrived; that roles go round is told by who assumes whom.
        if !touches_iam || self.nodes[index].admin {
            return;
        }
        if let Some(rewrite) = open("iam:UpdateAssumeRolePolicy") {
            self.connect(index, effective, rewrite, Via::Rewrite);
        }
        for (way, name) in KEYS.iter().enumerate() {
            if let Some(key) = open(name) {
                self.connect(index, effective, key, Via::Key(way));
            }
        }
        if open("iam:UpdateSAMLProvider").is_some() {
            let by_provider = self.rewritable_federations(effective).map(|role| (role, Via::Provider));
            let edges: Vec<_> = by_provider.filter(|&(role, _)| role != index).collect();
            self.edges[index].extend(edges);
        }
        if let Some(pass) = open("iam:PassRole") {
            for way in passable(effective, engine) {
                self.connect(index, effective, pass, Via::Pass(way));
            }
        }
    }

    /// Whether a principal may give the source identity that a role's trust asks for, where it asks for one.
    fn may_say_so(&self, effective: &Effective, role: usize) -> bool {
        let Node { arn, asks_identity, .. } = &self.nodes[role];
        !asks_identity || effective.decide("sts:SetSourceIdentity", arn) == Decision::Allowed
    }

    fn connect(&mut self, from: usize, effective: &Effective, action: ActionId, via: Via) {
        for target in self.targets(effective, action, via).iter() {
            let node = match target {
                Target::Role(role) if *role == from => continue,
                Target::Role(role) => *role,
                Target::Pattern(pattern) => self.pattern_node(via, pattern.clone()),
            };
            self.edges[from].push((node, via));
        }
    }

    fn pattern_node(&mut self, via: Via, pattern: String) -> usize {
        let key = (via.representative(), pattern);
        if let Some(&node) = self.patterns.get(&key) {
            return node;
        }
        let pattern = &key.1;
        let node = self.edges.len();
        let fitting = self.aimed_at(via, pattern).filter(|&node| self.admits(node, via));
        let edges = fitting.map(|node| (node, via)).collect();
        self.edges.push(edges);
        self.patterns.insert(key, node);
        node
    }

    /// What an open action reaches by way of `via`; worked out once for all who hold the same.
    pub fn targets(&self, effective: &Effective, action: ActionId, via: Via) -> Rc<[Target]> {
        let key = effective.serial.map(|serial| (serial, action, via.representative()));
        if let Some(known) = key.and_then(|key| self.reached.borrow().get(&key).cloned()) {
            return known;
        }
        let targets: Rc<[Target]> = self.find_targets(effective, action, via).into();
        if let Some(key) = key {
            self.reached.borrow_mut().insert(key, Rc::clone(&targets));
        }
        targets
    }

    fn find_targets(&self, effective: &Effective, action: ActionId, via: Via) -> Vec<Target> {
        let service = via.service();
        let names_action = |grant: &Grant| grant.actions.contains(action);
        let opens = |grant: &Grant| {
            names_action(grant) && condition::read(&grant.statement, service) == ConditionResult::Open
        };
        // By the tags of what is acted upon, which the dump has.
        let by_tags = Asked { service, tags: Tags::Settable, ..Asked::default() };
        let opens_by_tags = |grant: &Grant| {
            names_action(grant)
                && grant.statement.allow
                && condition::read(&grant.statement, by_tags) == ConditionResult::Open
        };
        let unlimited = match &effective.ceiling {
            Ceiling::None => true,
            Ceiling::Missing { .. } => return Vec::new(),
            Ceiling::Known { grants, .. } => {
                grants.iter().any(|g| g.statement.allow && g.unlimited.contains(action) && opens(g))
                    && !grants.iter().any(|g| !g.statement.allow && names_action(g))
            }
        };
        let by_role = matches!(via, Via::Pass(way) if stacks::is_conditional(effective, way));
        let exact = unlimited && !by_role && !effective.denies.iter().any(|deny| names_action(&deny.grant));
        let mut targets = Vec::new();
        let allowed = |&node: &usize| self.admits(node, via) && self.decided(effective, node, via);
        for grant in effective.allows.iter().map(|s| &s.grant).filter(|g| opens_by_tags(g)) {
            match &grant.statement.resources {
                Some(Selector::Only(patterns)) if exact && opens(grant) => {
                    targets.extend(patterns.iter().cloned().map(Target::Pattern))
                }
                Some(Selector::Only(patterns)) => {
                    let aimed = patterns.iter().flat_map(|p| self.aimed_at(via, p));
                    targets.extend(aimed.filter(allowed).map(Target::Role));
                }
                Some(Selector::Except(_)) => {
                    targets.extend((0..self.nodes.len()).filter(allowed).map(Target::Role));
                }
                None => {}
            }
        }
        targets
    }

    fn decided(&self, effective: &Effective, node: usize, via: Via) -> bool {
        let given = match via {
            Via::Pass(way) => stacks::may_be_given(effective, way, &self.nodes[node].arn),
            _ => true,
        };
        given && self.may_call(effective, via.action(), node, via.service())
    }

    /// Whether the other's own side lets somebody in who has the permission.
    fn admits(&self, index: usize, via: Via) -> bool {
        let node = &self.nodes[index];
        match via {
            Via::Assume => node.entries_account,
            Via::WithMfa => node.entries_mfa,
            Via::Rewrite => node.rewritable && index < self.roles,
            Via::Pass(way) => self
                .trusting
                .get(&PASSING_WAYS[way].0)
                .is_some_and(|roles| roles.binary_search(&index).is_ok()),
            Via::Key(_) => index >= self.roles,
            // Its resource is the provider; see `add_federated`.
            Via::Provider => false,
            // See `add_tagged`.
            Via::Tagged => false,
            // See `add_sessions`.
            Via::WithTags => false,
        }
    }

    /// The principals of the kind that a way leads to that an ARN pattern matches.
    fn aimed_at<'g>(&'g self, via: Via, pattern: &'g str) -> impl Iterator<Item = usize> + 'g {
        let sorted = if matches!(via, Via::Key(_)) { &self.sorted_users } else { &self.sorted };
        matching_in(sorted, pattern)
    }

    /// The roles, or the users, that an ARN pattern matches.
    pub(super) fn principals<'g>(&'g self, pattern: &'g str) -> impl Iterator<Item = usize> + 'g {
        matching_in(&self.sorted, pattern).chain(matching_in(&self.sorted_users, pattern))
    }

    /// The roles that trust a service.
    pub fn trusting(&self, service: &str) -> &[usize] {
        self.trusting.get(service).map_or(&[], Vec::as_slice)
    }

    /// Whether an ARN is a role of the account.
    pub fn has_role(&self, arn: &str) -> bool {
        self.arns.contains_key(arn)
    }

    /// The node of a user.
    pub fn node_of_user(&self, arn: &str) -> Option<usize> {
        let place = self.sorted_users.binary_search_by(|(known, _)| known.as_str().cmp(arn)).ok()?;
        Some(self.sorted_users[place].1)
    }

    /// Whether an ARN is no user of the account; never so when the data tells of no users at all.
    pub fn lacks_user(&self, arn: &str) -> bool {
        !self.users.is_empty() && !self.users.contains(arn)
    }

    /// Whether a role that can become an administrator trusts any service.
    pub fn service_reaches_admin(&self) -> Option<&str> {
        let mut all: Vec<usize> =
            self.trusting.values().flatten().copied().filter(|&role| self.reaches_admin(role)).collect();
        all.sort_unstable();
        all.first().map(|&role| self.nodes[role].arn.as_str())
    }

    /// A role besides `this` that machines may have and that leads to an administrator.
    pub fn machine_role_reaching_admin(&self, this: usize) -> Option<&str> {
        let mut nodes = self.nodes.iter().enumerate();
        let leads =
            |(index, node): &(usize, &Node)| *index != this && node.of_machines && self.reaches_admin(*index);
        nodes.find(leads).map(|(_, node)| node.arn.as_str())
    }

    /// Groups of two and more roles that can assume each other in a circle, by index.
    pub fn circles(&self) -> Vec<Vec<usize>> {
        super::circles::circles(self.edges.len(), |node| {
            self.edges[node].iter().filter(|(_, via)| *via == Via::Assume).map(|&(to, _)| to)
        })
        .into_iter()
        .map(|circle| circle.into_iter().filter(|&node| node < self.roles).collect::<Vec<_>>())
        .filter(|circle| circle.len() > 1)
        .collect()
    }
}

/// Whether any statement allows an action somewhere, perhaps under a condition.
fn may(effective: &Effective, action: ActionId) -> bool {
    effective.allowing(action).next().is_some()
}

/// The role of a session, by the `ROLE/SESSION` of its ARN.
fn role_of_session<'a>(engine: &Engine<'a>, session: &str) -> Option<&'a str> {
    let name = session.split('/').next()?;
    engine.account.roles.iter().find(|role| role.name == name).map(|role| role.arn.as_str())
}

/// The entries of a sorted list that a pattern matches.
pub(super) fn matching_in<'g>(
    sorted: &'g [(String, usize)],
    pattern: &'g str,
) -> impl Iterator<Item = usize> + 'g {
    let prefix = pattern::literal_prefix(pattern);
    let from = sorted.partition_point(|(arn, _)| arn.as_str() < prefix);
    sorted[from..]
        .iter()
        .take_while(move |(arn, _)| arn.starts_with(prefix))
        .filter(move |(arn, _)| pattern::matches(pattern, arn))
        .map(|&(_, index)| index)
}

/// The ways of passing a role whose actions a role has, one per service.
pub fn passable(effective: &Effective, engine: &Engine<'_>) -> Vec<usize> {
    let mut open: Vec<usize> = Vec::new();
    for (index, (service, way)) in PASSING_WAYS.iter().enumerate() {
        let is_known = |&known: &usize| PASSING_WAYS[known].0 == *service;
        if !open.iter().any(is_known) && ways::is_open(way, effective, engine.home()) {
            open.push(index);
        }
    }
    open
}
