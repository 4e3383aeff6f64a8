//! The JSON Schema of the config file, joined from the kinds' own sections.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::config::audit::Audit;
use crate::config::{Access, Budget, Encryption, Lint, Networks, Project};
use crate::desired::AnyKind;

/// The schema that `opsctl schema` prints and `config/opsctl.schema.json` holds.
pub fn schema(kinds: &[Box<dyn AnyKind>]) -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut properties = Map::new();
    properties.insert("project".into(), generator.subschema_for::<Project>().to_value());
    properties.insert("access".into(), generator.subschema_for::<Access>().to_value());
    properties.insert("network".into(), generator.subschema_for::<Networks>().to_value());
    properties.insert("encryption".into(), generator.subschema_for::<Encryption>().to_value());
    properties.insert("audit".into(), generator.subschema_for::<Audit>().to_value());
    properties.insert("budget".into(), generator.subschema_for::<Budget>().to_value());
    properties.insert("lint".into(), generator.subschema_for::<Lint>().to_value());
    for kind in kinds {
        if let Some((key, schema)) = kind.schema(&mut generator) {
            properties.insert(key.into(), schema.to_value());
        }
    }
    let definitions = Value::Object(generator.take_definitions(true).into_iter().collect());
    // An environment sets only the leaves that differ, so nothing is required there.
    let overlay = json!({
        "type": "object",
        "description": "Values that differ in one environment: [env.NAME.<section>.<name>]. Nothing is required here.",
        "additionalProperties": { "type": "object" }
    });
    properties.insert("env".into(), overlay);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "opsctl.toml",
        "description": "One machine-learning project, operationalized on AWS by opsctl.",
        "type": "object",
        "required": ["project"],
        "additionalProperties": false,
        "properties": properties,
        "definitions": definitions,
    })
}
