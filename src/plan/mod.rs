//! From the desired state and the observed one to the steps between them. Pure; all decisions are made here.

mod adopt;
mod build;
pub mod check;
mod dependents;
mod grounds;
mod kept;
mod keys;
mod mode;
mod order;
mod predecessors;
mod renamed;
mod scale;
mod served;
mod unread;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::desired::{AnyKind, AnySeen, AnySpec, kind_of};
use crate::domain::{Code, Contents, FieldChange, HumanDuration, KindName, Owner, ResourceId, Scope, Tags};

pub use crate::domain::Verb;
pub use build::build;
pub use dependents::holder;
pub use kept::Kept;
pub use keys::refused as refused_for_keys;
pub use mode::Mode;

/// What a step does, and to what end. A replacement is a delete and a create with an edge between them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Op {
    Create {
        spec: AnySpec,
    },
    Update {
        spec: AnySpec,
        changes: Vec<FieldChange>,
    },
    /// Deletes what opsctl made, and of its contents only what opsctl put there.
    Delete,
    /// Takes out of somebody else's resource what opsctl put into it, tags included, and leaves the rest.
    Release,
    /// Deletes it with all its contents, whoever made it: only with `destroy --adopted`. What others put
    /// there, by [`Contents::digest`], is what was agreed to.
    DeleteWhole {
        others: String,
    },
}

impl Op {
    /// The verb that carries it out.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Create { .. } => Verb::Create,
            Self::Update { .. } => Verb::Update,
            Self::Delete | Self::DeleteWhole { .. } => Verb::Delete,
            Self::Release => Verb::Release,
        }
    }
}

/// The number of a step within its plan.
pub type StepId = usize;

/// One verb on one resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    pub id: StepId,
    pub target: ResourceId,
    pub physical: String,
    pub op: Op,
    /// Steps that must have succeeded before.
    pub after: BTreeSet<StepId>,
    pub why: Vec<String>,
}

impl Step {
    /// Why what nobody has made is made.
    pub const NOT_THERE: &'static str = "not there yet";
    /// Why all of a project is deleted.
    pub const DESTROY: &'static str = "destroy";

    /// The reasons that say more than that it is made, or deleted with everything.
    pub fn reasons(&self) -> impl Iterator<Item = &String> {
        self.why.iter().filter(|why| *why != Self::NOT_THERE && *why != Self::DESTROY)
    }

    /// What is deleted with it that is not opsctl's and cannot be counted
    /// ([`crate::desired::Kind::TAKES_ALONG`]), also where the resource is made again. It follows from the
    /// kind, so it is no part of what is planned.
    pub fn takes_along(&self, kinds: &[Box<dyn AnyKind>]) -> Option<&'static str> {
        kind_of(kinds, self.target.kind).takes_along().filter(|_| self.op.verb() == Verb::Delete)
    }
}

/// Everything that will be done, and nothing else.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub scope: Scope,
    /// The tags of the user's own, on all that is made.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    pub steps: Vec<Step>,
    pub unchanged: Vec<ResourceId>,
    /// Owned, no longer wanted, and left alone without `--prune`.
    pub leftovers: Vec<Leftover>,
    /// The contents of the resources that go. Not part of the fingerprint: others keep writing.
    pub contents: BTreeMap<ResourceId, Contents>,
    /// What has a name of ours and is not ours by its tags, and what of ours it uses: a destroy leaves both,
    /// and `--prune` what has left the config.
    pub foreign: Vec<Foreign>,
    /// How long the newest earlier generation of what is created took. Not part of the fingerprint.
    #[serde(default)]
    pub took: BTreeMap<ResourceId, HumanDuration>,
}

impl Plan {
    /// One that changes nothing.
    pub fn empty(scope: Scope) -> Self {
        let (contents, took) = (BTreeMap::new(), BTreeMap::new());
        let (steps, unchanged, leftovers, foreign) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { scope, tags: Tags::new(), steps, unchanged, leftovers, contents, foreign, took }
    }
}

/// What has a name of this project, but not its tags.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Foreign {
    pub target: ResourceId,
    pub physical: String,
    /// Whose it is by its tags; ours for a part, or a data set, of what is not.
    pub owner: Owner,
    /// It carries no tags: whose it is says what it is on, or what opsctl has written beside it.
    #[serde(skip)]
    pub is_untagged: bool,
    /// A job that has ended: AWS may keep its record, without our tags once it was destroyed.
    #[serde(skip)]
    pub is_record: bool,
    /// It is this project's, and stays for this, which stays and may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_by: Option<ResourceId>,
}

impl Foreign {
    /// Whether a destroy has not done what it is for while this is there: it is this project's, or has been
    /// before it lost tags. One that lost all of them has a name that opsctl makes; a name that the config
    /// fixes may be of what was there before.
    pub fn may_be_ours(&self, scope: &Scope) -> bool {
        let lost = match &self.owner {
            Owner::Partly { .. } => true,
            Owner::Nobody => !self.is_record && self.physical.starts_with(&scope.prefix()),
            Owner::Ours | Owner::Adopted | Owner::Other(_) => false,
        };
        self.used_by.is_some() || (lost && !self.is_untagged)
    }

    /// Why it stays, as the end of a sentence, and how it goes if it is ours after all.
    pub fn why(&self, scope: &Scope) -> String {
        // What has no section is called by its physical name.
        let name = Some(&self.target.name).filter(|name| **name == self.physical);
        let name = name.and_then(|name| name.strip_prefix(&scope.prefix()));
        let tags = match name {
            Some(name) => scope.tags(&ResourceId::new(self.target.kind, name)),
            None => scope.tags(&self.target),
        };
        let tags: Vec<String> = tags.iter().map(|(key, value)| format!("`{key}={value}`")).collect();
        let tags = tags.join(", ");
        if let Some(user) = &self.used_by {
            return format!(
                "{user} stays and may use it; `opsctl destroy` deletes it when that has its tags again, or is gone"
            );
        }
        match &self.owner {
            Owner::Other(other) if self.is_untagged => format!("it belongs to {other}"),
            Owner::Nobody | Owner::Partly { .. } if self.is_untagged => {
                "this project has not put it there, by what opsctl has written beside it".to_owned()
            }
            Owner::Other(other) => format!("its tags say that it belongs to {other}"),
            Owner::Partly { said, .. } => format!(
                "it has lost tags of opsctl's (those that it has say {said}); give it {tags}, and `opsctl \
                 destroy` deletes it"
            ),
            Owner::Nobody => format!(
                "it has the name, but no tags of this project; if it is this project's, give it {tags}, and \
                 `opsctl destroy` deletes it"
            ),
            Owner::Ours | Owner::Adopted => {
                "what it is on, or in, is not this project's by its tags".to_owned()
            }
        }
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether it is of a destroy. Any other makes or leaves what is wanted, and a bucket always is.
    pub fn destroys(&self) -> bool {
        self.unchanged.is_empty() && self.steps.iter().all(|step| step.op.verb().removes())
    }

    /// BLAKE3 over all that the steps would do: two plans of the same fingerprint do the same.
    pub fn fingerprint(&self) -> String {
        let mut text = serde_json::to_string(&(&self.scope, &self.steps)).expect("a plan is plain data");
        // Plans without them are those of before there were any.
        if !self.tags.is_empty() {
            text += &serde_json::to_string(&self.tags).expect("text is plain data");
        }
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }
}

/// What may have been this project's before it lost its tags, and is at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost {
    /// Kind and physical name, as of a leftover.
    pub id: ResourceId,
    pub owner: Owner,
    /// What it uses of this project's, itself or through others, as far as the names say that AWS answered:
    /// wanted resources and leftovers.
    pub uses: BTreeSet<ResourceId>,
}

/// A resource of this project and environment that the config does not name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leftover {
    /// Kind and physical name: a superseded model has the same logical name as its successor.
    pub id: ResourceId,
    pub physical: String,
    /// Somebody else made it: it is released, not deleted.
    pub adopted: bool,
    /// AWS's word for one that runs, and so costs money, and that `opsctl stop` stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<String>,
    /// It is billed by the hour, or nobody knows whether it is.
    #[serde(skip)]
    pub bills: bool,
}

impl Leftover {
    /// Whose it is.
    pub fn owner(&self) -> Owner {
        if self.adopted { Owner::Adopted } else { Owner::Ours }
    }
}

/// What AWS answered about one resource. "Access denied" is not "does not exist".
#[derive(Clone, Debug)]
pub enum Observation {
    Present(AnySeen),
    Absent,
    /// It is not there, but what is made with it has a name that somebody else uses: what that is.
    Taken(String),
    /// Why, and the code of that.
    Unreadable(String, Code),
}

/// Everything that was seen, in one go, before planning.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub observations: BTreeMap<ResourceId, Observation>,
    /// The earlier generation of an absent fingerprinted resource that serves, or else the newest complete
    /// one: the answer to "why a new one?".
    pub previous_generations: BTreeMap<ResourceId, AnySeen>,
    pub leftovers: Vec<Leftover>,
    /// What was seen of them.
    pub seen_leftovers: BTreeMap<ResourceId, AnySeen>,
    /// What has a name like this project's, no section, not its tags, and uses what is this project's.
    pub lost: Vec<Lost>,
    /// What was seen of that.
    pub seen_lost: BTreeMap<ResourceId, AnySeen>,
    /// When what is ours was made, in seconds since 1970, where AWS says it with the list.
    pub created: BTreeMap<(KindName, String), i64>,
    /// What may be a leftover and could not be looked at, why, and the code of that.
    pub unread: Vec<(ResourceId, String, Code)>,
    /// The contents of resources that may go; counted only for plans that delete.
    pub contents: BTreeMap<ResourceId, Contents>,
}
