//! What is no fault: a Deny that leaves little, conditions that decide, policies of AWS that only read.

use super::*;

const ADMIN: &[&str] = &["IAM103", "IAM104", "IAM201", "IAM202", "IAM203"];
const BUCKET: [&str; 2] = ["arn:aws:s3:::b", "arn:aws:s3:::b/*"];

fn deny_but(actions: &[&str], spared: &[&str]) -> Value {
    json!({"Effect": "Deny", "Action": actions, "NotResource": spared})
}

#[test]
fn a_deny_that_spares_something_leaves_that_only() {
    let all = |spared: &[&str]| World::of([t().can(vec![everything(), deny_but(&["*"], spared)])]);
    check("one bucket", all(&BUCKET), &["IAM105"], ADMIN);
    check("all of IAM", all(&["arn:aws:iam::*:*"]), &["IAM103"], &[]);
    check("all roles", all(&["arn:aws:iam::*:role/*"]), &["IAM201"], &[]);
    check("everything", all(&["*"]), &["IAM103"], &[]);
    let s3 =
        |spared: &[&str]| World::of([t().can(vec![allow(&["s3:*"], &["*"]), deny_but(&["s3:*"], spared)])]);
    check("of one service", s3(&BUCKET), &[], &["IAM102", "IAM110", "IAM111", "IAM113", "IAM114"]);
    check("all buckets", s3(&["arn:aws:s3:::*"]), &["IAM110"], &[]);
    let arns = World::of([t().can(vec![allow(&["s3:*"], &["*"]), deny(&["s3:*"], &["arn:aws:s3:::*"])])]);
    check("access points", arns, &[], &["IAM110", "IAM113"]);
}

#[test]
fn a_deny_unless_is_an_allow_if() {
    let unless = |operator: &str, key: &str, value: &str| {
        World::of([t().can(vec![everything(), when(deny(&["*"], &["*"]), operator, key, value)])])
    };
    let mfa = unless("BoolIfExists", "aws:MultiFactorAuthPresent", "false");
    check("MFA", mfa, &["IAM104:medium"], &["IAM103"]);
    check("the office", unless("NotIpAddress", "aws:SourceIp", "192.0.2.0/24"), &["IAM104"], &["IAM103"]);
    check("TLS", unless("Bool", "aws:SecureTransport", "false"), &["IAM103"], &["IAM104"]);
    check("a region", unless("StringNotEquals", "aws:RequestedRegion", "eu-west-1"), &["IAM103"], &[]);
}

#[test]
fn what_the_caller_decides_is_decided() {
    let all_if = |operator: &str, key: &str, value: Value| one(when(everything(), operator, key, value));
    let session = "aws:TokenIssueTime";
    check("a session", all_if("Null", session, "false".into()), &["IAM103"], &["IAM104"]);
    check("no session", all_if("Null", session, "true".into()), &[], ADMIN);
    check(
        "issued after",
        all_if("DateGreaterThan", session, "2025-01-01T00:00:00Z".into()),
        &["IAM103"],
        &[],
    );
    check("issued before", all_if("DateLessThan", session, "2025-01-01T00:00:00Z".into()), &[], ADMIN);
    let halves = json!(["0.0.0.0/1", "128.0.0.0/1"]);
    check("every address", all_if("IpAddress", "aws:SourceIp", halves), &["IAM103"], &["IAM104"]);
    let foreign = all_if("StringEquals", "aws:ResourceAccount", "999988887777".into());
    check("what others have", foreign, &[], ADMIN);
    let own = all_if("StringEquals", "aws:ResourceAccount", ACCOUNT.into());
    check("what is ours", own, &["IAM103"], &[]);
    let both = all_if("Bool", "aws:MultiFactorAuthPresent", json!(["true", "false"]));
    check("with or without MFA", both, &["IAM103"], &["IAM104"]);
    let decrypt = |account: &str| {
        one(when(allow(&["kms:Decrypt"], &["*"]), "StringEquals", "kms:CallerAccount", account))
    };
    check("called by us", decrypt(ACCOUNT), &["IAM115"], &[]);
    check("called by others", decrypt("999988887777"), &[], &["IAM115"]);
}

#[test]
fn policies_of_aws_that_read_do_not_write() {
    for policy in [
        "ReadOnlyAccess",
        "SecurityAudit",
        "job-function/ViewOnlyAccess",
        "AWSDirectoryServiceDataReadOnlyAccess",
    ] {
        check(policy, World::of([t().aws(policy)]), &[], &["IAM109", "IAM111", "IAM113"]);
    }
}

#[test]
fn a_boundary_that_nobody_can_read_is_no_license_and_no_wall() {
    let world = World::of([t().can(everything()).boundary(&policy_arn("edge"))]);
    let audit = world.audit();
    verify("missing", &audit, &["IAM504"], &["IAM103", "IAM105", "IAM201", "IAM102"]);
    assert!(audit.is_incomplete(), "it is told that nobody knows");
}

#[test]
fn listing_all_buckets() {
    let all = one(allow(&["s3:ListAllMyBuckets"], &["arn:aws:s3:::*"]));
    check("by the ARN of all", all, &[], &["IAM602"]);
    check("topics", one(allow(&["sns:ListTopics"], &["arn:aws:sns:*:*:*"])), &[], &["IAM602"]);
    check("of one", one(allow(&["s3:ListAllMyBuckets"], &["arn:aws:s3:::b"])), &["IAM602"], &[]);
}

#[test]
fn dates_that_are_none() {
    let bad =
        when(allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]), "DateGreaterThan", "aws:CurrentTime", "bad");
    check("bad", one(bad), &["IAM604"], &[]);
}
