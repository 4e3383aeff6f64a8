//! Permissions that AWS demands beside the one of the call: for tags that go with it, for a role that is
//! handed on, to tell absent from forbidden. A list of the calls alone does not show them.

use std::collections::BTreeSet;

use opsctl::domain::KindName;
use opsctl::resources::kinds;

/// A declared action, what it implies, and where AWS says so: `M` is the documentation text of the operation
/// in AWS's service model (botocore 1.44.8, service-2.json), anything else a page.
const IMPLIED: [(&str, &[&str], &str); 22] = [
    // "You must have the s3:TagResource permission to create a general purpose bucket with tags"
    ("s3:CreateBucket", &["s3:TagResource"], "M CreateBucketConfiguration.Tags"),
    // "If you don't have the s3:ListBucket permission, Amazon S3 returns an HTTP status code 403"
    ("s3:GetObject", &["s3:ListBucket"], "M GetObject, HeadObject"),
    // "To delete an object from a bucket, you must always specify the s3:DeleteObject permission"
    ("s3:DeleteObjectVersion", &["s3:DeleteObject", "s3:ListBucketVersions"], "M DeleteObjects"),
    ("s3:AbortMultipartUpload", &["s3:ListBucketMultipartUploads"], "M ListMultipartUploads"),
    // "The caller of this operation must be granted the PassRole permission on the IAM role"
    ("iam:AddRoleToInstanceProfile", &["iam:PassRole"], "M AddRoleToInstanceProfile"),
    (
        "iam:CreateRole",
        &["iam:TagRole"],
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_roles.html",
    ),
    (
        "iam:CreateInstanceProfile",
        &["iam:TagInstanceProfile"],
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_instance-profiles.html",
    ),
    // "Lambda returns tag data only if you have explicit allow permissions for lambda:ListTags"
    ("lambda:GetFunction", &["lambda:ListTags"], "M GetFunctionResponse.Tags"),
    (
        "lambda:CreateFunction",
        &["lambda:TagResource", "iam:PassRole"],
        "https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html",
    ),
    (
        "lambda:UpdateFunctionConfiguration",
        &["iam:PassRole"],
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html",
    ),
    // "To assign tags when you create a log group, you must have either the logs:TagResource or
    // logs:TagLogGroup"
    ("logs:CreateLogGroup", &["logs:TagResource"], "M CreateLogGroup"),
    // "uses a service-linked role, which it creates if it does not yet exist"
    (
        "application-autoscaling:RegisterScalableTarget",
        &["iam:CreateServiceLinkedRole"],
        "M RegisterScalableTarget",
    ),
    (
        "application-autoscaling:PutScalingPolicy",
        &["cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms"],
        "https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html",
    ),
    // "the caller of this API must have the iam:PassRole permission", and for tags AddTags:
    // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
    ("sagemaker:CreateTrainingJob", &["iam:PassRole", "sagemaker:AddTags"], "M CreateTrainingJob"),
    ("sagemaker:CreateModel", &["iam:PassRole", "sagemaker:AddTags"], "M CreateModel"),
    ("sagemaker:CreateNotebookInstance", &["iam:PassRole", "sagemaker:AddTags"], "M CreateNotebookInstance"),
    ("sagemaker:UpdateNotebookInstance", &["iam:PassRole"], "M UpdateNotebookInstance"),
    ("sagemaker:CreateEndpointConfig", &["sagemaker:AddTags"], "M CreateEndpointConfig"),
    ("sagemaker:CreateEndpoint", &["sagemaker:AddTags"], "M CreateEndpoint"),
    ("sagemaker:DescribeTrainingJob", &["sagemaker:ListTags"], "M ListTags"),
    (
        "ec2:RunInstances",
        &["ec2:CreateTags", "iam:PassRole"],
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html",
    ),
    ("logs:DescribeLogGroups", &["logs:ListTagsForResource"], "M ListTagsForResource"),
];

#[test]
fn every_kind_declares_what_its_actions_imply() {
    let mut missing = Vec::new();
    let mut used = BTreeSet::new();
    for kind in kinds() {
        let actions = kind.iam_actions();
        for (action, implied, source) in IMPLIED.iter().filter(|(action, ..)| actions.contains(action)) {
            used.insert(*action);
            let absent = implied.iter().filter(|implied| !actions.contains(implied));
            missing.extend(
                absent.map(|implied| format!("{}: {action} implies {implied} ({source})", kind.name())),
            );
        }
    }
    assert_eq!(missing, [] as [&str; 0]);
    let unused: Vec<_> = IMPLIED.iter().map(|(action, ..)| *action).filter(|a| !used.contains(a)).collect();
    assert_eq!(unused, [] as [&str; 0], "no kind declares these any more");
    assert_eq!(kinds().len(), KindName::ALL.len());
}
