//! What AWS's own models say of requests: types, required members, lengths, ranges, patterns, enums.
//! `requests.txt` is made of botocore by `build.py`, for every operation in
//! docs/inside/sandbox-operations.md.
//!
//! An operation's table of rules ([`super::constraint`]) is for what AWS refuses beyond its model.

mod check;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

pub use check::{Form, Input};

const DATA: &str = include_str!("requests.txt");

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Structure(Vec<Member>),
    /// The shape of its items.
    List(&'static str),
    /// The shapes of keys and values.
    Map(&'static str, &'static str),
    Text,
    Blob,
    Boolean,
    Integer,
    Float,
    /// Seconds, or a text that says when.
    Time,
    /// Any JSON.
    Document,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    /// As the wire has it.
    name: &'static str,
    shape: &'static str,
    required: bool,
    /// Whether the wire has it as text whatever it is: in the path or the query.
    is_text: bool,
}

/// A shape of the model, with its constraints.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shape {
    name: &'static str,
    kind: Kind,
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<&'static str>,
    /// The values of an enum.
    values: Vec<&'static str>,
}

#[derive(Debug, Default)]
struct Service {
    /// Shapes of the inputs by operation.
    inputs: BTreeMap<&'static str, &'static str>,
    checksums: BTreeSet<&'static str>,
    shapes: HashMap<&'static str, Shape>,
}

static SERVICES: LazyLock<HashMap<&'static str, Service>> = LazyLock::new(|| {
    let mut services: HashMap<&str, Service> = HashMap::new();
    let mut current = "";
    for line in DATA.lines() {
        let fields: Vec<&'static str> = line.split('\t').collect();
        let service = services.entry(current);
        match fields[..] {
            ["s", name, _] => current = name,
            ["c", operation] => drop(service.or_default().checksums.insert(operation)),
            ["o", operation, shape] => drop(service.or_default().inputs.insert(operation, shape)),
            ["t", name, kind, min, max, pattern, ref more @ ..] => {
                let shape = Shape {
                    name,
                    kind: kind_of(kind, more),
                    min: min.parse().ok(),
                    max: max.parse().ok(),
                    pattern: (pattern != "-").then_some(pattern),
                    values: if kind == "string" {
                        more.iter().flat_map(|one| values(one)).collect()
                    } else {
                        vec![]
                    },
                };
                service.or_default().shapes.insert(name, shape);
            }
            _ => {}
        }
    }
    services
});

fn kind_of(word: &str, more: &[&'static str]) -> Kind {
    match (word, more) {
        ("structure", members) => Kind::Structure(members.iter().filter_map(|text| member(text)).collect()),
        ("list", [item]) => Kind::List(item),
        ("map", [key, value]) => Kind::Map(key, value),
        ("string", _) => Kind::Text,
        ("blob", _) => Kind::Blob,
        ("boolean", _) => Kind::Boolean,
        ("integer" | "long", _) => Kind::Integer,
        ("float" | "double", _) => Kind::Float,
        ("timestamp", _) => Kind::Time,
        _ => Kind::Document,
    }
}

/// `NAME:SHAPE!~`
fn member(text: &'static str) -> Option<Member> {
    let (name, rest) = text.split_once(':')?;
    let shape = rest.trim_end_matches(['!', '~']);
    let marks = &rest[shape.len()..];
    Some(Member { name, shape, required: marks.contains('!'), is_text: marks.contains('~') })
}

/// `m5.{large,xlarge}` is two values. They live as long as the data.
fn values(text: &'static str) -> Vec<&'static str> {
    match text.split_once('{') {
        Some((family, sizes)) => {
            let sizes = sizes.trim_end_matches('}').split(',');
            sizes.map(|size| &*String::leak(format!("{family}{size}"))).collect()
        }
        None => vec![text],
    }
}

/// The model of an operation's input; none for S3, whose inputs `s3s` reads.
pub fn input(service: &str, operation: &str) -> Option<Input> {
    let service = SERVICES.get(service)?;
    Some(Input::new(service, service.shapes.get(service.inputs.get(operation)?)?))
}

/// Whether the data has the operation, with an input or without.
#[cfg(test)]
pub fn knows(service: &str, operation: &str) -> bool {
    SERVICES.get(service).is_some_and(|service| service.inputs.contains_key(operation))
}

/// Whether AWS wants a checksum of an operation's body.
pub fn needs_checksum(service: &str, operation: &str) -> bool {
    SERVICES.get(service).is_some_and(|service| service.checksums.contains(operation))
}

/// The values of an enum.
pub fn enum_values(service: &str, shape: &str) -> &'static [&'static str] {
    let shape = SERVICES.get(service).and_then(|service| service.shapes.get(shape));
    shape.map_or(&[], |shape| shape.values.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constraint::is_pattern;

    #[test]
    fn every_shape_is_there_and_every_pattern_can_be_matched() {
        for (name, service) in SERVICES.iter() {
            let mut asked: Vec<&str> =
                service.inputs.values().copied().filter(|shape| *shape != "-").collect();
            for shape in service.shapes.values() {
                match &shape.kind {
                    Kind::Structure(members) => asked.extend(members.iter().map(|member| member.shape)),
                    Kind::List(item) => asked.push(item),
                    Kind::Map(key, value) => asked.extend([key, value]),
                    _ => {}
                }
                if let Some(pattern) = shape.pattern {
                    assert!(is_pattern(pattern), "{name}: {pattern}");
                }
            }
            for shape in asked {
                assert!(service.shapes.contains_key(shape), "{name}: {shape}");
            }
        }
    }

    #[test]
    fn enums_of_instance_types_are_whole() {
        for (shape, known, foreign) in [
            ("TrainingInstanceType", "ml.t3.xlarge", "ml.t2.medium"),
            ("ProductionVariantInstanceType", "ml.t2.medium", "ml.t3.medium"),
            ("InstanceType", "ml.t3.medium", "ml.m5.large"),
        ] {
            let values = enum_values("sagemaker", shape);
            assert!(values.contains(&known), "{shape}");
            assert!(!values.contains(&foreign), "{shape}");
        }
        assert!(enum_values("ec2", "InstanceType").contains(&"t3.micro"));
    }
}
