//! What a caller says when it assumes a role: the role's trust and its own policies may ask for it, and both
//! sides must have it so.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>

use super::*;

const UP: &[&str] = &["IAM208:critical"];
const NO_WAY: &[&str] = &["IAM208"];

/// The trust lets in the account by these actions, under a condition or none.
fn adm(actions: &[&str], asks: Option<(&str, &str)>) -> RoleMaker {
    let mut root = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
    root["Action"] = json!(actions);
    let root = asks.map_or(root.clone(), |(key, value)| when(root, "StringEquals", key, value));
    role("adm").can(everything()).trusts(document(root))
}

fn with(own: Vec<Value>, adm: RoleMaker) -> World {
    World::of([t().can(own), adm])
}

fn may(actions: &[&str]) -> Value {
    allow(actions, &[&role_arn("adm")])
}

const IDENTITY: &str = "sts:SourceIdentity";
const BOTH: &[&str] = &["sts:AssumeRole", "sts:SetSourceIdentity"];

/// Both policies name the source identity in AWS's own example.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html>
#[test]
fn a_source_identity_that_both_sides_ask_for() {
    let own = |value: &str| vec![when(may(BOTH), "StringEquals", IDENTITY, value)];
    let asks = || adm(BOTH, Some((IDENTITY, "alice")));
    check("the same", with(own("alice"), asks()), UP, &[]);
    check("another", with(own("bob"), asks()), &[], NO_WAY);
    check("asked of the caller alone", with(own("bob"), adm(BOTH, None)), UP, &[]);
    check("the trust takes none", with(own("bob"), adm(&BOTH[..1], None)), &[], NO_WAY);
    let apart = |value: &str| {
        let says = when(may(&BOTH[1..]), "StringEquals", IDENTITY, value);
        vec![may(&BOTH[..1]), says]
    };
    check("apart, the same", with(apart("alice"), asks()), UP, &[]);
    check("apart, another", with(apart("bob"), asks()), &[], NO_WAY);
    let alone = vec![when(may(&BOTH[..1]), "StringEquals", IDENTITY, "alice")];
    check("not to be said", with(alone, asks()), &[], NO_WAY);
    let other = when(allow(&["iam:PutRolePolicy"], &["*"]), "StringEquals", IDENTITY, "alice");
    check("no other call has it", one(other), &[], &["IAM201"]);
}

#[test]
fn an_external_id_that_both_sides_ask_for() {
    let key = "sts:ExternalId";
    let own = |value: &str| vec![when(may(&BOTH[..1]), "StringEquals", key, value)];
    let asks = || adm(&BOTH[..1], Some((key, "a")));
    check("the same", with(own("a"), asks()), UP, &[]);
    check("another", with(own("b"), asks()), &[], NO_WAY);
    let denied = |value: &str| {
        let fence = when(deny(&["sts:AssumeRole"], &["*"]), "StringNotEquals", key, value);
        vec![may(&BOTH[..1]), fence]
    };
    check("spared", with(denied("a"), asks()), UP, &[]);
    check("denied", with(denied("b"), asks()), &[], NO_WAY);
    let name = "sts:RoleSessionName";
    let own = |value: &str| vec![when(may(&BOTH[..1]), "StringEquals", name, value)];
    check("the name", with(own("a"), adm(&BOTH[..1], Some((name, "a")))), UP, &[]);
    check("another name", with(own("b"), adm(&BOTH[..1], Some((name, "a")))), &[], NO_WAY);
}

/// Whoever may assume a role with tags only needs a trust that takes tags.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required>
#[test]
fn tags_of_a_session_that_the_callers_own_policy_asks_for() {
    let tagging = &["sts:AssumeRole", "sts:TagSession"];
    let key = "aws:RequestTag/team";
    let own = |actions: &[&str]| vec![when(may(actions), "StringEquals", key, "x")];
    check("taken", with(own(tagging), adm(tagging, None)), UP, &[]);
    check("not taken", with(own(tagging), adm(&tagging[..1], None)), &[], NO_WAY);
    check("not allowed", with(own(&tagging[..1]), adm(tagging, None)), &[], NO_WAY);
    check("another value", with(own(tagging), adm(tagging, Some((key, "y")))), &[], NO_WAY);
    let others = [own(tagging), vec![may(&tagging[..1])]].concat();
    check("or without", with(others, adm(&tagging[..1], None)), UP, &[]);
    for pattern in ["*", &role_arn("*")] {
        let own = || vec![when(allow(tagging, &[pattern]), "StringEquals", key, "x")];
        check(pattern, with(own(), adm(tagging, None)), UP, &[]);
        check(pattern, with(own(), adm(&tagging[..1], None)), &[], NO_WAY);
    }
    // Whom the trust names needs no policy of its own.
    let named = |who: &str| {
        let trusts = document(trust(json!({"AWS": role_arn(who)})));
        with(own(tagging), role("adm").can(everything()).trusts(trusts))
    };
    check("named", named("t"), UP, &[]);
    check("another is named", named("low"), &[], NO_WAY);
    let none = vec![when(may(tagging), "Null", key, "true")];
    check("none of that tag", with(none, adm(&tagging[..1], None)), UP, &[]);
}
