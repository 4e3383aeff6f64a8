//! What the fuzzer of configs writes.

use std::collections::BTreeSet;

use expect_test::expect_file;
use opsctl::resources::{kinds, schema};
use serde_json::Value;

/// What is no key: values, and pieces of TOML that are easy to get wrong.
const PIECES: [&str; 16] = [
    "[project]",
    "[endpoint.a]",
    "[endpoint.a.autoscaling]",
    "[function.f]",
    "[training.t]",
    "[env.prod.",
    "= \"",
    "pytorch-2.6",
    "ml.m5.large",
    "\"\"\"",
    "'''",
    "1e400",
    "-0x1",
    "1979-05-27T07:32:00Z",
    "30d",
    "\"never\"",
];

/// The keys and the words of a schema.
fn words(of: &Value, found: &mut BTreeSet<String>) {
    let values = of["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    found.extend(values.map(str::to_owned));
    found.extend(of["properties"].as_object().into_iter().flat_map(|keys| keys.keys().cloned()));
    match of {
        Value::Object(inner) => inner.values().for_each(|of| words(of, found)),
        Value::Array(inner) => inner.iter().for_each(|of| words(of, found)),
        _ => {}
    }
}

/// `tests/fuzz/config.dict` is written from the schema, so that a new key is fuzzed too.
#[test]
fn the_dictionary_of_the_fuzzer_has_every_key() {
    let mut found = BTreeSet::new();
    words(&schema(&kinds()), &mut found);
    let lines = found.iter().map(String::as_str).chain(PIECES).map(|word| format!("{word:?}\n"));
    expect_file!["../../fuzz/config.dict"].assert_eq(&lines.collect::<String>());
}
