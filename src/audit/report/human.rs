//! For a terminal: grouped by cause, worst first.

use std::fmt::Write;

use super::{Emphasis, Paint, counted};
use crate::audit::account::name_of;
use crate::audit::audit::{Audit, Group};
use crate::audit::finding::{Finding, Severity, Status};
use crate::audit::rules::{self, Rule};
use opsctl_iam::time::Instant;

/// How many resources of a group are named.
const NAMED: usize = 5;
/// Days after which the catalogue of AWS's actions is worth a word.
const OLD: i64 = 90;

pub(super) fn render(audit: &Audit, paint: Paint) -> String {
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
    let made = Instant::parse(audit.catalogue_date);
    if let Some(age) = made.map(|day| day.days_until(audit.at)).filter(|age| *age > OLD) {
        let _ = writeln!(
            out,
            "The catalogue is {age} days old: newer actions and policies of AWS are not in it."
        );
    }
    for group in audit.groups() {
        let first = group.first();
        let severity = format!("{:<8}", first.severity.word());
        let severity = match first.severity {
            Severity::Critical | Severity::High => paint(Emphasis::Severe, &severity),
            Severity::Medium => paint(Emphasis::Doubtful, &severity),
            Severity::Low | Severity::Info => paint(Emphasis::Minor, &severity),
        };
        let _ = writeln!(out, "\n{severity} {}  {}", first.rule, paint(Emphasis::Title, &title(&group)));
        let names: Vec<&str> = group.findings.iter().take(NAMED).map(|f| name_of(&f.resource)).collect();
        let more = group.findings.len() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let statuses: Vec<Status> = group.findings.iter().map(|f| f.status).collect();
        let _ = writeln!(out, "         on {}{more}{}", names.join(", "), known(&statuses));
        // What is said of the first need not be true of the others word by word.
        let example = |alike: bool| match alike {
            true => String::new(),
            false => format!(" for {}", name_of(&first.resource)),
        };
        let alike = group.findings.iter().all(|f| unnamed(f) == unnamed(first));
        if !alike {
            let _ = writeln!(out, "         as seen{}:", example(false));
        }
        for line in &first.evidence {
            let _ = writeln!(out, "         - {line}");
        }
        let example = example(group.findings.iter().all(|f| f.fix == first.fix));
        let fix = first.fix.replace('\n', "\n              ");
        let _ = writeln!(out, "         {}{example}: {fix}", paint(Emphasis::Advice, "fix"));
    }
    muted(audit, &mut out);
    not_evaluated(audit, &mut out);
    let _ = writeln!(
        out,
        "\n{} critical, {} high, {} medium, {} low, {} info; {} new, {} known, {} fixed, {} muted",
        s.critical, s.high, s.medium, s.low, s.info, s.new, s.unchanged, s.fixed, s.muted
    );
    if s.incomplete {
        let _ = writeln!(
            out,
            "{}: see what was not evaluated.",
            paint(Emphasis::Severe, "The audit is incomplete")
        );
    }
    if !audit.findings.is_empty() {
        out.push_str("`opsctl explain RULE` says what a rule means; --format json lists every role.\n");
    }
    out
}

/// The title of all; the rule's own where they count differently.
fn title(group: &Group<'_>) -> String {
    let first = group.first();
    let alike = group.findings.iter().all(|f| f.title == first.title);
    let of_rule = rules::find(first.rule).filter(|_| !alike).map(|rule| rule.title.to_owned());
    of_rule.unwrap_or_else(|| first.title.clone())
}

/// Evidence without the resource's own name, to tell whether two findings say the same.
fn unnamed(finding: &Finding) -> Vec<String> {
    finding.evidence.iter().map(|line| line.replace(&finding.resource, "")).collect()
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
    // Rules that miss the same thing are one line.
    let mut lines: Vec<(Vec<&str>, String)> = Vec::new();
    for entry in &audit.not_evaluated {
        let where_ = match entry.resources.as_slice() {
            [] => String::new(),
            [one] => format!(" on {}", name_of(one)),
            many => format!(" on {}", counted(many.len(), "role")),
        };
        let said = format!("{where_}: {}", entry.reason);
        match lines.iter_mut().find(|(_, known)| *known == said) {
            Some((rules, _)) => rules.push(entry.rule),
            None => lines.push((vec![entry.rule], said)),
        }
    }
    for (rules, said) in lines {
        let _ = writeln!(out, "  {}{said}", rules.join(", "));
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
