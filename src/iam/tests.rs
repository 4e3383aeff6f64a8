//! Policies compare as AWS means them: whatever form a document comes back in is the same, and whatever
//! changes its meaning is not.

use crate::{has, same, with, without};
use proptest::prelude::*;
use serde_json::{Value, json};

fn strings(pool: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::sample::subsequence(pool, 1..=pool.len()).prop_map(|items| json!(items))
}

const ACTIONS: &[&str] = &["s3:GetObject", "s3:PutObject", "s3:*", "sts:AssumeRole"];
const RESOURCES: &[&str] = &["arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/Data/*"];
const ACCOUNTS: &[&str] = &["123456789012", "210987654321", "arn:aws:iam::123456789012:role/x"];

fn statement() -> impl Strategy<Value = Value> {
    let principal = prop_oneof![
        Just(json!("*")),
        strings(ACCOUNTS).prop_map(|who| json!({ "AWS": who })),
        Just(json!({ "Service": ["lambda.amazonaws.com"] })),
    ];
    let condition = prop_oneof![
        Just(json!({})),
        any::<bool>().prop_map(|tls| json!({ "Bool": { "aws:SecureTransport": tls } })),
        (1..99_u32).prop_map(|n| json!({ "NumericLessThan": { "s3:max-keys": n } })),
        strings(ACCOUNTS).prop_map(|ids| json!({ "StringEquals": { "aws:SourceAccount": ids } })),
    ];
    let effect = prop::sample::select(&["Allow", "Deny"][..]);
    (effect, principal, strings(ACTIONS), strings(RESOURCES), condition).prop_map(
        |(effect, principal, actions, resources, condition)| {
            json!({ "Effect": effect, "Principal": principal, "Action": actions, "Resource": resources,
                    "Condition": condition })
        },
    )
}

fn document() -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(), 1..4).prop_map(|mut statements| {
        for (number, statement) in statements.iter_mut().enumerate() {
            statement["Sid"] = json!(format!("S{number}"));
        }
        json!({ "Version": "2012-10-17", "Statement": statements })
    })
}

/// The same document as AWS might write it. `dice` decides at every place whether and how.
fn rewritten(value: &Value, at: &str, dice: &mut impl FnMut() -> u8) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| rewritten(item, at, dice)).collect();
            match dice() % 4 {
                0 => items.reverse(),
                1 => items.rotate_left(1),
                2 => items.push(items[0].clone()),
                _ => {}
            }
            if items.len() == 1 && dice().is_multiple_of(2) { items.remove(0) } else { Value::Array(items) }
        }
        Value::Object(fields) => {
            let below =
                |key: &str| if at == "Condition" { format!("Condition.{key}") } else { key.to_owned() };
            fields
                .iter()
                .map(|(key, value)| (key.clone(), rewritten(value, &below(key), dice)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Value::String(text) if at == "Action" && dice().is_multiple_of(2) => json!(text.to_uppercase()),
        Value::String(text) if at == "Principal" && text == "*" && dice().is_multiple_of(2) => {
            json!({ "AWS": "*" })
        }
        Value::String(text) if at == "AWS" && text.len() == 12 && dice().is_multiple_of(2) => {
            json!(format!("arn:aws:iam::{text}:root"))
        }
        Value::Bool(_) | Value::Number(_) if dice().is_multiple_of(2) => json!(value.to_string()),
        other => other.clone(),
    }
}

/// Every document that differs from this one in one meaning.
fn changed(document: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let mut change = |edit: &dyn Fn(&mut Value)| {
        let mut copy = document.clone();
        edit(&mut copy);
        all.push(copy);
    };
    change(&|d| d["Version"] = json!("2008-10-17"));
    change(&|d| d["Statement"].as_array_mut().unwrap().truncate(0));
    for n in 0..document["Statement"].as_array().unwrap().len() {
        change(&|d| {
            let effect = if d["Statement"][n]["Effect"] == "Allow" { "Deny" } else { "Allow" };
            d["Statement"][n]["Effect"] = json!(effect);
        });
        change(&|d| d["Statement"][n]["Action"].as_array_mut().unwrap().push(json!("iam:PassRole")));
        change(&|d| d["Statement"][n]["Action"] = json!("iam:PassRole"));
        change(&|d| d["Statement"][n]["Resource"] = json!("arn:aws:s3:::other"));
        change(&|d| d["Statement"][n]["Resource"].as_array_mut().unwrap().push(json!("arn:aws:s3:::B")));
        change(&|d| d["Statement"][n]["Principal"] = json!({ "AWS": "999999999999" }));
        change(&|d| d["Statement"][n]["Condition"]["IpAddress"] = json!({ "aws:SourceIp": "192.0.2.0/24" }));
        change(&|d| d["Statement"][n]["NotAction"] = json!("s3:*"));
    }
    all
}

proptest! {
    #[test]
    fn any_form_of_a_document_is_the_same(
        document in document(), dice in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let mut next = dice.iter().cycle();
        let form = rewritten(&document, "", &mut || *next.next().unwrap());
        prop_assert!(same(&document, &form), "{document}\n{form}");
        prop_assert!(same(&form, &document));
        for other in changed(&document) {
            prop_assert!(!same(&document, &other), "{document}\n{other}");
            prop_assert!(!same(&form, &other), "{form}\n{other}");
        }
    }

    #[test]
    fn a_statement_goes_in_and_out_and_leaves_the_rest(theirs in document(), ours in statement()) {
        let mut ours = ours;
        ours["Sid"] = json!("Ours");
        let merged = with(Some(&theirs), &ours);
        prop_assert!(has(&merged, &ours));
        for statement in theirs["Statement"].as_array().unwrap() {
            prop_assert!(has(&merged, statement));
        }
        prop_assert_eq!(&with(Some(&merged), &ours), &merged, "twice is once");
        prop_assert_eq!(without(&merged, &["Ours"]), Some(theirs));
        prop_assert_eq!(without(&with(None, &ours), &["Ours"]), None);
    }
}

/// A policy comes back in other words than it was sent in (docs/decisions/0005).
#[test]
fn s3_may_swap_and_collapse() {
    let ours = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "DenyWithoutTls", "Effect": "Deny", "Principal": "*", "Action": "S3:*",
        "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    }] });
    let theirs = json!({ "Version": "2012-10-17", "Statement": {
        "Sid": "DenyWithoutTls", "Effect": "Deny", "Principal": { "AWS": "*" }, "Action": ["s3:*"],
        "Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b"],
        "Condition": { "Bool": { "AWS:SecureTransport": [false] } },
    } });
    assert!(same(&ours, &theirs));
}
