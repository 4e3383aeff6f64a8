//! Changes of oneself that make no administrator yet, and lead to one.

use super::*;

fn adm() -> RoleMaker {
    role("adm").trusts(trust_own_account()).can(everything())
}

fn assume() -> Value {
    allow(&["sts:AssumeRole"], &[&role_arn("adm")])
}

#[test]
fn what_holds_one_back_comes_off() {
    let bounded = |lifts: &str| {
        let own = t().can(vec![assume(), allow(&[lifts], &[&role_arn("t")])]).boundary(&policy_arn("edge"));
        let edge = customer_policy("edge", allow(&["iam:*"], &["*"]));
        World::of([own, adm()]).policy(edge)
    };
    check("a boundary", bounded("iam:DeleteRolePermissionsBoundary"), &["IAM208:critical"], &[]);
    check("one that stays", bounded("iam:GetRole"), &[], &["IAM208"]);
    let denied = |lifts: &str| {
        let own = t().can(vec![assume(), allow(&[lifts], &[&role_arn("t")])]).attach(&policy_arn("no"));
        World::of([own, adm()]).policy(customer_policy("no", deny(&["sts:*"], &["*"])))
    };
    check("a Deny", denied("iam:DetachRolePolicy"), &["IAM208:critical"], &[]);
    check("one that stays", denied("iam:GetRole"), &[], &["IAM208"]);
    let audit = denied("iam:DetachRolePolicy").audit();
    let finding = audit.findings.iter().find(|f| f.rule == "IAM208").expect("it");
    let line =
        format!("REACHABLE: the role calls iam:DetachRolePolicy of no on {}, assumes adm", role_arn("t"));
    assert_eq!(finding.evidence[0], line);
}

#[test]
fn a_policy_that_may_be_attached_leads_on() {
    let world = |gives: Value, named: &str| {
        let attach = allow(&["iam:AttachRolePolicy"], &[&role_arn("t")]);
        let attach = when(attach, "ArnEquals", "iam:PolicyARN", policy_arn(named));
        let all = ["x", "y"]
            .map(|name| (name, if name == "x" { gives.clone() } else { allow(&["s3:Get*"], &["*"]) }));
        let world = World::of([t().can(attach), adm()]);
        all.into_iter().fold(world, |world, (name, gives)| world.policy(customer_policy(name, gives)))
    };
    check("it assumes", world(assume(), "x"), &["IAM208:critical"], &[]);
    check("another", world(assume(), "y"), &[], &["IAM208"]);
    let put = allow(&["iam:PutRolePolicy"], &[&role_arn("t")]);
    check("it rewrites", world(put, "x"), &["IAM208:critical"], &[]);
    check("it reads", world(allow(&["s3:List*"], &["*"]), "x"), &[], &["IAM208"]);
}
