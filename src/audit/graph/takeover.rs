//! Becoming what one can rewrite: a principal that may give another any rights and then become it, or make a
//! new one, is an administrator, though nobody in the account is one yet.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate>

mod together;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::{Graph, matching_in};
use crate::audit::account::{Attachment, Group, is_aws_owned};
use crate::audit::evaluate::Engine;
use crate::audit::loosen::{Held, Loosened};
use crate::audit::node::{may_make, may_on};
use opsctl_iam::arn::Arn;
use opsctl_iam::catalogue::KnownActions;
use opsctl_iam::condition::{Bound, restriction_of};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective, is_admin};
use opsctl_iam::grant::Grant;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Condition, Selector};

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

/// Who writes, with what holds for whomever it writes: asked once, not for each of thousands.
struct Writer<'e> {
    effective: &'e Effective,
    /// The actions that may be allowed on something.
    able: Vec<&'static str>,
    group: Option<ToJoin>,
}

/// A group that a user can be put into for its rights.
struct ToJoin {
    group: String,
    /// The call that gives it any rights, where it has too few.
    first: Option<String>,
    /// Whether its rights are not known.
    is_unknown: bool,
}

impl Writer<'_> {
    fn may(&self, action: &str, on: &str) -> bool {
        self.able.contains(&action) && may_on(self.effective, action, on)
    }
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
    /// The boundaries that there are, and that there is none.
    boundaries: BTreeSet<Option<String>>,
    /// Whether a principal could be one, by node; for those that were asked about.
    admins: RefCell<HashMap<usize, bool>>,
    /// What was found for the first writers of those who hold the same.
    found: RefCell<HashMap<u32, Vec<Taken>>>,
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
            for group in account.groups.iter().filter(|group| user.groups.contains(&group.name)) {
                holders.extend(of(&group.attached, node));
                members.push((group.arn.clone(), node));
            }
        }
        let bounded = graph.nodes.iter().enumerate();
        let mut bounded: Vec<_> = bounded.filter_map(|(n, node)| Some((node.boundary.clone()?, n))).collect();
        [&mut holders, &mut members, &mut bounded].into_iter().for_each(|list| list.sort());
        let admin = |group: &&Group| is_admin(&engine.group(group).open, engine.catalogue);
        let admin_groups = account.groups.iter().filter(admin).map(|group| group.arn.as_str()).collect();
        Self {
            graph,
            engine,
            holders,
            members,
            bounded,
            admin_groups,
            boundaries: graph.nodes.iter().map(|node| node.boundary.clone()).chain([None]).collect(),
            admins: RefCell::default(),
            found: RefCell::default(),
        }
    }

    fn writer<'e>(&self, effective: &'e Effective) -> Writer<'e> {
        let on_somebody = |action: &&'static str| {
            let mut all = self.boundaries.iter();
            all.any(|bound| effective.may_ever_on(action, Bound::of(action, bound.as_deref())))
        };
        let able = WRITING.iter().copied().filter(on_somebody).collect();
        Writer { effective, able, group: self.group_to_join(effective) }
    }

    /// As [`Self::takeover`], from what was found for others who hold the same and can become the same. Each
    /// leaves itself out, so that one who finds nothing says nothing of itself: two say it of all.
    fn shared(&self, from: usize, effective: &Effective) -> Option<Takeover> {
        let own = self.graph.arn(from);
        let is_of_itself = |found: &Takeover| found.calls.iter().any(|call| call.contains(own));
        if let Some(known) = effective.serial.and_then(|serial| self.found.borrow().get(&serial).cloned()) {
            let alike = || known.iter().filter(|(node, _)| self.graph.has_same_edges(*node, from));
            let found = alike().find_map(|(_, found)| found.as_ref()).filter(|found| !is_of_itself(found));
            if found.is_some() || alike().filter(|(_, found)| found.is_none()).count() > 1 {
                return found.cloned();
            }
        }
        let found = self.takeover(from, &self.writer(effective));
        if let Some(serial) = effective.serial {
            self.found.borrow_mut().entry(serial).or_default().push((from, found.clone()));
        }
        found
    }

    fn takeover(&self, from: usize, writer: &Writer<'_>) -> Option<Takeover> {
        // What a role writes of its own is IAM201; a user has nothing else that says so.
        let of_itself = || self.rewrite(writer, from).or_else(|| self.freed(writer, from));
        let own = (from >= self.graph.role_count()).then(of_itself).flatten();
        if let Some(own) = own.filter(|takeover| !takeover.depends) {
            return Some(Takeover { becomes_admin: true, ..own });
        }
        let reach = self.graph.within_reach(from);
        for &node in &reach.nodes {
            if let Some(mut takeover) = self.rewrite(writer, node).or_else(|| self.freed(writer, node)) {
                takeover.calls.extend(reach.calls(self.graph, node));
                takeover.becomes_admin = !takeover.depends;
                return Some(takeover);
            }
        }
        self.make_new(writer).or_else(|| self.writable(from, writer))
    }

    /// As [`Self::takeover`], of one who first changes what it may do itself.
    fn after_change(&self, node: usize) -> Option<Takeover> {
        let ways = self.graph.edges[node].iter().filter_map(|(to, _)| self.graph.changed.get(to));
        ways.into_iter().find_map(|changed| {
            let writer = self.writer(&changed.effective);
            let own = || self.rewrite(&writer, node).filter(|takeover| !takeover.depends);
            let own = own().map(|takeover| Takeover { becomes_admin: true, ..takeover });
            let mut takeover = own.or_else(|| self.takeover(node, &writer))?;
            takeover.calls.retain(|call| !changed.calls.contains(call));
            takeover.calls.splice(0..0, changed.calls.iter().cloned());
            takeover.becomes_admin.then_some(takeover)
        })
    }

    /// The calls by which a principal would have any rights.
    fn rewrite(&self, writer: &Writer<'_>, node: usize) -> Option<Takeover> {
        let (graph, arn) = (self.graph, self.graph.arn(node));
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
        let effective = writer.effective;
        let able = of_itself.iter().filter(|action| writer.able.contains(*action));
        let direct = able.into_iter().find(|action| graph.may_call(effective, action, node, None));
        let mut call = direct.map(|action| format!("{action} on {arn}"));
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
            let groups = || account.groups.iter().filter(|group| user.groups.contains(&group.name));
            let writes = ["iam:PutGroupPolicy", "iam:AttachGroupPolicy"];
            call = groups().find_map(|group| {
                let by = writes.iter().find(|action| writer.may(action, &group.arn));
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
        let may_be_admin = || self.may_be_admin(node);
        if !*self.admins.borrow_mut().entry(node).or_insert_with(may_be_admin) {
            let (lifted, _) =
                self.loosened(writer, node).into_iter().find(|(_, free)| self.engine.may_be_admin(free))?;
            calls.splice(0..0, lifted);
            // A policy that is rewritten may be both.
            calls.dedup();
        }
        Some(Takeover { calls, becomes_admin: false, of: arn.to_owned(), depends, by: None })
    }

    /// The calls that take off a principal what keeps it from being the administrator that its policies make
    /// it.
    fn freed(&self, writer: &Writer<'_>, node: usize) -> Option<Takeover> {
        if self.graph.nodes[node].admin {
            return None;
        }
        let is_admin = |free: &Effective| is_admin(&free.open, self.engine.catalogue);
        let (calls, _) = self.loosened(writer, node).into_iter().find(|(_, free)| is_admin(free))?;
        let of = self.graph.arn(node).to_owned();
        Some(Takeover { calls, becomes_admin: false, of, depends: false, by: None })
    }

    /// What a writer can take off a principal, and what that one may do then.
    fn loosened(&self, writer: &Writer<'_>, node: usize) -> Vec<Loosened> {
        let (graph, account) = (self.graph, self.engine.account);
        let may = |action: &str, on: &str| match on == graph.arn(node) {
            true => writer.able.contains(&action) && graph.may_call(writer.effective, action, node, None),
            false => writer.may(action, on),
        };
        match node.checked_sub(graph.role_count()) {
            None if !graph.is_rewritable(node) => Vec::new(),
            None => {
                let effective = self.engine.role(&account.roles[node]);
                Held::by_role(&account.roles[node], &effective).loosened(self.engine, may)
            }
            Some(place) => {
                let effective = self.engine.user(&account.users[place]);
                Held::by_user(&account.users[place], account, &effective).loosened(self.engine, may)
            }
        }
    }

    /// A group that a user can be put into for its rights.
    fn group_to_join(&self, effective: &Effective) -> Option<ToJoin> {
        let may = |action: &str, on: &str| effective.decide(action, on) == Decision::Allowed;
        let joins = |arn: &str| may("iam:AddUserToGroup", arn);
        let known = |group: String, first| Some(ToJoin { group, first, is_unknown: false });
        if let Some(group) = self.admin_groups.iter().find(|arn| joins(arn)) {
            return known((*group).to_owned(), None);
        }
        let groups = &self.engine.account.groups;
        let rewrite = |group: &Group| {
            let writes = ["iam:PutGroupPolicy", "iam:AttachGroupPolicy"];
            let direct = writes.into_iter().find(|action| may(action, &group.arn));
            let own = || group.attached.iter().find_map(|policy| self.engine.new_version(&policy.arn, may));
            direct.map(|action| format!("{action} on {}", group.arn)).or_else(own)
        };
        // What it denies stays denied to whoever joins.
        let written = groups.iter().filter(|group| joins(&group.arn)).find_map(|group| {
            let first = rewrite(group)?;
            self.engine.may_be_admin(&self.engine.group(group)).then_some((group, first))
        });
        if let Some((group, first)) = written {
            return known(group.arn.clone(), Some(first));
        }
        if let Some(group) = self.group_to_make(effective) {
            return known(format!("{group}, a new group with any rights"), None);
        }
        // A group that a policy names and the data does not have.
        let named = patterns(effective, "iam:AddUserToGroup").filter(|arn| arn.contains(":group/"));
        let mut unknown =
            named.filter(|arn| !pattern::is_wild(arn) && !groups.iter().any(|group| group.arn == **arn));
        let group = unknown.find(|arn| joins(arn))?;
        Some(ToJoin { group: format!("{group}, which is not in the data"), first: None, is_unknown: true })
    }

    /// The ARN of a group that can be made, given any rights, and joined.
    fn group_to_make(&self, effective: &Effective) -> Option<String> {
        let allowed = |action: &str, on: &str| effective.decide(action, on) == Decision::Allowed;
        let rights = ["iam:PutGroupPolicy", "iam:AttachGroupPolicy"];
        let names = self.names(effective, "iam:CreateGroup", &rights, "group");
        names.into_iter().find(|arn| allowed("iam:CreateGroup", arn) && allowed("iam:AddUserToGroup", arn))
    }

    /// Whether all rights given to a principal would be its own.
    fn may_be_admin(&self, node: usize) -> bool {
        let account = self.engine.account;
        match node.checked_sub(self.graph.role_count()) {
            None => self.engine.may_be_admin(&self.engine.role(&account.roles[node])),
            Some(place) => self.engine.may_be_admin(&self.engine.user(&account.users[place])),
        }
    }

    /// A role or user of the caller's own making, with rights and credentials of its choice.
    fn make_new(&self, writer: &Writer<'_>) -> Option<Takeover> {
        let effective = writer.effective;
        let allowed = |action: &str, on: &str| may_on(effective, action, on);
        let first =
            |actions: &[&'static str], on: &str| actions.iter().copied().find(|action| allowed(action, on));
        let made = |kind: &str, on: &str, lifts: Option<String>, more: Vec<String>| {
            let mut calls = vec![format!("iam:Create{kind} on {on} or the like")];
            calls.extend(lifts);
            calls.extend(more);
            Some(Takeover { calls, becomes_admin: true, of: String::new(), depends: false, by: None })
        };
        let rights = ["iam:PutRolePolicy", "iam:AttachRolePolicy"];
        if let Some((role, lifts)) = self.to_make(effective, "Role", &rights)
            && let Some(right) = first(&rights, &role)
        {
            return made("Role", &role, lifts, vec![format!("{right} on it"), "sts:AssumeRole".into()]);
        }
        let rights = ["iam:PutUserPolicy", "iam:AttachUserPolicy"];
        let keys = ["iam:CreateAccessKey", "iam:CreateLoginProfile"];
        let (user, lifts) = self.to_make(effective, "User", &[&rights[..], &keys].concat())?;
        let key = first(&keys, &user)?;
        let right = match first(&rights, &user) {
            Some(right) => format!("{right} on it"),
            None => {
                let joined = writer.group.as_ref().filter(|joined| !joined.is_unknown)?;
                let join = format!("iam:AddUserToGroup of it to {}", joined.group);
                joined.first.iter().cloned().chain([join]).collect::<Vec<_>>().join(", then ")
            }
        };
        made("User", &user, lifts, vec![right, format!("{key} on it")])
    }

    /// The ARN of a role or user that can be made and given any rights, and where it must have a boundary,
    /// the call that takes that off.
    fn to_make(
        &self,
        effective: &Effective,
        kind: &str,
        rights: &[&'static str],
    ) -> Option<(String, Option<String>)> {
        let create = format!("iam:Create{kind}");
        let decide = |action: &str, on: &str| effective.decide(action, on);
        let names = self.names(effective, &create, rights, &kind.to_lowercase());
        let made = |arn: &String| match decide(&create, arn) {
            _ if may_make(effective, &create, arn) => Some(None),
            Decision::Conditional if bounds_new(effective, &create) => {
                let may = |action: &str, on: &str| decide(action, on) == Decision::Allowed;
                let on_it = ["Delete", "Put"].map(|verb| format!("iam:{verb}{kind}PermissionsBoundary"));
                let lift = on_it.iter().find(|action| may(action, arn)).map(|lift| format!("{lift} on it"));
                let by_policy = || {
                    new_boundaries(effective, &create).find_map(|policy| self.engine.new_version(policy, may))
                };
                lift.or_else(by_policy).map(Some)
            }
            _ => None,
        };
        names.into_iter().find_map(|arn| made(&arn).map(|lifts| (arn, lifts)))
    }

    /// Names that a new principal may have, one for each pattern of the statements, so that all actions may
    /// be asked of them.
    fn names(&self, effective: &Effective, create: &str, rights: &[&'static str], kind: &str) -> Vec<String> {
        let account = self.engine.account;
        let place = format!(":{kind}/");
        let actions = || std::iter::once(create).chain(rights.iter().copied());
        let mut written: Vec<&str> = actions().flat_map(|a| patterns(effective, a)).collect();
        // What a Deny spares.
        written.extend(actions().flat_map(|a| spared(effective, a)));
        let named: Vec<&str> = written.iter().copied().filter(|p| p.contains(&place)).collect();
        let here = |pattern: &str| named_here(pattern, account.partition(), &account.id);
        let mut names: Vec<String> = named.iter().map(|p| here(p)).collect();
        // One may be made by one pattern, and given rights by another.
        if named.len() <= MOST_PATTERNS {
            let pairs =
                named.iter().enumerate().flat_map(|(n, one)| named[..n].iter().map(move |two| (one, two)));
            names.extend(pairs.filter_map(|(one, two)| joined(one, two)).map(|both| here(&both)));
        }
        // Any others, where a statement is about all but some.
        names.extend(["x", "q7-new"].map(|name| account.iam_arn(&format!("{kind}/{name}"))));
        // The names that leave the least open fit the most patterns.
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.dedup();
        // What only AWS makes.
        names.retain(|arn| !arn.contains(":role/aws-reserved/") && !arn.contains(":role/aws-service-role/"));
        names.retain(|arn| rights.iter().any(|right| may_on(effective, right, arn)));
        names
    }

    /// Somebody else whom the caller can make an administrator, without becoming it.
    fn writable(&self, from: usize, writer: &Writer<'_>) -> Option<Takeover> {
        let patterns = |action: &'static str| {
            let able = writer.able.contains(&action);
            able.then(|| patterns(writer.effective, action)).into_iter().flatten()
        };
        let named = |list: &[(String, usize)], action: &'static str| -> Vec<usize> {
            patterns(action).flat_map(|p| matching_in(list, p).collect::<Vec<_>>()).collect()
        };
        let direct =
            ["iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutUserPolicy", "iam:AttachUserPolicy"];
        let mut nodes: Vec<usize> =
            direct.iter().flat_map(|a| patterns(a)).flat_map(|p| self.graph.principals(p)).collect();
        for action in ["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"] {
            nodes.extend(named(&self.holders, action));
        }
        for action in ["iam:PutGroupPolicy", "iam:AttachGroupPolicy"] {
            nodes.extend(named(&self.members, action));
        }
        nodes.sort_unstable();
        nodes.dedup();
        // Users first: a person may hold one already.
        nodes.sort_by_key(|&node| (node < self.graph.role_count(), node));
        nodes.into_iter().filter(|&node| node != from).find_map(|node| self.rewrite(writer, node))
    }
}

/// Whether all that limits the making of roles, or users, is that they must have a boundary.
fn bounds_new(effective: &Effective, create: &str) -> bool {
    let named = effective.allows.iter().chain(&effective.denies).map(|s| &s.grant);
    let boundary = |c: &Condition| c.key.eq_ignore_ascii_case("iam:PermissionsBoundary");
    let within = !matches!(effective.ceiling, Ceiling::Known { .. });
    within
        && named.filter(|grant| grant.names(create)).all(|grant| {
            let all = &grant.statement.conditions;
            let is_open = |c: &Condition| grant.statement.allow && restriction_of(c, all).is_open();
            all.iter().all(|c| boundary(c) || is_open(c))
        })
}

/// The policies that roles, or users, must have as their boundary when they are made.
fn new_boundaries<'e>(effective: &'e Effective, create: &'e str) -> impl Iterator<Item = &'e str> {
    let allows = effective.allows.iter().map(|s| &s.grant).filter(move |grant| grant.names(create));
    let conditions = allows.flat_map(|grant| &grant.statement.conditions);
    let boundaries = conditions.filter(|c| c.key.eq_ignore_ascii_case("iam:PermissionsBoundary"));
    boundaries.flat_map(|c| &c.values).map(String::as_str).filter(|arn| !pattern::is_wild(arn))
}

/// So many patterns of names are compared with each other.
const MOST_PATTERNS: usize = 24;

/// A pattern of what two patterns match that overlap: the longer beginning, and the longer end.
fn joined(one: &str, two: &str) -> Option<String> {
    let longer = |a: &'_ str, b: &'_ str| if a.len() >= b.len() { a.to_owned() } else { b.to_owned() };
    let end = |p: &str| p.rsplit(['*', '?']).next().unwrap_or_default().to_owned();
    if !pattern::is_wild(one) || !pattern::is_wild(two) || !pattern::meet(one, two) {
        return None;
    }
    let start = longer(pattern::literal_prefix(one), pattern::literal_prefix(two));
    let both = format!("{start}*{}", longer(&end(one), &end(two)));
    [one, two].iter().all(|p| pattern::includes(p, &both)).then_some(both)
}

/// The resource patterns that the statements which deny an action spare.
fn spared<'e>(effective: &'e Effective, action: &str) -> impl Iterator<Item = &'e str> + use<'e> {
    let limits: &[Grant] = match &effective.ceiling {
        Ceiling::Known { grants, .. } => grants,
        _ => &[],
    };
    let action = action.to_owned();
    let denies =
        effective.denies.iter().map(|s| &s.grant).chain(limits.iter().filter(|g| !g.statement.allow));
    denies.filter(move |grant| grant.names(&action)).flat_map(|grant| match &grant.statement.resources {
        Some(Selector::Except(patterns)) => patterns.iter().map(String::as_str).collect::<Vec<_>>(),
        _ => Vec::new(),
    })
}

/// One ARN of this account that a pattern of principals matches.
fn named_here(pattern: &str, partition: &str, account: &str) -> String {
    match Arn::pattern(pattern).filter(|arn| arn.service == "iam" && arn.region.is_empty()) {
        Some(arn) => {
            let own = |field, own| if pattern::is_wild(field) { own } else { field };
            let resource = &arn.resource.replace(['*', '?'], "x");
            let (partition, account) = (own(arn.partition, partition), own(arn.account, account));
            Arn { partition, account, resource, ..arn }.to_string()
        }
        None => pattern.replace(['*', '?'], "x"),
    }
}

/// The resource patterns of the statements that allow an action.
fn patterns<'e>(effective: &'e Effective, action: &str) -> impl Iterator<Item = &'e str> + use<'e> {
    let action = action.to_owned();
    let allows = effective.allows.iter().map(|s| &s.grant).filter(move |grant| grant.names(&action));
    allows.flat_map(|grant| match &grant.statement.resources {
        Some(Selector::Only(patterns)) => patterns.iter().map(String::as_str).collect::<Vec<_>>(),
        _ => Vec::new(),
    })
}
