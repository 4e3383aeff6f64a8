//! The right moment: what is allowed from the office, through an endpoint, with MFA. Whoever holds the rights
//! can be there, so that what hangs on it is no more than postponed.

use std::sync::Arc;

use crate::circumstance::{PLACE, WAY, is_on_mfa, is_one_of};
use crate::condition::{is_avoidable, restriction, restriction_of};
use crate::effective::{Ceiling, Effective};
use crate::grant::{Grant, Sourced};
use crate::policy::{Condition, Selector, Statement};

/// Which circumstances of a call are taken to be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Those of the place and the way: an address, a network, an endpoint, a service between.
    InPlace,
    /// MFA as well.
    WithMfa,
}

/// The service that calls IAM for whoever asks it to.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html>
const CALLS_IAM: &str = "cloudformation";

impl Moment {
    /// Whether whoever is there at the moment meets a condition on the circumstances.
    pub fn meets(self, c: &Condition) -> bool {
        is_one_of(PLACE, c) || (self == Self::WithMfa && is_on_mfa(c))
    }
}

impl Effective {
    /// What is allowed at a moment; `None` where that is no more than what always is.
    pub fn at(&self, moment: Moment) -> Option<Self> {
        let frees = |c: &Condition| moment.meets(c) || (is_one_of(WAY, c) && self.asks_for_iam());
        let limits: &[Grant] = match &self.ceiling {
            Ceiling::Known { grants, .. } => grants,
            _ => &[],
        };
        let mut all = self.allows.iter().chain(&self.denies).map(|s| &s.grant).chain(limits);
        if !all.any(|grant| grant.statement.conditions.iter().any(|c| waits(c, &grant.statement) && frees(c)))
        {
            return None;
        }
        let read = |grant: &Grant| freed(grant, &frees);
        let of = |list: &[Sourced]| -> Vec<Sourced> {
            let freed = |s: &Sourced| Some(Sourced { source: s.source.clone(), grant: read(&s.grant)? });
            list.iter().filter_map(freed).collect()
        };
        let ceiling = match &self.ceiling {
            Ceiling::None => Ceiling::None,
            Ceiling::Missing { arn } => Ceiling::Missing { arn: arn.clone() },
            Ceiling::Known { source, grants } => {
                Ceiling::Known { source: source.clone(), grants: grants.iter().filter_map(read).collect() }
            }
        };
        let (allows, denies) = (of(&self.allows), of(&self.denies));
        Some(Self::of(allows, denies, ceiling, Vec::new(), self.unreadable.clone()))
    }

    /// Whether a statement lets it ask the service that calls IAM for anything.
    fn asks_for_iam(&self) -> bool {
        let names = |pattern: &String| {
            let service = pattern.split(':').next().unwrap_or_default();
            crate::pattern::matches_ignoring_case(service, CALLS_IAM)
        };
        self.allows.iter().any(|s| match &s.grant.statement.actions {
            Selector::Only(patterns) => patterns.iter().any(names),
            Selector::Except(_) => true,
        })
    }
}

/// Whether a condition holds its statement back: an Allow that not everybody may use, a Deny that not
/// everybody can avoid.
fn waits(c: &Condition, statement: &Statement) -> bool {
    match statement.allow {
        true => !restriction_of(c, &statement.conditions).is_open(),
        false => !statement.conditions.iter().any(is_avoidable),
    }
}

/// A statement without the conditions that are met; a Deny that is avoided by being elsewhere is none.
fn freed(grant: &Grant, frees: &impl Fn(&Condition) -> bool) -> Option<Grant> {
    let statement = &grant.statement;
    if !statement.conditions.iter().any(frees) {
        return Some(grant.clone());
    }
    if !statement.allow {
        return None;
    }
    let mut left = Statement::clone(statement);
    left.conditions.retain(|c| !frees(c));
    let restriction = restriction(&left);
    Some(Grant { statement: Arc::new(left), restriction, ..grant.clone() })
}
