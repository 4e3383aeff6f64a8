//! Constraints of an operation's input, as a table, refused in AWS's own words:
//! `1 validation error detected: Value 'x' at 'modelName' failed to satisfy constraint: Member must …`.
//!
//! ```ignore
//! const MODEL_NAME: Constraint = Constraint::ANY.length(0, 63).pattern("[a-zA-Z0-9]([\\-a-zA-Z0-9]*)?");
//! const CREATE_MODEL: &[Constraint] = &[
//!     MODEL_NAME.at("ModelName").required(),
//!     Constraint::ANY.at("Containers[].Mode").one_of(&["SingleModel", "MultiModel"]),
//! ];
//! ```

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex_lite::Regex;
use serde_json::Value;

use crate::fault::Fault;

/// What is too long and longer than this is not held against its pattern as well.
const LONGEST_MATCHED: usize = 64 << 10;

/// A refusal tells of so many constraints, and is about so long; what else is broken is not looked for. An
/// input of a few megabytes may break hundreds of thousands.
const MOST_TOLD: usize = 50;
const LONGEST_REFUSAL: usize = 64 << 10;

/// So much is shown of a value.
const LONGEST_SHOWN: usize = 1 << 10;

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
pub struct Constraint {
    path: &'static str,
    required: bool,
    limits: Limits<'static>,
}

impl Constraint {
    /// No constraint yet. A shape that many operations share starts here and is placed by
    /// [`Constraint::at`].
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

    /// Where the member is: `Tags.*.Key`.
    #[cfg(test)]
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Whether it must be there.
    #[cfg(test)]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// What its value must be.
    #[cfg(test)]
    pub fn limits(&self) -> Limits<'static> {
        self.limits
    }

    fn find(&self, value: Option<&Value>, path: &str, shown: String, found: &mut Violations) {
        if found.is_full() {
            return;
        }
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
                    if found.is_full() {
                        break;
                    }
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

    fn check(&self, member: Option<&Value>, path: String, found: &mut Violations) {
        match member {
            Some(value) => {
                for must in self.limits.broken(value) {
                    found.add(Violation::of(path.clone(), value, must));
                }
            }
            None if self.required => found.add(Violation::missing(path)),
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
    /// Of a member that is not there.
    pub fn missing(path: String) -> Self {
        Self { path, value: Shown::Missing, constraint: "Member must not be null".to_owned() }
    }

    /// Of a value that is not what it must be.
    pub fn of(path: String, value: &Value, must: String) -> Self {
        let shown = match value {
            Value::String(text) => Shown::Text(cut(text).into_owned()),
            Value::Object(_) => Shown::Hidden,
            other => Shown::Text(written(other)),
        };
        Self { path, value: shown, constraint: format!("Member must {must}") }
    }

    /// Of the keys or of a value of a map.
    pub fn of_map(path: String, side: &str, key: &str, broken: &[String]) -> Self {
        let all: Vec<String> = broken.iter().map(|must| format!("Member must {must}")).collect();
        let (all, key) = (all.join(", "), cut(key));
        let constraint = format!("Map {side} must satisfy constraint: [{all}] for key {key}");
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

/// The constraints that an input breaks, each once, as far as a refusal tells of them.
#[derive(Debug, Default)]
pub struct Violations {
    found: Vec<Violation>,
    length: usize,
}

impl Violations {
    /// The constraints of a table, in its order.
    pub fn of(constraints: &[Constraint], input: &Value) -> Self {
        let mut found = Self::default();
        for rule in constraints {
            rule.find(Some(input), rule.path, String::new(), &mut found);
        }
        found
    }

    /// Adds one, while there is room.
    pub fn add(&mut self, violation: Violation) {
        if !self.is_full() && !self.found.contains(&violation) {
            self.length += violation.sentence().len();
            self.found.push(violation);
        }
    }

    /// Whether looking for more is in vain.
    pub fn is_full(&self) -> bool {
        self.found.len() >= MOST_TOLD || self.length >= LONGEST_REFUSAL
    }

    /// Those that the answer names.
    pub fn told(&self) -> &[Violation] {
        &self.found
    }
}

/// The beginning of a text that is too long to be shown.
pub fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// The beginning of a value's JSON; the rest is not even written.
fn written(value: &Value) -> String {
    struct Beginning(Vec<u8>);
    impl io::Write for Beginning {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // One byte more than is shown of text whose characters have four.
            if self.0.len() > 4 * LONGEST_SHOWN {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut beginning = Beginning(Vec::new());
    // It ends early by this error alone.
    let _ = serde_json::to_writer(&mut beginning, value);
    cut(&String::from_utf8_lossy(&beginning.0)).into_owned()
}

/// AWS's refusal, under the service's own code.
pub fn refusal(code: &'static str, violations: &[Violation]) -> Fault {
    let count = violations.len();
    let plural = if count == 1 { "" } else { "s" };
    let all: Vec<String> = violations.iter().map(Violation::sentence).collect();
    Fault::new(400, code, format!("{count} validation error{plural} detected: {}", all.join("; ")))
}

/// A member below a path, as AWS writes it.
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
    static COMPILED: LazyLock<Mutex<HashMap<String, Option<Arc<Pattern>>>>> = LazyLock::new(Mutex::default);
    let compiled = {
        let mut all = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(pattern) {
            Some(compiled) => compiled.clone(),
            None => all.entry(pattern.to_owned()).or_insert_with(|| compile(pattern).map(Arc::new)).clone(),
        }
    };
    // A long text takes its time: nobody else waits for it.
    compiled.is_none_or(|pattern| pattern.matches(text))
}

/// Whether a pattern of AWS's can be matched here.
pub fn is_pattern(pattern: &str) -> bool {
    compile(pattern).is_some()
}

/// A pattern of AWS's. Theirs are Java's, which looks ahead and behind; this engine does not, so such a
/// pattern is taken apart where it looks.
struct Pattern {
    /// What comes before it looks; the whole of most.
    start: Regex,
    then: Option<(Lookaround, Box<Pattern>)>,
}

/// What may not be where a pattern looks.
enum Lookaround {
    Ahead(Regex),
    Behind(Regex),
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        let Some((look, rest)) = &self.then else { return self.start.is_match(text) };
        let mut places = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        places.any(|at| {
            let (before, after) = text.split_at(at);
            let forbidden = match look {
                Lookaround::Ahead(what) => what.is_match(after),
                Lookaround::Behind(what) => what.is_match(before),
            };
            self.start.is_match(before) && !forbidden && rest.matches(after)
        })
    }
}

/// What opens and closes groups and alternatives, with where it is and how many groups are open before it:
/// nothing that is escaped, nothing in a class.
fn marks(pattern: &str) -> Vec<(usize, char, usize)> {
    let (mut marks, mut depth, mut in_class) = (Vec::new(), 0_usize, false);
    let mut letters = pattern.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '[' => in_class = true,
            ']' => in_class = false,
            '(' | ')' | '|' if !in_class => {
                depth -= usize::from(letter == ')' && depth > 0);
                marks.push((at, letter, depth));
                depth += usize::from(letter == '(');
            }
            _ => {}
        }
    }
    marks
}

/// `None` for what cannot be said here: looking within a group, or among alternatives.
fn compile(pattern: &str) -> Option<Pattern> {
    let marks = marks(pattern);
    let looks = |at: usize| ["(?!", "(?<!"].into_iter().find(|start| pattern[at..].starts_with(start));
    let first = marks.iter().find_map(|(at, letter, depth)| {
        (*letter == '(' && *depth == 0).then(|| Some((*at, looks(*at)?))).flatten()
    });
    let Some((at, start)) = first else {
        return Some(Pattern { start: anchored(pattern, "^(?:", ")$")?, then: None });
    };
    if marks.iter().any(|(_, letter, depth)| *letter == '|' && *depth == 0) {
        return None;
    }
    let end = marks.iter().find(|(end, letter, depth)| *end > at && *letter == ')' && *depth == 0)?.0;
    let what = &pattern[at + start.len()..end];
    let look = match start {
        "(?!" => Lookaround::Ahead(anchored(what, "^(?:", ")")?),
        _ => Lookaround::Behind(anchored(what, "(?:", ")$")?),
    };
    let rest = Box::new(compile(&pattern[end + 1..])?);
    Some(Pattern { start: anchored(&pattern[..at], "^(?:", ")$")?, then: Some((look, rest)) })
}

/// What this engine has no word for is written in another way.
fn anchored(pattern: &str, before: &str, after: &str) -> Option<Regex> {
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
    for (java, ours) in WORDS {
        let in_class = pattern.contains('[');
        let alone = format!("[{ours}]");
        written = written.replace(java, if in_class { ours } else { &alone });
    }
    while let Some(at) = written.find("\\u") {
        let code = written.get(at + 2..at + 6)?.to_owned();
        written.replace_range(at..at + 6, &format!("\\x{{{code}}}"));
    }
    Regex::new(&format!("{before}{written}{after}")).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAME: Constraint = Constraint::ANY.length(1, 8).pattern("[a-zA-Z0-9](-*[a-zA-Z0-9])*");
    const RULES: &[Constraint] = &[
        NAME.at("EndpointName").required(),
        Constraint::ANY.at("Variants").length(1, 2),
        NAME.at("Variants[].VariantName").required(),
        Constraint::ANY.at("Variants[].Count").range(1, 10),
        Constraint::ANY.at("Config.Mode").required().one_of(&["A", "B"]),
        Constraint::ANY.at("Keys[]").length(0, 2),
    ];

    fn told(input: Value) -> String {
        let found = Violations::of(RULES, &input);
        let found = found.told();
        if found.is_empty() { String::new() } else { refusal("ValidationException", found).message }
    }

    #[test]
    fn patterns_look_ahead_and_behind() {
        let alias = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";
        let bucket = r"[0-9A-Za-z\.\-_]*(?<!\.)";
        let versioned =
            r"(arn:aws[a-z\-]*:[a-z\-]*\/)?([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)(\/[0-9]{1,9})?";
        let action = r"(?!((^[ ]+.*)|(.*([\u0000-\u001f]|[:/|])+.*)|(.*[ ]+$))).+";
        let path = r"/(?!.*\.\.)[a-zA-Z0-9/_.\-]+";
        for (pattern, good, bad) in [
            (alias, vec!["live", "1a", "v-1"], vec!["1", "12", ""]),
            (bucket, vec!["a.b", ""], vec!["a.", "a.b."]),
            (versioned, vec!["m", "m-1/7", "arn:aws:model/m/1"], vec!["m-", "m-/7", "m/"]),
            (action, vec!["nightly run"], vec![" a", "a ", "a:b", "a/b", ""]),
            (r"(?!\s*$).+", vec!["a", " a "], vec!["", "  "]),
            (path, vec!["/a.b/c"], vec!["/a/../b", "/", "a"]),
        ] {
            for text in good {
                assert!(matches_whole(pattern, text), "{pattern} refuses {text:?}");
            }
            for text in bad {
                assert!(!matches_whole(pattern, text), "{pattern} takes {text:?}");
            }
        }
        // What cannot be checked is told, not left out: the test of the models' patterns finds it.
        assert!(!is_pattern("a((?!b)c)+") && !is_pattern("a|(?!b)c") && !is_pattern("(?=b)c"));
    }

    #[test]
    fn a_good_input_passes_and_absent_optional_members_ask_nothing() {
        assert_eq!(told(json!({"EndpointName": "a-b"})), "");
        let full = json!({"EndpointName": "a", "Variants": [{"VariantName": "v", "Count": "3"}],
                          "Config": {"Mode": "A"}, "Keys": ["ab"]});
        assert_eq!(told(full), "");
    }

    /// Eight megabytes that break everything were once minutes of work and gigabytes of answer.
    #[test]
    fn a_refusal_is_bounded_whatever_an_input_breaks() {
        let bad = |count: usize| vec![json!({"VariantName": "x".repeat(100), "Count": 0}); count];
        let message = told(json!({"EndpointName": "a", "Variants": bad(300_000)}));
        assert!(message.starts_with("50 validation errors detected: "), "{}", &message[..80]);
        assert!(message.len() < 64 << 10, "{}", message.len());
        let long = told(json!({"EndpointName": "é".repeat(1 << 20), "Variants": vec!["é"; 1 << 20]}));
        assert!(long.contains("é…' at 'endpointName'") && long.len() < 16 << 10, "{}", long.len());

        static LONG: [&str; 400] = ["an-enum-as-long-as-that-of-all-instance-types"; 400];
        const ENUM: &[Constraint] = &[Constraint::ANY.at("Types[]").one_of(&LONG)];
        let found = Violations::of(ENUM, &json!({"Types": ["x", "y", "z", "x", "y", "z", "x", "y", "z"]}));
        assert_eq!(found.told().len(), 4, "a long list of values is not repeated forever");
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
            "2 validation errors detected: Value null at 'variants.2.member.variantName' failed to satisfy \
             constraint: Member must not be null; Value '11' at 'variants.2.member.count' failed to satisfy \
             constraint: Member must have value less than or equal to 10"
        );
    }
}
