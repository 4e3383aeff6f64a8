//! Equality. AWS returns documents in a form of its own: lists in another order, a list of one item as the
//! item, account ids as ARNs.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use serde_json::{Map, Value};

use crate::arn::Arn;

/// The version of a document that names none.
/// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
const OLDEST: &str = "2008-10-17";

/// Whether two documents mean the same to AWS. What a wildcard or two statements together amount to is not
/// considered: a document that was rewritten by a person may differ here and still allow the same.
///
/// # Examples
/// ```
/// use opsctl_iam::same;
/// use serde_json::json;
///
/// let ours = json!({"Version": "2012-10-17", "Statement": [
///     {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::data/*"]}]});
/// let returned = json!({"Version": "2012-10-17", "Statement":
///     {"Sid": "", "Effect": "Allow", "Action": "S3:getobject", "Resource": "arn:aws:s3:::data/*"}});
/// assert!(same(&ours, &returned));
/// ```
pub fn same(a: &Value, b: &Value) -> bool {
    document(a) == document(b)
}

/// A document in a form in which equal ones are equal.
fn document(value: &Value) -> Value {
    let Value::Object(fields) = value else { return value.clone() };
    let mut fields = fields.clone();
    fields.entry("Version").or_insert_with(|| OLDEST.into());
    if let Some(statements) = fields.get_mut("Statement") {
        *statements = set(statements, statement);
    }
    Value::Object(fields)
}

pub(super) fn statement(value: &Value) -> Value {
    let Value::Object(fields) = value else { return value.clone() };
    let fields = fields.iter().filter(|(name, value)| !(*name == "Sid" && *value == ""));
    let fields = fields.map(|(name, value)| {
        let value = match name.as_str() {
            // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
            "Action" | "NotAction" => set(value, lower),
            "Resource" | "NotResource" => set(value, Value::clone),
            "Principal" | "NotPrincipal" => principal(value),
            "Condition" => condition(value),
            _ => value.clone(),
        };
        (name.clone(), value)
    });
    Value::Object(fields.collect())
}

/// `"*"` and `{"AWS": "*"}` are the same, and so are an account's id and the ARN of its root.
/// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
fn principal(value: &Value) -> Value {
    let everybody = || Map::from_iter([("AWS".to_owned(), "*".into())]);
    let kinds = match value {
        Value::Object(kinds) => kinds.clone(),
        Value::String(all) if all == "*" => everybody(),
        other => return other.clone(),
    };
    let kinds = kinds.into_iter().map(|(kind, who)| {
        let who = if kind == "AWS" { set(&who, account) } else { set(&who, Value::clone) };
        (kind, who)
    });
    Value::Object(kinds.collect())
}

/// `arn:aws:iam::123456789012:root` → `123456789012`.
fn account(value: &Value) -> Value {
    let id = value.as_str().and_then(|arn| {
        let arn = Arn::pattern(arn).filter(|arn| arn.service == "iam" && arn.resource == "root")?;
        arn.account_id().map(str::to_owned)
    });
    id.map_or_else(|| value.clone(), Value::String)
}

/// Operators to keys to values. Names of keys have no case; numbers and switches are written as text too.
/// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html
fn condition(value: &Value) -> Value {
    let Value::Object(operators) = value else { return value.clone() };
    let operators = operators.iter().map(|(operator, keys)| {
        let Value::Object(keys) = keys else { return (operator.clone(), keys.clone()) };
        // As pairs: two spellings of one key are two conditions.
        let pairs = keys
            .iter()
            .map(|(key, values)| Value::Array(vec![key.to_ascii_lowercase().into(), set(values, text)]));
        (operator.clone(), sorted(pairs.collect()))
    });
    Value::Object(operators.collect())
}

fn text(value: &Value) -> Value {
    match value {
        Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
        other => other.clone(),
    }
}

fn lower(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| text.to_ascii_lowercase().into())
}

/// A list without order and repetition; an item alone is a list of one.
fn set(value: &Value, item: impl Fn(&Value) -> Value) -> Value {
    let items = match value {
        Value::Array(items) => items.iter().map(item).collect(),
        one => vec![item(one)],
    };
    sorted(items)
}

fn sorted(mut items: Vec<Value>) -> Value {
    items.sort_by_cached_key(Value::to_string);
    items.dedup();
    Value::Array(items)
}
