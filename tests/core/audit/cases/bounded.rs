//! Boundaries that come with a new principal, or that one swaps for oneself.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate>

use super::*;

const UP: &[&str] = &["IAM201:critical", "IAM202:critical", "IAM207:critical", "IAM208"];

fn small() -> Value {
    customer_policy("edge", allow(&["s3:*"], &["*"]))
}

fn if_edge(statement: Value) -> Value {
    when(statement, "StringEquals", "iam:PermissionsBoundary", policy_arn("edge"))
}

/// Which condition keys an action has: "iam:PermissionsBoundary" of `PutRolePolicy` is the boundary that the
/// role has. <https://docs.aws.amazon.com/service-authorization/latest/reference/list_iam.html>
#[test]
fn a_new_role_is_written_within_its_boundary_that_comes_off_after() {
    let on = || role_arn("app-*");
    let makes = |write: &str, more: &[&str]| {
        let writes = if_edge(allow(&["iam:CreateRole", write], &[&on()]));
        one(vec![writes, allow(more, &[&on()])].into()).policy(small())
    };
    for write in ["iam:PutRolePolicy", "iam:AttachRolePolicy"] {
        for lift in ["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"] {
            check(lift, makes(write, &[lift]), &["IAM202:critical", "IAM208"], &[]);
        }
        check("it stays", makes(write, &["iam:DeleteRole"]), &[], UP);
        check("of users", makes(write, &["iam:DeleteUserPermissionsBoundary"]), &[], UP);
    }
    let audit = makes("iam:PutRolePolicy", &["iam:DeleteRolePermissionsBoundary"]).audit();
    let way = audit.findings.iter().find(|f| f.rule == "IAM202").expect("the way");
    let calls = "or the like, then iam:PutRolePolicy on it, then iam:DeleteRolePermissionsBoundary on it";
    assert!(way.evidence[0].contains(calls), "{:?}", way.evidence);

    let lifts_if = |boundary: &str| {
        let lift = allow(&["iam:DeleteRolePermissionsBoundary"], &[&on()]);
        let lift = when(lift, "StringEquals", "iam:PermissionsBoundary", policy_arn(boundary));
        let writes = if_edge(allow(&["iam:CreateRole", "iam:PutRolePolicy"], &[&on()]));
        one(vec![writes, lift].into()).policy(small())
    };
    check("off while it is that one", lifts_if("edge"), &["IAM202:critical"], &[]);
    check("off while it is another", lifts_if("other"), &[], UP);
}

#[test]
fn a_new_role_whose_boundary_nobody_asks_for_has_the_one_that_writing_asks_for() {
    let on = role_arn("app-*");
    let makes = |boundary: &str, lift: &str| {
        let writes = allow(&["iam:PutRolePolicy"], &[&on]);
        let writes = when(writes, "ArnLike", "iam:PermissionsBoundary", policy_arn(boundary));
        one(vec![allow(&["iam:CreateRole", lift], &[&on]), writes].into()).policy(small())
    };
    check("by name", makes("edge", "iam:DeleteRolePermissionsBoundary"), &["IAM202:critical"], &[]);
    check("by pattern", makes("e*", "iam:DeleteRolePermissionsBoundary"), &["IAM202:critical"], &[]);
    check("kept", makes("edge", "iam:DeleteRole"), &[], UP);
}

#[test]
fn a_deny_unless_bounded_denies_no_boundary_to_be_taken_off() {
    let rights =
        ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"];
    let fence =
        || when(deny(&rights, &["*"]), "StringNotEquals", "iam:PermissionsBoundary", policy_arn("edge"));
    let with = |more: Value| one(vec![allow(&["iam:*Role*"], &["*"]), fence(), more].into()).policy(small());
    let trust = deny(&["iam:UpdateAssumeRolePolicy"], &["*"]);
    check("it comes off", with(trust), &["IAM202:critical", "IAM208"], &[]);
    let kept = deny(&["iam:DeleteRolePermissionsBoundary", "iam:UpdateAssumeRolePolicy"], &["*"]);
    check("it stays", with(kept), &[], &["IAM202:critical", "IAM208"]);
}

/// The delegation example of AWS, whose last statement is what keeps the boundary on.
#[test]
fn who_makes_users_within_a_boundary_must_not_take_it_off() {
    let actions = [
        "iam:AttachUserPolicy",
        "iam:CreateUser",
        "iam:DeleteUserPolicy",
        "iam:DetachUserPolicy",
        "iam:PutUserPermissionsBoundary",
        "iam:PutUserPolicy",
    ];
    let others = ["cloudwatch:*", "iam:CreateAccessKey", "iam:DeleteUserPermissionsBoundary", "iam:Get*"];
    let statements = vec![if_edge(allow(&actions, &["*"])), allow(&others, &["*"])];
    check("off", one(statements.clone().into()).policy(small()), &["IAM202:critical"], &[]);
    let kept = [statements, vec![deny(&["iam:DeleteUserPermissionsBoundary"], &["*"])]].concat();
    check("kept", one(kept.into()).policy(small()), &[], &["IAM202:critical", "IAM208"]);
}

#[test]
fn ones_own_boundary_is_swapped_for_a_wide_one() {
    let world = |asked: Value, others: Value| {
        let swap = allow(&["iam:PutRolePermissionsBoundary"], &[&role_arn("t")]);
        let swap = when(swap, "ArnLike", "iam:PermissionsBoundary", asked);
        let edge = customer_policy("edge", vec![allow(&["s3:*"], &["*"]), swap]);
        let own = t().can(everything()).boundary(&policy_arn("edge"));
        World::of([own]).policy(edge).policy(customer_policy("wide", others))
    };
    let named = |name: &str| json!(policy_arn(name));
    for asked in [named("wide"), named("*"), json!([policy_arn("edge"), policy_arn("wide")])] {
        check(&asked.to_string(), world(asked.clone(), everything()), &["IAM207:critical"], &[]);
        let name = format!("{asked}, which bounds as well");
        check(&name, world(asked, allow(&["s3:*"], &["*"])), &[], UP);
    }
    check("for itself", world(named("edge"), everything()), &[], UP);
    check("for one that nobody may make", world(named("new"), everything()), &[], UP);
}

/// Of `PutRolePolicy` the key is the boundary that the role has, of `PutRolePermissionsBoundary` the one that
/// it is given. <https://docs.aws.amazon.com/service-authorization/latest/reference/list_iam.html>
#[test]
fn who_puts_the_boundary_on_itself_first_that_writing_asks_for() {
    let world = |limits: Value, on: &str, given: &str| {
        let edge = |statement: Value, name: &str| {
            when(statement, "ArnEquals", "iam:PermissionsBoundary", policy_arn(name))
        };
        let writes = edge(allow(&["iam:PutRolePolicy"], &[&role_arn("t")]), "edge");
        let puts = edge(allow(&["iam:PutRolePermissionsBoundary"], &[&role_arn(on)]), given);
        one(vec![writes, puts].into()).policy(customer_policy("edge", limits))
    };
    check("wide", world(everything(), "t", "edge"), &["IAM208:critical"], &[]);
    check("narrow", world(allow(&["s3:*"], &["*"]), "t", "edge"), &[], UP);
    check("on another", world(everything(), "low", "edge"), &[], UP);
    check("another boundary", world(everything(), "t", "other"), &[], UP);
}

/// What a boundary denies does not make it one that is rewritten and put on again.
#[test]
fn a_boundary_that_keeps_its_own_policy_from_being_rewritten_is_no_way_out() {
    let bound =
        ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"];
    let fence =
        || when(deny(&bound, &["*"]), "StringNotEquals", "iam:PermissionsBoundary", policy_arn("edge"));
    let become_it =
        ["iam:UpdateAssumeRolePolicy", "iam:PassRole", "iam:CreateAccessKey", "iam:CreateLoginProfile"];
    let world = |rights: &[&str], kept: &[&str]| {
        let grants = allow(&[&bound[..], rights, &["s3:*"]].concat(), &["*"]);
        let keeps = deny(&[kept, &["iam:DeleteRolePermissionsBoundary"]].concat(), &["*"]);
        let edge = customer_policy("edge", vec![grants, keeps, deny(&become_it, &["*"]), fence()]);
        World::of([t().can(everything()).boundary(&policy_arn("edge"))]).policy(edge)
    };
    let kept = ["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"];
    for rights in [&["iam:Create*"][..], &["iam:CreatePolicy", "iam:CreatePolicyVersion"]] {
        check("kept", world(rights, &kept), &[], UP);
        check("rewritten", world(rights, &[]), &["IAM207:critical"], &[]);
    }
}
