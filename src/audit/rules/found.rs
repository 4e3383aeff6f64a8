//! What the rules of escalation find, put together: tiers, evidence, causes.

use super::rule::{Context, Hit};
use crate::audit::escalate::EscalationPath;
use crate::audit::finding::Severity;
use crate::audit::role_view::RoleView;
use crate::audit::ways;
use crate::domain::many;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::effective::Ceiling;

/// How an action is held, strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    No,
    /// On all resources, but only at the right moment (MFA, network).
    AtTimes,
    Everywhere,
}

pub(super) fn held(view: &RoleView<'_>, action: ActionId) -> Held {
    if view.effective.open.contains(action) {
        Held::Everywhere
    } else if view.effective.allows_at_times(action) {
        Held::AtTimes
    } else {
        Held::No
    }
}

/// What was found of a family of ways; the worst severity counts.
#[derive(Default)]
pub(super) struct Gathered {
    pub severity: Option<Severity>,
    pub evidence: Vec<String>,
    pub causes: Vec<String>,
    /// The actions whose statements are in the evidence already: many paths share one.
    told: Vec<ActionId>,
}

impl Gathered {
    /// Adds a line, of so much weight.
    pub fn add(&mut self, severity: Severity, line: String) {
        self.severity = self.severity.max(Some(severity));
        self.evidence.push(line);
    }

    /// The statements that give an action, as evidence and as cause.
    pub fn because(&mut self, cx: &Context<'_>, view: &RoleView<'_>, action: ActionId) {
        if self.told.contains(&action) {
            return;
        }
        self.told.push(action);
        for line in view.written.evidence(cx.catalogue, action, 2) {
            if !self.evidence.contains(&line) {
                self.evidence.push(line);
            }
        }
        self.causes.extend(
            view.written
                .allowing(action)
                .take(1)
                .map(|s| format!("{} in {}", cx.catalogue.name(action), s.source.label())),
        );
    }

    /// All that was found as one hit, as severe as the worst of it. `None`: nothing was found.
    pub fn hit(mut self, view: &RoleView<'_>) -> Option<Hit> {
        let severity = self.severity?;
        // What is reached first, what is only possible next, then the statements that give it.
        self.evidence.sort_by_key(|line| (!line.starts_with("REACHABLE"), !line.starts_with("CAPABLE")));
        const SHOWN: usize = 8;
        let capable = self.evidence.iter().filter(|line| line.starts_with("CAPABLE")).count();
        if capable > SHOWN {
            let start = self.evidence.iter().position(|line| line.starts_with("CAPABLE")).unwrap_or(0);
            self.evidence.drain(start + SHOWN..start + capable);
            self.evidence.insert(start + SHOWN, format!("CAPABLE: {} more", many(capable - SHOWN, "way")));
        }
        self.causes.sort();
        self.causes.dedup();
        self.evidence.extend(view.written.limits());
        Some(Hit::new(self.causes.join(", "), self.evidence).severity(severity))
    }
}

/// Literal administrators need no list of what an administrator may do: IAM103 and IAM201 speak for all.
pub(super) fn says_it_all(view: &RoleView<'_>) -> bool {
    view.everything || matches!(view.effective.ceiling, Ceiling::Missing { .. })
}

pub(super) fn lowered_if(at_times: bool, severity: Severity) -> Severity {
    if at_times { severity.lowered() } else { severity }
}

pub(super) fn times(at_times: bool) -> &'static str {
    if at_times { ", while its condition holds" } else { "" }
}

/// The calls of a way, and those that set the tags by which they are allowed.
pub(super) fn with_tagging(tagging: &[ActionId], way: &EscalationPath) -> String {
    let tagging: Vec<_> = tagging.iter().map(|&action| Catalogue::embedded().name(action)).collect();
    match tagging.is_empty() {
        true => way.name(),
        false => format!("{}, with the tag that is asked for by {},", way.name(), tagging.join(" and ")),
    }
}

/// The ways that the role has on all resources, each as CAPABLE; what else is known of one is added.
pub(super) fn ways_everywhere(
    cx: &Context<'_>,
    view: &RoleView<'_>,
    ways: impl Iterator<Item = &'static EscalationPath>,
    severity: Severity,
    reaches: impl Fn(&EscalationPath) -> Option<(Severity, String)>,
) -> Option<Hit> {
    if says_it_all(view) {
        return None;
    }
    let mut found = Gathered::default();
    for way in ways {
        let held = way.actions.iter().map(|&action| held(view, action)).min().unwrap_or(Held::No);
        let home = cx.engine.home();
        let tagging = match held {
            Held::No => ways::opening_on_all(way, &view.effective, home),
            _ => ways::is_left(way, &view.effective, home).then(Vec::new),
        };
        let Some(tagging) = tagging else { continue };
        let at_times = held == Held::AtTimes;
        let calls = with_tagging(&tagging, way);
        found.add(
            lowered_if(at_times, severity),
            format!("CAPABLE: {calls} on all resources{}", times(at_times)),
        );
        if let Some((severity, target)) = reaches(way) {
            found.add(lowered_if(at_times, severity), format!("REACHABLE: {calls} on {target}"));
        }
        way.actions.iter().take(1).chain(&tagging).for_each(|&action| found.because(cx, view, action));
    }
    found.hit(view)
}
