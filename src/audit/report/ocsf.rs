//! OCSF 1.3 Compliance Findings, one a line, as Security Lake and most collectors of events take them.
//! <https://schema.ocsf.io/1.3.0/classes/compliance_finding>

use serde_json::{Value, json};

use crate::audit::account::{account_of, partition_of};
use crate::audit::audit::Audit;
use crate::audit::finding::{Finding, Severity};
use crate::audit::rules;
use opsctl_iam::arn::Arn;

pub(super) fn render(audit: &Audit) -> String {
    let all = audit.findings.iter().chain(&audit.muted);
    all.map(|finding| format!("{}\n", event(audit, finding))).collect()
}

fn event(audit: &Audit, f: &Finding) -> Value {
    let rule = rules::find(f.rule);
    let account = account_of(&f.resource).unwrap_or(&audit.account);
    json!({
        "activity_id": 1, "activity_name": "Create",
        "category_uid": 2, "category_name": "Findings",
        "class_uid": 2003, "class_name": "Compliance Finding",
        "type_uid": 200_301,
        "time": audit.at.0 * 1_000,
        "severity_id": severity(f.severity), "severity": title(f.severity.word()),
        // Suppressed: somebody has decided so.
        "status_id": if f.muted.is_some() { 3 } else { 1 },
        "status": if f.muted.is_some() { "Suppressed" } else { "New" },
        "message": f.evidence.join("\n"),
        "metadata": {"version": "1.3.0", "product": {"name": "opsctl", "vendor_name": "opsctl",
            "version": env!("CARGO_PKG_VERSION")}, "profiles": ["cloud"]},
        "cloud": {"provider": "AWS", "account": {"uid": account, "type": "AWS Account", "type_id": 10}},
        "finding_info": {"uid": f.fingerprint, "title": f.title, "desc": rule.map(|rule| rule.what),
            "types": [f.rule]},
        "compliance": {"control": f.rule, "standards": ["opsctl"],
            "requirements": f.compliance, "status_id": 3, "status": "Fail"},
        "remediation": {"desc": f.fix, "references": rule.map(|rule| vec![rule.page])},
        "resources": [{"uid": f.resource, "type": kind(&f.resource), "cloud_partition":
            partition_of(&f.resource)}],
    })
}

fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

fn title(word: &str) -> String {
    match word {
        "info" => "Informational".to_owned(),
        word => word[..1].to_ascii_uppercase() + &word[1..],
    }
}

/// As Security Hub names kinds of resources.
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-resources.html>
pub(super) fn kind(arn: &str) -> &'static str {
    let Some(arn) = Arn::pattern(arn) else { return "AwsAccount" };
    match (arn.service, arn.kind()) {
        ("iam", "role") => "AwsIamRole",
        ("iam", "user") => "AwsIamUser",
        ("iam", "group") => "AwsIamGroup",
        ("iam", "policy") => "AwsIamPolicy",
        ("iam", _) => "AwsAccount",
        ("kms", "key") => "AwsKmsKey",
        ("lambda", "function") => "AwsLambdaFunction",
        ("s3", _) => "AwsS3Bucket",
        ("secretsmanager", _) => "AwsSecretsManagerSecret",
        ("sns", _) => "AwsSnsTopic",
        ("sqs", _) => "AwsSqsQueue",
        _ => "Other",
    }
}
