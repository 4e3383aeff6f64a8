//! What callers say of themselves when they assume a role: a source identity, tags of the session, an
//! external id, a name. Its trust may ask for it, and so may their own policies; they say one thing to both.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>

use super::trust::{Admission, SAID, Said};
use opsctl_iam::caller::contradiction;
use opsctl_iam::condition::{self, ConditionResult};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;
use opsctl_iam::policy::Condition;
use opsctl_iam::sent::needs_key;

const ASSUME: &str = "sts:AssumeRole";

/// The calls that are allowed, or not, to say something.
pub const SAYING: [&str; SAID.len()] = [SAID[0].1, SAID[1].1];

/// Whether a condition is on what callers say.
fn is_said(c: &Condition) -> bool {
    const OTHERS: [&str; 2] = ["sts:ExternalId", "sts:RoleSessionName"];
    SAID.iter().any(|(is_of, _)| is_of(&c.key)) || OTHERS.iter().any(|key| c.key.eq_ignore_ascii_case(key))
}

fn limits(effective: &Effective) -> &[Grant] {
    match &effective.ceiling {
        Ceiling::Known { grants, .. } => grants,
        _ => &[],
    }
}

/// Whether what somebody may do depends on what they say when they assume a role.
pub fn is_asked_of(effective: &Effective) -> bool {
    let asks = |grant: &Grant| grant.statement.conditions.iter().any(is_said) && grant.names(ASSUME);
    effective.allows.iter().chain(&effective.denies).any(|s| asks(&s.grant))
        || limits(effective).iter().any(asks)
}

/// What the trust of a role lets its callers say, and asks of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The actions of [`SAYING`] that it allows.
    takes: Vec<&'static str>,
    /// What it asks for, by the statements that let people in.
    ways: Vec<Vec<Condition>>,
}

impl Asked {
    /// What these statements of a role's trust ask; `takes` are the actions that the whole of it allows.
    pub fn of(admissions: &[Admission<'_>], takes: Vec<&'static str>) -> Self {
        let said = |a: &Admission<'_>| -> Vec<Condition> {
            a.statement.conditions.iter().filter(|c| is_said(c)).cloned().collect()
        };
        let mut ways: Vec<Vec<Condition>> =
            admissions.iter().filter(|a| a.lets_people_in()).map(said).collect();
        ways.dedup();
        Self { takes, ways }
    }

    /// Whether somebody can say what both sides ask for, of those who may call at all: by a policy of their
    /// own, or let in by the trust alone.
    pub fn fits(&self, effective: &Effective, arn: &str, by_own: bool) -> bool {
        let is_plain = self.ways.is_empty() || self.ways.iter().any(Vec::is_empty);
        let is_about = |grant: &&Grant| grant.names(ASSUME) && grant.reaches(arn);
        if is_plain && !is_asked_of(effective) {
            return true;
        }
        let of = |grant: &Grant| -> Vec<Condition> {
            grant.statement.conditions.iter().filter(|c| is_said(c)).cloned().collect()
        };
        let opens = |grant: &&Grant| condition::read(&grant.statement, None) != ConditionResult::Never;
        let own = effective.allows.iter().map(|s| &s.grant).filter(is_about).filter(opens);
        let mut own: Vec<Vec<Condition>> = own.map(of).collect();
        if own.is_empty() || !by_own {
            own.push(Vec::new());
        }
        let within = limits(effective).iter().filter(|g| g.statement.allow).filter(is_about).filter(opens);
        let mut within: Vec<Vec<Condition>> = within.map(of).collect();
        if within.is_empty() {
            within.push(Vec::new());
        }
        let none = [Vec::new()];
        let ways = if self.ways.is_empty() { &none[..] } else { &self.ways };
        ways.iter().any(|way| {
            own.iter().any(|own| within.iter().any(|more| self.says(effective, arn, [way, own, more])))
        })
    }

    /// Whether somebody may say what meets all these conditions, beside every Deny.
    fn says(&self, effective: &Effective, arn: &str, all: [&Vec<Condition>; 3]) -> bool {
        let all = all.map(Vec::as_slice).concat();
        let denies = limits(effective).iter().filter(|g| !g.statement.allow);
        let mut denies = effective.denies.iter().map(|s| &s.grant).chain(denies);
        let is_denied = |deny: &Grant| {
            let [c] = &deny.statement.conditions[..] else { return false };
            let is_it = is_said(c) && deny.names(ASSUME) && deny.reaches(arn);
            is_it && condition::opposite(c).is_some_and(|c| excludes(&all, &[c]))
        };
        let may = |(is_of, action): &Said| {
            !all.iter().any(|c| is_of(&c.key) && needs_key(c)) || self.may_say(effective, arn, action, &all)
        };
        contradiction(&all).is_none() && SAID.iter().all(may) && !denies.any(is_denied)
    }

    /// Whether both sides let somebody say something that meets conditions.
    fn may_say(&self, effective: &Effective, arn: &str, action: &str, all: &[Condition]) -> bool {
        let mut allows = effective.naming(action).filter(|s| s.grant.reaches(arn));
        self.takes.contains(&action)
            && effective.decide(action, arn) == Decision::Allowed
            && allows.any(|s| !excludes(all, &s.grant.statement.conditions))
    }
}

/// Whether conditions cannot hold beside others.
fn excludes(all: &[Condition], others: &[Condition]) -> bool {
    contradiction(&[all, others].concat()).is_some()
}
