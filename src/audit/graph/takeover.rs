//! Becoming what one can rewrite: a principal that may give another any rights and then become it, or make a
//! new one, is an administrator, though nobody in the account is one yet.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate>

mod bounded;
mod new;
mod together;
mod writer;

use std::cell::{LazyCell, OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::walk::Reach;
use super::{Graph, matching_in};
use crate::audit::account::{Attachment, is_aws_owned};
use crate::audit::evaluate::Engine;
use crate::audit::loosen::{Held, Loosened};
use opsctl_iam::action_set::ActionSet;
use opsctl_iam::catalogue::KnownActions;
use opsctl_iam::effective::{Ceiling, Effective, is_admin};
use writer::Writer;

/// Calls that end with an administrator, or that make one of somebody else.
#[derive(Clone, Debug)]
pub struct Takeover {
    /// In order; each with what it is about.
    pub calls: Vec<String>,
    /// Whether the caller ends as the administrator. If not, whoever is `of` does.
    pub becomes_admin: bool,
    /// The ARN of the principal that is rewritten; empty when it is made.
    pub of: String,
    /// Whether it rests on something that the data does not have, such as what a group may do.
    pub depends: bool,
    /// The node of another whom the caller becomes to make them.
    pub by: Option<usize>,
}

pub(super) use bounded::boundaries_of_new;
pub(super) use new::{is_of_aws, joined, named_here, names_written};
pub use together::find as find_together;

impl Takeover {
    /// `A, then B, then C`
    pub fn in_order(&self) -> String {
        self.calls.join(", then ")
    }

    /// The actions of the calls that are known by their action.
    pub fn actions(&self) -> Vec<&str> {
        self.calls.iter().filter_map(|call| call.split(' ').next()).collect()
    }

    /// Whether it is a user who is given rights.
    pub fn is_of_user(&self) -> bool {
        self.of.contains(":user/")
    }
}

/// What changes the rights of a principal, or makes one.
const WRITING: &[&str] = &[
    "iam:PutRolePolicy",
    "iam:AttachRolePolicy",
    "iam:CreatePolicyVersion",
    "iam:SetDefaultPolicyVersion",
    "iam:PutUserPolicy",
    "iam:AttachUserPolicy",
    "iam:PutGroupPolicy",
    "iam:AttachGroupPolicy",
    "iam:AddUserToGroup",
    "iam:CreateRole",
    "iam:CreateUser",
    "iam:DeleteRolePermissionsBoundary",
    "iam:PutRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutUserPermissionsBoundary",
    "iam:DeleteUserPolicy",
    "iam:DetachUserPolicy",
    "iam:DeleteGroupPolicy",
    "iam:DetachGroupPolicy",
    "iam:RemoveUserFromGroup",
];

static WRITES: KnownActions = KnownActions::new(WRITING);

/// Whether any statement lets a principal change somebody's rights; most have none.
pub fn may_write(effective: &Effective) -> bool {
    let allows = || effective.allows.iter().map(|s| &s.grant.actions);
    !matches!(effective.ceiling, Ceiling::Missing { .. }) && allows().any(|actions| WRITES.any_in(actions))
}

/// What the writers among the principals can take over, by node.
pub fn find(
    graph: &Graph,
    engine: &Engine<'_>,
    writers: &[(usize, Rc<Effective>)],
    is_asked: impl Fn(usize) -> bool,
) -> HashMap<usize, Takeover> {
    let changed: BTreeSet<usize> =
        graph.changed.values().map(|changed| changed.of).filter(|&node| is_asked(node)).collect();
    if writers.is_empty() && changed.is_empty() {
        return HashMap::new();
    }
    let finder = Finder::new(graph, engine);
    let found =
        writers.iter().filter_map(|(node, effective)| Some((*node, finder.shared(*node, effective)?)));
    let mut found: HashMap<usize, Takeover> = found.collect();
    for node in changed {
        if found.get(&node).is_none_or(|takeover| !takeover.becomes_admin)
            && let Some(takeover) = finder.after_change(node)
        {
            found.insert(node, takeover);
        }
    }
    found
}

/// Calls that write any rights, and whether that rests on something that the data does not have.
struct Written {
    calls: Vec<String>,
    depends: bool,
}

/// What a writer, by its node, takes over.
type Taken = (usize, Option<Takeover>);

/// What is looked up for every writer.
struct Finder<'g> {
    graph: &'g Graph,
    engine: &'g Engine<'g>,
    /// The principals that hold a customer's policy, and the members of a group, by its ARN.
    holders: Vec<(String, usize)>,
    members: Vec<(String, usize)>,
    /// The principals by the policy that bounds them.
    bounded: Vec<(String, usize)>,
    /// ARNs of the groups whose members are administrators.
    admin_groups: Vec<&'g str>,
    /// The boundaries that there are, and that there is none; the place of its own, by node.
    boundaries: Vec<Option<&'g str>>,
    bound_by: Vec<usize>,
    /// Whether a principal could be one, by node; for those that were asked about.
    admins: Vec<OnceCell<bool>>,
    /// Whether a principal would have a way if nothing held it back, by node; for the same.
    would_go_on: Vec<OnceCell<bool>>,
    /// What was found for the first writers of those who hold the same.
    found: RefCell<HashMap<u32, Vec<Taken>>>,
    writers: RefCell<HashMap<u32, Rc<Writer>>>,
    /// The principals that the patterns of writers match.
    matched: RefCell<HashMap<Patterns, Rc<[usize]>>>,
}

/// Patterns of writers, each with what it names.
type Patterns = Vec<(Kind, String)>;

/// What a pattern names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Principal,
    /// A policy, for those who hold it.
    Policy,
    /// A group, for its members.
    Group,
}

impl<'g> Finder<'g> {
    fn new(graph: &'g Graph, engine: &'g Engine<'g>) -> Self {
        let account = engine.account;
        let of = |attached: &'g [Attachment], node: usize| {
            attached.iter().filter(|p| !is_aws_owned(&p.arn)).map(move |p| (p.arn.clone(), node))
        };
        let roles = account.roles.iter().enumerate().flat_map(|(node, role)| of(&role.attached, node));
        let mut holders: Vec<_> = roles.collect();
        let mut members = Vec::new();
        for (place, user) in account.users.iter().enumerate() {
            let node = graph.role_count() + place;
            holders.extend(of(&user.attached, node));
            for group in engine.groups_of(user).into_iter().map(|place| &account.groups[place]) {
                holders.extend(of(&group.attached, node));
                members.push((group.arn.clone(), node));
            }
        }
        let bounds = || graph.nodes.iter().map(|node| node.boundary.as_deref());
        let bounded = bounds().enumerate();
        let mut bounded: Vec<_> = bounded.filter_map(|(n, arn)| Some((arn?.to_owned(), n))).collect();
        [&mut holders, &mut members, &mut bounded].into_iter().for_each(|list| list.sort());
        let mut boundaries: Vec<_> = bounds().chain([None]).collect();
        boundaries.sort_unstable();
        boundaries.dedup();
        let bound_by = bounds().map(|bound| boundaries.partition_point(|known| *known < bound)).collect();
        let admin = |place: &usize| is_admin(&engine.group_at(*place).open, engine.catalogue);
        let admin_groups = (0..account.groups.len()).filter(admin);
        Self {
            graph,
            engine,
            holders,
            members,
            bounded,
            admin_groups: admin_groups.map(|place| account.groups[place].arn.as_str()).collect(),
            boundaries,
            bound_by,
            admins: vec![OnceCell::new(); graph.nodes.len()],
            would_go_on: vec![OnceCell::new(); graph.nodes.len()],
            found: RefCell::default(),
            writers: RefCell::default(),
            matched: RefCell::default(),
        }
    }

    /// What a writer takes over; of others, from what was found for those who hold the same and can become
    /// the same. Each leaves itself out, so that one who finds nothing says nothing of itself: two say it of
    /// all.
    fn shared(&self, from: usize, effective: &Rc<Effective>) -> Option<Takeover> {
        let writer = self.writer(effective);
        if let Some(own) = self.own(from, &writer).or_else(|| self.bounded_first(from, effective)) {
            return Some(own);
        }
        let own = self.graph.arn(from);
        let is_of_itself =
            |found: &Takeover| found.of == own || found.calls.iter().any(|call| call.contains(own));
        if let Some(known) = effective.serial.and_then(|serial| self.found.borrow().get(&serial).cloned()) {
            let alike = || known.iter().filter(|(node, _)| self.graph.has_same_edges(*node, from));
            let found = alike().find_map(|(_, found)| found.as_ref()).filter(|found| !is_of_itself(found));
            if found.is_some() || alike().filter(|(_, found)| found.is_none()).count() > 1 {
                return found.cloned();
            }
        }
        let reach = LazyCell::new(|| self.graph.within_reach(from));
        let found = self.of_others(from, &writer, &reach);
        if let Some(serial) = effective.serial {
            self.found.borrow_mut().entry(serial).or_default().push((from, found.clone()));
        }
        found
    }

    /// What a user makes of itself. What a role writes of its own is IAM201; a user has nothing else that
    /// says so.
    fn own(&self, from: usize, writer: &Writer) -> Option<Takeover> {
        let own = (from >= self.graph.role_count()).then(|| self.changed(writer, from)).flatten();
        let own = own.filter(|takeover| !takeover.depends);
        own.map(|takeover| Takeover { becomes_admin: true, ..takeover })
    }

    /// Whom a writer becomes, or makes an administrator, by rewriting others or as somebody new.
    fn of_others(
        &self,
        from: usize,
        writer: &Writer,
        reach: &LazyCell<Reach, impl FnOnce() -> Reach>,
    ) -> Option<Takeover> {
        if writer.changes(false) || writer.changes(true) {
            for &node in &reach.nodes {
                if let Some(mut takeover) = self.changed(writer, node) {
                    takeover.calls.extend(reach.calls(self.graph, node));
                    takeover.becomes_admin = !takeover.depends;
                    return Some(takeover);
                }
            }
        }
        let new = writer.new.get_or_init(|| self.make_new(writer)).clone();
        new.or_else(|| self.writable(from, writer))
    }

    /// As [`Self::shared`], of one who first changes what it may do itself.
    fn after_change(&self, node: usize) -> Option<Takeover> {
        let reach = LazyCell::new(|| self.graph.within_reach(node));
        let ways = self.graph.edges[node].iter().filter_map(|(to, _)| self.graph.changed.get(to));
        ways.into_iter().find_map(|changed| {
            let writer = self.writer(&changed.effective);
            let own = || self.rewrite(&writer, node).filter(|takeover| !takeover.depends);
            let own = own().map(|takeover| Takeover { becomes_admin: true, ..takeover });
            let others = || self.own(node, &writer).or_else(|| self.of_others(node, &writer, &reach));
            let mut takeover = own.or_else(others)?;
            takeover.calls.retain(|call| !changed.calls.contains(call));
            takeover.calls.splice(0..0, changed.calls.iter().cloned());
            takeover.becomes_admin.then_some(takeover)
        })
    }

    /// The calls by which a principal would have any rights, or those that its policies give it.
    fn changed(&self, writer: &Writer, node: usize) -> Option<Takeover> {
        self.rewrite(writer, node).or_else(|| self.freed(writer, node))
    }

    /// The calls by which a principal would have any rights.
    fn rewrite(&self, writer: &Writer, node: usize) -> Option<Takeover> {
        let may_be_admin = self.may_be_admin(node);
        if !(may_be_admin || writer.loosens(&self.engine.principal(node))) {
            return None;
        }
        let Written { mut calls, depends } = self.written(writer, node)?;
        if !may_be_admin {
            let (lifted, _) =
                self.loosened(writer, node).into_iter().find(|(_, free)| self.engine.may_be_admin(free))?;
            calls.splice(0..0, lifted);
            // A policy that is rewritten may be both.
            calls.dedup();
        }
        let of = self.graph.arn(node).to_owned();
        Some(Takeover { calls, becomes_admin: false, of, depends, by: None })
    }

    /// The calls that write any rights of a principal, whatever keeps it from using them.
    fn written(&self, writer: &Writer, node: usize) -> Option<Written> {
        let (graph, arn) = (self.graph, self.graph.arn(node));
        if !writer.changes(node >= graph.role_count()) {
            return None;
        }
        let account = self.engine.account;
        let (role, user) = match node.checked_sub(graph.role_count()) {
            None => (Some(&account.roles[node]), None),
            Some(place) => (None, Some(&account.users[place])),
        };
        let (mut depends, mut first) = (false, None);
        let of_itself: &[&str] = match role {
            Some(_) if !graph.is_rewritable(node) => &[],
            Some(_) => &["iam:PutRolePolicy", "iam:AttachRolePolicy"],
            None => &["iam:PutUserPolicy", "iam:AttachUserPolicy"],
        };
        let direct = of_itself.iter().find(|action| self.may_call(writer, action, node));
        let mut call = direct.map(|action| format!("{action} on {arn}"));
        if let Some(action) = direct {
            first = graph.calls_first(&writer.effective, action, arn);
        }
        let by_policy = |attached: &[Attachment]| {
            let own = attached.iter().map(|policy| &policy.arn).filter(|arn| !is_aws_owned(arn));
            let may = |action: &str, on: &str| writer.may(action, on);
            own.into_iter().find_map(|policy| self.engine.new_version(policy, may))
        };
        if call.is_none() {
            call = by_policy(
                role.map_or_else(|| &user.unwrap_or_else(|| unreachable!()).attached, |r| &r.attached),
            );
        }
        if let (None, Some(user)) = (&call, user) {
            let groups = self.engine.groups_of(user).into_iter().map(|place| &account.groups[place]);
            let writes = ["iam:PutGroupPolicy", "iam:AttachGroupPolicy"];
            call = groups.into_iter().find_map(|group| {
                let is_moved = |action: &str| graph.may_on_moved(&writer.effective, action, &group.arn);
                let may = |action: &str| {
                    writer.may(action, &group.arn) || (writer.able.contains(&action) && is_moved(action))
                };
                let by = writes.iter().find(|action| may(action));
                first = by.and_then(|action| graph.calls_first(&writer.effective, action, &group.arn));
                by.map(|action| format!("{action} on {}", group.arn)).or_else(|| by_policy(&group.attached))
            });
            if call.is_none() {
                let joined = writer.group.as_ref()?;
                (depends, first) = (joined.is_unknown, joined.first.clone());
                call = Some(format!("iam:AddUserToGroup of {} to {}", user.name, joined.group));
            }
        }
        let mut calls = vec![call?];
        calls.splice(0..0, first);
        Some(Written { calls, depends })
    }

    /// Whether all rights given to a principal would be its own.
    fn may_be_admin(&self, node: usize) -> bool {
        *self.admins[node].get_or_init(|| self.engine.may_be_admin(&self.engine.principal(node)))
    }

    /// The calls that take off a principal what keeps it from being the administrator that its policies make
    /// it.
    fn freed(&self, writer: &Writer, node: usize) -> Option<Takeover> {
        let is_admin = |set: &ActionSet| is_admin(set, self.engine.catalogue);
        // Whatever is taken off, it may do no more than its policies say.
        let may = |held: &Effective| writer.loosens(held) && is_admin(&held.identity);
        if self.graph.nodes[node].admin || !may(&self.engine.principal(node)) {
            return None;
        }
        let (calls, _) = self.loosened(writer, node).into_iter().find(|(_, free)| is_admin(&free.open))?;
        let of = self.graph.arn(node).to_owned();
        Some(Takeover { calls, becomes_admin: false, of, depends: false, by: None })
    }

    /// What a writer can take off a principal, and what that one may do then.
    fn loosened(&self, writer: &Writer, node: usize) -> Vec<Loosened> {
        let (graph, account) = (self.graph, self.engine.account);
        let may = |action: &str, on: &str| match on == graph.arn(node) {
            true => self.may_call(writer, action, node),
            false => writer.may(action, on),
        };
        let effective = self.engine.principal(node);
        let held = match node.checked_sub(graph.role_count()) {
            None if !graph.is_rewritable(node) => return Vec::new(),
            None => Held::by_role(&account.roles[node], &effective),
            Some(place) => Held::by_user(&account.users[place], self.engine, &effective),
        };
        held.loosened(self.engine, may)
    }

    /// Somebody else whom the caller can make an administrator, without becoming it.
    fn writable(&self, from: usize, writer: &Writer) -> Option<Takeover> {
        const ASKED: [(Kind, &str); 8] = [
            (Kind::Principal, "iam:PutRolePolicy"),
            (Kind::Principal, "iam:AttachRolePolicy"),
            (Kind::Principal, "iam:PutUserPolicy"),
            (Kind::Principal, "iam:AttachUserPolicy"),
            (Kind::Policy, "iam:CreatePolicyVersion"),
            (Kind::Policy, "iam:SetDefaultPolicyVersion"),
            (Kind::Group, "iam:PutGroupPolicy"),
            (Kind::Group, "iam:AttachGroupPolicy"),
        ];
        let able = ASKED.iter().filter(|(_, action)| writer.able.contains(action));
        let named = |&(kind, action): &(Kind, &'static str)| {
            patterns(&writer.effective, action).map(move |pattern| (kind, pattern.to_owned()))
        };
        let mut named: Vec<_> = able.flat_map(named).collect();
        named.sort_unstable();
        named.dedup();
        let nodes = self.matching(named);
        nodes.iter().filter(|&&node| node != from).find_map(|&node| self.rewrite(writer, node))
    }

    /// The principals that patterns lead to; looked up once.
    fn matching(&self, named: Patterns) -> Rc<[usize]> {
        if let Some(known) = self.matched.borrow().get(&named) {
            return Rc::clone(known);
        }
        let nodes = match &named[..] {
            [(Kind::Principal, pattern)] => self.in_order(self.graph.principals(pattern)),
            [(Kind::Policy, pattern)] => self.in_order(matching_in(&self.holders, pattern)),
            [(Kind::Group, pattern)] => self.in_order(matching_in(&self.members, pattern)),
            several => {
                let each: Vec<_> = several.iter().map(|one| self.matching(vec![one.clone()])).collect();
                self.in_order(each.iter().flat_map(|nodes| nodes.iter().copied()))
            }
        };
        self.matched.borrow_mut().insert(named, Rc::clone(&nodes));
        nodes
    }

    /// Users first: a person may hold one already. Then what a machine may have.
    fn in_order(&self, nodes: impl Iterator<Item = usize>) -> Rc<[usize]> {
        let mut nodes: Vec<usize> = nodes.collect();
        nodes.sort_unstable_by_key(|&node| {
            (node < self.graph.role_count(), !self.graph.nodes[node].of_machines, node)
        });
        nodes.dedup();
        nodes.into()
    }
}

/// The resource patterns of the statements that allow an action.
fn patterns<'e>(effective: &'e Effective, action: &'e str) -> impl Iterator<Item = &'e str> {
    effective.naming(action).flat_map(|s| s.grant.statement.on()).map(String::as_str)
}
