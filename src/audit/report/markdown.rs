//! For pull requests and job summaries.

use std::fmt::Write;

use super::lines::{known, shown_of_all};
use crate::audit::account::name_of;
use crate::audit::audit::Audit;
use crate::domain::{few, many, markdown};

const NAMED: usize = 5;

pub(super) fn render(audit: &Audit) -> String {
    let mut out = String::new();
    summary(audit, &mut out);
    if !audit.findings.is_empty() {
        out.push_str("\n| severity | rule | what | where |\n|---|---|---|---|\n");
    }
    for group in audit.groups() {
        let first = group.first();
        let names: Vec<String> = group.findings.iter().map(|f| code(name_of(&f.resource))).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {}{} |",
            first.severity.word(),
            first.rule,
            cell(&first.title),
            few(&names, NAMED),
            known(&group.findings)
        );
    }
    if !audit.muted.is_empty() {
        let _ = writeln!(
            out,
            "\n{} set aside by tags or because a platform manages the role.",
            many(audit.muted.len(), "finding")
        );
    }
    if !audit.not_evaluated.is_empty() {
        out.push_str("\nNot evaluated:\n");
        for entry in &audit.not_evaluated {
            let _ = writeln!(
                out,
                "- {}: {} ({})",
                entry.rule,
                cell(&entry.reason),
                many(entry.resources.len(), "role")
            );
        }
    }
    let _ = writeln!(out, "\nCatalogue of {}.", audit.catalogue_date);
    out
}

/// How much there is, before anything else.
fn summary(audit: &Audit, out: &mut String) {
    let s = &audit.summary;
    let _ = writeln!(out, "## IAM audit of {}\n", audit.account);
    let _ = writeln!(
        out,
        "{}: **{} critical, {} high, {} medium**, {} low, {} info.",
        many(s.roles, "role"),
        s.critical,
        s.high,
        s.medium,
        s.low,
        s.info
    );
    if s.unchanged + s.fixed > 0 {
        let _ = writeln!(
            out,
            "\nBeside the baseline: **{} new**, {} known, {} fixed.",
            s.new, s.unchanged, s.fixed
        );
    }
    if let Some(shown) = shown_of_all(audit) {
        let _ = writeln!(out, "\n{shown}");
    }
    if s.incomplete {
        out.push_str("\n**The audit is incomplete.**\n");
    }
}

/// Text within a table, on one line.
fn cell(text: &str) -> String {
    markdown::text(&text.replace('\n', " "))
}

fn code(name: &str) -> String {
    markdown::code(&name.replace('\n', " "))
}
