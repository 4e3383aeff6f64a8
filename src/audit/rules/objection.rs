//! What a trust rule objects to, as a hit.

use super::rule::Hit;
use crate::audit::role_view::RoleView;
use crate::audit::trust::Admission;
use opsctl_iam::grant::condition_text;

fn evidence(a: &Admission<'_>, fact: &str) -> String {
    format!("{}: {fact}{}", a.label(), condition_text(&a.statement, a.restriction))
}

/// The first admission that a rule objects to, with all that it objects to as evidence.
pub(super) fn objections<'a>(
    view: &'a RoleView<'a>,
    object: impl Fn(&'a Admission<'a>) -> Option<String>,
) -> Option<Hit> {
    let found: Vec<(String, String)> = view
        .admissions
        .iter()
        .filter_map(|a| object(a).map(|fact| (fact.clone(), evidence(a, &fact))))
        .collect();
    // The cause is the same whatever the order of the statements.
    let mut facts: Vec<&str> = found.iter().map(|(fact, _)| fact.as_str()).collect();
    facts.sort_unstable();
    let cause = facts.join("; ");
    (!found.is_empty()).then(|| Hit::new(cause, found.into_iter().map(|(_, line)| line).collect()))
}
