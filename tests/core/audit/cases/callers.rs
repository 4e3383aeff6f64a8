//! What follows from who calls: ids, tags in conditions, a Deny that spares what is meant, and trust that
//! leaves somebody out.

use super::*;

const ADMIN: &[&str] = &["IAM103", "IAM104", "IAM201"];

fn assume() -> Value {
    allow(&["sts:AssumeRole"], &[&role_arn("adm")])
}

fn own_root() -> Value {
    trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}))
}

fn adm(statements: Vec<Value>) -> RoleMaker {
    role("adm").trusts(document(statements)).can(everything())
}

/// The role `t`, which may assume the administrator, whose trust is this.
fn assumes(trust: Vec<Value>) -> World {
    World::of([t().can(assume()), adm(trust), low()])
}

#[test]
fn trust_that_leaves_somebody_out() {
    let but = |operator: &str, arn: &str| assumes(vec![when(own_root(), operator, "aws:PrincipalArn", arn)]);
    for operator in ["ArnNotEquals", "StringNotLike"] {
        check(operator, but(operator, &role_arn("t")), &[], &["IAM208"]);
        check(operator, but(operator, &role_arn("low")), &["IAM208"], &[]);
    }
    let denied = |principal: Value| {
        let deny = json!({"Effect": "Deny", "Principal": principal, "Action": "sts:AssumeRole"});
        vec![own_root(), deny]
    };
    let aws = |name: &str| json!({"AWS": role_arn(name)});
    check("denied by name", assumes(denied(aws("t"))), &[], &["IAM208"]);
    check("another denied by name", assumes(denied(aws("low"))), &["IAM208"], &[]);
    let if_arn = |name: &str| {
        let mut all = denied(json!("*"));
        all[1] = when(all[1].clone(), "ArnEquals", "aws:PrincipalArn", role_arn(name));
        all
    };
    check("denied by a condition", assumes(if_arn("t")), &[], &["IAM208"]);
    check("another denied by a condition", assumes(if_arn("low")), &["IAM208"], &[]);
    let spared = |name: &str| {
        let root = format!("arn:aws:iam::{ACCOUNT}:root");
        let deny = json!({"Effect": "Deny", "NotPrincipal": {"AWS": [root, role_arn(name)]},
            "Action": "sts:AssumeRole"});
        assumes(vec![own_root(), deny])
    };
    check("denied to all but another", spared("low"), &[], &["IAM208"]);
    check("denied to all but it", spared("t"), &["IAM208"], &[]);
    for (key, value) in [("aws:PrincipalType", "User"), ("aws:username", "*")] {
        check(key, assumes(vec![when(own_root(), "StringLike", key, value)]), &[], &["IAM208"]);
    }
}

#[test]
fn whoever_a_condition_names_is_let_in_as_if_it_were_the_principal() {
    let named = |name: &str| {
        let statement = when(trust(json!({"AWS": "*"})), "ArnEquals", "aws:PrincipalArn", role_arn(name));
        World::of([t(), low(), adm(vec![statement])])
    };
    check("it", named("t"), &["IAM208"], &[]);
    check("another", named("low"), &[], &["IAM208"]);
    let like = |arn: &str| adm(vec![when(trust(json!({"AWS": "*"})), "ArnLike", "aws:PrincipalArn", arn)]);
    check("one of several", World::of([t(), low(), like(&role_arn("t*"))]), &["IAM208"], &[]);
    check("none of several", World::of([t(), low(), like(&role_arn("l*"))]), &[], &["IAM208"]);
    let bound = |actions: &[&str]| {
        let edge = customer_policy("edge", allow(actions, &["*"]));
        World::of([t().boundary(&policy_arn("edge")), low(), like(&role_arn("t*"))]).policy(edge)
    };
    check("beyond its boundary", bound(&["s3:*"]), &["IAM208"], &[]);
    for (name, statement) in [
        ("everybody", trust(json!({"AWS": "*"}))),
        ("the account", when(trust(json!({"AWS": "*"})), "StringEquals", "aws:PrincipalAccount", ACCOUNT)),
    ] {
        check(name, World::of([t(), low(), adm(vec![statement.clone()])]), &["IAM208"], &[]);
        let denied = t().can(deny(&["sts:*"], &["*"]));
        check(name, World::of([denied, low(), adm(vec![statement])]), &[], &["IAM208"]);
    }
    check("the account by its root", World::of([t(), low(), adm(vec![own_root()])]), &[], &["IAM208"]);
    let role_named = |edge: &str| {
        let named = trust(json!({"AWS": role_arn("t")}));
        let edge = customer_policy("edge", allow(&[edge], &["*"]));
        World::of([t().boundary(&policy_arn("edge")), adm(vec![named])]).policy(edge)
    };
    check("named, within its boundary", role_named("sts:*"), &["IAM208"], &[]);
    check("named, beyond its boundary", role_named("s3:*"), &[], &["IAM208"]);
    let services = World::of([t().can(paths()), adm(vec![trust(json!("*"))])]);
    check("a bare star is services, too", services, &["IAM203:critical", "IAM208"], &[]);
}

#[test]
fn what_a_role_never_says_of_itself() {
    let asks = |key: &str, value: &str| adm(vec![when(own_root(), "StringEquals", key, value)]);
    let session =
        |value: &str| World::of([t().tag("team", "x").can(assume()), asks("sts:RoleSessionName", value)]);
    check("a name of a user", session("${aws:username}"), &[], &["IAM208"]);
    check("a tag", session("${aws:PrincipalTag/team}"), &["IAM208"], &[]);
    check("a tag that it lacks", session("${aws:PrincipalTag/other}"), &[], &["IAM208"]);
    check("any name", session("deploy"), &["IAM208"], &[]);
}

fn paths() -> Vec<Value> {
    let run = allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]);
    vec![allow(&["iam:PassRole"], &[&role_arn("adm")]), run]
}

#[test]
fn tags_of_both_are_put_into_conditions() {
    let same = |key: &str| {
        let on = if key.starts_with("sts") { "*".to_owned() } else { role_arn("adm") };
        let assume = allow(&["sts:AssumeRole"], &[&on]);
        when(assume, "StringEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}")
    };
    let world = |team: &str| {
        World::of([t().tag("team", team).can(same("iam")), adm(vec![own_root()]).tag("team", "x")])
    };
    check("of one team", world("x"), &["IAM208"], &[]);
    check("of another", world("y"), &[], &["IAM208"]);
    let asks = || when(own_root(), "StringEquals", "aws:PrincipalTag/team", "${aws:ResourceTag/team}");
    let world =
        |team: &str| World::of([t().tag("team", team).can(assume()), adm(vec![asks()]).tag("team", "x")]);
    check("trust in one team", world("x"), &["IAM208"], &[]);
    check("trust in another", world("y"), &[], &["IAM208"]);
    let passes = |team: &str| {
        let pass = when(
            allow(&["iam:PassRole"], &["*"]),
            "StringEquals",
            "iam:ResourceTag/team",
            "${aws:PrincipalTag/team}",
        );
        let run = allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]);
        World::of([t().tag("team", team).can(vec![pass, run]), admin_of("lambda").tag("team", "x")])
    };
    check("passed within a team", passes("x"), &["IAM203:critical", "IAM208"], &[]);
    check("passed to another", passes("y"), &[], &["IAM203", "IAM208"]);
    let tag = |name: &str| allow(&["iam:TagRole"], &[&role_arn(name)]);
    let sets = |name: &str| {
        let asks = when(own_root(), "StringEquals", "aws:PrincipalTag/team", "x");
        World::of([t().can(vec![assume(), tag(name)]), low(), adm(vec![asks])])
    };
    check("a tag that it gives itself", sets("t"), &["IAM208"], &[]);
    check("a tag that it gives another", sets("low"), &[], &["IAM208"]);
}

#[test]
fn variables_have_defaults_and_no_case() {
    for arn in [
        "arn:aws:iam::${aws:principalaccount}:role/adm".to_owned(),
        format!("arn:aws:iam::{ACCOUNT}:role/${{aws:PrincipalTag/team, 'adm'}}"),
    ] {
        let world = World::of([t().can(allow(&["sts:AssumeRole"], &[&arn])), adm(vec![own_root()])]);
        check(&arn, world, &["IAM208"], &[]);
    }
}

/// What stands in nearly every account, and denies nothing of what is meant.
#[test]
fn a_deny_that_spares_what_is_meant_is_none() {
    let denied = |operator: &str, key: &str, value: Value| {
        let deny = when(deny(&["*"], &["*"]), operator, key, value);
        World::of([t().can(vec![assume(), deny]), adm(vec![own_root()])])
    };
    for (operator, key, value) in [
        ("StringNotEquals", "aws:RequestedRegion", json!(["eu-west-1", "us-east-1"])),
        ("StringNotEquals", "aws:ResourceAccount", json!(ACCOUNT)),
        ("StringNotEquals", "aws:ResourceAccount", json!("${aws:PrincipalAccount}")),
        ("StringNotEqualsIfExists", "aws:ResourceOrgID", json!("${aws:PrincipalOrgID}")),
        ("StringNotEquals", "aws:PrincipalOrgID", json!("o-abcdefghij")),
        // What revoking sessions writes.
        ("DateLessThan", "aws:TokenIssueTime", json!("2026-10-31T23:00:00Z")),
        ("StringNotLike", "aws:userId", json!(["AROAt:*", ACCOUNT])),
    ] {
        check(key, denied(operator, key, value), &["IAM208"], &[]);
    }
    for (operator, key, value) in [
        ("StringEquals", "aws:ResourceAccount", json!(ACCOUNT)),
        ("BoolIfExists", "aws:MultiFactorAuthPresent", json!("false")),
        ("StringNotLike", "aws:userId", json!(["AROAELSE:*", ACCOUNT])),
    ] {
        check(key, denied(operator, key, value), &[], &["IAM208"]);
    }
}

#[test]
fn a_perimeter_is_a_condition() {
    let perimeter = |role: RoleMaker| {
        let mut unless = when(deny(&["*"], &["*"]), "NotIpAddressIfExists", "aws:SourceIp", "192.0.2.0/24");
        unless = when(unless, "StringNotEqualsIfExists", "aws:PrincipalTag/excepted", "true");
        unless = when(unless, "BoolIfExists", "aws:PrincipalIsAWSService", "false");
        unless = when(unless, "BoolIfExists", "aws:ViaAWSService", "false");
        World::of([role.can(vec![everything(), unless])])
    };
    check("outside", perimeter(t()), &["IAM104"], &["IAM103"]);
    check("excepted", perimeter(t().tag("excepted", "true")), &["IAM103"], &["IAM104"]);
    let plain = when(deny(&["*"], &["*"]), "NotIpAddress", "aws:SourceIp", "192.0.2.0/24");
    let plain = when(plain, "Bool", "aws:ViaAWSService", "false");
    check("AWS's example", World::of([t().can(vec![everything(), plain])]), &["IAM104"], &["IAM103"]);
}

#[test]
fn ids_and_accounts_are_decided() {
    let all_if = |operator: &str, key: &str, value: &str| one(when(everything(), operator, key, value));
    for (operator, key, value) in [
        ("StringLike", "aws:userId", "AROAt:*"),
        ("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}"),
        ("StringLike", "aws:ResourceAccount", "1111*"),
    ] {
        check(value, all_if(operator, key, value), &["IAM103"], &["IAM104"]);
    }
    for (operator, key, value) in [
        ("StringLike", "aws:userId", "AROAELSE:*"),
        ("StringNotEquals", "aws:ResourceAccount", ACCOUNT),
        ("StringLike", "aws:ResourceAccount", "4444*"),
        ("Bool", "aws:PrincipalIsAWSService", "true"),
    ] {
        check(value, all_if(operator, key, value), &[], ADMIN);
    }
    let v6 = json!(["::/1", "8000::/1"]);
    let halves = one(when(everything(), "IpAddress", "aws:SourceIp", v6));
    check("both halves of IPv6", halves, &["IAM103"], &["IAM104"]);
    let reads =
        |key: &str, value: &str| one(when(allow(&["s3:GetObject"], &["*"]), "StringEquals", key, value));
    check("own buckets", reads("s3:ResourceAccount", ACCOUNT), &["IAM110"], &[]);
    check("others' buckets", reads("s3:ResourceAccount", "444455556666"), &[], &["IAM110"]);
    check("how it is signed", reads("s3:signatureversion", "AWS4-HMAC-SHA256"), &["IAM110"], &[]);
}

#[test]
fn a_source_identity_is_what_its_caller_says() {
    let asks = |actions: &[&str]| {
        let mut root = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
        root["Action"] = json!(actions);
        let asks = document(when(root, "StringEquals", "sts:SourceIdentity", "alice"));
        role("adm").can(everything()).trusts(asks)
    };
    let both = &["sts:AssumeRole", "sts:SetSourceIdentity"];
    let with =
        |own: &[&str], theirs: &[&str]| World::of([t().can(allow(own, &[&role_arn("adm")])), asks(theirs)]);
    check("may say it", with(both, both), &["IAM208:critical"], &[]);
    check("may not say it", with(&both[..1], both), &[], &["IAM208"]);
    check("is not let", with(both, &both[..1]), &[], &["IAM208"]);
}

/// A Deny that asks for a call of a service's on somebody's behalf is not of those that he makes himself.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html>
#[test]
fn what_only_services_are_denied_one_does_oneself() {
    const UP: &[&str] = &["IAM201:critical", "IAM208"];
    let denied = |operator: &str, key: &str, value: &str| {
        let writes = allow(&["iam:PutRolePolicy"], &[&role_arn("t")]);
        one(vec![writes, when(deny(&["iam:*"], &["*"]), operator, key, value)].into())
    };
    let of_services = [
        ("Bool", "aws:ViaAWSService", "true"),
        ("BoolIfExists", "aws:ViaAWSService", "true"),
        ("StringEquals", "aws:CalledViaFirst", "cloudformation.amazonaws.com"),
        ("ForAnyValue:StringEquals", "aws:CalledVia", "cloudformation.amazonaws.com"),
        ("Null", "aws:CalledViaLast", "false"),
        ("ArnLike", "aws:SourceArn", "arn:aws:s3:::*"),
    ];
    for (operator, key, value) in of_services {
        check(key, denied(operator, key, value), &["IAM201:critical"], &[]);
    }
    let of_all = [
        ("Bool", "aws:ViaAWSService", "false"),
        ("Null", "aws:CalledVia", "true"),
        ("StringNotEquals", "aws:CalledViaFirst", "cloudformation.amazonaws.com"),
        ("Null", "aws:SourceArn", "true"),
    ];
    for (operator, key, value) in of_all {
        check(key, denied(operator, key, value), &[], UP);
    }
}

/// An external id is a parameter of the call: whoever must send one sends it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html>
#[test]
fn an_external_id_of_ones_own_keeps_nobody_out() {
    let key = "sts:ExternalId";
    let world = |trust: Value| {
        let sends = when(assume(), "StringEquals", key, "a");
        World::of([t().can(sends), adm(vec![trust])])
    };
    check("asked of the caller", world(own_root()), &["IAM208:critical"], &[]);
    check("and by the trust", world(when(own_root(), "StringEquals", key, "a")), &["IAM208:critical"], &[]);
    let other = trust(json!({"AWS": role_arn("low")}));
    check("not let in", world(other), &[], &["IAM208"]);
    let denied = when(deny(&["sts:AssumeRole"], &["*"]), "StringNotEquals", key, "a");
    let world = World::of([t().can(vec![assume(), denied]), adm(vec![own_root()])]);
    check("denied without it", world, &["IAM208:critical"], &[]);
}

/// Principals of accounts are no services, and a role's sessions have its id.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
#[test]
fn trust_in_services_alone_or_in_other_ids() {
    let key = "aws:PrincipalIsAWSService";
    for principal in [json!("*"), json!({"AWS": "*"}), json!({"AWS": role_arn("t")})] {
        let trusts = |value: &str| assumes(vec![when(trust(principal.clone()), "Bool", key, value)]);
        check("services", trusts("true"), &[], &["IAM208", "IAM301"]);
        check("all but services", trusts("false"), &["IAM208:critical"], &[]);
    }
    let by_service = when(trust(json!("*")), "StringEquals", "aws:PrincipalServiceName", "s3.amazonaws.com");
    check("one service", assumes(vec![by_service]), &[], &["IAM208", "IAM301"]);
    let but = |ids: &str| assumes(vec![when(own_root(), "StringNotLike", "aws:userid", ids)]);
    check("all but its id", but("AROAt:*"), &[], &["IAM208"]);
    check("all but one session", but("AROAt:nightly"), &["IAM208"], &[]);
    check("all but another", but("AROAadm:*"), &["IAM208"], &[]);
    let denied = |ids: &str| {
        let all = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"});
        assumes(vec![own_root(), when(all, "StringLike", "aws:userid", ids)])
    };
    check("its id denied", denied("AROAt:*"), &[], &["IAM208"]);
    check("another denied", denied("AROAadm:*"), &["IAM208"], &[]);
}

/// Tags of the session, or a source identity, that a trust policy asks for: both sides have to allow them.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html>
#[test]
fn trust_that_asks_the_caller_to_say_something() {
    let tag = "aws:RequestTag/team";
    let asked = [
        ("sts:TagSession", "StringEquals", tag, "ops"),
        ("sts:TagSession", "StringLike", tag, "*"),
        ("sts:TagSession", "Null", tag, "false"),
        ("sts:SetSourceIdentity", "StringEquals", "sts:SourceIdentity", "a"),
        ("sts:SetSourceIdentity", "StringLike", "sts:SourceIdentity", "*"),
        ("sts:SetSourceIdentity", "Null", "sts:SourceIdentity", "false"),
    ];
    for (says, operator, key, value) in asked {
        let name = format!("{operator} {key} {value}");
        let world = |own: Vec<Value>, takes: &[&str]| {
            let mut trust = own_root();
            trust["Action"] = json!([&["sts:AssumeRole"], takes].concat());
            World::of([t().can(own), adm(vec![when(trust, operator, key, value)])])
        };
        let both = || allow(&["sts:AssumeRole", says], &[&role_arn("adm")]);
        check(&name, world(vec![both()], &[says]), &["IAM208:critical"], &[]);
        check(&format!("{name}, not t"), world(vec![assume()], &[says]), &[], &["IAM208"]);
        let denied = vec![both(), deny(&[says], &["*"])];
        check(&format!("{name}, denied"), world(denied, &[says]), &[], &["IAM208"]);
        check(&format!("{name}, not taken"), world(vec![both()], &[]), &[], &["IAM208"]);
    }
    let or = |others: Value| {
        let mut trust = when(own_root(), "StringEquals", tag, "ops");
        trust["Action"] = json!(["sts:AssumeRole", "sts:TagSession"]);
        World::of([t().can(assume()), adm(vec![trust, others])])
    };
    check("or without", or(own_root()), &["IAM208:critical"], &[]);
}

/// What a service does for this account it does for the account's organization.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourceorgid>
#[test]
fn a_service_that_acts_for_the_organization() {
    let made = ["lambda:CreateFunction", "lambda:InvokeFunction"];
    let pass = allow(&["iam:PassRole"], &[&role_arn("adm")]);
    let world = |operator: &str, key: &str, value: &str| {
        let by_service = trust(json!({"Service": "lambda.amazonaws.com"}));
        let own = vec![pass.clone(), allow(&made, &["*"])];
        World::of([t().can(own), adm(vec![when(by_service, operator, key, value)])])
    };
    let reachable = &["IAM203:critical"];
    check("its id", world("StringEquals", "aws:SourceOrgID", "o-abcdefghij"), reachable, &[]);
    let paths = world("ForAnyValue:StringLike", "aws:SourceOrgPaths", "o-abcdefghij/*");
    check("its paths", paths, reachable, &[]);
    check("another account", world("StringEquals", "aws:SourceAccount", "999988887777"), &[], reachable);
}
