//! What holds somebody back, and is taken off: boundaries, Deny statements, limits on what may be attached.

use opsctl::audit::explain;
use opsctl_iam::decide::Decision;

use super::*;

const ESCALATES: &[&str] = &["IAM201", "IAM202", "IAM203", "IAM205", "IAM208"];
const TAKEN: &[&str] = &["IAM202:critical", "IAM208:critical"];

fn s3_only(name: &str) -> Value {
    customer_policy(name, s3())
}

fn s3() -> Value {
    allow(&["s3:*"], &["*"])
}

fn assumes(name: &str) -> Value {
    allow(&["sts:AssumeRole"], &[&role_arn(name)])
}

/// `t` with these statements, beside a role that it may assume and that is bound to S3.
fn beside(target: RoleMaker, statements: Vec<Value>) -> World {
    let statements = [statements, vec![assumes("low")]].concat();
    World::of([t().can(statements), target.trusts(trust_own_account()).boundary(&policy_arn("edge"))])
        .policy(s3_only("edge"))
}

#[test]
fn a_boundary_is_swapped_or_rewritten_or_taken_off() {
    let writes = || allow(&["iam:PutRolePolicy"], &[&role_arn("low")]);
    let with = |more: Value| beside(low(), vec![writes(), more]);
    check("kept", beside(low(), vec![writes()]), &[], ESCALATES);
    let swap = allow(&["iam:PutRolePermissionsBoundary"], &[&role_arn("low")]);
    check("swapped", with(swap.clone()), TAKEN, &[]);
    let only = when(swap, "StringEquals", "iam:PermissionsBoundary", policy_arn("edge"));
    check("swapped for the same one", with(only), &[], ESCALATES);
    check("rewritten", with(allow(&["iam:CreatePolicyVersion"], &[&policy_arn("edge")])), TAKEN, &[]);
    let makes = |more: Value| {
        let create = allow(&["iam:CreateRole"], &[&role_arn("app-*")]);
        let create = when(create, "StringEquals", "iam:PermissionsBoundary", policy_arn("edge"));
        let uses = allow(&["iam:PutRolePolicy", "sts:AssumeRole"], &[&role_arn("app-*")]);
        one(vec![create, uses, more].into()).policy(s3_only("edge"))
    };
    check("of a new role, kept", makes(allow(&["s3:GetObject"], &["*"])), &[], ESCALATES);
    for (action, on) in [
        ("iam:PutRolePermissionsBoundary", role_arn("app-*")),
        ("iam:DeleteRolePermissionsBoundary", role_arn("app-*")),
        ("iam:CreatePolicyVersion", policy_arn("edge")),
    ] {
        check(
            &format!("of a new role: {action}"),
            makes(allow(&[action], &[&on])),
            &["IAM202:critical"],
            &[],
        );
    }
    let makes = |more: Value| {
        let create = allow(&["iam:CreateUser"], &[&user_arn("app-*")]);
        let create = when(create, "StringEquals", "iam:PermissionsBoundary", policy_arn("edge"));
        let uses = allow(&["iam:PutUserPolicy", "iam:CreateAccessKey"], &[&user_arn("app-*")]);
        one(vec![create, uses, more].into()).policy(s3_only("edge"))
    };
    check("of a new user, kept", makes(allow(&["s3:GetObject"], &["*"])), &[], ESCALATES);
    for (action, on) in [
        ("iam:PutUserPermissionsBoundary", user_arn("app-*")),
        ("iam:DeleteUserPermissionsBoundary", user_arn("app-*")),
        ("iam:CreatePolicyVersion", policy_arn("edge")),
    ] {
        check(
            &format!("of a new user: {action}"),
            makes(allow(&[action], &[&on])),
            &["IAM202:critical"],
            &[],
        );
    }
    let bounded = |statements: &[Value]| {
        let mut user = user("bilbo", statements);
        user["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": policy_arn("edge")});
        user
    };
    let user = |more: &str| {
        let all = ["iam:PutUserPolicy", "iam:CreateAccessKey", more];
        one(allow(&all, &[&user_arn("bilbo")])).user(bounded(&[])).policy(s3_only("edge"))
    };
    check("of a user", user("iam:PutUserPermissionsBoundary"), TAKEN, &[]);
    check("of a user, kept", user("iam:GetUser"), &[], ESCALATES);
}

#[test]
fn who_is_an_administrator_but_for_a_boundary() {
    let mighty = || role("low").can(everything());
    let with = |action: &str, on: String| beside(mighty(), vec![allow(&[action], &[&on])]);
    check("kept", beside(mighty(), vec![]), &[], ESCALATES);
    check("taken off", with("iam:DeleteRolePermissionsBoundary", role_arn("low")), TAKEN, &[]);
    check("rewritten", with("iam:CreatePolicyVersion", policy_arn("edge")), TAKEN, &[]);
    check("of another", with("iam:DeleteRolePermissionsBoundary", role_arn("x")), &[], ESCALATES);
    let bounded = |edge: Value| {
        let mut user = user("bilbo", &[everything()]);
        user["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": policy_arn("edge")});
        let actions = &["iam:CreateAccessKey", "iam:DeleteUserPermissionsBoundary"];
        one(allow(actions, &[&user_arn("bilbo")])).user(user).policy(customer_policy("edge", edge))
    };
    check("of a user", bounded(allow(&["s3:*"], &["*"])), TAKEN, &[]);
    let own = bounded(allow(&["s3:*", "iam:DeleteUserPermissionsBoundary"], &["*"])).audit();
    assert!(own.findings.iter().any(|f| f.rule == "IAM211" && f.resource == user_arn("bilbo")), "its own");
    let kept = bounded(allow(&["s3:*"], &["*"])).audit();
    assert!(!kept.findings.iter().any(|f| f.rule == "IAM211"), "kept");
    // Back to a version of one's own boundary that leaves everything.
    let mut edge = customer_policy("edge", allow(&["s3:*", "iam:SetDefaultPolicyVersion"], &["*"]));
    let back = || {
        let adm = role("adm").can(everything()).trusts(trust_own_account());
        World::of([t().can(assumes("adm")), adm.boundary(&policy_arn("edge"))])
    };
    check("no other version", back().policy(edge.clone()), &[], ESCALATES);
    let old = json!({"VersionId": "v0", "IsDefaultVersion": false, "Document": document(everything())});
    edge["PolicyVersionList"].as_array_mut().unwrap().push(old);
    check("back to a mighty version", back().policy(edge), &["IAM208:critical"], &[]);
}

#[test]
fn the_trust_of_a_role_is_rewritten_where_its_boundary_is_as_asked() {
    let rewrites = |boundary: &str| {
        let rewrite = allow(&["iam:UpdateAssumeRolePolicy"], &["*"]);
        let asked = when(rewrite, "StringEquals", "iam:PermissionsBoundary", policy_arn("wide"));
        let adm = role("adm").can(everything()).boundary(&policy_arn(boundary));
        let all = ["wide", "wider"].map(|name| customer_policy(name, everything()));
        all.into_iter().fold(World::of([t().can(asked), adm]), World::policy)
    };
    check("as asked", rewrites("wide"), &["IAM208"], &[]);
    check("another", rewrites("wider"), &[], ESCALATES);
}

#[test]
fn a_deny_that_can_be_taken_off_denies_nothing() {
    let all_but = |spared: &str| json!({"Effect": "Deny", "NotAction": ["s3:*", spared], "Resource": "*"});
    let own = |spared: &str| World::of([t().can(everything()).can(all_but(spared))]);
    check("its own", own("iam:DeleteRolePolicy"), &["IAM201:critical"], &[]);
    check("its own, kept", own("iam:DetachRolePolicy"), &[], ESCALATES);
    let attached = |spared: &str| {
        World::of([t().can(everything()).attach(&policy_arn("guard"))])
            .policy(customer_policy("guard", all_but(spared)))
    };
    check("attached", attached("iam:DetachRolePolicy"), &["IAM201:critical"], &[]);
    check("attached, kept", attached("iam:DeleteRolePolicy"), &[], ESCALATES);
    let mid = || role("mid").can(everything()).can(deny(&["*"], &["*"])).trusts(trust_own_account());
    let other = |on: &str| {
        World::of([t().can(vec![allow(&["iam:DeleteRolePolicy"], &[&role_arn(on)]), assumes("mid")]), mid()])
    };
    check("another's", other("mid"), TAKEN, &[]);
    check("of somebody else", other("low"), &[], ESCALATES);
    let both = World::of([
        t().can(vec![allow(&["iam:DeleteRolePolicy"], &[&role_arn("mid")]), assumes("mid")]),
        role("mid").can(vec![everything(), deny(&["*"], &["*"])]).trusts(trust_own_account()),
    ]);
    check("with what it allows", both, &[], ESCALATES);
}

#[test]
fn a_deny_in_a_policy_that_can_be_rewritten_denies_nothing() {
    let all_but = |spared: &str| json!({"Effect": "Deny", "NotAction": ["s3:*", spared], "Resource": "*"});
    let inline = |spared: &str| World::of([t().can(vec![everything(), all_but(spared)])]);
    check("inline", inline("iam:PutRolePolicy"), &["IAM201:critical"], &[]);
    check("inline, another call", inline("iam:TagRole"), &[], ESCALATES);
    let attached = |spared: &str, on: &str| {
        let rights = vec![allow(&[spared], &[&policy_arn(on)]), all_but(spared)];
        World::of([t().attach(&policy_arn("guard"))])
            .policy(customer_policy("guard", rights))
            .policy(s3_only("other"))
    };
    check("attached", attached("iam:CreatePolicyVersion", "guard"), &["IAM201:critical"], &[]);
    check("another policy", attached("iam:CreatePolicyVersion", "other"), &[], ESCALATES);
    check("one version only", attached("iam:SetDefaultPolicyVersion", "guard"), &[], ESCALATES);
    let mid = || role("mid").trusts(trust_own_account()).attach(&policy_arn("guard"));
    let other = |on: &str| {
        let writes = allow(&["iam:CreatePolicyVersion"], &[&policy_arn(on)]);
        World::of([t().can(vec![writes, assumes("mid")]), mid()])
            .policy(customer_policy("guard", deny(&["*"], &["*"])))
    };
    check("another's", other("guard"), TAKEN, &[]);
    check("not another's", other("edge"), &[], ESCALATES);
    let by_group = |on: &str| {
        let statements = vec![
            allow(&["iam:CreateAccessKey"], &[&user_arn("bilbo")]),
            allow(&["iam:PutGroupPolicy"], &[&group_arn(on)]),
        ];
        let guard = group("guard", &[deny(&["*"], &["*"])]);
        one(statements.into()).user(bilbo_in(&["guard"])).group(guard)
    };
    check("a group's", by_group("guard"), TAKEN, &[]);
    check("not that group's", by_group("other"), &[], ESCALATES);
}

/// Any of five versions may be set as the default.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html>
#[test]
fn a_policy_that_is_set_back_to_a_version_without_the_deny_denies_nothing() {
    let guard = |old: Value| {
        let mut guard = customer_policy("guard", vec![s3(), deny(&["iam:Put*"], &["*"])]);
        let old = json!({"VersionId": "v0", "IsDefaultVersion": false, "Document": document(old)});
        guard["PolicyVersionList"].as_array_mut().unwrap().push(old);
        guard
    };
    let sets = |on: &str| allow(&["iam:SetDefaultPolicyVersion"], &[&policy_arn(on)]);
    let by_role = |old: Value, on: &str| {
        let writes = allow(&["iam:PutRolePolicy"], &[&role_arn("t")]);
        let own = t().can(vec![writes, sets(on)]).attach(&policy_arn("guard"));
        World::of([own]).policy(guard(old))
    };
    check("of a role", by_role(s3(), "guard"), &["IAM201:critical"], &[]);
    let as_now = || deny(&["iam:PutRole*"], &["*"]);
    check("which denies it too", by_role(as_now(), "guard"), &[], &["IAM201:critical", "IAM208"]);
    check("of another policy", by_role(s3(), "other"), &[], ESCALATES);
    let by_user = |old: Value, in_group: bool| {
        let writes = allow(&["iam:PutUserPolicy"], &[&user_arn("bilbo")]);
        let mut bilbo = user("bilbo", &[writes, sets("guard")]);
        let held = json!([{"PolicyName": "guard", "PolicyArn": policy_arn("guard")}]);
        let mut guards = group("guard", &[]);
        match in_group {
            true => guards["AttachedManagedPolicies"] = held,
            false => bilbo["AttachedManagedPolicies"] = held,
        }
        bilbo["GroupList"] = json!(["guard"]);
        let found = World::of([t()]).user(bilbo).group(guards).policy(guard(old)).audit();
        found.findings.iter().any(|f| f.rule == "IAM211" && f.resource == user_arn("bilbo"))
    };
    for in_group in [true, false] {
        assert!(by_user(s3(), in_group), "of a user, in a group: {in_group}");
        assert!(!by_user(deny(&["iam:PutUser*"], &["*"]), in_group), "denied before, in a group: {in_group}");
    }
}

/// A user who may do everything but what these groups deny.
fn bilbo_in(groups: &[&str]) -> Value {
    let mut bilbo = user("bilbo", &[everything()]);
    bilbo["GroupList"] = json!(groups);
    bilbo
}

fn group_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:group/{name}")
}

#[test]
fn what_a_group_denies_is_denied_to_its_members() {
    let all_but = |spared: &str| json!({"Effect": "Deny", "NotAction": ["s3:*", spared], "Resource": "*"});
    let attached = || {
        let mut group = group("guard", &[]);
        group["AttachedManagedPolicies"] = json!([{"PolicyName": "guard", "PolicyArn": policy_arn("guard")}]);
        group
    };
    for (name, group) in [("inline", group("guard", &[all_but("sts:*")])), ("attached", attached())] {
        let key = one(allow(&["iam:CreateAccessKey"], &[&user_arn("bilbo")]));
        let world = key.user(bilbo_in(&["guard"])).group(group);
        let world = world.policy(customer_policy("guard", all_but("sts:*")));
        let audit = world.audit();
        verify(name, &audit, &[], ESCALATES);
        assert!(!audit.findings.iter().any(|f| ["IAM211", "IAM212"].contains(&f.rule)), "{name}");
        let account = world.account();
        let asked = |action: &str| explain::explain(&account, "bilbo", action, None, now()).expect("a user");
        assert_eq!(asked("iam:PutUserPolicy").decision, Decision::DeniedExplicitly, "{name}");
        assert_eq!(asked("s3:ListAllMyBuckets").decision, Decision::Allowed, "{name}");
    }
}

#[test]
fn a_deny_of_a_group_is_taken_off_by_the_group_or_by_leaving_it() {
    let denies = || deny(&["*"], &["*"]);
    let by = |action: &str, on: String, group: Value| {
        let statements =
            vec![allow(&["iam:CreateAccessKey"], &[&user_arn("bilbo")]), allow(&[action], &[&on])];
        one(statements.into()).user(bilbo_in(&["guard"])).group(group)
    };
    let guard = || group("guard", &[denies()]);
    for (action, on) in
        [("iam:DeleteGroupPolicy", group_arn("guard")), ("iam:RemoveUserFromGroup", group_arn("guard"))]
    {
        check(action, by(action, on, guard()), TAKEN, &[]);
    }
    for (action, on) in [
        ("iam:DetachGroupPolicy", group_arn("guard")),
        ("iam:RemoveUserFromGroup", group_arn("other")),
        // The user's own policy has the same name.
        ("iam:DeleteUserPolicy", user_arn("bilbo")),
    ] {
        check(action, by(action, on, guard()), &[], ESCALATES);
    }
    let mut member = user("bilbo", &[]);
    member["GroupList"] = json!(["guard"]);
    let statements = |action| {
        vec![allow(&["iam:CreateAccessKey"], &[&user_arn("bilbo")]), allow(&[action], &[&group_arn("guard")])]
    };
    let both = |action| {
        one(statements(action).into()).user(member.clone()).group(group("guard", &[everything(), denies()]))
    };
    check("with what it allows", both("iam:RemoveUserFromGroup"), &[], ESCALATES);
    let spares = json!({"Effect": "Deny", "NotAction": "iam:RemoveUserFromGroup", "Resource": "*"});
    let own = World::of([t()]).user(bilbo_in(&["guard"])).group(group("guard", &[spares]));
    let on_bilbo = own.audit().findings.into_iter().find(|f| f.resource == user_arn("bilbo"));
    let told =
        on_bilbo.is_some_and(|f| f.rule == "IAM211" && f.evidence[0].contains("iam:RemoveUserFromGroup"));
    assert!(told, "its own");
}

#[test]
fn a_group_that_denies_gives_nothing_to_whoever_joins() {
    let joins = |denied: &[Value]| {
        let on_group = allow(&["iam:AddUserToGroup", "iam:PutGroupPolicy"], &[&group_arn("devs")]);
        let makes = allow(&["iam:CreateUser", "iam:CreateAccessKey"], &[&user_arn("x-*")]);
        one(vec![on_group, makes].into()).group(group("devs", denied))
    };
    check("it denies nothing", joins(&[]), &["IAM202:critical"], &[]);
    check("it denies all", joins(&[deny(&["*"], &["*"])]), &[], ESCALATES);
}

#[test]
fn a_policy_that_one_makes_is_attached_by_its_name() {
    let attach = |arn: &str| {
        when(allow(&["iam:AttachRolePolicy"], &[&role_arn("t")]), "ArnLike", "iam:PolicyARN", policy_arn(arn))
    };
    let reader = || customer_policy("app-ro", allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]));
    let with = |arn: &str, action: &str, on: &str| {
        one(vec![attach(arn), allow(&[action], &[on])].into()).policy(reader())
    };
    check("made", with("app-*", "iam:CreatePolicy", "*"), &["IAM201:critical"], &[]);
    check("the very one", with("app-ro", "iam:CreatePolicyVersion", "*"), &["IAM201:critical"], &[]);
    check("one of them", with("app-*", "iam:CreatePolicyVersion", "*"), &["IAM201:critical"], &[]);
    check("which is there already", with("app-ro", "iam:CreatePolicy", "*"), &[], ESCALATES);
    check("of another name", with("app-*", "iam:CreatePolicy", &policy_arn("x-*")), &[], ESCALATES);
    let create = allow(&["iam:CreatePolicy"], &["*"]);
    let denied = vec![attach("app-*"), create, deny(&["iam:CreatePolicy"], &["*"])];
    check("denied", one(denied.into()).policy(reader()), &[], ESCALATES);
}
