//! Lines of the form for people: severities, names, and texts that fit the terminal.

use super::{Emphasis, Paint};
use crate::audit::account::name_of;
use crate::audit::audit::{Audit, Group};
use crate::audit::finding::{Finding, Severity, Status};
use crate::audit::rules;
use crate::domain::{few, many, wrap};

/// How many resources of a group are named.
const NAMED: usize = 5;

/// The severity in its color, eight characters wide.
pub(super) fn painted(severity: Severity, paint: Paint) -> String {
    let word = format!("{:<8}", severity.word());
    match severity {
        Severity::Critical | Severity::High => paint(Emphasis::Severe, &word),
        Severity::Medium => paint(Emphasis::Doubtful, &word),
        Severity::Low | Severity::Info => paint(Emphasis::Minor, &word),
    }
}

/// How many of the findings are shown, when somebody chose some of them.
pub(super) fn shown_of_all(audit: &Audit) -> Option<String> {
    let s = &audit.summary;
    let all = s.critical + s.high + s.medium + s.low + s.info;
    let shown = audit.findings.len();
    (shown < all).then(|| format!("Shown: {shown} of {}.", many(all, "finding")))
}

/// The first few resources of a group, and how many more there are; or all of them.
pub(super) fn named(group: &Group<'_>, all: bool) -> String {
    let names: Vec<&str> = group.findings.iter().map(|f| name_of(&f.resource)).collect();
    few(&names, if all { usize::MAX } else { NAMED })
}

/// A text broken at spaces to fit a width, its further lines behind an indent; the first is behind that much,
/// too.
pub(super) fn wrapped(text: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width.filter(|width| *width > indent + 20) else { return text.to_owned() };
    wrap::wrapped(text, width - indent).join(&format!("\n{}", " ".repeat(indent)))
}

/// The title of all; the rule's own where they count differently.
pub(super) fn title(group: &Group<'_>) -> String {
    let first = group.first();
    let alike = group.findings.iter().all(|f| f.title == first.title);
    let of_rule = rules::find(first.rule).filter(|_| !alike).map(|rule| rule.title.to_owned());
    of_rule.unwrap_or_else(|| first.title.clone())
}

/// How many of the findings the baseline has.
pub(super) fn known(findings: &[&Finding]) -> String {
    match findings.iter().filter(|finding| finding.status == Status::Unchanged).count() {
        0 => String::new(),
        n if n == findings.len() => " (in the baseline)".into(),
        n => format!(" ({n} in the baseline)"),
    }
}
