//! Bucket policies: whether S3 would take one, and whether it is public. They decide, with the policies of
//! roles, what sessions of roles may do (`services::access`).

use serde_json::Value;

use super::bucket::arn;
use crate::fault::Fault;

/// Largest policy of a bucket in bytes (docs/aws/s3.md#limits).
const LARGEST: usize = 20 << 10;

/// Checks a policy for a bucket and says whether it is public.
///
/// # Errors
/// `MalformedPolicy`, in S3's words.
pub fn examine(bucket: &str, text: &str) -> Result<Public, Fault> {
    if text.len() > LARGEST {
        return malformed("Policies must not exceed 20480 bytes");
    }
    let Ok(policy @ Value::Object(_)) = serde_json::from_str::<Value>(text) else {
        return malformed("Policies must be valid JSON and the first byte must be '{'");
    };
    if !matches!(policy["Version"].as_str(), None | Some("2012-10-17" | "2008-10-17")) {
        return malformed("The policy must contain a valid version string");
    }
    let statements = items(&policy["Statement"]);
    if statements.is_empty() {
        return malformed("Missing required field Statement");
    }
    for statement in statements {
        check(bucket, statement)?;
    }
    Ok(if items(&policy["Statement"]).into_iter().any(is_public) { Public::Yes } else { Public::No })
}

/// Whether it lets everybody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Public {
    Yes,
    No,
}

fn malformed<T>(message: &str) -> Result<T, Fault> {
    Err(Fault::new(400, "MalformedPolicy", message))
}

/// One or many: both are allowed in policies.
fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(many) => many.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn texts(value: &Value) -> Vec<&str> {
    items(value).into_iter().filter_map(Value::as_str).collect()
}

fn either(statement: &Value, names: [&str; 2]) -> bool {
    names.iter().filter(|name| !statement[**name].is_null()).count() == 1
}

fn check(bucket: &str, statement: &Value) -> Result<(), Fault> {
    if !statement.is_object() {
        return malformed("Policy has an invalid statement");
    }
    if !matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")) {
        return malformed("Missing required field Effect cannot be empty!");
    }
    for (names, field) in [
        (["Principal", "NotPrincipal"], "Principal"),
        (["Action", "NotAction"], "Action"),
        (["Resource", "NotResource"], "Resource"),
    ] {
        if !either(statement, names) {
            return malformed(&format!("Missing required field {field}"));
        }
    }
    let principal =
        if statement["Principal"].is_null() { &statement["NotPrincipal"] } else { &statement["Principal"] };
    if principal.as_str().is_some_and(|name| name != "*") {
        return malformed("Invalid policy syntax.");
    }
    let actions = [texts(&statement["Action"]), texts(&statement["NotAction"])].concat();
    // Prefix and name of an action are case-insensitive (IAM reference, policy element Action).
    let of_s3 = |action: &str| action == "*" || action.to_ascii_lowercase().starts_with("s3:");
    if actions.is_empty() || !actions.iter().all(|action| of_s3(action)) {
        return malformed("Policy has invalid action");
    }
    let own = arn(bucket);
    let resources = [texts(&statement["Resource"]), texts(&statement["NotResource"])].concat();
    let is_own = |resource: &&str| {
        *resource == "*"
            || resource.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*']))
    };
    if resources.is_empty() || !resources.iter().all(is_own) {
        return malformed("Policy has invalid resource");
    }
    Ok(())
}

/// Keys whose fixed values make a statement for everybody one for somebody
/// (docs/aws/s3.md#public-policies).
const NARROWING: &[&str] = &[
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

fn is_public(statement: &Value) -> bool {
    let principal = &statement["Principal"];
    let everybody = !statement["NotPrincipal"].is_null()
        || texts(principal).contains(&"*")
        || texts(&principal["AWS"]).contains(&"*");
    let narrowed = statement["Condition"].as_object().into_iter().flatten().any(|(operator, keys)| {
        !operator.contains("Not")
            && keys.as_object().into_iter().flatten().any(|(key, values)| {
                NARROWING.contains(&key.to_ascii_lowercase().as_str())
                    && !texts(values).iter().any(|value| value.contains('*') || value.ends_with("/0"))
            })
    });
    statement["Effect"] == "Allow" && everybody && !narrowed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_that_s3_refuses_are_refused_and_public_ones_are_seen() {
        let good = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::b1", "arn:aws:s3:::b1/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        let with = |name: &str, value: Value| {
            let mut statement = good.clone();
            statement[name] = value;
            examine("b1", &json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
        };
        assert_eq!(with("Sid", json!("TlsOnly")), Ok(Public::No));
        assert_eq!(with("Effect", json!("Allow")), Ok(Public::Yes));
        let mut fixed = good.clone();
        fixed["Effect"] = json!("Allow");
        fixed["Principal"] = json!({"AWS": ["*"]});
        fixed["Condition"] = json!({"StringEquals": {"aws:SourceAccount": "123456789012"}});
        assert_eq!(examine("b1", &json!({"Statement": fixed}).to_string()), Ok(Public::No));
        for (name, value) in [
            ("Effect", json!("Maybe")),
            ("Principal", Value::Null),
            ("Principal", json!("123456789012")),
            ("Action", json!("ec2:*")),
            ("Resource", json!("arn:aws:s3:::b12/*")),
        ] {
            assert_eq!(with(name, value).unwrap_err().code, "MalformedPolicy", "{name}");
        }
        for text in ["", "[]", "{}", "{\"Version\": \"2013-01-01\"}"] {
            assert_eq!(examine("b1", text).unwrap_err().code, "MalformedPolicy", "{text}");
        }
    }
}
