//! Lists of a dump, read entry by entry and field by field: what does not fit is left out and named, and
//! never takes with it what can be read.

use std::marker::PhantomData;

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A list whose entries are read one by one: one that cannot be read does not cost the others.
#[derive(Debug)]
pub struct Lenient<T> {
    pub items: Vec<T>,
    /// What could not be read of them.
    pub refused: Vec<SkippedEntry>,
}

/// An entry of a list, or a part of one, that could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct SkippedEntry {
    /// Its ARN or its name, empty when it has none.
    pub of: String,
    pub reason: String,
}

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self { items: Vec::new(), refused: Vec::new() }
    }
}

impl<T> From<Vec<T>> for Lenient<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, refused: Vec::new() }
    }
}

impl<T: DeserializeOwned> Lenient<T> {
    /// Keeps what can be read of an entry. An administrator with one odd tag must not disappear for it.
    fn add(&mut self, text: &RawValue) {
        // Most are as they should be, and read at once.
        if let Ok(item) = serde_json::from_str(text.get()) {
            self.items.push(item);
            return;
        }
        let mut entry: Value = match serde_json::from_str(text.get()) {
            Ok(entry) => entry,
            Err(error) => {
                let reason = format!("an entry could not be read: {error}");
                self.refused.push(SkippedEntry { of: String::new(), reason });
                return;
            }
        };
        drop_nulls(&mut entry);
        if let Ok(item) = T::deserialize(&entry) {
            self.items.push(item);
            return;
        }
        let names = ["Arn", "RoleName", "UserName", "GroupName", "PolicyName"];
        let of = names.iter().find_map(|name| entry[name].as_str()).unwrap_or_default().to_owned();
        let mut lost = Vec::new();
        let kept = keep(entry, "", &|value| T::deserialize(value).map(drop), &mut lost);
        self.items.extend(kept.and_then(|entry| T::deserialize(entry).ok()));
        self.refused.extend(lost.into_iter().map(|reason| SkippedEntry { of: of.clone(), reason }));
    }
}

/// Whether a value can stand where it is, by what reads the whole.
type Fits<'f> = &'f dyn Fn(&Value) -> Result<(), serde_json::Error>;

/// The value without the parts that do not fit, which are named in `lost`; `None` when nothing of it fits.
fn keep(value: Value, place: &str, fits: Fits<'_>, lost: &mut Vec<String>) -> Option<Value> {
    let error = match fits(&value) {
        Ok(()) => return Some(value),
        Err(error) => error,
    };
    let empty = match &value {
        Value::Object(_) => Some(Value::Object(Map::new())),
        Value::Array(_) => Some(Value::Array(Vec::new())),
        _ => None,
    };
    // What does not fit when it is empty is of the wrong kind.
    if empty.is_none_or(|empty| fits(&empty).is_err()) {
        let what = if place.is_empty() { "an entry" } else { place };
        lost.push(format!("{what} could not be read: {error}"));
        return None;
    }
    match value {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, field) in fields {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                let alone =
                    |field: &Value| fits(&Value::Object(Map::from_iter([(name.clone(), field.clone())])));
                if let Some(field) = keep(field, &place, &alone, lost) {
                    kept.insert(name, field);
                }
            }
            Some(Value::Object(kept))
        }
        Value::Array(items) => {
            let alone = |item: &Value| fits(&Value::Array(vec![item.clone()]));
            let items = items.into_iter().enumerate();
            let kept = items.filter_map(|(n, item)| keep(item, &format!("{place}[{n}]"), &alone, lost));
            Some(Value::Array(kept.collect()))
        }
        plain => Some(plain),
    }
}

/// Some exporters write `null` for what the AWS CLI leaves out.
fn drop_nulls(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, field| !field.is_null());
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Entries<T> {
            type Value = Lenient<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Lenient::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Lenient::default();
                while let Some(entry) = seq.next_element::<Box<RawValue>>()? {
                    list.add(&entry);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_any(Entries(PhantomData))
    }
}
