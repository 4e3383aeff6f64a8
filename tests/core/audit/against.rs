//! `--against`: what a change gives that was not there.

use opsctl::audit::against::new_access;
use serde_json::{Value, json};

use super::world::*;

fn gains(old: &World, new: &World) -> Vec<String> {
    let gains = new_access(&old.account(), &new.account(), now());
    gains.into_iter().flat_map(|gain| gain.lines).collect()
}

fn but(actions: &[&str], spared: &[&str]) -> Value {
    json!({"Effect": "Allow", "Action": actions, "NotResource": spared})
}

/// Whether a role, and a boundary, that say the one have more than those that say the other.
#[track_caller]
fn is_new(old: &Value, new: &Value, expected: bool) {
    let held = |policy: &Value| World::of([role("a").can(policy.clone())]);
    let limited = |policy: &Value| {
        World::of([role("a").can(allow(&["*"], &["*"])).boundary(&policy_arn("edge"))])
            .policy(customer_policy("edge", policy.clone()))
    };
    for (what, lines) in
        [("held", gains(&held(old), &held(new))), ("limited", gains(&limited(old), &limited(new)))]
    {
        assert_eq!(!lines.is_empty(), expected, "{what}: {old} then {new}: {lines:?}");
    }
}

#[test]
fn what_is_own_is_not_all_and_what_is_spared_is_something() {
    let own = |service: &str, what: &str| format!("arn:aws:{service}:*:{ACCOUNT}:{what}");
    for (action, own, more) in [
        ("sts:AssumeRole", role_arn("*"), "arn:aws:iam::444455556666:role/x".to_owned()),
        (
            "secretsmanager:GetSecretValue",
            own("secretsmanager", "secret:*"),
            "arn:aws:secretsmanager:eu-west-1:444455556666:secret:x".to_owned(),
        ),
        ("ec2:CreateTags", own("ec2", "instance/*"), "*".to_owned()),
        ("ec2:RunInstances", "arn:aws:ec2:*:*:instance/*".to_owned(), "*".to_owned()),
        ("kms:Decrypt", own("kms", "key/*"), "*".to_owned()),
    ] {
        let (own, more) = (allow(&[action], &[&own]), allow(&[action], &[&more]));
        is_new(&own, &more, true);
        is_new(&own, &own, false);
    }
    let secret = ["arn:aws:s3:::secret", "arn:aws:s3:::secret/*"];
    is_new(&but(&["s3:*"], &secret), &allow(&["s3:*"], &["*"]), true);
    is_new(&but(&["s3:*"], &secret), &allow(&["s3:GetObject"], &["arn:aws:s3:::secret/*"]), true);
    is_new(&but(&["s3:*"], &secret), &allow(&["s3:GetObject"], &["arn:aws:s3:::sec*"]), true);
    is_new(&but(&["s3:*"], &secret), &allow(&["s3:GetObject"], &["arn:aws:s3:::public/*"]), false);
    is_new(&but(&["s3:*"], &secret), &but(&["s3:*"], &secret[..1]), true);
    is_new(&but(&["s3:*"], &secret[..1]), &but(&["s3:*"], &secret), false);
    is_new(&but(&["ec2:*", "s3:*"], &secret), &allow(&["ec2:RunInstances"], &["*"]), false);
    is_new(&allow(&["s3:*"], &["*"]), &but(&["s3:*"], &secret), false);
    // A whole type of everybody's is all that the action takes.
    let any = ["arn:aws:secretsmanager:*:*:secret:*"];
    let get = ["secretsmanager:GetSecretValue"];
    is_new(&allow(&get, &any), &allow(&get, &["*"]), false);
    is_new(
        &allow(&["s3:GetObject"], &["arn:aws:s3:::a?"]),
        &allow(&["s3:GetObject"], &["arn:aws:s3:::a*"]),
        true,
    );
}

#[test]
fn names_that_the_catalogue_lacks_are_compared_as_they_are_written() {
    let on = |action: &str, resource: &str| allow(&[action], &[resource]);
    is_new(&on("s3:NewThing", "arn:aws:s3:::b"), &on("s3:NewThing", "*"), true);
    is_new(&on("s3:NewThing", "*"), &on("s3:NewThing", "arn:aws:s3:::b"), false);
    is_new(&on("s3:*", "*"), &on("s3:NewThing", "*"), false);
    is_new(&on("s3:*", "*"), &on("newsvc:*", "*"), true);
    is_new(&on("newsvc:*", "*"), &on("newsvc:Do", "*"), false);
    is_new(&on("*:*", "*"), &on("*", "*"), false);
    let letters: Vec<String> = ('a'..='y').map(|letter| format!("{letter}*")).collect();
    let all: Vec<&str> = letters.iter().map(String::as_str).collect();
    is_new(&allow(&all, &["*"]), &on("*", "*"), true);
    for of in ["newsvc:*", "newsvc:Do", "s3:NewThing"] {
        let guarded = vec![on("*", "*"), deny(&[of], &["*"])];
        is_new(&guarded.into(), &on("*", "*"), true);
        let beside = vec![on("ec2:*", "*"), deny(&[of], &["*"])];
        let (old, new) = (World::of([role("a").can(beside)]), World::of([role("a").can(on("ec2:*", "*"))]));
        assert_eq!(gains(&old, &new), [""; 0], "nothing to deny");
    }
}

fn reads_if(conditions: &Value) -> Value {
    json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": conditions})
}

/// The items of a list are a set, names of keys are compared whatever the case.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html>
#[test]
fn conditions_that_mean_the_same_are_the_same() {
    for (one, other) in [
        (
            json!({"StringEquals": {"aws:RequestedRegion": ["a", "b"], "aws:PrincipalOrgID": "o-1"}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": ["o-1"], "aws:RequestedRegion": ["b", "a"]}}),
        ),
        (json!({"StringEquals": {"s3:prefix": ["a", "a"]}}), json!({"stringequals": {"S3:Prefix": "a"}})),
        (
            json!({"StringNotEquals": {"s3:prefix": ["a", "b"]}}),
            json!({"StringNotEquals": {"s3:prefix": ["b", "a"]}}),
        ),
        (json!({"StringEquals": {"s3:prefix": "a"}}), json!({"StringLike": {"s3:prefix": "a"}})),
        (
            json!({"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::b*"}}),
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b*"}}),
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": ["198.51.100.7", "2001:DB8::/32"]}}),
            json!({"IpAddress": {"aws:SourceIp": ["2001:db8::/32", "198.51.100.7/32"]}}),
        ),
        (
            json!({"Bool": {"aws:SecureTransport": "true"}, "Null": {"aws:TokenIssueTime": "false"}}),
            json!({"Null": {"aws:TokenIssueTime": false}, "Bool": {"aws:SecureTransport": "True"}}),
        ),
    ] {
        is_new(&reads_if(&one), &reads_if(&other), false);
        is_new(&reads_if(&other), &reads_if(&one), false);
        let denied = |conditions: &Value| {
            let deny = json!({"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": conditions});
            vec![allow(&["s3:*"], &["*"]), deny].into()
        };
        is_new(&denied(&one), &denied(&other), false);
        is_new(&denied(&other), &denied(&one), false);
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
#[test]
fn conditions_that_let_less_through_give_nothing_new_and_those_that_let_more_do() {
    for (less, more) in [
        (json!({"StringEquals": {"s3:prefix": "a"}}), json!({"StringEquals": {"s3:prefix": ["a", "b"]}})),
        (json!({"StringEquals": {"s3:prefix": "ab"}}), json!({"StringLike": {"s3:prefix": "a*"}})),
        (json!({"StringEquals": {"s3:prefix": "a"}}), json!({"StringEqualsIgnoreCase": {"s3:prefix": "A"}})),
        (json!({"StringEquals": {"s3:prefix": "a*"}}), json!({"StringLike": {"s3:prefix": "a*"}})),
        (json!({"StringLike": {"s3:prefix": "a/b*"}}), json!({"StringLike": {"s3:prefix": "a*"}})),
        (
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
            json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}),
        ),
        (
            json!({"StringNotLike": {"s3:prefix": ["a*", "b*"]}}),
            json!({"StringNotEquals": {"s3:prefix": ["ab"]}}),
        ),
        (
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b/x"}}),
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b*"}}),
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": "198.51.100.0/25"}}),
            json!({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
        ),
        (
            json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
            json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/25"}}),
        ),
        (
            json!({"NumericLessThan": {"s3:max-keys": "10"}}),
            json!({"NumericLessThanEquals": {"s3:max-keys": "10"}}),
        ),
        (json!({"NumericEquals": {"s3:max-keys": 9}}), json!({"NumericLessThan": {"s3:max-keys": "1e1"}})),
        (
            json!({"DateGreaterThan": {"s3:object-lock-retain-until-date": "2028-01-01T00:00:00Z"}}),
            json!({"DateGreaterThan": {"s3:object-lock-retain-until-date": "2027-01-01"}}),
        ),
        (
            json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:TagKeys": "false"}}),
            json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["b", "a"]}}),
        ),
    ] {
        is_new(&reads_if(&more), &reads_if(&less), false);
        is_new(&reads_if(&less), &reads_if(&more), true);
    }
    for (one, other) in [
        (json!({"StringEquals": {"s3:prefix": "a"}}), json!({"StringEquals": {"s3:delimiter": "a"}})),
        (json!({"StringEquals": {"s3:prefix": "a"}}), json!({"StringEquals": {"s3:prefix": "A"}})),
        (json!({"StringEquals": {"s3:prefix": "a"}}), json!({"StringNotEquals": {"s3:prefix": "a"}})),
        (
            json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}),
            json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}),
        ),
        (
            json!({"StringLike": {"s3:prefix": "${aws:username}"}}),
            json!({"StringLike": {"s3:prefix": "${aws:userid}"}}),
        ),
        (
            json!({"NumericLessThan": {"s3:max-keys": "10"}}),
            json!({"NumericGreaterThan": {"s3:max-keys": "10"}}),
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": "198.51.100.7"}}),
            json!({"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}),
        ),
    ] {
        is_new(&reads_if(&one), &reads_if(&other), true);
        is_new(&reads_if(&other), &reads_if(&one), true);
    }
}

/// A list of principals is each of them, and so are statements for each.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
#[test]
fn trust_is_compared_principal_by_principal() {
    let trusts = |statements: Vec<Value>| {
        World::of([role("a").trusts(document(statements)).can(allow(&["s3:GetObject"], &["*"]))])
    };
    let root = |account: &str| json!({"AWS": format!("arn:aws:iam::{account}:root")});
    let services = |names: &[&str]| trust(json!({"Service": names}));
    let (ec2, lambda) = ("ec2.amazonaws.com", "lambda.amazonaws.com");
    let split = || trusts(vec![services(&[lambda]), services(&[ec2])]);
    let listed = || trusts(vec![services(&[ec2, lambda])]);
    assert_eq!(gains(&listed(), &split()), [""; 0]);
    assert_eq!(gains(&split(), &listed()), [""; 0]);
    let held = when(services(&[ec2]), "StringEquals", "aws:SourceAccount", ACCOUNT);
    let one_held = || trusts(vec![services(&[lambda]), held.clone()]);
    assert_eq!(gains(&listed(), &one_held()), [""; 0]);
    assert_eq!(gains(&one_held(), &listed()).len(), 1, "a condition is gone");
    let ids =
        |ids: Value| trusts(vec![when(trust(root("444455556666")), "StringEquals", "sts:ExternalId", ids)]);
    assert_eq!(gains(&ids(json!(["x", "y"])), &ids(json!(["y", "x"]))), [""; 0]);
    assert_eq!(gains(&ids(json!(["x", "y"])), &ids("y".into())), [""; 0]);
    assert_eq!(gains(&ids("y".into()), &ids(json!(["x", "y"]))).len(), 1);
    let but = |spared: &[&str]| {
        let principals: Vec<String> = spared.iter().map(|name| role_arn(name)).collect();
        trusts(vec![
            json!({"Effect": "Allow", "NotPrincipal": {"AWS": principals}, "Action": "sts:AssumeRole"}),
        ])
    };
    assert_eq!(gains(&but(&["x"]), &but(&["x", "y"])), [""; 0]);
    assert_eq!(gains(&but(&["x", "y"]), &but(&["x"])).len(), 1, "one less is spared");
}
