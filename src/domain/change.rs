//! What differs between the desired state and the observed one, and what is done about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Create,
    Update,
    Delete,
    /// Lets go of what is somebody else's: only what is ours in it goes.
    Release,
}

impl Verb {
    /// Whether the project is without it afterwards.
    pub fn removes(self) -> bool {
        matches!(self, Self::Delete | Self::Release)
    }

    /// The word in plans and events: `create`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Release => "release",
        }
    }
}

/// What it takes to bring a field to its wanted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// Nothing but patience: AWS is still making it.
    Wait,
    Update,
    /// An update during which the parts on it (`Kind::PART_OF`) must be gone: an endpoint whose variant is a
    /// scalable target cannot change its instance type
    /// (docs/aws/sagemaker-endpoints.md#updating-under-autoscaling, docs/decisions/0024).
    Detach,
    Replace,
}

/// One field that is not as wanted. Shown to the user as `path: from -> to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    pub path: String,
    pub from: String,
    pub to: String,
    pub needs: Needs,
}

impl FieldChange {
    /// Whose it is: no field of a kind, as [`Self::STATUS`] is none. The planner alone changes it.
    const OWNER: &'static str = "owner";
    /// The state that it is in.
    const STATUS: &'static str = "status";

    /// It becomes this project's.
    pub fn adoption(from: String, to: String) -> Self {
        Self { path: Self::OWNER.to_owned(), from, to, needs: Needs::Update }
    }

    /// Whether it becomes this project's.
    pub fn is_adoption(&self) -> bool {
        self.path == Self::OWNER
    }

    /// It is to be in another state: waited for, or made again.
    pub fn status(from: String, to: String, needs: Needs) -> Self {
        Self { path: Self::STATUS.to_owned(), from, to, needs }
    }

    /// Whether it is its state that differs.
    pub fn is_of_status(&self) -> bool {
        self.path == Self::STATUS
    }

    /// A change of a field of the kind.
    fn of_kind(path: &str, from: String, to: String, needs: Needs) -> Self {
        debug_assert!(![Self::OWNER, Self::STATUS].contains(&path), "`{path}` is the planner's");
        Self { path: path.into(), from, to, needs }
    }
}

impl Display for FieldChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} -> {}", self.path, self.from, self.to)
    }
}

/// Starts a list of changes; a `Kind::diff` reads as a table of its fields.
pub fn changes() -> Changes {
    Changes(Vec::new())
}

/// A list of [`FieldChange`] under construction.
#[derive(Debug)]
pub struct Changes(Vec<FieldChange>);

impl Changes {
    /// Adds `path` when the two texts differ.
    pub fn field(mut self, path: &str, seen: impl Display, want: impl Display, needs: Needs) -> Self {
        let (from, to) = (seen.to_string(), want.to_string());
        if from != to {
            self.0.push(FieldChange::of_kind(path, from, to, needs));
        }
        self
    }

    /// Adds `path` when `differs`, with words instead of values (documents, digests).
    pub fn when(
        mut self,
        differs: bool,
        path: &str,
        from: impl Display,
        to: impl Display,
        needs: Needs,
    ) -> Self {
        if differs {
            self.0.push(FieldChange::of_kind(path, from.to_string(), to.to_string(), needs));
        }
        self
    }

    /// The same of a number that AWS chooses where nobody does. Fingerprinted kinds only.
    pub fn chosen(
        self,
        path: &str,
        seen: Option<i32>,
        want: Option<i32>,
        show: impl Fn(i32) -> String,
    ) -> Self {
        let text = |number: Option<i32>| number.map_or_else(|| "AWS's own".to_owned(), &show);
        self.field(path, text(seen), text(want), Needs::Replace)
    }

    /// Adds one change per key that differs, under `path.key`. Fingerprinted kinds only, so they need a new
    /// one.
    pub fn map_field(
        mut self,
        path: &str,
        seen: &BTreeMap<String, String>,
        want: &BTreeMap<String, String>,
        show: impl Fn(&String) -> String,
    ) -> Self {
        let keys: BTreeSet<&String> = seen.keys().chain(want.keys()).collect();
        for key in keys {
            let text = |map: &BTreeMap<String, String>| map.get(key).map_or_else(|| "none".to_owned(), &show);
            self = self.field(&format!("{path}.{key}"), text(seen), text(want), Needs::Replace);
        }
        self
    }

    /// The fields that differ, in the order in which they were compared.
    pub fn done(self) -> Vec<FieldChange> {
        self.0
    }
}
