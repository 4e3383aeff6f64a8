//! Boundaries, conditions on policies, and what stands beside the role: what looks like a wall and is none.

use super::*;

const UP: &[&str] = &["IAM201", "IAM202", "IAM208"];

#[test]
fn a_boundary_that_its_role_lifts() {
    let bounded = |more: Value| {
        let edge = customer_policy("edge", vec![allow(&["s3:*"], &["*"]), more]);
        World::of([t().can(everything()).boundary(&policy_arn("edge"))]).policy(edge)
    };
    let own = [role_arn("t"), policy_arn("edge")];
    for (action, on) in [("iam:DeleteRolePermissionsBoundary", &own[0]), ("iam:CreatePolicyVersion", &own[1])]
    {
        check(action, bounded(allow(&[action], &[on])), &["IAM105", "IAM207:critical"], &["IAM103"]);
    }
    let nothing = bounded(allow(&["sqs:*"], &["*"]));
    check("that it cannot lift", nothing, &["IAM105"], &["IAM207", "IAM208"]);
    let lifts = customer_policy("edge", allow(&["iam:DeleteRolePermissionsBoundary"], &["*"]));
    let mid = role("mid").trusts(trust_own_account()).can(everything()).boundary(&policy_arn("edge"));
    let chain = World::of([t().can(allow(&["sts:AssumeRole"], &[&role_arn("mid")])), mid]).policy(lifts);
    check("of a role that is assumed", chain, &["IAM208"], &[]);
}

#[test]
fn what_a_role_writes_within_its_boundary_is_no_administrator() {
    let own = allow(&["iam:PutRolePolicy"], &[&role_arn("t")]);
    let edge = customer_policy("edge", vec![allow(&["s3:*"], &["*"]), own.clone()]);
    let world = World::of([t().can(own).boundary(&policy_arn("edge"))]).policy(edge);
    check("its own rights", world, &["IAM201:medium"], &["IAM208"]);
}

#[test]
fn an_older_version_that_makes_an_administrator() {
    let policy = |old: Value| {
        let mut policy = customer_policy("own", allow(&["s3:ListBucket"], &["*"]));
        policy["PolicyVersionList"]
            .as_array_mut()
            .unwrap()
            .push(json!({"VersionId": "v0", "IsDefaultVersion": false, "Document": document(old)}));
        policy
    };
    let back = || allow(&["iam:SetDefaultPolicyVersion"], &[&policy_arn("own")]);
    let own = || t().can(back()).attach(&policy_arn("own"));
    check("its own", World::of([own()]).policy(policy(everything())), &["IAM201:critical"], &[]);
    let weak = allow(&["s3:GetObject"], &["*"]);
    check("a weak one", World::of([own()]).policy(policy(weak)), &["IAM201:low"], &[]);
    let mid = role("mid").trusts(trust_own_account()).can(back()).attach(&policy_arn("own"));
    let chain = World::of([t().can(allow(&["sts:AssumeRole"], &[&role_arn("mid")])), mid]);
    check("of a role that is assumed", chain.policy(policy(everything())), &["IAM208"], &[]);
}

/// A policy that one may attach is what its version in force says, which may be an older one again.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html>
#[test]
fn a_policy_that_is_attached_is_set_back_to_a_mighty_version() {
    let world = |old: Value, action: &str, on: &str| {
        let mut policy = customer_policy("own", allow(&["s3:ListBucket"], &["*"]));
        let old = json!({"VersionId": "v0", "IsDefaultVersion": false, "Document": document(old)});
        policy["PolicyVersionList"].as_array_mut().unwrap().push(old);
        let attach = allow(&["iam:AttachRolePolicy"], &[&role_arn("t")]);
        let attach = when(attach, "ArnEquals", "iam:PolicyARN", policy_arn("own"));
        one(vec![attach, allow(&[action], &[&policy_arn(on)])].into()).policy(policy)
    };
    let back = "iam:SetDefaultPolicyVersion";
    check("set back", world(everything(), back, "own"), &["IAM201:critical"], &[]);
    check("to a weak one", world(allow(&["s3:*"], &["*"]), back, "own"), &[], &["IAM201:critical", "IAM208"]);
    check("of another", world(everything(), back, "other"), &[], &["IAM201:critical", "IAM208"]);
    check("only read", world(everything(), "iam:GetPolicy", "own"), &[], &["IAM201:critical", "IAM208"]);
}

#[test]
fn a_condition_on_the_boundary_that_admits_one_that_bounds_nothing() {
    let edge = |statement: Value| customer_policy("edge", statement);
    let makes = |operator: &str, value: &str| {
        let make = allow(&["iam:CreateRole", "iam:PutRolePolicy"], &[&role_arn("app-*")]);
        one(when(make, operator, "iam:PermissionsBoundary", value))
    };
    let small = || edge(allow(&["s3:*"], &["*"]));
    let aws = "arn:aws:iam::aws:policy/AdministratorAccess";
    check("AWS's", makes("StringEquals", aws), &["IAM202:critical", "IAM208"], &[]);
    check("any", makes("Null", "false"), &["IAM202:critical"], &[]);
    let own = || makes("StringEquals", &policy_arn("edge"));
    check("one's own", own().policy(edge(everything())), &["IAM202:critical"], &[]);
    check("one that bounds", own().policy(small()), &[], UP);
    let make = allow(&["iam:CreateRole", "iam:PutRolePolicy"], &[&role_arn("app-*")]);
    let make = when(make, "StringEquals", "iam:PermissionsBoundary", policy_arn("edge"));
    let rewrites = vec![make, allow(&["iam:CreatePolicyVersion"], &[&policy_arn("edge")])];
    check("one that is rewritten", one(rewrites.into()).policy(small()), &["IAM202:critical"], &[]);
    let create = when(
        allow(&["iam:CreateRole"], &[&role_arn("app-*")]),
        "StringEquals",
        "iam:PermissionsBoundary",
        policy_arn("edge"),
    );
    let with = |action: &str| {
        let rights = allow(&["iam:PutRolePolicy", action], &[&role_arn("app-*")]);
        one(vec![create.clone(), rights].into()).policy(small())
    };
    check("taken off", with("iam:DeleteRolePermissionsBoundary"), &["IAM202:critical", "IAM208"], &[]);
    check("not taken off", with("iam:TagRole"), &[], &["IAM202:critical", "IAM208"]);
}

#[test]
fn a_deny_of_one_policy_leaves_the_others() {
    let attach = |operator: &str, arn: &str| {
        let deny = when(deny(&["iam:AttachRolePolicy"], &["*"]), operator, "iam:PolicyARN", arn);
        World::of([t().can(vec![allow(&["iam:AttachRolePolicy"], &[&role_arn("t")]), deny])])
    };
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    check("one", attach("ArnEquals", admin), &["IAM201:critical"], &[]);
    check("all", attach("ArnLike", "arn:aws:iam::aws:policy/*Access"), &[], &["IAM201:critical"]);
    let reads = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    check("all but one", attach("ArnNotEquals", reads), &[], &["IAM201:critical"]);
}

#[test]
fn a_new_group_gives_rights() {
    let group = format!("arn:aws:iam::{ACCOUNT}:group/x-*");
    let key = allow(&["iam:CreateAccessKey"], &[&user_arn("bilbo")]);
    let with =
        |actions: &[&str]| one(vec![allow(actions, &[&group]), key.clone()].into()).user(user("bilbo", &[]));
    let all = ["iam:CreateGroup", "iam:AttachGroupPolicy", "iam:AddUserToGroup"];
    check("made, filled and joined", with(&all), &["IAM202:critical", "IAM208"], &[]);
    check("made and joined", with(&[all[0], all[2]]), &[], UP);
}

#[test]
fn whoever_rewrites_a_provider_signs_the_assertions() {
    let provider = |name: &str| format!("arn:aws:iam::{ACCOUNT}:saml-provider/{name}");
    let trust = json!({"Effect": "Allow", "Principal": {"Federated": provider("corp")},
        "Action": "sts:AssumeRoleWithSAML"});
    let trust = document(when(trust, "StringEquals", "SAML:aud", "https://signin.aws.amazon.com/saml"));
    let world = |name: &str| {
        let rewrite = allow(&["iam:UpdateSAMLProvider"], &[&provider(name)]);
        World::of([t().can(rewrite), role("adm").trusts(trust.clone()).can(everything())])
    };
    check("that an administrator trusts", world("corp"), &["IAM202:critical", "IAM208"], &[]);
    check("that nobody trusts", world("other"), &[], UP);
}
