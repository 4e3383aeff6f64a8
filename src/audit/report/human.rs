//! For a terminal: grouped by cause, worst first.

use std::fmt::Write;

use super::counted;
use crate::audit::audit::Audit;
use crate::audit::finding::Status;
use crate::audit::graph::name_of;
use crate::audit::rules::Rule;

/// How many resources of a group are named.
const NAMED: usize = 5;

pub(super) fn render(audit: &Audit) -> String {
    let mut out = String::new();
    let s = &audit.summary;
    let _ = writeln!(
        out,
        "Account {}: {}, {} service-linked left alone (catalogue of {})",
        audit.account,
        counted(s.roles, "role"),
        s.service_linked,
        audit.catalogue_date
    );
    for group in audit.groups() {
        let first = group.first();
        let _ = writeln!(out, "\n{:<8} {}  {}", first.severity.word(), first.rule, first.title);
        let names: Vec<&str> = group.findings.iter().take(NAMED).map(|f| name_of(&f.resource)).collect();
        let more = group.findings.len() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(
            out,
            "         on {}{more}{}",
            names.join(", "),
            known(&group.findings.iter().map(|f| f.status).collect::<Vec<_>>())
        );
        first.evidence.iter().for_each(|line| {
            let _ = writeln!(out, "         - {line}");
        });
        let _ = writeln!(out, "         fix: {}", first.fix.replace('\n', "\n              "));
    }
    muted(audit, &mut out);
    not_evaluated(audit, &mut out);
    let _ = writeln!(
        out,
        "\n{} critical, {} high, {} medium, {} low, {} info; {} new, {} known, {} fixed, {} muted",
        s.critical, s.high, s.medium, s.low, s.info, s.new, s.unchanged, s.fixed, s.muted
    );
    if s.incomplete {
        out.push_str("The audit is incomplete: see what was not evaluated.\n");
    }
    out
}

fn known(statuses: &[Status]) -> String {
    match statuses.iter().filter(|status| **status == Status::Unchanged).count() {
        0 => String::new(),
        n if n == statuses.len() => " (in the baseline)".into(),
        n => format!(" ({n} in the baseline)"),
    }
}

fn muted(audit: &Audit, out: &mut String) {
    if !audit.muted.is_empty() {
        out.push_str("\nSet aside:\n");
    }
    for finding in &audit.muted {
        let why = finding.muted.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "  {} {} on {}: {why}",
            finding.severity.word(),
            finding.rule,
            name_of(&finding.resource)
        );
    }
}

fn not_evaluated(audit: &Audit, out: &mut String) {
    if !audit.not_evaluated.is_empty() {
        out.push_str("\nNot evaluated:\n");
    }
    for entry in &audit.not_evaluated {
        let where_ = match entry.resources.as_slice() {
            [] => String::new(),
            [one] => format!(" on {}", name_of(one)),
            many => format!(" on {}", counted(many.len(), "role")),
        };
        let _ = writeln!(out, "  {}{where_}: {}", entry.rule, entry.reason);
    }
}

/// What `opsctl explain IAM101` prints.
pub fn explain(rule: &Rule) -> String {
    format!(
        "{} {} (usually {})\n{}\n\nWhat: {}\nWhy:  {}\nFix:  {}\nSee:  {}\n",
        rule.id,
        rule.slug,
        rule.severity.word(),
        rule.title,
        rule.what,
        rule.why,
        rule.fix,
        rule.page
    )
}
