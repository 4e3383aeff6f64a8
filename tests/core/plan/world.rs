//! A project on disk and an account in memory, as far as planning sees them.

use std::collections::BTreeMap;
use std::path::Path;

use opsctl::config::Document;
use opsctl::desired::{AnySeen, Desired, Node};
use opsctl::domain::{Contents, Crc64, FieldChange, KindName, Needs, ResourceId, Stored, tags};
use opsctl::inputs::Inputs;
use opsctl::plan::{self, Leftover, Mode, Observation, Observed, Op, Plan, Verb};
use opsctl::report;
use opsctl::report::style::Styles;
use opsctl::resources::autoscaling::Autoscaling;
use opsctl::resources::kinds;
use regex_lite::Regex;
use serde_json::{Value, json};

use crate::project;

pub const DEPLOY: Mode = Mode::Deploy { prune: false, adopt: false };
pub const PRUNE: Mode = Mode::Deploy { prune: true, adopt: false };
pub const ADOPT: Mode = Mode::Deploy { prune: false, adopt: true };
pub const DESTROY: Mode = Mode::Destroy { adopted: false };
pub const DESTROY_ADOPTED: Mode = Mode::Destroy { adopted: true };

/// A copy of `project/` that a test may change.
pub struct Files {
    folder: tempfile::TempDir,
    text: String,
}

impl Files {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new("tests/core/plan/project");
        copy(from, folder.path());
        Self { folder, text: std::fs::read_to_string(from.join("opsctl.toml")).unwrap() }
    }

    /// Replaces the one place of `from` in the config.
    #[track_caller]
    pub fn edit(&mut self, from: &str, to: &str) {
        assert_eq!(self.text.matches(from).count(), 1, "`{from}` is not there once");
        self.text = self.text.replace(from, to);
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("opsctl.toml")
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn rewrite(&mut self, text: String) {
        self.text = text;
    }

    /// Adds to the config.
    pub fn append(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub fn write(&self, file: &str, content: &str) {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    #[track_caller]
    pub fn desired(&self) -> Desired {
        self.desired_of(|_| ())
    }

    /// The same where the data set `digits` has left a file in the bucket.
    #[track_caller]
    pub fn desired_with_a_stray(&self) -> Desired {
        let stored = Stored { size: 3, crc: Crc64::of(b"1,2"), etag: "tag".into() };
        let uri = "s3://shop-dev-000000000000-us-east-1/data/digits/".into();
        self.desired_of(|inputs| inputs.found_strays(uri, [("old.csv".into(), stored)].into()))
    }

    #[track_caller]
    fn desired_of(&self, find: impl FnOnce(&mut Inputs)) -> Desired {
        let file = self.folder.path().join("opsctl.toml");
        let document = Document::parse(&file, self.text.clone()).unwrap();
        let project = project::read_and_find(&document, "dev", find);
        assert!(!project.problems.has_errors(), "{:#?}", project.problems);
        project.desired
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

type Key = (KindName, String);

/// What exists, by kind and physical name, with the time of its making.
#[derive(Clone, Default)]
pub struct Account {
    things: BTreeMap<Key, (u64, Value)>,
    /// What each was made of.
    uses: BTreeMap<Key, Vec<Key>>,
    unreadable: BTreeMap<Key, String>,
    /// What lies in a bucket.
    pub contents: BTreeMap<ResourceId, Contents>,
    /// What has lost its tags and its section.
    pub lost: Vec<plan::Lost>,
    now: u64,
}

impl Account {
    /// An account in which all of this was deployed.
    #[track_caller]
    pub fn with(want: &Desired) -> Self {
        let mut account = Self::default();
        account.deploy(want, DEPLOY);
        account
    }

    /// What is seen when everything is there as wanted.
    pub fn all_there(want: &Desired) -> Observed {
        let seen = |node: &Node| typed(node.id.kind, &tagged(node, want, as_wanted(node)));
        let look = |node: &Node| (node.id.clone(), Observation::Present(seen(node)));
        Observed { observations: want.nodes.iter().map(look).collect(), ..Observed::default() }
    }

    /// Plans, checks, applies, and plans again: that must be empty.
    #[track_caller]
    pub fn deploy(&mut self, want: &Desired, mode: Mode) -> Plan {
        let plan = self.plan(want, mode);
        self.apply(&plan, want);
        let again = self.plan(want, mode);
        assert!(again.is_empty(), "planning again:\n{}", shown(&again));
        plan
    }

    #[track_caller]
    pub fn plan(&self, want: &Desired, mode: Mode) -> Plan {
        let (have, kinds) = (self.observe(want), kinds());
        let plan = plan::build(want, &have, &kinds, mode).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(plan::check::check(&plan, want, &have, &kinds, mode), [] as [&str; 0]);
        plan
    }

    /// The problems for which there is no plan: code and message.
    #[track_caller]
    pub fn refused(&self, want: &Desired, mode: Mode) -> Vec<String> {
        let problems = plan::build(want, &self.observe(want), &kinds(), mode).unwrap_err();
        problems.0.iter().map(|p| format!("{}: {} ({})", p.code, p.message, p.help)).collect()
    }

    /// As `engine::observe` looks.
    pub fn observe(&self, want: &Desired) -> Observed {
        let key = |node: &Node| (node.id.kind, node.physical.clone());
        let look = |node: &Node| match (self.unreadable.get(&key(node)), self.things.get(&key(node))) {
            (Some(why), _) => Observation::Unreadable(why.clone(), opsctl::domain::codes::DENIED),
            (None, Some((_, seen))) => Observation::Present(typed(node.id.kind, seen)),
            (None, None) => Observation::Absent,
        };
        let elders = |node: &Node| {
            let mut elders: Vec<_> = self
                .things
                .iter()
                .filter(|((kind, name), _)| {
                    *kind == node.id.kind && want.scope.is_generation(&node.id.name, name)
                })
                .collect();
            elders.sort_by_key(|(_, (made, _))| std::cmp::Reverse(*made));
            elders.into_iter().map(|((_, name), _)| name.clone()).collect::<Vec<_>>()
        };
        let seen_lost = |lost: &plan::Lost| {
            let (_, seen) = self.things.get(&(lost.id.kind, lost.id.name.clone()))?;
            Some((lost.id.clone(), typed(lost.id.kind, seen)))
        };
        let wanted: Vec<_> = want.nodes.iter().map(key).collect();
        let absent = want.nodes.iter().filter(|n| matches!(look(n), Observation::Absent));
        let unwanted = self.things.iter().filter(|(key, (_, seen))| {
            !wanted.contains(key) && ["ours", "adopted"].iter().any(|o| seen["owner"] == *o)
        });
        let unwanted: Vec<_> = unwanted.collect();
        let id = |key: &(KindName, String)| ResourceId::new(key.0, key.1.clone());
        let mut have = Observed {
            seen_leftovers: unwanted.iter().map(|(key, (_, seen))| (id(key), typed(key.0, seen))).collect(),
            observations: want.nodes.iter().map(|n| (n.id.clone(), look(n))).collect(),
            previous_generations: BTreeMap::new(),
            leftovers: unwanted
                .iter()
                .map(|((kind, name), (_, seen))| Leftover {
                    runs: None,
                    bills: false,
                    id: ResourceId::new(*kind, name.clone()),
                    physical: name.clone(),
                    adopted: seen["owner"] == "adopted",
                })
                .collect(),
            unread: Vec::new(),
            seen_lost: self.lost.iter().filter_map(seen_lost).collect(),
            lost: self.lost.clone(),
            contents: self.contents.clone(),
            created: BTreeMap::new(),
        };
        let served = have.served(want);
        let previous =
            |n: &Node| Some((n.id.clone(), have.previous(n.id.kind, &elders(n), &served)?.clone()));
        have.previous_generations = absent.filter_map(previous).collect();
        have
    }

    /// Does the steps in their order, and refuses what AWS refuses.
    #[track_caller]
    pub fn apply(&mut self, plan: &Plan, want: &Desired) {
        let all: Vec<usize> = (0..plan.steps.len()).collect();
        self.apply_some(plan, want, &all);
    }

    /// Does some of the steps, one after the other.
    #[track_caller]
    pub fn apply_some(&mut self, plan: &Plan, want: &Desired, order: &[usize]) {
        let made =
            |id: &ResourceId| plan.steps.iter().any(|s| s.target == *id && s.op.verb() == Verb::Create);
        for step in order.iter().map(|step| &plan.steps[*step]) {
            self.now += 1;
            let key = (step.target.kind, step.physical.clone());
            match &step.op {
                Op::Release => {
                    self.things.get_mut(&key).expect("it is there").1["owner"] = json!("nobody");
                }
                Op::Delete | Op::DeleteWhole { .. } => {
                    assert!(self.things.remove(&key).is_some(), "{} is not there to delete", step.target);
                    self.uses.remove(&key);
                    let user = self.uses.iter().find(|(_, used)| used.contains(&key)).map(|(user, _)| user);
                    assert!(user.is_none() || made(&step.target), "{} is in use by {user:?}", step.target);
                }
                Op::Create { .. } => {
                    let node = want.node(&step.target).unwrap();
                    let leaving = |seen: &Value| seen["status"]["phase"] == "leaving";
                    let there = self.things.get(&key).is_some_and(|(_, seen)| !leaving(seen));
                    assert!(!there, "{} is there already", step.target);
                    self.needs_are_there(node, want);
                    self.things.insert(key, (self.now, tagged(node, want, as_wanted(node))));
                }
                Op::Update { changes, .. } => {
                    let node = want.node(&step.target).unwrap();
                    self.needs_are_there(node, want);
                    // docs/aws/sagemaker-endpoints.md#updating-under-autoscaling: a scaled variant cannot
                    // change its instance type.
                    let detach = changes.iter().any(|c| c.needs == Needs::Detach);
                    let part = (KindName::Autoscaling, Autoscaling::resource_id(&step.physical));
                    let scaled = self.things.contains_key(&part);
                    assert!(!(detach && scaled), "{} is updated under scaling", step.target);
                    let adopts = changes.iter().any(|c| c.path == "owner" && c.to.contains("adopted"));
                    let adopted = adopts || self.things[&key].1["owner"] == "adopted";
                    let mut seen = as_wanted(node);
                    for tags in ["tags", "made_as"] {
                        seen[tags] = self.things[&key].1[tags].clone();
                    }
                    retag(&mut seen["tags"], changes, want);
                    self.things.insert(key.clone(), (self.now, seen));
                    if adopted {
                        adopt(&mut self.things.get_mut(&key).unwrap().1, &json(node));
                    }
                }
            }
        }
    }

    fn needs_are_there(&mut self, node: &Node, want: &Desired) {
        let needs = node.needs.iter().filter_map(|need| want.node(need));
        let needs: Vec<Key> = needs.map(|need| (need.id.kind, need.physical.clone())).collect();
        for need in &needs {
            assert!(self.things.contains_key(need), "{} is made before {need:?}", node.id);
        }
        self.uses.insert((node.id.kind, node.physical.clone()), needs);
    }

    /// What there is and how it is, but for when it was made.
    pub fn inventory(&self) -> BTreeMap<Key, Value> {
        self.things.iter().map(|(key, (_, seen))| (key.clone(), seen.clone())).collect()
    }

    /// What is seen of a resource, to change it behind opsctl's back.
    #[track_caller]
    pub fn seen(&mut self, want: &Desired, id: &str) -> &mut Value {
        let node = node(want, id);
        &mut self.things.get_mut(&(node.id.kind, node.physical.clone())).unwrap().1
    }

    pub fn has(&self, want: &Desired, id: &str) -> bool {
        let node = node(want, id);
        self.things.contains_key(&(node.id.kind, node.physical.clone()))
    }

    #[track_caller]
    pub fn remove(&mut self, want: &Desired, id: &str) {
        let node = node(want, id);
        let key = (node.id.kind, node.physical.clone());
        self.things.remove(&key).unwrap();
        self.uses.remove(&key);
    }

    #[track_caller]
    pub fn hide(&mut self, want: &Desired, id: &str, why: &str) {
        let node = node(want, id);
        self.unreadable.insert((node.id.kind, node.physical.clone()), why.to_owned());
    }

    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }
}

#[track_caller]
pub fn node<'a>(want: &'a Desired, id: &str) -> &'a Node {
    want.node(&id.parse().unwrap()).unwrap_or_else(|| panic!("{id} is not wanted"))
}

fn json(node: &Node) -> Value {
    serde_json::to_value(&node.spec).unwrap()
}

/// What is seen, as its kind knows it.
#[track_caller]
fn typed(kind: KindName, seen: &Value) -> AnySeen {
    kinds()[kind as usize].seen(seen.clone()).unwrap_or_else(|error| panic!("{kind:?}: {error}: {seen}"))
}

/// What would be seen of a node that is exactly as wanted.
pub fn as_wanted(node: &Node) -> Value {
    serde_json::to_value(node.spec.wanted()).unwrap()
}

/// With the tags that it is made with, of a kind that shows them.
fn tagged(node: &Node, want: &Desired, mut seen: Value) -> Value {
    let kind = &kinds()[node.id.kind as usize];
    if kind.owned_with().is_none() && node.id.kind != KindName::Instance {
        seen["tags"] = json!(tags::with_list(&want.tags));
        seen["made_as"] = json!(node.id.to_string());
    }
    seen
}

/// As drivers do it.
fn retag(seen: &mut Value, changes: &[FieldChange], want: &Desired) {
    let put = tags::with_list(&want.tags);
    let changed: Vec<&str> = changes.iter().filter_map(tags::changed).collect();
    let Some(seen) = seen.as_object_mut().filter(|_| !changed.is_empty()) else { return };
    seen.retain(|key, _| put.contains_key(key) || !(changed.contains(&&**key) || key == tags::KEYS_TAG));
    seen.extend(put.into_iter().map(|(key, value)| (key, json!(value))));
}

/// What is seen of somebody else's resource once ours has been put into it.
fn adopt(seen: &mut Value, spec: &Value) {
    seen["owner"] = json!("adopted");
    if seen.get("rules").is_some() {
        seen["policy"] = json!({ "Statement": [spec["statement"]] });
        let rule = |folder: &Value| {
            let folder = folder.as_str().unwrap();
            let days = (&spec["keep_old_versions_days"], &spec["abort_uploads_days"]);
            let rule =
                json!({ "prefix": folder, "keep_old_versions_days": days.0, "abort_uploads_days": days.1 });
            (format!("opsctl:{folder}"), rule)
        };
        seen["rules"] =
            spec["folders"].as_array().unwrap().iter().map(rule).collect::<serde_json::Map<_, _>>().into();
    }
}

/// A plan as a person reads it, then its edges. Fingerprints are numbered by their first appearance, so that
/// only what is about the plan changes the text.
pub fn shown(plan: &Plan) -> String {
    let mut text =
        report::plan::human(plan, &kinds(), "account 000000000000, us-east-1", true, None, &Styles::plain());
    text.push_str("\nOrder\n");
    for step in &plan.steps {
        let after: Vec<_> = step.after.iter().map(ToString::to_string).collect();
        let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(", ")) };
        text.push_str(&format!("  {}: {} {}{after}\n", step.id, step.op.verb().as_str(), step.target));
    }
    let mut known: Vec<String> = Vec::new();
    let digest = Regex::new(r"\b[0-9a-f]{10}\b").unwrap();
    digest
        .replace_all(&text, |found: &regex_lite::Captures<'_>| {
            let found = found[0].to_owned();
            let number = known.iter().position(|k| *k == found).unwrap_or_else(|| {
                known.push(found);
                known.len() - 1
            });
            format!("<{}>", number + 1)
        })
        .into_owned()
}
