//! Which principal can become which: by assuming a role, by passing it to a service, by rewriting its trust,
//! by making a key of a user.
//!
//! Linear in the size of the account: roles that share a pattern such as `role/app-*` share one node for it,
//! so that a thousand roles that may assume a thousand others are two thousand edges, not a million.

mod again;
mod alike;
mod changed;
mod find;
mod made;
mod make;
mod moments;
mod moved;
mod sessions;
mod stacks;
mod tags;
mod takeover;
mod via;
mod walk;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::account::Account;
use super::escalate::PASSING_WAYS;
use super::evaluate::Engine;
use super::node::{Asking, Node};
use super::own_tags;
use super::said;
use super::ways;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::catalogue::AccountRef;
use opsctl_iam::condition::{self, Asked, Bound, ConditionResult, Tags};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;
use opsctl_iam::moment::Moment;
use opsctl_iam::pattern;
use opsctl_iam::policy::Selector;

pub use takeover::Takeover;
pub use via::{KEYS, PROVIDER, Via};

/// What an action of a role is aimed at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// All roles that this pattern matches.
    Pattern(String),
    Role(usize),
}

impl Target {
    fn role(&self) -> Option<usize> {
        match self {
            Self::Role(role) => Some(*role),
            Self::Pattern(_) => None,
        }
    }
}

/// What a principal holds, the call, and the way.
type Question = (u32, ActionId, Via);

/// The graph of an account's roles and users.
#[derive(Clone)]
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
    /// The roles that let in everybody, the node that leads to them, and roles by the ARN of who meets the
    /// conditions under which they do.
    open: Vec<usize>,
    everybody: Option<usize>,
    open_to: HashMap<String, Vec<usize>>,
    /// Roles by the ARN of who meets the conditions of their trust in the account.
    asking: HashMap<String, Vec<usize>>,
    /// Roles by the SAML provider that they trust.
    federated: HashMap<String, Vec<usize>>,
    /// The SAML providers that there are, where the data tells.
    providers: Option<BTreeSet<String>>,
    patterns: HashMap<(Via, String), usize>,
    /// The nodes that stand for tagged sessions of a role.
    sessions: HashMap<usize, usize>,
    /// Those that stand for principals after calls about themselves.
    changed: BTreeMap<usize, changed::Changed>,
    /// The calls that make somebody whom a role lets in, by who makes them and the role.
    made: HashMap<(usize, usize), String>,
    groups: OnceCell<Vec<changed::Kind>>,
    /// See [`Graph::targets_by_might`].
    might: OnceCell<own_tags::Targets>,
    /// See [`Graph::targets`].
    reached: RefCell<HashMap<Question, Rc<[Target]>>>,
    alike: alike::Alike,
    /// See [`Graph::kinds`].
    kinds: OnceCell<Vec<usize>>,
    /// Edges by node; the first nodes are the principals, the others patterns.
    edges: Vec<Vec<(usize, Via)>>,
    /// Steps to an administrator, and the next node on the way.
    way: Vec<Option<(u32, usize)>>,
    /// The partition and the id of the account.
    home: (String, String),
    /// What principals become administrators by, though none is there yet.
    takeovers: HashMap<usize, Takeover>,
    /// The moment that it is of; `None`: what is so at all times.
    pub moment: Option<Moment>,
    /// The moments at which more may be, by what conditions it met while it was made, and the principals and
    /// the roles' trust that have them.
    waiting: Vec<Moment>,
    waiters: Vec<usize>,
    guarded: Vec<usize>,
    /// The principals that may assume some role.
    assuming: Vec<usize>,
    /// The principals that are administrators or can make themselves one.
    arrived: Vec<usize>,
    /// The principals that may change somebody's rights.
    writers: Vec<(usize, Rc<Effective>)>,
    /// The roles that ask for tags of who comes, and those that ask for a name.
    tag_askers: Vec<Asking>,
    name_askers: Vec<Asking>,
    names: moved::Names,
    /// The nodes of sessions that are administrators'.
    admin_sessions: Vec<usize>,
    /// The roles whose tagged sessions were looked at.
    taggable: Vec<usize>,
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
            open: Vec::new(),
            everybody: None,
            open_to: HashMap::new(),
            asking: HashMap::new(),
            federated: HashMap::new(),
            providers: account.saml_providers.clone(),
            patterns: HashMap::new(),
            sessions: HashMap::new(),
            changed: BTreeMap::new(),
            made: HashMap::new(),
            groups: OnceCell::new(),
            might: OnceCell::new(),
            reached: RefCell::default(),
            alike: alike::Alike::default(),
            kinds: OnceCell::new(),
            edges: vec![Vec::new(); account.roles.len() + account.users.len()],
            way: Vec::new(),
            home: (account.partition().to_owned(), account.id.clone()),
            takeovers: HashMap::new(),
            moment: None,
            waiting: Vec::new(),
            waiters: Vec::new(),
            guarded: Vec::new(),
            assuming: Vec::new(),
            arrived: Vec::new(),
            writers: Vec::new(),
            tag_askers: Vec::new(),
            name_askers: Vec::new(),
            names: moved::Names::of(account),
            admin_sessions: Vec::new(),
            taggable: Vec::new(),
            admin_users: Vec::new(),
            users: account.users.iter().map(|user| user.arn.clone()).collect(),
        }
    }

    fn add_edges(&mut self, index: usize, effective: &Effective, touches_iam: bool, engine: &Engine<'_>) {
        if matches!(effective.ceiling, Ceiling::Missing { .. }) {
            return;
        }
        let own = &self.nodes[index].arn;
        for target in self.naming.get(own).cloned().unwrap_or_default() {
            if target != index && self.comes_by_name(effective, index, target) {
                self.edges[index].push((target, Via::Assume));
            }
        }
        let own = &self.nodes[index].arn;
        let open_to = self.open_to.get(own).cloned().unwrap_or_default();
        let is_denied = self.everybody.is_some() && may_be_denied(effective);
        let also = if is_denied { self.open.clone() } else { Vec::new() };
        for target in open_to.into_iter().chain(also) {
            if target != index && self.comes_as_anyone(effective, target) {
                self.edges[index].push((target, Via::Assume));
            }
        }
        self.edges[index].extend(self.everybody.filter(|_| !is_denied).map(|node| (node, Via::Assume)));
        let own = &self.nodes[index].arn;
        for target in self.asking.get(own).cloned().unwrap_or_default() {
            let open = self.decided(effective, target, Via::Assume) && self.may_say_so(effective, target);
            if target != index && open {
                self.edges[index].push((target, Via::Assume));
            }
        }
        let open = |name: &str| engine.catalogue.find(name).filter(|&id| may(effective, id));
        if let Some(assume) = open("sts:AssumeRole") {
            self.assuming.push(index);
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
        if PROVIDER.iter().flat_map(|calls| calls.iter()).any(|name| open(name).is_some()) {
            let by_provider = self.rewritable_federations(effective);
            let edges: Vec<_> = by_provider.filter(|&(role, _)| role != index).collect();
            self.edges[index].extend(edges);
        }
        if let Some(pass) = open("iam:PassRole") {
            for way in passable(effective, engine) {
                self.connect(index, effective, pass, Via::Pass(way));
            }
        }
    }

    /// Whether a principal that a role's trust names comes in, without a policy of its own: nothing denies
    /// it. What the boundary of a role leaves out it still may not; that of a user does not matter.
    /// docs/aws/iam.md#principals-by-condition
    fn comes_by_name(&self, effective: &Effective, from: usize, role: usize) -> bool {
        let arn = &self.nodes[role].arn;
        let within = |decision| match from < self.roles {
            true => decision == Decision::Allowed,
            false => decision != Decision::DeniedExplicitly,
        };
        effective.decide("sts:AssumeRole", arn) != Decision::DeniedExplicitly
            && self.may_say_so(effective, role)
            && within(effective.within_ceiling("sts:AssumeRole", arn, Asked::default()))
    }

    /// Whether a principal comes in where everybody does who is as asked: nothing denies it.
    fn comes_as_anyone(&self, effective: &Effective, role: usize) -> bool {
        let arn = &self.nodes[role].arn;
        let within = effective.within_ceiling("sts:AssumeRole", arn, Asked::default());
        effective.decide("sts:AssumeRole", arn) != Decision::DeniedExplicitly
            && within != Decision::DeniedExplicitly
            && self.may_say_so(effective, role)
    }

    /// Whether a principal that meets what a role's trust asks comes in.
    fn comes(&self, effective: &Effective, from: usize, asked: &Asking) -> bool {
        match &asked.named {
            Some(named) => *named == self.nodes[from].arn && self.comes_by_name(effective, from, asked.role),
            None if asked.anyone => self.comes_as_anyone(effective, asked.role),
            None => self.decided(effective, asked.role, Via::Assume),
        }
    }

    /// Whether a principal may say what a role's trust asks to be said: a source identity, tags.
    fn may_say_so(&self, effective: &Effective, role: usize) -> bool {
        let Node { arn, asked_to, said, .. } = &self.nodes[role];
        asked_to.iter().all(|action| effective.decide(action, arn) == Decision::Allowed)
            && said.fits(effective, arn, false)
    }

    fn connect(&mut self, from: usize, effective: &Effective, action: ActionId, via: Via) {
        let targets = self.targets(effective, action, via);
        for target in targets.iter() {
            if let Target::Pattern(pattern) = target {
                let node = self.pattern_node(via, pattern.clone());
                self.edges[from].push((node, via));
            }
        }
        self.connect_all(from, &targets, via);
    }

    fn pattern_node(&mut self, via: Via, pattern: String) -> usize {
        let key = (via.representative(), pattern);
        if let Some(&node) = self.patterns.get(&key) {
            return node;
        }
        let pattern = &key.1;
        let node = self.edges.len();
        // Those that ask more of the caller are decided caller by caller.
        let asks = |node: usize| via.service().is_some_and(|of| self.nodes[node].sources_of(of).is_some());
        let fitting = self.aimed_at(via, pattern).filter(|&node| self.admits(node, via) && !asks(node));
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
        let targets = self.targets_alike(effective, action, via);
        if let Some(key) = key {
            self.reached.borrow_mut().insert(key, Rc::clone(&targets));
        }
        targets
    }

    fn find_targets(&self, effective: &Effective, action: ActionId, via: Via) -> Vec<Target> {
        let service = via.service();
        let names_action = |grant: &Grant| grant.actions.contains(action);
        // What asks for tags of what is acted upon is open to some, in whatever way it asks.
        let opens = |grant: &Grant| {
            names_action(grant)
                && condition::read(&grant.statement, service) == ConditionResult::Open
                && !grant.statement.conditions.iter().any(condition::is_on_resource_tag)
        };
        // By the tags and the boundary of what is acted upon, which the dump has.
        let boundary = Bound::of_any(via.action());
        let by_tags = Asked { service, tags: Tags::Settable, boundary, ..Asked::default() };
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
        let is_denied = || effective.denies.iter().any(|deny| names_action(&deny.grant));
        let exact = unlimited && !is_told_apart(effective, via) && !is_denied();
        let (mut targets, ask) = (Vec::new(), self.asker(effective, via));
        let giving = stacks::Giving::of(effective, via, self.home());
        let runs = |node| !matches!(via, Via::Pass(way) if !self.runs(effective, way, node));
        let allowed = |&node: &usize| {
            self.admits(node, via) && giving.gives(&self.nodes[node]) && runs(node) && ask(node)
        };
        for grant in effective.allows.iter().map(|s| &s.grant).filter(|g| opens_by_tags(g)) {
            match &grant.statement.resources {
                Some(Selector::Only(patterns)) if exact && opens(grant) => {
                    targets.extend(patterns.iter().cloned().map(Target::Pattern));
                    let asking = via.service().map_or(&[][..], |of| self.trusting(of)).iter();
                    let asking = asking.filter(|&&node| {
                        via.service().is_some_and(|of| self.nodes[node].sources_of(of).is_some())
                            && patterns.iter().any(|p| pattern::matches(p, &self.nodes[node].arn))
                    });
                    targets.extend(asking.copied().filter(allowed).map(Target::Role));
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
        let moved = self.movable(effective, via, &targets);
        targets.extend(moved.into_iter().filter(|node| ask(*node)).map(Target::Role));
        targets
    }

    fn decided(&self, effective: &Effective, node: usize, via: Via) -> bool {
        self.is_given(effective, node, via) && self.may_call(effective, via.action(), node, via.service())
    }

    /// Whether the service that a role is passed to can be given this one.
    fn is_given(&self, effective: &Effective, node: usize, via: Via) -> bool {
        let Via::Pass(way) = via else { return true };
        stacks::Giving::of(effective, via, self.home()).gives(&self.nodes[node])
            && self.runs(effective, way, node)
    }

    /// The account, as ARNs name it.
    pub(super) fn home(&self) -> AccountRef<'_> {
        AccountRef { partition: &self.home.0, account: &self.home.1 }
    }

    /// Whether somebody can make, or change, what the service must act for that a role trusts.
    fn runs(&self, effective: &Effective, way: usize, node: usize) -> bool {
        let service = &PASSING_WAYS[way].0;
        let Some(sources) = self.nodes[node].sources_of(service) else { return true };
        let home = self.home();
        let ways = PASSING_WAYS.iter().filter(|(of, _)| of == service).map(|(_, way)| way);
        let mut open = ways.filter(|way| ways::is_open(way, effective, home));
        open.any(|way| ways::makes(way, effective, home, sources))
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
            Via::Provider(_) => false,
            // See `add_tagged`.
            Via::Tagged => false,
            // See `add_renamed`.
            Via::Renamed => false,
            // See `add_made`.
            Via::Made(_) => false,
            // See `add_sessions`.
            Via::WithTags => false,
            // See `add_changed`.
            Via::Change => false,
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
            self.trusting.values().flatten().copied().filter(|&role| self.is_mighty(role)).collect();
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

    /// A role by its ARN, if machines may have it.
    pub fn machine_role(&self, arn: &str) -> Option<&str> {
        self.nodes.iter().find(|node| node.of_machines && node.arn == arn).map(|node| node.arn.as_str())
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

/// Whether roles are told apart by more than their names: which one a service is given, or what callers are
/// to say.
fn is_told_apart(effective: &Effective, via: Via) -> bool {
    match via {
        Via::Pass(way) => stacks::is_conditional(effective, way),
        _ => via.action() == "sts:AssumeRole" && said::is_asked_of(effective),
    }
}

/// Whether a statement may deny the assuming of some role.
fn may_be_denied(effective: &Effective) -> bool {
    let limits: &[Grant] = match &effective.ceiling {
        Ceiling::Known { grants, .. } => grants,
        _ => &[],
    };
    let denies = effective.denies.iter().map(|s| &s.grant);
    denies.chain(limits.iter().filter(|g| !g.statement.allow)).any(|g| g.names("sts:AssumeRole"))
}

/// Whether any statement allows an action somewhere, perhaps under a condition.
fn may(effective: &Effective, action: ActionId) -> bool {
    effective.allowing(action).next().is_some()
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
