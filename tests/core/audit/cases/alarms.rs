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
fn what_opens_nothing_to_others() {
    let all = |actions: &[&str]| one(allow(actions, &["*"]));
    let networks = ["ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterfacePermission"];
    check("networks of services", all(&networks), &[], &["IAM111"]);
    check("taking away", all(&["sqs:RemovePermission", "s3:DeleteBucketPolicy"]), &[], &["IAM111"]);
    check("refusing", all(&["ram:RejectResourceShareInvitation"]), &[], &["IAM111"]);
    check("logs", all(&["bedrock:AllowVendedLogDeliveryForResource"]), &[], &["IAM111"]);
    check("a new queue", all(&["sqs:CreateQueue", "sns:CreateTopic"]), &[], &["IAM111"]);
    check("settings", all(&["grafana:UpdatePermissions"]), &["IAM111:medium"], &[]);
    check("data", all(&["grafana:UpdatePermissions", "s3:PutBucketPolicy"]), &["IAM111:high"], &[]);
    check("a queue", all(&["sqs:AddPermission"]), &["IAM111:high"], &[]);
}

#[test]
fn what_is_no_data_alone() {
    let all = |actions: &[&str]| one(allow(actions, &["*"]));
    check("code", all(&["lambda:GetFunction"]), &["IAM110:medium"], &[]);
    check("metadata", all(&["glue:GetTable", "athena:GetQueryResults"]), &[], &["IAM110"]);
    check("a copy in the account", all(&["rds:CopyDBSnapshot"]), &[], &["IAM110"]);
    check("parameters", all(&["ssm:GetParameters"]), &["IAM110:high"], &[]);
    let tagged =
        when(allow(&["secretsmanager:GetSecretValue"], &["*"]), "StringLike", "aws:ResourceTag/app", "*");
    check("secrets with a tag", one(tagged), &[], &["IAM110"]);
    let as_one_user = ["arn:aws:redshift:*:*:dbname:*/*", "arn:aws:redshift:*:*:dbuser:*/report"];
    check(
        "one user of all databases",
        one(allow(&["redshift:GetClusterCredentials"], &as_one_user)),
        &[],
        &["IAM110", "IAM112"],
    );
    check("tokens", all(&["codeartifact:GetAuthorizationToken"]), &["IAM112:low"], &[]);
    check("what anybody may", all(&["cognito-identity:GetCredentialsForIdentity"]), &[], &["IAM112"]);
}

#[test]
fn names_of_policies_say_less_than_what_they_hold() {
    check("prices", World::of([t().aws("AWSPriceListServiceFullAccess")]), &["IAM101:low"], &["IAM102"]);
    check("queues", World::of([t().aws("AmazonSQSFullAccess")]), &["IAM101:medium", "IAM102:medium"], &[]);
    check("speech", World::of([t().aws("AmazonPollyFullAccess")]), &["IAM101:medium", "IAM102:medium"], &[]);
    check("data", World::of([t().aws("AmazonS3FullAccess")]), &["IAM101:high", "IAM102:high"], &[]);
    check("names", World::of([t().aws("AmazonRoute53FullAccess")]), &["IAM101:high", "IAM102:high"], &[]);
    check("rights", World::of([t().aws("AWSOrganizationsFullAccess")]), &["IAM101:critical"], &[]);
    // What a Deny leaves decides, not what the policy says.
    let denied = t().aws("CloudWatchFullAccessV2").aws("IAMFullAccess").can(deny(&["iam:*"], &["*"]));
    check("all of IAM denied", World::of([denied]), &["IAM101:medium"], &[]);
    check("of one service", World::of([t().aws("AWSAppSyncAdministrator")]), &["IAM106:medium"], &[]);
    check("of all", World::of([t().aws("PowerUserAccess")]), &["IAM106:high"], &[]);
}

#[test]
fn commands_and_machines_need_more_than_one_kind_of_resource() {
    let machines = "arn:aws:ec2:*:*:instance/*";
    let commands = |document: &str| {
        let document = format!("arn:aws:ssm:*:*:document/{document}");
        one(allow(&["ssm:SendCommand"], &[machines, &document]))
    };
    check("a snapshot", commands("AWSEC2-CreateVssSnapshot"), &[], &["IAM204"]);
    check("a shell", commands("AWS-RunShellScript"), &["IAM204"], &[]);
    check("any", commands("*"), &["IAM204"], &[]);
    check("one's own", commands("deploy"), &["IAM204"], &[]);
    let one_machine = ["arn:aws:ec2:*:*:instance/i-1", "arn:aws:ssm:*:*:document/*"];
    check("one machine", one(allow(&["ssm:SendCommand"], &one_machine)), &[], &["IAM204"]);
    let sized =
        when(allow(&["ec2:RunInstances"], &[machines]), "StringEquals", "ec2:InstanceType", "t3.micro");
    let rest = allow(&["ec2:RunInstances"], &["arn:aws:ec2:*::image/*", "arn:aws:ec2:*:*:subnet/*"]);
    check("small machines", World::of([t().can(vec![sized, rest])]), &[], &["IAM118"]);
    check("any machine", one(allow(&["ec2:RunInstances"], &["arn:aws:ec2:*:*:*/*"])), &["IAM118"], &[]);
}

#[test]
fn what_aws_wrote_for_a_role_of_its_service_is_as_the_service_needs_it() {
    const RESTORES: &str = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores";
    let of = |service: &str| World::of([role("t").trusts(trust_service(service)).attach(RESTORES)]);
    check("the service", of("backup.amazonaws.com"), &[], &["IAM110", "IAM113", "IAM118"]);
    check("machines", of("ec2.amazonaws.com"), &["IAM110", "IAM113"], &[]);
    let chosen = role("t").trusts(trust_service("backup.amazonaws.com")).attach(RESTORES);
    let chosen = chosen.can(allow(&["s3:GetObject"], &["*"]));
    check("and more", World::of([chosen]), &["IAM110"], &["IAM113"]);
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

/// What IAM102 says of a service as a whole, IAM109 does not say again; and one cause is one block.
#[test]
fn writing_everywhere_is_told_once() {
    check("all of a service", one(allow(&["sqs:*"], &["*"])), &["IAM102"], &["IAM109"]);
    let more = one(allow(&["sqs:*", "sns:Publish"], &["*"]));
    check("and one more", more, &["IAM102", "IAM109"], &[]);
    let policy = policy_arn("writes");
    let writes = customer_policy("writes", allow(&["sqs:SendMessage", "sns:Publish"], &["*"]));
    let less = role("u").attach(&policy).can(deny(&["sns:Publish"], &["*"]));
    let audit = World::of([t().attach(&policy), less]).policy(writes).audit();
    let groups = audit.groups();
    let of = groups.iter().filter(|group| group.first().rule == "IAM109");
    assert_eq!(of.map(|group| group.findings.len()).collect::<Vec<_>>(), [2], "one policy, one block");
}

#[test]
fn everything_but_everything_is_nothing() {
    let nothing = json!({"Effect": "Allow", "NotAction": ["iam:*"], "NotResource": ["*"]});
    check("all spared", one(nothing), &[], &["IAM103", "IAM107", "IAM108", "IAM109"]);
    let but_one = json!({"Effect": "Allow", "NotAction": ["iam:*"], "NotResource": ["arn:aws:s3:::b"]});
    check("one spared", one(but_one), &["IAM107", "IAM108"], &[]);
}

#[test]
fn an_endpoint_that_is_not_there_is_none() {
    let all = when(everything(), "StringEquals", "aws:SourceVpce", "vpce-1");
    check("both", one(when(all, "Null", "aws:SourceVpce", "true")), &[], &["IAM103", "IAM104", "IAM201"]);
}

#[test]
fn every_assertion_has_an_audience() {
    let provider = format!("arn:aws:iam::{ACCOUNT}:saml-provider/corp");
    let statement = json!({"Effect": "Allow", "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithSAML"});
    let aud = "https://signin.aws.amazon.com/saml";
    check(
        "if it exists",
        trusting(when(statement, "StringEqualsIfExists", "SAML:aud", aud)),
        &[],
        &["IAM308"],
    );
}

/// A second factor is none of the ways in, and a provider's clients and thumbprints sign nothing.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeactivateMFADevice.html>
#[test]
fn steps_of_a_takeover_are_none_alone() {
    for step in [
        "iam:DeactivateMFADevice",
        "iam:ResetServiceSpecificCredential",
        "iam:UploadSigningCertificate",
        "iam:CreateSAMLProvider",
        "iam:AddClientIDToOpenIDConnectProvider",
        "iam:UpdateOpenIDConnectProviderThumbprint",
    ] {
        let world = one(allow(&[step], &["*"])).user(user("boss", &[everything()]));
        check(step, world, &["IAM202:medium"], &["IAM202:critical", "IAM202:high", "IAM208"]);
        let on_boss = one(allow(&[step], &[&user_arn("boss")])).user(user("boss", &[everything()]));
        check(step, on_boss, &[], &["IAM202", "IAM208"]);
    }
    let help_desk = ["iam:DeactivateMFADevice", "iam:ListMFADevices", "iam:DeleteVirtualMFADevice"];
    let with_password = [&help_desk[..], &["iam:UpdateLoginProfile"]].concat();
    let world = |actions: &[&str]| one(allow(actions, &["*"])).user(user("boss", &[everything()]));
    check("a help desk", world(&help_desk), &[], &["IAM202:critical", "IAM202:high"]);
    check("that sets passwords", world(&with_password), &["IAM202:critical"], &[]);
}

/// Session tags are given only where the role's trust allows `sts:TagSession`.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required>
#[test]
fn a_trust_in_tags_that_it_does_not_take() {
    let world = |actions: Value, operator: &str| {
        let mut by = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
        by["Action"] = actions;
        let adm = role("adm").can(everything());
        let adm = adm.trusts(document(when(by, operator, "aws:RequestTag/p", "x")));
        World::of([t().can(allow(&["sts:AssumeRole", "sts:TagSession"], &[&role_arn("adm")])), adm])
    };
    let both = json!(["sts:AssumeRole", "sts:TagSession"]);
    check("taken", world(both.clone(), "StringEquals"), &["IAM208"], &[]);
    check("not taken", world("sts:AssumeRole".into(), "StringEquals"), &[], &["IAM208"]);
    check("if there", world("sts:AssumeRole".into(), "StringEqualsIfExists"), &["IAM208"], &[]);
    check("any but", world("sts:AssumeRole".into(), "StringNotEquals"), &["IAM208"], &[]);
}

/// A condition on a key that the call never sends does not hold.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_iam.html>
#[test]
fn keys_that_a_call_never_sends() {
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let on = |action: &str, operator: &str, key: &str, value: &str| {
        one(when(allow(&[action], &["*"]), operator, key, value))
    };
    let attach = "iam:AttachRolePolicy";
    check("attached", on(attach, "ArnEquals", "iam:PolicyARN", admin), &["IAM201"], &[]);
    let put = "iam:PutRolePolicy";
    check("written", on(put, "ArnEquals", "iam:PolicyARN", admin), &[], ADMIN);
    check("any but", on(put, "ArnNotEquals", "iam:PolicyARN", admin), &["IAM201"], &[]);
    check("if there", on(put, "ArnEqualsIfExists", "iam:PolicyARN", admin), &["IAM201"], &[]);
    check("tags", on(put, "ForAnyValue:StringEquals", "aws:TagKeys", "x"), &[], ADMIN);
    check("one tag", on(put, "StringEquals", "aws:RequestTag/x", "y"), &[], ADMIN);
    check("no other tags", on(put, "ForAllValues:StringEquals", "aws:TagKeys", "x"), &["IAM201"], &[]);
    let denied = |action: &str| {
        let deny = when(deny(&[action], &["*"]), "StringEquals", "aws:RequestTag/x", "y");
        World::of([t().can(vec![allow(&["iam:PutRolePolicy"], &["*"]), deny])])
    };
    check("a Deny of none", denied("iam:*"), &["IAM201"], &[]);
}
