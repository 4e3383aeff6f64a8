//! What a finding is called in the frameworks that auditors go by: CIS, AWS's best practices, NIST, PCI.
//!
//! Only where one of their requirements is about the same fault: most of what an audit finds, none of them
//! asks for. Here is which rule is about which control; what a control is called where is in
//! `data/controls.txt`, which `data/build.py` makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use opsctl_iam::arn::Arn;

static TABLE: &str = include_str!("data/controls.txt");

/// A rule, the service of what it is on (empty where that does not matter), and the controls of AWS Security
/// Hub and checks of Prowler that are about the same.
type Row = (&'static str, &'static str, &'static [&'static str]);

const ADMIN: &[&str] = &["IAM.1", "iam_customer_attached_policy_no_administrative_privileges"];

const CONTROLS: &[Row] = &[
    ("IAM102", "", &["IAM.21"]),
    ("IAM103", "", ADMIN),
    ("IAM104", "", ADMIN),
    ("IAM105", "", ADMIN),
    ("IAM115", "", &["KMS.1", "KMS.2"]),
    ("IAM117", "", &["IAM.27", "iam_policy_cloudshell_admin_not_attached"]),
    ("IAM212", "", ADMIN),
    ("IAM319", "events", &["eventbridge_bus_exposed"]),
    ("IAM319", "glacier", &["glacier_vaults_policy_public_access"]),
    ("IAM319", "kms", &["KMS.5", "kms_key_not_publicly_accessible"]),
    ("IAM319", "lambda", &["Lambda.1", "awslambda_function_not_publicly_accessible"]),
    ("IAM319", "s3", &["S3.2", "S3.3", "s3_bucket_policy_public_write_access"]),
    ("IAM319", "secretsmanager", &["secretsmanager_not_publicly_accessible"]),
    ("IAM319", "sns", &["SNS.4", "sns_topics_not_publicly_accessible"]),
    ("IAM319", "sqs", &["SQS.3", "sqs_queues_not_publicly_accessible"]),
    ("IAM320", "s3", &["S3.6"]),
    ("IAM508", "", &["IAM.24"]),
];

/// The requirements of each row, those of several controls once.
static REQUIREMENTS: LazyLock<Vec<Vec<&str>>> = LazyLock::new(|| {
    let mut by_control: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut control = "";
    for line in TABLE.lines() {
        match line.split_once(' ') {
            Some(("c", name)) => control = name,
            Some(("r", requirement)) => by_control.entry(control).or_default().push(requirement),
            _ => {}
        }
    }
    let joined = |row: &Row| {
        let mut seen = BTreeSet::new();
        let all = row.2.iter().filter_map(|name| by_control.get(name)).flatten().copied();
        let mut all: Vec<&str> = all.filter(|requirement| seen.insert(*requirement)).collect();
        // By framework and version; the numbers of each are in order already.
        all.sort_by_key(|requirement| requirement.rsplit_once(' ').map(|(framework, _)| framework));
        all
    };
    CONTROLS.iter().map(joined).collect()
});

/// The requirements that a finding is about, such as `FSBP IAM.1`: those of its rule on what it is on.
pub fn of(rule: &str, resource: &str) -> &'static [&'static str] {
    let service = Arn::pattern(resource).map_or("", |arn| arn.service);
    row(rule, service).unwrap_or_else(|| requirements(rule))
}

/// The requirements that a rule is about, whatever it is on.
pub fn requirements(rule: &str) -> &'static [&'static str] {
    row(rule, "").unwrap_or_default()
}

fn row(rule: &str, service: &str) -> Option<&'static [&'static str]> {
    let place = CONTROLS.iter().position(|row| (row.0, row.1) == (rule, service))?;
    Some(&REQUIREMENTS[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_and_control_of_the_table_is_one() {
        let known: Vec<&str> = TABLE.lines().filter_map(|line| line.strip_prefix("c ")).collect();
        let mut named: Vec<&str> = CONTROLS.iter().flat_map(|row| row.2).copied().collect();
        for &(rule, service, controls) in CONTROLS {
            assert!(crate::audit::rules::find(rule).is_some(), "{rule}");
            assert!(controls.iter().all(|control| known.contains(control)), "{rule} {controls:?}");
            assert!(row(rule, service).is_some_and(|all| !all.is_empty()), "{rule} {service}");
        }
        named.sort_unstable();
        named.dedup();
        assert_eq!(known, named, "the table has what the rules name: run src/audit/data/build.py");
    }
}
