//! For a terminal: the summary, then the worst first. A few findings are told in full, many a line each.

use std::fmt::Write;

use super::lines::{known, named, painted, shown_of_all, title, wrapped};
use super::{Emphasis, GroupBy, Layout, Paint, brief};
use crate::audit::account::name_of;
use crate::audit::audit::{Audit, Group};
use crate::audit::finding::Finding;
use crate::audit::rules::Rule;
use crate::domain::many;
use opsctl_iam::time::Instant;

/// Days after which the catalogue of AWS's actions is worth a word.
const OLD: i64 = 90;

/// With more findings than this, each is a line, unless somebody asks for more.
const FEW: usize = 25;

pub(super) fn render(audit: &Audit, paint: Paint, look: Layout) -> String {
    let mut out = summary(audit, paint);
    match look.group_by {
        Some(GroupBy::Role) => brief::by_role(audit, paint, look, &mut out),
        by if look.details || (by.is_none() && audit.findings.len() <= FEW) => {
            audit.groups().iter().for_each(|group| in_full(group, paint, look, &mut out));
        }
        _ => brief::by_rule(audit, paint, look, &mut out),
    }
    muted(audit, look, &mut out);
    not_evaluated(audit, look.width, &mut out);
    if !audit.findings.is_empty() {
        let more = "`opsctl explain RULE` says what a rule means; --rule RULE --details shows all it found.";
        let _ = writeln!(out, "\n{}", wrapped(more, look.width, 0));
    }
    out
}

/// What there is, and how much of it, before anything else.
fn summary(audit: &Audit, paint: Paint) -> String {
    let mut out = String::new();
    let s = &audit.summary;
    let _ = writeln!(
        out,
        "Account {}: {}, {} service-linked left alone (catalogue of {})",
        audit.account,
        many(s.roles, "role"),
        s.service_linked,
        audit.catalogue_date
    );
    let _ = writeln!(
        out,
        "{} critical, {} high, {} medium, {} low, {} info; {} new, {} known, {} fixed, {} muted",
        s.critical, s.high, s.medium, s.low, s.info, s.new, s.unchanged, s.fixed, s.muted
    );
    if let Some(shown) = shown_of_all(audit) {
        let _ = writeln!(out, "{shown}");
    }
    if s.incomplete {
        let _ = writeln!(
            out,
            "{}: see what was not evaluated.",
            paint(Emphasis::Severe, "The audit is incomplete")
        );
    }
    let made = Instant::parse(audit.catalogue_date);
    if let Some(age) = made.map(|day| day.days_until(audit.at)).filter(|age| *age > OLD) {
        let _ = writeln!(
            out,
            "The catalogue is {age} days old: newer actions and policies of AWS are not in it."
        );
    }
    out
}

/// A group with all evidence of its first finding and its remedy.
fn in_full(group: &Group<'_>, paint: Paint, Layout { width, details, .. }: Layout, out: &mut String) {
    let first = group.first();
    let severity = painted(first.severity, paint);
    let _ = writeln!(out, "\n{severity} {}  {}", first.rule, paint(Emphasis::Title, &title(group)));
    let names = named(group, details);
    let _ =
        writeln!(out, "         {}", wrapped(&format!("on {names}{}", known(&group.findings)), width, 12));
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
        let _ = writeln!(out, "         - {}", wrapped(line, width, 11));
    }
    let example = example(group.findings.iter().all(|f| f.fix == first.fix));
    // Commands are lines of their own, and stay whole.
    let mut fix = first.fix.lines();
    let start = wrapped(fix.next().unwrap_or_default(), width, 14);
    let rest: String = fix.map(|line| format!("\n              {line}")).collect();
    let _ = writeln!(out, "         {}{example}: {start}{rest}", paint(Emphasis::Advice, "fix"));
}

/// Evidence without the resource's own name, to tell whether two findings say the same.
fn unnamed(finding: &Finding) -> Vec<String> {
    finding.evidence.iter().map(|line| line.replace(&finding.resource, "")).collect()
}

fn muted(audit: &Audit, look: Layout, out: &mut String) {
    if !audit.muted.is_empty() {
        out.push_str("\nSet aside:\n");
    }
    let shown = if look.details { audit.muted.len() } else { FEW.min(audit.muted.len()) };
    let more = audit.muted.len() - shown;
    for finding in &audit.muted[..shown] {
        let why = finding.muted.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "  {} {} on {}: {why}",
            finding.severity.word(),
            finding.rule,
            name_of(&finding.resource)
        );
    }
    if more > 0 {
        let _ = writeln!(out, "  and {more} more; --details lists them");
    }
}

fn not_evaluated(audit: &Audit, width: Option<usize>, out: &mut String) {
    if !audit.not_evaluated.is_empty() {
        out.push_str("\nNot evaluated:\n");
    }
    // Rules that miss the same thing are one line.
    let mut lines: Vec<(Vec<&str>, String)> = Vec::new();
    for entry in &audit.not_evaluated {
        let where_ = match entry.resources.as_slice() {
            [] => String::new(),
            [one] => format!(" on {}", name_of(one)),
            several => format!(" on {}", many(several.len(), "role")),
        };
        let said = format!("{where_}: {}", entry.reason);
        match lines.iter_mut().find(|(_, known)| *known == said) {
            Some((rules, _)) => rules.push(entry.rule),
            None => lines.push((vec![entry.rule], said)),
        }
    }
    for (rules, said) in lines {
        let _ = writeln!(out, "  {}", wrapped(&format!("{}{said}", rules.join(", ")), width, 4));
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
