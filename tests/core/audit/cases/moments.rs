//! What waits for the right moment: an address, an endpoint, MFA; and what a request tells of itself, such as
//! the region of IAM and the boundary of whom it is about.

use opsctl::audit::explain;
use opsctl_iam::decide::Decision;

use super::*;

/// Conditions that whoever uses the role can meet, and how severe a way to an administrator is under them.
fn circumstances() -> [(&'static str, &'static str, Value, &'static str); 5] {
    [
        ("IpAddress", "aws:SourceIp", json!("203.0.113.0/24"), "high"),
        ("StringEquals", "aws:SourceVpce", json!("vpce-1"), "high"),
        ("StringEquals", "aws:SourceVpc", json!("vpc-1"), "high"),
        ("StringLike", "aws:SourceIdentity", json!("alice"), "high"),
        ("Bool", "aws:MultiFactorAuthPresent", json!("true"), "medium"),
    ]
}

/// The role `t`, whom people may assume.
fn of_people() -> RoleMaker {
    t().trusts(trust_own_account())
}

fn own_root() -> Value {
    trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}))
}

fn adm(statement: Value) -> RoleMaker {
    role("adm").trusts(document(statement)).can(everything())
}

#[test]
fn circumstances_of_machines_and_of_mfa_that_was_not_used() {
    let put = |operator: &str, key: &str, value: &str| {
        one(when(allow(&["iam:PutRolePolicy"], &[&role_arn("t")]), operator, key, value))
    };
    let function = format!("arn:aws:lambda:*:{ACCOUNT}:function:*");
    check("in a function", put("ArnLike", "lambda:SourceFunctionArn", &function), &["IAM201:high"], &[]);
    check("by IMDSv2", put("NumericEquals", "ec2:RoleDelivery", "2.0"), &["IAM201:high"], &[]);
    check("told at all", put("Null", "aws:MultiFactorAuthPresent", "false"), &["IAM201:critical"], &[]);
    let old = when(deny(&["*"], &["*"]), "NumericGreaterThan", "aws:MultiFactorAuthAge", "3600");
    let rights = allow(&["iam:PutRolePolicy"], &[&role_arn("t")]);
    check("no old MFA without any", one(vec![rights, old].into()), &["IAM201:critical"], &[]);
}

#[test]
fn a_way_under_a_condition_is_told_and_lower() {
    for (operator, key, value, severity) in circumstances() {
        let under = |actions: &[&str], on: &str| when(allow(actions, &[on]), operator, key, value.clone());
        let is = |rule: &str| format!("{rule}:{severity}");
        let itself = World::of([of_people().can(under(&["iam:PutRolePolicy"], &role_arn("t")))]);
        check(key, itself, &[&is("IAM201")], &[]);
        let assumes = of_people().can(under(&["sts:AssumeRole"], &role_arn("adm")));
        check(key, World::of([assumes, adm(own_root())]), &[&is("IAM208")], &[]);
        let keys = World::of([of_people().can(under(&["iam:CreateAccessKey"], &user_arn("boss")))]);
        check(key, keys.user(user("boss", &[everything()])), &[&is("IAM202"), &is("IAM208")], &[]);
        let run = allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]);
        let passes = of_people().can(vec![under(&["iam:PassRole"], &role_arn("adm")), run]);
        check(key, World::of([passes, admin_of("lambda")]), &[&is("IAM203"), &is("IAM208")], &[]);
        let plain = of_people().can(allow(&["sts:AssumeRole"], &[&role_arn("adm")]));
        let asks = when(own_root(), operator, key, value.clone());
        check(key, World::of([plain, adm(asks)]), &[&is("IAM208")], &[]);
    }
}

#[test]
fn the_condition_is_in_the_evidence() {
    let asks = when(own_root(), "IpAddress", "aws:SourceIp", "203.0.113.0/24");
    let world = World::of([of_people().can(allow(&["sts:AssumeRole"], &[&role_arn("adm")])), adm(asks)]);
    let audit = world.audit();
    let found = audit.findings.iter().find(|f| f.rule == "IAM208").expect("a way");
    assert_eq!(found.title, "The role can become an administrator, while a condition holds");
    assert_eq!(found.evidence[0], "REACHABLE while a condition holds: the role assumes adm");
    assert!(
        found.evidence[1].contains("adm: trust policy, statement 1 if IpAddress"),
        "{:?}",
        found.evidence
    );
}

#[test]
fn who_denies_unless_at_the_moment_only_postpones() {
    let unless = |operator: &str, key: &str, value: &str| {
        let deny = when(deny(&["*"], &["*"]), operator, key, value);
        World::of([of_people().can(vec![allow(&["iam:PutRolePolicy"], &[&role_arn("t")]), deny])])
    };
    check("address", unless("NotIpAddress", "aws:SourceIp", "203.0.113.0/24"), &["IAM201:high"], &[]);
    let mfa = unless("BoolIfExists", "aws:MultiFactorAuthPresent", "false");
    check("mfa", mfa, &["IAM201:medium"], &[]);
    check("tag", unless("StringNotEquals", "aws:PrincipalTag/x", "y"), &[], &["IAM201"]);
}

#[test]
fn machines_have_no_mfa_and_administrators_are_told_once() {
    let mfa = |statement: Value| when(statement, "Bool", "aws:MultiFactorAuthPresent", "true");
    let own = mfa(allow(&["iam:PutRolePolicy"], &[&role_arn("t")]));
    check("a machine", World::of([t().can(own)]), &[], &["IAM201"]);
    let assume = allow(&["sts:AssumeRole"], &[&role_arn("adm")]);
    let machine = World::of([t().can(assume), adm(mfa(own_root()))]);
    check("a machine and a trust that asks for it", machine, &[], &["IAM208"]);
    let admin = World::of([of_people().can(mfa(everything()))]);
    check("an administrator with MFA", admin, &["IAM104:medium", "IAM201:medium"], &["IAM103", "IAM208"]);
}

#[test]
fn users_wait_too() {
    let assume = allow(&["sts:AssumeRole"], &[&role_arn("adm")]);
    for (operator, key, value, severity) in circumstances() {
        let asks = when(own_root(), operator, key, value);
        let world = World::of([adm(asks)]).user(user("u", std::slice::from_ref(&assume)));
        let audit = world.audit();
        let found = audit.findings.iter().find(|f| f.rule == "IAM211").expect(key);
        assert_eq!((found.severity.word(), found.resource.as_str()), (severity, &*user_arn("u")), "{key}");
    }
}

#[test]
fn what_only_cloudformation_may_call_needs_cloudformation() {
    let through = when(
        allow(&["iam:PutRolePolicy"], &[&role_arn("t")]),
        "ForAnyValue:StringEquals",
        "aws:CalledVia",
        "cloudformation.amazonaws.com",
    );
    let alone = World::of([of_people().can(through.clone())]);
    check("alone", alone, &[], &["IAM201"]);
    let stacks = allow(&["cloudformation:CreateStack"], &["*"]);
    check("with it", World::of([of_people().can(vec![through, stacks])]), &["IAM201:high"], &[]);
}

/// IAM is asked in one region.
#[test]
fn the_region_of_iam_is_known() {
    let region = |statement: Value, operator: &str, value: &str| {
        when(statement, operator, "aws:RequestedRegion", value)
    };
    let put = || allow(&["iam:PutRolePolicy"], &[&role_arn("t")]);
    let there = one(region(put(), "StringEquals", "us-east-1"));
    check("there", there, &["IAM201:critical"], &[]);
    check("elsewhere", one(region(put(), "StringEquals", "eu-west-1")), &[], &["IAM201"]);
    let denied = |spared: &str| {
        let unless = region(deny(&["*"], &["*"]), "StringNotEquals", spared);
        World::of([t().can(vec![put(), unless])])
    };
    check("denied but elsewhere", denied("eu-west-1"), &[], &["IAM201"]);
    check("denied but there", denied("us-east-1"), &["IAM201:critical"], &[]);
    let all = one(region(everything(), "StringEquals", "eu-west-1"));
    check("all of a region", all, &[], &["IAM201", "IAM202", "IAM203"]);
}

#[test]
fn a_condition_on_the_boundary_is_about_whom_the_call_changes() {
    let wide = || customer_policy("wide", everything());
    let own = |on: &str| {
        when(
            allow(&["iam:AttachRolePolicy"], &[on]),
            "StringEquals",
            "iam:PermissionsBoundary",
            policy_arn("wide"),
        )
    };
    for on in [role_arn("t"), role_arn("*")] {
        check(&on, one(own(&on)).policy(wide()), &[], &["IAM201"]);
        let bounded = World::of([t().can(own(&on)).boundary(&policy_arn("wide"))]).policy(wide());
        check(&on, bounded, &["IAM201:critical"], &[]);
    }
}

#[test]
fn another_version_that_gives_no_more_is_none() {
    let chooses = |old: Value, new: Value| {
        let mut policy = customer_policy("own", new);
        policy["PolicyVersionList"]
            .as_array_mut()
            .unwrap()
            .push(json!({"VersionId": "v9", "IsDefaultVersion": false, "Document": document(old)}));
        let set = allow(&["iam:SetDefaultPolicyVersion"], &[&policy_arn("own")]);
        World::of([t().can(set).attach(&policy_arn("own"))]).policy(policy)
    };
    let (one, all) = (allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]), allow(&["s3:*"], &["*"]));
    let other = allow(&["s3:ListBucket"], &["arn:aws:s3:::b"]);
    check("other", chooses(other, one.clone()), &["IAM201:low"], &[]);
    check("less", chooses(one.clone(), all.clone()), &[], &["IAM201"]);
    check("more", chooses(all.clone(), one), &["IAM201:high"], &[]);
    let guarded = json!([all.clone(), deny(&["s3:PutBucketPolicy"], &["*"])]);
    check("without its Deny", chooses(all, guarded), &["IAM201:high"], &[]);
}

#[test]
fn roles_have_no_name_of_a_user_so_that_the_default_stands() {
    let put = |name: &str| one(allow(&["iam:PutRolePolicy"], &[&role_arn(name)]));
    check("its own", put("${aws:username, 't'}"), &["IAM201:critical"], &[]);
    check("another", put("${aws:username, 'u'}"), &[], &["IAM201"]);
    check("none", put("${aws:username}"), &[], &["IAM201"]);
}

#[test]
fn a_service_does_not_meet_every_condition() {
    let with = |operator: &str, key: &str, value: &str| {
        let trust = when(trust(json!({"Service": "lambda.amazonaws.com"})), operator, key, value);
        let run = allow(&["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]);
        World::of([of_people().can(run), adm(trust)])
    };
    for (operator, key, value) in [
        ("StringEquals", "aws:SourceAccount", ACCOUNT),
        ("ArnLike", "aws:SourceArn", "arn:aws:lambda:*:111122223333:function:*"),
        ("ArnLike", "aws:SourceArn", "arn:aws:lambda:*:*:function:f"),
    ] {
        check(value, with(operator, key, value), &["IAM203:critical", "IAM208"], &[]);
    }
    for (operator, key, value) in [
        ("StringEquals", "aws:SourceAccount", "444455556666"),
        ("ArnLike", "aws:SourceArn", "arn:aws:lambda:*:444455556666:function:*"),
        ("StringEquals", "sts:ExternalId", "secret"),
        ("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/x"),
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24"),
    ] {
        check(key, with(operator, key, value), &["IAM203:high"], &["IAM208"]);
    }
}

#[test]
fn explain_knows_the_trust_of_the_role_that_is_assumed() {
    let asked = |own: Option<Value>, trust: Value| {
        let caller = own.into_iter().fold(of_people(), |role, statement| role.can(statement));
        let account = World::of([caller, adm(trust)]).account();
        let on = role_arn("adm");
        let told = explain::explain(&account, "t", "sts:AssumeRole", Some(&on), now()).expect("the role");
        (told.decision, told.lines.last().cloned().unwrap_or_default())
    };
    let assume = || Some(allow(&["sts:AssumeRole"], &[&role_arn("adm")]));
    assert_eq!(asked(assume(), own_root()).0, Decision::Allowed);
    let office = when(own_root(), "IpAddress", "aws:SourceIp", "203.0.113.0/24");
    let (decision, line) = asked(assume(), office);
    assert_eq!(decision, Decision::Conditional);
    assert_eq!(
        line,
        "adm, trust policy, statement 1: lets it in if IpAddress aws:SourceIp = 203.0.113.0/24 (strong condition)"
    );
    let (decision, line) = asked(assume(), trust(json!({"Service": "lambda.amazonaws.com"})));
    assert_eq!((decision, &*line), (Decision::NotAllowed, "adm: its trust policy does not let it in"));
    assert_eq!(asked(None, trust(json!({"AWS": role_arn("t")}))).0, Decision::Allowed);
    assert_eq!(asked(None, own_root()).0, Decision::NotAllowed);
}

/// A Deny without MFA on some names leaves the others to everybody.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-multifactorauthpresent>
#[test]
fn what_is_denied_without_mfa_on_some_names_only() {
    let no_mfa = |deny: Value| when(deny, "BoolIfExists", "aws:MultiFactorAuthPresent", "false");
    let but = |actions: &[&str], spared: &str| {
        no_mfa(json!({"Effect": "Deny", "Action": actions, "NotResource": spared}))
    };
    let assume = || allow(&["sts:AssumeRole"], &["*"]);
    let to = |name: &str, fence: Value| {
        let adm = role(name).can(everything()).trusts(trust_own_account());
        World::of([t().can(vec![assume(), fence]), adm])
    };
    let fence = || no_mfa(deny(&["sts:AssumeRole"], &[&role_arn("prod-*")]));
    check("others", to("dev-adm", fence()), &["IAM208:critical"], &[]);
    check("those", to("prod-adm", fence()), &[], &["IAM208:critical"]);
    let spares = || but(&["sts:AssumeRole"], &role_arn("dev-*"));
    check("what is spared", to("dev-adm", spares()), &["IAM208:critical"], &[]);
    check("what is not", to("prod-adm", spares()), &[], &["IAM208:critical"]);

    let function = |name: &str| format!("arn:aws:lambda:*:{ACCOUNT}:function:{name}");
    let both = ["lambda:CreateFunction", "lambda:InvokeFunction"];
    let passes = |on: &str, fence: Value| {
        let pass = allow(&["iam:PassRole"], &[&role_arn("adm")]);
        World::of([t().can(vec![pass, allow(&both, &[on]), fence]), admin_of("lambda")])
    };
    let up = &["IAM203:critical", "IAM208:critical"];
    let fence = || no_mfa(deny(&both, &[&function("prod-*")]));
    check("other functions", passes("*", fence()), up, &[]);
    check("those functions", passes(&function("prod-*"), fence()), &[], up);
    let pass = allow(&["iam:PassRole"], &[&role_arn("adm")]);
    let own = vec![pass, allow(&both, &[&function("prod-*")]), fence()];
    let people = World::of([of_people().can(own), admin_of("lambda")]);
    check("those with MFA", people, &["IAM203:medium", "IAM208:medium"], &[]);
    check("functions that are spared", passes("*", but(&both, &function("dev-*"))), up, &[]);
    check("and no others", passes(&function("prod-*"), but(&both, &function("dev-*"))), &[], up);

    let writes = |fence: Value| one(vec![allow(&["iam:PutRolePolicy"], &["*"]), fence].into());
    let put = ["iam:PutRolePolicy"];
    check("oneself", writes(no_mfa(deny(&put, &[&role_arn("prod-*")]))), &["IAM201:critical"], &[]);
    check("oneself spared", writes(but(&put, &role_arn("t"))), &["IAM201:critical"], &[]);
    check("others spared", writes(but(&put, &role_arn("dev-*"))), &[], &["IAM201:critical"]);
    let exists = |fence: Value| one(vec![allow(&["lambda:UpdateFunctionCode"], &["*"]), fence].into());
    let code = ["lambda:UpdateFunctionCode"];
    check("code", exists(no_mfa(deny(&code, &[&function("prod-*")]))), &["IAM204:medium"], &[]);
}
