//! The keys of the config as the schema has them, and values that each may have beside the one that it has:
//! so that a new key is drawn by the tests of plans without a line in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use opsctl::config::{Config, Document};
use opsctl::domain::{HumanDuration, KeyPath, KindName};
use opsctl::limits::{self, Bound, Member};
use opsctl::resources::{kinds, schema};
use regex_lite::Regex;
use serde_json::{Map, Value, json};

use crate::project;

/// A key of a table of the config.
pub struct Key {
    /// `notebook`, `endpoint.autoscaling`: without the name.
    pub table: String,
    pub key: String,
    pub required: bool,
    /// Its schema, without references.
    of: Value,
    /// What it is when nobody writes it: by the schema, or by the shipped file, which has every default.
    pub usual: Option<Value>,
    /// Whether the shipped file has it in a comment only, as what one may write.
    only_shown: bool,
    /// The members of requests that it is sent as, by the kinds that say so.
    bound: Vec<(KindName, Bound)>,
}

/// The tables that make resources, each with its keys, in the order of the kinds.
pub static TABLES: LazyLock<Vec<(String, Vec<Key>)>> = LazyLock::new(|| {
    let schema = schema(&kinds());
    let text = std::fs::read_to_string("config/opsctl.toml").expect("the shipped file");
    let document = Document::parse("config/opsctl.toml".as_ref(), text.clone()).unwrap();
    let (shipped, _) = Config::read(&document, "dev", &project::sections(&kinds()));
    let reader = Reader { schema: &schema, text: &text, shipped: &shipped, bound: bound(&shipped) };
    let (mut tables, mut seen) = (Vec::new(), BTreeSet::new());
    for section in kinds().iter().filter_map(|kind| kind.section()).filter(|section| seen.insert(*section)) {
        let of = reader.resolved(&schema["properties"][section]);
        // A table of tables by name, or one.
        let item = of["patternProperties"].as_object().and_then(|patterns| patterns.values().next());
        reader.table(section, item.map_or(of, |item| reader.resolved(item)), item.is_some(), &mut tables);
    }
    tables
});

/// The table of an item of the file: `endpoint.autoscaling` for `endpoint.numbers.autoscaling`.
pub fn table_of(item: &KeyPath) -> String {
    let parts = item.0.iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, part)| part.as_str());
    parts.collect::<Vec<_>>().join(".")
}

/// The key of a place in the file, such as `notebook.lab.volume_gb`.
pub fn key_at(at: &KeyPath) -> Option<&'static Key> {
    let (table, key) = (table_of(&at.parent()?), at.last());
    let (_, keys) = TABLES.iter().find(|(of, _)| *of == table)?;
    keys.iter().find(|of| of.key == key)
}

struct Reader<'a> {
    schema: &'a Value,
    text: &'a str,
    shipped: &'a Config,
    bound: BTreeMap<String, Vec<(KindName, Bound)>>,
}

impl<'a> Reader<'a> {
    /// Follows references, and the one real type of what may be left out.
    fn resolved(&self, of: &'a Value) -> &'a Value {
        let inner = ["anyOf", "allOf"].iter().find_map(|key| of[*key].as_array());
        let inner = inner.and_then(|all| all.iter().find(|one| one["$ref"].is_string()));
        match (of["$ref"].as_str(), inner) {
            (Some(to), _) => {
                self.resolved(self.schema.pointer(to.trim_start_matches('#')).expect("it is there"))
            }
            (None, Some(inner)) => self.resolved(inner),
            _ => of,
        }
    }

    /// A table and those in it; `by_name`: there may be several.
    fn table(&self, table: &str, item: &'a Value, by_name: bool, tables: &mut Vec<(String, Vec<Key>)>) {
        let required: Vec<&str> =
            item["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (mut keys, mut inner) = (Vec::new(), Vec::new());
        for (key, of_key) in item["properties"].as_object().into_iter().flatten() {
            let of = self.resolved(of_key);
            if of["properties"].is_object() {
                inner.push((format!("{table}.{key}"), of));
                continue;
            }
            let written = self.written(table, key, by_name);
            let by_schema =
                of_key.get("default").filter(|value| !value.is_null() && **value != json!([])).cloned();
            let shown = self.shown(table, key);
            let bound = self.bound.get(table).into_iter().flatten();
            keys.push(Key {
                table: table.to_owned(),
                key: key.clone(),
                required: required.contains(&key.as_str()),
                of: of.clone(),
                only_shown: by_schema.is_none() && written.is_none(),
                usual: by_schema.or(written).or(shown),
                bound: bound.filter(|(_, bound)| bound.key == key).copied().collect(),
            });
        }
        tables.push((table.to_owned(), keys));
        for (path, of) in inner {
            self.table(&path, of, by_name, tables);
        }
    }

    /// The first value of a key that the shipped file has.
    fn written(&self, table: &str, key: &str, by_name: bool) -> Option<Value> {
        let (section, rest) =
            table.split_once('.').map_or((table, None), |(first, rest)| (first, Some(rest)));
        let path = by_name.then_some("*").into_iter().chain(rest).chain([key]);
        let found =
            limits::found(self.shipped.section(section)?, KeyPath::of([section]), &path.collect::<Vec<_>>());
        found.into_iter().next().map(|(_, value)| value.clone())
    }

    /// A key that the file has in a comment: `# layers = […]`.
    fn shown(&self, table: &str, key: &str) -> Option<Value> {
        let section = table.split('.').next().expect("the first");
        let begin = self.text.find(&format!("\n[{section}"))?;
        let line = Regex::new(&format!(r"(?m)^# ({key} *= .*)$")).expect("a pattern");
        let line = line.captures(&self.text[begin..])?[1].to_owned();
        let parsed = Document::parse("config/opsctl.toml".as_ref(), line).ok()?;
        parsed.values().get(key).cloned()
    }
}

/// The bindings of each table, with the kinds that have them.
fn bound(shipped: &Config) -> BTreeMap<String, Vec<(KindName, Bound)>> {
    let mut all: BTreeMap<String, Vec<(KindName, Bound)>> = BTreeMap::new();
    for kind in kinds().iter().filter(|kind| !kind.bound().is_empty()) {
        // What the file shows in a comment only has its section for a table.
        let table = kind.items(&shipped.document).first().map(table_of).or(kind.section().map(str::to_owned));
        let bound = kind.bound().iter().map(|bound| (kind.name(), *bound));
        all.entry(table.expect("it is written somewhere")).or_default().extend(bound);
    }
    all
}

/// Other values of the type of this one, where it has any: a number, a duration, a switch.
pub fn alike(now: &Value) -> Vec<Value> {
    match now {
        Value::Bool(is) => vec![json!(!is)],
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => vec![json!(n + 1), json!(n * 2 + 1)],
            (None, n) => [2.0, 3.5].iter().map(|by| json!(n.unwrap_or(1.0) * by)).collect(),
        },
        Value::String(text) => {
            let times = text.parse::<HumanDuration>().ok().into_iter();
            times.flat_map(|time| [2, 3].map(|by| json!(format!("{}s", time.as_secs() * by)))).collect()
        }
        _ => Vec::new(),
    }
}

impl Key {
    /// Other values than `now` that the key may have, each with another effect; none where only a person
    /// knows any. What AWS's models refuse of `kind` is not among them.
    pub fn others(&self, now: &Value, kind: KindName) -> Vec<Value> {
        let guessed = match (self.of["enum"].as_array(), now) {
            (Some(values), _) => values.clone(),
            (None, Value::Number(n)) if self.of["type"] == "number" => alike(&json!(n.as_f64())),
            (None, Value::String(text)) if alike(now).is_empty() => {
                self.near(text, kind).into_iter().map(Value::from).collect()
            }
            _ => alike(now),
        };
        let bound: Vec<Bound> = self.bound_by(kind).collect();
        let item = |value: &Value| Value::Object(Map::from_iter([(self.key.clone(), value.clone())]));
        let fits = |value: &Value| limits::check(&bound, &item(value), &KeyPath::default()).is_empty();
        guessed.into_iter().filter(|value| value != now && fits(value)).collect()
    }

    /// Its bindings, of kinds that share a table only those of this one.
    pub fn bound_by(&self, kind: KindName) -> impl Iterator<Item = Bound> {
        let sections: Vec<KindName> =
            kinds().iter().filter(|one| one.section().is_some()).map(|one| one.name()).collect();
        let all = self.bound.iter().filter(move |(of, _)| *of == kind || !sections.contains(of));
        all.map(|(_, bound)| *bound)
    }

    /// The values of AWS's list that begin most like this one: two, and of a list of versions, of which AWS
    /// may have closed others, the nearest.
    fn near(&self, text: &str, kind: KindName) -> Vec<String> {
        let known = self.bound_by(kind).find_map(|bound| {
            let member = Member::of(bound.member)?;
            // A pattern that is a list: `(one|other)`.
            let words = member.pattern.filter(|p| p.starts_with('(') && !p.contains(['[', '*', '+', '\\']));
            let words = words.map(|p| p.trim_matches(['(', ')']).split('|').map(str::to_owned).collect());
            member.values().map(|values| (values, 2)).or(words.map(|words| (words, 1)))
        });
        let (mut known, count): (Vec<String>, usize) = known.unwrap_or_default();
        let alike = |other: &str| text.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        known.retain(|other| other != text);
        known.sort_by_key(|other| (std::cmp::Reverse(alike(other)), other.clone()));
        known.truncate(count);
        known
    }

    /// A leaf of it, and its values as TOML, of which "" leaves it out. `None`: only a person knows any.
    pub fn leaf(&self, kind: KindName) -> Option<(String, Vec<String>)> {
        let toml = |values: Vec<Value>| values.iter().map(Value::to_string).collect::<Vec<_>>();
        let (key, mut values) = match &self.usual {
            _ if self.is_of_permissions() => (self.key.clone(), vec![MORE.to_owned()]),
            _ if self.of["additionalProperties"]["type"] == "string" => {
                (format!("{}.COLOR", self.key), toml(vec![json!("blue"), json!("red")]))
            }
            Some(usual) if self.only_shown => {
                (self.key.clone(), toml([vec![usual.clone()], self.others(usual, kind)].concat()))
            }
            Some(usual) => (self.key.clone(), toml(self.others(usual, kind))),
            None => return None,
        };
        if values.is_empty() {
            return None;
        }
        values.insert(
            0,
            self.usual.as_ref().filter(|_| self.required).map_or_else(String::new, Value::to_string),
        );
        Some((key, values))
    }

    /// Whether it has a type of its own that is stricter than AWS is: a name, or several.
    pub fn is_name(&self) -> bool {
        let of_names = self.of["items"]["$ref"].as_str().is_some_and(|of| of.ends_with("Name"));
        of_names || self.of["maxLength"].is_number()
    }

    /// Whether it says what a role may do besides.
    pub fn is_of_permissions(&self) -> bool {
        self.of["items"]["$ref"].as_str().is_some_and(|of| of.ends_with("/Permission"))
    }

    /// The kinds that have it in them, as far as its members say: the kind itself if it makes the call that
    /// they are of, else who does.
    pub fn sent_by(&self, kind: KindName) -> Vec<KindName> {
        let operations: BTreeSet<&str> =
            self.bound_by(kind).filter_map(|bound| bound.member.split('.').next()).collect();
        let all = kinds();
        let makes = |of: KindName, operation: &str| {
            all[of as usize].calls().iter().any(|call| call.name == operation)
        };
        let who = |operation: &str| {
            let others = KindName::ALL.iter().copied();
            [kind].into_iter().chain(others).find(|of| makes(*of, operation))
        };
        operations.into_iter().filter_map(who).collect()
    }
}

/// What a role may do besides.
pub const MORE: &str = "[{ actions = [\"s3:GetObject\"], resources = [\"arn:aws:s3:::files/*\"] }]";
