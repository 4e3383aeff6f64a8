//! A role or user that wants something: what the policy of what it wants says of it, beside its own.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>

use std::rc::Rc;
use std::sync::Arc;

use super::{BESIDE, Engine};
use crate::audit::account::{Role, Tag, name_of};
use crate::audit::role_view;
use crate::audit::said;
use crate::audit::trust::{Admission, Principal, SAID_IDENTITY, takes};
use crate::audit::variables;
use opsctl_iam::caller::Caller;
use opsctl_iam::condition::{self, Asked, ConditionResult, Tags};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::Effective;
use opsctl_iam::grant::condition_text;
use opsctl_iam::policy::{Policy, Statement};

/// Somebody of the account.
pub(super) struct Comer<'a> {
    pub arn: &'a str,
    pub tags: &'a [Tag],
    pub effective: Rc<Effective>,
    id: &'a str,
    /// A user's name.
    user: Option<&'a str>,
    /// Whether its sessions may carry other tags.
    is_tagged: bool,
}

/// How a policy of a resource lets somebody in.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// With the account, whose own policies decide.
    Account,
    /// By the ARN of its role: within the role's boundary.
    Role,
    /// Itself: nothing but a Deny is against it.
    Itself,
}

impl<'a> Comer<'a> {
    /// The role, else the user, of that name or ARN.
    pub fn find(engine: &Engine<'a>, who: &str) -> Option<Self> {
        let account = engine.account;
        if let Some(role) = account.roles.iter().find(|r| r.arn == who || r.name == who) {
            return Some(Self::of_role(engine, role));
        }
        let user = account.users.iter().find(|u| u.arn == who || u.name == who)?;
        Some(Self {
            arn: &user.arn,
            tags: &user.tags,
            effective: engine.user(user),
            id: &user.user_id,
            user: Some(&user.name),
            is_tagged: false,
        })
    }

    fn of_role(engine: &Engine<'a>, role: &'a Role) -> Self {
        let tags = |s: &Arc<Statement>| s.allows("sts:TagSession");
        Self {
            arn: &role.arn,
            tags: &role.tags,
            effective: engine.role(role),
            id: &role.role_id,
            user: None,
            is_tagged: role.trust.statements().iter().any(tags),
        }
    }

    /// What the trust policy of a role that is to be assumed makes of the decision of its own policies.
    pub fn enters(&self, engine: &Engine<'a>, role: &Role, own: Decision) -> (Decision, Vec<String>) {
        let admissions = role_view::admissions(engine, role);
        let mut best: Option<(Decision, &Admission<'_>)> = None;
        for admission in admissions.iter().filter(|a| a.by("sts:AssumeRole")) {
            let Some(way) = self.way(engine, admission) else { continue };
            let says = self.reading(engine, admission, role, way);
            let decision = match (self.by_way(way, "sts:AssumeRole", &role.arn, own), says) {
                (_, ConditionResult::Never) => continue,
                (Decision::Allowed, ConditionResult::Held) => Decision::Conditional,
                (decision, _) => decision,
            };
            if best.is_none_or(|(known, _)| rank(decision) < rank(known)) {
                best = Some((decision, admission));
            }
        }
        let Some((decision, by)) = best else {
            let told = format!("{}: its trust policy does not let it in", role.name);
            return match own {
                Decision::Allowed | Decision::Conditional => (Decision::NotAllowed, vec![told]),
                other => (other, vec![told]),
            };
        };
        let condition = condition_text(&by.statement, by.restriction);
        (decision, vec![format!("{}, {}: lets it in{condition}", role.name, by.label())])
    }

    fn way(&self, engine: &Engine<'_>, admission: &Admission<'_>) -> Option<Way> {
        let account = engine.account.id.as_str();
        let is_any = || {
            let listed = admission.statement.principals.iter().flat_map(|principals| &principals.listed);
            listed.into_iter().any(|(_, value)| value == "*")
        };
        let of = |principal: &Principal<'_>| match *principal {
            Principal::Identity { arn, .. } if self.is_session(arn) => Some(Way::Itself),
            Principal::Identity { arn, .. } if arn != self.arn => None,
            // Whoever names everybody and asks who it is names no role.
            Principal::Identity { .. } if self.user.is_some() || is_any() => Some(Way::Itself),
            Principal::Identity { .. } => Some(Way::Role),
            Principal::Anyone => Some(Way::Itself),
            Principal::Account(id) if id == account && is_any() => Some(Way::Itself),
            Principal::Account(id) if id == account => Some(Way::Account),
            _ => None,
        };
        let ways: Vec<Way> = admission.principals.iter().filter_map(of).collect();
        match admission.negated {
            true => ways.is_empty().then_some(Way::Account),
            false => [Way::Itself, Way::Role, Way::Account].into_iter().find(|way| ways.contains(way)),
        }
    }

    /// Whether an ARN is one of a session of the role, whose name is chosen by whoever begins it.
    fn is_session(&self, arn: &str) -> bool {
        let session = arn.split_once(":assumed-role/").and_then(|(_, session)| session.split('/').next());
        self.user.is_none() && session == Some(name_of(self.arn))
    }

    /// What is allowed to it by a policy of a resource.
    fn by_way(&self, way: Way, action: &str, on: &str, own: Decision) -> Decision {
        if way == Way::Account || matches!(own, Decision::DeniedExplicitly | Decision::Unknown) {
            return own;
        }
        let decision = match self.effective.within_ceiling(action, on, None) {
            // A boundary that says nothing of it limits a role, and nobody whom the policy names itself.
            Decision::OutsideBoundary if way == Way::Itself => Decision::Allowed,
            other => other,
        };
        let asked = Asked::default();
        let is_held = self.effective.denial(action, on, asked).is_some()
            || self.effective.is_held_by_ceiling(action, on, asked);
        match decision {
            Decision::Allowed if is_held => Decision::Conditional,
            decision => decision,
        }
    }

    /// How the conditions of a trust policy read for it. What the caller says itself it says as it is asked.
    fn reading(
        &self,
        engine: &Engine<'_>,
        admission: &Admission<'_>,
        role: &Role,
        way: Way,
    ) -> ConditionResult {
        let tags: Vec<(&str, &str)> = self.tags.iter().map(|tag| (&*tag.key, &*tag.value)).collect();
        let mut statement = Statement::clone(&admission.statement);
        let says = |key: &str| key.eq_ignore_ascii_case(SAID_IDENTITY);
        let may_say = |action: &str| self.effective.decide(action, &role.arn) == Decision::Allowed;
        let said = said::Asked::of(std::slice::from_ref(admission), takes(role));
        if !admission.asked_to().all(may_say) || !said.fits(&self.effective, &role.arn, way == Way::Account) {
            return ConditionResult::Never;
        }
        statement.conditions.retain(|c| {
            let said =
                says(&c.key) && admission.by("sts:SetSourceIdentity") && may_say("sts:SetSourceIdentity");
            !said && !c.key.eq_ignore_ascii_case("sts:ExternalId")
        });
        let Some(statement) = self.caller(engine, &tags).read(&Arc::new(statement)) else {
            return ConditionResult::Never;
        };
        let tags: Vec<_> = role.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        condition::read(&statement, Asked { tags: Tags::Told(&tags), ..Asked::default() })
    }

    fn caller<'c>(&'c self, engine: &'c Engine<'_>, tags: &'c [(&'c str, &'c str)]) -> Caller<'c> {
        Caller {
            arn: self.arn,
            id: self.id,
            account: &engine.account.id,
            user: self.user,
            now: engine.now,
            tags,
            tags_may_change: self.is_tagged,
            admin_policies: &[],
        }
    }

    /// What the policy of a resource makes of the decision, where it is given: one that names a user lets it
    /// in whatever its boundary leaves out, and of a key nothing is allowed that its policy does not open.
    pub fn by_resource(
        &self,
        engine: &Engine<'_>,
        action: &str,
        on: &str,
        own: Decision,
    ) -> Option<(Decision, String)> {
        let policy = |arn: &str| engine.account.surroundings.resource_policies.get(arn)?.policy();
        if let (Some(key), true) = (policy(on), is_of_keys(action)) {
            let told = format!("{on}: its policy does not leave it to the policies of the account");
            let by_key = self.by_key(engine, key, (action, on), own)?;
            return Some((by_key, told));
        }
        let is_outside = own == Decision::OutsideBoundary && self.user.is_some();
        let named = self.effective.allows.iter().find(|s| {
            let principals = s.grant.statement.principals.iter().flat_map(|principals| &principals.listed);
            let is_it = principals.into_iter().any(|(_, value)| value == self.arn || value == "*");
            let opens = condition::read(&s.grant.statement, None) == ConditionResult::Open;
            is_outside && is_it && opens && s.grant.names(action) && s.grant.reaches(on)
        })?;
        let told = format!("{} lets it in itself, whatever its boundary leaves out", named.source.name);
        Some((self.by_way(Way::Itself, action, on, own), told))
    }

    /// What a key's policy leaves of a decision; `None` where it leaves all.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html>
    fn by_key(
        &self,
        engine: &Engine<'_>,
        policy: &Policy,
        (action, on): (&str, &str),
        own: Decision,
    ) -> Option<Decision> {
        let tags: Vec<(&str, &str)> = self.tags.iter().map(|tag| (&*tag.key, &*tag.value)).collect();
        let account = engine.account.id.as_str();
        let names_account = |s: &Statement| {
            let mut named = crate::audit::trust::named(s).into_iter();
            named.any(|p| p == Principal::Account(account))
        };
        let delegating = policy.statements.iter().filter(|s| s.allows(action) && names_account(s));
        let readings: Vec<ConditionResult> = delegating
            .filter_map(|s| self.caller(engine, &tags).read(s))
            .map(|s| condition::read(&s, None))
            .collect();
        if readings.contains(&ConditionResult::Open) {
            return None;
        }
        let alone = variables::only(&self.effective, |s| s.source.arn.starts_with(BESIDE));
        match (alone.decide(action, on), own) {
            (Decision::Allowed, _) => None,
            (_, Decision::Allowed) if readings.contains(&ConditionResult::Held) => {
                Some(Decision::Conditional)
            }
            (_, Decision::Conditional) if readings.contains(&ConditionResult::Held) => None,
            (decision, Decision::Allowed | Decision::Conditional) if decision != own => Some(decision),
            _ => None,
        }
    }
}

/// The better a decision is, the lower.
fn rank(decision: Decision) -> u8 {
    match decision {
        Decision::Allowed => 0,
        Decision::Conditional => 1,
        Decision::Unknown => 2,
        _ => 3,
    }
}

fn is_of_keys(action: &str) -> bool {
    action.split(':').next().is_some_and(|service| service.eq_ignore_ascii_case("kms"))
}
