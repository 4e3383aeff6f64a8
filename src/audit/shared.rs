//! Who holds the same: what principals may do is worked out once for all of whom it is the same.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use super::account::{Attachment, Boundary, InlinePolicy, Role, User};
use opsctl_iam::caller::Caller;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::{Grant, Source, Sourced};
use opsctl_iam::policy::{Document, Statement};

/// Where the statements of a document are.
pub(super) type Places = Vec<*const Statement>;

pub(super) fn places(statements: &[Arc<Statement>]) -> Places {
    statements.iter().map(Arc::as_ptr).collect()
}

/// One of the things that decide what a principal may do.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Holding {
    /// A policy of its own: its name, for evidence, and its statements, which equal ones share.
    Inline(String, Places),
    Attached(String),
    /// The groups that it is in, by their places in the account.
    Groups(Vec<usize>),
    /// A group that is not in the data.
    Unknown(String),
    Boundary(String),
}

/// All that a principal holds; `None` where a document of its own cannot be read.
pub(super) type Holdings = Option<Vec<Holding>>;

impl Holding {
    pub(super) fn all_of_role(role: &Role) -> Holdings {
        Self::own(&role.inline, &role.attached, role.permissions_boundary.as_ref())
    }

    /// Of a user in these groups of the account.
    pub(super) fn all_of_user(user: &User, groups: &[usize], unknown: &[&String]) -> Holdings {
        let mut all = Self::own(&user.inline, &user.attached, user.permissions_boundary.as_ref())?;
        all.push(Self::Groups(groups.to_vec()));
        all.extend(unknown.iter().map(|&name| Self::Unknown(name.clone())));
        Some(all)
    }

    fn own(inline: &[InlinePolicy], attached: &[Attachment], boundary: Option<&Boundary>) -> Holdings {
        let of = |document: &Document| Some(places(&document.policy()?.statements));
        let inline = inline.iter().map(|p| Some(Self::Inline(p.name.clone(), of(&p.document)?)));
        let attached = attached.iter().map(|policy| Some(Self::Attached(policy.arn.clone())));
        let boundary = boundary.map(|boundary| Some(Self::Boundary(boundary.arn.clone())));
        inline.chain(attached).chain(boundary).collect()
    }
}

/// What a principal may do, and how far that is its own.
pub(super) struct Personal {
    pub effective: Effective,
    /// How the statements read that read otherwise for others; `None` where there are no such.
    pub reading: Option<Reading>,
}

/// A short form of how statements read for a caller: equal readings have equal ones.
#[derive(Default)]
pub(super) struct Reading(DefaultHasher);

impl Reading {
    /// Notes what became of a statement; `None`: it is not about the caller.
    pub(super) fn note(&mut self, was: &Grant, is: Option<&Grant>) {
        match is {
            Some(is) if Arc::ptr_eq(&was.statement, &is.statement) => 1.hash(&mut self.0),
            Some(is) => (&is.statement.resources, &is.statement.conditions).hash(&mut self.0),
            None => 0.hash(&mut self.0),
        }
    }
}

/// The statements as they read for one caller.
#[derive(Default)]
pub(super) struct Collected {
    pub allows: Vec<Sourced>,
    pub denies: Vec<Sourced>,
    pub void: Vec<Sourced>,
    pub reading: Reading,
}

impl Collected {
    pub(super) fn add(&mut self, source: &Rc<Source>, grant: &Grant, caller: Caller<'_>) {
        let source = Rc::clone(source);
        let read = grant.of(caller);
        if grant.depends {
            self.reading.note(grant, read.as_ref());
        }
        match read {
            Some(grant) if grant.statement.allow => self.allows.push(Sourced { source, grant }),
            Some(grant) => self.denies.push(Sourced { source, grant }),
            None => self.void.push(Sourced { source, grant: grant.clone() }),
        }
    }
}

/// What those may do who hold the same.
enum Known {
    /// Whoever they are.
    Always(Rc<Effective>),
    /// By how the statements read for them.
    ByReading(HashMap<u64, Vec<Rc<Effective>>>),
}

/// What was worked out so far.
#[derive(Default)]
pub(super) struct Shared {
    known: HashMap<Vec<Holding>, Known>,
    /// How many have a number.
    count: u32,
}

impl Shared {
    /// What everybody may do who holds this.
    pub(super) fn always(&self, holdings: &[Holding]) -> Option<Rc<Effective>> {
        match self.known.get(holdings)? {
            Known::Always(effective) => Some(Rc::clone(effective)),
            Known::ByReading(_) => None,
        }
    }

    /// What a principal may do, as it is known of others, or kept for them.
    pub(super) fn keep(&mut self, holdings: Vec<Holding>, personal: Personal) -> Rc<Effective> {
        let Personal { mut effective, reading } = personal;
        effective.serial = Some(self.count);
        let Some(Reading(reading)) = reading else {
            self.count += 1;
            let effective = Rc::new(effective);
            self.known.insert(holdings, Known::Always(Rc::clone(&effective)));
            return effective;
        };
        let known = self.known.entry(holdings).or_insert_with(|| Known::ByReading(HashMap::new()));
        let Known::ByReading(known) = known else { unreachable!("the same policies read alike") };
        let alike = known.entry(reading.finish()).or_default();
        if let Some(same) = alike.iter().find(|known| is_same(known, &effective)) {
            return Rc::clone(same);
        }
        self.count += 1;
        let effective = Rc::new(effective);
        alike.push(Rc::clone(&effective));
        effective
    }
}

/// Whether two that hold the same policies have the same statements.
fn is_same(one: &Effective, other: &Effective) -> bool {
    let lists = [(&one.allows, &other.allows), (&one.denies, &other.denies), (&one.void, &other.void)];
    let same = lists.into_iter().all(|(one, other)| {
        let pairs = one.iter().zip(other);
        one.len() == other.len()
            && pairs.into_iter().all(|(a, b)| a.source == b.source && a.grant.reads_as(&b.grant))
    });
    let (mine, theirs) = (limits(&one.ceiling), limits(&other.ceiling));
    same && mine.len() == theirs.len() && mine.iter().zip(theirs).all(|(a, b)| a.reads_as(b))
}

fn limits(ceiling: &Ceiling) -> &[Grant] {
    match ceiling {
        Ceiling::Known { grants, .. } => grants,
        _ => &[],
    }
}
