//! What a rule is, what it may look at, and what it sees.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::audit::account::Account;
use crate::audit::evaluate::Engine;
use crate::audit::finding::{NotEvaluated, Severity};
use crate::audit::graph::Graph;
use crate::audit::role_view::{Admin, RoleKind, RoleView};
use crate::audit::settings::Settings;
use crate::audit::usage::Usage;
use opsctl_iam::catalogue::{Catalogue, KnownActions};
use opsctl_iam::policy::Policy;

// Pages of AWS that rules of several families name.
pub(super) const LEAST_PRIVILEGE: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege";
pub(super) const BOUNDARIES: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html";

/// One rule. The texts are what `opsctl explain IAM101` prints.
pub struct Rule {
    /// `IAM101`
    pub id: &'static str,
    /// `full-access-policy`
    pub slug: &'static str,
    /// The usual severity; a finding may be higher or lower, and says why.
    pub severity: Severity,
    pub title: &'static str,
    pub what: &'static str,
    pub why: &'static str,
    pub fix: &'static str,
    /// AWS's page on the matter.
    pub page: &'static str,
    pub check: Check,
}

/// What a rule examines.
pub enum Check {
    /// At each role that the rule's family applies to.
    Role(fn(&Context<'_>, &RoleView<'_>) -> Option<Hit>),
    /// At what a role may do, and whether only services of AWS may assume it, and at nothing else of it: the
    /// answer for one is that for all that hold the same. What looks at tags, the path, the name or the trust
    /// policy is [`Check::Role`].
    Permissions(fn(&Context<'_>, &RoleView<'_>) -> Option<Hit>),
    /// At the ways that the permissions open, and at nothing else. It is answered once like
    /// [`Check::Permissions`], but for who can become an administrator: ways that lead back to the role
    /// matter to those only.
    Ways(fn(&Context<'_>, &RoleView<'_>) -> Option<Hit>),
    /// At the account as a whole.
    Account(fn(&Context<'_>) -> Vec<Hit>),
    /// At each policy document: a role's inline ones, and each customer managed one.
    Documents(fn(&Context<'_>, &Policy) -> Vec<String>),
    /// Raised while reading, not by looking.
    Reading,
}

/// What a rule saw.
#[derive(Clone, Debug, Default)]
pub struct Hit {
    /// Another resource than the role itself.
    pub resource: Option<String>,
    /// Another severity than the rule's usual one.
    pub severity: Option<Severity>,
    /// Another title than the rule's.
    pub title: Option<String>,
    /// More exact advice than the rule's.
    pub fix: Option<String>,
    pub evidence: Vec<String>,
    /// What names the cause: stable over time, shared by findings with one remedy.
    pub cause: String,
    /// What names the fault, where that is not the cause: what the baseline knows it by.
    pub known_by: Option<String>,
    /// The patterns of actions that it is about, where it lists actions.
    pub actions: Vec<String>,
}

impl Hit {
    /// A hit with its cause and evidence.
    pub fn new(cause: impl Into<String>, evidence: Vec<String>) -> Self {
        Self { cause: cause.into(), evidence, ..Self::default() }
    }

    /// With another severity than the usual one.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// Known to the baseline by something else than its cause.
    #[must_use]
    pub fn known_by(mut self, what: impl Into<String>) -> Self {
        self.known_by = Some(what.into());
        self
    }

    /// With another title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// With more exact advice.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// About another resource than the role.
    #[must_use]
    pub fn on(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }
}

/// The resources by rule, reason, and whether the data was optional.
type Unknowns = BTreeMap<(&'static str, String, bool), BTreeSet<String>>;

/// A rule, what a role holds, and whether only services may assume it.
type Seen = (&'static str, u32, bool);

/// Everything a rule may look at besides the role.
pub struct Context<'a> {
    pub account: &'a Account,
    pub engine: &'a Engine<'a>,
    pub graph: &'a Graph,
    pub catalogue: &'static Catalogue,
    pub usage: &'a Usage,
    pub settings: &'a Settings,
    unknowns: RefCell<Unknowns>,
    /// What rules saw at roles that hold the same.
    seen: RefCell<HashMap<Seen, Option<Hit>>>,
    /// What misspelled actions probably mean; the same slip tends to be everywhere.
    pub(in crate::audit) suggestions: RefCell<HashMap<String, String>>,
}

impl<'a> Context<'a> {
    pub(in crate::audit) fn new(
        engine: &'a Engine<'a>,
        graph: &'a Graph,
        usage: &'a Usage,
        settings: &'a Settings,
    ) -> Self {
        Self {
            account: engine.account,
            engine,
            graph,
            catalogue: engine.catalogue,
            usage,
            settings,
            unknowns: RefCell::default(),
            seen: RefCell::default(),
            suggestions: RefCell::default(),
        }
    }

    /// What a rule sees at all roles that hold the same; looked at once.
    pub(super) fn once(
        &self,
        rule: &'static str,
        serial: Option<u32>,
        of_service: bool,
        look: impl FnOnce() -> Option<Hit>,
    ) -> Option<Hit> {
        let Some(serial) = serial else { return look() };
        if let Some(known) = self.seen.borrow().get(&(rule, serial, of_service)) {
            return known.clone();
        }
        let hit = look();
        self.seen.borrow_mut().insert((rule, serial, of_service), hit.clone());
        hit
    }

    /// Notes that a rule could not be evaluated although its data should be there: the audit is incomplete.
    pub fn undecided(&self, rule: &'static str, resource: &str, reason: impl Into<String>) {
        self.note(rule, resource, reason.into(), false);
    }

    /// Notes that a rule was not evaluated because its data was not asked for.
    pub fn without_data(&self, rule: &'static str, resource: &str, reason: impl Into<String>) {
        self.note(rule, resource, reason.into(), true);
    }

    fn note(&self, rule: &'static str, resource: &str, reason: String, optional: bool) {
        let mut unknowns = self.unknowns.borrow_mut();
        let resources = unknowns.entry((rule, reason, optional)).or_default();
        if !resource.is_empty() {
            resources.insert(resource.to_owned());
        }
    }

    pub(in crate::audit) fn not_evaluated(self) -> Vec<NotEvaluated> {
        let entry = |((rule, reason, optional), resources): (_, BTreeSet<_>)| {
            let resources = resources.into_iter().collect();
            NotEvaluated { rule, reason, optional, resources }
        };
        self.unknowns.into_inner().into_iter().map(entry).collect()
    }

    /// Whether an account is ours: the audited one, or one that the settings name.
    pub fn is_own(&self, account: &str) -> bool {
        account == self.account.id || self.settings.own_accounts.iter().any(|own| own == account)
    }

    /// Whether a role is an administrator, can become one, or holds a key to others' rights on all
    /// resources.
    pub fn is_privileged(&self, view: &RoleView<'_>) -> bool {
        static KEYS: KnownActions = KnownActions::new(&[
            "iam:PutRolePolicy",
            "iam:AttachRolePolicy",
            "iam:CreatePolicyVersion",
            "iam:UpdateAssumeRolePolicy",
            "iam:PassRole",
            "iam:CreateAccessKey",
            "iam:UpdateLoginProfile",
            "sts:AssumeRole",
        ]);
        view.admin >= Admin::Conditional
            || self.graph.reaches_admin(view.index)
            || KEYS.any_in(&view.effective.open)
    }
}

impl Rule {
    /// Whether the rule's family applies to a role at all.
    pub(in crate::audit) fn applies_to(&self, cx: &Context<'_>, view: &RoleView<'_>) -> bool {
        match (view.kind, self.family()) {
            (RoleKind::ServiceLinked, _) => false,
            (RoleKind::IdentityCenter, Family::Permissions | Family::Honesty) => true,
            (RoleKind::IdentityCenter, _) => false,
            (_, Family::Usage) => !cx.settings.is_break_glass(view.role),
            _ => true,
        }
    }

    /// The family, which is the first digit of the number.
    pub fn family(&self) -> Family {
        match self.id.as_bytes().get(3) {
            Some(b'1' | b'2') => Family::Permissions,
            Some(b'3') => Family::Trust,
            Some(b'4') => Family::Usage,
            Some(b'5' | b'6') => Family::Hygiene,
            Some(b'7') => Family::Drift,
            _ => Family::Honesty,
        }
    }
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// What roles may do, and what that can be turned into.
    Permissions,
    /// Who may become them.
    Trust,
    /// Whether they are used.
    Usage,
    /// How they and their policies are kept.
    Hygiene,
    /// Whether they are what the configuration says.
    Drift,
    /// What the audit itself could not see.
    Honesty,
}
