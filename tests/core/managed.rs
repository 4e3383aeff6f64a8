//! docs/managed.md speaks of all that AWS lets one change. What keys set is written there by a test, from the
//! members that they are bound to; a person says what is put back all the same, and what is left.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect_file;
use opsctl::desired::AnyKind;
use opsctl::domain::KindName;
use opsctl::resources::kinds;

/// Requests that change what opsctl makes, and that it does not send itself: by kind, service and shape. A
/// structure is here where its members are told apart and no key sets any.
const BY_OTHERS: [(KindName, &str, &str); 2] =
    [(KindName::Role, "iam", "UpdateRoleRequest"), (KindName::Function, "lambda", "LoggingConfig")];

/// How a call is made, or which alias or version of a resource it is about.
const NOT_OF_THE_RESOURCE: [&str; 8] =
    ["RevisionId", "Publish", "PublishTo", "DryRun", "Tags", "ClientToken", "FunctionVersion", "Name"];

/// Levels say what is left out of a format, and have a meaning in JSON alone.
const OF_LOGGING: [&str; 4] = ["LogFormat", "LogGroup", "ApplicationLogLevel", "SystemLogLevel"];

/// What the second column says of what keys set; a person who means it too writes more behind it.
const BY_KEY: &str = "as the config says";

/// The sandbox's copy of AWS's models: which shape an operation takes, and the members of a shape with
/// theirs.
#[derive(Default)]
struct Models {
    operations: BTreeMap<String, String>,
    shapes: BTreeMap<String, Vec<(String, String)>>,
}

impl Models {
    fn read() -> Self {
        let text = std::fs::read_to_string("src/sandbox/model/requests.txt").expect("the models");
        let (mut models, mut service) = (Self::default(), "");
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["s", name, ..] => service = name,
                ["o", operation, shape, ..] => {
                    models.operations.insert(format!("{service}:{operation}"), format!("{service}:{shape}"));
                }
                ["t", shape, "structure", ..] => {
                    let members = fields[6..].iter().filter_map(|member| member.split_once(':'));
                    let of = |(name, of): (&str, &str)| {
                        (name.to_owned(), format!("{service}:{}", of.trim_end_matches(['!', '~'])))
                    };
                    models.shapes.insert(format!("{service}:{shape}"), members.map(of).collect());
                }
                _ => {}
            }
        }
        models
    }

    /// The shapes of the operations of a kind that begin with one of these verbs.
    fn sent_by(&self, kind: &dyn AnyKind, verbs: &[&str]) -> Vec<(&'static str, &str)> {
        let calls = kind.calls().iter().map(|call| call.name);
        let verb = |call: &&str| verbs.iter().any(|verb| call.split(':').nth(1).unwrap().starts_with(verb));
        let mut found = Vec::new();
        for call in calls.filter(verb) {
            match self.operations.get(call) {
                Some(shape) => found.push((call, shape.as_str())),
                // S3's documents are no members of requests.
                None => assert!(call.starts_with("s3:"), "{call} is not in the models"),
            }
        }
        found
    }

    /// Which attributes a change of a kind's resources can set: paths of members, with the operation. A
    /// structure of which a key sets a part is told by its members.
    fn attributes(&self, kind: &dyn AnyKind, bound: &BTreeSet<String>) -> Vec<(&'static str, String)> {
        let named = self.sent_by(kind, &["Delete", "Deregister"]).into_iter();
        let named: BTreeSet<String> =
            named.flat_map(|(_, shape)| &self.shapes[shape]).map(|(name, _)| name.to_lowercase()).collect();
        let others = BY_OTHERS.iter().filter(|(of, ..)| *of == kind.name());
        let others = others.map(|(_, service, shape)| ("", format!("{service}:{shape}")));
        let own = self.sent_by(kind, &["Update", "Put", "Modify", "Register"]).into_iter();
        let mut found = Vec::new();
        for (operation, shape) in own.map(|(call, shape)| (call, shape.to_owned())).chain(others) {
            for (name, of) in &self.shapes[&shape] {
                let inner = self
                    .shapes
                    .get(of)
                    .filter(|_| bound.iter().any(|path| path.starts_with(&format!("{name}."))));
                match inner {
                    Some(members) => {
                        found.extend(members.iter().map(|(inner, _)| (operation, format!("{name}.{inner}"))));
                    }
                    None => found.push((operation, name.clone())),
                }
            }
        }
        found.retain(|(_, path)| {
            !named.contains(&path.to_lowercase()) && !NOT_OF_THE_RESOURCE.contains(&path.as_str())
        });
        found
    }
}

/// The members that the keys of a kind are sent as, without operation and entries, with the key.
fn bound(kind: &dyn AnyKind) -> Vec<(String, &'static str)> {
    let path = |member: &str| {
        let parts = member.split('.').skip(1).filter(|part| !["*", "key", "value"].contains(part));
        parts.collect::<Vec<_>>().join(".")
    };
    kind.bound().iter().map(|bound| (path(bound.member), bound.key.trim_end_matches(".*"))).collect()
}

/// What keys set of a kind's resources after they were made: the operation, the attribute, the key.
fn set_by_keys(models: &Models, kind: &dyn AnyKind) -> Vec<(&'static str, String, &'static str)> {
    let bound = bound(kind);
    let paths: BTreeSet<String> = bound.iter().map(|(path, _)| path.clone()).collect();
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for (operation, attribute) in models.attributes(kind, &paths) {
        let key = bound.iter().find(|(path, _)| *path == attribute);
        if let Some((_, key)) = key.filter(|_| seen.insert(attribute.clone())) {
            found.push((operation, attribute, *key));
        }
    }
    found
}

/// What the lines of a section say of attributes: the names between backticks, and what becomes of them.
fn row(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")
}

fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The page with the row of what keys set in each section. What a person's row says of the same is taken out.
fn written(page: &str, models: &Models) -> String {
    let mut sections: Vec<String> = page.split("\n## ").map(str::to_owned).collect();
    for kind in kinds() {
        let set = set_by_keys(models, kind.as_ref());
        if set.is_empty() {
            continue;
        }
        let said = set.iter().map(|(_, attribute, key)| format!("`{attribute}` (`{key}`)"));
        let by_key = format!("| {} | {BY_KEY} |", said.collect::<Vec<_>>().join(", "));
        let words = kind.name().words();
        let is_its =
            |section: &String| section.lines().next().unwrap_or_default().eq_ignore_ascii_case(words);
        let Some(section) = sections.iter_mut().find(|section| is_its(section)) else {
            let (first, rest) = words.split_at(1);
            let heading = first.to_uppercase() + rest;
            let last = sections.last_mut().expect("the head at least");
            *last = format!("{}\n", last.trim_end());
            sections.push(format!("{heading}\n\n| Attribute | |\n|---|---|\n{by_key}\n"));
            continue;
        };
        let mut lines = Vec::new();
        for line in section.lines() {
            match row(line) {
                Some((_, BY_KEY)) => continue,
                Some((cell, what)) if !what.starts_with(BY_KEY) => {
                    let mut kept = cell.to_owned();
                    for (_, attribute, _) in &set {
                        kept = kept
                            .replace(&format!("`{attribute}`, "), "")
                            .replace(&format!(", `{attribute}`"), "");
                    }
                    if !set.iter().any(|(_, attribute, _)| kept == format!("`{attribute}`")) {
                        lines.push(format!("| {kept} | {what} |"));
                    }
                }
                _ => lines.push(line.to_owned()),
            }
            if line == "|---|---|" {
                lines.push(by_key.clone());
            }
        }
        let end = if section.ends_with("\n\n") { "\n\n" } else { "\n" };
        *section = lines.join("\n").trim_end().to_owned() + end;
    }
    sections.join("\n## ")
}

#[test]
fn what_keys_set_is_said_to_be_as_the_config_says() {
    let page = std::fs::read_to_string("docs/managed.md").expect("the page");
    let models = Models::read();
    let set: usize = kinds().iter().map(|kind| set_by_keys(&models, kind.as_ref()).len()).sum();
    assert!(set > 15, "the models and the keys have little in common: {set}");
    expect_file!["../../docs/managed.md"].assert_eq(&written(&page, &models));
}

#[test]
fn every_attribute_that_can_be_changed_is_put_back_or_said_to_be_left() {
    let page = std::fs::read_to_string("docs/managed.md").expect("the page");
    let models = Models::read();
    let (mut unsaid, mut count) = (Vec::new(), 0);
    for kind in kinds() {
        let words = kind.name().words();
        let section =
            page.split("\n## ").find(|text| text.lines().next().unwrap().eq_ignore_ascii_case(words));
        let rows = section.unwrap_or_default().lines().filter_map(row);
        let said: BTreeSet<&str> =
            rows.flat_map(|(cell, _)| names(cell)).flat_map(|name| name.split('.')).collect();
        let paths = bound(kind.as_ref()).into_iter().map(|(path, _)| path).collect();
        for (_, attribute) in models.attributes(kind.as_ref(), &paths) {
            count += 1;
            let name = attribute.split('.').next_back().expect("one at least");
            if !said.contains(name) && !OF_LOGGING.contains(&name) {
                unsaid.push(format!("{words}: {attribute}"));
            }
        }
    }
    assert_eq!(unsaid, Vec::<String>::new(), "docs/managed.md does not say what becomes of them");
    assert!(count > 60, "only {count} attributes were found");
}

/// A look reads what a key sets: nothing of it may be in the list of what no plan shows.
#[test]
fn what_keys_set_is_seen_when_it_is_changed() {
    let unseen = std::fs::read_to_string("tests/e2e/behind/attributes.txt").expect("the list");
    let models = Models::read();
    let camel = |noun: &str| -> String {
        let words = noun.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
        words.collect()
    };
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for kind in kinds() {
        for (operation, attribute, key) in set_by_keys(&models, kind.as_ref()) {
            for line in unseen.lines() {
                let Some((table, path)) = line.split_once(' ') else { continue };
                let Some((service, noun)) = table.split_once('.') else { continue };
                let of_operation = operation
                    .split_once(':')
                    .is_some_and(|(of, name)| of == service && name.contains(&camel(noun)));
                if of_operation {
                    compared += 1;
                    if format!(".{path}.").contains(&format!(".{attribute}.")) {
                        wrong.push(format!("{line}: the key `{key}` of {} sets it", kind.name()));
                    }
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "their `observe` does not read it, or their `diff` not say it");
    assert!(compared > 50, "the list and the keys have little in common: {compared}");
}
