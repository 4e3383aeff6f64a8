//! The text of a config file as JSON values, with the place of every key.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::{Diagnostic, KeyPath, codes};

/// A config file: its text, its values, and where each key stands.
#[derive(Clone, Debug)]
pub struct Document {
    pub file: PathBuf,
    pub text: String,
    values: Map<String, Value>,
    spans: BTreeMap<KeyPath, Place>,
    /// Values that are no table and no list, and keys: all of the file, in their order.
    leaves: Vec<Range<usize>>,
    keys: Vec<Range<usize>>,
    /// Numbers that JSON does not have, which stay text.
    not_json: Vec<KeyPath>,
}

/// What is said of a file with a mark of UTF-16, or whose first character has a byte that is zero.
const UTF_16: (&str, &str) =
    ("the file is UTF-16, and TOML is written in UTF-8", "save it as UTF-8: iconv -f UTF-16 -t UTF-8");

/// Byte ranges of a key and its value.
#[derive(Clone, Debug)]
struct Place {
    key: Range<usize>,
    value: Range<usize>,
}

impl Document {
    /// Reads TOML. The error is the one syntax problem that stops everything.
    ///
    /// # Examples
    /// ```
    /// use std::path::Path;
    ///
    /// use opsctl::config::Document;
    ///
    /// let file = Path::new("opsctl.toml");
    /// let document = Document::parse(file, "[project]\nname = \"digits\"".into()).expect("it is TOML");
    /// assert_eq!(document.values()["project"]["name"], "digits");
    ///
    /// let (_, problem) = *Document::parse(file, "[project".into()).expect_err("a bracket is missing");
    /// assert_eq!(problem.code.as_str(), "C001");
    /// ```
    pub fn parse(file: &Path, text: String) -> Result<Self, Box<(Self, Diagnostic)>> {
        let mut document = Self::of(file, text);
        // The parsed table borrows the text, so it is read from a copy of it.
        let text = document.text.clone();
        match DeTable::parse(&text) {
            Ok(table) => {
                document.values = document.table(table.get_ref(), &KeyPath::default());
                document.leaves.sort_by_key(|place| place.start);
                document.keys.sort_by_key(|place| place.start);
                Ok(document)
            }
            Err(error) => {
                let at = KeyPath::of([""]);
                let span = error.span().unwrap_or_else(|| deepest_line(&document.text));
                let twice = Some(&span).filter(|_| error.message() == "duplicate key");
                let (message, help) = match twice.and_then(|span| document.defined_twice(span)) {
                    Some(message) => (message, "keep one of the two, with what both have"),
                    None => (error.message().to_owned(), "correct the TOML here, or one line above"),
                };
                document.spans.insert(at.clone(), Place { key: span.clone(), value: span });
                let problem = Diagnostic::error(codes::SYNTAX, at, message, help);
                Err(Box::new((document, problem)))
            }
        }
    }

    /// Reads the bytes of a file: TOML is UTF-8 (<https://toml.io/en/v1.1.0>).
    pub fn read(file: &Path, bytes: Vec<u8>) -> Result<Self, Box<(Self, Diagnostic)>> {
        let marked = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let wide = marked || bytes.iter().take(2).any(|byte| *byte == 0);
        let error = match String::from_utf8(bytes) {
            Ok(text) if !wide => return Self::parse(file, text),
            Ok(text) => return Err(Self::not_utf8(file, text, 0..0, UTF_16)),
            Err(error) => error,
        };
        let start = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        if wide {
            return Err(Self::not_utf8(file, String::new(), 0..0, UTF_16));
        }
        let byte = error.as_bytes()[start];
        let message = format!("the byte {byte:#04x} is not UTF-8, which TOML is written in");
        let help = "save the file as UTF-8; if it is Latin-1: iconv -f LATIN1 -t UTF-8";
        // What stands in for it in the shown text has three bytes.
        Err(Self::not_utf8(file, text, start..start + '\u{fffd}'.len_utf8(), (&message, help)))
    }

    /// Which key is defined a second time at these bytes, and where it was first: with another name in its
    /// place, the two stand beside each other.
    fn defined_twice(&self, second: &Range<usize>) -> Option<String> {
        const OTHER: &str = "opsctl-the-second-one";
        let (before, after) = (self.text.get(..second.start)?, self.text.get(second.end..)?);
        let name = self.text[second.clone()].trim_matches(['"', '\'']);
        let renamed = format!("{before}{OTHER}{after}");
        let (table, _) = DeTable::parse_recoverable(&renamed);
        let (first, _) = with_key(table.get_ref(), OTHER)?.iter().find(|(key, _)| key.get_ref() == name)?;
        let (line, _) = self.line_column(first.span().start);
        let named = self.key_shown(second.clone()).map(|key| format!("`{key}`"));
        let named = named.unwrap_or_else(|| "this key".to_owned());
        Some(format!("{named} is defined twice, first in line {line}"))
    }

    fn of(file: &Path, text: String) -> Self {
        Self {
            file: file.to_owned(),
            text,
            values: Map::new(),
            spans: BTreeMap::new(),
            leaves: Vec::new(),
            keys: Vec::new(),
            not_json: Vec::new(),
        }
    }

    fn not_utf8(
        file: &Path,
        text: String,
        span: Range<usize>,
        (message, help): (&str, &str),
    ) -> Box<(Self, Diagnostic)> {
        let mut document = Self::of(file, text);
        let at = KeyPath::of([""]);
        document.spans.insert(at.clone(), Place { key: span.clone(), value: span });
        Box::new((document, Diagnostic::error(codes::SYNTAX, at, message, help)))
    }

    fn table(&mut self, table: &DeTable<'_>, at: &KeyPath) -> Map<String, Value> {
        let mut map = Map::new();
        for (key, value) in table {
            let path = at.join(key.get_ref().to_string());
            let converted = self.value(value, &path);
            self.keys.push(key.span());
            self.spans.insert(path, Place { key: key.span(), value: value.span() });
            map.insert(key.get_ref().to_string(), converted);
        }
        map
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, at: &KeyPath) -> Value {
        if !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_)) {
            self.leaves.push(value.span());
        }
        let mut not_json = || self.not_json.push(at.clone());
        match value.get_ref() {
            DeValue::String(text) => Value::from(text.as_ref()),
            // Numbers that JSON cannot hold stay text, and are refused as text where a number is wanted.
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).map_or_else(
                |_| {
                    not_json();
                    Value::from(n.to_string())
                },
                Value::from,
            ),
            DeValue::Float(n) => {
                let number = n.as_str().parse::<f64>().ok().filter(|n| n.is_finite());
                number.map_or_else(
                    || {
                        not_json();
                        Value::from(n.as_str())
                    },
                    Value::from,
                )
            }
            DeValue::Boolean(b) => Value::from(*b),
            DeValue::Datetime(when) => Value::from(when.to_string()),
            DeValue::Array(items) => items
                .iter()
                .enumerate()
                .map(|(i, item)| {
                    let path = at.join(i.to_string());
                    let converted = self.value(item, &path);
                    self.spans.insert(path, Place { key: item.span(), value: item.span() });
                    converted
                })
                .collect(),
            DeValue::Table(table) => Value::Object(self.table(table, at)),
        }
    }

    /// The values of one environment: the file with `[env.NAME]` laid over it. Overridden leaves report the
    /// place of the override.
    pub fn environment(&self, name: &str) -> Self {
        let mut document = self.clone();
        let overlay = document.values.remove("env").and_then(|mut env| Some(env.get_mut(name)?.take()));
        if let Some(Value::Object(overlay)) = overlay {
            lay_over(&mut document.values, overlay);
            let from = ["env".to_owned(), name.to_owned()];
            for (path, place) in &self.spans {
                if let Some(rest) = path.0.strip_prefix(&from[..]) {
                    document.spans.insert(KeyPath(rest.to_vec()), place.clone());
                }
            }
        }
        document
    }

    /// Where a key of an environment is written: in the environment's own table, or else in the rest of the
    /// file.
    pub fn written(&self, environment: &str, at: &KeyPath) -> KeyPath {
        let own = KeyPath([&["env".to_owned(), environment.to_owned()], &at.0[..]].concat());
        if self.spans.contains_key(&own) { own } else { at.clone() }
    }

    /// The names of the `[env.*]` tables.
    pub fn environments(&self) -> BTreeSet<&str> {
        let env = self.values.get("env").and_then(Value::as_object);
        env.map(|env| env.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// The same, with whether each is a table.
    pub fn environment_tables(&self) -> impl Iterator<Item = (&str, bool)> {
        let env = self.values.get("env").and_then(Value::as_object);
        env.into_iter().flatten().map(|(name, values)| (name.as_str(), values.is_object()))
    }

    /// The whole document as values.
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// Sets a leaf from the command line (`scale --target 20`).
    pub fn set(&mut self, path: &KeyPath, value: Value) {
        let Some((last, tables)) = path.0.split_last() else { return };
        let mut table = &mut self.values;
        for key in tables {
            let entry = table.entry(key).or_insert_with(|| Value::Object(Map::new()));
            if !entry.is_object() {
                *entry = Value::Object(Map::new());
            }
            table = entry.as_object_mut().expect("made an object above");
        }
        table.insert(last.clone(), value);
    }

    /// The values in these bytes that are no table and no list.
    pub(super) fn leaves(&self, within: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        overlapping(&self.leaves, within).cloned()
    }

    /// Where the last key in these bytes ends.
    pub(super) fn keys_end(&self, within: &Range<usize>) -> Option<usize> {
        overlapping(&self.keys, within).last().map(|key| key.end)
    }

    /// The keys of numbers that JSON does not have: nan, inf, and whole ones beyond 64 bits.
    pub fn not_json(&self) -> impl Iterator<Item = &KeyPath> {
        self.not_json.iter()
    }

    /// Bytes of the value at `at`, if that is in the file.
    pub(super) fn exact_value_span(&self, at: &KeyPath) -> Option<Range<usize>> {
        self.spans.get(at).map(|place| place.value.clone())
    }

    /// Bytes of the value at `at`, or of the nearest enclosing key that is in the file.
    pub fn value_span(&self, at: &KeyPath) -> Option<Range<usize>> {
        match self.spans.get(at) {
            Some(place) => Some(place.value.clone()),
            None => self.key_span(&at.parent()?),
        }
    }

    /// Bytes of the key at `at`, or of the nearest enclosing key that is in the file.
    pub fn key_span(&self, at: &KeyPath) -> Option<Range<usize>> {
        match self.spans.get(at) {
            Some(place) => Some(place.key.clone()),
            None => self.key_span(&at.parent()?),
        }
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..byte.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The folder that relative paths in the file start from.
    pub fn folder(&self) -> &Path {
        self.file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }
}

/// Of places in their order, none within another, those that share a byte with `within`.
fn overlapping<'p>(
    places: &'p [Range<usize>],
    within: &Range<usize>,
) -> impl Iterator<Item = &'p Range<usize>> {
    let (first, end) = (places.partition_point(|place| place.end <= within.start), within.end);
    places[first..].iter().take_while(move |place| place.start < end)
}

/// The table that has the key, at any depth.
fn with_key<'t, 'd>(table: &'t DeTable<'d>, name: &str) -> Option<&'t DeTable<'d>> {
    fn within<'t, 'd>(value: &'t DeValue<'d>, name: &str) -> Option<&'t DeTable<'d>> {
        match value {
            DeValue::Table(table) => with_key(table, name),
            DeValue::Array(items) => items.iter().find_map(|item| within(item.get_ref(), name)),
            _ => None,
        }
    }
    let has = table.iter().any(|(key, _)| key.get_ref() == name);
    if has { Some(table) } else { table.iter().find_map(|(_, value)| within(value.get_ref(), name)) }
}

/// The reader gives no place for what is nested too deeply: it is the line with the most dots and brackets.
fn deepest_line(text: &str) -> Range<usize> {
    let depth = |line: &str| line.chars().filter(|c| ".[{".contains(*c)).count();
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        start += line.len();
        (depth(line), start - line.len()..start - line.len() + line.trim_end().len())
    });
    lines.max_by_key(|(depth, _)| *depth).map_or(0..0, |(_, span)| span)
}

fn lay_over(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => lay_over(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
