//! Which key of a section becomes which member of a request, and whether AWS would take its value.

use serde_json::Value;

use super::model::{self, DATE, Member};
use crate::domain::{Code, Diagnostic, HumanDuration, KeyPath, codes, grouped, many};

/// One line of a kind's table: the value of a key is sent as a member of a request.
///
/// ```text
/// Bound::value("volume_gb", "sagemaker:CreateNotebookInstance.VolumeSizeInGB")
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Below the section's item, with dots; `*` stands for every entry of a table or list.
    pub key: &'static str,
    /// `service:Operation.Member`, as in `data/models.txt`.
    pub member: &'static str,
    what: What,
    written: Written,
    code: Code,
    /// What a value of an enum is: "instance type".
    noun: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Value,
    /// The names of a table's entries.
    Names,
    /// The number of entries, and how many opsctl adds to them.
    Count(usize),
    /// All three of a table that is sent as a map.
    Map(usize),
}

/// How a value of the config is written into the request.
#[derive(Clone, Copy, Debug)]
enum Written {
    AsItIs,
    /// A duration, as a number of seconds.
    Seconds,
    By(fn(&Value) -> Option<String>),
}

impl Bound {
    const fn new(key: &'static str, member: &'static str, what: What) -> Self {
        Self { key, member, what, written: Written::AsItIs, code: codes::LIMIT, noun: "value" }
    }

    /// The value, as it is.
    pub const fn value(key: &'static str, member: &'static str) -> Self {
        Self::new(key, member, What::Value)
    }

    /// A duration that is sent in seconds.
    pub const fn seconds(key: &'static str, member: &'static str) -> Self {
        Self { written: Written::Seconds, ..Self::value(key, member) }
    }

    /// The names of the entries of a table.
    pub const fn names(key: &'static str, member: &'static str) -> Self {
        Self::new(key, member, What::Names)
    }

    /// The number of entries of a list or table, to which opsctl adds `ours`.
    pub const fn count(key: &'static str, member: &'static str, ours: usize) -> Self {
        Self::new(key, member, What::Count(ours))
    }

    /// A table that is sent as a map, to which opsctl adds `ours` entries.
    pub const fn map(key: &'static str, member: &'static str, ours: usize) -> Self {
        Self::new(key, member, What::Map(ours))
    }

    /// The text that a value is sent as.
    pub const fn written(self, by: fn(&Value) -> Option<String>) -> Self {
        Self { written: Written::By(by), ..self }
    }

    /// An instance type: the one enum that people mistype.
    pub const fn instance_type(key: &'static str, member: &'static str) -> Self {
        Self { code: codes::NOT_HOSTED, ..Self::value(key, member).called("instance type") }
    }

    /// What a value is called in messages, instead of "value".
    pub const fn called(self, noun: &'static str) -> Self {
        Self { noun, ..self }
    }

    /// The members that it covers, entries of a map included.
    pub fn members(&self) -> Vec<String> {
        match self.what {
            What::Map(_) => {
                ["", ".key", ".value"].iter().map(|end| format!("{}{end}", self.member)).collect()
            }
            _ => vec![self.member.to_owned()],
        }
    }
}

/// What AWS would refuse in `item`, the values of the section's item that stands at `at`.
pub fn check(bound: &[Bound], item: &Value, at: &KeyPath) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for bound in bound {
        let path: Vec<&str> = bound.key.split('.').collect();
        for (at, value) in found(item, at.clone(), &path) {
            one(bound, value, &at, &mut problems);
        }
    }
    problems
}

/// The values at a path with wildcards, each with its place: below `at`, where `value` is.
pub fn found<'v>(value: &'v Value, at: KeyPath, path: &[&str]) -> Vec<(KeyPath, &'v Value)> {
    let Some((first, rest)) = path.split_first() else { return vec![(at, value)] };
    match value {
        Value::Object(map) if *first == "*" => {
            map.iter().flat_map(|(key, value)| found(value, at.join(key), rest)).collect()
        }
        Value::Array(items) if *first == "*" => items
            .iter()
            .enumerate()
            .flat_map(|(i, value)| found(value, at.join(i.to_string()), rest))
            .collect(),
        Value::Object(map) => {
            map.get(*first).map_or_else(Vec::new, |value| found(value, at.join(*first), rest))
        }
        _ => Vec::new(),
    }
}

fn one(bound: &Bound, value: &Value, at: &KeyPath, problems: &mut Vec<Diagnostic>) {
    let held = |path: &str| Member::of(path).map(|member| Held { bound, member, service: service(path) });
    match bound.what {
        What::Value => problems.extend(held(bound.member).and_then(|h| h.value(value, at))),
        What::Count(ours) => problems.extend(held(bound.member).and_then(|h| h.count(value, ours, at))),
        What::Names => {
            let Some(held) = held(bound.member) else { return };
            let names = value.as_object().into_iter().flat_map(|map| map.keys());
            problems.extend(names.filter_map(|name| held.name(name, &at.join(name))));
        }
        What::Map(ours) => {
            let (key, entry) = (format!("{}.key", bound.member), format!("{}.value", bound.member));
            problems.extend(held(bound.member).and_then(|h| h.count(value, ours, at)));
            for (name, value) in value.as_object().into_iter().flatten() {
                problems.extend(held(&key).and_then(|h| h.name(name, &at.join(name))));
                problems.extend(held(&entry).and_then(|h| h.value(value, &at.join(name))));
            }
        }
    }
}

/// What a message calls a service.
fn service(member: &str) -> &'static str {
    match member.split(':').next() {
        Some("sagemaker") => "SageMaker",
        Some("lambda") => "Lambda",
        Some("ec2") => "EC2",
        Some("application-autoscaling") => "Application Auto Scaling",
        _ => "AWS",
    }
}

struct Held<'b> {
    bound: &'b Bound,
    member: &'static Member,
    service: &'static str,
}

impl Held<'_> {
    fn count(&self, value: &Value, ours: usize, at: &KeyPath) -> Option<Diagnostic> {
        let entries = value.as_object().map(|map| map.len()).or_else(|| value.as_array().map(Vec::len))?;
        let max = usize::try_from(self.member.max?).ok()?;
        if entries + ours <= max {
            return None;
        }
        let sum = match ours {
            0 => String::new(),
            n => format!(", and opsctl adds {n}"),
        };
        let text = format!(
            "`{}` has {}{sum}: {} takes at most {max}",
            at.last(),
            many(entries, "entry"),
            self.service
        );
        let help = format!("leave {} of them out", entries + ours - max);
        Some(Diagnostic::error(codes::LIMIT, at.clone(), text, help))
    }

    fn name(&self, name: &str, at: &KeyPath) -> Option<Diagnostic> {
        let refused = self.text(name, &format!("the name `{}`", cut(name)))?;
        Some(Diagnostic::error(codes::ENTRY_NAME, at.clone(), refused.0, refused.1))
    }

    fn value(&self, value: &Value, at: &KeyPath) -> Option<Diagnostic> {
        let key = at.last();
        let said =
            |(text, help): (String, String)| Diagnostic::error(self.bound.code, at.clone(), text, help);
        match self.bound.written {
            Written::Seconds => {
                let time: HumanDuration = value.as_str()?.parse().ok()?;
                if time.0.subsec_nanos() > 0 {
                    let text = format!("`{key}` is {time}, {} takes whole seconds", self.service);
                    return Some(said((text, "write it without the fraction".into())));
                }
                let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
                let shown = |n: i64| HumanDuration::seconds(n.unsigned_abs()).to_string();
                self.range(seconds, key, shown).map(said)
            }
            Written::By(write) => self.text(&write(value)?, &format!("the value of `{key}`")).map(said),
            Written::AsItIs => match value {
                Value::Number(n) => self.range(n.as_i64()?, key, |n| n.to_string()).map(said),
                Value::String(text) => match self.member.values() {
                    Some(known) => self.one_of(text, &known, at),
                    None => self.text(text, &format!("the value of `{key}`")).map(said),
                },
                _ => None,
            },
        }
    }

    fn range(&self, n: i64, key: &str, shown: impl Fn(i64) -> String) -> Option<(String, String)> {
        let (min, max) = (self.member.min, self.member.max);
        if min.is_none_or(|min| n >= min) && max.is_none_or(|max| n <= max) {
            return None;
        }
        let text = format!("`{key}` is {}, which {} does not take", shown(n), self.service);
        let help = match (min, max) {
            (Some(min), Some(max)) => format!("write {} to {}", shown(min), shown(max)),
            (Some(min), None) => format!("write {} or more", shown(min)),
            (None, max) => format!("write at most {}", shown(max.unwrap_or_default())),
        };
        Some((text, help))
    }

    /// What is wrong with a text, and what to do. The text itself is not repeated: it may be an environment's
    /// value.
    fn text(&self, text: &str, what: &str) -> Option<(String, String)> {
        let (length, service) = (text.chars().count(), self.service);
        let count = i64::try_from(length).unwrap_or(i64::MAX);
        let length = many(length, "character");
        if let Some(max) = self.member.max.filter(|max| count > *max) {
            let max = grouped(max.try_into().unwrap_or_default());
            let text = format!("{what} has {length}: {service} takes at most {max}");
            return Some((text, "shorten it, or put it into a file".into()));
        }
        if let Some(min) = self.member.min.filter(|min| count < *min) {
            return Some((
                format!("{what} has {length}: {service} takes at least {min}"),
                "write more, or remove it".into(),
            ));
        }
        let pattern = self.member.pattern?;
        let fits = regex_lite::Regex::new(&format!("^(?:{pattern})$")).ok()?;
        if fits.is_match(text) {
            return None;
        }
        let help = match pattern {
            // Java's dot ends at the end of a line.
            ".*" | ".+" => "write it in one line".to_owned(),
            r"[\S]+" | r"[^\s]+" => "write it without spaces".to_owned(),
            "[a-zA-Z_][a-zA-Z0-9_]*" => {
                "use letters, digits and underscores, not beginning with a digit".to_owned()
            }
            "[a-zA-Z]([a-zA-Z0-9_])+" => {
                "use two or more letters, digits and underscores, beginning with a letter".to_owned()
            }
            // A list of words in parentheses.
            words if words.starts_with('(') && !words.contains(['[', '*', '+', '.', '\\']) => {
                let known: Vec<String> =
                    words.trim_matches(['(', ')']).split('|').map(str::to_owned).collect();
                did_you_mean(text, &known)
            }
            other => format!("it has to match {other}"),
        };
        Some((format!("{what} is not one that {service} takes"), help))
    }

    fn one_of(&self, text: &str, known: &[String], at: &KeyPath) -> Option<Diagnostic> {
        if known.iter().any(|value| value == text) {
            return None;
        }
        let purpose = match self.bound.member {
            m if m.contains(":CreateTrainingJob.") => " for training",
            m if m.contains(":CreateEndpointConfig.") => " for endpoints",
            m if m.contains(":CreateNotebookInstance.") => " for notebooks",
            _ => "",
        };
        let (noun, service) = (self.bound.noun, self.service);
        let message = format!("{service} has no {noun} `{}`{purpose}", cut(text));
        if may_be_newer(text, known) && !model::known_elsewhere(text) {
            let message = format!("{message} in opsctl's list of {}", *DATE);
            let help = "if it is newer, ignore this: AWS decides";
            return Some(Diagnostic::warning(codes::NEWER, at.clone(), message, help));
        }
        Some(Diagnostic::error(self.bound.code, at.clone(), message, did_you_mean(text, known)))
    }
}

/// The few values that a text may have been meant as; never the whole list.
pub(crate) fn did_you_mean(text: &str, known: &[String]) -> String {
    let (bare, with) = (text.strip_prefix("ml.").unwrap_or(text), format!("ml.{text}"));
    if let Some(exact) = known.iter().find(|value| **value == bare || **value == with) {
        return format!("write \"{exact}\"");
    }
    // What shares the family or the first letters comes first; a misspelling of the family is found by
    // likeness alone.
    let family = text.rsplit_once('.').map_or(text, |(family, _)| family);
    let likeness = |value: &&String| {
        let same_family = value.rsplit_once('.').is_some_and(|(f, _)| f == family);
        strsim::jaro_winkler(text, value) + if same_family { 1.0 } else { 0.0 }
    };
    let mut near: Vec<&String> = known.iter().filter(|value| likeness(value) > 0.8).collect();
    near.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)).then(a.cmp(b)));
    match near[..] {
        [] if known.len() <= 8 => format!("one of {}", known.join(", ")),
        [] => format!("one of the {} of AWS's list, such as \"{}\"", known.len(), known[0]),
        [only] => format!("did you mean \"{only}\"?"),
        [first, ..] if strsim::damerau_levenshtein(text, first) <= 2 => format!("did you mean \"{first}\"?"),
        _ => format!("near it: {}", near.iter().take(3).map(|s| s.as_str()).collect::<Vec<_>>().join(", ")),
    }
}

/// Whether a value looks like one that AWS has added since: a known one with a higher number (`ml.m9i.large`,
/// `python3.16`, `ap-southeast-8`).
pub(crate) fn may_be_newer(text: &str, known: &[String]) -> bool {
    let (shape, numbers) = counted(text);
    let alike: Vec<Vec<u64>> =
        known.iter().map(|v| counted(v)).filter(|(s, _)| *s == shape).map(|(_, n)| n).collect();
    // The last number of an instance type is its size, which an old family does not get again.
    let first_differs = |n: &[u64]| numbers.first() != n.first();
    let is_type = text.contains('.') && text.rsplit('.').next().is_some_and(|size| size.ends_with("large"));
    !alike.is_empty()
        && alike.iter().all(|n| numbers > *n && (!is_type || first_differs(n)))
        && alike.iter().any(|n| numbers.iter().zip(n).any(|(a, b)| *a > *b && *a <= *b + 3))
}

/// A text with each number as `#`, and the numbers.
fn counted(text: &str) -> (String, Vec<u64>) {
    let (mut shape, mut numbers, mut digits) = (String::new(), Vec::new(), String::new());
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            numbers.push(digits.parse().unwrap_or(u64::MAX));
            shape.push('#');
            digits.clear();
        }
        if c != '\0' {
            shape.push(c);
        }
    }
    (shape, numbers)
}

/// Long names are shown by their beginning.
fn cut(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
