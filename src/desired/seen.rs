//! What AWS returned for a resource: typed for its kind, and behind one type for code that knows no kind.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::desired::{AnySpec, Kind};
use crate::domain::{
    Attributes, Code, Facts, HumanDuration, KindName, Owner, Status, Tags, Usage, console, tags,
};

/// A resource as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen<S> {
    /// Whose it is. A part is its whole's.
    pub owner: Owner,
    pub status: Status,
    /// Its tags but for opsctl's and AWS's own; `None` of what has none of its own, or keeps those that it
    /// was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// The rest, as its kind knows it ([`Kind::State`]).
    #[serde(flatten)]
    pub state: S,
}

impl<S> Seen<S> {
    /// Complete, in AWS's own word or, of what has no status in AWS, in ours.
    pub fn ready(owner: Owner, word: &str, state: S) -> Self {
        Self::new(owner, Status::ready(word), state)
    }

    /// Without tags of the user's own.
    pub fn new(owner: Owner, status: Status, state: S) -> Self {
        Self { owner, status, tags: None, state }
    }

    /// With what of all its tags is nobody's in particular.
    #[must_use]
    pub fn tagged<'t>(self, all: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        Self { tags: Some(tags::seen(all)), ..self }
    }
}

/// What others have put into something that is about to be read ([`Kind::mixed`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mixed {
    pub code: Code,
    /// The end of a sentence that begins with the name of the resource.
    pub what: String,
    pub help: &'static str,
}

/// A resource of some kind as it is.
#[derive(Clone)]
pub struct AnySeen(Arc<dyn Erased>);

impl AnySeen {
    pub fn new<K: Kind>(seen: Seen<K::State>) -> Self {
        Self(Arc::new(Of::<K>(seen)))
    }

    /// Whose observation it is.
    pub fn kind(&self) -> KindName {
        self.0.kind()
    }

    /// What was seen as its kind `K` knows it; `None` for a resource of another kind.
    pub fn of<K: Kind>(&self) -> Option<&Seen<K::State>> {
        self.0.as_any().downcast_ref::<Of<K>>().map(|Of(seen)| seen)
    }

    pub fn owner(&self) -> &Owner {
        self.0.owner()
    }

    pub fn status(&self) -> &Status {
        self.0.status()
    }

    /// See [`Seen::tags`].
    pub fn tags(&self) -> Option<&Tags> {
        self.0.tags()
    }

    /// [`Kind::output_is_gone`].
    pub fn output_is_gone(&self) -> bool {
        self.0.output_is_gone()
    }

    /// [`Kind::saved_nothing`].
    pub fn saved_nothing(&self) -> bool {
        self.0.saved_nothing()
    }

    /// [`Kind::made_by_aws`].
    pub fn made_by_aws(&self) -> bool {
        self.0.made_by_aws()
    }

    /// [`Kind::mixed`].
    pub fn mixed(&self) -> Option<Mixed> {
        self.0.mixed()
    }

    /// [`Kind::left`].
    pub fn left(&self, want: Option<&AnySpec>) -> Vec<String> {
        self.0.left(want)
    }

    /// [`Kind::took`].
    pub fn took(&self) -> Option<HumanDuration> {
        self.0.took()
    }

    /// [`Kind::facts`].
    pub fn facts(&self) -> Facts {
        self.0.facts()
    }

    /// [`Kind::attributes`].
    pub fn attributes(&self) -> Attributes {
        self.0.attributes()
    }

    /// The address of its page in AWS's console ([`Kind::console_path`]).
    pub fn console_page(&self, physical: &str, region: &str) -> Option<String> {
        console::page(&self.0.console_path(physical, region)?, region)
    }

    /// What AWS bills of it now ([`Kind::used`]).
    pub fn used(&self) -> Usage {
        self.0.used()
    }

    /// [`Kind::measured`].
    pub fn measured(&self) -> Vec<(String, f64)> {
        self.0.measured()
    }
}

impl Debug for AnySeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug().fmt(f)
    }
}

/// For tests that hold an account in memory.
impl Serialize for AnySeen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.json().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// What was seen of a resource of the kind `K`.
struct Of<K: Kind>(Seen<K::State>);

trait Erased: Send + Sync {
    fn kind(&self) -> KindName;
    fn as_any(&self) -> &dyn Any;
    fn debug(&self) -> &dyn Debug;
    fn json(&self) -> serde_json::Result<Value>;
    fn owner(&self) -> &Owner;
    fn status(&self) -> &Status;
    fn tags(&self) -> Option<&Tags>;
    fn output_is_gone(&self) -> bool;
    fn saved_nothing(&self) -> bool;
    fn made_by_aws(&self) -> bool;
    fn mixed(&self) -> Option<Mixed>;
    fn left(&self, want: Option<&AnySpec>) -> Vec<String>;
    fn facts(&self) -> Facts;
    fn attributes(&self) -> Attributes;
    fn console_path(&self, physical: &str, region: &str) -> Option<String>;
    fn took(&self) -> Option<HumanDuration>;
    fn used(&self) -> Usage;
    fn measured(&self) -> Vec<(String, f64)>;
}

impl<K: Kind> Erased for Of<K> {
    fn kind(&self) -> KindName {
        K::NAME
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug(&self) -> &dyn Debug {
        &self.0
    }

    fn json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(&self.0)
    }

    fn owner(&self) -> &Owner {
        &self.0.owner
    }

    fn status(&self) -> &Status {
        &self.0.status
    }

    fn tags(&self) -> Option<&Tags> {
        self.0.tags.as_ref()
    }

    fn output_is_gone(&self) -> bool {
        K::output_is_gone(&self.0.state)
    }

    fn saved_nothing(&self) -> bool {
        K::saved_nothing(&self.0.state)
    }

    fn made_by_aws(&self) -> bool {
        K::made_by_aws(&self.0.state)
    }

    fn mixed(&self) -> Option<Mixed> {
        K::mixed(&self.0.state)
    }

    fn left(&self, want: Option<&AnySpec>) -> Vec<String> {
        K::left(want.and_then(AnySpec::of::<K>), &self.0.state)
    }

    fn facts(&self) -> Facts {
        K::facts(&self.0.state)
    }

    fn attributes(&self) -> Attributes {
        K::attributes(&self.0.state)
    }

    fn console_path(&self, physical: &str, region: &str) -> Option<String> {
        K::console_path(physical, &self.0.state, region)
    }

    fn took(&self) -> Option<HumanDuration> {
        K::took(&self.0.state)
    }

    fn used(&self) -> Usage {
        K::used(&self.0)
    }

    fn measured(&self) -> Vec<(String, f64)> {
        K::measured(&self.0.state)
    }
}
