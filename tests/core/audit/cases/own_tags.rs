//! Tags of one's own that one sets, or takes off, before one calls.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_iam-tags.html>

use super::*;

const TARGET: &str = "aws:ResourceTag/team";
const OWN: &str = "aws:PrincipalTag/team";
const UP: &[&str] = &["IAM201:critical", "IAM202:critical", "IAM208"];

fn same_team(statement: Value) -> Value {
    when(statement, "StringEquals", TARGET, "${aws:PrincipalTag/team}")
}

fn tags(on: &str) -> Value {
    allow(&["iam:TagRole"], &[&role_arn(on)])
}

/// A user who is an administrator, of the team `ops`.
fn boss() -> Value {
    let mut boss = user("boss", &[everything()]);
    boss["Tags"] = json!([{"Key": "team", "Value": "ops"}]);
    boss
}

fn by_key(tagging: Value) -> World {
    let keys = same_team(allow(&["iam:CreateAccessKey"], &["*"]));
    World::of([t().tag("team", "web").can(vec![keys, tagging])]).user(boss())
}

/// `${aws:PrincipalTag/…}` is the tag at the time of the call.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/tutorial_attribute-based-access-control.html>
#[test]
fn the_team_of_the_target_is_taken_first() {
    check("its own", by_key(tags("t")), &["IAM208:critical"], &[]);
    check("any", by_key(tags("*")), &["IAM208:critical"], &[]);
    check("another's", by_key(tags("low")), &[], UP);
    check("of users", by_key(allow(&["iam:TagUser"], &[&user_arn("t")])), &[], UP);
    let to = |value: &str| when(tags("t"), "StringEquals", "aws:RequestTag/team", value);
    check("to that value", by_key(to("ops")), &["IAM208:critical"], &[]);
    check("to another", by_key(to("dev")), &[], UP);
    let key = |tag: &str| when(tags("t"), "ForAllValues:StringEquals", "aws:TagKeys", tag);
    check("another tag", by_key(key("cost")), &[], UP);
    let audit = by_key(tags("t")).audit();
    let way = audit.findings.iter().find(|f| f.rule == "IAM208").expect("the way");
    let told = format!("calls iam:TagRole of team = ops on {}", role_arn("t"));
    assert!(way.evidence[0].contains(&told), "{:?}", way.evidence);

    let adm = || role("adm").trusts(trust_own_account()).tag("team", "ops").can(everything());
    let assumes = || same_team(allow(&["sts:AssumeRole"], &["*"]));
    let roles = |more: Value| World::of([t().can(vec![assumes(), more]), adm()]);
    check("to assume", roles(tags("t")), &["IAM208:critical"], &[]);
    check("not to assume", roles(tags("low")), &[], UP);
}

#[test]
fn a_user_takes_the_team_of_the_target_too() {
    let world = |on: &str| {
        let adm = role("adm").trusts(trust_own_account()).tag("team", "ops").can(everything());
        let rights =
            [same_team(allow(&["sts:AssumeRole"], &["*"])), allow(&["iam:TagUser"], &[&user_arn(on)])];
        World::of([adm]).user(user("bilbo", &rights)).audit()
    };
    let is_told =
        |audit: Audit| audit.findings.iter().any(|f| f.rule == "IAM211" && f.resource == user_arn("bilbo"));
    assert!(is_told(world("bilbo")));
    assert!(!is_told(world("frodo")));
}

#[test]
fn a_resource_that_is_named_by_ones_own_tag() {
    let by_name = |pattern: &str, more: Value| {
        let rewrites = allow(&["iam:UpdateAssumeRolePolicy"], &[&role_arn(pattern)]);
        World::of([t().can(vec![rewrites, more]), admin_of("lambda"), low()])
    };
    for pattern in ["${aws:PrincipalTag/x}", "${aws:principaltag/x}*", "a${aws:PrincipalTag/x}"] {
        check(pattern, by_name(pattern, tags("t")), &["IAM208:critical"], &[]);
        check(pattern, by_name(pattern, tags("low")), &[], UP);
    }
    check("of no such name", by_name("app-${aws:PrincipalTag/x}", tags("t")), &[], UP);
}

#[test]
fn a_deny_by_ones_own_tag_is_avoided_by_another() {
    let world = |condition: (&str, &str, &str), action: &str| {
        let (operator, key, value) = condition;
        let fence = when(deny(&["iam:PutRolePolicy"], &["*"]), operator, key, value);
        let writes = allow(&["iam:PutRolePolicy", action], &[&role_arn("t")]);
        World::of([t().tag("locked", "1").can(vec![writes, fence])])
    };
    let locked = ("StringEquals", "aws:PrincipalTag/locked", "1");
    let unless = ("StringNotEquals", "aws:PrincipalTag/approved", "yes");
    let absent = ("Null", "aws:PrincipalTag/approved", "true");
    for (condition, action, is_way) in [
        (locked, "iam:TagRole", true),
        (locked, "iam:UntagRole", true),
        (locked, "iam:UntagUser", false),
        (unless, "iam:TagRole", true),
        (unless, "iam:UntagRole", false),
        (absent, "iam:TagRole", true),
        (absent, "iam:UntagRole", false),
    ] {
        let name = format!("{condition:?} {action}");
        match is_way {
            true => check(&name, world(condition, action), &["IAM202:critical"], &[]),
            false => check(&name, world(condition, action), &[], UP),
        }
    }
}

#[test]
fn an_allow_while_a_tag_is_not_there() {
    let world = |operator: &str, value: &str, action: &str| {
        let writes = when(allow(&["iam:PutRolePolicy"], &[&role_arn("t")]), operator, OWN, value);
        World::of([t().tag("team", "web").can(vec![writes, allow(&[action], &[&role_arn("t")])])])
    };
    check("taken off", world("Null", "true", "iam:UntagRole"), &["IAM202:critical"], &[]);
    check("not taken off", world("Null", "true", "iam:TagRole"), &[], UP);
    check("off, so another", world("StringNotEquals", "web", "iam:UntagRole"), &["IAM202:critical"], &[]);
    check("of another", world("StringNotEquals", "web", "iam:UntagUser"), &[], UP);
}

#[test]
fn a_trust_that_keeps_out_who_carries_a_tag() {
    let world = |action: &str| {
        let root = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
        let mut keeps = when(trust(json!({"AWS": "*"})), "StringEquals", "aws:PrincipalTag/locked", "1");
        keeps["Effect"] = json!("Deny");
        let own = vec![allow(&["sts:AssumeRole"], &[&role_arn("adm")]), allow(&[action], &[&role_arn("t")])];
        let adm = role("adm").trusts(document(vec![root, keeps])).can(everything());
        World::of([t().tag("locked", "1").can(own), adm])
    };
    check("taken off", world("iam:UntagRole"), &["IAM208:critical"], &[]);
    check("not taken off", world("iam:UntagUser"), &[], UP);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>
#[test]
fn a_session_takes_the_team_of_the_target() {
    let world = |own: &[&str], mid: Value| {
        let both = json!({"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}});
        let mid = role("mid").trusts(document(both)).tag("team", "web").can(mid);
        World::of([t().can(allow(own, &[&role_arn("mid")])), mid, admin_of("lambda")]).user(boss())
    };
    let keys = || same_team(allow(&["iam:CreateAccessKey"], &["*"]));
    let named = || allow(&["iam:UpdateAssumeRolePolicy"], &[&role_arn("${aws:PrincipalTag/x}")]);
    for mid in [keys(), named()] {
        check(
            "may tag",
            world(&["sts:AssumeRole", "sts:TagSession"], mid.clone()),
            &["IAM208:critical"],
            &[],
        );
        check("may not", world(&["sts:AssumeRole"], mid), &[], UP);
    }
}

#[test]
fn what_a_boundary_gives_by_a_tag_a_session_has() {
    let world = |own: &[&str]| {
        let both = json!({"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}});
        let mid = role("mid").trusts(document(both)).can(everything()).boundary(&policy_arn("edge"));
        let by_tag = when(allow(&["iam:*"], &["*"]), "StringEquals", OWN, "ops");
        let edge = customer_policy("edge", vec![allow(&["s3:*"], &["*"]), by_tag]);
        World::of([t().can(allow(own, &[&role_arn("mid")])), mid]).policy(edge)
    };
    check("may tag", world(&["sts:AssumeRole", "sts:TagSession"]), &["IAM208:critical"], &[]);
    check("may not", world(&["sts:AssumeRole"]), &[], UP);
}

/// Who holds the same as another would with other tags reaches only what is there with the tags that it has.
#[test]
fn what_is_tried_with_other_tags_is_not_told_of_others() {
    let rights = || {
        let tags = same_team(allow(&["iam:TagRole"], &[&role_arn("a")]));
        vec![tags, same_team(allow(&["iam:UpdateAssumeRolePolicy"], &["*"]))]
    };
    let world = |team: &str| {
        let first = role("a").trusts(trust_service("ec2.amazonaws.com")).tag("team", team).can(rights());
        let adm = role("adm").trusts(document(trust(json!({"AWS": role_arn("a")})))).can(everything());
        World::of([first, t().tag("team", "ops").can(rights()), adm])
    };
    check("of its team", world("ops"), &["IAM208:critical"], &[]);
    check("of another", world("web"), &[], UP);
}
