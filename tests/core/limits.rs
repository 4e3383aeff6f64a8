//! What AWS's models refuse is refused in the file; and every member that opsctl sends is in the data.

use std::collections::BTreeSet;
use std::path::Path;

use expect_test::expect_file;
use opsctl::config::{Config, Document};
use opsctl::domain::{Action, KindName};
use opsctl::limits::{self, Bound, DATE, Member, members};
use opsctl::resources::kinds;
use serde_json::{Map, Value, json};

use crate::plan::keys::key_at;
use crate::project;

/// The members that no key sets. `e2e wire` adds what it finds, and the test below takes out what is bound.
const COMPUTED: &str = "tests/core/limits/computed.txt";

fn bound() -> Vec<Bound> {
    kinds().iter().flat_map(|kind| kind.bound().to_vec()).collect()
}

/// What is said about a training with these lines, `line:column` included.
fn said_about_training(lines: &str) -> String {
    let text = format!("[project]\nname = \"shop\"\n[training.shoes]\nsource = \"files/training\"\n{lines}");
    project::said_about(Path::new("tests/core/config/x.toml"), text, "dev").1
}

/// Amazon SageMaker counts a container's environment in bytes, and in all: no model says so.
#[test]
fn an_endpoints_environment_is_measured_in_bytes() {
    let said = |variables: &str| {
        let text = format!(
            "[project]\nname = \"shop\"\n[training.shoes]\nsource = \"files/training\"\n[endpoint.shoes]\n\
            model = \"shoes\"\n\
             instance_type = \"ml.m5.large\"\n[endpoint.shoes.environment]\n{variables}"
        );
        project::said_about(Path::new("tests/core/config/x.toml"), text, "dev").1
    };
    assert_eq!(said(&format!("A = \"{}\"", "ü".repeat(512))), "");
    let long = said(&format!("A = \"{}\"", "ü".repeat(513)));
    assert!(long.contains(":9:5\n") && long.contains("the variable A has 1026 bytes"), "{long}");
    let many = |last: usize| -> String {
        let value = |i: usize| if i == 31 { last } else { 1021 };
        (0..32).map(|i| format!("V{i:02} = \"{}\"\n", "x".repeat(value(i)))).collect()
    };
    let ours = ["SAGEMAKER_REGION", "us-east-1", "SAGEMAKER_CONTAINER_LOG_LEVEL", "20"].concat().len();
    assert_eq!(said(&many(1021 - ours)), "");
    let large = said(&many(1022 - ours));
    assert!(large.contains("error[C016]: the environment has 32769 bytes with opsctl's"), "{large}");
}

#[test]
fn every_binding_is_in_the_data() {
    for bound in bound() {
        for member in bound.members() {
            let found = Member::of(&member)
                .unwrap_or_else(|| panic!("{member} is not in models.txt: run src/limits/data/build.py"));
            if let Some(pattern) = found.pattern {
                regex_lite::Regex::new(pattern).unwrap_or_else(|e| panic!("{member}: {e}"));
            }
        }
    }
}

#[test]
fn the_data_is_well_formed_and_dated() {
    let date: Vec<&str> = DATE.split('-').collect();
    assert!(date.len() == 3 && date[0].parse::<u32>().unwrap() >= 2026, "{}", *DATE);
    assert!(members().len() > 120);
    for (path, member) in members() {
        assert!(path.contains(':') && path.contains('.'), "{path}");
        let kinds = ["string", "integer", "long", "float", "double", "boolean", "map", "list", "blob"];
        assert!(kinds.contains(&member.kind), "{path}: {}", member.kind);
        if let Some(values) = member.values() {
            assert!(!values.is_empty(), "{path}");
        }
    }
}

/// The limits that a review of the wire found missing.
#[test]
fn known_limits_are_in_the_data() {
    let job = "sagemaker:CreateTrainingJob";
    let limits = [
        (format!("{job}.HyperParameters"), 100),
        (format!("{job}.HyperParameters.value"), 2500),
        (format!("{job}.AlgorithmSpecification.MetricDefinitions"), 40),
        (format!("{job}.AlgorithmSpecification.MetricDefinitions.*.Regex"), 500),
        (format!("{job}.Environment"), 100),
        (format!("{job}.Environment.value"), 512),
        (format!("{job}.InputDataConfig"), 20),
        ("sagemaker:CreateModel.PrimaryContainer.Environment.value".into(), 1024),
        ("lambda:CreateFunction.MemorySize".into(), 10_240),
        ("lambda:CreateFunction.Timeout".into(), 900),
    ];
    for (path, max) in limits {
        assert_eq!(Member::of(&path).unwrap().max, Some(max), "{path}");
    }
    let names = Member::of("lambda:CreateFunction.Environment.Variables.key").unwrap();
    assert_eq!(names.pattern, Some("[a-zA-Z]([a-zA-Z0-9_])+"));
    let platform = Member::of("sagemaker:CreateNotebookInstance.PlatformIdentifier").unwrap();
    assert!(platform.pattern.unwrap().contains("notebook-al2023-v1"));
}

/// What a kind creates is called by a member of that call: `CreateModel.ModelName`. Where several are, the
/// shortest counts; one that takes an ARN too is as long as that.
#[test]
fn kinds_know_how_long_their_names_may_be() {
    let mut held = 0;
    for kind in kinds() {
        let named = |call: &Action| {
            let (_, what) = call.name.split_once(":Create")?;
            let small = format!("{}{}", what[..1].to_lowercase(), &what[1..]);
            [what, &small].into_iter().find_map(|what| Member::of(&format!("{}.{what}Name", call.name)))
        };
        let takes_arns = |member: &Member| member.pattern.is_some_and(|pattern| pattern.contains("arn:"));
        let members = kind.calls().iter().filter_map(named).filter(|member| !takes_arns(member));
        let Some(most) = members.filter_map(|member| member.max).min() else { continue };
        assert_eq!(i64::try_from(kind.name().longest_name()).unwrap(), most, "{}", kind.name());
        held += 1;
    }
    assert!(held > 6, "only {held} kinds were held against the models");
    let target = Member::of("application-autoscaling:RegisterScalableTarget.ResourceId").unwrap();
    assert_eq!(i64::try_from(KindName::Autoscaling.longest_name()).unwrap(), target.max.unwrap());
}

#[test]
fn counts_include_what_opsctl_adds() {
    let table = |n: usize| (0..n).map(|i| format!("p{i} = 1\n")).collect::<String>();
    let said = said_about_training(&format!("[training.shoes.hyperparameters]\n{}", table(97)));
    assert!(
        said.contains("`hyperparameters` has 97 entries, and opsctl adds 4: SageMaker takes at most 100"),
        "{said}"
    );
    assert!(said.contains("leave 1 of them out"), "{said}");
    assert!(said.contains("x.toml:5:1"), "{said}");
    assert_eq!(said_about_training(&format!("[training.shoes.hyperparameters]\n{}", table(96))), "");
}

#[test]
fn lengths_are_those_of_what_is_sent() {
    let parameter = |text: &str| said_about_training(&format!("hyperparameters = {{ p = '{text}' }}\n"));
    assert_eq!(parameter(&"x".repeat(2500)), "");
    let said = parameter(&"x".repeat(2501));
    assert!(said.contains("the value of `p` has 2,501 characters: SageMaker takes at most 2,500"), "{said}");
    // Text that reads as a number is sent in quotes, which count.
    let said = parameter(&"1".repeat(2499));
    assert!(said.contains("has 2,501 characters"), "{said}");
}

#[test]
fn values_of_variables_are_not_repeated() {
    let secret = "s3cr3t".repeat(100);
    let said = said_about_training(&format!("[training.shoes.environment]\nTOKEN = \"{secret}\"\n"));
    assert!(said.contains("the value of `TOKEN` has 600 characters: SageMaker takes at most 512"), "{said}");
    assert!(!said.lines().next().unwrap().contains("s3cr3t"));
}

#[test]
fn metrics_and_variables_have_counts_and_lengths() {
    let metrics = |n: usize| (0..n).map(|i| format!("m{i} = 'a=(.*)'\n")).collect::<String>();
    let said = said_about_training(&format!("[training.shoes.metrics]\n{}", metrics(41)));
    assert!(said.contains("`metrics` has 41 entries: SageMaker takes at most 40"), "{said}");
    let said = said_about_training(&format!("[training.shoes.metrics]\nm = '{}=(.*)'\n", "a".repeat(503)));
    assert!(said.contains("has 508 characters: SageMaker takes at most 500"), "{said}");
    let variables = |n: usize| (0..n).map(|i| format!("V{i} = 'x'\n")).collect::<String>();
    let said = said_about_training(&format!("[training.shoes.environment]\n{}", variables(101)));
    assert!(said.contains("`environment` has 101 entries: SageMaker takes at most 100"), "{said}");
}

#[test]
fn an_error_names_near_values_once() {
    let said = said_about_training("instance_type = \"ml.m5.xlrage\"\n");
    assert!(said.contains("did you mean \"ml.m5.xlarge\"?"), "{said}");
    assert!(said.len() < 600, "{said}");
    assert_eq!(said.matches("ml.m5.xlrage").count(), 2, "the message and the line: {said}");
}

/// Values that some model refuses: too many, too long, too short, out of range, no word of a list.
fn bad_values() -> Vec<Value> {
    let many: Map<String, Value> = (0..5000).map(|i| (format!("p{i}"), json!("x"))).collect();
    let one = |value: Value| [json!({ "a": value }), json!([value])];
    let texts = ["no such value", "", "9999999s", "0s"].map(Value::from);
    let mut all = vec![json!(-1), json!(0), json!(i32::MAX), json!("x".repeat(50_000))];
    all.extend(texts);
    all.extend(all.clone().into_iter().flat_map(one));
    let long = Map::from_iter([("x".repeat(5000), json!("(x)"))]);
    all.extend([json!({ "!": "x" }), Value::Object(long), json!(vec!["x"; 5000]), Value::Object(many)]);
    all
}

/// What a model refuses is refused wherever the key is written, of every kind: a kind only has to bind it.
#[test]
fn every_bound_key_is_held_against_its_model() {
    let text = std::fs::read_to_string("config/opsctl.toml").unwrap()
        + "\n[model.weights]\nimage = \"pytorch-2.6\"\n";
    let shipped = Document::parse(Path::new("config/opsctl.toml"), text).unwrap();
    let sections = project::sections(&kinds());
    let mut held = 0;
    for kind in kinds() {
        let (config, _) = Config::read(&shipped, "dev", &sections);
        let items = kind.items(&config.document);
        for bound in kind.bound() {
            let item = items.first().unwrap_or_else(|| panic!("{} has no item in the file", kind.name()));
            let parts = bound.key.split('.').filter(|part| *part != "*");
            let key = parts.fold(item.clone(), |at, part| at.join(part));
            let mut is_limited = false;
            let refused = bad_values().into_iter().any(|value| {
                let mut document = shipped.clone();
                document.set(&key, value);
                let (config, _) = Config::read(&document, "dev", &sections);
                let section = config.section(&key.0[0]).unwrap();
                let written = item.0[1..].iter().try_fold(section, |table, name| table.get(name)).unwrap();
                let expected = limits::check(&[*bound], written, item);
                is_limited |= !expected.is_empty();
                if expected.is_empty() {
                    return false;
                }
                let said = project::read(&document, "dev").problems.0;
                expected.iter().all(|problem| said.contains(problem))
            });
            // A name is refused by its type before; some members have no limit in their model.
            let exempt = !is_limited || key_at(&key).is_some_and(|key| key.is_name());
            assert!(refused || exempt, "{}: no value of `{}` is refused", kind.name(), bound.key);
            held += usize::from(refused);
        }
    }
    assert!(held > 30, "only {held} keys are held");
}

/// What is in the data is sent; what is sent from a key is bound. The rest is computed, and listed here.
#[test]
fn every_member_is_bound_or_computed() {
    let bound: BTreeSet<String> = bound().iter().flat_map(Bound::members).collect();
    let text = std::fs::read_to_string(COMPUTED).unwrap();
    // A key that is bound by now sets what was computed before.
    let lines = text.lines().filter(|line| !bound.contains(*line));
    expect_file!["limits/computed.txt"].assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
    let computed: BTreeSet<&str> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let neither = members().keys().filter(|path| !bound.contains(**path) && !computed.contains(*path));
    let neither: Vec<&&str> = neither.collect();
    assert!(neither.is_empty(), "no key is bound to them, and {COMPUTED} does not list them: {neither:#?}");
    let unknown: Vec<&&str> = computed.iter().filter(|path| !members().contains_key(**path)).collect();
    assert!(unknown.is_empty(), "not in models.txt, so run src/limits/data/build.py: {unknown:#?}");
}
