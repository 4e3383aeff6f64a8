//! JUnit XML: a test case per rule, so that a pipeline shows what was checked and not only what failed.

use std::fmt::Write;

use super::Options;
use crate::audit::audit::Audit;
use crate::audit::finding::{Finding, Severity, Status};
use crate::audit::rules;

pub(super) fn render(audit: &Audit, options: Options<'_>) -> String {
    let limit = options.fail_on.unwrap_or(Severity::Info);
    let mut cases = String::new();
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for rule in rules::all() {
        tests += 1;
        let _ = write!(
            cases,
            "    <testcase classname=\"opsctl.audit-iam\" name=\"{} {}\" time=\"0\"",
            rule.id, rule.slug
        );
        let failing: Vec<&Finding> = audit
            .findings
            .iter()
            .filter(|f| f.rule == rule.id && f.status == Status::New && f.severity >= limit)
            .collect();
        let unseen: Vec<_> = audit.not_evaluated.iter().filter(|entry| entry.rule == rule.id).collect();
        if let Some(worst) = failing.first() {
            failures += 1;
            let _ = write!(
                cases,
                ">\n      <failure type=\"{}\" message=\"{}\">",
                worst.severity.word(),
                escape(&format!("{} ({} in all)", rule.title, failing.len()))
            );
            for finding in &failing {
                let _ = writeln!(
                    cases,
                    "{}",
                    escape(&format!("{}: {}", finding.resource, finding.evidence.join("; ")))
                );
            }
            cases.push_str("</failure>\n    </testcase>\n");
        } else if let Some(entry) = unseen.iter().find(|entry| !entry.optional) {
            errors += 1;
            let _ = write!(
                cases,
                ">\n      <error type=\"not-evaluated\" message=\"{}\"/>\n    </testcase>\n",
                escape(&entry.reason)
            );
        } else if let Some(entry) = unseen.first() {
            skipped += 1;
            let _ =
                write!(cases, ">\n      <skipped message=\"{}\"/>\n    </testcase>\n", escape(&entry.reason));
        } else {
            cases.push_str("/>\n");
        }
    }
    // Everything that the schemas of Ant and of Jenkins ask for, the one the stricter, the other the wider
    // used.
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"audit-iam {account}\" package=\"opsctl\" id=\"0\" hostname=\"localhost\" timestamp=\"{at}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"0\">\n    <properties>\n      <property name=\"account\" value=\"{account}\"/>\n      <property name=\"catalogue_date\" value=\"{catalogue}\"/>\n    </properties>\n{cases}    <system-out/>\n    <system-err/>\n  </testsuite>\n</testsuites>\n",
        account = escape(&audit.account),
        at = audit.at.iso().split('+').next().unwrap_or_default(),
        catalogue = audit.catalogue_date,
    )
}

/// XML 1.0 text: the five entities, and no control characters, which it cannot hold at all.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
