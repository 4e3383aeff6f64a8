//! SARIF 2.1.0, for code scanning.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use serde_json::{Value, json};

use super::Options;
use crate::audit::audit::Audit;
use crate::audit::compliance::requirements;
use crate::audit::finding::{Finding, NotEvaluated, Severity, Status};
use crate::audit::rules::{self, Rule};
use crate::domain::many;

pub(super) fn render(audit: &Audit, options: Options<'_>) -> String {
    let ids: Vec<&str> = rules::all().map(|rule| rule.id).collect();
    let result = |f: &Finding| {
        let index = ids.iter().position(|id| *id == f.rule);
        let mut result = json!({
            "ruleId": f.rule,
            "level": level(f.severity),
            "message": {"text": plain(&format!("{}: {}\n{}\nFix: {}", f.resource, f.title,
                f.evidence.join("\n"), f.fix))},
            "locations": [{
                "physicalLocation": {"artifactLocation": {"uri": uri(options.location)},
                    "region": {"startLine": f.line.unwrap_or(1)}},
                "logicalLocations": [{"fullyQualifiedName": f.resource, "kind": "resource"}],
            }],
            "partialFingerprints": {"opsctlFinding/v1": f.fingerprint},
            "baselineState": if f.status == Status::New { "new" } else { "unchanged" },
            "properties": {"severity": f.severity.word()},
        });
        if let Some(index) = index {
            result["ruleIndex"] = index.into();
        }
        if !f.compliance.is_empty() {
            result["properties"]["compliance"] = json!(f.compliance);
        }
        if let Some(why) = &f.muted {
            result["suppressions"] = json!([{"kind": "external", "justification": why}]);
        }
        result
    };
    let notes: Vec<Value> = audit.not_evaluated.iter().map(note).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "opsctl audit-iam",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules::all().map(describe).collect::<Vec<_>>(),
            }},
            "invocations": [{"executionSuccessful": !audit.is_incomplete(),
                "toolExecutionNotifications": notes}],
            "results": audit.findings.iter().chain(&audit.muted).map(result).collect::<Vec<_>>(),
            "properties": {"account": audit.account, "catalogueDate": audit.catalogue_date},
        }],
    });
    let mut text = serde_json::to_string_pretty(&document).expect("a document of text and numbers");
    text.push('\n');
    text
}

/// What the rules could not see.
fn note(entry: &NotEvaluated) -> Value {
    let (rule, reason) = (&entry.rule, &entry.reason);
    let text = format!("{rule} not evaluated: {reason} ({})", many(entry.resources.len(), "resource"));
    json!({"level": if entry.optional { "note" } else { "error" }, "message": {"text": plain(&text)},
        "descriptor": {"id": rule}})
}

fn describe(rule: &Rule) -> Value {
    let tags: Vec<&str> = ["security", "iam"].iter().chain(requirements(rule.id)).copied().collect();
    json!({
        "id": rule.id,
        "name": rule.slug,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.what},
        "help": {
            "text": format!("{}\n{}\nFix: {}\n{}", rule.what, rule.why, rule.fix, rule.page),
            "markdown": format!("{}\n\n{}\n\n**Fix:** {}\n\n[AWS documentation]({})", rule.what, rule.why,
                rule.fix, rule.page),
        },
        "helpUri": rule.page,
        "defaultConfiguration": {"level": level(rule.severity)},
        // What GitHub sorts by:
        // https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
        "properties": {"security-severity": score(rule.severity), "tags": tags},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "0.5",
    }
}

/// A plain text message: `[text](target)` would be a link in it.
/// <https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html#_Toc34317467>
fn plain(text: &str) -> String {
    text.replace("](", "\\](")
}

/// A relative URI reference: forward slashes, what a URI cannot hold escaped, no leading slash.
fn uri(path: &str) -> String {
    const KEPT: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');
    let path = path.replace('\\', "/");
    let path = path.trim_start_matches("./").trim_start_matches('/');
    percent_encoding::utf8_percent_encode(path, &KEPT).to_string()
}
