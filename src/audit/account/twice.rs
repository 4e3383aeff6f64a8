//! One ARN with two entries in a dump, as when pages of two listings are put together. Which of them is so
//! now nobody knows: what gives the most rights must not be lost.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Group, ManagedPolicy, Role, User};
use opsctl_iam::policy::{Document, Policy};

/// What is listed under an ARN.
pub(super) trait Listed: Clone + PartialEq {
    /// Its ARN.
    fn arn(&self) -> &str;

    /// Whether another entry says the same of its rights: a page that was read twice.
    fn says_the_same(&self, other: &Self) -> bool {
        self == other
    }

    /// Takes in what another entry says; gives it back where the two must stand beside each other: a Deny of
    /// one says nothing of the other, and members are members of both.
    fn take_in(&mut self, other: Self) -> Option<Self> {
        Some(other)
    }
}

impl Listed for Role {
    fn arn(&self) -> &str {
        &self.arn
    }

    fn says_the_same(&self, other: &Self) -> bool {
        let last_used = self.last_used.clone();
        *self == Self { last_used, max_session_duration: self.max_session_duration, ..other.clone() }
    }
}

impl Listed for User {
    fn arn(&self) -> &str {
        &self.arn
    }
}

impl Listed for Group {
    fn arn(&self) -> &str {
        &self.arn
    }
}

impl Listed for ManagedPolicy {
    fn arn(&self) -> &str {
        &self.arn
    }

    fn says_the_same(&self, other: &Self) -> bool {
        self.versions == other.versions && self.default_version == other.default_version
    }

    /// Whoever holds it holds one policy: what either allows, less what both deny.
    fn take_in(&mut self, other: Self) -> Option<Self> {
        let theirs = other.default_document().cloned();
        let place =
            self.default_document().and_then(|own| self.versions.iter().position(|v| v.document == *own));
        match (place, theirs) {
            (Some(place), Some(theirs)) => {
                let own = &mut self.versions[place].document;
                *own = either(own, theirs);
            }
            (None, _) => *self = other.clone(),
            (_, None) => {}
        }
        let is_older = |id: &str| other.default_version != id;
        let own = self.versions.clone();
        let more = other.versions.iter().filter(|v| !v.is_default && is_older(&v.id) && !own.contains(v));
        self.versions.extend(more.cloned());
        None
    }
}

fn either(one: &Document, other: Document) -> Document {
    let (Document::Parsed(own), Document::Parsed(theirs)) = (one, &other) else {
        return if one.policy().is_some() { one.clone() } else { other };
    };
    let holds = |policy: &Policy, wanted: &Arc<_>| policy.statements.contains(wanted);
    let of_own = own.statements.iter().filter(|s| s.allow || holds(theirs, s));
    let more = theirs.statements.iter().filter(|s| s.allow && !holds(own, s));
    Document::Parsed(Policy { statements: of_own.chain(more).cloned().collect(), ..own.clone() })
}

/// Adds entries to those that are known; the ARNs of those that differ from what was known of them.
pub(super) fn merge<T: Listed>(known: &mut Vec<T>, new: Vec<T>) -> Vec<String> {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, item) in known.iter().enumerate() {
        places.entry(item.arn().to_owned()).or_default().push(place);
    }
    let mut twice = Vec::new();
    for item in new.into_iter().filter(|item| !item.arn().is_empty()) {
        let at = places.entry(item.arn().to_owned()).or_default();
        if let Some(&same) = at.iter().find(|&&place| known[place].says_the_same(&item)) {
            known[same] = item;
            continue;
        }
        let beside = match at.first() {
            Some(&first) => {
                twice.push(item.arn().to_owned());
                known[first].take_in(item)
            }
            None => Some(item),
        };
        if let Some(item) = beside {
            at.push(known.len());
            known.push(item);
        }
    }
    twice
}
