//! Behind our back, by a loop over all that a deploy leaves: every attribute changed, every resource deleted,
//! every name in a stranger's hands. What no plan shows is named here, with the reason.

use std::collections::BTreeSet;
use std::path::Path;

use opsctl::domain::KindName;
use opsctl::engine::OpCx;
use opsctl::plan::{self, Observation, Observed};
use opsctl::resources::kinds;
use opsctl_sandbox::Sandbox;
use regex_lite::Regex;
use serde_json::{Value, json};

use crate::support::golden::same_as_files;
use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};

/// Attributes whose change no plan shows, by table and path. What AWS itself writes, and what docs/managed.md
/// leaves to others.
const UNSEEN: &str = "attributes.txt";

/// Documents whose end no plan shows.
const UNMISSED: &str = "documents.txt";

/// The kinds whose look may read a table of the sandbox: all that read anything of its service.
fn readers(table: &str) -> Vec<KindName> {
    const READ: [&str; 4] = ["Describe", "Get", "Head", "List"];
    let service = table.split('.').next().unwrap_or_default();
    let is_read = |call: &str| {
        let (of, operation) = call.split_once(':').unwrap_or_default();
        of == service && READ.iter().any(|verb| operation.starts_with(verb))
    };
    let readers = kinds().into_iter().filter(|kind| kind.calls().iter().any(|call| is_read(call.name)));
    let readers: Vec<KindName> = readers.map(|kind| kind.name()).collect();
    // What others keep for a kind: the alarms of a policy, tags.
    if readers.is_empty() { KindName::ALL.to_vec() } else { readers }
}

/// Whether a plan does something or refuses to, when what the readers of `table` see is as it is now.
async fn is_seen(project: &Project, base: &Observed, table: &str) -> bool {
    let (mut have, readers) = (base.clone(), readers(table));
    for node in project.desired.nodes.iter().filter(|node| readers.contains(&node.id.kind)) {
        let cx = OpCx::new(&project.world, node.id.clone());
        let look = match project.registry.of(node.id.kind).observe(&cx, &node.physical).await {
            Ok(Some(seen)) => Observation::Present(seen),
            Ok(None) => Observation::Absent,
            Err(error) => Observation::Unreadable(error.to_string(), error.code()),
        };
        have.observations.insert(node.id.clone(), look);
    }
    plan::build(&project.desired, &have, &project.kinds, DEPLOY).map_or(true, |plan| !plan.is_empty())
}

/// Every document: table, key, content. Of the data one file stands for all.
fn documents(sandbox: &Sandbox) -> Vec<(String, String, Value)> {
    let world = sandbox.state();
    let tables = std::fs::read_dir(world.root.join("state")).expect("it has a state").flatten();
    let mut tables: Vec<String> = tables.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    tables.sort();
    let of = |table: &String| -> Vec<(String, String, Value)> {
        let all = world.store.list(table, "").into_iter();
        all.map(|(key, document)| (table.clone(), key, document)).collect()
    };
    let mut all: Vec<_> = tables.iter().flat_map(of).collect();
    // Of the data one file stands for all; AWS's own role is AWS's.
    all.retain(|(_, key, _)| !key.contains("data/digits/") || key.ends_with("train/0.csv"));
    all.retain(|(_, key, _)| !key.contains("AWSServiceRoleFor"));
    all
}

/// The places of all leaves.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, value)| leaves(value, &format!("{path}/{}", escaped(name)), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| leaves(value, &format!("{path}/{i}"), found));
        }
        Value::Null => {}
        _ => found.push(path.to_owned()),
    }
}

/// Another value of the same type.
fn changed(leaf: &Value) -> Value {
    match leaf {
        Value::Bool(is) => Value::from(!is),
        Value::Number(n) => {
            n.as_u64().map_or_else(|| json!(n.as_f64().unwrap_or_default() + 1.0), |n| json!(n + 1))
        }
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            // A policy.
            Ok(Value::Object(_)) => json!({ "Version": "2012-10-17", "Statement": [] }).to_string().into(),
            _ => Value::from(format!("{text}x")),
        },
        other => other.clone(),
    }
}

/// A table and a place in it, without what is of one resource.
fn named(table: &str, path: &str) -> String {
    let table = if table.starts_with("s3.objects.") { "s3.objects" } else { table };
    let parts = path.split('/').map(|part| if part.parse::<usize>().is_ok() { "*" } else { part });
    format!("{table} {}", parts.skip(1).collect::<Vec<_>>().join("."))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_that_is_changed_and_every_document_that_is_deleted_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    project.succeed(DEPLOY).await;
    let base = project.observe().await.expect("readable");
    assert!(!is_seen(&project, &base, "").await, "nothing has changed yet");
    let store = &sandbox.state().store;
    let (mut unseen, mut unmissed) = (BTreeSet::new(), BTreeSet::new());
    for (table, key, document) in documents(&sandbox) {
        let mut places = Vec::new();
        leaves(&document, "", &mut places);
        for place in places {
            let mut other = document.clone();
            let leaf = other.pointer_mut(&place).expect("it is there");
            *leaf = changed(leaf);
            store.put(&table, &key, other).expect("written");
            if !is_seen(&project, &base, &table).await {
                unseen.insert(named(&table, &place));
            }
        }
        store.remove(&table, &key).expect("removed");
        if !is_seen(&project, &base, &table).await {
            // What AWS makes up is another in every run.
            let made_up = Regex::new("[0-9a-f]{8,}(-[0-9a-f]{4,})*").expect("a pattern");
            unmissed.insert(format!("{} {}", named(&table, "").trim_end(), made_up.replace_all(&key, "*")));
        }
        store.put(&table, &key, document).expect("written");
    }
    assert!(!is_seen(&project, &base, "").await, "everything is as it was");
    let list = |name: &str, lines: &BTreeSet<String>| {
        let text = lines.iter().map(|line| format!("{line}\n")).collect();
        (Path::new("tests/e2e/behind").join(name), text)
    };
    same_as_files(
        [list(UNSEEN, &unseen), list(UNMISSED, &unmissed)],
        "a new line is what no plan shows, a line less what a plan shows by now",
    );
    sandbox.stop().await;
}

/// Takes our tags off what a node is in AWS: then it is as if somebody else had made it.
fn estrange(sandbox: &Sandbox, physical: &str) -> bool {
    let store = &sandbox.state().store;
    let mut estranged = false;
    for (table, key, mut document) in documents(sandbox) {
        let named = key.split(['/', ':', '.']).any(|part| part == physical) || key.ends_with(physical);
        let tags = match table.as_str() {
            "tags" => Some(&mut document),
            "lambda.function" => document.get_mut("Tags"),
            "s3.buckets" => document.get_mut("tags"),
            _ => None,
        };
        let before = tags.as_deref().cloned();
        let Some(tags) = tags.filter(|_| named) else { continue };
        match tags {
            Value::Object(tags) => tags.retain(|name, _| !name.starts_with("opsctl:")),
            Value::Array(tags) => tags.retain(|tag| !tag.to_string().contains("opsctl:")),
            _ => {}
        }
        if before.as_ref() != Some(&*tags) {
            estranged = true;
            store.put(&table, &key, document).expect("written");
        }
    }
    estranged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_a_strangers_hands_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    project.succeed(DEPLOY).await;
    let mut without_tags = Vec::new();
    for node in &project.desired.nodes {
        let before = documents(&sandbox);
        if !estrange(&sandbox, &node.physical) {
            without_tags.push(node.id.kind);
            continue;
        }
        let refused =
            project.plan(DEPLOY).await.err().unwrap_or_else(|| panic!("{} is taken for ours", node.id));
        assert!(refused.contains("E203") && refused.contains(&node.physical), "{}: {refused}", node.id);
        if let Ok(plan) = project.plan(DESTROY).await {
            let step = plan
                .steps
                .iter()
                .find(|step| step.physical == node.physical && step.target.kind == node.id.kind);
            assert!(step.is_none(), "{}: {step:?}", node.id);
        }
        for (table, key, document) in before {
            sandbox.state().store.put(&table, &key, document).expect("written");
        }
    }
    // Parts of a whole that has them, and objects of a bucket: data, and the record of a job on EC2.
    assert_eq!(
        without_tags,
        [KindName::Data, KindName::Instance, KindName::Autoscaling, KindName::Concurrency]
    );
    // All of them at once: a destroy that is carried out touches nothing but the machine of the job, which
    // has tags of its own, and the job's folder, which its fingerprint names.
    for node in &project.desired.nodes {
        estrange(&sandbox, &node.physical);
    }
    let of_job = |table: &str, key: &str| table.starts_with("ec2") || key.starts_with("instances/");
    let theirs = || documents(&sandbox).into_iter().filter(|(table, key, _)| !of_job(table, key));
    let before: Vec<_> = theirs().collect();
    assert!(before.len() > 40, "{}", before.len());
    let failed = project.run(DESTROY).await.map(|outcome| outcome.failed);
    let after: Vec<_> = theirs().collect();
    let touched =
        before.iter().filter(|document| !after.contains(document)).map(|(table, key, _)| (table, key));
    assert_eq!(touched.collect::<Vec<_>>(), [], "{failed:?}");
    sandbox.stop().await;
}
