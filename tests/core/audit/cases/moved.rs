//! What is renamed, moved, or deleted and made again under its name.

use super::*;

fn group_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:group/{name}")
}

/// Whether the user `dev` is told to become an administrator.
#[track_caller]
fn is_told(name: &str, world: World, told: bool) {
    let found = world.audit().findings;
    let found = found.iter().any(|f| f.rule == "IAM211" && f.resource == user_arn("dev"));
    assert_eq!(found, told, "{name}");
}

/// Permission on the old and on the new name is what it takes.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html>
#[test]
fn a_user_is_moved_to_where_it_may_be_taken_over() {
    let with = |moves: &str| {
        let own = vec![
            allow(&["iam:UpdateUser"], &[&user_arn(moves)]),
            allow(&["iam:CreateAccessKey"], &[&user_arn("team/*")]),
        ];
        one(own.into()).user(user("boss", &[everything()]))
    };
    check("moved", with("*"), &["IAM202:critical", "IAM208:critical"], &[]);
    check("not the user", with("team/*"), &[], &["IAM202", "IAM208"]);
    check("not to there", with("boss"), &[], &["IAM202", "IAM208"]);
    let own = |moves: &str| {
        let statements = [
            allow(&["iam:UpdateUser"], &[&user_arn(moves)]),
            allow(&["iam:PutUserPolicy"], &[&user_arn("team/*")]),
        ];
        World::of([t()]).user(user("dev", &statements))
    };
    is_told("oneself", own("*"), true);
    is_told("others only", own("team/*"), false);
}

/// The same of groups.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateGroup.html>
#[test]
fn a_group_is_moved_to_where_it_may_be_joined_or_written() {
    let joins = |moves: &str| {
        let statements = [
            allow(&["iam:UpdateGroup"], &[&group_arn(moves)]),
            allow(&["iam:AddUserToGroup"], &[&group_arn("team/*")]),
        ];
        World::of([t()]).user(user("dev", &statements)).group(group("admins", &[everything()]))
    };
    is_told("joined", joins("*"), true);
    is_told("not that group", joins("team/*"), false);
    let writes = |moves: &str| {
        let statements = [
            allow(&["iam:UpdateGroup"], &[&group_arn(moves)]),
            allow(&["iam:PutGroupPolicy"], &[&group_arn("team/*")]),
        ];
        let mut dev = user("dev", &statements);
        dev["GroupList"] = json!(["devs"]);
        let devs = group("devs", &[allow(&["s3:ListAllMyBuckets"], &["*"])]);
        World::of([t()]).user(dev).group(devs)
    };
    is_told("written", writes("*"), true);
    is_told("not the own group", writes("team/*"), false);
}

/// A trust that asks for a name lets in whoever takes it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
#[test]
fn a_user_takes_the_name_that_a_trust_asks_for() {
    let root = || trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
    let world = |moves: &str, operator: &str, key: &str, value: &str| {
        let adm = role("adm").can(everything()).trusts(document(when(root(), operator, key, value)));
        let statements =
            [allow(&["iam:UpdateUser"], &[&user_arn(moves)]), allow(&["sts:AssumeRole"], &["*"])];
        World::of([t(), adm]).user(user("dev", &statements))
    };
    let path = user_arn("admins/*");
    is_told("path", world("*", "ArnLike", "aws:PrincipalArn", &path), true);
    is_told("not to there", world("dev", "ArnLike", "aws:PrincipalArn", &path), false);
    is_told("name", world("*", "StringEquals", "aws:username", "boss"), true);
    let taken = world("dev", "StringEquals", "aws:username", "boss").user(user("boss", &[]));
    is_told("taken", taken, false);
}

/// Trust policies know a provider by its ARN alone.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteSAMLProvider.html>
#[test]
fn a_saml_provider_is_made_again() {
    let provider = |name: &str| format!("arn:aws:iam::{ACCOUNT}:saml-provider/{name}");
    let trusts = json!({"Effect": "Allow", "Principal": {"Federated": provider("corp")},
        "Action": "sts:AssumeRoleWithSAML"});
    let trusts = document(when(trusts, "StringEquals", "SAML:aud", "https://signin.aws.amazon.com/saml"));
    let world = |calls: &[&str], on: &str| {
        World::of([t().can(allow(calls, &[on])), role("adm").trusts(trusts.clone()).can(everything())])
    };
    let both = ["iam:DeleteSAMLProvider", "iam:CreateSAMLProvider"];
    let up = &["IAM202:critical", "IAM208:critical"];
    let there = [provider("corp")];
    check("again", world(&both, &there[0]).with_providers(&there), up, &[]);
    check("not known whether it is there", world(&both, &there[0]), up, &[]);
    check("it is there", world(&both[1..], &there[0]).with_providers(&there), &[], &["IAM202", "IAM208"]);
    check("another", world(&both, &provider("x")).with_providers(&there), &[], &["IAM202", "IAM208"]);
    check("gone", world(&both[1..], &there[0]).with_providers(&[]), up, &[]);
    check("gone, on all", world(&both[1..], "*").with_providers(&[]), up, &[]);
}

/// A policy that nobody holds is deleted.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html>
#[test]
fn a_policy_that_may_be_attached_is_made_again() {
    let attach = allow(&["iam:AttachRolePolicy"], &[&role_arn("t")]);
    let attach = || when(attach.clone(), "ArnEquals", "iam:PolicyARN", policy_arn("x"));
    let harmless = || customer_policy("x", allow(&["s3:ListAllMyBuckets"], &["*"]));
    let own = |calls: &[&str]| t().can(vec![attach(), allow(calls, &[&policy_arn("x")])]);
    let both = ["iam:CreatePolicy", "iam:DeletePolicy"];
    let up = &["IAM201:critical"];
    check("again", World::of([own(&both)]).policy(harmless()), up, &[]);
    check("not deleted", World::of([own(&both[..1])]).policy(harmless()), &[], &["IAM201"]);
    let holder = || low().attach(&policy_arn("x"));
    check("held", World::of([own(&both), holder()]).policy(harmless()), &[], &["IAM201"]);
    let detaches = own(&both).can(allow(&["iam:DetachRolePolicy"], &[&role_arn("low")]));
    check("detached first", World::of([detaches, holder()]).policy(harmless()), up, &[]);
}

/// Who people are is told by Identity Center's own directory, or by what signs for it.
/// <https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source-idp.html>
#[test]
fn who_sets_passwords_and_certificates_of_identity_center() {
    let on_all = |calls: &[&str]| {
        let calls: Vec<String> = calls.iter().map(|call| format!("sso-directory:{call}")).collect();
        one(allow(&calls.iter().map(String::as_str).collect::<Vec<_>>(), &["*"]))
    };
    for calls in [
        &["UpdatePassword"][..],
        &["ImportExternalIdPCertificate"],
        &["CreateBearerToken", "CreateProvisioningTenant"],
        &["CreateExternalIdPConfigurationForDirectory", "EnableExternalIdPConfigurationForDirectory"],
    ] {
        check(calls[0], on_all(calls), &["IAM209:high"], &[]);
    }
    for one_alone in ["CreateBearerToken", "DescribeUsers"] {
        check(one_alone, on_all(&[one_alone]), &[], &["IAM209"]);
    }
}
