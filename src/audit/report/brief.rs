//! Many findings: a block per rule, the worst first, and in it a line per cause, so that twelve
//! administrators are one block and not twelve.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::lines::{known, named, painted, wrapped};
use super::{Emphasis, Layout, Paint};
use crate::audit::account::name_of;
use crate::audit::audit::{Audit, Group};
use crate::audit::finding::{Finding, Severity};
use crate::audit::rules;
use crate::domain::many;

/// How many causes a rule shows, by how bad it is.
fn shown(severity: Severity) -> usize {
    match severity {
        Severity::Critical => 8,
        Severity::High => 5,
        Severity::Medium => 3,
        Severity::Low | Severity::Info => 2,
    }
}

/// Where a rule stands among those as bad: what is dangerous and idle is fixed first, then what others can
/// use.
pub(super) fn rank(rule: &str) -> u8 {
    match rule {
        "IAM406" => 0,
        "IAM301" | "IAM305" | "IAM311" => 1,
        "IAM208" | "IAM211" => 2,
        _ => 3,
    }
}

pub(super) fn by_rule(audit: &Audit, paint: Paint, look: Layout, out: &mut String) {
    let mut blocks: BTreeMap<&str, Vec<Group<'_>>> = BTreeMap::new();
    for group in audit.groups() {
        blocks.entry(group.first().rule).or_default().push(group);
    }
    let mut blocks: Vec<(&str, Vec<Group<'_>>)> = blocks.into_iter().collect();
    for (_, groups) in &mut blocks {
        groups.sort_by_key(|g| (std::cmp::Reverse(g.first().severity), std::cmp::Reverse(g.findings.len())));
    }
    blocks.sort_by_key(|(rule, groups)| (std::cmp::Reverse(groups[0].first().severity), rank(rule), *rule));
    for (rule, groups) in &blocks {
        let worst = groups[0].first().severity;
        let count: usize = groups.iter().map(|g| g.findings.len()).sum();
        let known_rule = rules::find(rule);
        let title = known_rule.map_or(groups[0].first().title.as_str(), |rule| rule.title);
        let severity = painted(worst, paint);
        let _ = writeln!(out, "\n{severity} {rule}  {} ({count})", paint(Emphasis::Title, title));
        for group in groups.iter().take(shown(worst)) {
            line(group, worst, look.width, out);
        }
        let rest = &groups[groups.len().min(shown(worst))..];
        if !rest.is_empty() {
            let more: usize = rest.iter().map(|g| g.findings.len()).sum();
            let causes = many(rest.len(), "cause");
            let _ = writeln!(out, "  and {more} more, of {causes}; --rule {rule} --details shows them");
        }
        if let Some(rule) = known_rule {
            let fix = wrapped(rule.fix, look.width, 7);
            let _ = writeln!(out, "  {}: {fix}", paint(Emphasis::Advice, "fix"));
        }
    }
}

/// Who, and the one fact that says why.
fn line(group: &Group<'_>, worst: Severity, width: Option<usize>, out: &mut String) {
    let first = group.first();
    let severity =
        if first.severity == worst { String::new() } else { format!("{}: ", first.severity.word()) };
    let text = format!("{severity}{}{}: {}", named(group, false), known(&group.findings), fact(first));
    let _ = writeln!(out, "  {}", wrapped(&text, width, 4));
}

fn fact(finding: &Finding) -> &str {
    finding.evidence.first().map_or(finding.title.as_str(), String::as_str)
}

pub(super) fn by_role(audit: &Audit, paint: Paint, look: Layout, out: &mut String) {
    let mut roles: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &audit.findings {
        roles.entry(&finding.resource).or_default().push(finding);
    }
    let mut roles: Vec<(&str, Vec<&Finding>)> = roles.into_iter().collect();
    // Findings come the worst first, so that the first is a role's worst.
    let weight = |findings: &[&Finding]| {
        let of = |severity| findings.iter().filter(|f| f.severity == severity).count();
        std::cmp::Reverse([of(Severity::Critical), of(Severity::High), of(Severity::Medium)])
    };
    roles.sort_by_key(|(arn, findings)| (weight(findings), *arn));
    for (arn, findings) in roles {
        let worst = painted(findings[0].severity, paint);
        let name = if look.details { arn } else { name_of(arn) };
        let _ = writeln!(out, "\n{worst} {}", paint(Emphasis::Title, name));
        for finding in findings {
            of_role(finding, paint, look, out);
        }
    }
}

/// One finding under its role.
fn of_role(finding: &Finding, paint: Paint, look: Layout, out: &mut String) {
    let is_known = known(&[finding]);
    let said = format!("{} {}  {}{is_known}", finding.severity.word(), finding.rule, finding.title);
    if !look.details {
        let _ = writeln!(out, "  {}", wrapped(&format!("{said}: {}", fact(finding)), look.width, 4));
        return;
    }
    let _ = writeln!(out, "  {}", wrapped(&said, look.width, 4));
    for line in &finding.evidence {
        let _ = writeln!(out, "    - {}", wrapped(line, look.width, 6));
    }
    // Commands are lines of their own, and stay whole.
    let mut fix = finding.fix.lines();
    let start = wrapped(fix.next().unwrap_or_default(), look.width, 9);
    let rest: String = fix.map(|line| format!("\n         {line}")).collect();
    let _ = writeln!(out, "    {}: {start}{rest}", paint(Emphasis::Advice, "fix"));
}
