//! What opens resources to other accounts.

use super::*;

/// What shares with other accounts by a call that AWS lists as writing.
/// <https://docs.aws.amazon.com/omics/latest/dev/sharing-workflows.html>
#[test]
fn what_is_shared_by_a_call_that_only_writes() {
    let data = [
        "codeartifact:PutRepositoryPermissionsPolicy",
        "dsql:PutClusterPolicy",
        "kafka:PutClusterPolicy",
        "kinesis:PutResourcePolicy",
        "omics:CreateShare",
        "redshift-serverless:PutResourcePolicy",
        "sagemaker:PutModelPackageGroupPolicy",
        "serverlessrepo:PutApplicationPolicy",
    ];
    for action in data {
        check(action, one(allow(&[action], &["*"])), &["IAM111:high"], &[]);
    }
    let settings = ["config:PutAggregationAuthorization", "wellarchitected:CreateWorkloadShare"];
    for action in settings {
        check(action, one(allow(&[action], &["*"])), &["IAM111:medium"], &[]);
    }
    for action in ["kinesis:PutRecord", "omics:AcceptShare", "config:DeleteAggregationAuthorization"] {
        check(action, one(allow(&[action], &["*"])), &[], &["IAM111"]);
    }
    let named = allow(&["kinesis:PutResourcePolicy"], &["arn:aws:kinesis:eu-west-1:*:stream/a"]);
    check("named", one(named), &[], &["IAM111"]);
}
