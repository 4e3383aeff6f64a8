//! Tests of each kind, in a module of its name: `cargo test --no-default-features --test core
//! kinds::endpoint`. What holds for every kind is elsewhere, and runs over all of them.

use expect_test::expect_file;
use opsctl::domain::{KindName, ResourceId};
use opsctl::plan::Verb;
use opsctl::resources::kinds;
use serde_json::Value;

use crate::plan::world::{Account, DEPLOY, Files, shown};

mod autoscaling;
mod bucket;
mod concurrency;
mod data;
mod endpoint;
mod endpoint_config;
mod function;
mod instance;
mod log_group;
mod model;
mod notebook;
mod role;
mod schedule;
mod training;

/// A resource of the small project (`tests/core/plan/project`) that somebody has deleted is made again.
#[track_caller]
fn made_again(id: &str) {
    made_again_in(&Files::new(), id);
}

/// The same in a project of one's own: most kinds need a few lines more, and not everybody's.
#[track_caller]
fn made_again_in(files: &Files, id: &str) {
    let want = files.desired();
    let mut account = Account::with(&want);
    account.remove(&want, id);
    let plan = account.deploy(&want, DEPLOY);
    let made = plan.steps.iter().any(|s| s.target.to_string() == id && s.op.verb() == Verb::Create);
    assert!(made, "{}", shown(&plan));
}

/// What of a resource somebody has changed, as a pointer into what is seen of it; and what the one step says
/// that puts it right.
#[track_caller]
fn put_right<const N: usize>(cases: [(&str, &str, Value, &str); N]) {
    let want = Files::new().desired();
    for (id, at, value, why) in cases {
        let mut account = Account::with(&want);
        *account.seen(&want, id).pointer_mut(at).unwrap() = value;
        let plan = account.deploy(&want, DEPLOY);
        let said = shown(&plan);
        let [step] = plan.steps.as_slice() else { panic!("{id} {at}: {said}") };
        assert_eq!((step.target.to_string().as_str(), step.op.verb()), (id, Verb::Update));
        assert!(said.contains(&format!("      {why}\n")), "{id} {at}: {said}");
    }
}

/// What each says of itself to code that knows no kind by name.
#[test]
fn every_kind_answers_for_itself() {
    let want = Files::new().desired();
    let mut said = String::new();
    for kind in kinds() {
        let node = want.nodes.iter().find(|node| node.id.kind == kind.name());
        let seen = node.map(|node| (node, node.spec.wanted()));
        let page = seen.and_then(|(node, seen)| seen.console_page(&node.physical, "cn-north-1"));
        let id = ResourceId::new(kind.name(), "x");
        let next = kind.next(&id).map(|(what, command)| format!("{what}: {command}"));
        let continues = |verb| kind.continues(verb).map(|said| format!("{verb:?}: {said}"));
        let answers = [page, next, kind.way_back().map(str::to_owned), continues(Verb::Create)];
        said += &format!("{}\n", kind.name());
        let answers = answers.into_iter().chain([continues(Verb::Update)]).flatten();
        said.extend(answers.map(|answer| format!("  {answer}\n")));
        let is = [("stops", kind.stops()), ("starts", kind.starts()), ("runs code", kind.runs_code())];
        said.extend(kind.invoked().map(|call| format!("  invoked by {}\n", call.name)));
        said.extend(is.iter().filter(|(_, is)| *is).map(|(word, _)| format!("  {word}\n")));
        let called = KindName::ALL.iter().filter(|other| **other != kind.name() && kind.is_called(**other));
        said.extend(called.map(|other| format!("  also called {other}\n")));
    }
    expect_file!["answers.txt"].assert_eq(&said);
}

/// Each kind has a file of its name here, and a line above: `UPDATE_EXPECT=1` writes it.
#[test]
fn every_kind_has_its_file() {
    let mut modules: Vec<String> = KindName::ALL.iter().map(|kind| kind.as_str().replace('-', "_")).collect();
    let file = |module: &String| format!("tests/core/kinds/{module}.rs");
    let missing = modules.iter().map(file).filter(|file| !std::path::Path::new(file).exists());
    assert_eq!(missing.collect::<Vec<_>>(), [] as [String; 0]);
    modules.sort();
    let (is, written) = (include_str!("mod.rs"), |line: &&str| line.starts_with("mod "));
    let first = is.lines().position(|line| written(&line)).expect("there are some");
    let others: Vec<&str> = is.lines().filter(|line| !written(line)).collect();
    let (before, after) = others.split_at(first);
    let modules: Vec<String> = modules.iter().map(|module| format!("mod {module};")).collect();
    let lines = before.iter().copied().chain(modules.iter().map(String::as_str)).chain(after.iter().copied());
    expect_file!["mod.rs"].assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}
