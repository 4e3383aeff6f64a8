//! YAML as CloudFormation takes it, as JSON: with the short forms of its functions (`!Ref`, `!Sub`), and with
//! what the command line resolves before it sends a template (anchors, merges).
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>
//!
//! Texts that no quotes surround are texts, but for `true`, `false`, `null` and numbers that do not begin
//! with a zero: `Version: 2012-10-17` is no date, and an account is no octal number.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value, json};

/// How deep values may lie within each other: the functions of a template are worked out one within another.
const DEEPEST: usize = 100;
/// How many values there may be once all aliases are put in.
const MOST: usize = 200_000;

/// Reads one document.
///
/// # Errors
/// What is wrong, and in which line.
pub fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| at(error.marker(), error.info()))?;
        reader.take(event).map_err(|why| at(&span.start, &why))?;
    }
    reader.read.ok_or_else(|| "it is empty".to_owned())
}

fn at(place: &Marker, why: &str) -> String {
    format!("{why} (line {})", place.line())
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    /// What an alias stands for, by its anchor, and how many values that is.
    anchors: HashMap<usize, (Value, usize)>,
    count: usize,
    read: Option<Value>,
}

/// A list or a map that is being read.
struct Open {
    anchor: usize,
    function: Option<String>,
    /// How many values there were before it.
    before: usize,
    items: Items,
}

enum Items {
    List(Vec<Value>),
    Map { map: Map<String, Value>, key: Option<String>, merged: Vec<Value> },
}

impl Reader {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) if self.read.is_some() => {
                return Err("it holds several documents".to_owned());
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(anchor, tag.as_deref(), Items::List(Vec::new()))?
            }
            Event::MappingStart(anchor, tag) => {
                let items = Items::Map { map: Map::new(), key: None, merged: Vec::new() };
                self.start(anchor, tag.as_deref(), items)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(text.as_ref(), style, tag.as_deref());
                self.keep(anchor, &value, 1);
                self.put(value, 1)?;
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let (value, weight) = known.ok_or("an alias stands for what is around it")?;
                self.put(value, weight)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, anchor: usize, tag: Option<&Tag>, items: Items) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(format!("values lie more than {DEEPEST} deep"));
        }
        let function = tag.and_then(function);
        self.open.push(Open { anchor, function, before: self.count, items });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(done) = self.open.pop() else { return Ok(()) };
        let mut value = match done.items {
            Items::List(items) => Value::Array(items),
            Items::Map { mut map, merged, .. } => {
                // What the map says itself counts, then the first that it takes in.
                for item in merged {
                    let taken = match item {
                        Value::Array(several) => several,
                        one => vec![one],
                    };
                    for (key, value) in taken
                        .into_iter()
                        .filter_map(|one| match one {
                            Value::Object(map) => Some(map),
                            _ => None,
                        })
                        .flatten()
                    {
                        map.entry(key).or_insert(value);
                    }
                }
                Value::Object(map)
            }
        };
        if let Some(function) = done.function {
            value = json!({ function: value });
        }
        let weight = self.count - done.before + 1;
        self.keep(done.anchor, &value, weight);
        // Its parts have been counted.
        self.put(value, 1)
    }

    fn keep(&mut self, anchor: usize, value: &Value, weight: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), weight));
        }
    }

    fn put(&mut self, value: Value, weight: usize) -> Result<(), String> {
        self.count += weight;
        if self.count > MOST {
            return Err(format!("there are more than {MOST} values"));
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.read = Some(value),
            Some(Items::List(items)) => items.push(value),
            Some(Items::Map { map, key, merged }) => match key.take() {
                None => *key = Some(name(value)?),
                Some(key) if key == "<<" => merged.push(value),
                Some(key) if map.contains_key(&key) => return Err(format!("{key} is there twice")),
                Some(key) => {
                    map.insert(key, value);
                }
            },
        }
        Ok(())
    }
}

/// A key is a text: `Fn::Sub`, or an account.
fn name(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Array(_) | Value::Object(_) => Err("a key is no text".to_owned()),
        other => Ok(other.to_string()),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text = style != ScalarStyle::Plain
        || tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    match tag.and_then(function) {
        Some(function) if function == "Fn::GetAtt" => {
            let (id, attribute) = text.split_once('.').unwrap_or((text, ""));
            json!({ function: [id, attribute] })
        }
        Some(function) => json!({ function: text }),
        None if is_text => text.into(),
        None => plain(text),
    }
}

fn plain(text: &str) -> Value {
    let number = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let told = digits == "0" || (digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0'));
        text.parse::<i64>().ok().filter(|_| told)
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => number(text).map_or_else(|| text.into(), Value::from),
    }
}

/// The function that a short form stands for: `!Ref` and `!Condition` keep their names.
fn function(tag: &Tag) -> Option<String> {
    let local = !tag.is_yaml_core_schema() && tag.handle == "!" && !tag.suffix.is_empty();
    local.then(|| match tag.suffix.as_str() {
        "Ref" | "Condition" => tag.suffix.clone(),
        other => format!("Fn::{other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_functions_and_texts_stay_texts() {
        let text = r#"
# A comment.
Version: 2012-10-17
Own: !Ref Bucket
Arn: !GetAtt Bucket.Arn.More
Both: !Sub ["${A}/*", {A: !GetAtt [Bucket, Arn]}]
Joined: !Join [':', [arn, !Ref 'AWS::Partition']]
Block: !Sub |
  line
Old: {'Fn::Sub': x}
Is: !Condition Prod
Accounts: [111122223333, 012345678901, '7', 0]
Said: [true, "true", null, ~, yes, 1.5, -3]
Forced: !!str 5
"#;
        let expected = json!({
            "Version": "2012-10-17", "Own": {"Ref": "Bucket"},
            "Arn": {"Fn::GetAtt": ["Bucket", "Arn.More"]},
            "Both": {"Fn::Sub": ["${A}/*", {"A": {"Fn::GetAtt": ["Bucket", "Arn"]}}]},
            "Joined": {"Fn::Join": [":", ["arn", {"Ref": "AWS::Partition"}]]},
            "Block": {"Fn::Sub": "line\n"}, "Old": {"Fn::Sub": "x"}, "Is": {"Condition": "Prod"},
            "Accounts": [111_122_223_333_u64, "012345678901", "7", 0],
            "Said": [true, "true", null, null, "yes", "1.5", -3], "Forced": "5",
        });
        assert_eq!(read(text).expect("YAML"), expected);
    }

    #[test]
    fn anchors_and_merges_are_put_in() {
        let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: [*a, &s s, *s]\n";
        let expected =
            json!({"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}, "c": [{"x": 1, "y": 2}, "s", "s"]});
        assert_eq!(read(text).expect("YAML"), expected);
    }

    #[test]
    fn what_is_broken_or_hostile_is_refused_with_its_line() {
        let bomb = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
            let alias = format!("*a{}", n - 1);
            text + &format!("a{n}: &a{n} [{}]\n", vec![alias; 9].join(", "))
        });
        for (text, why) in [
            ("a: 1\na: 2\n", "a is there twice (line 2)"),
            ("a: [1\nb: 2\n", "(line "),
            ("a: 1\n---\nb: 2\n", "several documents"),
            ("a: &a [*a]\n", "stands for what is around it"),
            ("? [x]\n: 1\n", "a key is no text"),
            ("", "it is empty"),
            (&bomb, "there are more than"),
            // The parser has a limit of its own for what is in brackets.
            (&"[".repeat(5_000), "recursion limit exceeded (line 1)"),
            (&"- ".repeat(5_000), "deep"),
        ] {
            let said = read(text).expect_err(&text[..text.len().min(40)]);
            assert!(said.contains(why), "{said}: {why}");
        }
    }
}
