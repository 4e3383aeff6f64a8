//! What a finding is called in the frameworks that auditors go by, as AWS Security Hub maps them.
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html>,
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/kms-controls.html>,
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html> and those of other services
//!
//! Only where one of their requirements is about the same fault: most of what an audit finds, none of them
//! asks for.

/// What AWS maps `S3.2` to: a bucket that everybody reads.
const PUBLIC_BUCKET: &[&str] = &[
    "FSBP S3.2",
    "FSBP S3.3",
    "NIST 800-53 r5 AC-3",
    "NIST 800-53 r5 AC-3(7)",
    "NIST 800-53 r5 AC-4",
    "NIST 800-53 r5 AC-4(21)",
    "NIST 800-53 r5 AC-6",
    "NIST 800-53 r5 AC-21",
    "NIST 800-53 r5 SC-7",
    "NIST 800-53 r5 SC-7(3)",
    "NIST 800-53 r5 SC-7(4)",
    "NIST 800-53 r5 SC-7(9)",
    "NIST 800-53 r5 SC-7(11)",
    "NIST 800-53 r5 SC-7(16)",
    "NIST 800-53 r5 SC-7(20)",
    "NIST 800-53 r5 SC-7(21)",
    "PCI DSS v3.2.1 1.2.1",
    "PCI DSS v3.2.1 1.3.1",
    "PCI DSS v3.2.1 1.3.2",
    "PCI DSS v3.2.1 1.3.6",
    "PCI DSS v3.2.1 7.2.1",
];

/// What AWS maps `Lambda.1` to: a function that everybody calls.
const PUBLIC_FUNCTION: &[&str] = &[
    "FSBP Lambda.1",
    "NIST 800-53 r5 AC-3",
    "NIST 800-53 r5 AC-3(7)",
    "NIST 800-53 r5 AC-4",
    "NIST 800-53 r5 AC-4(21)",
    "NIST 800-53 r5 AC-6",
    "NIST 800-53 r5 AC-21",
    "NIST 800-53 r5 SC-7",
    "NIST 800-53 r5 SC-7(3)",
    "NIST 800-53 r5 SC-7(4)",
    "NIST 800-53 r5 SC-7(9)",
    "NIST 800-53 r5 SC-7(11)",
    "NIST 800-53 r5 SC-7(16)",
    "NIST 800-53 r5 SC-7(20)",
    "NIST 800-53 r5 SC-7(21)",
    "PCI DSS v3.2.1 1.2.1",
    "PCI DSS v3.2.1 1.3.1",
    "PCI DSS v3.2.1 1.3.2",
    "PCI DSS v3.2.1 1.3.4",
    "PCI DSS v3.2.1 7.2.1",
    "PCI DSS v4.0.1 7.2.1",
];

/// The requirements that a finding is about: those of its rule, or of what it is on.
pub fn of(rule: &str, resource: &str) -> &'static [&'static str] {
    match (rule, resource.split(':').nth(2).unwrap_or_default()) {
        ("IAM319", "s3") => PUBLIC_BUCKET,
        ("IAM319", "lambda") => PUBLIC_FUNCTION,
        ("IAM319", "sqs") => &["FSBP SQS.3"],
        ("IAM319", "sns") => &["FSBP SNS.4"],
        ("IAM319", "kms") => &["FSBP KMS.5"],
        ("IAM320", "s3") => {
            &["FSBP S3.6", "NIST 800-53 r5 CA-9(1)", "NIST 800-53 r5 CM-2", "NIST 800-171 r2 3.13.4"]
        }
        _ => requirements(rule),
    }
}

/// The requirements that a rule is about, such as `FSBP IAM.1` or `NIST 800-53 r5 AC-6`.
pub fn requirements(rule: &str) -> &'static [&'static str] {
    match rule {
        "IAM103" | "IAM104" => &[
            "CIS AWS Foundations v1.2.0 1.22",
            "CIS AWS Foundations v1.4.0 1.16",
            "CIS AWS Foundations v3.0.0 1.16",
            "FSBP IAM.1",
            "NIST 800-53 r5 AC-2",
            "NIST 800-53 r5 AC-2(1)",
            "NIST 800-53 r5 AC-3",
            "NIST 800-53 r5 AC-3(7)",
            "NIST 800-53 r5 AC-3(15)",
            "NIST 800-53 r5 AC-5",
            "NIST 800-53 r5 AC-6",
            "NIST 800-53 r5 AC-6(2)",
            "NIST 800-53 r5 AC-6(3)",
            "NIST 800-53 r5 AC-6(10)",
            "NIST 800-171 r2 3.1.4",
            "PCI DSS v3.2.1 7.2.1",
        ],
        "IAM102" => &[
            "FSBP IAM.21",
            "NIST 800-53 r5 AC-2",
            "NIST 800-53 r5 AC-2(1)",
            "NIST 800-53 r5 AC-3",
            "NIST 800-53 r5 AC-3(7)",
            "NIST 800-53 r5 AC-3(15)",
            "NIST 800-53 r5 AC-5",
            "NIST 800-53 r5 AC-6",
            "NIST 800-53 r5 AC-6(2)",
            "NIST 800-53 r5 AC-6(3)",
            "NIST 800-53 r5 AC-6(10)",
            "NIST 800-171 r2 3.1.1",
            "NIST 800-171 r2 3.1.2",
            "NIST 800-171 r2 3.1.5",
            "NIST 800-171 r2 3.1.7",
            "NIST 800-171 r2 3.3.8",
            "NIST 800-171 r2 3.3.9",
            "NIST 800-171 r2 3.13.3",
            "NIST 800-171 r2 3.13.4",
        ],
        "IAM115" => &[
            "FSBP KMS.1",
            "FSBP KMS.2",
            "NIST 800-53 r5 AC-2",
            "NIST 800-53 r5 AC-2(1)",
            "NIST 800-53 r5 AC-3",
            "NIST 800-53 r5 AC-3(7)",
            "NIST 800-53 r5 AC-3(15)",
            "NIST 800-53 r5 AC-5",
            "NIST 800-53 r5 AC-6",
            "NIST 800-53 r5 AC-6(3)",
        ],
        "IAM508" => &["AWS Resource Tagging Standard v1.0.0 IAM.24"],
        "IAM117" => &["CIS AWS Foundations v3.0.0 1.22", "CIS AWS Foundations v5.0.0 1.21"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_rule_of_the_table_is_one() {
        for rule in ["IAM102", "IAM103", "IAM104", "IAM115", "IAM117", "IAM508"] {
            assert!(crate::audit::rules::find(rule).is_some() && !super::requirements(rule).is_empty());
        }
    }
}
