//! A role with what was worked out about it: who manages it, what it may do, how near it is to an admin.

use std::cell::OnceCell;
use std::rc::Rc;

use super::account::{Role, is_aws_owned};
use super::evaluate::Engine;
use super::loosen::Held;
use super::node::{self, Node};
use super::trust::{self, Admission};
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::condition::Tags;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective, is_admin, is_everything};
use opsctl_iam::moment::Moment;
use opsctl_iam::policy::{Document, Policy};

/// Who manages a role, which decides who can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    Ordinary,
    /// AWS writes it and deletes it: nobody can fix it, so no rule applies.
    ServiceLinked,
    /// Made from a permission set of Identity Center; fixed there.
    IdentityCenter,
    /// Made by Control Tower, StackSets or the like; its findings are shown apart.
    Platform,
}

/// Names of roles that AWS's own platforms make. Findings on them are muted, and listed as such.
pub const PLATFORM_NAMES: &[&str] = &[
    "AWSControlTower*",
    "aws-controltower-*",
    "OrganizationAccountAccessRole",
    "stacksets-exec-*",
    "AWSCloudFormationStackSet*",
    "AWSAFT*",
    "AWSAccelerator*",
    "AWSLandingZone*",
    "AWSQuickSetup*",
    "AWS-QuickSetup-*",
    "AWS-SystemsManager-Automation*Role",
    "cdk-*-cfn-exec-role-*",
    "cdk-*-deploy-role-*",
    "cdk-*-file-publishing-role-*",
    "cdk-*-image-publishing-role-*",
    "cdk-*-lookup-role-*",
];

impl RoleKind {
    /// Told by the path, else by the name. docs/aws/iam.md#who-manages-a-role.
    pub fn of(role: &Role) -> Self {
        if role.path.starts_with("/aws-service-role/") {
            Self::ServiceLinked
        } else if role.path.starts_with("/aws-reserved/sso.amazonaws.com/") {
            Self::IdentityCenter
        } else if PLATFORM_NAMES.iter().any(|name| opsctl_iam::pattern::matches(name, &role.name)) {
            Self::Platform
        } else {
            Self::Ordinary
        }
    }
}

/// How close a role is to an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admin {
    No,
    /// Its policies say so, but Deny or the boundary contain it.
    Contained,
    /// While a condition holds.
    Conditional,
    Yes,
}

/// A role with what was worked out about it.
pub struct RoleView<'a> {
    pub role: &'a Role,
    /// Place in the account's list.
    pub index: usize,
    pub kind: RoleKind,
    pub effective: Rc<Effective>,
    /// The same with all its conditions, where the view is of a moment at which some are met: what evidence
    /// quotes.
    pub written: Rc<Effective>,
    pub admissions: Vec<Admission<'a>>,
    pub admin: Admin,
    /// Whether it may do nearly everything: so plainly an administrator that finer rules have nothing to add.
    pub everything: bool,
    /// Whether only services that run none of the customer's code may assume it; asked once.
    pub(super) of_service: OnceCell<bool>,
    /// Whether a statement allows the role anything of IAM at all; most may not, which spares them many
    /// questions.
    pub touches_iam: bool,
}

impl<'a> RoleView<'a> {
    pub(super) fn new(engine: &Engine<'a>, role: &'a Role, index: usize) -> Self {
        Self::with(engine, role, index, engine.role_at(index), admissions(engine, role))
    }

    fn with(
        engine: &Engine<'a>,
        role: &'a Role,
        index: usize,
        effective: Rc<Effective>,
        admissions: Vec<Admission<'a>>,
    ) -> Self {
        let admin = Admin::of(&effective, engine.catalogue);
        let iam = engine.catalogue.service("iam").unwrap_or(0..0);
        let touches_iam = effective.allows.iter().any(|s| iam.clone().any(|id| s.grant.actions.contains(id)));
        Self {
            role,
            index,
            of_service: OnceCell::new(),
            kind: RoleKind::of(role),
            admissions,
            everything: is_everything(&effective.open, engine.catalogue),
            written: Rc::clone(&effective),
            effective,
            admin,
            touches_iam,
        }
    }

    /// The role at a moment; `None` where it may do no more then.
    pub(super) fn at(&self, engine: &Engine<'a>, moment: Moment) -> Option<Self> {
        let effective = at(&self.effective, moment, self.may_have_mfa())?;
        let view = Self::with(engine, self.role, self.index, effective, self.admissions.clone());
        Some(Self { written: Rc::clone(&self.effective), ..view })
    }

    /// Whether a session of the role may have been begun with MFA.
    pub(super) fn may_have_mfa(&self) -> bool {
        self.admissions.iter().any(Admission::lets_people_in)
    }

    /// The action by which the role can write its own permissions, and on what: itself, or a policy it holds.
    pub(super) fn self_rewrite(&self, engine: &Engine<'_>) -> Option<(&'static str, &str)> {
        self.rewrite_by(&self.effective, engine)
    }

    fn rewrite_by(&self, effective: &Effective, engine: &Engine<'_>) -> Option<(&'static str, &str)> {
        let own = [self.role.arn.as_str()];
        let held = self.role.attached.iter().filter(|p| !is_aws_owned(&p.arn)).map(|p| p.arn.as_str());
        let on_itself =
            ["iam:PutRolePolicy", "iam:AttachRolePolicy"].into_iter().flat_map(|a| own.map(|arn| (a, arn)));
        let may = |action: &str, on: &str| self.may(effective, action, on);
        let roomy = held.clone().filter(|arn| engine.has_room(arn, may));
        let on_policies = roomy.map(|arn| ("iam:CreatePolicyVersion", arn));
        let versions = held.map(|arn| ("iam:SetDefaultPolicyVersion", arn));
        let allowed = |(action, on): &(&'static str, &str)| self.may(effective, action, on);
        on_itself
            .chain(on_policies)
            .find(allowed)
            .or_else(|| versions.filter(allowed).find(|(_, policy)| engine.mighty_version(policy).is_some()))
    }

    /// Whether these permissions allow an action on something, which may be the role itself: then its tags
    /// and its boundary decide conditions.
    fn may(&self, effective: &Effective, action: &str, on: &str) -> bool {
        match on == self.role.arn {
            true => self.may_itself(effective, action),
            false => node::may_on(effective, action, on),
        }
    }

    /// Whether these permissions allow an action on the role itself.
    pub(super) fn may_itself(&self, effective: &Effective, action: &str) -> bool {
        Node::of_role(self.role).admits_call(effective, action, None)
    }

    /// What is decided of an action on the role itself.
    pub(super) fn decide_itself(&self, effective: &Effective, action: &str) -> Decision {
        let node = Node::of_role(self.role);
        node.decide(effective, action, Tags::Told(&node.tags), None)
    }

    /// Whether the role can make itself an administrator.
    pub fn rewrites_itself(&self, engine: &Engine<'_>) -> bool {
        self.touches_iam
            && ((self.self_rewrite(engine).is_some() && engine.may_be_admin(&self.effective))
                || self.sheds(engine).is_some())
    }

    /// The calls by which the role takes off its own boundary or Deny, and is an administrator or can make
    /// itself one without.
    pub(super) fn sheds(&self, engine: &Engine<'_>) -> Option<Vec<String>> {
        if !self.touches_iam || self.admin == Admin::Yes || RoleKind::of(self.role) == RoleKind::ServiceLinked
        {
            return None;
        }
        let held = Held::by_role(self.role, &self.effective);
        let may = |action: &str, on: &str| self.may(&self.effective, action, on);
        let arrives = |free: &Effective| {
            is_admin(&free.open, engine.catalogue)
                || (self.rewrite_by(free, engine).is_some() && engine.may_be_admin(free))
        };
        held.loosened(engine, may).into_iter().find(|(_, free)| arrives(free)).map(|(calls, _)| calls)
    }

    /// Whether what the role may do is fully known.
    pub fn is_known(&self) -> bool {
        self.effective.unreadable.is_empty() && !matches!(self.effective.ceiling, Ceiling::Missing { .. })
    }
}

/// What is allowed at a moment to somebody who may have MFA or not; `None` where it is no more than always.
pub(super) fn at(effective: &Effective, moment: Moment, may_have_mfa: bool) -> Option<Rc<Effective>> {
    let moment = if may_have_mfa { moment } else { Moment::InPlace };
    let mut then = effective.at(moment)?;
    // Whoever holds the same always holds the same then.
    let bit = if moment == Moment::WithMfa { 1 << 31 } else { 1 << 30 };
    then.serial = effective.serial.map(|serial| serial | bit);
    Some(Rc::new(then))
}

/// Whom a role's trust policy lets in, less what the organization denies to all.
pub(super) fn admissions<'a>(engine: &Engine<'a>, role: &'a Role) -> Vec<Admission<'a>> {
    let account = engine.account;
    // Service-linked roles are not subject to them.
    let linked = role.arn.contains(":role/aws-service-role/");
    let all = account.surroundings.resource_control_policies.values();
    let controls: Vec<&Policy> = all.filter(|_| !linked).filter_map(Document::policy).collect();
    trust::admissions(role, &controls, engine.now)
}

impl Admin {
    fn of(effective: &Effective, catalogue: &Catalogue) -> Self {
        if is_admin(&effective.open, catalogue) {
            Self::Yes
        } else if is_admin(&effective.held, catalogue) {
            Self::Conditional
        } else if is_admin(&effective.identity, catalogue) {
            Self::Contained
        } else {
            Self::No
        }
    }
}
