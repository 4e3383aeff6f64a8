//! A plan that was saved (`opsctl plan --out`) and is to be done as it is: the fingerprint decides whether it
//! still holds. Its steps, and what they are made of, say what differs, and whether it is done already.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::difference::{Difference, Place};
use super::{Intent, Session};
use crate::desired::Desired;
use crate::domain::ResourceId;
use crate::plan::{Mode, Plan, Step};

/// Digests of the parts of a spec, by their names.
type Parts = BTreeMap<String, String>;

/// How a saved plan stands to what would be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is just that.
    True,
    /// It is done, and nothing is left to do.
    Applied,
    /// It is neither: what differs.
    OutOfDate(Vec<Difference>),
}

/// A plan as it was saved: its promise, and what it said that it would do.
#[derive(Debug, Deserialize)]
pub struct SavedPlan {
    fingerprint: String,
    #[serde(flatten)]
    place: Option<Place>,
    #[serde(default)]
    steps: Vec<SavedStep>,
    /// What each resource of its steps is made of. The document of `plan -o json` does not have it.
    #[serde(default)]
    made_of: BTreeMap<String, Parts>,
    #[serde(default)]
    prune: bool,
    #[serde(default)]
    adopt: bool,
}

/// A step as it was saved.
#[derive(Debug, Deserialize)]
struct SavedStep {
    op: String,
    target: String,
    #[serde(default)]
    physical: String,
    #[serde(default)]
    why: Vec<String>,
}

/// The resources of a project, by their names in AWS, the longest first.
struct Names<'d> {
    desired: &'d Desired,
    all: Vec<(&'d str, String)>,
}

impl<'d> Names<'d> {
    fn of(desired: &'d Desired) -> Self {
        let mut all: Vec<_> =
            desired.nodes.iter().map(|node| (node.physical.as_str(), node.id.to_string())).collect();
        all.sort_by_key(|(physical, _)| std::cmp::Reverse(physical.len()));
        Self { desired, all }
    }

    /// Digests of what a resource is made of. Other resources are in it by their names in the config: what
    /// only follows from another one that has changed is no difference of its own.
    fn parts(&self, id: &ResourceId) -> Option<Parts> {
        let Value::Object(spec) = self.desired.node(id)?.spec.json().ok()? else { return None };
        let digest = |value: &Value| {
            let text = value.to_string();
            let text = self.all.iter().fold(text, |text, (physical, id)| text.replace(physical, id));
            blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
        };
        Some(spec.iter().map(|(name, value)| (name.clone(), digest(value))).collect())
    }
}

impl SavedPlan {
    /// Reads the document of a plan, with or without [`Self::members`].
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        if !value["fingerprint"].is_string() {
            return Err("it has no fingerprint".to_owned());
        }
        serde_json::from_value(value).map_err(|e| e.to_string())
    }

    /// What a saved plan has beside the document of a plan: what it was allowed, and what the resources of
    /// its steps are made of.
    pub fn members(plan: &Plan, intent: &Intent) -> Map<String, Value> {
        let mut members = Map::new();
        if let Mode::Deploy { prune, adopt } = intent.mode {
            members.insert("prune".into(), prune.into());
            members.insert("adopt".into(), adopt.into());
        }
        let names = Names::of(&intent.desired);
        let targets: BTreeSet<&ResourceId> = plan.steps.iter().map(|step| &step.target).collect();
        let made_of = targets.into_iter().filter_map(|id| Some((id.to_string(), names.parts(id)?)));
        members.insert("made_of".into(), made_of.map(|(id, parts)| (id, json!(parts))).collect());
        members
    }

    /// What it does under this config. What it was allowed when it was saved need not be said again.
    pub fn intent(&self, session: &Session, prune: bool, adopt: bool) -> Intent {
        Intent::deploy(session, prune || self.prune, adopt || self.adopt)
    }

    /// Whether this is the plan that was saved, or what is left when that was applied: nothing.
    pub fn standing(&self, plan: &Plan, desired: &Desired) -> Standing {
        if self.fingerprint == plan.fingerprint() {
            Standing::True
        } else if self.is_applied(plan, desired) {
            Standing::Applied
        } else {
            Standing::OutOfDate(self.differences(plan, desired))
        }
    }

    /// Whether nothing is left to do because all that was saved is done: the config wants it as it was
    /// saved, and it is there.
    fn is_applied(&self, plan: &Plan, desired: &Desired) -> bool {
        let names = Names::of(desired);
        // A leftover goes by its physical name.
        let is_there = |target: &str| {
            let mut wanted = desired.nodes.iter().map(|node| format!("{}/{}", node.id.kind, node.physical));
            wanted.any(|id| id == target) || plan.leftovers.iter().any(|left| left.id.to_string() == target)
        };
        let is_done = |step: &SavedStep| {
            let node = desired.nodes.iter().find(|node| step.target == node.id.to_string());
            match (node, self.made(&step.target)) {
                (Some(node), Some(made)) => {
                    made.physical == node.physical
                        && plan.unchanged.contains(&node.id)
                        && self.made_of.get(&step.target) == names.parts(&node.id).as_ref()
                }
                (None, None) => !is_there(&step.target),
                _ => false,
            }
        };
        plan.is_empty()
            && self.place.as_ref() == Some(&Place::of(&plan.scope))
            && !self.steps.is_empty()
            && self.steps.iter().all(is_done)
    }

    /// The step that makes or changes it.
    fn made(&self, target: &str) -> Option<&SavedStep> {
        let makes = |step: &&SavedStep| ["create", "update"].contains(&step.op.as_str());
        self.steps.iter().filter(makes).find(|step| step.target == target)
    }

    /// How a plan differs from what was saved.
    fn differences(&self, plan: &Plan, desired: &Desired) -> Vec<Difference> {
        let now = Place::of(&plan.scope);
        if let Some(before) = self.place.clone().filter(|place| *place != now) {
            return vec![Difference::Place { before, now }];
        }
        if plan.is_empty() {
            // What was saved and never done is not wanted any more.
            return vec![Difference::NothingLeft];
        }
        // What they do it with is compared by what the resources are made of.
        let saved = self.steps.iter().map(|step| ((step.op.clone(), step.target.clone()), ())).collect();
        let now = plan.steps.iter().map(does).map(|does| (does, ())).collect();
        let mut different = Difference::of_steps(&saved, &now, Clone::clone);
        different.extend(self.of_same_steps(plan, desired));
        if different.is_empty() {
            different.push(Difference::TagsOrOrder);
        }
        different
    }

    /// What is made of something else, what follows from that, and what has another reason.
    fn of_same_steps(&self, plan: &Plan, desired: &Desired) -> Vec<Difference> {
        let names = Names::of(desired);
        let (mut own, mut follow, mut reasons) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        for step in &plan.steps {
            let (verb, id) = does(step);
            let Some(before) = self.steps.iter().find(|saved| saved.op == verb && saved.target == id) else {
                continue;
            };
            let parts = self.made_of.get(&id).zip(names.parts(&step.target));
            let parts = parts.map(|(before, now)| changed(before, &now)).unwrap_or_default();
            if !parts.is_empty() {
                own.insert(id, parts);
            } else if before.physical != step.physical {
                follow.insert(id);
            } else if before.why != step.why {
                reasons.push(step);
            }
        }
        if own.is_empty() {
            let because = |step: &Step| {
                let (verb, id) = does(step);
                Difference::Reason { verb, id, why: step.why.clone() }
            };
            let renamed = follow.into_iter().map(|id| Difference::Renamed { id });
            return renamed.chain(reasons.into_iter().map(because)).collect();
        }
        // A reason that names what was made again follows from that too.
        follow.extend(reasons.into_iter().map(|step| step.target.to_string()));
        let ids: Vec<String> = follow.into_iter().filter(|id| !own.contains_key(id)).collect();
        let along = (!ids.is_empty()).then_some(Difference::Along { ids });
        own.into_iter().map(|(id, parts)| Difference::MadeOf { id, parts }).chain(along).collect()
    }
}

/// Verb and resource.
fn does(step: &Step) -> (String, String) {
    (step.op.verb().as_str().to_owned(), step.target.to_string())
}

/// The parts that differ, as a person calls them.
fn changed(before: &Parts, now: &Parts) -> Vec<String> {
    let bare = |name: &'_ str| -> String {
        let bare = ["_s", "_arn", "_sha256"].iter().find_map(|unit| name.strip_suffix(unit));
        bare.unwrap_or(name).to_owned()
    };
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differ = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    differ.map(|name| format!("`{}`", bare(name))).collect()
}
