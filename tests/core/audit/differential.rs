//! The engine against an independent evaluator, `iam-rs` (MIT; one author, shares no code with this).
//!
//! It answers single questions and knows neither boundaries nor sets. It refuses wildcards that span the
//! colons of an ARN, which IAM allows: what it refuses is left out, and counted.

use iam_rs::{Arn, IAMPolicy, IAMRequest, Principal, PrincipalId, evaluate_policies};
use opsctl::audit::account::Account;
use opsctl::audit::evaluate::Engine;
use opsctl_iam::decide::Decision;
use opsctl_iam::managed;
use serde_json::{Value, json};

use super::engine::{Dice, statement};
use super::world::*;

const ASKED: &[(&str, &str)] = &[
    ("s3:GetObject", "arn:aws:s3:::b/key"),
    ("s3:PutObject", "arn:aws:s3:::other/deep/key"),
    ("s3:DeleteBucket", "arn:aws:s3:::b"),
    ("iam:PassRole", "arn:aws:iam::111122223333:role/app-1"),
    ("iam:CreatePolicyVersion", "arn:aws:iam::111122223333:policy/p"),
    ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q"),
    ("ec2:RunInstances", "arn:aws:ec2:eu-west-1:111122223333:instance/i-1"),
    ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:111122223333:function:f"),
    ("kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:key/k"),
    ("sts:AssumeRole", "arn:aws:iam::111122223333:role/r"),
];

/// Compares the answers to every question that the other one answers; how many there were.
fn compare(documents: &[Value]) -> usize {
    let read = |d: &Value| IAMPolicy::from_json(&d.to_string()).ok();
    let Some(theirs) = documents.iter().map(read).collect::<Option<Vec<IAMPolicy>>>() else { return 0 };
    let inline: Vec<Value> =
        documents.iter().map(|d| json!({"PolicyName": "p", "PolicyDocument": d})).collect();
    let account: Account = World::of([role("a").set("RolePolicyList", inline)]).account();
    let ours = Engine::new(&account).role(&account.roles[0]);
    let mut compared = 0;
    for (action, resource) in ASKED {
        let principal = Principal::Aws(PrincipalId::String(role_arn("a")));
        let request = IAMRequest::new(principal, *action, resource.parse::<Arn>().expect("an ARN"));
        let Ok(theirs) = evaluate_policies(&theirs, &request) else { continue };
        let ours = ours.decide(action, resource);
        let alike = (ours == Decision::Allowed) == (theirs == iam_rs::Decision::Allow);
        assert!(alike, "{action} on {resource}: {ours:?}, {theirs:?}\n{}", json!(documents));
        compared += 1;
    }
    compared
}

#[test]
fn made_up_policies_are_decided_alike() {
    let mut dice = Dice::new(7);
    let mut compared = 0;
    for _ in 0..150 {
        let documents = [
            document(vec![statement(&mut dice, "Allow", false), statement(&mut dice, "Allow", false)]),
            document(statement(&mut dice, "Deny", false)),
            document(statement(&mut dice, "Allow", false)),
        ];
        for used in [&documents[..1], &documents[..2], &documents[..]] {
            compared += compare(used);
        }
    }
    assert!(compared > 1_000, "{compared}");
}

/// A text with wildcards put into it.
fn pattern(dice: &mut Dice, text: &str, from: usize) -> String {
    let cut = |dice: &mut Dice| from + dice.below(text.len() - from + 1);
    match dice.below(5) {
        0 => format!("{}*", &text[..cut(dice)]),
        1 => {
            let at = cut(dice).min(text.len() - 1);
            format!("{}?{}", &text[..at], &text[at + 1..])
        }
        2 => {
            let (a, b) = (cut(dice), cut(dice));
            format!("{}*{}", &text[..a.min(b)], &text[a.max(b)..])
        }
        3 if dice.below(4) == 0 => "*".to_owned(),
        _ => text.to_owned(),
    }
}

/// A statement about what is asked, or nearly.
fn varied(dice: &mut Dice, effect: &str) -> Value {
    if dice.below(4) == 0 {
        return statement(dice, effect, false);
    }
    let action = *dice.pick(&["Action", "Action", "Action", "NotAction"]);
    let resource = *dice.pick(&["Resource", "Resource", "Resource", "NotResource"]);
    let mut s = json!({"Effect": effect});
    let actions = (0..=dice.below(3)).map(|_| {
        let name = dice.pick(ASKED).0;
        let behind = name.find(':').map_or(0, |colon| colon + 1);
        pattern(dice, name, behind)
    });
    s[action] = actions.collect();
    let resources = (0..=dice.below(2)).map(|_| {
        let arn = dice.pick(ASKED).1;
        // Its fields may not be spanned: the other refuses that.
        let behind = arn.match_indices(':').nth(4).map_or(0, |(colon, _)| colon + 1);
        pattern(dice, arn, behind)
    });
    s[resource] = resources.collect();
    s
}

/// A few seconds here; as many as `OPSCTL_DIFFERENTIAL` says elsewhere, from another seed each time.
#[test]
fn random_policies_are_decided_alike() {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests asks for a longer run")]
    let long = std::env::var("OPSCTL_DIFFERENTIAL").ok().and_then(|text| text.parse::<u64>().ok());
    let clock = std::time::Instant::now();
    let mut seed = 20_261_129;
    if long.is_some() {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        seed = since.as_secs();
    }
    let (mut dice, mut rounds, mut compared) = (Dice::new(seed), 0, 0);
    while long.map_or(rounds < 400, |seconds| clock.elapsed().as_secs() < seconds) {
        let documents: Vec<Value> = (0..=dice.below(4))
            .map(|_| {
                let effect = *dice.pick(&["Allow", "Allow", "Deny"]);
                let statements: Vec<Value> = (0..=dice.below(3)).map(|_| varied(&mut dice, effect)).collect();
                document(statements)
            })
            .collect();
        rounds += 1;
        compared += compare(&documents);
    }
    if long.is_some() {
        println!("{rounds} sets of policies from seed {seed}, {compared} answers compared");
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn policies_of_aws_are_decided_alike() {
    let mut compared = 0;
    for policy in managed::all().step_by(5) {
        let mut document: Value = serde_json::from_str(policy.json()).expect("JSON");
        // Conditions are weighed here and evaluated there: compared are the statements without.
        if let Some(statements) = document["Statement"].as_array_mut() {
            statements.retain(|s| s.get("Condition").is_none());
        }
        compared += compare(&[document]);
    }
    assert!(compared > 2_000, "{compared}");
}
