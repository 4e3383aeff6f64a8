//! Specs and observations of any kind, typed, behind one type each: so nodes, steps and observations hold
//! them, and code that knows no kind asks them. What can be asked is in [`OfSpec`] and [`OfSeen`].

use std::any::Any;
use std::fmt::{self, Debug};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Kind, Mistake, Mixed, Seen};
use crate::domain::{
    Action, Attributes, Facts, FieldChange, HumanDuration, KindName, Needs, Owner, Phase, Status, Tags,
    Tally, Usage, console,
};

/// The spec of some kind. It is JSON only where it is written down: in the fingerprint of a plan.
#[derive(Clone)]
pub struct AnySpec(Arc<dyn OfSpec>);

/// A resource of some kind as it is.
#[derive(Clone)]
pub struct AnySeen(Arc<dyn OfSeen>);

/// What every kind answers of a spec: each method is what the function of its name in [`Kind`] is.
pub trait OfSpec: Any + Debug + Send + Sync {
    /// Whose spec it is.
    fn kind(&self) -> KindName;
    /// Whether it is of this kind, or called so in the config ([`Kind::ALSO_CALLED`]).
    fn is_called(&self, kind: KindName) -> bool;
    /// Whether both are the same, of the same kind.
    fn equals(&self, other: &dyn Any) -> bool;
    /// With sorted keys.
    ///
    /// # Errors
    /// What `serde_json` cannot write.
    fn json(&self) -> serde_json::Result<Value>;
    /// What would be seen of it, ours and exactly as wanted.
    fn wanted(&self) -> AnySeen;
    fn diff(&self, seen: &AnySeen) -> Vec<FieldChange>;
    fn gone(&self, seen: &AnySeen) -> Vec<FieldChange>;
    fn taken(&self, seen: &AnySeen) -> Vec<String>;
    fn mistaken(&self, seen: &AnySeen) -> Option<Mistake>;
    fn lacks_of_key(&self, bucket: &str, key: &str) -> Vec<Action>;
    fn summary(&self) -> String;
    fn usage(&self) -> Usage;
    fn object_keys(&self, physical: &str) -> Vec<String>;
    /// [`Kind::calls_for`].
    fn calls(&self) -> Vec<Action>;
    fn also_needs(&self) -> Vec<(Action, String)>;
}

/// What every kind answers of one that is there: each method is what the function of its name in [`Kind`] is,
/// or the field in [`Seen`].
pub trait OfSeen: Any + Debug + Send + Sync {
    /// Whose observation it is.
    fn kind(&self) -> KindName;
    /// As it was read.
    ///
    /// # Errors
    /// What `serde_json` cannot write.
    fn json(&self) -> serde_json::Result<Value>;
    fn owner(&self) -> &Owner;
    fn status(&self) -> &Status;
    fn tags(&self) -> Option<&Tags>;
    fn made_as(&self) -> Option<&str>;
    fn output_is_gone(&self) -> bool;
    fn saved_nothing(&self) -> bool;
    fn holds(&self) -> Option<Tally>;
    fn made_by_aws(&self) -> bool;
    fn mixed(&self) -> Option<Mixed>;
    fn left(&self, want: Option<&AnySpec>) -> Vec<String>;
    fn facts(&self) -> Facts;
    fn attributes(&self) -> Attributes;
    /// The address of its page in AWS's console ([`Kind::console_path`]).
    fn console_page(&self, physical: &str, region: &str) -> Option<String>;
    fn took(&self) -> Option<HumanDuration>;
    fn used(&self) -> Usage;
    fn made_of(&self) -> Option<(KindName, String)>;
    /// Whether it may have been this project's before it lost its tags, and is at work. What has no tags of
    /// its own loses none.
    fn is_lost(&self) -> bool;
    /// Whether it has ended, and is a record ([`Kind::ENDS`]).
    fn is_record(&self) -> bool;
    fn uses(&self, physical: &str) -> Vec<(KindName, String)>;
    fn made_for(&self, physical: &str) -> Vec<String>;
    fn keys(&self) -> Vec<String>;
    fn encrypts_with(&self) -> Option<&str>;
    fn measured(&self) -> Vec<(String, f64)>;
}

impl AnySpec {
    /// Of the kind `K`.
    pub fn new<K: Kind>(spec: K::Spec) -> Self {
        Self(Arc::new(SpecOf::<K>(spec)))
    }

    /// The spec as its kind `K` knows it; `None` for one of another kind.
    pub fn of<K: Kind>(&self) -> Option<&K::Spec> {
        let spec: &dyn Any = &*self.0;
        spec.downcast_ref::<SpecOf<K>>().map(|SpecOf(spec)| spec)
    }
}

impl AnySeen {
    /// Of the kind `K`.
    pub fn new<K: Kind>(seen: Seen<K::State>) -> Self {
        Self(Arc::new(SeenOf::<K>(seen)))
    }

    /// What was seen as its kind `K` knows it; `None` for a resource of another kind.
    pub fn of<K: Kind>(&self) -> Option<&Seen<K::State>> {
        let seen: &dyn Any = &*self.0;
        seen.downcast_ref::<SeenOf<K>>().map(|SeenOf(seen)| seen)
    }
}

impl Deref for AnySpec {
    type Target = dyn OfSpec;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}

impl Deref for AnySeen {
    type Target = dyn OfSeen;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}

impl PartialEq for AnySpec {
    fn eq(&self, other: &Self) -> bool {
        self.equals(&*other.0)
    }
}

impl Debug for AnySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Debug for AnySeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// With sorted keys, so that the fingerprint of a saved plan does not depend on the order of a struct's
/// fields.
impl Serialize for AnySpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// For tests that hold an account in memory.
impl Serialize for AnySeen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// The spec of the kind `K`.
struct SpecOf<K: Kind>(K::Spec);

/// What was seen of a resource of the kind `K`.
struct SeenOf<K: Kind>(Seen<K::State>);

impl<K: Kind> Debug for SpecOf<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K: Kind> Debug for SeenOf<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What differs from a resource of another kind: everything.
fn another_kind<K: Kind>(seen: &AnySeen) -> Vec<FieldChange> {
    let (from, to) = (seen.kind().words().to_owned(), K::NAME.words().to_owned());
    vec![FieldChange { path: "kind".into(), from, to, needs: Needs::Replace }]
}

impl<K: Kind> OfSpec for SpecOf<K> {
    fn kind(&self) -> KindName {
        K::NAME
    }

    fn is_called(&self, kind: KindName) -> bool {
        K::NAME == kind || K::ALSO_CALLED == Some(kind)
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| self.0 == other.0)
    }

    fn json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(&self.0)
    }

    fn wanted(&self) -> AnySeen {
        AnySeen::new::<K>(Seen::ready(Owner::Ours, "Ready", K::wanted(&self.0)))
    }

    fn diff(&self, seen: &AnySeen) -> Vec<FieldChange> {
        seen.of::<K>().map_or_else(|| another_kind::<K>(seen), |seen| K::diff(&self.0, seen))
    }

    fn gone(&self, seen: &AnySeen) -> Vec<FieldChange> {
        seen.of::<K>().map_or_else(|| another_kind::<K>(seen), |seen| K::gone(&self.0, &seen.state))
    }

    fn taken(&self, seen: &AnySeen) -> Vec<String> {
        seen.of::<K>().map_or_else(Vec::new, |seen| K::taken(&self.0, &seen.state))
    }

    fn mistaken(&self, seen: &AnySeen) -> Option<Mistake> {
        let seen = seen.of::<K>().filter(|seen| seen.owner.is_made())?;
        K::mistaken(&self.0, &seen.state)
    }

    fn lacks_of_key(&self, bucket: &str, key: &str) -> Vec<Action> {
        K::lacks_of_key(&self.0, bucket, key)
    }

    fn summary(&self) -> String {
        K::summary(&self.0)
    }

    fn usage(&self) -> Usage {
        K::usage(&self.0)
    }

    fn object_keys(&self, physical: &str) -> Vec<String> {
        K::object_keys(&self.0, physical)
    }

    fn calls(&self) -> Vec<Action> {
        K::calls_for(&self.0)
    }

    fn also_needs(&self) -> Vec<(Action, String)> {
        K::also_needs(&self.0)
    }
}

impl<K: Kind> OfSeen for SeenOf<K> {
    fn kind(&self) -> KindName {
        K::NAME
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

    fn made_as(&self) -> Option<&str> {
        self.0.made_as.as_deref()
    }

    fn output_is_gone(&self) -> bool {
        K::output_is_gone(&self.0.state)
    }

    fn saved_nothing(&self) -> bool {
        K::saved_nothing(&self.0.state)
    }

    fn holds(&self) -> Option<Tally> {
        K::holds(&self.0.state)
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

    fn console_page(&self, physical: &str, region: &str) -> Option<String> {
        console::page(&K::console_path(physical, &self.0.state, region)?, region)
    }

    fn took(&self) -> Option<HumanDuration> {
        K::took(&self.0.state)
    }

    fn used(&self) -> Usage {
        K::used(&self.0)
    }

    fn made_of(&self) -> Option<(KindName, String)> {
        K::made_of(&self.0.state)
    }

    fn is_lost(&self) -> bool {
        let has_lost_tags = matches!(self.0.owner, Owner::Nobody | Owner::Partly { .. });
        K::OWNED_WITH.is_none() && has_lost_tags && K::is_at_work(&self.0.status)
    }

    fn is_record(&self) -> bool {
        K::ENDS && self.0.status.phase != Phase::Busy
    }

    fn uses(&self, physical: &str) -> Vec<(KindName, String)> {
        K::uses(physical, &self.0.state)
    }

    fn made_for(&self, physical: &str) -> Vec<String> {
        K::made_for(physical, &self.0.state)
    }

    fn keys(&self) -> Vec<String> {
        K::keys(&self.0)
    }

    fn encrypts_with(&self) -> Option<&str> {
        K::encrypts_with(&self.0.state)
    }

    fn measured(&self) -> Vec<(String, f64)> {
        K::measured(&self.0.state)
    }
}
