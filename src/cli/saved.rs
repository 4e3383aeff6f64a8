//! Plans that `plan --out` has saved: the fingerprint decides whether one still holds. Its steps, and what
//! they are made of, are for the reader, and for a job that is run again: they say whether it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Failure;
use super::exit::Exit;
use super::files;
use crate::desired::Desired;
use crate::domain::{ResourceId, Scope, codes, few, few_sentences};
use crate::plan::{Mode, Plan, Step};
use crate::report::plan as render;
use crate::run::{Intent, Session};

/// Digests of the parts of a spec, by their names.
type Parts = BTreeMap<String, String>;

/// How a saved plan stands to what would be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is just that.
    True,
    /// It is done, and nothing is left to do.
    Applied,
}

/// A plan as it was saved: its promise, and what it said that it would do.
#[derive(Debug, Deserialize)]
pub struct Saved {
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

/// Where it goes.
#[derive(Debug, PartialEq, Deserialize)]
struct Place {
    project: String,
    environment: String,
    account: String,
    region: String,
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

/// What is saved: the plan, what it was allowed, and what the resources of its steps are made of.
pub fn document(plan: &Plan, intent: &Intent, session: &Session) -> Value {
    let mut document = render::json(plan, &session.kinds, &session.place);
    if let Mode::Deploy { prune, adopt } = intent.mode {
        (document["prune"], document["adopt"]) = (prune.into(), adopt.into());
    }
    let names = Names::of(&intent.desired);
    let targets: BTreeSet<&ResourceId> = plan.steps.iter().map(|step| &step.target).collect();
    let made_of = targets.into_iter().filter_map(|id| Some((id.to_string(), names.parts(id)?)));
    document["made_of"] = made_of.map(|(id, parts)| (id, json!(parts))).collect();
    document
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

impl Saved {
    /// What it does under this config. What it was allowed when it was saved need not be said again.
    pub fn intent(&self, session: &Session, prune: bool, adopt: bool) -> Intent {
        Intent::deploy(session, prune || self.prune, adopt || self.adopt)
    }

    /// Whether this is the plan that was saved, or what is left when that was applied: nothing.
    ///
    /// # Errors
    /// It is neither. What differs is said.
    pub fn holds(&self, plan: &Plan, desired: &Desired) -> Result<Standing, Failure> {
        if self.fingerprint == plan.fingerprint() {
            return Ok(Standing::True);
        }
        if self.is_applied(plan, desired) {
            return Ok(Standing::Applied);
        }
        let message = format!(
            "the saved plan is out of date: the config, the sources or AWS changed since; what differs: {}",
            few_sentences(&self.differences(plan, desired))
        );
        let help = "make a new one with `opsctl plan --out`";
        Err(Failure::new(codes::CHANGED_MEANWHILE, Exit::Failed, message, help))
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

    /// How a plan differs from what was saved, in a person's words.
    fn differences(&self, plan: &Plan, desired: &Desired) -> Vec<String> {
        let here = Place::of(&plan.scope);
        if let Some(place) = self.place.as_ref().filter(|place| **place != here) {
            return vec![format!("it is of {place}, and this is {here}")];
        }
        let saved: BTreeSet<(&str, &str)> = self.steps.iter().map(SavedStep::does).collect();
        let words: Vec<String> = plan.steps.iter().map(|step| step.target.to_string()).collect();
        let now: BTreeSet<(&str, &str)> =
            plan.steps.iter().zip(&words).map(|(step, id)| (step.op.verb().as_str(), id.as_str())).collect();
        let gone = saved.difference(&now).map(|(verb, id)| format!("no longer to {verb} {id}"));
        let new = now.difference(&saved).map(|(verb, id)| format!("also to {verb} {id}"));
        let mut different: Vec<String> = gone.chain(new).collect();
        different.extend(self.of_same_steps(plan, desired));
        if plan.is_empty() {
            // What was saved and never done is not wanted any more.
            different = vec!["nothing is left to do, and what was saved is not what is there".into()];
        }
        if different.is_empty() {
            different.push("the tags of the project, or the order of the steps".into());
        }
        different
    }

    /// What is made of something else, what follows from that, and what has another reason.
    fn of_same_steps(&self, plan: &Plan, desired: &Desired) -> Vec<String> {
        let names = Names::of(desired);
        let (mut own, mut follow, mut reasons) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        for step in &plan.steps {
            let (verb, id) = (step.op.verb().as_str(), step.target.to_string());
            let Some(before) = self.steps.iter().find(|saved| saved.does() == (verb, id.as_str())) else {
                continue;
            };
            let parts = self.made_of.get(&id).zip(names.parts(&step.target));
            let parts = parts.map(|(before, now)| changed(before, &now)).unwrap_or_default();
            if !parts.is_empty() {
                own.insert(id, parts);
            } else if before.physical != step.physical {
                follow.insert(id);
            } else if before.why != step.why {
                reasons.push((id, step));
            }
        }
        let mut different: Vec<String> =
            own.iter().map(|(id, parts)| format!("{id} has another {}", few(parts, 5))).collect();
        if own.is_empty() {
            different.extend(follow.iter().map(|id| format!("{id} gets another name in AWS")));
        } else {
            // A reason that names what was made again follows from that too.
            follow.extend(reasons.drain(..).map(|(id, _)| id));
            follow.retain(|id| !own.contains_key(id));
            let follow: Vec<String> = follow.into_iter().collect();
            let change = if follow.len() == 1 { "changes" } else { "change" };
            different.extend((!follow.is_empty()).then(|| format!("{} {change} with it", few(&follow, 5))));
        }
        let because = |(id, step): (String, &Step)| {
            format!("to {} {id} for another reason ({})", step.op.verb().as_str(), step.why.join(", "))
        };
        different.extend(reasons.into_iter().map(because));
        different
    }

    /// Reads one.
    pub fn load(file: &Path) -> Result<Self, Failure> {
        let read = || -> Result<Self, String> {
            let text = files::read(file, files::LARGE).map_err(|e| e.to_string())?;
            let value: Value = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
            if !value["fingerprint"].is_string() {
                return Err("it has no fingerprint".to_owned());
            }
            serde_json::from_value(value).map_err(|e| e.to_string())
        };
        read().map_err(|error| {
            let message = format!("{} is not a saved plan: {error}", file.display());
            Failure::new(codes::LOCAL_IO, Exit::Usage, message, "`opsctl plan --out FILE` makes one")
        })
    }
}

impl SavedStep {
    /// Verb and resource.
    fn does(&self) -> (&str, &str) {
        (&self.op, &self.target)
    }
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

impl Place {
    fn of(Scope { project, environment, account, region, partition: _ }: &Scope) -> Self {
        let [project, environment, account, region] =
            [project, environment, account, region].map(|name| name.clone());
        Self { project, environment, account, region }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, environment, account, region } = self;
        write!(f, "{project} / {environment} in account {account}, {region}")
    }
}
