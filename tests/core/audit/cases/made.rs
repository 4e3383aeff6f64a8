//! Somebody new whom the trust of an administrator lets in, by the name or the tag that it asks for.

use super::*;

fn root() -> Value {
    trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}))
}

fn anyone() -> Value {
    let all = trust(json!({"AWS": "*"}));
    when(all, "StringEquals", "aws:PrincipalAccount", ACCOUNT)
}

/// The administrator's trust asks for a name; `t` may do this.
fn world(trusts: Value, value: &str, own: Vec<Value>) -> World {
    let trusts = document(when(trusts, "ArnLike", "aws:PrincipalArn", value));
    World::of([t().can(own), role("adm").trusts(trusts).can(everything())])
}

const UP: &[&str] = &["IAM208:critical"];
const NO_WAY: &[&str] = &["IAM202", "IAM208"];

/// Whoever makes a role writes its trust, and so becomes it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn>
#[test]
fn a_role_of_the_name_that_is_asked_for_is_made() {
    let makes = |name: &str| vec![allow(&["iam:CreateRole"], &[&role_arn(name)])];
    let asked = role_arn("app-*");
    for on in ["app-*", "app-1", "*"] {
        check(on, world(anyone(), &asked, makes(on)), UP, &[]);
    }
    check("of any account", world(anyone(), "arn:aws:iam::*:role/app-*", makes("*-x")), UP, &[]);
    check("another name", world(anyone(), &asked, makes("web-*")), &[], NO_WAY);
    check("users only", world(anyone(), &user_arn("app-*"), makes("*")), &[], NO_WAY);
    check("by its own policy only", world(root(), &asked, makes("*")), &[], NO_WAY);
    let center = role_arn("aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Admin_*");
    check("of Identity Center", world(anyone(), &center, makes("*")), &[], NO_WAY);
    let exact = || world(anyone(), &role_arn("app-1"), makes("app-1"));
    check("one name", exact(), UP, &[]);
    let taken = World::of([
        t().can(makes("app-1")),
        role("app-1"),
        role("adm").can(everything()).trusts(document(when(
            anyone(),
            "ArnEquals",
            "aws:PrincipalArn",
            role_arn("app-1"),
        ))),
    ]);
    check("taken", taken, &[], NO_WAY);
    let kept = deny(&["sts:AssumeRole"], &[&asked]);
    check("not to be assumed", world(anyone(), &asked, [makes("*"), vec![kept]].concat()), &[], NO_WAY);
}

#[test]
fn a_user_of_the_name_that_is_asked_for_is_made() {
    let make = |calls: &[&str]| vec![allow(calls, &[&user_arn("ops/*")])];
    let both = ["iam:CreateUser", "iam:CreateAccessKey"];
    check("it", world(anyone(), &user_arn("ops/*"), make(&both)), UP, &[]);
    check("no key", world(anyone(), &user_arn("ops/*"), make(&both[..1])), &[], NO_WAY);
    check("another path", world(anyone(), &user_arn("web/*"), make(&both)), &[], NO_WAY);
    let by_name = |name: &str| {
        let trusts = document(when(anyone(), "StringEquals", "aws:username", name));
        World::of([t().can(make(&both)), role("adm").trusts(trusts).can(everything())]).user(user("dev", &[]))
    };
    check("by its name", by_name("boss"), UP, &[]);
    check("taken", by_name("dev"), &[], NO_WAY);
}

/// Rights within a boundary are enough where it leaves the call to STS.
#[test]
fn somebody_new_who_is_bounded() {
    let own = |boundary: &str| {
        let on = [role_arn("app-*")];
        let on: Vec<&str> = on.iter().map(String::as_str).collect();
        let bounded = allow(&["iam:CreateRole", "iam:PutRolePolicy"], &on);
        vec![when(bounded, "StringEquals", "iam:PermissionsBoundary", policy_arn(boundary))]
    };
    let with = |trusts: Value, allowed: &str| {
        let boundary = customer_policy("edge", allow(&[allowed], &["*"]));
        world(trusts, &role_arn("app-*"), own("edge")).policy(boundary)
    };
    check("it may assume", with(root(), "sts:AssumeRole"), UP, &[]);
    check("it may not", with(root(), "s3:GetObject"), &[], NO_WAY);
}

/// One policy that may be attached is enough where it leaves the call to STS.
#[test]
fn somebody_new_with_a_policy_that_may_be_attached() {
    let with = |named: &str, allowed: &str| {
        let on = role_arn("app-*");
        let attach =
            when(allow(&["iam:AttachRolePolicy"], &[&on]), "ArnEquals", "iam:PolicyARN", policy_arn(named));
        let own = vec![allow(&["iam:CreateRole"], &[&on]), attach];
        world(root(), &on, own).policy(customer_policy("hop", allow(&[allowed], &["*"])))
    };
    check("it may assume", with("hop", "sts:AssumeRole"), UP, &[]);
    check("it may not", with("hop", "s3:GetObject"), &[], NO_WAY);
    check("another policy", with("other", "sts:AssumeRole"), &[], NO_WAY);
}

#[test]
fn a_role_with_the_tag_that_is_asked_for_is_made() {
    let with = |calls: &[&str]| {
        let trusts = document(when(anyone(), "StringEquals", "aws:PrincipalTag/team", "ops"));
        let own = allow(calls, &[&role_arn("app-*")]);
        World::of([t().can(own), role("adm").trusts(trusts).can(everything())])
    };
    check("tagged", with(&["iam:CreateRole", "iam:TagRole"]), UP, &[]);
    check("not tagged", with(&["iam:CreateRole"]), &[], NO_WAY);
}

#[test]
fn the_new_name_is_told() {
    let own = vec![allow(&["iam:CreateRole"], &[&role_arn("app-*")])];
    let audit = world(anyone(), &role_arn("app-*"), own).audit();
    let found = audit.findings.iter().find(|f| f.rule == "IAM208" && f.resource == role_arn("t"));
    let evidence = &found.expect("the way").evidence;
    assert!(evidence[0].contains("adm"), "{evidence:?}");
    let first = format!("before that: iam:CreateRole on {} or the like", role_arn("app-x"));
    assert!(evidence.iter().any(|line| line.starts_with(&first)), "{evidence:?}");
}
