//! Least privilege as a proposal: what a role may do, cut down to the services and actions it used.
//!
//! Never applied; written for a person to review. The proposal keeps every Deny and every condition, so that
//! it can only take away, and the engine that judges roles checks that it does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::account::{InlinePolicy, Role, name_of};
use super::evaluate::{BESIDE, Engine};
use super::settings::Settings;
use super::usage::ServiceUse;
use crate::domain::{many, shown};
use opsctl_iam::action_set::ActionSet;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::effective::Effective;
use opsctl_iam::grant::Sourced;
use opsctl_iam::policy::{Document, Selector, Statement};

/// A smaller policy for a role.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub role: String,
    /// All policies of the role as one document, pretty-printed.
    pub before: String,
    /// The proposed document.
    pub after: String,
    /// From one to the other, as a unified diff.
    pub diff: String,
    /// Characters that IAM counts (white space is free).
    pub size: usize,
    /// Catalogued actions that the proposal takes away, on some or on all resources.
    pub removed: usize,
    /// Actions that the proposal would add: always none, and checked.
    pub added: usize,
    pub notes: Vec<String>,
    nothing_allowed: bool,
}

impl Proposal {
    /// Whether nothing is left: IAM takes no policy without statements.
    pub fn is_empty(&self) -> bool {
        self.nothing_allowed
    }
}

/// A managed policy holds at most this many characters without white space.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>
pub const MANAGED_LIMIT: usize = 6_144;

/// Proposes a policy for a role from its service-last-accessed data. `None` when part of what the role may do
/// could not be read: then nothing can be proven.
pub fn propose(
    engine: &Engine<'_>,
    role: &Role,
    used: &[ServiceUse],
    settings: &Settings,
) -> Option<Proposal> {
    let effective = engine.role(role);
    if !effective.unreadable.is_empty() {
        return None;
    }
    let recent = |s: &&ServiceUse| {
        s.last_authenticated.is_some_and(|t| t.days_until(settings.now) <= settings.stale_after_days)
    };
    let used: Vec<&ServiceUse> = used.iter().filter(recent).collect();
    let mut kept = Vec::new();
    let all: Vec<&Statement> =
        own(effective.allows.iter().chain(&effective.denies)).map(|s| &*s.grant.statement).collect();
    for statement in &all {
        if !statement.allow {
            kept.push((*statement).clone());
            continue;
        }
        let actions = keep(engine.catalogue, &statement.actions, &used, settings);
        if !actions.is_empty() {
            kept.push(Statement { actions: Selector::Only(actions), ..(*statement).clone() });
        }
    }
    let nothing_allowed = !kept.iter().any(|statement| statement.allow);
    let before = document(all.iter().copied());
    let after = document(kept.iter());
    let smaller = engine.role(&Role {
        inline: vec![InlinePolicy { name: "proposal".into(), document: Document::read(after.clone()) }],
        attached: Vec::new(),
        ..role.clone()
    });
    let size = after.to_string().chars().filter(|c| !c.is_whitespace()).count();
    let (before, after) = (pretty(&before), pretty(&after));
    let name = shown::line(name_of(&role.arn));
    let diff = similar::TextDiff::from_lines(&before, &after)
        .unified_diff()
        .header(&format!("{name} now"), &format!("{name} proposed"))
        .to_string();
    let (removed, _) = difference(&effective, &smaller);
    let (added, _) = difference(&smaller, &effective);
    let mut notes = vec![format!("removes {}, adds {added}", many(removed, "action"))];
    if size > MANAGED_LIMIT {
        notes.push(format!("{size} characters: more than the {MANAGED_LIMIT} of one managed policy"));
    }
    Some(Proposal {
        role: role.arn.clone(),
        before,
        after,
        diff,
        size,
        removed,
        added,
        notes,
        nothing_allowed,
    })
}

/// The statements of the role's own policies.
fn own<'s>(all: impl Iterator<Item = &'s Sourced>) -> impl Iterator<Item = &'s Sourced> {
    all.filter(|s| !s.source.arn.starts_with(BESIDE))
}

/// How many actions the first holds and the second does not, on some and on all resources.
fn difference(of: &Effective, than: &Effective) -> (usize, usize) {
    let minus = |a: &ActionSet, b: &ActionSet| {
        let mut rest = a.clone();
        rest.subtract(b);
        rest
    };
    let any = |e: &Effective| {
        let mut all = e.some.clone();
        all.union(&e.held);
        all
    };
    let mut rest = minus(&any(of), &any(than));
    let everywhere = minus(&of.held, &than.held);
    rest.union(&everywhere);
    (rest.len(), everywhere.len())
}

/// The patterns of a statement, cut down to what was used. A wildcard over services becomes one per service.
fn keep(catalogue: &Catalogue, scope: &Selector, used: &[&ServiceUse], settings: &Settings) -> Vec<String> {
    let mut kept = BTreeSet::new();
    for service in used {
        let Some(range) = catalogue.service(&service.service_namespace) else { continue };
        let named: Vec<_> = range
            .clone()
            .filter(|&id| scope.covers(catalogue.name(id), opsctl_iam::pattern::matches_ignoring_case))
            .collect();
        let tracked = |id: u16| {
            let name = catalogue.name(id).rsplit(':').next().unwrap_or_default();
            service.tracked_actions_last_accessed.iter().find(|a| a.name.eq_ignore_ascii_case(name))
        };
        let unused = |id: u16| {
            tracked(id).is_some_and(|a| {
                a.last_accessed.is_none_or(|t| t.days_until(settings.now) > settings.stale_after_days)
            })
        };
        let left: Vec<_> = named.iter().copied().filter(|&id| !unused(id)).collect();
        if left.len() == range.len() {
            kept.insert(format!("{}:*", service.service_namespace));
        } else if left.len() == named.len()
            && let Selector::Only(patterns) = scope
        {
            // Nothing to take from what was written for this service: leave it as it was written.
            let own = patterns
                .iter()
                .filter(|p| p.to_ascii_lowercase().starts_with(&format!("{}:", service.service_namespace)));
            let own: Vec<String> = own.cloned().collect();
            match own.is_empty() {
                true => kept.extend(left.iter().map(|&id| catalogue.name(id).to_owned())),
                false => kept.extend(own),
            }
        } else {
            kept.extend(left.iter().map(|&id| catalogue.name(id).to_owned()));
        }
    }
    kept.into_iter().collect()
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a document of text");
    text.push('\n');
    text
}

fn document<'a>(statements: impl Iterator<Item = &'a Statement>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements.map(Statement::to_json).collect::<Vec<_>>()})
}
