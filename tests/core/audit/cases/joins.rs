//! Groups that a user may put itself into, and that are no administrators.

use super::*;

fn group_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:group/{name}")
}

fn join() -> Value {
    allow(&["iam:AddUserToGroup"], &[&group_arn("g")])
}

/// What is found on the user `u`, who may do this, with a group `g` that gives that, and a role `z`, an
/// administrator `adm` and a user `boss` who is one.
fn found(own: Vec<Value>, gives: &[Value]) -> Vec<(&'static str, String)> {
    let z = role("z").trusts(trust_own_account());
    let adm = role("adm")
        .trusts(document(vec![
            trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")})),
            trust(json!({"Service": "lambda.amazonaws.com"})),
        ]))
        .can(everything());
    let world = World::of([z, adm]).user(user("u", &own)).user(user("boss", &[everything()]));
    let mut g = group("g", gives);
    g["AttachedManagedPolicies"] = json!([{"PolicyName": "held", "PolicyArn": policy_arn("held")}]);
    let held = customer_policy("held", allow(&["s3:ListBucket"], &["*"]));
    let audit = world.group(g).policy(held).audit();
    let on_u = audit.findings.into_iter().filter(|f| f.resource == user_arn("u"));
    on_u.map(|f| (f.rule, f.evidence[0].clone())).collect()
}

#[track_caller]
fn check_join(name: &str, gives: &[Value]) {
    let found = found(vec![join()], gives);
    assert_eq!(found.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), ["IAM211"], "{name}: {found:?}");
}

#[test]
fn a_group_that_leads_on() {
    let assume = |name: &str| allow(&["sts:AssumeRole"], &[&role_arn(name)]);
    let put = || allow(&["iam:PutRolePolicy"], &[&role_arn("z")]);
    check_join("assumes an administrator", &[assume("adm")]);
    check_join("rewrites a role and assumes it", &[put(), assume("z")]);
    check_join("rewrites the user", &[allow(&["iam:AttachUserPolicy"], &[&user_arn("u")])]);
    check_join("rewrites itself", &[allow(&["iam:PutGroupPolicy"], &[&group_arn("g")])]);
    check_join("rewrites its policy", &[allow(&["iam:CreatePolicyVersion"], &[&policy_arn("held")])]);
    check_join("makes a key", &[allow(&["iam:CreateAccessKey"], &[&user_arn("boss")])]);
    let passes = allow(&["iam:PassRole"], &[&role_arn("adm")]);
    let runs = allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]);
    check_join("passes an administrator", &[passes, runs]);
    let makes = ["iam:CreateUser", "iam:PutUserPolicy", "iam:CreateAccessKey"];
    check_join("makes users", &[allow(&makes, &[&user_arn("x-*")])]);
    assert!(found(vec![join()], &[put()]).is_empty(), "a role that stays closed");
    assert!(found(vec![], &[assume("adm")]).is_empty(), "who may not join");
    assert_eq!(found(vec![join(), assume("z")], &[put()]).len(), 1, "half its own, half the group's");
    assert!(found(vec![join()], &[assume("adm"), deny(&["sts:*"], &["*"])]).is_empty(), "what it denies");
}

#[test]
fn the_joining_is_told() {
    let assume = allow(&["sts:AssumeRole"], &[&role_arn("adm")]);
    assert_eq!(found(vec![join()], &[assume])[0].1, "REACHABLE: the user joins g, assumes adm");
    let put = allow(&["iam:PutRolePolicy"], &[&role_arn("z")]);
    let both = allow(&["sts:AssumeRole"], &[&role_arn("z")]);
    let calls = format!(
        "REACHABLE: the user calls iam:AddUserToGroup of {} to g, then iam:PutRolePolicy on {z}, \
         then sts:AssumeRole on {z}",
        user_arn("u"),
        z = role_arn("z")
    );
    assert_eq!(found(vec![join()], &[put, both])[0].1, calls);
}

#[test]
fn the_joining_of_another() {
    let assume = allow(&["sts:AssumeRole"], &[&role_arn("adm")]);
    let world = |own: Value| {
        let adm = role("adm").trusts(trust_own_account()).can(everything());
        let world = World::of([t().can(own), adm]).group(group("g", std::slice::from_ref(&assume)));
        world.user(user("v", &[join()]))
    };
    let key = || allow(&["iam:CreateAccessKey"], &[&user_arn("v")]);
    check("a key of who may join", world(key()), &["IAM208:critical"], &[]);
    check("nothing to do with it", world(allow(&["s3:ListBucket"], &["*"])), &[], &["IAM208"]);
}
