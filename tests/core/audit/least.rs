//! `--write`: a smaller policy takes away, and never gives.

use opsctl::audit::evaluate::Engine;
use opsctl::audit::least::{Proposal, propose};
use opsctl::audit::{Account, Settings, Usage, against};
use serde_json::{Value, json};

use super::engine::{Dice, statement};
use super::world::*;

/// What a role used: services, and of some which tracked actions.
fn used(services: Value) -> Usage {
    let services = services.as_object().expect("services").iter().map(|(name, actions)| {
        let last = "2026-10-30T00:00:00Z";
        let tracked = actions.as_object().into_iter().flatten().map(|(action, is_used)| {
            let last = if *is_used == true { json!(last) } else { Value::Null };
            json!({"ActionName": action, "LastAccessedTime": last})
        });
        let at = if *actions == false { Value::Null } else { last.into() };
        json!({"ServiceNamespace": name, "LastAuthenticated": at,
            "TrackedActionsLastAccessed": tracked.collect::<Vec<_>>()})
    });
    let text = json!({role_arn("a"): services.collect::<Vec<_>>()}).to_string();
    Usage::from_json(text.as_bytes()).expect("usage")
}

fn proposal(account: &Account, used: &Usage) -> Proposal {
    let engine = Engine::at(account, now());
    let role = account.roles.iter().find(|role| role.name == "a").expect("the role");
    propose(&engine, role, &used.roles[&role.arn], &Settings::at(now())).expect("readable")
}

fn after(proposal: &Proposal) -> Value {
    serde_json::from_str(&proposal.after).expect("JSON")
}

/// A document as it is written, of whatever version.
fn inline(role: RoleMaker, documents: &[Value]) -> RoleMaker {
    let list = documents.iter().enumerate();
    let list: Value =
        list.map(|(n, d)| json!({"PolicyName": format!("p{n}"), "PolicyDocument": d})).collect();
    role.set("RolePolicyList", list)
}

fn of_2008(statements: impl Into<Value>) -> Value {
    json!({"Version": "2008-10-17", "Statement": statements.into()})
}

/// The applied proposal against what was there: no new access, with the role's tags and without.
#[track_caller]
fn takes_only(world: &World, used: &Usage) -> Value {
    let dump: Value = serde_json::from_slice(&world.json()).expect("JSON");
    let proposal = proposal(&world.account(), used);
    let applied = after(&proposal);
    let without_tags = |mut dump: Value| {
        dump["RoleDetailList"][0]["Tags"] = json!([]);
        dump
    };
    let mut new = dump.clone();
    new["RoleDetailList"][0]["RolePolicyList"] =
        json!([{"PolicyName": "proposal", "PolicyDocument": applied}]);
    new["RoleDetailList"][0]["AttachedManagedPolicies"] = json!([]);
    let account = |dump: &Value| {
        let mut account = Account::from_json(dump.to_string().as_bytes()).expect("a dump");
        account.id = ACCOUNT.into();
        account
    };
    for (old, new) in [(dump.clone(), new.clone()), (without_tags(dump), without_tags(new))] {
        let gains = against::new_access(&account(&old), &account(&new), now());
        assert!(gains.is_empty(), "{gains:?}\n{old:#}\n{:#}", applied);
    }
    applied
}

#[test]
fn an_old_document_stays_one_or_its_text_stays_text() {
    let objects = "arn:aws:s3:::b/${aws:PrincipalTag/x}/*";
    let both = || allow(&["s3:GetObject", "ec2:RunInstances"], &[objects]);
    let s3 = used(json!({"s3": null}));
    let alone = World::of([inline(role("a").tag("x", "q"), &[of_2008(both())])]);
    let applied = takes_only(&alone, &s3);
    assert_eq!(
        (&applied["Version"], &applied["Statement"][0]["Resource"][0]),
        (&json!("2008-10-17"), &json!(objects))
    );
    let mixed = World::of([inline(role("a").tag("x", "q"), &[of_2008(both()), document(both())])]);
    let applied = takes_only(&mixed, &s3);
    assert_eq!(applied["Version"], "2012-10-17");
    assert_eq!(applied["Statement"][0]["Resource"][0], "arn:aws:s3:::b/${$}{aws:PrincipalTag/x}/*");
    assert_eq!(applied["Statement"][1]["Resource"][0], objects);
    // What a comparison says of the same text under another version.
    let of = |documents: &[Value]| World::of([inline(role("a"), documents)]).account();
    let id = || allow(&["s3:GetObject"], &["arn:aws:s3:::b/${aws:userid}"]);
    let newer = against::new_access(&of(&[of_2008(id())]), &of(&[document(id())]), now());
    assert_eq!(newer.len(), 1, "a text has become a variable");
    assert!(against::new_access(&of(&[of_2008(id())]), &of(&[of_2008(id())]), now()).is_empty());
}

#[test]
fn variables_and_conditions_are_kept_as_they_are_written() {
    let role = || role("a").tag("team", "ops");
    let all = || allow(&["s3:*", "ec2:*"], &["*"]);
    let tag = |statement: Value, operator: &str| when(statement, operator, "aws:PrincipalTag/team", "ops");
    let me = role_arn("a");
    let not_me = when(deny(&["s3:Delete*"], &["*"]), "ArnNotLike", "aws:PrincipalArn", me.as_str());
    let mine = allow(&["s3:*", "ec2:*"], &["arn:aws:s3:::b/${aws:PrincipalTag/team}/*"]);
    let prefix = when(all(), "StringEquals", "s3:prefix", "${aws:PrincipalTag/team}");
    let old = when(all(), "DateLessThan", "aws:CurrentTime", "2026-12-31T00:00:00Z");
    for statements in [
        vec![mine],
        vec![tag(all(), "StringEquals")],
        vec![all(), tag(deny(&["s3:Delete*"], &["*"]), "StringNotEquals")],
        vec![all(), not_me],
        vec![prefix],
        vec![old],
    ] {
        let applied = takes_only(&World::of([role().can(statements.clone())]), &used(json!({"s3": null})));
        for (written, kept) in statements.iter().zip(applied["Statement"].as_array().expect("a list")) {
            let all = |value: &Value| if value.is_array() { value.clone() } else { json!([value]) };
            assert_eq!(all(&kept["Resource"]), all(&written["Resource"]), "{applied}");
            let values = |s: &Value| s["Condition"].to_string().replace(['[', ']'], "");
            assert_eq!(values(kept), values(written), "{applied}");
        }
    }
}

#[test]
fn statement_ids_are_unique() {
    let named = |action: &str| {
        let mut statement = allow(&[action, "ec2:*"], &["*"]);
        statement["Sid"] = "S1".into();
        document(statement)
    };
    let documents = [named("s3:GetObject"), named("s3:PutObject"), named("s3:ListBucket")];
    let applied = takes_only(&World::of([inline(role("a"), &documents)]), &used(json!({"s3": null})));
    let ids: Vec<&str> =
        applied["Statement"].as_array().expect("a list").iter().filter_map(|s| s["Sid"].as_str()).collect();
    assert_eq!(ids, ["S1", "S12", "S13"]);
}

#[test]
fn what_is_not_tracked_or_not_known_is_kept_or_said() {
    let applied = |statements: Vec<Value>, services: Value| {
        let world = World::of([role("a").can(statements)]);
        let used = used(services);
        let text = takes_only(&world, &used).to_string();
        (text, proposal(&world.account(), &used).notes.join("; "))
    };
    let runs = || {
        vec![
            allow(&["ecs:RunTask", "ec2:*"], &["*"]),
            allow(&["iam:PassRole", "iam:CreateRole"], &[&role_arn("task")]),
        ]
    };
    let (text, notes) = applied(runs(), json!({"ecs": null, "iam": false, "ec2": false}));
    assert!(text.contains("iam:PassRole") && !text.contains("CreateRole"), "{text}");
    assert!(notes.contains("iam:PassRole stays"), "{notes}");
    let (text, _) = applied(runs(), json!({"ecs": null, "iam": {"PassRole": false, "CreateRole": false}}));
    assert!(text.contains("iam:PassRole") && !text.contains("CreateRole"), "{text}");
    let (text, notes) = applied(vec![allow(&["*"], &["*"])], json!({"s3": null}));
    assert!(text.contains("iam:PassRole") && notes.contains("iam:PassRole stays"), "{text}");
    let news = || vec![allow(&["s3:GetObject", "s3:FrobnicateNew", "s3:PutBucketAcl", "ec2:*"], &["*"])];
    let (text, _) = applied(news(), json!({"s3": {"PutBucketAcl": false}}));
    assert!(text.contains("s3:FrobnicateNew") && !text.contains("PutBucketAcl"), "{text}");
    let wild = vec![allow(&["s3:*", "ec2:*"], &["*"])];
    let (text, _) = applied(wild, json!({"s3": {"PutBucketAcl": false, "FrobnicateNew": true}}));
    assert!(text.contains("s3:FrobnicateNew"), "{text}");
    let other = |action: &str| vec![allow(&[action, "ec2:*", "s3:*"], &["*"])];
    for (written, kept) in [("newsvc:DoIt", "newsvc:DoIt"), ("*", "newsvc:*"), ("new*:Do*", "newsvc:Do*")] {
        let (text, _) = applied(other(written), json!({"newsvc": null}));
        assert!(text.contains(&format!("\"{kept}\"")), "{written}: {text}");
    }
    let but = |spared: &str| vec![json!({"Effect": "Allow", "NotAction": [spared], "Resource": "*"})];
    let (text, notes) = applied(but("iam:*"), json!({"newsvc": null, "s3": null}));
    assert!(text.contains("newsvc:*") && !notes.contains("newsvc"), "{text}");
    let (text, notes) = applied(but("newsvc:Delete*"), json!({"newsvc": null, "s3": null}));
    assert!(!text.contains("newsvc") && notes.contains("newsvc was used"), "{text}: {notes}");
    let (text, _) = applied(vec![allow(&["s3:*", "ec2:*"], &["*"])], json!({"S3": null}));
    assert!(text.contains("s3:*") && !text.contains("ec2"), "{text}");
}

/// What a list names is not all that a service will have.
#[test]
fn no_list_becomes_a_wildcard() {
    let catalogue = opsctl_iam::catalogue::Catalogue::embedded();
    let all = catalogue.service("execute-api").expect("catalogued");
    let names: Vec<&str> = all.map(|id| catalogue.name(id)).collect();
    let world = World::of([role("a").can(vec![allow(&names, &["*"]), allow(&["ec2:*"], &["*"])])]);
    let applied = takes_only(&world, &used(json!({"execute-api": null})));
    assert_eq!(applied["Statement"][0]["Action"], json!(names));
}

#[test]
fn no_proposal_is_new_access() {
    let mut dice = Dice::new(9);
    let tag = |dice: &mut Dice, statement: Value| match dice.below(3) {
        0 => when(
            statement,
            dice.pick::<&str>(&["StringEquals", "StringNotEquals"]),
            "aws:PrincipalTag/t",
            "x",
        ),
        _ => statement,
    };
    for _ in 0..120 {
        let mut documents = Vec::new();
        for _ in 0..1 + dice.below(3) {
            let mut statements = Vec::new();
            for effect in ["Allow", "Allow", "Deny"] {
                let mut one = statement(&mut dice, effect, true);
                if dice.below(3) == 0 {
                    one["Resource"] = "arn:aws:s3:::b/${aws:PrincipalTag/t}/*".into();
                    one.as_object_mut().expect("an object").remove("NotResource");
                }
                statements.push(tag(&mut dice, one));
            }
            let document = if dice.below(3) == 0 { of_2008(statements) } else { document(statements) };
            documents.push(document);
        }
        let world = World::of([inline(role("a").tag("t", "x"), &documents).aws("AmazonSQSReadOnlyAccess")]);
        let services =
            json!({"s3": {"PutObject": dice.below(2) == 0}, "iam": dice.below(2) == 0, "sqs": null});
        takes_only(&world, &used(services));
    }
}
