//! A JSON document against a schema of ours: as much of JSON Schema as schemars writes. Stricter than the
//! schema in one point: a property that it does not name is one that nobody has described.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value;

/// What is wrong with a value, by the schema `root`.
pub fn faults(root: &Value, value: &Value) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut faults = Vec::new();
    check(root, root, value, "", &mut known, &mut faults);
    faults
}

fn check(
    root: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
    known: &mut BTreeSet<String>,
    faults: &mut Vec<String>,
) {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/definitions/")) {
        return check(root, &root["definitions"][name], value, at, known, faults);
    }
    let mut wrong = |what: String| faults.push(format!("{at}: {what}: {value}"));
    if let Some(types) = schema.get("type") {
        let types: Vec<&str> = match types {
            Value::String(one) => vec![one],
            other => other.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        };
        if !types.iter().any(|name| is_a(value, name)) {
            return wrong(format!("it is no {types:?}"));
        }
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return wrong(format!("it is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return wrong(format!("it is none of {}", schema["enum"]));
    }
    let pattern = schema["pattern"].as_str().map(|pattern| Regex::new(pattern).expect("a pattern"));
    if pattern.zip(value.as_str()).is_some_and(|(pattern, text)| !pattern.is_match(text)) {
        return wrong(format!("it does not fit {}", schema["pattern"]));
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(root, part, value, at, known, faults);
    }
    if let Some(items) = schema.get("items") {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            object(root, items, item, &format!("{at}/{index}"), faults);
        }
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            faults.push(format!("{at}: `{name}` is missing"));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        known.insert(name.clone());
        if let Some(value) = value.get(name) {
            object(root, property, value, &format!("{at}/{name}"), faults);
        }
    }
    for either in ["oneOf", "anyOf"] {
        let Some(choices) = schema[either].as_array() else { continue };
        let tried = choices.iter().map(|choice| {
            let (mut names, mut found) = (BTreeSet::new(), Vec::new());
            check(root, choice, value, at, &mut names, &mut found);
            (found, names)
        });
        match tried.min_by_key(|(found, _)| found.len()) {
            Some((found, names)) => {
                faults.extend(found);
                known.extend(names);
            }
            None => faults.push(format!("{at}: nothing is allowed")),
        }
    }
    if at.is_empty() && schema == root {
        unknown(value, known, at, faults);
    }
}

/// A value of its own, with its own names.
fn object(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let mut known = BTreeSet::new();
    check(root, schema, value, at, &mut known, faults);
    // An object of which nothing is described may hold anything.
    if !known.is_empty() {
        unknown(value, &known, at, faults);
    }
}

fn unknown(value: &Value, known: &BTreeSet<String>, at: &str, faults: &mut Vec<String>) {
    let names = value.as_object().into_iter().flatten().map(|(name, _)| name);
    faults.extend(
        names.filter(|name| !known.contains(*name)).map(|name| format!("{at}: `{name}` is not described")),
    );
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("schemars writes {other} now"),
    }
}
