//! A sheet to sort, filter and assign: a row per finding.
//! <https://www.rfc-editor.org/rfc/rfc4180>

use crate::audit::account::name_of;
use crate::audit::audit::Audit;
use crate::audit::finding::{Finding, Status};

const HEAD: &str =
    "severity,rule,role,arn,title,evidence,fix,compliance,status,set_aside,fingerprint,owner,decision,due";

pub(super) fn render(audit: &Audit) -> String {
    let mut out = format!("{HEAD}\n");
    for finding in audit.findings.iter().chain(&audit.muted) {
        let row: Vec<String> = cells(finding).iter().map(|text| cell(text)).collect();
        out.push_str(&row.join(","));
        // Three columns for whoever triages.
        out.push_str(",,,\n");
    }
    out
}

fn cells(f: &Finding) -> [String; 11] {
    [
        f.severity.word().into(),
        f.rule.into(),
        name_of(&f.resource).into(),
        f.resource.clone(),
        f.title.clone(),
        f.evidence.join(" | "),
        f.fix.clone(),
        f.compliance.join("; "),
        match f.status {
            Status::New => "new".into(),
            Status::Unchanged => "unchanged".into(),
        },
        f.muted.clone().unwrap_or_default(),
        f.fingerprint.clone(),
    ]
}

/// A cell, in quotes where it must be. What a spreadsheet would run as a formula begins with an apostrophe.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn cell(text: &str) -> String {
    let text = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}
