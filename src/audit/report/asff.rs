//! The AWS Security Finding Format: what `aws securityhub batch-import-findings --findings file://…` takes.
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html>

use serde_json::{Value, json};

use super::ocsf::kind;
use crate::audit::account::{account_of, partition_of};
use crate::audit::audit::Audit;
use crate::audit::finding::{Finding, Severity};
use crate::audit::rules;
use opsctl_iam::arn::Arn;

/// IAM is global; Security Hub wants the region that its findings are imported in, and this is where IAM is.
/// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
fn home(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    }
}

pub(super) fn render(audit: &Audit) -> String {
    let all = audit.findings.iter().chain(&audit.muted).map(|f| finding(audit, f));
    let mut text =
        serde_json::to_string_pretty(&all.collect::<Vec<_>>()).expect("findings are text and numbers");
    text.push('\n');
    text
}

fn finding(audit: &Audit, f: &Finding) -> Value {
    let partition = partition_of(&f.resource).unwrap_or("aws");
    let account = account_of(&f.resource).unwrap_or(&audit.account);
    let home = home(partition);
    let resource = &format!("product/{account}/default");
    let product = Arn { partition, service: "securityhub", region: home, account, resource };
    let at = audit.at.iso();
    let rule = rules::find(f.rule);
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("opsctl/{account}/{}", f.fingerprint),
        "ProductArn": product.to_string(),
        "ProductName": "opsctl",
        "GeneratorId": format!("opsctl/{}", f.rule),
        "AwsAccountId": account,
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "CreatedAt": at, "UpdatedAt": at,
        "Severity": {"Label": label(f.severity), "Original": f.severity.word()},
        "Title": cut(&format!("{} {}", f.rule, f.title), 256),
        "Description": cut(&f.evidence.join("\n"), 1_024),
        "Remediation": {"Recommendation": {"Text": cut(&f.fix, 512), "Url": rule.map(|rule| rule.page)}},
        "Resources": [
            {"Type": kind(&f.resource), "Id": f.resource, "Partition": partition, "Region": home},
        ],
        "Compliance": {"Status": "FAILED", "RelatedRequirements": f.compliance},
        "Workflow": {"Status": if f.muted.is_some() { "SUPPRESSED" } else { "NEW" }},
        "RecordState": "ACTIVE",
    })
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "CRITICAL",
        Severity::High => "HIGH",
        Severity::Medium => "MEDIUM",
        Severity::Low => "LOW",
        Severity::Info => "INFORMATIONAL",
    }
}

/// As many characters as the format allows.
fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false if text.is_empty() => "-".to_owned(),
        false => text.to_owned(),
    }
}
