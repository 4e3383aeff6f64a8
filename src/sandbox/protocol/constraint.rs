//! Constraints of an operation's input, as a table, refused in AWS's own words:
//! `1 validation error detected: Value 'x' at 'modelName' failed to satisfy constraint: Member must …`.
//!
//! ```ignore
//! const MODEL_NAME: Rule = Rule::ANY.length(0, 63).pattern("[a-zA-Z0-9]([\\-a-zA-Z0-9]*[a-zA-Z0-9])?");
//! const CREATE_MODEL: &[Rule] = &[
//!     MODEL_NAME.at("ModelName").required(),
//!     Rule::ANY.at("Containers[].Mode").one_of(&["SingleModel", "MultiModel"]),
//! ];
//! ```

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex_lite::Regex;
use serde_json::Value;

use crate::call::Fault;

/// What is too long and longer than this is not held against its pattern as well.
const LONGEST_MATCHED: usize = 64 << 10;

/// What must hold at one place of the input. Absent and null members only break `required`.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    path: &'static str,
    required: bool,
    pattern: Option<&'static str>,
    length: Option<(usize, usize)>,
    range: Option<(i64, i64)>,
    one_of: &'static [&'static str],
}

impl Rule {
    /// Nothing is asked yet. A shape that many operations share starts here and is placed by [`Rule::at`].
    pub const ANY: Self =
        Self { path: "", required: false, pattern: None, length: None, range: None, one_of: &[] };

    /// Where: `ModelName`, `OutputConfig.S3OutputPath`, `Variants[].Name` (each item of a list).
    pub const fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// Must be there, if what holds it is.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The whole text matches the regular expression, which is written as AWS's model has it.
    pub const fn pattern(mut self, pattern: &'static str) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// Length of a text in characters, or of a list or map in members.
    pub const fn length(mut self, least: usize, most: usize) -> Self {
        self.length = Some((least, most));
        self
    }

    /// Value of a number, also where the protocol writes it as text.
    pub const fn range(mut self, least: i64, most: i64) -> Self {
        self.range = Some((least, most));
        self
    }

    /// Text or number is one of these.
    pub const fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.one_of = values;
        self
    }

    fn find(&self, value: Option<&Value>, path: &str, shown: String, found: &mut Vec<Violation>) {
        let (segment, rest) = path.split_once('.').unwrap_or((path, ""));
        let (name, each) = match segment.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (segment, false),
        };
        let shown = join(shown, &lower_first(name));
        let member = value.and_then(|value| value.get(name)).filter(|member| !member.is_null());
        match (each, rest.is_empty(), member) {
            (false, true, _) => self.check(member, shown, found),
            (false, false, Some(_)) => self.find(member, rest, shown, found),
            (true, _, Some(Value::Array(items))) => {
                for (index, item) in items.iter().enumerate() {
                    // AWS counts list members from 1.
                    let shown = format!("{shown}.{}.member", index + 1);
                    if rest.is_empty() {
                        self.check(Some(item), shown, found);
                    } else {
                        self.find(Some(item), rest, shown, found);
                    }
                }
            }
            _ => {}
        }
    }

    fn check(&self, member: Option<&Value>, path: String, found: &mut Vec<Violation>) {
        let Some(value) = member else {
            if self.required {
                found.push(Violation { path, value: None, must: "not be null".into() });
            }
            return;
        };
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut too_long = false;
        let mut broken = |must: String| {
            found.push(Violation { path: path.clone(), value: Some(text.clone()), must });
        };
        if let Some((least, most)) = self.length {
            let length = match value {
                Value::Array(items) => items.len(),
                Value::Object(members) => members.len(),
                _ => text.chars().count(),
            };
            if length > most {
                broken(format!("have length less than or equal to {most}"));
                too_long = text.len() > LONGEST_MATCHED;
            }
            if length < least {
                broken(format!("have length greater than or equal to {least}"));
            }
        }
        if let Some(pattern) = self.pattern.filter(|pattern| !too_long && !matches_whole(pattern, &text)) {
            broken(format!("satisfy regular expression pattern: {pattern}"));
        }
        if !self.one_of.is_empty() && !self.one_of.contains(&text.as_str()) {
            broken(format!("satisfy enum value set: [{}]", self.one_of.join(", ")));
        }
        if let Some((least, most)) = self.range {
            match value.as_i64().or_else(|| text.parse().ok()) {
                Some(number) if number > most => broken(format!("have value less than or equal to {most}")),
                Some(number) if number < least => {
                    broken(format!("have value greater than or equal to {least}"))
                }
                Some(_) => {}
                None => broken("be a number".into()),
            }
        }
    }
}

/// One broken constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// As AWS shows it: `productionVariants.1.member.variantName`.
    pub path: String,
    /// `None`: the member is missing.
    pub value: Option<String>,
    must: String,
}

/// All constraints that an input breaks, in the order of the table.
pub fn violations(rules: &[Rule], input: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    for rule in rules {
        rule.find(Some(input), rule.path, String::new(), &mut found);
    }
    found
}

/// AWS's refusal, under the service's own code.
pub fn refusal(code: &'static str, violations: &[Violation]) -> Fault {
    let count = violations.len();
    let plural = if count == 1 { "" } else { "s" };
    let all: Vec<String> = violations
        .iter()
        .map(|Violation { path, value, must }| {
            let value = value.as_ref().map_or_else(|| "null".to_owned(), |value| format!("'{value}'"));
            format!("Value {value} at '{path}' failed to satisfy constraint: Member must {must}")
        })
        .collect();
    Fault::new(400, code, format!("{count} validation error{plural} detected: {}", all.join("; ")))
}

fn join(mut path: String, name: &str) -> String {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
    path
}

/// AWS shows `ModelName` as `modelName`.
fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

fn matches_whole(pattern: &'static str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<&'static str, Regex>>> = LazyLock::new(Mutex::default);
    let regex = {
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let compile = || {
            Regex::new(&format!("^(?:{pattern})$"))
                .expect("the patterns of the tables are regular expressions")
        };
        compiled.entry(pattern).or_insert_with(compile).clone()
    };
    // A long text takes its time: nobody else waits for it.
    regex.is_match(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAME: Rule = Rule::ANY.length(1, 8).pattern("[a-zA-Z0-9](-*[a-zA-Z0-9])*");
    const RULES: &[Rule] = &[
        NAME.at("EndpointName").required(),
        Rule::ANY.at("Variants").length(1, 2),
        NAME.at("Variants[].VariantName").required(),
        Rule::ANY.at("Variants[].Count").range(1, 10),
        Rule::ANY.at("Config.Mode").required().one_of(&["A", "B"]),
        Rule::ANY.at("Keys[]").length(0, 2),
    ];

    fn told(input: Value) -> String {
        let found = violations(RULES, &input);
        if found.is_empty() { String::new() } else { refusal("ValidationException", &found).message }
    }

    #[test]
    fn a_good_input_passes_and_absent_optional_members_ask_nothing() {
        assert_eq!(told(json!({"EndpointName": "a-b"})), "");
        let full = json!({"EndpointName": "a", "Variants": [{"VariantName": "v", "Count": "3"}],
                          "Config": {"Mode": "A"}, "Keys": ["ab"]});
        assert_eq!(told(full), "");
    }

    #[test]
    fn refusals_read_as_those_of_aws() {
        let prefix = |path: &str, value: &str| {
            format!(
                "1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: Member must "
            )
        };
        assert_eq!(told(json!({})), prefix("endpointName", "null") + "not be null");
        assert_eq!(
            told(json!({"EndpointName": "a_b"})),
            prefix("endpointName", "'a_b'")
                + "satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9])*"
        );
        assert_eq!(
            told(json!({"EndpointName": "abcdefghi"})),
            prefix("endpointName", "'abcdefghi'") + "have length less than or equal to 8"
        );
        assert_eq!(
            told(json!({"EndpointName": "a", "Config": {"Mode": "C"}})),
            prefix("config.mode", "'C'") + "satisfy enum value set: [A, B]"
        );
        assert_eq!(
            told(json!({"EndpointName": "a", "Config": {}})),
            prefix("config.mode", "null") + "not be null"
        );
        assert_eq!(
            told(json!({"EndpointName": "a", "Keys": ["ok", "long"]})),
            prefix("keys.2.member", "'long'") + "have length less than or equal to 2"
        );
        let two = told(json!({"EndpointName": "a", "Variants": [{"VariantName": "v"}, {"Count": 11}]}));
        assert_eq!(
            two,
            "2 validation errors detected: Value null at 'variants.2.member.variantName' failed to satisfy constraint: \
             Member must not be null; Value '11' at 'variants.2.member.count' failed to satisfy constraint: \
             Member must have value less than or equal to 10"
        );
    }
}
