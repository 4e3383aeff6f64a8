//! One document, compiled: what each statement names of AWS's actions, and how much its conditions restrict
//! it.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::action_set::{ActionId, ActionSet};
use crate::caller::{self, Caller};
use crate::catalogue::{AccountRef, Catalogue};
use crate::condition;
use crate::narrower;
use crate::pattern;
use crate::policy::{Condition, Document, Selector, Statement};
use crate::restriction::Restriction;
use crate::sent;

/// Compiles documents against the catalogue, each distinct pattern once.
pub struct Compiler<'a> {
    /// The actions that AWS has.
    pub catalogue: &'static Catalogue,
    /// The account that the documents are of; its id may be empty.
    pub home: AccountRef<'a>,
    whole: OnceCell<ActionSet>,
    of_one_region: OnceCell<ActionSet>,
    actions: RefCell<HashMap<String, Rc<[ActionId]>>>,
    unlimited: [RefCell<HashMap<String, Rc<ActionSet>>>; 2],
    regional: RefCell<HashMap<String, Rc<ActionSet>>>,
}

/// One statement, compiled. For a Deny it is what the statement takes away.
#[derive(Clone, Debug)]
pub struct Grant {
    /// As it is written.
    pub statement: Arc<Statement>,
    /// Place in its document, from 0.
    pub index: usize,
    /// Which of the services that it names it is about.
    pub part: Part,
    /// The catalogued actions it names.
    pub actions: Rc<ActionSet>,
    /// Those of them it names without leaving out a resource; an Allow may leave out those of other regions,
    /// as it may by a condition on the region.
    pub unlimited: Rc<ActionSet>,
    /// Of a Deny that spares some resources: the actions that it leaves on those only, so that they are no
    /// longer allowed on all.
    pub confines: Rc<ActionSet>,
    /// How much its conditions hold back.
    pub restriction: Restriction,
    /// Whether the caller or the time may decide one of its conditions.
    pub depends: bool,
    /// Whether what it names depends on the call: variables that the account alone does not decide.
    pub has_variables: bool,
}

/// Which services a compiled statement is about. Those that are asked in one region only know what a
/// condition on the region comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All that it names.
    Whole,
    /// Those that are asked in one region.
    OfOneRegion,
    /// The others.
    OfAnyRegion,
}

/// Services with one endpoint, which is in one region whoever calls from where.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion>
const OF_ONE_REGION: [&str; 3] = ["account", "iam", "organizations"];

/// Where these are, by partition.
/// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
const THEIR_REGIONS: [(&str, &str); 3] =
    [("aws", "us-east-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")];

impl Part {
    fn takes(self, action: &str) -> bool {
        let is_of_one = || {
            let service = action.split(':').next().unwrap_or_default();
            OF_ONE_REGION.iter().any(|known| known.eq_ignore_ascii_case(service))
        };
        self == Self::Whole || is_of_one() == (self == Self::OfOneRegion)
    }
}

impl Grant {
    /// Whether the statement names an action, catalogued or not.
    pub fn names(&self, action: &str) -> bool {
        self.part.takes(action)
            && self.statement.actions.covers(action, pattern::matches_ignoring_case)
            && sent::sends_all(action, &self.statement)
    }

    /// Whether the statement names a resource.
    pub fn reaches(&self, resource: &str) -> bool {
        self.statement.resources.as_ref().is_some_and(|scope| scope.covers(resource, pattern::matches))
    }

    /// Whether whatever the other one names, this one names too. Decided statement by statement: what only
    /// several of them cover together is not seen.
    pub fn covers(&self, other: &Self) -> bool {
        narrower::ask_for(&other.statement.conditions, &self.statement.conditions)
            && other.actions.is_subset(&self.actions)
            && (self.spans_resources_of(other) || self.spans_types_of(other))
    }

    /// Whether the statement names everything that a pattern of resources names.
    pub fn spans(&self, resource: &str) -> bool {
        match &self.statement.resources {
            Some(Selector::Only(wider)) => wider.iter().any(|wider| pattern::includes(wider, resource)),
            Some(Selector::Except(spared)) => !spared.iter().any(|spared| pattern::meet(spared, resource)),
            None => false,
        }
    }

    fn spans_resources_of(&self, other: &Self) -> bool {
        match (&self.statement.resources, &other.statement.resources) {
            (Some(_), Some(Selector::Only(theirs))) => theirs.iter().all(|pattern| self.spans(pattern)),
            (Some(Selector::Except(spared)), Some(Selector::Except(theirs))) => {
                spared.iter().all(|own| theirs.iter().any(|theirs| pattern::includes(theirs, own)))
            }
            (Some(Selector::Only(mine)), Some(Selector::Except(_))) => {
                mine.iter().any(|pattern| pattern::is_everything(pattern))
            }
            (mine, theirs) => mine.is_none() && theirs.is_none(),
        }
    }

    /// Whether no resource that the other's actions take is left out, in this account or in any other. What
    /// the catalogue does not know may take anything.
    fn spans_types_of(&self, other: &Self) -> bool {
        let catalogue = Catalogue::embedded();
        let is_known = |pattern: &String| !catalogue.expand(pattern).is_empty();
        let Selector::Only(actions) = &other.statement.actions else { return false };
        if !actions.iter().all(is_known) {
            return false;
        }
        let mut left = ActionSet::clone(&other.actions);
        match &self.statement.resources {
            Some(Selector::Only(patterns)) => {
                for pattern in patterns.iter().filter(|pattern| pattern::is_wild(pattern)) {
                    left.subtract(&catalogue.wholly_covered_by(pattern, AccountRef::any_for(pattern)));
                }
                left.is_empty()
            }
            Some(Selector::Except(spared)) => spared.iter().all(|pattern| match service_in(pattern) {
                Some(service) => {
                    let mut touched = catalogue.on_resources_of(service);
                    touched.intersect(&left);
                    touched.is_empty()
                }
                None => false,
            }),
            None => false,
        }
    }

    /// The statement with one of its action patterns alone.
    #[must_use]
    pub fn only(&self, pattern: &str) -> Self {
        let named = Catalogue::embedded().expand(pattern).into_iter().collect::<ActionSet>();
        let within = |set: &ActionSet| {
            let mut both = named.clone();
            both.intersect(set);
            Rc::new(both)
        };
        let statement = Statement {
            actions: Selector::Only(vec![pattern.to_owned()]),
            ..Statement::clone(&self.statement)
        };
        Self {
            actions: within(&self.actions),
            unlimited: within(&self.unlimited),
            statement: Arc::new(statement),
            ..self.clone()
        }
    }

    /// The statement as it reads for one caller; `None` when it cannot apply to it.
    pub fn of(&self, caller: Caller<'_>) -> Option<Self> {
        if !self.depends {
            return Some(self.clone());
        }
        let statement = match self.has_variables && caller::has_own_variables(&self.statement) {
            true => {
                let mut filled = Statement::clone(&self.statement);
                let values = filled.conditions.iter_mut().flat_map(|c| &mut c.values);
                let patterns = filled.resources.iter_mut().flat_map(Selector::patterns_mut);
                for text in patterns.chain(values) {
                    if let Some(known) = caller.put_in(text) {
                        *text = known;
                    }
                }
                caller.read(&Arc::new(filled))?
            }
            false => caller.read(&self.statement)?,
        };
        let restriction = condition::restriction(&statement);
        Some(Self { statement, restriction, depends: false, ..self.clone() })
    }

    /// Whether two that were compiled of one statement read alike.
    pub fn reads_as(&self, other: &Self) -> bool {
        (self.index, self.part, self.restriction) == (other.index, other.part, other.restriction)
            && Rc::ptr_eq(&self.actions, &other.actions)
            && (Arc::ptr_eq(&self.statement, &other.statement) || self.statement == other.statement)
    }

    /// The action pattern that lets an action in, for evidence.
    pub fn pattern_for(&self, action: &str) -> String {
        match &self.statement.actions {
            Selector::Only(patterns) => {
                let found = patterns.iter().find(|p| pattern::matches_ignoring_case(p, action));
                found.map_or_else(|| action.to_owned(), Clone::clone)
            }
            Selector::Except(patterns) => format!("everything but {}", shorten(patterns)),
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
    /// The group through which a user holds it; empty for what a principal holds itself.
    pub group: String,
}

impl Source {
    /// A managed policy, known by its ARN.
    pub fn managed(arn: &str) -> Self {
        let name = arn.rsplit('/').next().unwrap_or(arn).to_owned();
        Self { name, arn: arn.to_owned(), group: String::new() }
    }

    /// `policy AmazonS3FullAccess`, `inline policy deploy` or `inline policy deploy of group ops`.
    pub fn label(&self) -> String {
        match (self.arn.is_empty(), self.group.is_empty()) {
            (false, _) => format!("policy {}", self.name),
            (true, true) => format!("inline policy {}", self.name),
            (true, false) => format!("inline policy {} of group {}", self.name, self.group),
        }
    }
}

/// A grant and where it comes from.
#[derive(Clone, Debug)]
pub struct Sourced {
    /// Where it is written.
    pub source: Rc<Source>,
    /// What is written.
    pub grant: Grant,
}

impl Sourced {
    /// `policy X, statement 2: s3:* on *`, with the condition and its class.
    pub fn evidence(&self, action: &str) -> String {
        self.said_of(&self.grant.pattern_for(action))
    }

    /// As [`Sourced::evidence`], of actions that are put into words already.
    pub fn said_of(&self, actions: &str) -> String {
        let statement = &self.grant.statement;
        let resources = statement.resources.as_ref().map_or_else(String::new, |scope| match scope {
            Selector::Only(patterns) => format!(" on {}", shorten(patterns)),
            Selector::Except(patterns) => format!(" on everything but {}", shorten(patterns)),
        });
        let effect = if statement.allow { "" } else { "denies " };
        format!(
            "{}, {}: {effect}{actions}{resources}{}",
            self.source.label(),
            statement.label(self.grant.index),
            condition_text(statement, self.grant.restriction),
        )
    }
}

/// ` if Bool aws:MultiFactorAuthPresent = true (strong condition)`, or nothing.
pub fn condition_text(statement: &Statement, restriction: Restriction) -> String {
    if statement.conditions.is_empty() {
        return String::new();
    }
    let all: Vec<_> = statement.conditions.iter().map(ToString::to_string).collect();
    format!(" if {} ({} condition)", all.join(" and "), restriction.word())
}

/// The statement of a principal with what its caller says of itself known to hold nobody back: an external
/// id and a source identity are parameters of the call. In a trust policy the id is a secret.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#ck_externalid>
fn of_said(statement: &Arc<Statement>) -> Option<Arc<Statement>> {
    // No call of another service has a source identity to set.
    let of_sts = || {
        let of = |action: &String| action.get(..4).is_some_and(|of| of.eq_ignore_ascii_case("sts:"));
        matches!(&statement.actions, Selector::Only(all) if all.iter().all(of))
    };
    let is_said = |c: &Condition| {
        let is_identity = c.key.eq_ignore_ascii_case("sts:SourceIdentity") && of_sts();
        (c.key.eq_ignore_ascii_case("sts:ExternalId") || is_identity)
            && !c.operator.to_ascii_lowercase().contains("null")
    };
    (statement.principals.is_none() && statement.conditions.iter().any(is_said)).then(|| {
        let mut said = Statement::clone(statement);
        let conditions = said.conditions.iter_mut().filter(|c| is_said(c));
        conditions.for_each(|c| c.known = Some(Restriction::Weak));
        Arc::new(said)
    })
}

/// The service that a pattern of ARNs names, if it names one.
fn service_in(pattern: &str) -> Option<&str> {
    // One with fewer fields than an ARN has may name it all the same.
    pattern.split(':').nth(2).filter(|service| !pattern::is_wild(service) && !service.contains('$'))
}

/// The first few of a list, and how many more there are.
pub fn shorten<T: AsRef<str>>(list: &[T]) -> String {
    const SHOWN: usize = 3;
    let head: Vec<&str> = list.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let head = head.join(", ");
    if list.len() > SHOWN { format!("{head} and {} more", list.len() - SHOWN) } else { head }
}

/// How far the resources of a statement go.
#[derive(Default)]
struct Reach {
    /// The actions of which no resource is left out.
    everywhere: Rc<ActionSet>,
    /// Those of which none is left out in some region.
    regional: ActionSet,
    /// See [`Grant::confines`].
    confines: Rc<ActionSet>,
}

impl<'a> Compiler<'a> {
    /// A compiler for policies of this account.
    pub fn new(home: AccountRef<'a>) -> Self {
        Self {
            catalogue: Catalogue::embedded(),
            home,
            whole: OnceCell::new(),
            of_one_region: OnceCell::new(),
            actions: RefCell::default(),
            unlimited: Default::default(),
            regional: RefCell::default(),
        }
    }

    /// Compiles a document; `None` when it is malformed.
    pub fn compile(&self, document: &Document) -> Option<Rc<[Grant]>> {
        let policy = document.policy()?;
        let knows_variables = policy.version.as_deref() == Some("2012-10-17");
        let statements = policy.statements.iter().enumerate();
        let compiled = statements.flat_map(|(i, s)| {
            let resolved = self.resolved(s).filter(|_| knows_variables);
            let said = of_said(resolved.as_ref().unwrap_or(s));
            let parts = self.parts(said.as_ref().or(resolved.as_ref()).unwrap_or(s));
            parts.into_iter().map(move |(part, statement)| self.compile_statement(i, part, &statement))
        });
        let named = |grant: &Grant| {
            let patterns = grant.statement.resources.iter().flat_map(|scope| scope.patterns());
            let values = grant.statement.conditions.iter().flat_map(|c| &c.values);
            knows_variables && patterns.chain(values).any(|text| text.contains("${"))
        };
        let marked = compiled.map(|grant| {
            let has_variables = named(&grant);
            let depends = grant.depends || (has_variables && caller::has_own_variables(&grant.statement));
            Grant { has_variables, depends, ..grant }
        });
        Some(marked.collect())
    }

    /// The statement with the variables put in that are the same for everybody in the account.
    fn resolved(&self, statement: &Arc<Statement>) -> Option<Arc<Statement>> {
        const OWN: [&str; 2] = ["${aws:principalaccount}", "${aws:resourceaccount}"];
        // Names of variables are compared whatever the case, and are ASCII: places stay where they are.
        let place = |text: &str| {
            let lower = text.contains("${").then(|| text.to_ascii_lowercase())?;
            OWN.iter().find_map(|own| lower.find(own).map(|start| start..start + own.len()))
        };
        let patterns = statement.resources.as_ref()?.patterns();
        let named = patterns.iter().any(|p| place(p).is_some());
        (named && !self.home.account.is_empty()).then(|| {
            let mut resolved = Statement::clone(statement);
            for pattern in resolved.resources.iter_mut().flat_map(Selector::patterns_mut) {
                while let Some(range) = place(pattern) {
                    pattern.replace_range(range, self.home.account);
                }
            }
            Arc::new(resolved)
        })
    }

    /// A statement under a condition on the region, taken apart: for the services that are asked in one
    /// region only the condition always holds, or never.
    fn parts(&self, statement: &Arc<Statement>) -> Vec<(Part, Arc<Statement>)> {
        let on_region = |c: &&Condition| c.key.eq_ignore_ascii_case("aws:RequestedRegion");
        let mut asks = statement.conditions.iter().filter(on_region).peekable();
        let there = THEIR_REGIONS.iter().find(|(partition, _)| *partition == self.home.partition);
        let (Some(_), Some((_, region))) = (asks.peek(), there) else {
            return vec![(Part::Whole, Arc::clone(statement))];
        };
        let decided = |c: &Condition| {
            let told = !c.values.iter().any(|v| v.contains("${"));
            told.then(|| condition::admits(c, region)).flatten()
        };
        let Some(holds) = asks.map(decided).collect::<Option<Vec<bool>>>() else {
            return vec![(Part::Whole, Arc::clone(statement))];
        };
        let mut parts = vec![(Part::OfAnyRegion, Arc::clone(statement))];
        if holds.iter().all(|holds| *holds) {
            let mut there = Statement::clone(statement);
            there.conditions.retain(|c| !on_region(&c));
            parts.push((Part::OfOneRegion, Arc::new(there)));
        }
        parts
    }

    /// The catalogued actions of services that are asked in one region.
    fn of_one_region(&self) -> &ActionSet {
        self.of_one_region.get_or_init(|| {
            let ids = OF_ONE_REGION.iter().filter_map(|name| self.catalogue.service(name));
            ids.flatten().collect()
        })
    }

    fn compile_statement(&self, index: usize, part: Part, statement: &Arc<Statement>) -> Grant {
        let mut actions = self.named(&statement.actions);
        match part {
            Part::Whole => {}
            Part::OfOneRegion => actions.intersect(self.of_one_region()),
            Part::OfAnyRegion => actions.subtract(self.of_one_region()),
        }
        if sent::is_limited(statement) {
            let is_sent = |id: &ActionId| sent::sends_all(self.catalogue.name(*id), statement);
            actions = actions.iter().filter(is_sent).collect();
        }
        let actions = Rc::new(actions);
        let Reach { everywhere, mut regional, confines } = self.reach(statement, &actions);
        let unlimited = match regional.is_subset(&everywhere) {
            true => Rc::clone(&everywhere),
            false => {
                regional.union(&everywhere);
                Rc::new(regional)
            }
        };
        Grant {
            statement: Arc::clone(statement),
            index,
            part,
            actions,
            unlimited,
            confines,
            restriction: condition::restriction(statement),
            depends: caller::depends(statement),
            has_variables: false,
        }
    }

    /// The catalogued actions that a statement names.
    fn named(&self, actions: &Selector) -> ActionSet {
        let mut all = ActionSet::default();
        let mut seen = HashSet::new();
        for pattern in actions.patterns().iter().filter(|p| seen.insert(p.as_str())) {
            match pattern::is_everything(pattern) {
                true => all.union(self.whole()),
                false => all.extend(self.expand(pattern).iter().copied()),
            }
        }
        if let Selector::Except(_) = actions {
            let mut rest = self.whole().clone();
            rest.subtract(&all);
            return rest;
        }
        all
    }

    /// How far the resources of a statement go, for the actions that it names.
    fn reach(&self, statement: &Statement, actions: &Rc<ActionSet>) -> Reach {
        let everywhere = match &statement.resources {
            None => Rc::default(),
            Some(Selector::Only(patterns)) if patterns.iter().any(|p| pattern::is_everything(p)) => {
                Rc::clone(actions)
            }
            Some(Selector::Only(patterns)) => return self.reach_of(patterns, statement.allow, actions),
            // What is left out may be all that matters: only actions on other kinds of things are gone.
            Some(Selector::Except(spared)) if !statement.allow => {
                let mut left = ActionSet::clone(actions);
                spared.iter().for_each(|pattern| left.subtract(&self.unlimited_by(pattern, false)));
                left.subtract(&self.catalogue.covered_but_access_points(spared, self.home));
                let mut gone = left.clone();
                spared.iter().for_each(|pattern| gone.subtract(&self.touched_by(pattern)));
                return Reach { everywhere: Rc::new(gone), confines: Rc::new(left), ..Reach::default() };
            }
            Some(Selector::Except(patterns)) => {
                let mut rest = ActionSet::clone(actions);
                patterns.iter().for_each(|pattern| rest.subtract(&self.unlimited_by(pattern, false)));
                Rc::new(rest)
            }
        };
        Reach { everywhere, ..Reach::default() }
    }

    /// How far a list of patterns goes, none of which is everything.
    fn reach_of(&self, patterns: &[String], allow: bool, actions: &ActionSet) -> Reach {
        let (mut all, mut seen) = (ActionSet::default(), HashSet::new());
        for pattern in patterns.iter().filter(|p| seen.insert(p.as_str())) {
            all.union(&self.unlimited_by(pattern, allow));
        }
        all.intersect(actions);
        let everywhere = Rc::new(all);
        if allow {
            let mut regional = ActionSet::default();
            let in_region = |pattern: &String| self.unlimited_in_region(pattern);
            patterns.iter().filter_map(in_region).for_each(|set| regional.union(&set));
            regional.intersect(actions);
            return Reach { everywhere, regional, ..Reach::default() };
        }
        let mut left = self.catalogue.covered_but_access_points(patterns, self.home);
        left.intersect(actions);
        Reach { everywhere, confines: Rc::new(left), ..Reach::default() }
    }

    /// The actions on any resource that a pattern may match, told by the service in its ARN.
    fn touched_by(&self, pattern: &str) -> ActionSet {
        match service_in(pattern) {
            Some(service) => self.catalogue.on_resources_of(service),
            None => self.whole().clone(),
        }
    }

    /// Every catalogued action.
    pub fn whole(&self) -> &ActionSet {
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

    /// The actions for which a resource pattern leaves nothing out in the region that it names.
    fn unlimited_in_region(&self, resource: &str) -> Option<Rc<ActionSet>> {
        if let Some(known) = self.regional.borrow().get(resource) {
            return Some(Rc::clone(known));
        }
        let set = self.catalogue.unlimited_in_region(resource, self.home).map(Rc::new)?;
        if !set.is_empty() {
            self.regional.borrow_mut().insert(resource.to_owned(), Rc::clone(&set));
        }
        Some(set)
    }

    /// The actions for which a resource pattern leaves nothing out: of any type they take, for an Allow; of
    /// every type, for what takes away.
    fn unlimited_by(&self, resource: &str, of_any_type: bool) -> Rc<ActionSet> {
        let cache = &self.unlimited[usize::from(of_any_type)];
        if let Some(known) = cache.borrow().get(resource) {
            return Rc::clone(known);
        }
        let home = self.home;
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
