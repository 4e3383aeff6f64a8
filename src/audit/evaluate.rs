//! What a role may really do: the policies that an account gives it, compiled and evaluated.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use opsctl_iam::action_set::ActionId;
use opsctl_iam::caller::Caller;
use opsctl_iam::catalogue::{AccountRef, Catalogue, in_partition_aws};
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::{Compiler, Grant, Source, Sourced};
use opsctl_iam::managed;
use opsctl_iam::policy::Document;
use opsctl_iam::time::Instant;

use super::account::{Account, Attachment, Boundary, InlinePolicy, ManagedPolicy, Role, User};

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
}

impl<'a> Engine<'a> {
    /// An engine for one account, without a clock.
    pub fn new(account: &'a Account) -> Self {
        let compiler = Compiler::new(AccountRef { partition: account.partition(), account: &account.id });
        Self {
            account,
            catalogue: compiler.catalogue,
            compiler,
            now: None,
            policies: account.policies.iter().map(|policy| (policy.arn.as_str(), policy)).collect(),
            fallback: RefCell::default(),
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

    fn effective(&self, collected: Collected<'_>, boundary: Option<&Boundary>) -> Effective {
        let Collected { caller, allows, denies, void, unreadable } = collected;
        Effective::of(allows, denies, self.ceiling(boundary, caller), void, unreadable)
    }

    /// Compiles a document; `None` when it is malformed.
    pub fn compile(&self, document: &Document) -> Option<Rc<[Grant]>> {
        self.compiler.compile(document)
    }

    /// The catalogued actions that a pattern matches.
    pub fn expand(&self, pattern: &str) -> Rc<[ActionId]> {
        self.compiler.expand(pattern)
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
