//! The JSON Schema of the events that `-o json` writes, one per line, made from their types.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::engine::Event;

/// The schema that `opsctl schema events` prints and `docs/events.schema.json` holds.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let event = generator.subschema_for::<Event>().to_value();
    let mut definitions = Value::Object(generator.take_definitions(true).into_iter().collect());
    let version = json!({
        "type": "object",
        "description": "The first line.",
        "required": ["event", "format"],
        "properties": { "event": { "const": "version" }, "format": { "const": 1 } },
    });
    // What ends a command before anything has happened is an error too, and the only line.
    if let Some(variants) = definitions["Event"]["oneOf"].as_array_mut() {
        for variant in variants.iter_mut().filter(|one| one["properties"]["event"]["const"] == "error") {
            let description = "Only where it is the one line: nothing was begun.";
            variant["properties"]["format"] = json!({ "const": 1, "description": description });
        }
    }
    let problems = json!({
        "type": "array",
        "description": "What is wrong with the config, where it is the config.",
        "items": { "type": "object" },
    });
    if definitions["RunError"].is_object() {
        definitions["RunError"]["properties"]["problems"] = problems;
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "opsctl's events, format 1",
        "description": "One line of what a command that changes something writes with `-o json`. Within a format, fields and events are added and never renamed, retyped or removed: ignore what you do not know.",
        "oneOf": [version, event],
        "definitions": definitions,
    })
}
