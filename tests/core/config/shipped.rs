//! The files under config/: what users copy.

use std::path::Path;

use opsctl::resources::{kinds, schema};
use regex_lite::Regex;
use serde_json::Value;

use expect_test::expect_file;

use crate::project;

const SHIPPED: &str = "config/opsctl.toml";

#[test]
fn the_schema_on_disk_is_fresh() {
    expect_file!["../../../config/opsctl.schema.json"].assert_eq(&format!("{:#}\n", schema(&kinds())));
}

#[test]
fn the_shipped_config_is_valid_in_every_environment() {
    let document = project::valid(Path::new(SHIPPED), "dev").document;
    assert_eq!(
        document.environments().into_iter().collect::<Vec<_>>(),
        [] as [&str; 0],
        "laid over and gone"
    );
    project::valid(Path::new(SHIPPED), "prod");
}

#[test]
fn the_shipped_config_warns_of_nothing_but_the_small_account() {
    let problems = project::valid(Path::new(SHIPPED), "dev").problems;
    assert_eq!(problems.0.iter().map(|p| p.code.as_str()).collect::<Vec<_>>(), ["C105"]);
}

#[test]
fn the_case_to_the_letter_is_accepted_and_warned_of() {
    let file = Path::new("config/dog-breeds.toml");
    let (project, said) = project::said_about(file, std::fs::read_to_string(file).unwrap(), "dev");
    assert!(!project.unwrap().problems.has_errors(), "{said}");
    expect_file!["dog-breeds.err"].assert_eq(&said);
}

#[test]
fn the_shipped_config_names_every_key() {
    let schema = schema(&kinds());
    let text = std::fs::read_to_string(SHIPPED).unwrap();
    let mut keys = Vec::new();
    for (section, of_section) in
        schema["properties"].as_object().unwrap().iter().filter(|(key, _)| *key != "env")
    {
        for_keys(&schema, of_section, section, &mut keys);
    }
    assert!(keys.len() > 40, "{keys:?}");
    let missing: Vec<_> = keys.iter().filter(|(table, key)| !names(&text, table, key)).collect();
    assert!(missing.is_empty(), "{SHIPPED} does not show {missing:?}");
}

/// All keys below `schema`, each with its table: `endpoint.NAME.autoscaling` and `min`.
fn for_keys(root: &Value, schema: &Value, table: &str, keys: &mut Vec<(String, String)>) {
    let schema = resolve(root, schema);
    if let Some(of_names) = schema["patternProperties"].as_object() {
        let item = of_names.values().next().unwrap();
        return for_keys(root, item, &format!("{table}.NAME"), keys);
    }
    for (key, of_key) in schema["properties"].as_object().into_iter().flatten() {
        let of_key = resolve(root, of_key);
        if of_key["properties"].is_object() {
            for_keys(root, of_key, &format!("{table}.{key}"), keys);
        } else {
            keys.push((table.to_owned(), key.clone()));
        }
    }
}

/// Follows references, and the one real type of an optional one.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let any = ["anyOf", "allOf"].iter().find_map(|key| schema[*key].as_array());
    let inner = any.and_then(|of| of.iter().find(|s| s["type"] != "null"));
    match (schema["$ref"].as_str(), inner) {
        (Some(to), _) => resolve(root, root.pointer(to.trim_start_matches('#')).unwrap()),
        (None, Some(inner)) if inner["$ref"].is_string() => resolve(root, inner),
        _ => schema,
    }
}

/// Whether `key`, perhaps commented out, or a table of its name stands in `text` under `table`.
fn names(text: &str, table: &str, key: &str) -> bool {
    let path = table.replace("NAME", "[a-z0-9-]+").replace('.', r"\.");
    // A table that only some projects need is there as a comment.
    let header = Regex::new(&format!(r"^(# )?\[{path}\]")).unwrap();
    let sub = Regex::new(&format!(r"^(# )?\[{path}\.{key}\]")).unwrap();
    let line_of = Regex::new(&format!(r"^(# )?{key}\s*=")).unwrap();
    let mut within = false;
    text.lines().any(|line| {
        if line.starts_with('[') || line.starts_with("# [") {
            within = header.is_match(line);
        }
        sub.is_match(line) || (within && line_of.is_match(line))
    })
}
