//! Whom the Deny statements of a trust policy keep out of what its Allow statements let in.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use super::trust::{Admission, Principal, is_of_caller, named};
use opsctl_iam::condition::{Operator, opposite};
use opsctl_iam::policy::{Condition, Statement};

impl<'a> Admission<'a> {
    /// What a Deny leaves of it: nothing, some of its principals, or all under a condition more.
    pub(super) fn beside(mut self, deny: &'a Statement) -> Vec<Self> {
        match self.apart(deny) {
            Some(parts) => parts,
            None if self.less(deny) => vec![self],
            None => Vec::new(),
        }
    }

    /// Takes away what a Deny denies; whether anybody is left. A Deny under several conditions is read as
    /// none, except where its others are true of everybody.
    fn less(&mut self, deny: &'a Statement) -> bool {
        let Some(denied) = &deny.principals else { return true };
        let listed = named(deny);
        let everybody = !denied.negated && listed.contains(&Principal::Anyone);
        match deny.conditions.iter().filter(|c| !holds_for_people(c)).collect::<Vec<_>>().as_slice() {
            [] if everybody => {
                // `{"AWS": "*"}` leaves services and providers alone, a bare `*` does not.
                let bare = denied.listed.iter().any(|(kind, _)| kind == "*");
                self.principals.retain(|p| !bare && !p.is_of_aws());
                !self.principals.is_empty()
            }
            [] if denied.negated => {
                let anyone = self.negated || self.principals.contains(&Principal::Anyone);
                match anyone {
                    true => self.principals = listed,
                    false => {
                        self.only(&listed);
                        self.principals.retain(|p| listed.iter().any(|spared| spared.takes_in(p)));
                    }
                }
                self.negated = false;
                !self.principals.is_empty()
            }
            [] => self.leaves_out(&listed),
            [only] if everybody => {
                let narrows = opposite(only).is_some();
                self.statement.to_mut().conditions.extend(implied(only));
                if narrows {
                    self.narrow(only);
                }
                true
            }
            _ => true,
        }
    }

    /// Takes away whom a Deny names; whether anybody is left.
    fn leaves_out(&mut self, listed: &[Principal<'_>]) -> bool {
        let open = self.negated || self.principals.contains(&Principal::Anyone);
        self.principals.retain(|p| open || !listed.iter().any(|gone| gone.takes_in(p)));
        self.but(listed);
        !self.principals.is_empty()
    }

    /// What is left beside a Deny that names some and has one condition: whom it does not name, and whom it
    /// does while the condition does not hold.
    fn apart(&self, deny: &'a Statement) -> Option<Vec<Self>> {
        deny.principals.as_ref().filter(|denied| !denied.negated && !self.negated)?;
        let listed = named(deny);
        let mut conditions = deny.conditions.iter().filter(|c| !holds_for_people(c));
        let only = conditions.next().filter(|_| !listed.contains(&Principal::Anyone))?;
        let implied = implied(only).filter(|_| conditions.next().is_none())?;
        let mut others = self.clone();
        let mut parts = self.meant(&listed, &implied);
        if others.leaves_out(&listed) {
            parts.push(others);
        }
        Some(parts)
    }

    /// The part of it that is about those whom a Deny names, with a condition more.
    fn meant(&self, listed: &[Principal<'a>], implied: &Condition) -> Vec<Self> {
        let anyone = self.principals.contains(&Principal::Anyone);
        let is_named =
            |p: &&Principal<'a>| **p != Principal::Anyone && listed.iter().any(|named| named.takes_in(p));
        let of_all = listed.iter().filter(|p| anyone && p.is_of_aws());
        let themselves = self.principals.iter().filter(is_named).chain(of_all).cloned().collect();
        let (mut accounts, mut arns) = (Vec::new(), Vec::new());
        for named in listed {
            if let Principal::Identity { account, arn } = *named
                && self.principals.contains(&Principal::Account(account))
            {
                accounts.push(Principal::Account(account));
                arns.push(arn.to_owned());
            }
        }
        let among = Condition::new("ArnEquals", ARN, arns);
        let part = |principals: Vec<Principal<'a>>, conditions: &[&Condition]| {
            let mut part = Self { principals, ..self.clone() };
            part.statement.to_mut().conditions.extend(conditions.iter().copied().cloned());
            (!part.principals.is_empty()).then_some(part)
        };
        let parts = [part(themselves, &[implied]), part(accounts, &[&among, implied])];
        parts.into_iter().flatten().collect()
    }

    /// Of accounts of which a Deny spares only some principals, these are left. Their root stands for the
    /// root user alone there.
    fn only(&mut self, spared: &[Principal<'_>]) {
        let arn = |p: &Principal<'_>| match *p {
            Principal::Identity { account, arn }
                if self.principals.contains(&Principal::Account(account)) =>
            {
                Some(arn.to_owned())
            }
            _ => None,
        };
        let arns: Vec<String> = spared.iter().filter_map(arn).collect();
        if !arns.is_empty() {
            self.statement.to_mut().conditions.push(Condition::new("ArnEquals", ARN, arns));
        }
    }

    /// Of accounts that are let in as a whole, principals that a Deny names stay out.
    fn but(&mut self, gone: &[Principal<'_>]) {
        let whole = |account: &str| {
            self.principals
                .iter()
                .any(|p| matches!(p, Principal::Anyone) || *p == Principal::Account(account))
        };
        let arn = |p: &Principal<'_>| match *p {
            Principal::Identity { account, arn } if whole(account) && !arn.contains(":assumed-role/") => {
                Some(arn.to_owned())
            }
            _ => None,
        };
        let arns: Vec<String> = gone.iter().filter_map(arn).collect();
        if !arns.is_empty() {
            self.statement.to_mut().conditions.push(Condition::new("ArnNotEquals", ARN, arns));
        }
        let account = |p: &Principal<'_>| match *p {
            Principal::Account(account) => Some(account.to_owned()),
            _ => None,
        };
        let accounts: Vec<String> = gone.iter().filter_map(account).collect();
        if !accounts.is_empty() && self.principals.contains(&Principal::Anyone) {
            self.statement.to_mut().conditions.push(Condition::new("StringNotEquals", ACCOUNT, accounts));
        }
    }
}

const ARN: &str = "aws:PrincipalArn";
const ACCOUNT: &str = "aws:PrincipalAccount";

/// What must be so that a Deny under a condition leaves one alone; `None` where conditions cannot say it.
fn implied(c: &Condition) -> Option<Condition> {
    opposite(c).or_else(|| is_of_caller(c).then(|| but_for(c)).flatten())
}

/// What is true of those whom a Deny with this condition leaves alone: the caller is another, or other.
fn but_for(c: &Condition) -> Option<Condition> {
    let operator = Operator::parse(&c.operator);
    let base = operator.base.to_ascii_lowercase();
    let text = ["string", "arn"].iter().find_map(|kind| base.strip_prefix(kind).map(|rest| (*kind, rest)));
    let plain = !operator.is_negated() && !operator.for_all && !operator.for_any;
    let (kind, rest) = text.filter(|_| plain)?;
    Some(Condition::new(format!("{kind}not{rest}"), &*c.key, c.values.clone()))
}

/// Conditions that only spare services: they hold for every principal of an account.
fn holds_for_people(c: &Condition) -> bool {
    let operator = Operator::parse(&c.operator);
    c.key.eq_ignore_ascii_case("aws:PrincipalIsAWSService")
        && operator.base.eq_ignore_ascii_case("Bool")
        && c.values.iter().all(|v| v.eq_ignore_ascii_case("false"))
}
