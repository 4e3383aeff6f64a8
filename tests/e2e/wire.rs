//! What a deploy really sends, held against AWS's models: the data behind `opsctl check` names every member,
//! and no value breaks its limits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use opsctl::limits::{Member, members};
use opsctl::plan::Mode;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::support::golden::same_as_files;
use crate::support::inside::{DEPLOY, Project, sandbox};
use crate::support::tap::{Sent, Tap};

/// The operation of a request, as `data/models.txt` writes it, and its parameters.
fn read((head, body): &Sent) -> Option<(String, Value)> {
    let header = |name: &str| {
        head.iter()
            .find_map(|h| Some(h.split_once(':')?).filter(|h| h.0.eq_ignore_ascii_case(name)))
            .map(|h| h.1.trim())
    };
    if let Some((service, operation)) = header("x-amz-target").and_then(|target| target.split_once('.')) {
        let service = match service {
            "SageMaker" => "sagemaker",
            "AnyScaleFrontendService" => "application-autoscaling",
            "AmazonSSM" => "ssm",
            s if s.starts_with("Logs") => "logs",
            other => other,
        };
        return Some((format!("{service}:{operation}"), serde_json::from_slice(body).ok()?));
    }
    let path = head.first()?.split(' ').nth(1)?;
    let method = head.first()?.split(' ').next()?;
    let text = std::str::from_utf8(body).unwrap_or_default();
    if let Some(rest) = text.strip_prefix("Action=") {
        let service = if text.contains("&Version=2010-05-08") { "iam" } else { "ec2" };
        return Some((format!("{service}:{}", rest.split('&').next()?), form(text)));
    }
    let operation = match (method, path) {
        ("POST", "/2015-03-31/functions") => "CreateFunction",
        ("POST", p) if p.starts_with("/2015-03-31/functions/") && p.ends_with("/aliases") => "CreateAlias",
        ("PUT", p) if p.contains("/provisioned-concurrency?") => "PutProvisionedConcurrencyConfig",
        _ => return None,
    };
    Some((format!("lambda:{operation}"), serde_json::from_slice(body).ok()?))
}

/// `Tags.member.1.Key=a` → `{"Tags": [{"Key": "a"}]}`.
fn form(text: &str) -> Value {
    let mut value = Value::Object(serde_json::Map::new());
    for (key, text) in text.split('&').filter_map(|pair| pair.split_once('=')) {
        if ["Action", "Version"].contains(&key) {
            continue;
        }
        let text = percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let mut place = &mut value;
        for part in key.split('.').filter(|part| *part != "member") {
            place = match part.parse::<usize>() {
                Ok(i) => {
                    if !place.is_array() {
                        *place = Value::Array(Vec::new());
                    }
                    let items = place.as_array_mut().expect("made above");
                    while items.len() < i {
                        items.push(Value::Object(serde_json::Map::new()));
                    }
                    &mut items[i - 1]
                }
                Err(_) => &mut place[part],
            };
        }
        *place = Value::from(text);
    }
    value
}

/// Each leaf with the path of its member; a map or list that the data has as a whole is one.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    if Member::of(path).is_some_and(|m| m.kind == "map") {
        found.push((path.to_owned(), value.clone()));
        return;
    }
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| leaves(value, &format!("{path}.{key}"), found))
        }
        Value::Array(items) => items.iter().for_each(|value| leaves(value, &format!("{path}.*"), found)),
        leaf => found.push((path.to_owned(), leaf.clone())),
    }
}

/// What the limits of a member say against a value.
fn breaks(path: &str, member: &Member, value: &Value) -> Option<String> {
    let size = match value {
        Value::String(_) if member.kind == "blob" => return None,
        Value::String(text) if ["integer", "long"].contains(&member.kind) => text.parse().ok()?,
        Value::String(text) => i64::try_from(text.chars().count()).ok()?,
        Value::Number(n) => n.as_i64()?,
        Value::Object(map) => i64::try_from(map.len()).ok()?,
        _ => return None,
    };
    let inside = member.min.is_none_or(|min| size >= min) && member.max.is_none_or(|max| size <= max);
    let text = value.as_str();
    let listed =
        text.is_none_or(|text| member.values().is_none_or(|values| values.iter().any(|v| v == text)));
    // \p{…} is Unicode's, which only the full crate knows.
    let pattern = member.pattern.and_then(|p| regex_lite::Regex::new(&format!("^(?:{p})$")).ok());
    let fits = text.is_none_or(|text| pattern.is_none_or(|pattern| pattern.is_match(text)));
    (!(inside && listed && fits)).then(|| format!("{path}: {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_that_is_sent_is_known_and_within_its_limits() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let tap = Tap::on(sandbox.endpoint_url());
    let project = Project::through(&sandbox, &tap.url, |text| text).await;
    project.succeed(DEPLOY).await;
    let other = Project::through(&sandbox, &tap.url, |text| {
        let text = text.replace("memory_mb               = 128", "memory_mb = 256\nurl = \"public\"");
        let text = text.replace("architecture            = \"x86_64\"", "architecture = \"arm64\"");
        text.replace("epochs = ", "spare = \"1.10\"\nepochs = ")
    });
    let other = other.await;
    let steps = other.steps(DEPLOY).await;
    assert!(steps.contains(&"update function/classify".to_owned()), "{steps:?}");
    other.succeed(DEPLOY).await;
    assert_eq!(other.steps(DEPLOY).await, Vec::<String>::new(), "what was sent is what is read");
    project.succeed(Mode::Destroy { adopted: false }).await;

    // How EC2's query protocol names lists.
    let renamed = BTreeMap::from([
        ("BlockDeviceMapping", "BlockDeviceMappings"),
        ("TagSpecification", "TagSpecifications"),
        ("Tag", "Tags"),
    ]);
    let operations: BTreeSet<&str> = members().keys().filter_map(|path| path.split('.').next()).collect();
    let (mut unknown, mut broken, mut seen) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for sent in &tap.sent() {
        let Some((operation, parameters)) = read(sent) else { continue };
        if !operations.contains(operation.as_str()) {
            continue;
        }
        let mut found = Vec::new();
        leaves(&parameters, &operation, &mut found);
        for (path, value) in found {
            let parts: Vec<&str> = path.split('.').map(|part| *renamed.get(part).unwrap_or(&part)).collect();
            let path = if operation.starts_with("ec2:") { parts.join(".") } else { path };
            match Member::of(&path) {
                None => drop(unknown.insert(path)),
                Some(member) => {
                    broken.extend(breaks(&path, member, &value));
                    seen.insert(path);
                }
            }
        }
    }
    let list = PathBuf::from("tests/core/limits/computed.txt");
    let text = std::fs::read_to_string(&list).expect("readable");
    let more: String = unknown.iter().map(|path| format!("{path}\n")).collect();
    same_as_files(
        [(list, text + &more)],
        "members that no key is bound to: bind them, or let UPDATE_EXPECT=1 list them as computed; then run \
         src/limits/data/build.py",
    );
    assert_eq!(broken, BTreeSet::new());
    assert!(seen.len() > 80, "{}: {seen:?}", seen.len());
    sandbox.stop().await;
}
