//! The grammar of an IAM policy document, read as leniently as AWS itself reads it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::pattern;
use crate::restriction::Restriction;

/// A policy document as found in a dump: understood, or not. What is not understood is never "clean":
/// it becomes IAM901.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// A document whose every part was understood.
    Parsed(Policy),
    /// A document that does not follow the grammar, and why.
    Malformed(String),
}

impl Document {
    /// The policy, if the document was understood.
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Parsed(policy) => Some(policy),
            Self::Malformed(_) => None,
        }
    }

    /// Its statements; none of one that was not understood, for callers to whom that is the same.
    pub fn statements(&self) -> &[Arc<Statement>] {
        self.policy().map_or(&[], |policy| &policy.statements)
    }

    /// Reads a document given as JSON, or as a string that holds JSON, URL-encoded (RFC 3986) or not.
    ///
    /// # Examples
    /// ```
    /// use opsctl_iam::policy::Document;
    ///
    /// let text = r#"{"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}"#;
    /// let document = Document::read(text.into());
    /// let policy = document.policy().expect("it follows the grammar");
    /// assert_eq!(policy.statements[0].actions.patterns(), ["s3:Get*"]);
    ///
    /// assert!(Document::read("{\"Statement\": 7}".into()).policy().is_none());
    /// ```
    pub fn read(value: Value) -> Self {
        match value {
            Value::String(text) => Self::read_text(&text),
            Value::Object(map) => {
                let size = characters(&map);
                match Policy::from_json(map) {
                    Ok(policy) => Self::Parsed(Policy { size, ..policy }),
                    Err(why) => Self::Malformed(why),
                }
            }
            other => Self::Malformed(format!("a policy is an object, this is {}", kind_of(&other))),
        }
    }

    /// Text as exporters leave it: with a byte order mark, URL-encoded once or twice, quoted once more.
    fn read_text(text: &str) -> Self {
        let mut plain = Cow::Borrowed(text);
        for _ in 0..3 {
            let shown = plain.trim_start_matches('\u{feff}').trim();
            if shown.starts_with('{') || shown.starts_with('"') {
                return Self::read_json(shown);
            }
            plain = percent_encoding::percent_decode_str(shown).decode_utf8_lossy().into_owned().into();
        }
        Self::read_json(&plain)
    }

    fn read_json(text: &str) -> Self {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::String(inner)) if inner.len() + 2 <= text.len() => Self::read_text(&inner),
            Ok(Value::String(_)) => Self::Malformed("a string within a string".into()),
            Ok(value) => Self::read(value),
            // Forms write spaces as `+`, which JSON does not know outside its strings.
            Err(error) => match serde_json::from_str(&text.replace('+', " ")) {
                Ok(value @ Value::Object(_)) => Self::read(value),
                _ => Self::Malformed(format!("not JSON: {error}")),
            },
        }
    }
}

/// The length of a document written without white space, outside and within its texts.
fn characters(map: &Map<String, Value>) -> usize {
    fn text(text: &str) -> usize {
        text.chars().filter(|c| !c.is_whitespace()).count() + 2
    }
    fn of(value: &Value) -> usize {
        match value {
            Value::String(s) => text(s),
            Value::Array(items) => items.iter().map(|item| of(item) + 1).sum::<usize>().max(1) + 1,
            Value::Object(map) => characters(map),
            other => other.to_string().len(),
        }
    }
    map.iter().map(|(key, value)| text(key) + of(value) + 2).sum::<usize>().max(1) + 1
}

impl Default for Document {
    fn default() -> Self {
        Self::Malformed("the document is missing".into())
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let known = SHARED.with_borrow(|shared| shared.as_ref()?.get(raw.get()).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let value = serde_json::from_str(raw.get());
        let read = match value.map_or_else(|error| Self::Malformed(format!("not JSON: {error}")), Self::read)
        {
            Self::Parsed(policy) if policy.size > LONGEST => {
                Self::Malformed(format!("{} characters, and IAM takes {LONGEST} at most", policy.size))
            }
            read => read,
        };
        let text = Box::<str>::from(raw);
        SHARED.with_borrow_mut(|shared| shared.as_mut().map(|shared| shared.insert(text, read.clone())));
        Ok(read)
    }
}

thread_local! {
    /// The documents read so far by [`sharing`], by their text.
    static SHARED: RefCell<Option<HashMap<Box<str>, Document>>> = const { RefCell::new(None) };
}

/// Reads something with many documents: those of the same text are read once, and share their statements.
pub fn sharing<T>(read: impl FnOnce() -> T) -> T {
    SHARED.set(Some(HashMap::new()));
    let result = read();
    SHARED.set(None);
    result
}

/// No document that IAM was given is longer, whatever its quotas: what is says nothing of an account, and
/// would be judged for minutes. <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html>
const LONGEST: usize = 131_072;

/// A policy document.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// `2012-10-17`, or `2008-10-17` (also when absent), which knows no policy variables.
    pub version: Option<String>,
    /// Shared: the engine compiles them without copying.
    pub statements: Vec<Arc<Statement>>,
    /// Characters as IAM counts them against its quotas: without white space. 0 for what was made here.
    pub size: usize,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// `Sid`
    pub sid: Option<String>,
    /// Whether its `Effect` is `Allow`.
    pub allow: bool,
    /// The actions it names.
    pub actions: Selector,
    /// Absent in trust policies.
    pub resources: Option<Selector>,
    /// Present in trust and resource policies only.
    pub principals: Option<Principals>,
    /// All of its `Condition`.
    pub conditions: Vec<Condition>,
}

/// `Action`/`Resource`, or `NotAction`/`NotResource`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// What any of these patterns matches.
    Only(Vec<String>),
    /// What none of these patterns matches.
    Except(Vec<String>),
}

impl Selector {
    /// The patterns as written.
    pub fn patterns(&self) -> &[String] {
        match self {
            Self::Only(patterns) | Self::Except(patterns) => patterns,
        }
    }

    /// The same, to be changed.
    pub fn patterns_mut(&mut self) -> &mut Vec<String> {
        match self {
            Self::Only(patterns) | Self::Except(patterns) => patterns,
        }
    }

    /// Whether the scope takes in a text, given how its patterns are compared.
    pub fn covers(&self, text: &str, compare: impl Fn(&str, &str) -> bool) -> bool {
        let any = self.patterns().iter().any(|pattern| compare(pattern, text));
        any == matches!(self, Self::Only(_))
    }
}

/// `Principal` or `NotPrincipal`: (kind, value) pairs; the kind of a bare `"*"` is `*`.
#[derive(Clone, Debug, PartialEq)]
pub struct Principals {
    /// `NotPrincipal`
    pub negated: bool,
    /// Kind and value of each.
    pub listed: Vec<(String, String)>,
}

/// One operator and key of a condition block; all of a statement's must hold, any value of one will do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// `StringLike`, as it is written.
    pub operator: String,
    /// The key that is compared, as it is written.
    pub key: String,
    /// What it is compared with.
    pub values: Vec<String>,
    /// How much it holds back, where the account tells more than the condition itself: whom a policy that it
    /// admits makes an administrator, say.
    pub known: Option<Restriction>,
}

impl Condition {
    /// A condition of which nothing is known but what it says.
    pub fn new(operator: impl Into<String>, key: impl Into<String>, values: Vec<String>) -> Self {
        Self { operator: operator.into(), key: key.into(), values, known: None }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} = {}", self.operator, self.key, self.values.join(", "))
    }
}

impl Statement {
    /// The statement of a document whose version knows no variables, for one that does: `${` is a text there.
    #[must_use]
    pub fn without_variables(&self) -> Self {
        let mut plain = self.clone();
        let patterns = plain.resources.iter_mut().flat_map(Selector::patterns_mut);
        let values = plain.conditions.iter_mut().flat_map(|c| &mut c.values);
        patterns.chain(values).for_each(|text| *text = text.replace("${", "${$}{"));
        plain
    }

    /// The name for evidence: the Sid, else the place in the document.
    pub fn label(&self, index: usize) -> String {
        match &self.sid {
            Some(sid) => format!("statement {sid}"),
            None => format!("statement {}", index + 1),
        }
    }

    /// Whether it is an Allow that names the action, on whatever and under whatever condition.
    pub fn allows(&self, action: &str) -> bool {
        self.allow && self.actions.covers(action, pattern::matches_ignoring_case)
    }

    /// The patterns of its `Resource`; none where it has `NotResource`, which names what it is not about.
    pub fn on(&self) -> &[String] {
        match &self.resources {
            Some(Selector::Only(patterns)) => patterns,
            _ => &[],
        }
    }

    /// The conditions on a key (keys are compared without case).
    pub fn conditions_on<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Condition> {
        self.conditions.iter().filter(move |c| c.key.eq_ignore_ascii_case(key))
    }
}

impl Policy {
    fn from_json(mut map: Map<String, Value>) -> Result<Self, String> {
        let version = take(&mut map, "Version").map(|v| text(v, "Version")).transpose()?;
        let statements = match take(&mut map, "Statement") {
            Some(Value::Array(list)) => list,
            Some(one @ Value::Object(_)) => vec![one],
            Some(other) => return Err(format!("Statement is {}", kind_of(&other))),
            None => return Err("there is no Statement".into()),
        };
        let statements = statements
            .into_iter()
            .enumerate()
            .map(|(i, value)| {
                Statement::from_json(value).map(Arc::new).map_err(|why| format!("statement {}: {why}", i + 1))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { version, statements, size: 0 })
    }
}

impl Statement {
    /// Reads one statement, as leniently as a document is read.
    ///
    /// # Errors
    /// What of it does not follow the grammar.
    pub fn from_json(value: Value) -> Result<Self, String> {
        let Value::Object(mut map) = value else {
            return Err(format!("is {}, not an object", kind_of(&value)));
        };
        let allow = match take(&mut map, "Effect") {
            Some(Value::String(effect)) if effect.eq_ignore_ascii_case("allow") => true,
            Some(Value::String(effect)) if effect.eq_ignore_ascii_case("deny") => false,
            _ => return Err("Effect is neither Allow nor Deny".into()),
        };
        let actions =
            scope(&mut map, "Action", "NotAction")?.ok_or("there is neither Action nor NotAction")?;
        let resources = scope(&mut map, "Resource", "NotResource")?;
        let principals = match (take(&mut map, "Principal"), take(&mut map, "NotPrincipal")) {
            (Some(_), Some(_)) => return Err("both Principal and NotPrincipal".into()),
            (Some(value), None) => Some(Principals { negated: false, listed: principals(value)? }),
            (None, Some(value)) => Some(Principals { negated: true, listed: principals(value)? }),
            (None, None) => None,
        };
        let conditions = take(&mut map, "Condition").map(conditions).transpose()?.unwrap_or_default();
        let sid = take(&mut map, "Sid").map(|v| text(v, "Sid")).transpose()?.filter(|sid| !sid.is_empty());
        Ok(Self { sid, allow, actions, resources, principals, conditions })
    }
}

/// Element names are compared without case, as AWS stores `"statement"` too.
fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = map.remove(name) {
        return Some(value);
    }
    let key = map.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    map.remove(&key)
}

fn scope(map: &mut Map<String, Value>, only: &str, except: &str) -> Result<Option<Selector>, String> {
    match (take(map, only), take(map, except)) {
        (Some(_), Some(_)) => Err(format!("both {only} and {except}")),
        (Some(value), None) => texts(value, only).map(Selector::Only).map(Some),
        (None, Some(value)) => texts(value, except).map(Selector::Except).map(Some),
        (None, None) => Ok(None),
    }
}

fn principals(value: Value) -> Result<Vec<(String, String)>, String> {
    match value {
        Value::String(text) if text == "*" => Ok(vec![("*".into(), text)]),
        Value::Object(map) => map.into_iter().try_fold(Vec::new(), |mut all, (kind, value)| {
            all.extend(texts(value, &kind)?.into_iter().map(|text| (kind.clone(), text)));
            Ok(all)
        }),
        other => Err(format!("Principal is {}", kind_of(&other))),
    }
}

fn conditions(value: Value) -> Result<Vec<Condition>, String> {
    let Value::Object(operators) = value else {
        return Err(format!("Condition is {}", kind_of(&value)));
    };
    let mut all = Vec::new();
    for (operator, keys) in operators {
        let Value::Object(keys) = keys else {
            return Err(format!("Condition.{operator} is {}", kind_of(&keys)));
        };
        for (key, values) in keys {
            let values = texts(values, &key)?;
            all.push(Condition::new(operator.clone(), key, values));
        }
    }
    Ok(all)
}

/// A string or a list of strings; numbers and booleans count as their text.
fn texts(value: Value, what: &str) -> Result<Vec<String>, String> {
    match value {
        Value::Array(list) => list.into_iter().map(|item| text(item, what)).collect(),
        one => text(one, what).map(|one| vec![one]),
    }
}

fn text(value: Value, what: &str) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(format!("{what} holds {}", kind_of(&other))),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_every_form_that_aws_stores() {
        let plain = json!({"Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": ["*"],
            "Condition": {"Bool": {"aws:SecureTransport": true}, "NumericLessThan": {"s3:max-keys": 10}}}});
        let encoded =
            percent_encoding::utf8_percent_encode(&plain.to_string(), percent_encoding::NON_ALPHANUMERIC)
                .to_string();
        let forms = [plain.clone(), Value::String(plain.to_string()), Value::String(encoded)];
        let policies: Vec<_> =
            forms.into_iter().map(|form| Document::read(form).policy().cloned().expect("parses")).collect();
        assert!(policies.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(policies[0].statements[0].conditions.len(), 2);
    }

    #[test]
    fn reads_what_exporters_make_of_it() {
        let plain = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Sid":"Öl"}}"#;
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let once = Document::read(Value::String(plain.into()));
        let size = once.policy().expect("parses").size;
        assert_eq!(size, plain.chars().count());
        for text in [
            format!("\u{feff}{plain}"),
            format!("  {plain}\n"),
            encode(&format!("\u{feff}{plain}")),
            encode(&encode(plain)),
            Value::String(plain.into()).to_string(),
            encode(plain).replace("%2C", "%2C+"),
        ] {
            let read = Document::read(Value::String(text.clone()));
            assert_eq!(read.policy(), once.policy(), "{text}");
        }
        let endless = (0..9).fold(plain.to_owned(), |text, _| Value::String(text).to_string());
        assert!(Document::read(Value::String(endless)).policy().is_some());
        assert!(Document::read(Value::String("\"x\"".into())).policy().is_none());
    }

    #[test]
    fn says_what_is_wrong() {
        let why = |value| match Document::read(value) {
            Document::Malformed(why) => why,
            Document::Parsed(_) => panic!("must not parse"),
        };
        assert_eq!(why(json!({"Version": "2012-10-17"})), "there is no Statement");
        assert_eq!(
            why(json!({"Statement": [{"Effect": "Maybe"}]})),
            "statement 1: Effect is neither Allow nor Deny"
        );
        assert!(why(json!("%7Bnonsense")).starts_with("not JSON"));
        assert!(
            why(json!({"Statement": [{"Effect": "Allow", "Action": {"a": 1}}]})).contains("holds an object")
        );
    }
}
