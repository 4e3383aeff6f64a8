//! What a role may really do: the policies that an account gives it, compiled and evaluated.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use opsctl_iam::action_set::ActionId;
use opsctl_iam::caller::Caller;
use opsctl_iam::catalogue::{AccountRef, Catalogue, in_partition_aws};
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::{Compiler, Grant, Source, Sourced};
use opsctl_iam::managed;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Condition, Document, Policy, Selector, Statement};
use opsctl_iam::tagging::tags_itself;
use opsctl_iam::time::Instant;

use super::account::{
    Account, Attachment, Boundary, Group, InlinePolicy, ManagedPolicy, Role, Tag, User, account_of,
};
use super::allow_list;
use super::shared::{Collected, Holding, Holdings, Personal, Places, Reading, Shared, places};

/// Statements, and what they grant.
type Inline = (Vec<Arc<Statement>>, Rc<[Grant]>);

/// The policies of one account, each managed one compiled once.
pub struct Engine<'a> {
    pub account: &'a Account,
    pub catalogue: &'static Catalogue,
    /// When the question is asked; `None`: limits in time count as none.
    pub now: Option<Instant>,
    compiler: Compiler<'a>,
    policies: HashMap<&'a str, &'a ManagedPolicy>,
    fallback: RefCell<HashMap<String, Option<Rc<Document>>>>,
    compiled: RefCell<HashMap<String, Option<Rc<[Grant]>>>>,
    /// Those written into principals, by their statements, which equal documents share. They are kept, so
    /// that no others come to stand in their places.
    inline: RefCell<HashMap<Places, Inline>>,
    /// What principals may do that hold the same.
    shared: RefCell<Shared>,
    /// What the roles, the users and the groups of the account may do, by their places.
    roles: Vec<OnceCell<Rc<Effective>>>,
    users: Vec<OnceCell<Rc<Effective>>>,
    groups: Vec<OnceCell<Rc<Effective>>>,
    /// The places of the groups of a name.
    named: HashMap<&'a str, Vec<usize>>,
    admin_policies: OnceCell<Vec<String>>,
    beside: OnceCell<Vec<Beside>>,
}

impl<'a> Engine<'a> {
    /// An engine for one account, without a clock.
    pub fn new(account: &'a Account) -> Self {
        let compiler = Compiler::new(AccountRef { partition: account.partition(), account: &account.id });
        let mut named: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, group) in account.groups.iter().enumerate() {
            named.entry(&group.name).or_default().push(place);
        }
        Self {
            account,
            catalogue: compiler.catalogue,
            compiler,
            now: None,
            policies: account.policies.iter().map(|policy| (policy.arn.as_str(), policy)).collect(),
            fallback: RefCell::default(),
            compiled: RefCell::default(),
            inline: RefCell::default(),
            shared: RefCell::default(),
            roles: vec![OnceCell::new(); account.roles.len()],
            users: vec![OnceCell::new(); account.users.len()],
            groups: vec![OnceCell::new(); account.groups.len()],
            named,
            admin_policies: OnceCell::new(),
            beside: OnceCell::new(),
        }
    }

    /// An engine that knows what time it is.
    pub fn at(account: &'a Account, now: Instant) -> Self {
        Self { now: Some(now), ..Self::new(account) }
    }

    /// The account, as ARNs name it.
    pub fn home(&self) -> AccountRef<'a> {
        self.compiler.home
    }

    /// The account's record of a managed policy.
    pub fn policy(&self, arn: &str) -> Option<&'a ManagedPolicy> {
        self.policies.get(arn).copied()
    }

    /// The effective permissions of a role. Roles that hold the same policies share them.
    pub fn role(&self, role: &Role) -> Rc<Effective> {
        self.shared(Holding::all_of_role(role), || self.personal(role))
    }

    /// The same of a role of the account, by its place.
    pub fn role_at(&self, place: usize) -> Rc<Effective> {
        Rc::clone(self.roles[place].get_or_init(|| self.role(&self.account.roles[place])))
    }

    /// What is known of whoever holds the same, or else is worked out.
    fn shared(&self, holdings: Holdings, own: impl Fn() -> Personal) -> Rc<Effective> {
        let Some(holdings) = holdings else { return Rc::new(own().effective) };
        let known = self.shared.borrow().always(&holdings);
        known.unwrap_or_else(|| {
            let own = own();
            self.shared.borrow_mut().keep(holdings, own)
        })
    }

    /// What a role may do, and whether that depends on the role.
    fn personal(&self, role: &Role) -> Personal {
        let written = self.written_by_role(role);
        let sessions = || {
            let tags = |s: &Statement| s.allow && covers_action(s, "sts:TagSession");
            role.trust.policy().is_some_and(|policy| policy.statements.iter().any(|s| tags(s)))
        };
        let who = Who { arn: &role.arn, id: &role.role_id, user: None, tags: &role.tags };
        self.of_caller(who, role.permissions_boundary.as_ref(), written, sessions)
    }

    /// The statements about a role, as they are written.
    pub(super) fn written_by_role(&self, role: &Role) -> Written {
        let mut written = Written::default();
        written.held(self, &role.inline, &role.attached, "");
        self.add_beside(&role.arn, &mut written);
        written
    }

    /// What is written, as it reads for one caller, and whether it would read otherwise for another.
    fn of_caller(
        &self,
        who: Who<'_>,
        boundary: Option<&Boundary>,
        written: Written,
        sessions: impl Fn() -> bool,
    ) -> Personal {
        let Who { arn, id, user, tags } = who;
        let all = || written.grants.iter().map(|(_, grant)| grant);
        let limits = boundary.and_then(|boundary| self.managed(&boundary.arn));
        let asks = |key: &str| {
            let on_key = |c: &Condition| c.key.get(..key.len()).is_some_and(|k| k.eq_ignore_ascii_case(key));
            // What bounds it may ask, too.
            let mut asking = all().chain(limits.iter().flat_map(|grants| grants.iter()));
            asking.any(|grant| grant.depends && grant.statement.conditions.iter().any(on_key))
        };
        let tags: Vec<(&str, &str)> = tags.iter().map(|tag| (&*tag.key, &*tag.value)).collect();
        let tags_may_change = asks("aws:PrincipalTag/") && (sessions() || tags_itself(arn, all));
        let mut makes_admin = Vec::new();
        if asks("iam:PolicyARN") || asks("iam:PermissionsBoundary") {
            makes_admin = [self.admin_policies(), &self.makeable(all, limits.as_deref())].concat();
        }
        let caller = Caller {
            arn,
            id,
            account: &self.account.id,
            user,
            now: self.now,
            tags: &tags,
            tags_may_change,
            admin_policies: &makes_admin,
        };
        let mut collected = Collected::default();
        for (source, grant) in &written.grants {
            collected.add(source, grant, caller);
        }
        let depends = all().any(|grant| grant.depends) || self.has_surroundings() || self.limits(boundary);
        let Collected { allows, denies, void, mut reading } = collected;
        let ceiling = self.ceiling(boundary, caller, &mut reading);
        let effective = Effective::of(allows, denies, ceiling, void, written.unreadable);
        Personal { effective, reading: depends.then_some(reading) }
    }

    fn has_surroundings(&self) -> bool {
        !self.beside.get_or_init(|| self.surroundings()).is_empty()
    }

    /// Whether what a boundary allows depends on whom it bounds.
    fn limits(&self, boundary: Option<&Boundary>) -> bool {
        let grants = boundary.and_then(|boundary| self.managed(&boundary.arn));
        grants.is_some_and(|grants| grants.iter().any(|grant| grant.depends))
    }

    /// What policies of resources and of the organization say of a principal.
    fn add_beside(&self, arn: &str, written: &mut Written) {
        if arn.is_empty() || arn.contains(":role/aws-service-role/") {
            return;
        }
        for beside in self.beside.get_or_init(|| self.surroundings()) {
            if beside.is_about(arn, &self.account.id) {
                written.grants.push((Rc::clone(&beside.source), beside.grant.clone()));
            }
        }
    }

    fn surroundings(&self) -> Vec<Beside> {
        let around = &self.account.surroundings;
        let mut all = Vec::new();
        for (of, document) in &around.resource_policies {
            let Some(policy) = document.policy() else { continue };
            let statements = policy.statements.iter().map(|statement| {
                let mut own = Statement::clone(statement);
                // `*` is all of what the policy is on.
                let is_all = |scope: &Selector| scope.patterns().iter().any(|p| pattern::is_everything(p));
                if own.resources.as_ref().is_none_or(is_all) {
                    own.resources = Some(Selector::Only(vec![of.clone(), format!("{of}/*")]));
                }
                Arc::new(own)
            });
            let policy = Policy { statements: statements.collect(), ..policy.clone() };
            self.push_beside(&mut all, &format!("of {of}"), policy);
        }
        for (name, document) in around.service_control_policies.policies() {
            if let Some(policy) = document.policy() {
                let denies = policy.statements.iter().filter(|s| !s.allow).cloned().collect();
                self.push_beside(
                    &mut all,
                    &format!("{name} (SCP)"),
                    Policy { statements: denies, ..policy.clone() },
                );
            }
        }
        for (level, policies) in &around.service_control_policies.0 {
            if let Some(limit) = allow_list::left_out(policies) {
                let of = if level.is_empty() { "the organization" } else { level };
                self.push_beside(&mut all, &format!("of {of} (SCP)"), limit);
            }
        }
        for (name, document) in &around.resource_control_policies {
            if let Some(policy) = document.policy() {
                let denies = policy.statements.iter().filter(|s| !s.allow).cloned().collect();
                self.push_beside(
                    &mut all,
                    &format!("{name} (RCP)"),
                    Policy { statements: denies, ..policy.clone() },
                );
            }
        }
        all
    }

    fn push_beside(&self, all: &mut Vec<Beside>, name: &str, policy: Policy) {
        let arn = format!("{BESIDE}{name}");
        let source = Rc::new(Source { name: name.to_owned(), arn, group: String::new() });
        let grants = self.compile(&Document::Parsed(policy));
        let grants = grants.iter().flat_map(|grants| grants.iter().cloned());
        all.extend(grants.map(|grant| Beside { source: Rc::clone(&source), grant }));
    }

    /// The customer's policies that a principal may make, rewrite or set back to a mighty version: one ARN
    /// for each pattern that lets it, and for each by which its own statements ask for a policy.
    fn makeable<'g, I: Iterator<Item = &'g Grant>>(
        &self,
        grants: impl Fn() -> I,
        limits: Option<&'g [Grant]>,
    ) -> Vec<String> {
        let asked = ["iam:PolicyARN", "iam:PermissionsBoundary"];
        let is_asked = |c: &&Condition| asked.iter().any(|key| c.key.eq_ignore_ascii_case(key));
        let of = |action: &'static str| {
            grants().filter(move |g| g.statement.allow && g.restriction.is_open() && g.names(action))
        };
        let written = |action| {
            of(action).flat_map(|grant| match &grant.statement.resources {
                Some(Selector::Only(patterns)) => patterns.clone(),
                _ => Vec::new(),
            })
        };
        let asking = grants().chain(limits.into_iter().flatten());
        let conditions = asking.flat_map(|grant| &grant.statement.conditions).filter(is_asked);
        let wanted: Vec<String> = conditions.flat_map(|c| c.values.clone()).collect();
        let denied = |action: &str, arn: &str| {
            grants().chain(limits.into_iter().flatten()).any(|g| {
                let always = !g.statement.allow && g.statement.conditions.is_empty();
                always && g.names(action) && g.reaches(arn)
            })
        };
        let opens = |g: &Grant, action: &str, arn: &str| {
            g.statement.allow && g.restriction.is_open() && g.names(action) && g.reaches(arn)
        };
        let within = |action: &str, arn: &str| {
            limits.is_none_or(|limits| limits.iter().any(|grant| opens(grant, action, arn)))
        };
        let may = |action: &'static str, arn: &str| {
            of(action).any(|grant| grant.reaches(arn)) && within(action, arn) && !denied(action, arn)
        };
        let candidates = wanted.into_iter().chain(written("iam:CreatePolicy"));
        let candidates = candidates.chain(written("iam:CreatePolicyVersion"));
        let named = |pattern: String| {
            let is_policy = pattern.contains(":policy/") && !super::account::is_aws_owned(&pattern);
            let known = self.account.policies.iter().map(|policy| &policy.arn);
            let back =
                |arn: &str| may("iam:SetDefaultPolicyVersion", arn) && self.mighty_version(arn).is_some();
            let rewritten = known.filter(|arn| pattern::matches(&pattern, arn));
            let remade = |arn: &str| {
                let both = ["iam:DeletePolicy", "iam:CreatePolicy"];
                both.into_iter().all(|action| may(action, arn)) && self.may_be_freed(arn, may)
            };
            let rewritten = rewritten
                .filter(|arn| may("iam:CreatePolicyVersion", arn) || back(arn) || remade(arn))
                .cloned();
            let new = pattern.replace(['*', '?'], "x");
            let is_new = self.policy(&new).is_none() && may("iam:CreatePolicy", &new);
            let all: Vec<String> = rewritten.chain(is_new.then_some(new)).collect();
            all.into_iter().filter(move |_| is_policy)
        };
        let mut found: Vec<String> = candidates.flat_map(named).collect();
        found.sort();
        found.dedup();
        found
    }

    /// The customer's policies that make an administrator.
    fn admin_policies(&self) -> &[String] {
        self.admin_policies.get_or_init(|| {
            let own = self.account.policies.iter().filter(|policy| !policy.is_aws_owned());
            let makes = |policy: &&ManagedPolicy| {
                self.managed(&policy.arn).is_some_and(|grants| self.is_admin(&grants))
            };
            own.filter(makes).map(|policy| policy.arn.clone()).collect()
        })
    }

    /// Whether statements alone make an administrator.
    pub fn is_admin(&self, grants: &[Grant]) -> bool {
        let source = Rc::new(Source::managed(""));
        let of = |allow: bool| -> Vec<Sourced> {
            let all = grants.iter().filter(|grant| grant.statement.allow == allow);
            all.map(|grant| Sourced { source: Rc::clone(&source), grant: grant.clone() }).collect()
        };
        let alone = Effective::of(of(true), of(false), Ceiling::None, Vec::new(), Vec::new());
        opsctl_iam::effective::is_admin(&alone.open, self.catalogue)
    }

    /// A version of a policy, not in force, that makes an administrator of whoever holds it.
    pub fn mighty_version(&self, arn: &str) -> Option<&'a str> {
        let makes = |document: &Document| self.compile(document).is_some_and(|grants| self.is_admin(&grants));
        let versions = &self.policy(arn)?.versions;
        let other = versions.iter().find(|version| !version.is_default && makes(&version.document))?;
        Some(&other.id)
    }

    /// Whether all rights given to a principal would be its own, or its boundary or a Deny leaves too little.
    pub fn may_be_admin(&self, now: &Effective) -> bool {
        let ceiling = match &now.ceiling {
            Ceiling::None if now.denies.is_empty() => return true,
            Ceiling::Missing { .. } => return false,
            other => other,
        };
        let mut all = self.compiler.whole().clone();
        let always = |grant: &&Grant| grant.statement.conditions.is_empty();
        now.denies.iter().map(|s| &s.grant).filter(always).for_each(|deny| {
            all.subtract(&deny.unlimited);
            all.subtract(&deny.confines);
        });
        if let Ceiling::Known { source, grants } = ceiling {
            let limit =
                grants.iter().map(|grant| Sourced { source: Rc::clone(source), grant: grant.clone() });
            let (allows, denies) = limit.partition(|s| s.grant.statement.allow);
            all.intersect(&Effective::of(allows, denies, Ceiling::None, Vec::new(), Vec::new()).open);
        }
        opsctl_iam::effective::is_admin(&all, self.catalogue)
    }

    /// The effective permissions of a user, those of the groups included.
    pub fn user(&self, user: &User) -> Rc<Effective> {
        self.user_in(user, &[])
    }

    /// The same of a user of the account, by its place.
    pub fn user_at(&self, place: usize) -> Rc<Effective> {
        Rc::clone(self.users[place].get_or_init(|| self.user(&self.account.users[place])))
    }

    /// The same of a principal of the account: roles come before users.
    pub fn principal(&self, node: usize) -> Rc<Effective> {
        match node.checked_sub(self.account.roles.len()) {
            None => self.role_at(node),
            Some(place) => self.user_at(place),
        }
    }

    /// The places of the groups that a user is in.
    pub fn groups_of(&self, user: &User) -> Vec<usize> {
        let known = user.groups.iter().filter_map(|name| self.named.get(name.as_str()));
        let mut groups: Vec<usize> = known.flatten().copied().collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// What a user may do that is in more groups, by their places.
    pub fn user_in(&self, user: &User, more: &[usize]) -> Rc<Effective> {
        let mut groups = self.groups_of(user);
        groups.extend(more);
        // Whoever comes to be in the same groups holds the same.
        groups.sort_unstable();
        let unknown = user.groups.iter().filter(|name| !self.named.contains_key(name.as_str()));
        let unknown: Vec<&String> = unknown.collect();
        let holdings = Holding::all_of_user(user, &groups, &unknown);
        self.shared(holdings, || {
            let mut written = self.written_by_user(user, &groups);
            let unread = |name: &&String| (format!("group {name}"), "it is not in the data".to_owned());
            written.unreadable.extend(unknown.iter().map(unread));
            let boundary = user.permissions_boundary.as_ref();
            let who = Who { arn: &user.arn, id: &user.user_id, user: Some(&user.name), tags: &user.tags };
            self.of_caller(who, boundary, written, || false)
        })
    }

    /// The statements about a user in these groups, as they are written.
    pub(super) fn written_by_user(&self, user: &User, groups: &[usize]) -> Written {
        let mut written = Written::default();
        written.held(self, &user.inline, &user.attached, "");
        for group in groups.iter().map(|&place| &self.account.groups[place]) {
            written.held(self, &group.inline, &group.attached, &group.name);
        }
        self.add_beside(&user.arn, &mut written);
        written
    }

    /// What a group gives whoever joins it.
    pub fn group(&self, group: &Group) -> Effective {
        let mut written = Written::default();
        written.held(self, &group.inline, &group.attached, &group.name);
        self.of_caller(Who { user: Some(""), ..Who::default() }, None, written, || false).effective
    }

    /// The same of a group of the account, by its place.
    pub fn group_at(&self, place: usize) -> Rc<Effective> {
        let group = || Rc::new(self.group(&self.account.groups[place]));
        Rc::clone(self.groups[place].get_or_init(group))
    }

    fn ceiling(&self, boundary: Option<&Boundary>, caller: Caller<'_>, reading: &mut Reading) -> Ceiling {
        let Some(boundary) = boundary.filter(|boundary| !boundary.arn.is_empty()) else {
            return Ceiling::None;
        };
        let Some(mut grants) = self.managed(&boundary.arn) else {
            return Ceiling::Missing { arn: boundary.arn.clone() };
        };
        if grants.iter().any(|grant| grant.depends) {
            let read = |grant: &Grant| {
                let read = grant.of(caller);
                reading.note(grant, read.as_ref());
                read
            };
            grants = grants.iter().filter_map(read).collect();
        }
        Ceiling::Known { source: Rc::new(Source::managed(&boundary.arn)), grants }
    }

    /// The compiled statements of a managed policy: the account's copy, else the embedded one of AWS.
    pub fn managed(&self, arn: &str) -> Option<Rc<[Grant]>> {
        if let Some(known) = self.compiled.borrow().get(arn) {
            return known.clone();
        }
        // Exporters leave out documents of AWS's own policies, which are known.
        let told = self.policies.get(arn).and_then(|policy| policy.default_document());
        let grants = match told.and_then(|document| self.compile(document)) {
            Some(grants) => Some(grants),
            None => self.fallback(arn).and_then(|document| self.compile(&document)),
        };
        self.compiled.borrow_mut().insert(arn.to_owned(), grants.clone());
        grants
    }

    /// The document of a managed policy, as it is written.
    pub fn document(&self, arn: &str) -> Option<Rc<Document>> {
        let told = self.policies.get(arn).and_then(|policy| policy.default_document());
        match told.filter(|document| document.policy().is_some()) {
            Some(document) => Some(Rc::new(document.clone())),
            None => self.fallback(arn),
        }
    }

    fn fallback(&self, arn: &str) -> Option<Rc<Document>> {
        let mut cache = self.fallback.borrow_mut();
        let find =
            || super::account::is_aws_owned(arn).then(|| managed::find(&in_partition_aws(arn))).flatten();
        cache.entry(arn.to_owned()).or_insert_with(|| find().map(|policy| Rc::new(policy.document()))).clone()
    }

    /// Compiles a document; `None` when it is malformed.
    pub fn compile(&self, document: &Document) -> Option<Rc<[Grant]>> {
        self.compiler.compile(document)
    }

    /// As [`Self::compile`], for a document that stays: equal ones are compiled once.
    fn compile_inline(&self, document: &Document) -> Option<Rc<[Grant]>> {
        let statements = &document.policy()?.statements;
        let places = places(statements);
        if let Some((_, known)) = self.inline.borrow().get(&places) {
            return Some(Rc::clone(known));
        }
        let grants = self.compile(document)?;
        self.inline.borrow_mut().insert(places, (statements.clone(), Rc::clone(&grants)));
        Some(grants)
    }

    /// The catalogued actions that a pattern matches.
    pub fn expand(&self, pattern: &str) -> Rc<[ActionId]> {
        self.compiler.expand(pattern)
    }
}

/// A principal, as far as conditions ask about it.
#[derive(Clone, Copy, Default)]
struct Who<'a> {
    arn: &'a str,
    id: &'a str,
    user: Option<&'a str>,
    tags: &'a [Tag],
}

/// What the ARN of a source begins with that is no policy of the principal itself.
pub const BESIDE: &str = "beside:";

/// A statement of a resource's or the organization's.
struct Beside {
    source: Rc<Source>,
    grant: Grant,
}

impl Beside {
    /// Whether the statement is about a principal of the account. One that allows the account as a whole
    /// leaves it to the account's own policies; one that denies it denies everybody there.
    fn is_about(&self, arn: &str, account: &str) -> bool {
        let statement = &self.grant.statement;
        // A statement of the organization names nobody: it is about all.
        let Some(principals) = &statement.principals else { return true };
        let is_whole = |value: &str| {
            value == account || (value.ends_with(":root") && account_of(value) == Some(account))
        };
        // A Deny that spares the account spares its root user: docs/aws/iam.md#principals-by-condition.
        let by_account = !statement.allow && !principals.negated;
        let is_it = |(kind, value): &(String, String)| {
            value == "*"
                || (kind.eq_ignore_ascii_case("AWS") && (value == arn || (by_account && is_whole(value))))
        };
        principals.listed.iter().any(is_it) != principals.negated
    }
}

/// The compiled statements of a principal, as its policies have them.
#[derive(Default)]
pub(super) struct Written {
    pub grants: Vec<(Rc<Source>, Grant)>,
    unreadable: Vec<(String, String)>,
}

impl Written {
    /// What a principal, or a group that it is in, holds.
    fn held(&mut self, engine: &Engine<'_>, inline: &[InlinePolicy], attached: &[Attachment], group: &str) {
        for policy in inline {
            let (name, arn) = (policy.name.clone(), String::new());
            let source = Source { name, arn, group: group.to_owned() };
            match (&policy.document, engine.compile_inline(&policy.document)) {
                (Document::Malformed(why), _) => self.unreadable.push((source.label(), why.clone())),
                (_, grants) => self.add(source, grants.iter().flat_map(|grants| grants.iter())),
            }
        }
        for attachment in attached {
            let source = Source { group: group.to_owned(), ..Source::managed(&attachment.arn) };
            match engine.managed(&attachment.arn) {
                Some(grants) => self.add(source, grants.iter()),
                None => self.unreadable.push((source.label(), unreadable_reason(engine, &attachment.arn))),
            }
        }
    }

    fn add<'g>(&mut self, source: Source, grants: impl Iterator<Item = &'g Grant>) {
        let source = Rc::new(source);
        self.grants.extend(grants.map(|grant| (Rc::clone(&source), grant.clone())));
    }
}

fn covers_action(statement: &Statement, action: &str) -> bool {
    statement.actions.covers(action, pattern::matches_ignoring_case)
}

fn unreadable_reason(engine: &Engine<'_>, arn: &str) -> String {
    match engine.policy(arn).and_then(ManagedPolicy::default_document) {
        Some(Document::Malformed(why)) => why.clone(),
        _ => "its document is not in the dump".into(),
    }
}
