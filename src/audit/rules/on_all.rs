//! Actions that a role holds on all resources, as one finding with the statements that give them.

use super::rule::{Context, Hit};
use crate::audit::role_view::RoleView;
use crate::audit::serving::{is_for_service, is_of_service};
use crate::domain::few;
use opsctl_iam::action_set::{ActionId, ActionSet};
use opsctl_iam::grant::Sourced;
use opsctl_iam::policy::Selector;

/// How many actions a title names.
const IN_TITLE: usize = 3;

/// A hit for actions that the role holds on all resources, with the statements that give them.
pub(super) fn holding(cx: &Context<'_>, view: &RoleView<'_>, actions: &[ActionId]) -> Option<Hit> {
    if actions.is_empty() || view.everything {
        return None;
    }
    // The title has the first three.
    let mut evidence = Vec::new();
    if actions.len() > IN_TITLE {
        evidence.push(first_of(cx, actions, 10));
    }
    let (mut causes, mut patterns) = (Vec::new(), Vec::new());
    for sourced in &view.effective.allows {
        if sourced.grant.restriction.is_open() {
            patterns.extend(giving(cx, sourced, actions));
        }
        if let Some(&action) = actions
            .iter()
            .find(|&&id| sourced.grant.unlimited.contains(id))
            .filter(|_| sourced.grant.restriction.is_open())
        {
            evidence.push(sourced.evidence(cx.catalogue.name(action)));
            causes.push(sourced.source.label());
        }
    }
    causes.sort();
    causes.dedup();
    evidence.extend(view.effective.limits());
    let title = match actions.len() {
        1 => format!("On all resources: {}", first_of(cx, actions, IN_TITLE)),
        n => format!("{n} actions on all resources: {}", first_of(cx, actions, IN_TITLE)),
    };
    patterns.sort();
    patterns.dedup();
    Some(Hit { actions: patterns, ..Hit::new(causes.join(", "), evidence).title(title) })
}

/// The patterns of a statement that give any of these actions on all resources. They stay the same when AWS
/// adds actions.
fn giving(cx: &Context<'_>, sourced: &Sourced, actions: &[ActionId]) -> Vec<String> {
    let given: ActionSet =
        actions.iter().copied().filter(|&id| sourced.grant.unlimited.contains(id)).collect();
    match &sourced.grant.statement.actions {
        _ if given.is_empty() => Vec::new(),
        Selector::Only(patterns) => {
            let gives = |pattern: &&String| cx.engine.expand(pattern).iter().any(|&id| given.contains(id));
            patterns.iter().filter(gives).cloned().collect()
        }
        Selector::Except(spared) => vec![format!("everything but {}", spared.join(", "))],
    }
}

/// The first few names, and how many more there are.
pub(super) fn first_of(cx: &Context<'_>, actions: &[ActionId], shown: usize) -> String {
    few(&actions.iter().map(|&id| cx.catalogue.name(id)).collect::<Vec<_>>(), shown)
}

/// What the role holds on all resources because somebody chose to give it that. A role that only a service
/// of AWS may assume needs what AWS wrote for the roles of that service, and nobody can narrow it.
pub(super) fn by_choice(view: &RoleView<'_>) -> ActionSet {
    if !is_of_service(view) || !view.effective.allows.iter().any(is_for_service) {
        return view.effective.open.clone();
    }
    let mut chosen = ActionSet::default();
    view.effective
        .allows
        .iter()
        .filter(|s| !is_for_service(s) && s.grant.restriction.is_open())
        .for_each(|s| chosen.union(&s.grant.unlimited));
    chosen.intersect(&view.effective.open);
    chosen
}
