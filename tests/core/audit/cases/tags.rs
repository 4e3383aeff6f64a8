//! Tags that one may set: which, and to what, decides.

use super::*;

const PATHS: &[&str] = &["IAM202:critical", "IAM208"];

/// An administrator who lets in whoever carries `team = ops`.
fn asking() -> RoleMaker {
    let root = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
    role("adm").can(everything()).trusts(document(when(root, "StringEquals", "aws:PrincipalTag/team", "ops")))
}

fn tags_itself(more: Vec<Value>) -> World {
    let assumes = allow(&["sts:AssumeRole"], &[&role_arn("adm")]);
    World::of([t().can([vec![assumes], more].concat()), asking()])
}

fn sets() -> Value {
    allow(&["iam:TagRole"], &[&role_arn("t")])
}

#[test]
fn ones_own_tags_decide_what_one_may_do_to_oneself() {
    let put = |on: &str, value: &str| {
        when(allow(&["iam:PutRolePolicy"], &[on]), "StringEquals", "aws:ResourceTag/team", value)
    };
    let tagged = |statements: Vec<Value>| World::of([t().tag("team", "x").can(statements)]);
    let own = role_arn("t");
    for value in ["x", "${aws:PrincipalTag/team}"] {
        check(value, tagged(vec![put(&own, value)]), &["IAM201:critical"], &[]);
        check(value, tagged(vec![put("*", value)]), &["IAM201:critical"], &[]);
    }
    check("another's", tagged(vec![put(&own, "y")]), &[], &["IAM201"]);
    let tag = |on: &str| allow(&["iam:TagRole"], &[&role_arn(on)]);
    check("set first", tagged(vec![put(&own, "y"), tag("t")]), &["IAM201:critical"], &[]);
    check("not to be set", tagged(vec![put(&own, "y"), tag("low")]), &[], &["IAM201"]);
    let fence =
        |value: &str| when(deny(&["iam:*"], &["*"]), "StringNotEquals", "aws:ResourceTag/team", value);
    let plain = || allow(&["iam:PutRolePolicy"], &[&role_arn("t")]);
    check("spared", tagged(vec![plain(), fence("x")]), &["IAM201:critical"], &[]);
    check("not spared", tagged(vec![plain(), fence("y")]), &[], &["IAM201:critical"]);
}

#[test]
fn a_tag_that_is_asked_for_must_be_one_that_may_be_set() {
    let cases = [
        (sets(), true),
        (when(sets(), "ForAllValues:StringEquals", "aws:TagKeys", "cost-center"), false),
        (when(sets(), "ForAllValues:StringEquals", "aws:TagKeys", "team"), true),
        (when(sets(), "StringEquals", "aws:RequestTag/team", "a"), false),
        (when(sets(), "StringEquals", "aws:RequestTag/team", "ops"), true),
        (when(sets(), "StringEquals", "aws:RequestTag/owner", "me"), true),
    ];
    for (statement, is_way) in cases {
        let name = statement["Condition"].to_string();
        match is_way {
            true => check(&name, tags_itself(vec![statement]), &["IAM208:critical"], &[]),
            false => check(&name, tags_itself(vec![statement]), &[], PATHS),
        }
    }
    let guard =
        |tag: &str| when(deny(&["iam:TagRole"], &["*"]), "ForAnyValue:StringEquals", "aws:TagKeys", tag);
    check("guarded", tags_itself(vec![sets(), guard("team")]), &[], PATHS);
    check("another tag guarded", tags_itself(vec![sets(), guard("owner")]), &["IAM208:critical"], &[]);
    let audit = tags_itself(vec![sets()]).audit();
    let way = audit.findings.iter().find(|f| f.rule == "IAM208").expect("the way");
    assert!(way.evidence[0].contains("tags itself as asked and assumes adm"), "{:?}", way.evidence);
}

#[test]
fn a_target_is_tagged_only_as_is_allowed() {
    let with = |tagging: Value| {
        let writes = allow(&["iam:PutRolePolicy"], &["*"]);
        let writes = when(writes, "StringEquals", "iam:ResourceTag/managed", "yes");
        let assumes = allow(&["sts:AssumeRole"], &[&role_arn("low")]);
        World::of([t().can(vec![writes, assumes, tagging]), low().trusts(trust_own_account())])
    };
    let any = || allow(&["iam:TagRole"], &[&role_arn("low")]);
    check("any tag", with(any()), &["IAM202:critical"], &[]);
    let other = when(any(), "ForAllValues:StringEquals", "aws:TagKeys", "env");
    check("another tag", with(other), &[], PATHS);
    let same = when(any(), "ForAllValues:StringEquals", "aws:TagKeys", "managed");
    check("the tag", with(same.clone()), &["IAM202:critical"], &[]);
    check("another value", with(when(same, "StringEquals", "aws:RequestTag/managed", "no")), &[], PATHS);
}

#[test]
fn a_condition_on_ones_own_tag_is_met_only_by_a_tag_that_may_be_set() {
    let own = || when(everything(), "StringEquals", "aws:PrincipalTag/admin", "true");
    let with = |tagging: Value| one(vec![own(), tagging].into());
    check("any tag", with(sets()), &["IAM104", "IAM119"], &[]);
    let other = when(sets(), "ForAllValues:StringEquals", "aws:TagKeys", "env");
    check("another", with(other), &[], &["IAM104", "IAM119"]);
}

/// `t` assumes `mid`, with the right to tag the session or not; `mid` may do this, its trust lets tags in
/// under these conditions, and the administrator's trust is this.
fn through(tags: bool, limits: &[(&str, &str, Value)], mid: Value, adm: Value) -> World {
    let root = || trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
    let mut tagging = root();
    tagging["Action"] = json!("sts:TagSession");
    for (operator, key, value) in limits {
        tagging = when(tagging, operator, key, value.clone());
    }
    let own = if tags { &["sts:AssumeRole", "sts:TagSession"][..] } else { &["sts:AssumeRole"] };
    World::of([
        t().can(allow(own, &[&role_arn("mid")])),
        role("mid").trusts(document(vec![root(), tagging])).can(mid),
        role("adm").trusts(document(adm)).can(everything()),
    ])
}

#[test]
fn whoever_tags_a_session_has_what_the_tags_open() {
    let root = || trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
    let if_ops = |statement: Value| when(statement, "StringEquals", "aws:PrincipalTag/team", "ops");
    let assume = || allow(&["sts:AssumeRole"], &[&role_arn("adm")]);
    let lambda = || trust(json!({"Service": "lambda.amazonaws.com"}));
    let opened = [(assume(), if_ops(root())), (if_ops(assume()), root()), (if_ops(everything()), lambda())];
    for (mid, adm) in opened {
        check("may tag", through(true, &[], mid.clone(), adm.clone()), &["IAM208:critical"], &[]);
        check("may not", through(false, &[], mid.clone(), adm.clone()), &[], &["IAM208"]);
        let key = "aws:RequestTag/team";
        let only = |team: &str| [("StringEquals", key, json!(team))];
        check("that tag", through(true, &only("ops"), mid.clone(), adm.clone()), &["IAM208"], &[]);
        check("another value", through(true, &only("web"), mid, adm), &[], &["IAM208"]);
    }
    let world = through(true, &[], assume(), if_ops(root()));
    let audit = world.audit();
    let way =
        audit.findings.iter().find(|f| f.rule == "IAM208" && f.resource == role_arn("t")).expect("a way");
    let told = "REACHABLE: the role begins a tagged session of mid, assumes adm";
    assert_eq!(way.evidence[0], told);
}

#[test]
fn a_tag_by_which_a_deny_protects_is_taken_off() {
    let world = |more: &str| {
        let writes = allow(&["iam:PutRolePolicy", more], &[&role_arn("z")]);
        let fence =
            when(deny(&["iam:PutRolePolicy"], &["*"]), "StringEquals", "aws:ResourceTag/protected", "1");
        let assumes = allow(&["sts:AssumeRole"], &[&role_arn("z")]);
        let z = role("z").trusts(trust_own_account()).tag("protected", "1");
        World::of([t().can(vec![writes, fence, assumes]), z])
    };
    check("taken off", world("iam:UntagRole"), &["IAM208:critical"], &[]);
    check("another in its place", world("iam:TagRole"), &["IAM208:critical"], &[]);
    check("stays", world("iam:UntagUser"), &[], PATHS);
}

#[test]
fn a_policy_is_tagged_as_asked_before_it_is_rewritten() {
    let world = |action: &str, on: &str| {
        let version =
            when(allow(&["iam:CreatePolicyVersion"], &["*"]), "StringEquals", "aws:ResourceTag/k", "v");
        let tags = allow(&[action], &[&policy_arn(on)]);
        let own = t().can(vec![version, tags]).attach(&policy_arn("x"));
        World::of([own]).policy(customer_policy("x", allow(&["s3:ListBucket"], &["*"])))
    };
    check("it", world("iam:TagPolicy", "x"), &["IAM201:critical"], &[]);
    check("another", world("iam:TagPolicy", "y"), &[], &["IAM201"]);
    check("roles", world("iam:TagRole", "*"), &[], &["IAM201"]);
}

#[test]
fn a_new_role_has_the_tag_that_is_asked_for() {
    let by_tag = || {
        let rights = allow(&["iam:PutRolePolicy", "sts:AssumeRole"], &[&role_arn("app-*")]);
        when(rights, "StringEquals", "aws:ResourceTag/team", "x")
    };
    let makes = |actions: &[&str]| allow(actions, &[&role_arn("app-*")]);
    let both = ["iam:CreateRole", "iam:TagRole"];
    let with = |value: &str| when(makes(&both), "StringEquals", "aws:RequestTag/team", value);
    check("any tag", one(vec![makes(&both), by_tag()].into()), &["IAM202:critical"], &[]);
    check("that tag", one(vec![with("x"), by_tag()].into()), &["IAM202:critical"], &[]);
    check("another", one(vec![with("y"), by_tag()].into()), &[], PATHS);
    check("no tag", one(vec![makes(&both[..1]), by_tag()].into()), &[], PATHS);
}

#[test]
fn the_tags_of_another_are_not_ones_own() {
    let world = |action: &str, on: &str| {
        let fence = when(deny(&["sts:AssumeRole"], &["*"]), "StringNotEquals", "aws:PrincipalTag/none", "x");
        let adm = role("adm").trusts(document(trust(json!({"AWS": role_arn("t")})))).can(everything());
        World::of([t().can(vec![fence, allow(&[action], &[on])]), adm])
    };
    check("its own", world("iam:TagRole", &role_arn("t")), &["IAM208"], &[]);
    check("any", world("iam:TagRole", "*"), &["IAM208"], &[]);
    check("another's", world("iam:TagRole", &role_arn("adm")), &[], PATHS);
    check("of users", world("iam:TagUser", "*"), &[], PATHS);
}

/// What is protected by a tag is out of reach, however the condition says so.
#[test]
fn a_tag_that_keeps_away_is_seen_on_what_has_it() {
    let rewrites = |operator: &str, value: &str| {
        let on_all = allow(&["iam:UpdateAssumeRolePolicy"], &["*"]);
        vec![when(on_all, operator, "aws:ResourceTag/protected", value), allow(&["sts:AssumeRole"], &["*"])]
    };
    let with =
        |admin: RoleMaker, statements: Vec<Value>| World::of([t().can(statements), admin.can(everything())]);
    for (operator, value) in [
        ("StringNotEquals", "true"),
        ("StringNotLike", "tr*"),
        ("StringNotEqualsIgnoreCase", "TRUE"),
        ("StringNotEqualsIfExists", "true"),
        ("Null", "true"),
    ] {
        let protected = role("adm").tag("protected", "true");
        check(
            operator,
            with(protected, rewrites(operator, value)),
            &[],
            &["IAM202:critical", "IAM208:critical"],
        );
        check(operator, with(role("adm"), rewrites(operator, value)), &["IAM202:critical"], &[]);
        let other = role("adm").tag("team", "a");
        check(operator, with(other, rewrites(operator, value)), &["IAM202:critical"], &[]);
    }
}
