//! One statement of ours in a document that belongs to somebody else. A statement is known by its `Sid`; all
//! others are left as they are.

use serde_json::{Value, json};

use crate::equal;

/// Whether the document has a statement of this `Sid` that means the same. One of another `Sid` is
/// somebody else's: [`without`] would leave it.
pub fn has(document: &Value, statement: &Value) -> bool {
    list(Some(document)).iter().any(|one| equal::statement(one) == equal::statement(statement))
}

/// Whether the document has a statement of this `Sid` that means something else: [`with`] would replace it.
pub fn is_taken(document: &Value, statement: &Value) -> bool {
    let named = |one: &&Value| one["Sid"] == statement["Sid"];
    list(Some(document)).iter().filter(named).any(|one| equal::statement(one) != equal::statement(statement))
}

/// The document with this statement, in the place of the one with its `Sid` if there is one.
pub fn with(document: Option<&Value>, statement: &Value) -> Value {
    let mut statements = list(document);
    let sid = &statement["Sid"];
    match statements.iter_mut().find(|s| s["Sid"] == *sid) {
        Some(old) => *old = statement.clone(),
        None => statements.push(statement.clone()),
    }
    let mut document =
        document.filter(|d| d.is_object()).cloned().unwrap_or_else(|| json!({ "Version": "2012-10-17" }));
    document["Statement"] = Value::Array(statements);
    document
}

/// The document without the statements of these `Sid`s; `None` when nothing is left.
pub fn without(document: &Value, sids: &[&str]) -> Option<Value> {
    let mut statements = list(Some(document));
    statements.retain(|statement| !statement["Sid"].as_str().is_some_and(|sid| sids.contains(&sid)));
    if statements.is_empty() {
        return None;
    }
    let mut document = document.clone();
    document["Statement"] = Value::Array(statements);
    Some(document)
}

/// The statements; one alone may stand without a list.
fn list(document: Option<&Value>) -> Vec<Value> {
    match document.and_then(|d| d.get("Statement")) {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}
