//! A section's JSON values as a typed struct, with every problem and its place, not only the first.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use super::misspelled::nearest;
use super::{Name, secrets};
use crate::domain::{Diagnostic, Diagnostics, KeyPath, codes};

/// The section type of kinds that have no section of their own in the file.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
pub struct NoSection {}

/// Reads `value` as `T`. serde stops at the first problem, so the offending leaf is taken out and the rest is
/// read again until nothing new is found. With problems, gives what is left without the items that have one,
/// so that the others can be looked at too.
pub fn read<T: DeserializeOwned>(whole: &Value, at: &KeyPath, problems: &mut Diagnostics) -> Option<T> {
    let mut value = whole.clone();
    let mut removed: Vec<KeyPath> = Vec::new();
    while let Some(leaf) = list_of_tables(&value) {
        let path = KeyPath([&at.0[..], &leaf.0].concat());
        let help = format!("write [{path}], in single brackets");
        let text = format!("`{}` is a list of tables", path.last());
        problems.push(Diagnostic::error(codes::BAD_VALUE, path, text, help));
        if !remove(&mut value, &leaf) {
            return None;
        }
        removed.push(leaf);
    }
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(read) if removed.is_empty() => return Some(read),
            Ok(_) => return serde_json::from_value(without_items(whole, &removed)).ok(),
            Err(error) => error,
        };
        let (problem, leaf) = explain(&value, at.last(), &segments(error.path()), &error.inner().to_string());
        // A key that was taken out is missing now: that is not the user's problem.
        let echo = problem.code == codes::MISSING_KEY && removed.contains(&leaf);
        if !echo {
            problems.push(Diagnostic { at: KeyPath([&at.0[..], &problem.at.0].concat()), ..problem });
        }
        // Going on needs a smaller value. A missing key takes its whole table with it.
        let cut =
            if value.pointer(&pointer(&leaf)).is_some() { leaf } else { leaf.parent().unwrap_or_default() };
        if cut.0.is_empty() || !remove(&mut value, &cut) {
            return None;
        }
        removed.push(cut);
    }
}

/// Where double brackets were written: nothing in the file is a list of tables, but for permissions and for
/// values of hyperparameters.
fn list_of_tables(value: &Value) -> Option<KeyPath> {
    match value {
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            Some(KeyPath::default())
        }
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| !["hyperparameters", "permissions"].contains(&key.as_str()))
            .find_map(|(key, value)| {
                Some(KeyPath([std::slice::from_ref(key), &list_of_tables(value)?.0[..]].concat()))
            }),
        _ => None,
    }
}

fn without_items(whole: &Value, problems: &[KeyPath]) -> Value {
    let mut value = whole.clone();
    if let Some(items) = value.as_object_mut() {
        items.retain(|name, _| !problems.iter().any(|p| p.0.first() == Some(name)));
    }
    value
}

fn segments(path: &serde_path_to_error::Path) -> KeyPath {
    use serde_path_to_error::Segment;
    KeyPath(
        path.iter()
            .filter_map(|segment| match segment {
                Segment::Seq { index } => Some(index.to_string()),
                Segment::Map { key } => Some(key.clone()),
                Segment::Enum { variant } => Some(variant.clone()),
                Segment::Unknown => None,
            })
            .collect(),
    )
}

/// Turns serde's words into ours, and finds the leaf to blame.
fn explain(value: &Value, section: &str, at: &KeyPath, message: &str) -> (Diagnostic, KeyPath) {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field") {
        return unknown_key(section, at, quoted[0], &quoted[1..]);
    }
    if message.starts_with("missing field") {
        let leaf = at.join(quoted[0]);
        let help = format!("add `{} = …`; `opsctl schema` describes it", quoted[0]);
        let text = format!("`{}` is missing", quoted[0]);
        return (Diagnostic::error(codes::MISSING_KEY, leaf.clone(), text, help), leaf);
    }
    if message.starts_with("unknown variant") {
        let help = match nearest(quoted[0], quoted[1..].iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("one of: {}", quoted[1..].join(", ")),
        };
        let text = format!("\"{}\" is not possible for `{}`", quoted[0], at.last());
        return (Diagnostic::error(codes::BAD_VALUE, at.clone(), text, help), at.clone());
    }
    if Name::refused(message) {
        let (text, expected) = message.split_once(", expected ").unwrap_or((message, "another name"));
        // serde does not step onto a key that it refuses.
        let name = message.split('"').nth(1).unwrap_or_default();
        let is_key = value.pointer(&pointer(&at.join(name))).is_some();
        let leaf = if is_key { at.join(name) } else { at.clone() };
        let problem = Diagnostic::error(codes::BAD_NAME, leaf.clone(), text, format!("use {expected}"));
        return (problem, leaf);
    }
    let key = if at.0.is_empty() { section } else { at.last() };
    let (got, help) = match message.split_once(", expected ") {
        Some((got, expected)) => (got, format!("write {}", ours(expected))),
        None => (message, in_brackets(value, at, message).unwrap_or_else(|| "correct the value".to_owned())),
    };
    // A number of the right kind, but beyond its type.
    let help = match got.strip_prefix("invalid value: integer `") {
        Some(number) if number.starts_with('-') => "write a number that is not negative".to_owned(),
        Some(_) => "write a smaller number".to_owned(),
        None => help,
    };
    // Of what may be a secret is said only what kind of thing it is.
    let whole = KeyPath([&[section.to_owned()], &at.0[..]].concat());
    let got = match secrets::may_be_shown(&whole) {
        false => got.split(['`', '"']).next().unwrap_or_default().trim_end(),
        true => got,
    };
    let text = match ["invalid type: ", "invalid value: "].iter().find_map(|kind| got.strip_prefix(kind)) {
        Some(got) => format!("`{key}` cannot be {}", ours(got)),
        None => format!("`{key}`: {got}"),
    };
    (Diagnostic::error(codes::BAD_VALUE, at.clone(), text, help), at.clone())
}

/// The one text that was written where a list of them is expected, as that list.
fn in_brackets(value: &Value, at: &KeyPath, message: &str) -> Option<String> {
    let one = value.pointer(&pointer(at)).filter(|one| one.is_string())?;
    message.contains("a list of names").then(|| format!("write [{one}]"))
}

/// What this section calls otherwise than others do: SageMaker's models have code beside them, a function
/// is its source.
fn of_others<'k>(unknown: &str, known: &[&'k str]) -> Option<&'k str> {
    let pairs = [("source", "code"), ("entry", "handler")];
    let other = pairs.iter().find_map(|&(one, other)| match unknown {
        _ if unknown == one => Some(other),
        _ if unknown == other => Some(one),
        _ => None,
    })?;
    known.iter().copied().find(|key| *key == other)
}

fn unknown_key(section: &str, at: &KeyPath, unknown: &str, known: &[&str]) -> (Diagnostic, KeyPath) {
    // serde_path_to_error may or may not have stepped onto the unknown key already.
    let leaf = if at.last() == unknown { at.clone() } else { at.join(unknown) };
    let help = match of_others(unknown, known).or_else(|| nearest(unknown, known.iter().copied())) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "nothing can be set here".into(),
        // What is in no list of ours is the script's own.
        None if known.contains(&"hyperparameters") => {
            let name = leaf.parent().unwrap_or_default();
            let known = known.join(", ");
            format!("what the script takes goes into [{section}.{name}.hyperparameters]; known here: {known}")
        }
        None => format!("known here: {}", known.join(", ")),
    };
    let problem =
        Diagnostic::error(codes::UNKNOWN_KEY, leaf.clone(), format!("unknown key `{unknown}`"), help);
    (problem, leaf)
}

/// serde's word for a type or value in ours.
fn ours(theirs: &str) -> &str {
    match theirs {
        "map" => "a table",
        "sequence" => "a list",
        "integer" | "floating point" => "a number",
        "boolean" => "true or false",
        "string" => "text",
        "a string" | "path string" => "text in quotes",
        "a sequence" => "a list in brackets",
        "a boolean" => "true or false",
        "a map" => "a table",
        "i32" | "i64" | "u8" | "u16" | "u32" | "u64" => "a whole number",
        "f64" => "a number",
        _ if theirs.starts_with("struct ") => "a table",
        // "integer `3`": the value alone says it.
        _ if ["integer ", "floating point ", "boolean ", "string "].iter().any(|t| theirs.starts_with(t)) => {
            theirs.find(['`', '"']).map_or(theirs, |value| &theirs[value..])
        }
        _ => theirs,
    }
}

fn pointer(path: &KeyPath) -> String {
    path.0.iter().map(|s| format!("/{}", s.replace('~', "~0").replace('/', "~1"))).collect()
}

fn remove(value: &mut Value, path: &KeyPath) -> bool {
    let Some(parent) = path.parent() else { return false };
    match value.pointer_mut(&pointer(&parent)) {
        Some(Value::Object(map)) => map.remove(path.last()).is_some(),
        // The other items keep their index, so that their place in the file stays right.
        Some(Value::Array(items)) => match path.last().parse::<usize>() {
            Ok(i) if i + 1 == items.len() => items.pop().is_some(),
            _ => remove(value, &parent),
        },
        _ => false,
    }
}
