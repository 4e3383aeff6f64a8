//! What a role may really do: all its policies together, minus Deny, within the boundary, with every
//! condition weighed.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::account::{Account, Attachment, Boundary, InlinePolicy, ManagedPolicy, Role, User};
use opsctl_iam::action_set::{ActionId, ActionSet};
use opsctl_iam::caller::{self, Caller};
use opsctl_iam::catalogue::{Catalogue, Home, Named, in_partition_aws};
use opsctl_iam::condition::{self, Hold};
use opsctl_iam::managed;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Document, Scope, Statement};
use opsctl_iam::time::Instant;

/// Compiles documents against the catalogue, each distinct pattern and each managed policy once.
pub struct Engine<'a> {
    pub account: &'a Account,
    pub catalogue: &'static Catalogue,
    /// When the question is asked; `None`: limits in time count as none.
    pub now: Option<Instant>,
    policies: HashMap<&'a str, &'a ManagedPolicy>,
    fallback: RefCell<HashMap<String, Option<Rc<Document>>>>,
    whole: OnceCell<ActionSet>,
    actions: RefCell<HashMap<String, Rc<[ActionId]>>>,
    unlimited: [RefCell<HashMap<String, Rc<ActionSet>>>; 2],
    compiled: RefCell<HashMap<String, Option<Rc<[Grant]>>>>,
}

/// One statement, compiled. For a Deny it is what the statement takes away.
#[derive(Clone, Debug)]
pub struct Grant {
    pub statement: Arc<Statement>,
    /// Place in its document, from 0.
    pub index: usize,
    /// The catalogued actions it names.
    pub actions: Rc<ActionSet>,
    /// Those of them it names without leaving out a resource.
    pub unlimited: Rc<ActionSet>,
    pub hold: Hold,
    /// Whether who calls, or when, may decide a condition of it.
    depends: bool,
    /// Whether what it names depends on the call: variables that the account alone does not decide.
    pub has_variables: bool,
}

impl Grant {
    /// Whether the statement names an action, catalogued or not.
    pub fn names(&self, action: &str) -> bool {
        self.statement.actions.covers(action, pattern::matches_ignoring_case)
    }

    /// Whether the statement names a resource.
    pub fn reaches(&self, resource: &str) -> bool {
        self.statement.resources.as_ref().is_some_and(|scope| scope.covers(resource, pattern::matches))
    }

    /// Whether whatever the other one allows, this one allows too. Decided statement by statement: what only several
    /// of them cover together is not seen.
    pub fn covers(&self, other: &Self) -> bool {
        let conditions = &self.statement.conditions;
        let same_or_fewer = conditions.iter().all(|c| other.statement.conditions.contains(c));
        let named = match (&self.statement.resources, &other.statement.resources) {
            (Some(Scope::Only(mine)), Some(Scope::Only(theirs))) => {
                theirs.iter().all(|pattern| mine.iter().any(|wider| pattern::matches(wider, pattern)))
            }
            (mine, theirs) => mine == theirs,
        };
        same_or_fewer
            && other.actions.is_subset(&self.actions)
            && (named || other.actions.is_subset(&self.unlimited))
    }

    /// The statement as it reads for one caller; `None` when it cannot apply to it.
    fn of(&self, caller: Caller<'_>) -> Option<Self> {
        if !self.depends {
            return Some(self.clone());
        }
        let statement = caller.read(&self.statement)?;
        let hold = condition::hold(&statement);
        Some(Self { statement, hold, depends: false, ..self.clone() })
    }

    /// The action pattern that lets an action in, for evidence.
    pub fn pattern_for(&self, action: &str) -> String {
        match &self.statement.actions {
            Scope::Only(patterns) => {
                let found = patterns.iter().find(|p| pattern::matches_ignoring_case(p, action));
                found.map_or_else(|| action.to_owned(), Clone::clone)
            }
            Scope::Except(patterns) => format!("everything but {}", shorten(patterns)),
        }
    }
}

/// Where a grant comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The policy's name.
    pub name: String,
    /// Empty for an inline policy.
    pub arn: String,
}

impl Source {
    /// `policy AmazonS3FullAccess` or `inline policy deploy`.
    pub fn label(&self) -> String {
        let kind = if self.arn.is_empty() { "inline policy" } else { "policy" };
        format!("{kind} {}", self.name)
    }
}

/// A grant and where it comes from.
#[derive(Clone, Debug)]
pub struct Sourced {
    pub source: Rc<Source>,
    pub grant: Grant,
}

impl Sourced {
    /// `policy X, statement 2: s3:* on *`, with the condition and its class.
    pub fn evidence(&self, action: &str) -> String {
        let statement = &self.grant.statement;
        let resources = statement.resources.as_ref().map_or_else(String::new, |scope| match scope {
            Scope::Only(patterns) => format!(" on {}", shorten(patterns)),
            Scope::Except(patterns) => format!(" on everything but {}", shorten(patterns)),
        });
        let effect = if statement.allow { "" } else { "denies " };
        format!(
            "{}, {}: {effect}{}{resources}{}",
            self.source.label(),
            statement.label(self.grant.index),
            self.grant.pattern_for(action),
            condition_text(statement, self.grant.hold),
        )
    }
}

/// ` if Bool aws:MultiFactorAuthPresent = true (strong condition)`, or nothing.
pub fn condition_text(statement: &Statement, hold: Hold) -> String {
    if statement.conditions.is_empty() {
        return String::new();
    }
    let all: Vec<_> = statement.conditions.iter().map(ToString::to_string).collect();
    format!(" if {} ({} condition)", all.join(" and "), hold.word())
}

/// The first few of a list, and how many more there are.
pub fn shorten(list: &[String]) -> String {
    const SHOWN: usize = 3;
    let head = list[..list.len().min(SHOWN)].join(", ");
    if list.len() > SHOWN { format!("{head} and {} more", list.len() - SHOWN) } else { head }
}

/// The ceiling on a role.
#[derive(Debug)]
pub enum Ceiling {
    None,
    /// The boundary's statements.
    Known {
        source: Rc<Source>,
        grants: Rc<[Grant]>,
    },
    /// A boundary whose document is nowhere: neither unlimited nor empty, but unknown.
    Missing {
        arn: String,
    },
}

/// The effective permissions of a role or user.
#[derive(Debug)]
pub struct Effective {
    pub allows: Vec<Sourced>,
    pub denies: Vec<Sourced>,
    pub ceiling: Ceiling,
    /// Statements that cannot apply to the role: they are over, or for somebody else.
    pub void: Vec<Sourced>,
    /// Policies whose document is missing or malformed, and why: what they grant is unknown.
    pub unreadable: Vec<(String, String)>,
    /// Before Deny and boundary: allowed without leaving out a resource, whatever the condition.
    pub identity: ActionSet,
    /// Allowed on all resources, held back by nothing worth the name.
    pub open: ActionSet,
    /// Allowed on all resources, perhaps under a condition. Contains `open`.
    pub held: ActionSet,
    /// Allowed on some resource, held back by nothing. Contains `open`.
    pub some: ActionSet,
}

impl<'a> Engine<'a> {
    /// An engine for one account, without a clock.
    pub fn new(account: &'a Account) -> Self {
        Self {
            account,
            catalogue: Catalogue::embedded(),
            now: None,
            policies: account.policies.iter().map(|policy| (policy.arn.as_str(), policy)).collect(),
            fallback: RefCell::default(),
            whole: OnceCell::new(),
            actions: RefCell::default(),
            unlimited: Default::default(),
            compiled: RefCell::default(),
        }
    }

    /// An engine that knows what time it is.
    pub fn at(account: &'a Account, now: Instant) -> Self {
        Self { now: Some(now), ..Self::new(account) }
    }

    /// The account's record of a managed policy.
    pub fn policy(&self, arn: &str) -> Option<&'a ManagedPolicy> {
        self.policies.get(arn).copied()
    }

    /// The effective permissions of a role.
    pub fn role(&self, role: &Role) -> Effective {
        let mut collected = Collected::of(self.caller(&role.arn, None));
        collected.inline(self, &role.inline);
        collected.attached(self, &role.attached);
        self.effective(collected, role.permissions_boundary.as_ref())
    }

    fn caller<'c>(&'c self, arn: &'c str, user: Option<&'c str>) -> Caller<'c> {
        Caller { arn, account: &self.account.id, user, now: self.now }
    }

    /// The effective permissions of a user, those of the groups included.
    pub fn user(&self, user: &User) -> Effective {
        let mut collected = Collected::of(self.caller(&user.arn, Some(&user.name)));
        collected.inline(self, &user.inline);
        collected.attached(self, &user.attached);
        for group in self.account.groups.iter().filter(|group| user.groups.contains(&group.name)) {
            collected.inline(self, &group.inline);
            collected.attached(self, &group.attached);
        }
        self.effective(collected, user.permissions_boundary.as_ref())
    }

    fn effective(&self, collected: Collected<'_>, boundary: Option<&Boundary>) -> Effective {
        let Collected { caller, allows, denies, void, unreadable } = collected;
        let allowed = Reach::of(allows.iter().map(|s| &s.grant));
        let denied = everywhere(denies.iter().map(|s| &s.grant));
        let (mut open, mut held, mut some) = (allowed.open, allowed.held, allowed.some);
        let identity = held.clone();
        [&mut open, &mut held, &mut some].into_iter().for_each(|set| set.subtract(&denied));
        let ceiling = self.ceiling(boundary, caller);
        if let Ceiling::Known { grants, .. } = &ceiling {
            let mut limit = Reach::of(grants.iter().filter(|g| g.statement.allow));
            let denied = everywhere(grants.iter().filter(|g| !g.statement.allow));
            [&mut limit.open, &mut limit.held, &mut limit.some]
                .into_iter()
                .for_each(|set| set.subtract(&denied));
            open.intersect(&limit.open);
            held.intersect(&limit.held);
            some.intersect(&limit.some);
        }
        Effective { allows, denies, ceiling, void, unreadable, identity, open, held, some }
    }

    fn ceiling(&self, boundary: Option<&Boundary>, caller: Caller<'_>) -> Ceiling {
        match boundary.filter(|boundary| !boundary.arn.is_empty()) {
            None => Ceiling::None,
            Some(boundary) => match self.managed(&boundary.arn) {
                Some(grants) => {
                    let grants = match grants.iter().any(|grant| grant.depends) {
                        true => grants.iter().filter_map(|grant| grant.of(caller)).collect(),
                        false => grants,
                    };
                    Ceiling::Known { source: Rc::new(Source::managed(&boundary.arn)), grants }
                }
                None => Ceiling::Missing { arn: boundary.arn.clone() },
            },
        }
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

    fn fallback(&self, arn: &str) -> Option<Rc<Document>> {
        let mut cache = self.fallback.borrow_mut();
        let find =
            || super::account::is_aws_owned(arn).then(|| managed::find(&in_partition_aws(arn))).flatten();
        cache.entry(arn.to_owned()).or_insert_with(|| find().map(|policy| Rc::new(policy.document()))).clone()
    }

    /// Compiles a document; `None` when it is malformed.
    pub fn compile(&self, document: &Document) -> Option<Rc<[Grant]>> {
        let policy = document.policy()?;
        let knows_variables = policy.version.as_deref() == Some("2012-10-17");
        let statements = policy.statements.iter().enumerate();
        let compiled = statements.map(|(i, s)| match self.resolved(s).filter(|_| knows_variables) {
            Some(resolved) => self.compile_statement(i, &resolved),
            None => self.compile_statement(i, s),
        });
        let named = |grant: &Grant| {
            let mut patterns = grant.statement.resources.iter().flat_map(|scope| scope.patterns());
            knows_variables && patterns.any(|pattern| pattern.contains("${"))
        };
        Some(compiled.map(|grant| Grant { has_variables: named(&grant), ..grant }).collect())
    }

    /// The statement with the variables put in that are the same for everybody in the account.
    fn resolved(&self, statement: &Arc<Statement>) -> Option<Arc<Statement>> {
        const OWN: [&str; 2] = ["${aws:PrincipalAccount}", "${aws:ResourceAccount}"];
        let patterns = statement.resources.as_ref()?.patterns();
        let named = patterns.iter().any(|p| OWN.iter().any(|own| p.contains(own)));
        (named && !self.account.id.is_empty()).then(|| {
            let mut resolved = Statement::clone(statement);
            for pattern in resolved.resources.iter_mut().flat_map(Scope::patterns_mut) {
                OWN.iter().for_each(|own| *pattern = pattern.replace(own, &self.account.id));
            }
            Arc::new(resolved)
        })
    }

    fn compile_statement(&self, index: usize, statement: &Arc<Statement>) -> Grant {
        let mut actions = ActionSet::default();
        for pattern in statement.actions.patterns() {
            match pattern::is_everything(pattern) {
                true => actions.union(self.whole()),
                false => actions.extend(self.expand(pattern).iter().copied()),
            }
        }
        if let Scope::Except(_) = statement.actions {
            let mut rest = self.whole().clone();
            rest.subtract(&actions);
            actions = rest;
        }
        let actions = Rc::new(actions);
        let unlimited = match &statement.resources {
            None => Rc::default(),
            Some(Scope::Only(patterns)) if patterns.iter().any(|p| pattern::is_everything(p)) => {
                Rc::clone(&actions)
            }
            Some(Scope::Only(patterns)) => {
                let mut all = ActionSet::default();
                for pattern in patterns {
                    all.union(&self.unlimited_by(pattern, statement.allow));
                }
                all.intersect(&actions);
                Rc::new(all)
            }
            // What is left out may be all that matters: a Deny of this form takes nothing away for sure.
            Some(Scope::Except(_)) if !statement.allow => Rc::default(),
            Some(Scope::Except(patterns)) => {
                let mut rest = ActionSet::clone(&actions);
                patterns.iter().for_each(|pattern| rest.subtract(&self.unlimited_by(pattern, false)));
                Rc::new(rest)
            }
        };
        Grant {
            statement: Arc::clone(statement),
            index,
            actions,
            unlimited,
            hold: condition::hold(statement),
            depends: caller::depends(statement),
            has_variables: false,
        }
    }

    /// Every catalogued action.
    fn whole(&self) -> &ActionSet {
        self.whole.get_or_init(|| self.catalogue.all().collect())
    }

    /// The catalogued actions that a pattern matches; each pattern is worked out once.
    pub fn expand(&self, pattern: &str) -> Rc<[ActionId]> {
        if let Some(known) = self.actions.borrow().get(pattern) {
            return Rc::clone(known);
        }
        let ids: Rc<[ActionId]> = self.catalogue.expand(pattern).into();
        self.actions.borrow_mut().insert(pattern.to_owned(), Rc::clone(&ids));
        ids
    }

    /// The actions for which a resource pattern leaves nothing out: of any type they take, for an Allow; of
    /// every type, for what takes away.
    fn unlimited_by(&self, resource: &str, of_any_type: bool) -> Rc<ActionSet> {
        let cache = &self.unlimited[usize::from(of_any_type)];
        if let Some(known) = cache.borrow().get(resource) {
            return Rc::clone(known);
        }
        let home = Home { partition: self.account.partition(), account: &self.account.id };
        let set = Rc::new(match of_any_type {
            _ if pattern::is_everything(resource) => self.whole().clone(),
            true => self.catalogue.unlimited_by(resource, home),
            false => self.catalogue.wholly_covered_by(resource, home),
        });
        // Most patterns that name a thing are used once and cover no type: only the others are kept.
        if !set.is_empty() {
            cache.borrow_mut().insert(resource.to_owned(), Rc::clone(&set));
        }
        set
    }
}

impl Source {
    fn managed(arn: &str) -> Self {
        Self { name: arn.rsplit('/').next().unwrap_or(arn).to_owned(), arn: arn.to_owned() }
    }
}

struct Collected<'c> {
    caller: Caller<'c>,
    allows: Vec<Sourced>,
    denies: Vec<Sourced>,
    void: Vec<Sourced>,
    unreadable: Vec<(String, String)>,
}

impl<'c> Collected<'c> {
    fn of(caller: Caller<'c>) -> Self {
        let (allows, denies, void, unreadable) = Default::default();
        Self { caller, allows, denies, void, unreadable }
    }

    fn inline(&mut self, engine: &Engine<'_>, policies: &[InlinePolicy]) {
        for policy in policies {
            let source = Source { name: policy.name.clone(), arn: String::new() };
            match (&policy.document, engine.compile(&policy.document)) {
                (Document::Malformed(why), _) => self.unreadable.push((source.label(), why.clone())),
                (_, grants) => self.add(source, grants.iter().flat_map(|grants| grants.iter())),
            }
        }
    }

    fn attached(&mut self, engine: &Engine<'_>, attachments: &[Attachment]) {
        for attachment in attachments {
            let source = Source::managed(&attachment.arn);
            match engine.managed(&attachment.arn) {
                Some(grants) => self.add(source, grants.iter()),
                None => self.unreadable.push((source.label(), unreadable_reason(engine, &attachment.arn))),
            }
        }
    }

    fn add<'g>(&mut self, source: Source, grants: impl Iterator<Item = &'g Grant>) {
        let source = Rc::new(source);
        for grant in grants {
            let source = Rc::clone(&source);
            match grant.of(self.caller) {
                Some(grant) if grant.statement.allow => self.allows.push(Sourced { source, grant }),
                Some(grant) => self.denies.push(Sourced { source, grant }),
                None => self.void.push(Sourced { source, grant: grant.clone() }),
            }
        }
    }
}

fn unreadable_reason(engine: &Engine<'_>, arn: &str) -> String {
    match engine.policy(arn).and_then(ManagedPolicy::default_document) {
        Some(Document::Malformed(why)) => why.clone(),
        _ => "its document is not in the dump".into(),
    }
}

struct Reach {
    open: ActionSet,
    held: ActionSet,
    some: ActionSet,
}

impl Reach {
    fn of<'g>(allows: impl Iterator<Item = &'g Grant>) -> Self {
        let mut reach =
            Self { open: ActionSet::default(), held: ActionSet::default(), some: ActionSet::default() };
        for grant in allows {
            reach.held.union(&grant.unlimited);
            if grant.hold.is_open() {
                reach.open.union(&grant.unlimited);
                reach.some.union(&grant.actions);
            }
        }
        reach
    }
}

/// What is denied whatever the resource and the circumstances. A Deny under a condition takes nothing away
/// for sure, not even under one that everybody can meet: they can also not meet it.
fn everywhere<'g>(denies: impl Iterator<Item = &'g Grant>) -> ActionSet {
    let mut denied = ActionSet::default();
    denies.filter(|deny| deny.statement.conditions.is_empty()).for_each(|deny| denied.union(&deny.unlimited));
    denied
}

impl Effective {
    /// Whether an action is allowed everywhere at the right moment: with MFA, from the office, through a service.
    pub fn allows_at_times(&self, action: ActionId) -> bool {
        let at_times = |s: &&Sourced| {
            s.grant.unlimited.contains(action) && condition::is_circumstance(&s.grant.statement)
        };
        self.held.contains(action) && self.allowing(action).any(|s| at_times(&s))
    }

    /// The allowing statements that name a catalogued action.
    pub fn allowing(&self, action: ActionId) -> impl Iterator<Item = &Sourced> {
        self.allows.iter().filter(move |s| s.grant.actions.contains(action))
    }

    /// The statements that give an action on all resources first, then the others; one line each, at most `most`.
    pub fn evidence(&self, catalogue: &Catalogue, action: ActionId, most: usize) -> Vec<String> {
        let mut found: Vec<&Sourced> = self.allowing(action).collect();
        found.sort_by_key(|s| (!s.grant.unlimited.contains(action), !s.grant.hold.is_open()));
        found.into_iter().take(most).map(|s| s.evidence(catalogue.name(action))).collect()
    }

    /// What Deny and the boundary do about the role, for evidence; empty when there is neither.
    pub fn limits(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.ceiling {
            Ceiling::None => {}
            Ceiling::Known { source, .. } => lines.push(format!("boundary {} was applied", source.name)),
            Ceiling::Missing { arn } => lines.push(format!("boundary {arn}: its document is missing")),
        }
        for deny in &self.denies {
            let effect = if deny.grant.statement.conditions.is_empty() {
                "was applied"
            } else {
                "holds only under its condition"
            };
            lines.push(format!(
                "a Deny in {}, {} {effect}",
                deny.source.label(),
                deny.grant.statement.label(deny.grant.index)
            ));
        }
        lines
    }
}

/// How far a set of actions makes its holder an administrator of the account.
pub fn is_admin(set: &ActionSet, catalogue: &Catalogue) -> bool {
    is_everything(set, catalogue) || has_admin_kernel(set, catalogue)
}

/// At least 95 % of all actions.
pub fn is_everything(set: &ActionSet, catalogue: &Catalogue) -> bool {
    set.len() * 100 >= catalogue.len() * 95
}

/// Enough of IAM to make oneself an administrator at will: nearly all of `iam:*`, or the power to rewrite
/// any role together with the power to become or to pass any role.
pub fn has_admin_kernel(set: &ActionSet, catalogue: &Catalogue) -> bool {
    static REWRITES: Named = Named::new(&[
        "iam:PutRolePolicy",
        "iam:AttachRolePolicy",
        "iam:CreatePolicyVersion",
        "iam:UpdateAssumeRolePolicy",
    ]);
    static BECOMES: Named = Named::new(&["iam:PassRole", "sts:AssumeRole"]);
    if !REWRITES.any_in(set) {
        return false;
    }
    let iam = catalogue.service("iam").unwrap_or(0..0);
    let held = iam.clone().filter(|&id| set.contains(id)).count();
    held * 100 >= iam.len() * 95 || BECOMES.any_in(set)
}
