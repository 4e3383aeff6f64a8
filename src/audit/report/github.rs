//! Workflow commands of GitHub Actions, one per group.
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use std::fmt::Write;

use super::Options;
use crate::audit::account::name_of;
use crate::audit::audit::Audit;
use crate::audit::finding::{Severity, Status};
use crate::domain::workflow::{data, property};

pub(super) fn render(audit: &Audit, options: Options<'_>) -> String {
    let mut out = String::new();
    for group in audit.groups() {
        let first = group.first();
        let new = group.findings.iter().any(|f| f.status == Status::New);
        let command = match first.severity {
            severity if new && options.fail_on.is_some_and(|limit| severity >= limit) => "error",
            Severity::Critical | Severity::High | Severity::Medium => "warning",
            Severity::Low | Severity::Info => "notice",
        };
        let names: Vec<&str> = group.findings.iter().take(5).map(|f| name_of(&f.resource)).collect();
        let message = format!(
            "{} ({} in all, such as {})\n{}\nfix: {}",
            first.title,
            group.findings.len(),
            names.join(", "),
            first.evidence.join("\n"),
            first.fix
        );
        let title = property(&format!("{} {}", first.rule, first.severity.word()));
        let _ = writeln!(
            out,
            "::{command} file={}{},title={title}::{}",
            property(options.location),
            first.line.map_or_else(String::new, |line| format!(",line={line}")),
            data(&message)
        );
    }
    for entry in audit.not_evaluated.iter().filter(|entry| !entry.optional) {
        let _ = writeln!(out, "::warning title={} not evaluated::{}", entry.rule, data(&entry.reason));
    }
    out
}
