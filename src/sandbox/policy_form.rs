//! Policy documents as AWS gives them back, which is not always how they were put: lists in another order, a
//! list of one item as the item, an account's id as the ARN of its root
//! (docs/aws/iam.md#documents-come-back-rewritten).
//!
//! Which order it will be nobody says. Here it follows from the document alone, so that a test that fails
//! fails again.

use opsctl_iam::arn::is_account_id;
use serde_json::{Map, Value};

use super::rules::AwsRule;
use super::state::{SandboxState, arn_of};

/// What is kept of a document that was accepted. Text that is no document stays as it is.
pub fn kept(shared: &SandboxState, text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(document @ Value::Object(_)) if shared.enforces(AwsRule::PolicyForm) => {
            let seed = blake3::hash(text.as_bytes());
            Form { seed: usize::from(seed.as_bytes()[0]) }.document(document).to_string()
        }
        _ => text.to_owned(),
    }
}

/// How a document is rewritten.
struct Form {
    seed: usize,
}

impl Form {
    fn document(&self, document: Value) -> Value {
        members(document, |name, value| match (name, value) {
            ("Statement", Value::Array(statements)) => {
                statements.into_iter().map(|statement| self.statement(statement)).collect()
            }
            ("Statement", one) => self.statement(one),
            (_, value) => value,
        })
    }

    fn statement(&self, statement: Value) -> Value {
        members(statement, |name, value| match name {
            "Action" | "NotAction" | "Resource" | "NotResource" => self.list(value),
            "Principal" | "NotPrincipal" => members(value, |kind, who| match kind {
                "AWS" => self.list(each(who, root_of)),
                _ => self.list(who),
            }),
            "Condition" => members(value, |_, keys| members(keys, |_, values| self.list(values))),
            _ => value,
        })
    }

    /// Turned by at least one place, so that no list of two or more keeps its order.
    fn list(&self, value: Value) -> Value {
        match value {
            Value::Array(mut items) if items.len() == 1 => items.remove(0),
            Value::Array(mut items) if items.len() > 1 => {
                let places = 1 + self.seed % (items.len() - 1);
                items.rotate_left(places);
                Value::Array(items)
            }
            other => other,
        }
    }
}

/// An object with its members changed; anything else as it is.
fn members(value: Value, change: impl Fn(&str, Value) -> Value) -> Value {
    match value {
        Value::Object(members) => {
            let changed = members.into_iter().map(|(name, value)| {
                let value = change(&name, value);
                (name, value)
            });
            Value::Object(changed.collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn each(value: Value, change: impl Fn(Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(change).collect(),
        one => change(one),
    }
}

/// `123456789012` → `arn:aws:iam::123456789012:root`.
fn root_of(principal: Value) -> Value {
    match principal.as_str() {
        Some(id) if is_account_id(id) => arn_of("iam", "", id, "root").into(),
        _ => principal,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_turned_and_a_list_of_one_is_the_item() {
        let given = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "One", "Effect": "Deny", "Principal": {"AWS": ["123456789012"]},
            "Action": ["s3:*"], "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
            "Condition": {"Bool": {"aws:SecureTransport": ["false"]},
                "StringLike": {"aws:x": ["a", "b", "c"]}},
        }]});
        for seed in 0..8 {
            let kept = Form { seed }.document(given.clone());
            let statement = &kept["Statement"][0];
            assert_eq!(kept["Version"], "2012-10-17");
            assert_eq!(statement["Principal"], json!({"AWS": "arn:aws:iam::123456789012:root"}));
            assert_eq!(statement["Action"], "s3:*");
            assert_eq!(statement["Resource"], json!(["arn:aws:s3:::b/*", "arn:aws:s3:::b"]));
            assert_eq!(statement["Condition"]["Bool"]["aws:SecureTransport"], "false");
            let letters = &statement["Condition"]["StringLike"]["aws:x"];
            assert!(*letters == json!(["b", "c", "a"]) || *letters == json!(["c", "a", "b"]), "{letters}");
        }
    }

    #[test]
    fn what_is_no_statement_stays() {
        for odd in
            [json!({"Statement": "x"}), json!({"Statement": [1, null]}), json!({"Statement": {"Action": []}})]
        {
            assert_eq!(Form { seed: 3 }.document(odd.clone()), odd);
        }
    }
}
