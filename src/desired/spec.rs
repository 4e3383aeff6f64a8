//! A spec behind one type, so that nodes and steps hold it typed, whatever its kind.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::desired::{AnySeen, Kind, Seen};
use crate::domain::{FieldChange, KindName, Needs, Owner, Usage};

/// The spec of some kind. It is JSON only where it is written down: in the fingerprint of a plan.
#[derive(Clone)]
pub struct AnySpec(Arc<dyn Erased>);

impl AnySpec {
    pub fn new<K: Kind>(spec: K::Spec) -> Self {
        Self(Arc::new(Of::<K>(spec)))
    }

    /// Whose spec it is.
    pub fn kind(&self) -> KindName {
        self.0.kind()
    }

    /// Whether it is of this kind, or called so in the config ([`Kind::ALSO_CALLED`]).
    pub fn is_called(&self, kind: KindName) -> bool {
        self.0.is_called(kind)
    }

    /// The spec as its kind `K` knows it; `None` for one of another kind.
    pub fn of<K: Kind>(&self) -> Option<&K::Spec> {
        self.0.as_any().downcast_ref::<Of<K>>().map(|Of(spec)| spec)
    }

    /// What would be seen of it, ours and exactly as wanted ([`Kind::wanted`]).
    pub fn wanted(&self) -> AnySeen {
        self.0.wanted()
    }

    /// What differs ([`Kind::diff`]).
    pub fn diff(&self, seen: &AnySeen) -> Vec<FieldChange> {
        self.0.diff(seen)
    }

    /// What of it is not there any more ([`Kind::lost`]).
    pub fn lost(&self, seen: &AnySeen) -> Vec<FieldChange> {
        self.0.lost(seen)
    }

    /// What somebody else has put where adopting would write ([`Kind::taken`]).
    pub fn taken(&self, seen: &AnySeen) -> Vec<String> {
        self.0.taken(seen)
    }

    /// What a verb says of it beyond the changes ([`Kind::summary`]).
    pub fn summary(&self) -> String {
        self.0.summary()
    }

    /// What AWS bills of it ([`Kind::usage`]).
    pub fn usage(&self) -> Usage {
        self.0.usage()
    }
}

impl PartialEq for AnySpec {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(other.0.as_any())
    }
}

impl Debug for AnySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug().fmt(f)
    }
}

/// With sorted keys, so that the fingerprint of a saved plan does not depend on the order of a struct's
/// fields.
impl Serialize for AnySpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.json().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// The spec of the kind `K`.
struct Of<K: Kind>(K::Spec);

trait Erased: Send + Sync {
    fn kind(&self) -> KindName;
    fn is_called(&self, kind: KindName) -> bool;
    fn as_any(&self) -> &dyn Any;
    fn equals(&self, other: &dyn Any) -> bool;
    fn json(&self) -> serde_json::Result<Value>;
    fn wanted(&self) -> AnySeen;
    fn diff(&self, seen: &AnySeen) -> Vec<FieldChange>;
    fn lost(&self, seen: &AnySeen) -> Vec<FieldChange>;
    fn taken(&self, seen: &AnySeen) -> Vec<String>;
    fn summary(&self) -> String;
    fn usage(&self) -> Usage;
    fn debug(&self) -> &dyn Debug;
}

/// What differs from a resource of another kind: everything.
fn another_kind<K: Kind>(seen: &AnySeen) -> Vec<FieldChange> {
    let (from, to) = (seen.kind().words().to_owned(), K::NAME.words().to_owned());
    vec![FieldChange { path: "kind".into(), from, to, needs: Needs::Replace }]
}

impl<K: Kind> Erased for Of<K> {
    fn kind(&self) -> KindName {
        K::NAME
    }

    fn is_called(&self, kind: KindName) -> bool {
        K::NAME == kind || K::ALSO_CALLED == Some(kind)
    }

    fn as_any(&self) -> &dyn Any {
        self
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

    fn lost(&self, seen: &AnySeen) -> Vec<FieldChange> {
        seen.of::<K>().map_or_else(|| another_kind::<K>(seen), |seen| K::lost(&self.0, &seen.state))
    }

    fn taken(&self, seen: &AnySeen) -> Vec<String> {
        seen.of::<K>().map_or_else(Vec::new, |seen| K::taken(&self.0, &seen.state))
    }

    fn summary(&self) -> String {
        K::summary(&self.0)
    }

    fn usage(&self) -> Usage {
        K::usage(&self.0)
    }

    fn debug(&self) -> &dyn Debug {
        &self.0
    }
}
