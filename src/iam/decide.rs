//! Whether a role may perform one action on one resource, decided statement by statement; the sets of
//! `effective` are about all resources at once.

use crate::catalogue::Catalogue;
use crate::condition::{self, Asked, Bound, ConditionResult, Tags};
use crate::effective::{Ceiling, Effective};
use crate::grant::{Grant, Sourced};

/// The answer to "may the role do this to that?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it, and nothing is against it.
    Allowed,
    /// Only while a condition holds.
    Conditional,
    /// A Deny is against it.
    DeniedExplicitly,
    /// The boundary does not let it through.
    OutsideBoundary,
    /// No statement allows it.
    NotAllowed,
    /// The boundary's document is missing.
    Unknown,
}

impl Decision {
    /// The answer in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Conditional => "allowed while a condition holds",
            Self::DeniedExplicitly => "denied by a Deny",
            Self::OutsideBoundary => "not allowed: the boundary leaves it out",
            Self::NotAllowed => "not allowed: no statement allows it",
            Self::Unknown => "unknown: what would decide it could not be read",
        }
    }
}

impl Effective {
    /// May the role do `action` (`service:Name`) to `resource` (an ARN, or `*` for actions without
    /// resources)?
    pub fn decide(&self, action: &str, resource: &str) -> Decision {
        self.decide_for(action, resource, None)
    }

    /// As [`Self::decide`], with what else is known: the service that a role is passed to, the tags of the
    /// resource.
    pub fn decide_for<'a>(&self, action: &str, resource: &str, asked: impl Into<Asked<'a>>) -> Decision {
        let asked = asked.into();
        let (mut open, mut found) = (false, false);
        for allow in self.naming(action).filter(|s| s.grant.reaches(resource)) {
            let reading = condition::read(&allow.grant.statement, asked);
            open |= reading == ConditionResult::Open;
            found |= reading != ConditionResult::Never;
        }
        match self.denial(action, resource, asked) {
            Some(ConditionResult::Open) => return Decision::DeniedExplicitly,
            _ if !found => return Decision::NotAllowed,
            Some(_) => open = false,
            None => {}
        }
        match self.within_ceiling(action, resource, asked) {
            Decision::Allowed if open => Decision::Allowed,
            Decision::Allowed => Decision::Conditional,
            limited => limited,
        }
    }

    /// Whether there may be a resource on which it is [`Decision::Allowed`]: a quick no, for whoever would
    /// ask about each of many.
    pub fn may_ever(&self, action: &str) -> bool {
        self.may_ever_on(action, Bound::of_any(action))
    }

    /// The same of what has a boundary, or none.
    pub fn may_ever_on(&self, action: &str, boundary: Option<Bound<'_>>) -> bool {
        let helpful = Asked { tags: Tags::Settable, boundary, ..Asked::default() };
        let opens = |grant: &Grant| condition::read(&grant.statement, helpful) == ConditionResult::Open;
        let within = || match &self.ceiling {
            Ceiling::None => true,
            Ceiling::Missing { .. } => false,
            Ceiling::Known { grants, .. } => {
                grants.iter().any(|grant| grant.statement.allow && grant.names(action) && opens(grant))
            }
        };
        self.naming(action).any(|allow| opens(&allow.grant)) && within()
    }

    /// The statements that allow an action somewhere, catalogued or not. Of many statements most are told by
    /// the catalogue's number to be about others.
    pub fn naming<'e>(&'e self, action: &'e str) -> impl Iterator<Item = &'e Sourced> {
        const MANY: usize = 16;
        let id = Some(action).filter(|_| self.allows.len() > MANY);
        let id = id.and_then(|action| Catalogue::embedded().find(action));
        let may = move |grant: &Grant| id.is_none_or(|id| grant.actions.contains(id));
        self.allows.iter().filter(move |s| may(&s.grant) && s.grant.names(action))
    }

    /// The strongest Deny that names the action and the resource: one that always holds, or one that may.
    pub fn denial(&self, action: &str, resource: &str, asked: Asked<'_>) -> Option<ConditionResult> {
        let applies = |grant: &Grant| grant.names(action) && grant.reaches(resource);
        strongest(self.denies.iter().map(|s| &s.grant).filter(|g| applies(g)), asked)
    }

    /// What the boundary alone says: `Allowed` when there is none.
    pub fn within_ceiling<'a>(&self, action: &str, resource: &str, asked: impl Into<Asked<'a>>) -> Decision {
        let asked = asked.into();
        let grants = match &self.ceiling {
            Ceiling::None => return Decision::Allowed,
            Ceiling::Missing { .. } => return Decision::Unknown,
            Ceiling::Known { grants, .. } => grants,
        };
        let applying = || grants.iter().filter(|g| g.names(action) && g.reaches(resource));
        // Whatever the order of the statements: a Deny goes before what allows, and lets nothing through.
        let denial = strongest(applying().filter(|g| !g.statement.allow), asked);
        if denial == Some(ConditionResult::Open) {
            return Decision::DeniedExplicitly;
        }
        let allows = applying().filter(|g| g.statement.allow).map(|g| condition::read(&g.statement, asked));
        let readings: Vec<ConditionResult> = allows.collect();
        let any = |reading| readings.contains(&reading);
        match denial {
            None if any(ConditionResult::Open) => Decision::Allowed,
            _ if any(ConditionResult::Open) || any(ConditionResult::Held) => Decision::Conditional,
            _ => Decision::OutsideBoundary,
        }
    }

    /// Whether a Deny of the boundary is against it under some condition.
    pub fn is_held_by_ceiling(&self, action: &str, resource: &str, asked: Asked<'_>) -> bool {
        let Ceiling::Known { grants, .. } = &self.ceiling else { return false };
        let denies = grants.iter().filter(|g| !g.statement.allow && g.names(action) && g.reaches(resource));
        strongest(denies, asked).is_some()
    }
}

/// The strongest Deny of some: one that always holds, or one that may.
fn strongest<'g>(denies: impl Iterator<Item = &'g Grant>, asked: Asked<'_>) -> Option<ConditionResult> {
    denies.filter_map(|g| read_deny(g, asked)).min_by_key(|reading| *reading != ConditionResult::Open)
}

/// How a Deny reads. A void condition still lets the caller choose not to meet it, so that only a Deny whose
/// every condition is decided for sure always holds.
fn read_deny(deny: &Grant, asked: Asked<'_>) -> Option<ConditionResult> {
    let conditions = &deny.statement.conditions;
    let decided = condition::is_decided(&deny.statement, asked);
    match condition::read(&deny.statement, asked) {
        ConditionResult::Never => None,
        _ if conditions.iter().any(|c| condition::is_avoided(c, asked)) => None,
        _ if conditions.is_empty() || decided => Some(ConditionResult::Open),
        _ => Some(ConditionResult::Held),
    }
}
