//! Every leaf of the shipped config counts: to change it changes the plan.

use std::path::Path;

use opsctl::config::{Config, Document};
use opsctl::desired::Desired;
use opsctl::domain::{KeyPath, KindName};
use opsctl::resources::kinds;
use serde_json::{Map, Value, json};

use super::keys::{alike, key_at};
use super::world::{Account, DEPLOY};
use crate::project;

/// Whether a leaf names another section, the only one there is of its kind: to change it alone makes no
/// project.
fn names_the_only_one(at: &KeyPath, value: &Value, sections: &Map<String, Value>) -> bool {
    let of_kind = sections.get(at.last()).and_then(Value::as_object);
    of_kind.is_some_and(|all| all.len() == 1 && value.as_str().is_some_and(|name| all.contains_key(name)))
}

/// Leaves that say how a command works, or what becomes of files that have left a folder, not what is to be
/// there. `why` is words for people.
const HOW: [&str; 3] = ["data.digits.bandwidth", "data.digits.max_concurrency", "data.digits.delete"];

/// Another possible value of a leaf that has words, and what must change with it.
fn another(leaf: &str) -> Option<(Value, Vec<(&'static str, Value)>)> {
    let word = |value: &str| Some((json!(value), vec![]));
    match leaf {
        "project.name" => word("letters"),
        "project.region" => word("eu-west-1"),
        "data.digits.path" => word("data/digits/train"),
        "data.digits.include" => Some((json!(["train/**"]), vec![])),
        "data.digits.exclude" => Some((json!(["test/**"]), vec![])),
        "training.numbers.on" => Some((
            json!("ec2"),
            vec![
                ("training.numbers.instance_type", json!("m5.xlarge")),
                ("training.numbers.image", json!("ami-0123456789abcdef0")),
                ("training.numbers.checkpoints", json!(false)),
                ("training.numbers.metrics", json!({})),
            ],
        )),
        "training.numbers-on-ec2.on" => {
            Some((json!("sagemaker"), vec![("training.numbers-on-ec2.instance_type", json!("ml.m5.large"))]))
        }
        "training.numbers.source" => word("training-ec2"),
        "training.numbers-on-ec2.source" => word("training"),
        "training.numbers.entry" | "training.numbers-on-ec2.entry" => word("requirements.txt"),
        "training.numbers.image" | "endpoint.numbers.image" => word("pytorch-2.5"),
        "training.numbers.data" | "training.numbers-on-ec2.data" => Some((json!([]), vec![])),
        "training.numbers.metrics.train:loss" | "training.numbers.metrics.test:accuracy" => {
            word("other=([0-9]+)")
        }
        "endpoint.numbers.entry" => {
            Some((json!("train.py"), vec![("endpoint.numbers.code", json!("training"))]))
        }
        "endpoint.numbers.model" => word("numbers-on-ec2"),
        "endpoint.numbers.code" => word("dog-breeds/serving"),
        "function.classify.runtime" => word("python3.12"),
        "function.classify.handler" => Some((
            json!("train.print"),
            vec![("function.classify.source", json!("../tests/core/config/files/training"))],
        )),
        _ if leaf.contains(".environment.") => word("another"),
        _ => None,
    }
}

const NO_IDEA: &str = "add another possible value to this test";

/// Another value that can be guessed.
fn guessed(at: &KeyPath, value: &Value, config: &Config) -> Option<Value> {
    let item = at.parent()?;
    let kind = kinds().into_iter().find(|kind| kind.items(&config.document).contains(&item));
    let Some(key) = key_at(at) else { return alike(value).into_iter().next() };
    // A kind without limits is none whose limits others would break.
    key.others(value, kind.map_or(KindName::Bucket, |kind| kind.name())).into_iter().next()
}

fn shipped() -> Document {
    let file = Path::new("config/opsctl.toml");
    Document::parse(file, std::fs::read_to_string(file).unwrap()).unwrap()
}

#[track_caller]
fn desired(document: &Document, environment: &str, what: &str) -> Desired {
    let project = project::read(document, environment);
    assert!(!project.problems.has_errors(), "{what}: {:#?}", project.problems);
    project.desired
}

/// Paths and values of all leaves; a list is one.
fn leaves(table: &Map<String, Value>, at: &KeyPath, found: &mut Vec<(KeyPath, Value)>) {
    for (key, value) in table {
        match value {
            Value::Object(table) => leaves(table, &at.join(key), found),
            leaf => found.push((at.join(key), leaf.clone())),
        }
    }
}

#[test]
fn every_leaf_of_the_shipped_config_counts() {
    let original = shipped();
    let account = Account::with(&desired(&original, "dev", "unchanged"));
    let (config, _) = Config::read(&original, "dev", &project::sections(&kinds()));
    let mut all = Vec::new();
    let mut sections = original.environment("dev").values().clone();
    sections.remove("audit"); // thresholds of a report: nothing is made of them
    sections.remove("lint");
    leaves(&sections, &KeyPath::default(), &mut all);
    assert!(all.len() > 50);
    for (at, value) in all.iter().filter(|(at, value)| {
        !names_the_only_one(at, value, &sections)
            && !HOW.contains(&at.to_string().as_str())
            && at.last() != "why"
    }) {
        let leaf = at.to_string();
        let guessed = || Some((guessed(at, value, &config)?, vec![]));
        let (other, along) = another(&leaf).or_else(guessed).unwrap_or_else(|| panic!("{NO_IDEA}: {leaf}"));
        assert_ne!(&other, value, "{leaf}");
        let mut document = original.clone();
        document.set(at, other);
        for (along, value) in along {
            document.set(&KeyPath::of(along.split('.')), value);
        }
        let plan = account.plan(&desired(&document, "dev", &leaf), DEPLOY);
        assert!(!plan.is_empty(), "{leaf} makes no difference");
    }
}

#[test]
fn a_leaf_of_an_environment_counts_in_it_and_only_in_it() {
    let original = shipped();
    let leaf = KeyPath::of("env.prod.endpoint.numbers.autoscaling.max".split('.'));
    let mut document = original.clone();
    document.set(&leaf, json!(9));
    for (environment, steps) in [("dev", 0), ("prod", 1)] {
        let account = Account::with(&desired(&original, environment, "unchanged"));
        assert_eq!(
            account.plan(&desired(&document, environment, "max"), DEPLOY).steps.len(),
            steps,
            "{environment}"
        );
    }
}
