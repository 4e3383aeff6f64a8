//! What several principals do for one that can become them.

use super::*;

fn put_on(name: &str) -> Value {
    allow(&["iam:PutRolePolicy"], &[&role_arn(name)])
}

fn assume(name: &str) -> Value {
    allow(&["sts:AssumeRole"], &[&role_arn(name)])
}

/// A role that lets `t` in.
fn helper(statements: impl Into<Value>) -> RoleMaker {
    role("m").trusts(document(trust(json!({"AWS": role_arn("t")})))).can(statements)
}

fn with_helper(own: impl Into<Value>, helps: impl Into<Value>) -> World {
    World::of([t().can(own), helper(helps)])
}

#[test]
fn a_role_that_rewrites_whoever_becomes_it() {
    check("put", with_helper(assume("m"), put_on("t")), &["IAM208:critical"], &[]);
    let attach = allow(&["iam:AttachRolePolicy"], &[&role_arn("t")]);
    check("attach", with_helper(assume("m"), attach), &["IAM208:critical"], &[]);
    let version = allow(&["iam:CreatePolicyVersion"], &[&policy_arn("x")]);
    let held = |arn: &str| {
        let own = t().can(assume("m")).attach(&policy_arn(arn));
        let all = ["x", "y"].map(|name| customer_policy(name, allow(&["s3:ListBucket"], &["*"])));
        let world = World::of([own, helper(version.clone())]);
        all.into_iter().fold(world, World::policy)
    };
    check("a version", held("x"), &["IAM208:critical"], &[]);
    check("of another policy", held("y"), &[], &["IAM208"]);
    let apart = World::of([t().can(assume("z")), role("m").can(put_on("t"))]);
    check("by one that it cannot become", apart, &[], &["IAM208"]);
    check("of another", with_helper(assume("m"), put_on("other")), &[], &["IAM208"]);
    let bounded = World::of([t().can(assume("m")).boundary(&policy_arn("edge")), helper(put_on("t"))]);
    let edge = customer_policy("edge", allow(&["s3:*", "sts:AssumeRole"], &["*"]));
    check("within its boundary", bounded.policy(edge), &[], &["IAM208"]);
    let passed = World::of([
        t().can(vec![
            allow(&["iam:PassRole"], &[&role_arn("m")]),
            allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]),
        ]),
        role("m").can(put_on("t")),
    ]);
    check("as a function", passed, &["IAM208:critical"], &[]);
}

#[test]
fn a_role_that_rewrites_another_which_is_open_to_whoever_becomes_it() {
    let third = |who: &str| role("z").trusts(document(trust(json!({"AWS": role_arn(who)}))));
    let world = |who: &str| World::of([t().can(assume("m")), helper(put_on("z")), third(who)]);
    check("both are open to it", world("t"), &["IAM208:critical"], &[]);
    check("one is not", world("x"), &[], &["IAM208"]);
    let far = World::of([
        t().can(assume("way")),
        role("way").trusts(trust_own_account()).can(vec![assume("m"), assume("z")]),
        helper(put_on("z")).trusts(trust_own_account()),
        role("z").trusts(document(trust(json!({"AWS": role_arn("t")})))),
    ]);
    check("from afar", far, &["IAM208:critical"], &[]);
}

#[test]
fn a_role_that_sets_free_whoever_becomes_it() {
    let frees = allow(&["iam:DeleteRolePermissionsBoundary"], &[&role_arn("t")]);
    let edge = || customer_policy("edge", allow(&["s3:*", "sts:AssumeRole"], &["*"]));
    let bounded = |helps: Value| {
        World::of([t().can(everything()).boundary(&policy_arn("edge")), helper(helps)]).policy(edge())
    };
    check("a boundary", bounded(frees), &["IAM208:critical"], &[]);
    let version = allow(&["iam:CreatePolicyVersion"], &[&policy_arn("edge")]);
    check("the policy of a boundary", bounded(version), &["IAM208:critical"], &[]);
    check("a boundary that stays", bounded(put_on("t")), &[], &["IAM208"]);
}

#[test]
fn the_calls_of_both_are_told_in_order() {
    let audit = with_helper(assume("m"), put_on("t")).audit();
    let finding =
        audit.findings.iter().find(|f| f.rule == "IAM208" && f.resource == role_arn("t")).expect("it");
    let calls = format!(
        "REACHABLE: the role calls sts:AssumeRole on {}, then iam:PutRolePolicy on {}",
        role_arn("m"),
        role_arn("t")
    );
    assert_eq!(finding.evidence[0], calls);
}

/// The rules found on the user `u`.
fn rules_on_u(world: World) -> Vec<&'static str> {
    let on_u = |f: &&opsctl::audit::Finding| f.resource == user_arn("u");
    world.audit().findings.iter().filter(on_u).map(|f| f.rule).collect()
}

#[test]
fn users_by_what_they_become() {
    let world = |helps: Value| {
        let m = role("m").trusts(trust_own_account()).can(helps);
        World::of([m]).user(user("u", &[assume("m")]))
    };
    let group_arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:group/{name}");
    assert_eq!(rules_on_u(world(allow(&["iam:PutUserPolicy"], &[&user_arn("u")]))), ["IAM211"]);
    assert!(rules_on_u(world(allow(&["iam:PutUserPolicy"], &[&user_arn("v")]))).is_empty());
    let mut member = user("u", &[assume("m")]);
    member["GroupList"] = json!(["devs"]);
    let of_group = |name: &str| {
        let m = role("m").trusts(trust_own_account());
        let m = m.can(allow(&["iam:AttachGroupPolicy"], &[&group_arn(name)]));
        World::of([m]).user(member.clone()).group(group("devs", &[]))
    };
    assert_eq!(rules_on_u(of_group("devs")), ["IAM211"]);
    assert!(rules_on_u(of_group("others")).is_empty());
    let admins = group("admins", &[everything()]);
    let adds = world(allow(&["iam:AddUserToGroup"], &[&group_arn("admins")])).group(admins);
    assert_eq!(rules_on_u(adds), ["IAM211"]);
    let key = user("u", &[allow(&["iam:CreateAccessKey"], &[&user_arn("v")])]);
    let v = user("v", &[allow(&["iam:AttachUserPolicy"], &[&user_arn("u")])]);
    assert_eq!(rules_on_u(World::of([low()]).user(key).user(v)), ["IAM211"]);
}

/// An explicit Deny goes before what allows, and what a boundary leaves out is not allowed: until another
/// takes them off.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>
#[test]
fn who_is_set_free_by_another_makes_the_last_call_itself() {
    let by = |action: &str, own: RoleMaker| {
        let frees = allow(&[action], &[&role_arn("t")]);
        let adm = role("adm").trusts(trust_own_account()).can(everything());
        World::of([own, role("b").trusts(trust_own_account()).can(frees), adm])
            .policy(customer_policy("guard", deny(&["iam:*"], &["*"])))
            .policy(customer_policy("keeps", deny(&["sts:AssumeRole"], &[&role_arn("adm")])))
            .policy(customer_policy("edge", allow(&["s3:*", "sts:AssumeRole"], &[&role_arn("b")])))
    };
    let assumes = |names: &[&str]| {
        let arns: Vec<String> = names.iter().map(|name| role_arn(name)).collect();
        allow(&["sts:AssumeRole"], &arns.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let writes = || vec![allow(&["iam:PutRolePolicy"], &[&role_arn("t")]), assumes(&["b"])];
    let own = [
        ("iam:DetachRolePolicy", t().can(writes()).attach(&policy_arn("guard"))),
        ("iam:DetachRolePolicy", t().can(assumes(&["b", "adm"])).attach(&policy_arn("keeps"))),
        ("iam:DeleteRolePermissionsBoundary", t().can(writes()).boundary(&policy_arn("edge"))),
    ];
    let up = ["IAM201:critical", "IAM202:critical", "IAM208"];
    for (action, own) in own {
        check(action, by(action, own.clone()), &["IAM208:critical"], &[]);
        check("another call", by("iam:TagRole", own), &[], &up);
    }
    let idle = t().can(assumes(&["b"])).attach(&policy_arn("guard"));
    check("free to do nothing", by("iam:DetachRolePolicy", idle), &[], &up);
}
