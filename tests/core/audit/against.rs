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
