//! `explain`, where another policy than the caller's own has a say: trust policies, and those of resources.

use opsctl::audit::account::Account;
use opsctl::audit::explain::{explain, is_resource};
use opsctl::audit::surroundings::Surroundings;
use opsctl_iam::decide::Decision::{self, *};
use serde_json::{Value, json};

use super::world::*;

const ASSUME: &str = "sts:AssumeRole";

fn asked(world: &World, action: &str, on: &str) -> Decision {
    explain(&world.account(), "t", action, Some(on), now()).expect("the role").decision
}

fn admin(trust: impl Into<Value>) -> RoleMaker {
    role("adm").aws("AdministratorAccess").trusts(document(trust))
}

fn root() -> Value {
    trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}))
}

/// What `explain` says of becoming a role, and whether a finding says so, too.
#[track_caller]
fn enters(who: RoleMaker, trust: impl Into<Value>, expected: Decision) {
    let world = World::of([who, admin(trust)])
        .policy(customer_policy("edge", allow(&["ec2:*"], &["*"])))
        .policy(customer_policy("wall", vec![allow(&["ec2:*"], &["*"]), deny(&["sts:*"], &["*"])]));
    let text = String::from_utf8(world.json()).expect("text");
    assert_eq!(asked(&world, ASSUME, &role_arn("adm")), expected, "{text}");
    let found = rules_on(&world.audit(), "t").contains(&"IAM208");
    assert!(expected != Allowed || found, "allowed, and not found: {text}");
    assert!(!matches!(expected, NotAllowed | DeniedExplicitly | OutsideBoundary) || !found, "found: {text}");
}

fn may() -> RoleMaker {
    role("t").can(allow(&[ASSUME], &["*"]))
}

fn reads() -> RoleMaker {
    role("t").can(allow(&["ec2:Describe*"], &["*"]))
}

#[test]
fn whom_a_trust_policy_denies_it_does_not_let_in() {
    let me = || json!({"AWS": role_arn("t")});
    let no = |principal: Value| json!({"Effect": "Deny", "Principal": principal, "Action": ASSUME});
    let is = |operator: &str| when(no("*".into()), operator, "aws:PrincipalArn", role_arn("t"));
    enters(may(), root(), Allowed);
    enters(may(), vec![root(), no(me())], NotAllowed);
    enters(may(), vec![trust("*".into()), no(me())], NotAllowed);
    enters(may(), vec![root(), is("ArnEquals")], NotAllowed);
    enters(may(), vec![root(), is("ArnNotEquals")], Allowed);
    enters(reads(), vec![trust(me()), no(me())], NotAllowed);
    enters(may(), vec![root(), no(json!({"AWS": role_arn("other")}))], Allowed);
}

#[test]
fn whom_a_trust_policy_denies_under_a_condition_it_lets_in_without() {
    let me = || json!({"AWS": role_arn("t")});
    let no = |principal: Value| json!({"Effect": "Deny", "Principal": principal, "Action": ASSUME});
    let account = || json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")});
    enters(reads(), vec![trust("*".into()), no(account())], NotAllowed);
    enters(reads(), vec![trust("*".into()), no(json!({"AWS": "444455556666"}))], Allowed);
    let two = || json!({"AWS": [role_arn("t"), role_arn("other")]});
    for allowing in [trust(me()), root(), trust(two()), trust("*".into())] {
        let kept = |denied: Value, operator: &str, key: &str, value: &str, role: RoleMaker, is: Decision| {
            enters(role, vec![allowing.clone(), when(no(denied), operator, key, value)], is);
        };
        for denied in [me(), two()] {
            kept(denied.clone(), "StringNotEquals", "aws:PrincipalType", "User", may(), NotAllowed);
            kept(denied.clone(), "StringNotEquals", "aws:PrincipalType", "AssumedRole", may(), Allowed);
            kept(denied.clone(), "ArnLike", "aws:PrincipalArn", &role_arn("*"), may(), NotAllowed);
            kept(denied.clone(), "StringNotEquals", "aws:PrincipalTag/a", "b", may(), NotAllowed);
            kept(denied.clone(), "StringNotEquals", "aws:PrincipalTag/a", "b", may().tag("a", "b"), Allowed);
            kept(denied.clone(), "StringEquals", "aws:PrincipalTag/a", "b", may().tag("a", "b"), NotAllowed);
            kept(denied.clone(), "NotIpAddress", "aws:SourceIp", "203.0.113.0/24", may(), Conditional);
            kept(denied, "BoolIfExists", "aws:MultiFactorAuthPresent", "false", may(), Conditional);
        }
        let other = json!({"AWS": role_arn("other")});
        kept(other, "StringNotEquals", "aws:PrincipalType", "User", may(), Allowed);
    }
}

#[test]
fn a_tag_that_one_gives_others_is_not_ones_own() {
    let named = || trust(json!({"AWS": role_arn("t")}));
    let unless = || when(deny(&[ASSUME], &["*"]), "StringNotEquals", "aws:PrincipalTag/none", "x");
    let tags = |action: &str, on: &str| {
        role("t").can(vec![allow(&[ASSUME], &["*"]), allow(&[action], &[on]), unless()])
    };
    enters(tags("iam:TagRole", &role_arn("adm")), named(), DeniedExplicitly);
    enters(tags("iam:TagUser", "*"), named(), DeniedExplicitly);
    enters(tags("iam:TagRole", &role_arn("t")), named(), Conditional);
    enters(tags("iam:TagRole", &role_arn("*")), named(), Conditional);
}

#[test]
fn a_boundary_limits_a_role_that_is_named_and_no_session() {
    let named = || trust(json!({"AWS": role_arn("t")}));
    let session = || trust(json!({"AWS": format!("arn:aws:sts::{ACCOUNT}:assumed-role/t/s")}));
    enters(reads(), named(), Allowed);
    enters(reads(), session(), Allowed);
    enters(role("t").path("/a/").can(allow(&["ec2:*"], &["*"])), session(), Allowed);
    enters(reads().boundary(&policy_arn("edge")), named(), OutsideBoundary);
    enters(reads().boundary(&policy_arn("wall")), session(), DeniedExplicitly);
    enters(role("t").can(deny(&["sts:*"], &["*"])), session(), DeniedExplicitly);
    let other = trust(json!({"AWS": format!("arn:aws:sts::{ACCOUNT}:assumed-role/other/s")}));
    enters(reads(), other, NotAllowed);
    // Whether a finding says so is of the graph.
    let world = |trust: Value| {
        World::of([reads().boundary(&policy_arn("edge")), admin(trust)])
            .policy(customer_policy("edge", allow(&["ec2:*"], &["*"])))
    };
    assert_eq!(asked(&world(session()), ASSUME, &role_arn("adm")), Allowed);
    let mut ana = user("ana", &[]);
    ana["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": policy_arn("edge")});
    let account = World::of([admin(trust(json!({"AWS": user_arn("ana")})))])
        .policy(customer_policy("edge", allow(&["ec2:*"], &["*"])))
        .user(ana)
        .account();
    let answer = explain(&account, "ana", ASSUME, Some(&role_arn("adm")), now()).expect("the user");
    assert_eq!(answer.decision, Allowed, "a user who is named: {:?}", answer.lines);
}

#[test]
fn a_boundary_is_read_whatever_the_order_of_its_statements() {
    let unless =
        |actions: &[&str]| when(deny(actions, &["*"]), "NotIpAddress", "aws:SourceIp", "203.0.113.0/24");
    let all = || allow(&["*"], &["*"]);
    let of = |statements: Vec<Value>, action: &str, on: &str| {
        let world = |statements: Vec<Value>| {
            World::of([role("t").can(all()).boundary(&policy_arn("edge"))])
                .policy(customer_policy("edge", statements))
        };
        let decide = |statements: Vec<Value>| {
            let world = world(statements);
            (asked(&world, action, on), rules_on(&world.audit(), "t"))
        };
        let backwards: Vec<Value> = statements.iter().rev().cloned().collect();
        let (one, other) = (decide(statements), decide(backwards));
        assert_eq!(one, other, "{action}");
        one.0
    };
    let object = "arn:aws:s3:::b/k";
    assert_eq!(of(vec![unless(&["s3:*"]), all()], "s3:GetObject", object), Conditional);
    assert_eq!(of(vec![unless(&["iam:*"]), all()], "iam:PutRolePolicy", &role_arn("t")), Conditional);
    assert_eq!(of(vec![unless(&["iam:*"]), all()], "s3:GetObject", object), Allowed);
    // A Deny that may not hold allows nothing.
    let few = || vec![allow(&["ec2:*"], &["*"]), unless(&["s3:*"])];
    assert_eq!(of(few(), "s3:GetObject", object), OutsideBoundary);
    assert_eq!(of(few(), "iam:PutRolePolicy", &role_arn("t")), OutsideBoundary);
    // Nor does it let in whom a trust policy names itself, for sure.
    let mut ana = user("ana", &[]);
    ana["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": policy_arn("edge")});
    let account = World::of([admin(trust(json!({"AWS": user_arn("ana")})))])
        .policy(customer_policy("edge", vec![allow(&["ec2:*"], &["*"]), unless(&["sts:*"])]))
        .user(ana)
        .account();
    let answer = explain(&account, "ana", ASSUME, Some(&role_arn("adm")), now()).expect("the user");
    assert_eq!(answer.decision, Conditional, "{:?}", answer.lines);
}

#[test]
fn conditions_on_who_comes_are_decided() {
    let if_arn = |operator: &str, arn: &str| when(trust("*".into()), operator, "aws:PrincipalArn", arn);
    enters(reads(), if_arn("ArnEquals", &role_arn("t")), Allowed);
    enters(may(), if_arn("ArnEquals", &role_arn("other")), NotAllowed);
    enters(may(), when(root(), "ArnLike", "aws:PrincipalArn", role_arn("t*")), Allowed);
    enters(may(), when(root(), "ArnLike", "aws:PrincipalArn", role_arn("app-*")), NotAllowed);
    let by_tag = |value: &str| when(root(), "StringEquals", "aws:PrincipalTag/team", value);
    enters(may().tag("team", "x"), by_tag("x"), Allowed);
    enters(may().tag("team", "x"), by_tag("y"), NotAllowed);
    enters(may(), by_tag("x"), NotAllowed);
    let same = || when(root(), "StringEquals", "aws:ResourceTag/team", "x");
    let world = |role: RoleMaker| World::of([may(), role]);
    let tagged = admin(same()).tag("team", "x");
    assert_eq!(asked(&world(tagged), ASSUME, &role_arn("adm")), Allowed);
    assert_eq!(asked(&world(admin(same())), ASSUME, &role_arn("adm")), NotAllowed);
    enters(may(), when(root(), "Bool", "aws:MultiFactorAuthPresent", "true"), Conditional);
    // Everybody is whoever asks, whatever its own policies say.
    let anyone = World::of([reads(), admin(trust("*".into()))]);
    assert_eq!(asked(&anyone, ASSUME, &role_arn("adm")), Allowed);
}

#[test]
fn what_a_trust_policy_asks_to_be_said_has_to_be_allowed() {
    for (says, key) in
        [("sts:TagSession", "aws:RequestTag/team"), ("sts:SetSourceIdentity", "sts:SourceIdentity")]
    {
        let mut asks = when(root(), "StringEquals", key, "ops");
        asks["Action"] = json!([ASSUME, says]);
        enters(may(), asks.clone(), NotAllowed);
        enters(role("t").can(allow(&[ASSUME, says], &["*"])), asks, Allowed);
    }
}

#[test]
fn the_tags_of_what_is_acted_upon_are_known() {
    let rewrite = when(allow(&["iam:PutRolePolicy"], &["*"]), "StringEquals", "aws:ResourceTag/team", "x");
    let world = World::of([
        role("t").can(rewrite).tag("team", "x"),
        role("mine").tag("team", "x"),
        role("theirs").tag("team", "y"),
    ]);
    for (name, expected) in [("t", Allowed), ("mine", Allowed), ("theirs", NotAllowed), ("gone", Conditional)]
    {
        assert_eq!(asked(&world, "iam:PutRolePolicy", &role_arn(name)), expected, "{name}");
    }
}

fn around(world: &World, policies: Value) -> Account {
    let mut account = world.account();
    account.surround(Surroundings::from_value(json!({"ResourcePolicies": policies})).expect("policies"));
    account
}

#[test]
fn the_policy_of_a_resource_has_its_say() {
    let key = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/1");
    let decide = |world: &World, on: &str, statements: Value, who: &str, action: &str, asked: &str| {
        let account = around(world, json!({on: document(statements)}));
        explain(&account, who, action, Some(asked), now()).expect("somebody").decision
    };
    let all = World::of([role("t").can(allow(&["kms:*", "s3:*"], &["*"]))]);
    let opens = |principal: Value| {
        json!({"Effect": "Allow", "Principal": principal, "Action": "kms:*",
        "Resource": "*"})
    };
    let on_key = |statements: Value| decide(&all, &key, statements, "t", "kms:Decrypt", &key);
    let account = || json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")});
    assert_eq!(on_key(opens(account())), Allowed);
    assert_eq!(on_key(opens(json!({"AWS": ACCOUNT}))), Allowed);
    assert_eq!(on_key(opens(json!({"AWS": role_arn("x")}))), NotAllowed);
    assert_eq!(on_key(opens(json!({"AWS": role_arn("t")}))), Allowed);
    let through = when(opens(account()), "StringEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com");
    assert_eq!(on_key(through), Conditional);
    let bucket = "arn:aws:s3:::shared";
    let object = format!("{bucket}/k");
    let spares = |who: &[String]| {
        json!({"Effect": "Deny", "NotPrincipal": {"AWS": who}, "Action": "s3:*",
        "Resource": [bucket, format!("{bucket}/*")]})
    };
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let get = |statement: Value| decide(&all, bucket, statement, "t", "s3:GetObject", &object);
    assert_eq!(get(spares(&[root.clone(), user_arn("u")])), DeniedExplicitly);
    assert_eq!(get(spares(&[root, role_arn("t")])), Allowed);
    let mut ana = user("ana", &[]);
    ana["PermissionsBoundary"] =
        json!({"PermissionsBoundaryArn": "arn:aws:iam::aws:policy/AmazonEC2FullAccess"});
    let world = World::of([role("t")]).user(ana);
    let lets = json!({"Effect": "Allow", "Principal": {"AWS": user_arn("ana")}, "Action": "s3:GetObject",
        "Resource": format!("{bucket}/*")});
    assert_eq!(decide(&world, bucket, lets, "ana", "s3:GetObject", &object), Allowed);
}

#[test]
fn what_is_no_arn_is_no_resource() {
    for known in ["*", "arn:aws:s3:::b/k", "arn:aws:s3:::b/*", "arn:aws:iam::111122223333:role/a"] {
        assert!(is_resource(known), "{known}");
    }
    for other in ["", "b/k", "my-bucket", "arn:aws:s3", "arn:aws:s3:::", "role/a", "arn:aws:::x:y"] {
        assert!(!is_resource(other), "{other}");
    }
}
