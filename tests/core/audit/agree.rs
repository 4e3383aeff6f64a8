//! A finding and `explain` never disagree: what a finding says a role may do on all resources, `explain` does
//! not deny on one that no policy speaks of.

use opsctl::audit::evaluate::Engine;
use opsctl::audit::{Settings, Usage, audit, explain};
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::decide::Decision;
use serde_json::{Value, json};

use super::engine::{ACTIONS, Dice, RESOURCES, statement};
use super::world::*;

/// A Deny of all but some resources, or under a condition, as guards are written.
fn guard(dice: &mut Dice) -> Value {
    let action = *dice.pick(&["*", "s3:*", "iam:*", "iam:PutRolePolicy"]);
    match dice.below(4) {
        0 => json!({"Effect": "Deny", "Action": action, "NotResource": [dice.pick(RESOURCES)]}),
        1 => {
            json!({"Effect": "Deny", "NotAction": dice.pick(ACTIONS), "NotResource": [dice.pick(RESOURCES)]})
        }
        2 => when(deny(&[action], &["*"]), "BoolIfExists", "aws:MultiFactorAuthPresent", "false"),
        _ => deny(&[action], &[*dice.pick(RESOURCES)]),
    }
}

fn a_role(dice: &mut Dice) -> World {
    let allows = vec![statement(dice, "Allow", true), statement(dice, "Allow", false)];
    let mut role = role("t").can(allows).can(guard(dice));
    let mut world_policy = None;
    if dice.below(3) == 0 {
        role = role.boundary(&policy_arn("edge"));
        world_policy = Some(customer_policy("edge", vec![statement(dice, "Allow", true), guard(dice)]));
    }
    world_policy.into_iter().fold(World::of([role]), World::policy)
}

/// One ARN of every type that an action takes, which no pattern names but `*`.
fn samples(action: &str) -> Vec<String> {
    let catalogue = Catalogue::embedded();
    let Some(id) = catalogue.find(action) else { return vec!["*".into()] };
    let fill = |template: &str| {
        let (mut arn, mut rest) = (String::new(), template);
        while let Some((before, after)) = rest.split_once("${") {
            let (variable, tail) = after.split_once('}').expect("a variable ends");
            arn += before;
            arn += match variable {
                "Partition" => "aws",
                "Account" => ACCOUNT,
                "Region" => "eu-west-1",
                _ => "zz9",
            };
            rest = tail;
        }
        arn + rest
    };
    let all: Vec<String> = catalogue.resource_templates(id).map(fill).collect();
    if all.is_empty() { vec!["*".into()] } else { all }
}

#[test]
fn findings_and_explain_agree() {
    let mut dice = Dice::new(13);
    let says_yes = |decision| matches!(decision, Decision::Allowed | Decision::Conditional);
    let mut claims = 0;
    for round in 0..120 {
        let world = a_role(&mut dice);
        let account = world.account();
        let asked = |action: &str, on: &str| {
            explain::explain(&account, "t", action, Some(on), now()).expect("the role").decision
        };
        let found = audit(&account, &Usage::default(), &Settings::at(now())).findings;
        let lines = found.iter().filter(|f| f.rule.starts_with("IAM2")).flat_map(|f| &f.evidence);
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["CAPABLE:", action, "on", "all", ..] => {
                    claims += 1;
                    let yes = samples(action).iter().any(|arn| says_yes(asked(action, arn)));
                    assert!(yes, "{round}: {line}\n{}", String::from_utf8_lossy(&world.json()));
                }
                ["REACHABLE:", action, "on", arn, "applies", ..] => {
                    claims += 1;
                    assert_eq!(asked(action, arn), Decision::Allowed, "{round}: {line}");
                }
                _ => {}
            }
        }
        let effective = Engine::at(&account, now()).role(&account.roles[0]);
        let catalogue = Catalogue::embedded();
        for action in ["s3:GetObject", "s3:PutObject", "iam:PassRole", "sqs:SendMessage", "sts:AssumeRole"] {
            let id = catalogue.find(action).expect("catalogued");
            let yes = || samples(action).iter().any(|arn| says_yes(asked(action, arn)));
            assert!(
                !effective.open.contains(id) || yes(),
                "{round}: {action}\n{}",
                String::from_utf8_lossy(&world.json())
            );
        }
    }
    assert!(claims > 50, "{claims}");
}
