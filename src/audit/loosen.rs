//! What holds a principal back, its boundary and its Deny statements, as far as somebody can take it off or
//! rewrite it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>

use std::rc::Rc;

use super::account::{Account, Attachment, Boundary, Group, InlinePolicy, Role, User, is_aws_owned, name_of};
use super::evaluate::Engine;
use opsctl_iam::action_set::ActionSet;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::{Grant, Source, Sourced};

/// What makes room for one version more.
pub const DELETE_VERSION: &str = "iam:DeletePolicyVersion";

/// A principal with what it holds.
pub struct Held<'a> {
    pub arn: &'a str,
    kind: &'static str,
    inline: &'a [InlinePolicy],
    attached: &'a [Attachment],
    groups: Vec<&'a Group>,
    pub effective: &'a Effective,
}

/// A call that takes off a Deny.
struct Removal {
    call: String,
    source: Source,
    how: How,
    /// What the policy says after it.
    instead: Vec<Grant>,
}

/// What else goes with a Deny.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// The policy that it is in.
    Policy,
    /// All that the group gives.
    Group,
    /// Nothing: the policy is rewritten without it.
    Rewritten,
    /// The policy is as one of its other versions.
    SetBack,
}

impl Removal {
    fn takes(&self, source: &Source, allow: bool) -> bool {
        match self.how {
            How::Policy | How::SetBack => self.source == *source,
            How::Group => self.source.group == source.group,
            How::Rewritten => !allow && self.source == *source,
        }
    }
}

/// Calls, in order, and what the principal may do after them.
pub type Loosened = (Vec<String>, Effective);

impl<'a> Held<'a> {
    /// What a role holds.
    pub fn by_role(role: &'a Role, effective: &'a Effective) -> Self {
        let (arn, inline, attached) = (&role.arn, &role.inline, &role.attached);
        Self { arn, kind: "Role", inline, attached, groups: Vec::new(), effective }
    }

    /// What a user holds, by itself and by its groups.
    pub fn by_user(user: &'a User, engine: &Engine<'a>, effective: &'a Effective) -> Self {
        let (arn, inline, attached) = (&user.arn, &user.inline, &user.attached);
        let groups = engine.groups_of(user).into_iter().map(|place| &engine.account.groups[place]).collect();
        Self { arn, kind: "User", inline, attached, groups, effective }
    }

    /// What can be taken off by whoever `may` call an action on an ARN; the fewest calls first.
    pub fn loosened(&self, engine: &Engine<'_>, may: impl Fn(&str, &str) -> bool) -> Vec<Loosened> {
        let lift = self.lift(engine, &may);
        let off = self.denies(|source| self.off(source, &may));
        let rewritten = |source: &Source| self.rewritten(source, engine, &may);
        let over = match self.effective.denies.iter().any(|deny| rewritten(&deny.source).is_some()) {
            true => self.denies(|source| rewritten(source).or_else(|| self.off(source, &may))),
            false => Vec::new(),
        };
        let boundary = || lift.iter().cloned();
        let mut tries: Vec<(bool, Vec<&Removal>)> = Vec::new();
        tries.extend(lift.iter().map(|_| (true, Vec::new())));
        for denies in [&off, &over] {
            tries.extend(denies.iter().map(|deny| (false, vec![deny])));
            let all: Vec<&Removal> = denies.iter().collect();
            tries.extend((all.len() > 1).then(|| (false, all.clone())));
            tries.extend((lift.is_some() && !all.is_empty()).then_some((true, all)));
        }
        let done = |(lifts, gone): (bool, Vec<&Removal>)| {
            let calls = boundary().filter(|_| lifts).chain(gone.iter().map(|deny| deny.call.clone()));
            (calls.collect(), self.without(lifts, &gone))
        };
        tries.into_iter().map(done).collect()
    }

    /// The call that takes the boundary off, swaps it, or lets it allow everything.
    fn lift(&self, engine: &Engine<'_>, may: &impl Fn(&str, &str) -> bool) -> Option<String> {
        let Ceiling::Known { source, .. } = &self.effective.ceiling else { return None };
        for verb in ["Delete", "Put"] {
            let call = format!("iam:{verb}{}PermissionsBoundary", self.kind);
            if may(&call, self.arn) {
                return Some(format!("{call} on {}", self.arn));
            }
        }
        engine.new_version(&source.arn, may)
    }

    /// The calls that take off the Deny statements, each policy once.
    fn denies(&self, removal: impl Fn(&Source) -> Option<Removal>) -> Vec<Removal> {
        let mut found: Vec<Removal> = Vec::new();
        for source in self.effective.denies.iter().map(|deny| &*deny.source) {
            found.extend(removal(source).filter(|new| found.iter().all(|known| known.call != new.call)));
        }
        found
    }

    /// Takes off a policy, one of its own or of a group.
    fn off(&self, source: &Source, may: &impl Fn(&str, &str) -> bool) -> Option<Removal> {
        match source.group.is_empty() {
            true => self.off_itself(source, may),
            false => self.off_group(source, may),
        }
    }

    /// Rewrites a policy, one of its own or of a group. An inline one is replaced by one of its name.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>
    fn rewritten(
        &self,
        source: &Source,
        engine: &Engine<'_>,
        may: &impl Fn(&str, &str) -> bool,
    ) -> Option<Removal> {
        let group = self.groups.iter().find(|group| group.name == source.group);
        let (kind, arn, inline, attached) = match (source.group.is_empty(), group) {
            (true, _) => (self.kind, self.arn, self.inline, self.attached),
            (false, Some(group)) => ("Group", &*group.arn, &*group.inline, &*group.attached),
            (false, None) => return None,
        };
        let removal = |call, how, instead| Removal { call, source: source.clone(), how, instead };
        if source.arn.is_empty() {
            let call = format!("iam:Put{kind}Policy");
            let own = inline.iter().any(|policy| policy.name == source.name);
            let call = (own && may(&call, arn)).then(|| format!("{call} of {} on {arn}", source.name));
            return call.map(|call| removal(call, How::Rewritten, Vec::new()));
        }
        if !attached.iter().any(|policy| policy.arn == source.arn) {
            return None;
        }
        if let Some(call) = engine.new_version(&source.arn, may) {
            return Some(removal(call, How::Rewritten, Vec::new()));
        }
        let (call, instead) = engine.set_back(&source.arn, may)?;
        Some(removal(call, How::SetBack, instead))
    }

    fn off_itself(&self, source: &Source, may: &impl Fn(&str, &str) -> bool) -> Option<Removal> {
        let (verb, own) = match source.arn.is_empty() {
            true => ("Delete", self.inline.iter().any(|policy| policy.name == source.name)),
            false => ("Detach", self.attached.iter().any(|policy| policy.arn == source.arn)),
        };
        let call = format!("iam:{verb}{}Policy", self.kind);
        (own && may(&call, self.arn)).then(|| Removal {
            call: format!("{call} of {} on {}", source.name, self.arn),
            source: source.clone(),
            how: How::Policy,
            instead: Vec::new(),
        })
    }

    /// From the group, which keeps what else it gives, or by leaving it.
    fn off_group(&self, source: &Source, may: &impl Fn(&str, &str) -> bool) -> Option<Removal> {
        let group = self.groups.iter().find(|group| group.name == source.group)?;
        let verb = if source.arn.is_empty() { "Delete" } else { "Detach" };
        let call = format!("iam:{verb}GroupPolicy");
        let (call, how) = match may(&call, &group.arn) {
            true => (format!("{call} of {} on {}", source.name, group.arn), How::Policy),
            false if may("iam:RemoveUserFromGroup", &group.arn) => {
                (format!("iam:RemoveUserFromGroup of {} from {}", name_of(self.arn), group.arn), How::Group)
            }
            false => return None,
        };
        Some(Removal { call, source: source.clone(), how, instead: Vec::new() })
    }

    fn without(&self, lifts: bool, gone: &[&Removal]) -> Effective {
        let now = self.effective;
        let left = |all: &[Sourced], allow: bool| -> Vec<Sourced> {
            let is_left = |s: &&Sourced| gone.iter().all(|deny| !deny.takes(&s.source, allow));
            let come = gone.iter().flat_map(|deny| {
                let grants = deny.instead.iter().filter(|grant| grant.statement.allow == allow);
                grants.map(|grant| Sourced { source: Rc::new(deny.source.clone()), grant: grant.clone() })
            });
            all.iter().filter(is_left).cloned().chain(come).collect()
        };
        let ceiling = match &now.ceiling {
            Ceiling::Known { source, grants } if !lifts => {
                Ceiling::Known { source: source.clone(), grants: grants.clone() }
            }
            Ceiling::Missing { arn } => Ceiling::Missing { arn: arn.clone() },
            _ => Ceiling::None,
        };
        Effective::of(
            left(&now.allows, true),
            left(&now.denies, false),
            ceiling,
            Vec::new(),
            now.unreadable.clone(),
        )
    }
}

impl Engine<'_> {
    /// Rewriting a policy of the customer, or going back to a version of it that makes an administrator.
    pub fn new_version(&self, policy: &str, may: impl Fn(&str, &str) -> bool) -> Option<String> {
        if is_aws_owned(policy) {
            return None;
        }
        if may("iam:CreatePolicyVersion", policy) && self.has_room(policy, &may) {
            return Some(format!("iam:CreatePolicyVersion on {policy}"));
        }
        let other = may("iam:SetDefaultPolicyVersion", policy).then(|| self.mighty_version(policy))??;
        Some(format!("iam:SetDefaultPolicyVersion to {other} of {policy}"))
    }

    /// Going back to a version of a policy of the customer that denies less, and what that says.
    fn set_back(&self, policy: &str, may: impl Fn(&str, &str) -> bool) -> Option<(String, Vec<Grant>)> {
        if is_aws_owned(policy) || !may("iam:SetDefaultPolicyVersion", policy) {
            return None;
        }
        let policy = self.policy(policy)?;
        let now = self.compile(policy.default_document()?)?;
        let others = policy.versions.iter().filter(|version| !version.is_default);
        let denies_less = |other: &[Grant]| {
            let denied = |deny: &Grant| other.iter().any(|o| !o.statement.allow && o.covers(deny));
            now.iter().any(|grant| !grant.statement.allow && !denied(grant))
        };
        others.filter_map(|version| Some((version, self.compile(&version.document)?))).find_map(
            |(v, other)| {
                let call = format!("iam:SetDefaultPolicyVersion to {} of {}", v.id, policy.arn);
                // What a statement allows under a condition on the caller is not counted upon.
                let said = other.iter().filter(|grant| !grant.statement.allow || !grant.depends);
                denies_less(&other).then(|| (call, said.cloned().collect()))
            },
        )
    }

    /// Whether nobody holds a policy and nobody is bounded by it, or those who hold it may be freed of it:
    /// only such a one is deleted.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html>
    pub(super) fn may_be_freed(&self, arn: &str, may: impl Fn(&'static str, &str) -> bool) -> bool {
        let Account { roles, users, groups, .. } = self.account;
        let holds = |attached: &[Attachment]| attached.iter().any(|policy| policy.arn == arn);
        let bounds = |boundary: &Option<Boundary>| boundary.as_ref().is_some_and(|b| b.arn == arn);
        let versions = self.policy(arn).map_or(0, |policy| policy.versions.len());
        let held = (roles.iter().filter(|r| holds(&r.attached)).map(|r| ("iam:DetachRolePolicy", &r.arn)))
            .chain(users.iter().filter(|u| holds(&u.attached)).map(|u| ("iam:DetachUserPolicy", &u.arn)))
            .chain(groups.iter().filter(|g| holds(&g.attached)).map(|g| ("iam:DetachGroupPolicy", &g.arn)));
        (versions < 2 || may(DELETE_VERSION, arn))
            && !roles.iter().any(|role| bounds(&role.permissions_boundary))
            && !users.iter().any(|user| bounds(&user.permissions_boundary))
            && held.into_iter().all(|(detach, holder)| may(detach, holder))
    }

    /// Whether a policy takes one version more, or one may be deleted first.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html>
    pub fn has_room(&self, policy: &str, may: impl Fn(&str, &str) -> bool) -> bool {
        const MOST_VERSIONS: usize = 5;
        let is_full = self.policy(policy).is_some_and(|policy| policy.versions.len() >= MOST_VERSIONS);
        !is_full || may(DELETE_VERSION, policy)
    }

    /// What the versions of a policy that are not in force allow that it does not allow now.
    pub fn kept_back(&self, arn: &str) -> ActionSet {
        let mut more = ActionSet::default();
        let Some(policy) = self.policy(arn) else { return more };
        let now = policy.default_document().and_then(|document| self.compile(document));
        for version in policy.versions.iter().filter(|version| !version.is_default) {
            let (Some(now), Some(other)) = (&now, self.compile(&version.document)) else {
                more.extend(self.catalogue.all());
                continue;
            };
            let lacks = |grant: &&Grant, of: &[Grant]| {
                !of.iter().any(|known| known.statement.allow == grant.statement.allow && known.covers(grant))
            };
            let allowed = other.iter().filter(|grant| grant.statement.allow && lacks(grant, now));
            let denied = now.iter().filter(|grant| !grant.statement.allow && lacks(grant, &other));
            allowed.chain(denied).for_each(|grant| more.union(&grant.actions));
        }
        more
    }
}
