//! Hyperparameters: what the config says, and the text that is sent to AWS.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Names that the container's toolkit reads itself; opsctl sends all of them
/// (<https://github.com/aws/sagemaker-training-toolkit/blob/master/src/sagemaker_training/params.py>).
pub const TOOLKIT: [&str; 4] =
    [PROGRAM, SUBMIT_DIRECTORY, "sagemaker_region", "sagemaker_container_log_level"];
/// Names the script.
pub const PROGRAM: &str = "sagemaker_program";
/// Names the archive that the script is in.
pub const SUBMIT_DIRECTORY: &str = "sagemaker_submit_directory";

/// A hyperparameter: text, number, switch, list or table. `Display` is the text that is sent.
///
/// AWS takes text only, and the toolkit in the container decodes each one as JSON, or leaves it as it is when
/// it is none. So numbers, lists and tables are sent as JSON, and text is sent raw unless that would be read
/// as something else: `"1.10"` as the number 1.1, `"true"` as a switch
/// (<https://github.com/aws/sagemaker-python-sdk/issues/3487>).
#[derive(Clone, Debug, PartialEq)]
pub struct Hyperparameter(Value);

impl Hyperparameter {
    /// The text itself, and JSON of everything else.
    pub fn plain(&self) -> String {
        self.0.as_str().map_or_else(|| self.0.to_string(), str::to_owned)
    }

    /// The text that a value of the config is sent as.
    pub fn sent(value: &Value) -> Option<String> {
        Some(Self(value.clone()).to_string())
    }
}

impl fmt::Display for Hyperparameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::String(text) if is_json(text) || has_lines(text) => f.write_str(&encoded(text)),
            Value::String(text) => f.write_str(text),
            Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(whole), _) => write!(f, "{whole}"),
                // What was written with a point keeps it.
                (None, Some(number)) if number.fract() == 0.0 && number.abs() < 1e16 => {
                    write!(f, "{number:.1}")
                }
                (None, Some(number)) if number.abs() >= 1e16 => write!(f, "{number:e}"),
                (None, number) => write!(f, "{}", number.unwrap_or_default()),
            },
            other => write!(f, "{other}"),
        }
    }
}

/// Whether Python's `json.loads` reads the text as something. It takes NaN and Infinity too, and any size of
/// number.
fn is_json(text: &str) -> bool {
    let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
    let beyond_json = ["NaN", "Infinity", "-Infinity"];
    beyond_json.contains(&trimmed)
        || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
        || (trimmed.starts_with(['[', '{']) && beyond_json.iter().any(|word| text.contains(word)))
}

/// The model's pattern for values is `.*`, whose dot stops at an end of line.
fn has_lines(text: &str) -> bool {
    text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
}

fn encoded(text: &str) -> String {
    let json = Value::from(text).to_string();
    json.chars()
        .map(|c| match c {
            '\u{85}' | '\u{2028}' | '\u{2029}' => Cow::from(format!("\\u{:04x}", c as u32)),
            c => Cow::from(c.to_string()),
        })
        .collect()
}

impl<'de> Deserialize<'de> for Hyperparameter {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Value::deserialize(d).map(Self)
    }
}

impl JsonSchema for Hyperparameter {
    fn schema_name() -> Cow<'static, str> {
        "Hyperparameter".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Text, numbers and switches arrive as they are written. Read lists and tables from SM_HPS: the argument that SageMaker's toolkit makes of one is Python's form of it ([64, 'relu', True]), which is no JSON.",
            "type": ["string", "integer", "number", "boolean", "array", "object"],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(value: Value) -> String {
        Hyperparameter(value).to_string()
    }

    #[test]
    fn plain_text_is_sent_as_it_is() {
        for text in [
            "adam",
            "resnet-50",
            "2024-01-01",
            "a b",
            "it's",
            "s3://b/k",
            "",
            "1.2.3",
            "-x",
            "[a",
            "nan",
            "5e",
        ] {
            assert_eq!(sent(json!(text)), text);
        }
    }

    #[test]
    fn text_that_would_be_decoded_is_sent_as_json() {
        let long = "12345678901234567890123";
        for text in [
            "1.10",
            "1e3",
            "1e999",
            "true",
            "null",
            "NaN",
            "-Infinity",
            "[NaN]",
            " 5 ",
            "\"a\"",
            "[1]",
            "{}",
            long,
        ] {
            assert_eq!(serde_json::from_str::<String>(&sent(json!(text))).unwrap(), text);
        }
    }

    #[test]
    fn text_of_several_lines_is_sent_in_one() {
        for text in ["a\nb", "a\r\nb", "a\u{2028}b", "a\u{85}b"] {
            let sent = sent(json!(text));
            assert!(!has_lines(&sent), "{sent}");
            assert_eq!(serde_json::from_str::<String>(&sent).unwrap(), text);
        }
    }

    #[test]
    fn numbers_switches_lists_and_tables_are_json() {
        assert_eq!(sent(json!(40)), "40");
        assert_eq!(sent(json!(0.001)), "0.001");
        assert_eq!(sent(json!(1.0)), "1.0");
        assert_eq!(sent(json!(-1e3)), "-1000.0");
        assert_eq!(sent(json!(1e-7)), "0.0000001");
        assert_eq!(sent(json!(1e16)), "1e16");
        assert_eq!(sent(json!(-1.5e22)), "-1.5e22");
        assert_eq!(sent(json!(true)), "true");
        assert_eq!(sent(json!([64, 64])), "[64,64]");
        assert_eq!(sent(json!({"a": 1, "b": "x y"})), r#"{"a":1,"b":"x y"}"#);
    }
}
