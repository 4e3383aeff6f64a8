//! Which role can become which: by assuming it, by passing it to a service, by rewriting its trust.
//!
//! Linear in the size of the account: roles that share a pattern such as `role/app-*` share one node for it,
//! so that a thousand roles that may assume a thousand others are two thousand edges, not a million.

use std::collections::{HashMap, HashSet, VecDeque};

use super::account::{Role, name_of};
use super::escalate::PASSING_WAYS;
use super::evaluate::Engine;
use super::role_view::{Admin, RoleKind, RoleView};
use super::trust::{self, Entry};
use opsctl_iam::action_set::ActionId;
use opsctl_iam::condition::{self, ConditionResult};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;
use opsctl_iam::pattern;
use opsctl_iam::policy::Selector;

/// How one role becomes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// `sts:AssumeRole`
    Assume,
    /// `iam:PassRole` to a service, and what starts it; an index into the ways.
    Pass(usize),
    /// `iam:UpdateAssumeRolePolicy`, then `sts:AssumeRole`.
    Rewrite,
}

impl Via {
    /// The action whose resource is the other role.
    pub fn action(self) -> &'static str {
        match self {
            Self::Assume => "sts:AssumeRole",
            Self::Pass(_) => "iam:PassRole",
            Self::Rewrite => "iam:UpdateAssumeRolePolicy",
        }
    }

    /// The service that the role is passed to.
    pub fn service(self) -> Option<&'static str> {
        match self {
            Self::Pass(way) => Some(&PASSING_WAYS[way].0),
            _ => None,
        }
    }

    /// Ways of passing to one service reach the same roles: the first of them stands for all.
    fn representative(self) -> Self {
        match self {
            Self::Pass(way) => {
                let first = PASSING_WAYS.iter().position(|(service, _)| *service == PASSING_WAYS[way].0);
                Self::Pass(first.unwrap_or(way))
            }
            other => other,
        }
    }

    /// For a chain: `assumes`, `passes to lambda`.
    pub fn words(self) -> String {
        match self {
            Self::Assume => "assumes".into(),
            Self::Pass(way) => {
                format!("passes to {} ({})", PASSING_WAYS[way].1.service, PASSING_WAYS[way].1.name())
            }
            Self::Rewrite => "rewrites the trust of".into(),
        }
    }
}

/// What an action of a role is aimed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All roles that this pattern matches.
    Pattern(String),
    Role(usize),
}

/// The graph of an account's roles.
pub struct Graph {
    roles: Vec<Node>,
    arns: HashMap<String, usize>,
    sorted: Vec<(String, usize)>,
    trusting: HashMap<String, Vec<usize>>,
    /// Roles by the ARN that their trust names.
    naming: HashMap<String, Vec<usize>>,
    /// Roles by the ARN that fits their trust's condition on `aws:PrincipalArn`.
    asking: HashMap<String, Vec<usize>>,
    patterns: HashMap<(Via, String), usize>,
    /// Edges by node; the first nodes are the roles, the others patterns.
    edges: Vec<Vec<(usize, Via)>>,
    /// Steps to an administrator, and the next node on the way.
    way: Vec<Option<(u32, usize)>>,
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

struct Node {
    arn: String,
    entries_account: bool,
    admin: bool,
    rewritable: bool,
    /// In an instance profile, and trusted by EC2: machines may have it.
    of_machines: bool,
}

impl Graph {
    /// Works out who can become whom.
    pub fn build(engine: &Engine<'_>) -> Self {
        let account = engine.account;
        let mut graph = Self {
            roles: Vec::new(),
            arns: HashMap::new(),
            sorted: Vec::new(),
            trusting: HashMap::new(),
            naming: HashMap::new(),
            asking: HashMap::new(),
            patterns: HashMap::new(),
            edges: vec![Vec::new(); account.roles.len()],
            way: Vec::new(),
            admin_users: Vec::new(),
            users: account.users.iter().map(|user| user.arn.clone()).collect(),
        };
        let mut asking_wild = Vec::new();
        for (index, role) in account.roles.iter().enumerate() {
            graph.add_role(index, role, engine, &mut asking_wild);
        }
        graph.sorted = graph.arns.iter().map(|(arn, &index)| (arn.clone(), index)).collect();
        graph.sorted.sort();
        for (pattern, target) in asking_wild {
            for role in graph.matching(&pattern).collect::<Vec<_>>() {
                graph.asking.entry(account.roles[role].arn.clone()).or_default().push(target);
            }
        }
        let mut sources = Vec::new();
        for (index, role) in account.roles.iter().enumerate() {
            if RoleKind::of(role) == RoleKind::ServiceLinked {
                continue;
            }
            let view = RoleView::new(engine, role, index);
            graph.roles[index].admin = view.admin == Admin::Yes;
            if graph.roles[index].admin || view.rewrites_itself() {
                sources.push(index);
            }
            graph.add_edges(index, &view, engine);
        }
        for user in &account.users {
            if opsctl_iam::effective::is_admin(&engine.user(user).open, engine.catalogue) {
                graph.admin_users.push(user.arn.clone());
            }
        }
        graph.find_ways(sources);
        graph
    }

    fn add_role(
        &mut self,
        index: usize,
        role: &Role,
        engine: &Engine<'_>,
        asking_wild: &mut Vec<(String, usize)>,
    ) {
        let account = &engine.account.id;
        let kind = RoleKind::of(role);
        let mut node = Node {
            arn: role.arn.clone(),
            entries_account: false,
            admin: false,
            of_machines: false,
            // Service-linked roles and those of Identity Center cannot be edited.
            rewritable: !matches!(kind, RoleKind::ServiceLinked | RoleKind::IdentityCenter),
        };
        for entry in trust::entries(&trust::admissions(role, engine.now), account) {
            match entry {
                Entry::Account => node.entries_account = true,
                Entry::AccountIf(arns) => {
                    for arn in arns.into_iter().map(str::to_owned) {
                        match pattern::is_wild(&arn) {
                            true => asking_wild.push((arn, index)),
                            false => self.asking.entry(arn).or_default().push(index),
                        }
                    }
                }
                Entry::Named(arn) => self.naming.entry(arn.to_owned()).or_default().push(index),
                Entry::Service(name) if kind != RoleKind::ServiceLinked => {
                    node.of_machines |= name == "ec2.amazonaws.com" && !role.instance_profiles.is_empty();
                    self.trusting.entry(name.to_owned()).or_default().push(index);
                }
                Entry::Service(_) => {}
            }
        }
        self.arns.insert(role.arn.clone(), index);
        self.roles.push(node);
    }

    fn add_edges(&mut self, index: usize, view: &RoleView<'_>, engine: &Engine<'_>) {
        let effective = &view.effective;
        if matches!(effective.ceiling, Ceiling::Missing { .. }) {
            return;
        }
        for target in self.naming.get(&view.role.arn).cloned().unwrap_or_default() {
            let arn = &self.roles[target].arn;
            let denied = effective.decide("sts:AssumeRole", arn) == Decision::DeniedExplicitly;
            if !denied && effective.within_ceiling("sts:AssumeRole", arn, None) == Decision::Allowed {
                self.edges[index].push((target, Via::Assume));
            }
        }
        for target in self.asking.get(&view.role.arn).cloned().unwrap_or_default() {
            if target != index && self.decided(effective, target, Via::Assume) {
                self.edges[index].push((target, Via::Assume));
            }
        }
        let open = |name: &str| engine.catalogue.find(name).filter(|&id| effective.some.contains(id));
        if let Some(assume) = open("sts:AssumeRole") {
            self.connect(index, effective, assume, Via::Assume);
        }
        // An administrator has arrived; that roles go round is told by who assumes whom.
        if !view.touches_iam || view.admin == Admin::Yes {
            return;
        }
        if let Some(rewrite) = open("iam:UpdateAssumeRolePolicy") {
            self.connect(index, effective, rewrite, Via::Rewrite);
        }
        if let Some(pass) = engine.catalogue.find("iam:PassRole") {
            for way in passable(effective) {
                self.connect(index, effective, pass, Via::Pass(way));
            }
        }
    }

    fn connect(&mut self, from: usize, effective: &Effective, action: ActionId, via: Via) {
        for target in self.targets(effective, action, via) {
            let node = match target {
                Target::Role(role) if role == from => continue,
                Target::Role(role) => role,
                Target::Pattern(pattern) => self.pattern_node(via, pattern),
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
        let roles =
            self.matching(pattern).filter(|&role| self.admits(role, via)).map(|role| (role, via)).collect();
        self.edges.push(roles);
        self.patterns.insert(key, node);
        node
    }

    /// What an open action reaches by way of `via`.
    pub fn targets(&self, effective: &Effective, action: ActionId, via: Via) -> Vec<Target> {
        let service = via.service();
        let names_action = |grant: &Grant| grant.actions.contains(action);
        let opens = |grant: &Grant| {
            names_action(grant) && condition::read(&grant.statement, service) == ConditionResult::Open
        };
        let unlimited = match &effective.ceiling {
            Ceiling::None => true,
            Ceiling::Missing { .. } => return Vec::new(),
            Ceiling::Known { grants, .. } => {
                grants.iter().any(|g| g.statement.allow && g.unlimited.contains(action) && opens(g))
                    && !grants.iter().any(|g| !g.statement.allow && names_action(g))
            }
        };
        let exact = unlimited && !effective.denies.iter().any(|deny| names_action(&deny.grant));
        let mut targets = Vec::new();
        for grant in effective.allows.iter().map(|s| &s.grant).filter(|g| opens(g)) {
            match &grant.statement.resources {
                Some(Selector::Only(patterns)) if exact => {
                    targets.extend(patterns.iter().cloned().map(Target::Pattern))
                }
                Some(Selector::Only(patterns)) => {
                    let allowed =
                        |&role: &usize| self.admits(role, via) && self.decided(effective, role, via);
                    targets.extend(
                        patterns.iter().flat_map(|p| self.matching(p)).filter(allowed).map(Target::Role),
                    );
                }
                Some(Selector::Except(_)) => {
                    let allowed =
                        |&role: &usize| self.admits(role, via) && self.decided(effective, role, via);
                    targets.extend((0..self.roles.len()).filter(allowed).map(Target::Role));
                }
                None => {}
            }
        }
        targets
    }

    fn decided(&self, effective: &Effective, role: usize, via: Via) -> bool {
        effective.decide_for(via.action(), &self.roles[role].arn, via.service()) == Decision::Allowed
    }

    /// Whether the role's own side lets somebody in who has the permission.
    fn admits(&self, role: usize, via: Via) -> bool {
        let node = &self.roles[role];
        match via {
            Via::Assume => node.entries_account,
            Via::Rewrite => node.rewritable,
            Via::Pass(way) => self
                .trusting
                .get(&PASSING_WAYS[way].0)
                .is_some_and(|roles| roles.binary_search(&role).is_ok()),
        }
    }

    /// The roles that an ARN pattern matches.
    pub fn matching<'g>(&'g self, pattern: &'g str) -> impl Iterator<Item = usize> + 'g {
        let prefix = pattern::literal_prefix(pattern);
        let from = self.sorted.partition_point(|(arn, _)| arn.as_str() < prefix);
        self.sorted[from..]
            .iter()
            .take_while(move |(arn, _)| arn.starts_with(prefix))
            .filter(move |(arn, _)| pattern::matches(pattern, arn))
            .map(|&(_, index)| index)
    }

    /// Breadth-first from the administrators backwards: the shortest way of each role to one of them.
    fn find_ways(&mut self, sources: Vec<usize>) {
        let mut back: Vec<Vec<usize>> = vec![Vec::new(); self.edges.len()];
        for (from, edges) in self.edges.iter().enumerate() {
            edges.iter().for_each(|&(to, _)| back[to].push(from));
        }
        self.way = vec![None; self.edges.len()];
        let mut queue: VecDeque<usize> = sources.iter().copied().collect();
        sources.iter().for_each(|&role| self.way[role] = Some((0, role)));
        while let Some(node) = queue.pop_front() {
            let steps = self.way[node].map_or(0, |(steps, _)| steps);
            for &from in &back[node] {
                if self.way[from].is_none() {
                    self.way[from] = Some((steps + 1, node));
                    queue.push_back(from);
                }
            }
        }
    }

    /// Whether a role is, or can make itself, or can become an administrator.
    pub fn reaches_admin(&self, role: usize) -> bool {
        self.way.get(role).is_some_and(Option::is_some)
    }

    /// The chain from a role to an administrator, as words; empty when the role is one itself.
    pub fn chain(&self, role: usize) -> Option<String> {
        let mut words = String::new();
        let mut node = role;
        while let Some((steps, next)) = self.way.get(node).copied().flatten()
            && steps > 0
        {
            if let Some(&(_, via)) = self.edges[node].iter().find(|&&(to, _)| to == next)
                && node < self.roles.len()
            {
                words.push_str(&format!(" {} ", via.words()));
            }
            if let Some(reached) = self.roles.get(next) {
                words.push_str(name_of(&reached.arn));
                words.push(',');
            }
            node = next;
        }
        (!words.is_empty()).then(|| format!("the role{}", words.trim_end_matches(',')))
    }

    /// Of the roles that an action reaches, whether there is any, and one that leads to an administrator.
    pub fn judge(
        &self,
        effective: &Effective,
        action: ActionId,
        via: Via,
        this: usize,
    ) -> (bool, Option<&str>) {
        let mut any = false;
        for target in self.targets(effective, action, via) {
            let node = match target {
                Target::Role(role) => Some(role),
                Target::Pattern(pattern) => self.patterns.get(&(via.representative(), pattern)).copied(),
            };
            let Some(node) = node else { continue };
            any |= node < self.roles.len() || !self.edges[node].is_empty();
            if node != this
                && let Some((_, next)) = self.way[node]
            {
                let role = if node < self.roles.len() { node } else { next };
                if role != this {
                    return (true, self.roles.get(role).map(|node| node.arn.as_str()));
                }
            }
        }
        (any, None)
    }

    /// What passing a role by a way reaches: whether any role may be passed, and one that leads to an
    /// administrator.
    pub fn passes(&self, view: &RoleView<'_>, pass: ActionId, way: usize) -> Passing<'_> {
        let via = Via::Pass(way);
        let service = via.service();
        let gives = |grant: &Grant| grant.unlimited.contains(pass);
        let read = |grant: &Grant| condition::read(&grant.statement, service);
        let within = match &view.effective.ceiling {
            Ceiling::None => true,
            Ceiling::Missing { .. } => false,
            Ceiling::Known { grants, .. } => {
                grants.iter().any(|g| g.statement.allow && gives(g) && read(g) == ConditionResult::Open)
            }
        };
        let denied = view.effective.denies.iter().any(|deny| {
            let always = deny
                .grant
                .statement
                .conditions
                .iter()
                .all(|c| c.key.eq_ignore_ascii_case("iam:PassedToService"));
            gives(&deny.grant) && always && read(&deny.grant) != ConditionResult::Never
        });
        let allows =
            || view.effective.allows.iter().map(|s| &s.grant).filter(|g| gives(g) && within && !denied);
        let unlimited = allows().any(|g| read(g) == ConditionResult::Open);
        let at_times = !unlimited
            && allows().any(|g| {
                read(g) == ConditionResult::Held && condition::is_circumstance_but_service(&g.statement)
            });
        let (_, admin) = self.judge(&view.effective, pass, via, view.index);
        Passing { unlimited: unlimited || at_times, at_times: at_times && admin.is_none(), admin }
    }

    /// The ARNs of the roles that a role can assume now.
    pub fn assumable(&self, role: usize) -> Vec<&str> {
        let mut arns = Vec::new();
        for &(to, via) in self.edges[role].iter().filter(|(_, via)| *via == Via::Assume) {
            if let Some(node) = self.roles.get(to) {
                arns.push(node.arn.as_str());
            } else {
                arns.extend(
                    self.edges[to]
                        .iter()
                        .filter(|(_, v)| *v == via)
                        .map(|&(role, _)| self.roles[role].arn.as_str()),
                );
            }
        }
        arns
    }

    /// The roles that trust a service.
    pub fn trusting(&self, service: &str) -> &[usize] {
        self.trusting.get(service).map_or(&[], Vec::as_slice)
    }

    /// Whether an ARN is a role of the account.
    pub fn has_role(&self, arn: &str) -> bool {
        self.arns.contains_key(arn)
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
        all.first().map(|&role| self.roles[role].arn.as_str())
    }

    /// A role besides `this` that machines may have and that leads to an administrator.
    pub fn machine_role_reaching_admin(&self, this: usize) -> Option<&str> {
        let mut nodes = self.roles.iter().enumerate();
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
        .map(|circle| circle.into_iter().filter(|&node| node < self.roles.len()).collect::<Vec<_>>())
        .filter(|circle| circle.len() > 1)
        .collect()
    }
}

/// The ways of passing a role whose actions a role has, one per service.
pub fn passable(effective: &Effective) -> Vec<usize> {
    let mut ways: Vec<usize> = Vec::new();
    for (index, (service, way)) in PASSING_WAYS.iter().enumerate() {
        if way.is_open(&effective.some) && ways.iter().all(|&known| PASSING_WAYS[known].0 != *service) {
            ways.push(index);
        }
    }
    ways
}
