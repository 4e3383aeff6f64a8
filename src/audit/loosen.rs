//! What holds a principal back, its boundary and its Deny statements, as far as somebody can take it off.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>

use super::account::{Attachment, InlinePolicy, Role, User, is_aws_owned};
use super::evaluate::Engine;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Sourced;

/// A principal with what it holds.
pub struct Held<'a> {
    pub arn: &'a str,
    kind: &'static str,
    inline: &'a [InlinePolicy],
    attached: &'a [Attachment],
    pub effective: &'a Effective,
}

/// Calls, in order, and what the principal may do after them.
pub type Loosened = (Vec<String>, Effective);

impl<'a> Held<'a> {
    /// What a role holds.
    pub fn by_role(role: &'a Role, effective: &'a Effective) -> Self {
        let (arn, inline, attached) = (&role.arn, &role.inline, &role.attached);
        Self { arn, kind: "Role", inline, attached, effective }
    }

    /// What a user holds; what its groups hold stays.
    pub fn by_user(user: &'a User, effective: &'a Effective) -> Self {
        let (arn, inline, attached) = (&user.arn, &user.inline, &user.attached);
        Self { arn, kind: "User", inline, attached, effective }
    }

    /// What can be taken off by whoever `may` call an action on an ARN; the fewest calls first.
    pub fn loosened(&self, engine: &Engine<'_>, may: impl Fn(&str, &str) -> bool) -> Vec<Loosened> {
        let lift = self.lift(engine, &may);
        let denies = self.denies(&may);
        let boundary = || lift.iter().cloned();
        let mut tries: Vec<(bool, Vec<&(String, String)>)> = Vec::new();
        tries.extend(lift.iter().map(|_| (true, Vec::new())));
        tries.extend(denies.iter().map(|deny| (false, vec![deny])));
        let all: Vec<&(String, String)> = denies.iter().collect();
        tries.extend((all.len() > 1).then(|| (false, all.clone())));
        tries.extend((lift.is_some() && !all.is_empty()).then_some((true, all)));
        let done = |(lifts, gone): (bool, Vec<&(String, String)>)| {
            let calls = boundary().filter(|_| lifts).chain(gone.iter().map(|(call, _)| call.clone()));
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

    /// The calls that take off a policy of its own with a Deny, and the policy's label.
    fn denies(&self, may: &impl Fn(&str, &str) -> bool) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for source in self.effective.denies.iter().map(|deny| &deny.source) {
            let (verb, own) = match source.arn.is_empty() {
                true => ("Delete", self.inline.iter().any(|policy| policy.name == source.name)),
                false => ("Detach", self.attached.iter().any(|policy| policy.arn == source.arn)),
            };
            let (call, label) = (format!("iam:{verb}{}Policy", self.kind), source.label());
            if own && may(&call, self.arn) && found.iter().all(|(_, known)| *known != label) {
                found.push((format!("{call} of {} on {}", source.name, self.arn), label));
            }
        }
        found
    }

    fn without(&self, lifts: bool, gone: &[&(String, String)]) -> Effective {
        let now = self.effective;
        let left = |all: &[Sourced]| -> Vec<Sourced> {
            let is_left = |s: &&Sourced| gone.iter().all(|(_, label)| *label != s.source.label());
            all.iter().filter(is_left).cloned().collect()
        };
        let ceiling = match &now.ceiling {
            Ceiling::Known { source, grants } if !lifts => {
                Ceiling::Known { source: source.clone(), grants: grants.clone() }
            }
            Ceiling::Missing { arn } => Ceiling::Missing { arn: arn.clone() },
            _ => Ceiling::None,
        };
        Effective::of(left(&now.allows), left(&now.denies), ceiling, Vec::new(), now.unreadable.clone())
    }
}

impl Engine<'_> {
    /// Rewriting a policy of the customer, or going back to a version of it that makes an administrator.
    pub fn new_version(&self, policy: &str, may: impl Fn(&str, &str) -> bool) -> Option<String> {
        if is_aws_owned(policy) {
            return None;
        }
        if may("iam:CreatePolicyVersion", policy) {
            return Some(format!("iam:CreatePolicyVersion on {policy}"));
        }
        let other = may("iam:SetDefaultPolicyVersion", policy).then(|| self.mighty_version(policy))??;
        Some(format!("iam:SetDefaultPolicyVersion to {other} of {policy}"))
    }
}
