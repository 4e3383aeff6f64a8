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

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex_lite::Regex;
use serde_json::Value;

use crate::fault::Fault;

/// What is too long and longer than this is not held against its pattern as well.
const LONGEST_MATCHED: usize = 64 << 10;

/// What must hold of a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits<'a> {
    /// For the whole text, written as AWS's model has it.
    pub pattern: Option<&'a str>,
    /// Characters of a text, members of a list or map.
    pub length: Option<(usize, usize)>,
    /// Value of a number, also where the protocol writes it as text.
    pub range: Option<(i64, i64)>,
    /// Text or number is one of these; none: any.
    pub one_of: &'a [&'a str],
}

impl Limits<'_> {
    /// Whether what passes here passes there.
    #[cfg(test)]
    pub fn is_within(&self, other: &Limits<'_>) -> bool {
        fn inside<T: PartialOrd>(own: Option<(T, T)>, other: Option<(T, T)>) -> bool {
            match (own, other) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some((least, most)), Some((lowest, highest))) => least >= lowest && most <= highest,
            }
        }
        inside(self.length, other.length)
            && inside(self.range, other.range)
            && (other.pattern.is_none() || self.pattern == other.pattern)
            && (other.one_of.is_empty()
                || !self.one_of.is_empty() && self.one_of.iter().all(|value| other.one_of.contains(value)))
    }

    /// What the value must do and does not: `have length less than or equal to 63`.
    pub fn broken(&self, value: &Value) -> Vec<String> {
        let text = match value {
            Value::String(text) => Cow::from(text),
            Value::Array(_) | Value::Object(_) if self.pattern.is_none() && self.one_of.is_empty() => {
                Cow::from("")
            }
            other => Cow::from(other.to_string()),
        };
        let (mut broken, mut too_long) = (Vec::new(), false);
        if let Some((least, most)) = self.length {
            let length = match value {
                Value::Array(items) => items.len(),
                Value::Object(members) => members.len(),
                _ => text.chars().count(),
            };
            if length > most {
                broken.push(format!("have length less than or equal to {most}"));
                too_long = text.len() > LONGEST_MATCHED;
            }
            if length < least {
                broken.push(format!("have length greater than or equal to {least}"));
            }
        }
        if let Some(pattern) = self.pattern.filter(|pattern| !too_long && !matches_whole(pattern, &text)) {
            broken.push(format!("satisfy regular expression pattern: {pattern}"));
        }
        if !self.one_of.is_empty() && !self.one_of.contains(&&*text) {
            broken.push(format!("satisfy enum value set: [{}]", self.one_of.join(", ")));
        }
        if let Some((least, most)) = self.range {
            let number = value.as_f64().or_else(|| text.parse().ok());
            match number {
                Some(number) if number > most as f64 => {
                    broken.push(format!("have value less than or equal to {most}"));
                }
                Some(number) if number < least as f64 => {
                    broken.push(format!("have value greater than or equal to {least}"));
                }
                Some(_) => {}
                None => broken.push("be a number".into()),
            }
        }
        broken
    }
}

/// What must hold at one place of the input. Absent and null members only break `required`.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    path: &'static str,
    required: bool,
    limits: Limits<'static>,
}

impl Rule {
    /// Nothing is asked yet. A shape that many operations share starts here and is placed by [`Rule::at`].
    pub const ANY: Self = Self {
        path: "",
        required: false,
        limits: Limits { pattern: None, length: None, range: None, one_of: &[] },
    };

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
        self.limits.pattern = Some(pattern);
        self
    }

    /// Length of a text in characters, or of a list or map in members.
    pub const fn length(mut self, least: usize, most: usize) -> Self {
        self.limits.length = Some((least, most));
        self
    }

    /// Value of a number, also where the protocol writes it as text.
    pub const fn range(mut self, least: i64, most: i64) -> Self {
        self.limits.range = Some((least, most));
        self
    }

    /// Text or number is one of these.
    pub const fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.limits.one_of = values;
        self
    }

    #[cfg(test)]
    pub fn path(&self) -> &'static str {
        self.path
    }

    #[cfg(test)]
    pub fn is_required(&self) -> bool {
        self.required
    }

    #[cfg(test)]
    pub fn limits(&self) -> Limits<'static> {
        self.limits
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
        match member {
            Some(value) => {
                let broken = self.limits.broken(value).into_iter();
                found.extend(broken.map(|must| Violation::of(path.clone(), value, must)));
            }
            None if self.required => found.push(Violation::missing(path)),
            None => {}
        }
    }
}

/// One broken constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// As AWS shows it: `productionVariants.1.member.variantName`.
    pub path: String,
    pub value: Shown,
    /// `Member must not be null`.
    constraint: String,
}

/// What a refusal shows of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The member is not there.
    Missing,
    Text(String),
    /// A map may hold what is nobody's business.
    Hidden,
}

impl Violation {
    pub fn missing(path: String) -> Self {
        Self { path, value: Shown::Missing, constraint: "Member must not be null".to_owned() }
    }

    pub fn of(path: String, value: &Value, must: String) -> Self {
        let shown = match value {
            Value::String(text) => Shown::Text(text.clone()),
            Value::Object(_) => Shown::Hidden,
            other => Shown::Text(other.to_string()),
        };
        Self { path, value: shown, constraint: format!("Member must {must}") }
    }

    /// Of the keys or of a value of a map.
    pub fn of_map(path: String, side: &str, key: &str, broken: &[String]) -> Self {
        let all: Vec<String> = broken.iter().map(|must| format!("Member must {must}")).collect();
        let constraint = format!("Map {side} must satisfy constraint: [{}] for key {key}", all.join(", "));
        Self { path, value: Shown::Hidden, constraint }
    }

    fn sentence(&self) -> String {
        let Self { path, value, constraint } = self;
        let value = match value {
            Shown::Missing => "Value null".to_owned(),
            Shown::Text(text) => format!("Value '{text}'"),
            Shown::Hidden => "Value".to_owned(),
        };
        format!("{value} at '{path}' failed to satisfy constraint: {constraint}")
    }
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
    let all: Vec<String> = violations.iter().map(Violation::sentence).collect();
    Fault::new(400, code, format!("{count} validation error{plural} detected: {}", all.join("; ")))
}

pub fn join(mut path: String, name: &str) -> String {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
    path
}

/// AWS shows `ModelName` as `modelName`.
pub fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

fn matches_whole(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let regex = {
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        match compiled.get(pattern) {
            Some(regex) => regex.clone(),
            None => compiled.entry(pattern.to_owned()).or_insert_with(|| compile(pattern)).clone(),
        }
    };
    // A long text takes its time: nobody else waits for it.
    regex.is_none_or(|regex| regex.is_match(text))
}

/// Whether a pattern of AWS's can be matched here.
pub fn is_pattern(pattern: &str) -> bool {
    compile(pattern).is_some()
}

/// Where the group ends that the text begins with.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// AWS's patterns are Java's. What this engine has no word for is written in another way, and looking ahead
/// and behind is left out, which lets more through.
fn compile(pattern: &str) -> Option<Regex> {
    const WORDS: &[(&str, &str)] = &[
        ("\\uD800\\uDC00-\\uDBFF\\uDFFF", "\\x{10000}-\\x{10FFFF}"),
        ("\\p{Print}", "\\x20-\\x7E"),
        ("\\p{ASCII}", "\\x00-\\x7F"),
        ("\\p{Alnum}", "a-zA-Z0-9"),
        // Beyond ASCII every character counts as a letter.
        ("\\p{L}", "a-zA-Z\\x{80}-\\x{10FFFF}"),
        ("\\p{Z}", "\\x20"),
        ("\\p{N}", "0-9"),
    ];
    let mut written = pattern.to_owned();
    for start in ["(?!", "(?<!"] {
        while let Some(at) = written.find(start) {
            let end = at + closing(&written[at..])?;
            written.replace_range(at..=end, "");
        }
    }
    for (java, ours) in WORDS {
        let in_class = pattern.contains('[');
        let alone = format!("[{ours}]");
        written = written.replace(java, if in_class { ours } else { &alone });
    }
    while let Some(at) = written.find("\\u") {
        let code = written.get(at + 2..at + 6)?.to_owned();
        written.replace_range(at..at + 6, &format!("\\x{{{code}}}"));
    }
    Regex::new(&format!("^(?:{written})$")).ok()
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
