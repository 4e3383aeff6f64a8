//! IAM209: rights by Identity Center, on all permission sets or on those that are named.

use super::found::{Gathered, says_it_all, ways_everywhere};
use super::rule::{Context, Hit};
use crate::audit::escalate::CENTER_WAYS;
use crate::audit::finding::Severity;
use crate::audit::role_view::RoleView;
use crate::audit::ways;
use opsctl_iam::grant::shorten;

pub(super) fn identity_center(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let everywhere = ways_everywhere(cx, view, CENTER_WAYS.iter(), Severity::High, |_| None);
    everywhere.or_else(|| center_by_name(cx, view))
}

/// The same of one instance, or of permission sets that are named: whoever has them has what is added.
fn center_by_name(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if says_it_all(view) {
        return None;
    }
    let mut found = Gathered::default();
    for way in CENTER_WAYS.iter().filter(|way| ways::is_open(way, &view.effective, cx.engine.home())) {
        let Some(&action) = way.actions.first() else { continue };
        let on = view.effective.allowing(action).flat_map(|s| s.grant.statement.on());
        let on: Vec<&String> = on.collect();
        found.add(Severity::High, format!("CAPABLE: {} on {}", way.name(), shorten(&on)));
        found.because(cx, view, action);
    }
    found.hit(view)
}
