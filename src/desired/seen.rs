//! What AWS returned for a resource, as its kind knows it.

use serde::{Deserialize, Serialize};

use crate::domain::{Code, KindName, Owner, Scope, Status, Tags, tags};

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
    /// As what the project made it: `KIND/NAME`, by its tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_as: Option<String>,
    /// The rest, as its kind knows it ([`super::Kind::State`]).
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
        Self { owner, status, tags: None, made_as: None, state }
    }

    /// With what of all its tags is nobody's in particular.
    #[must_use]
    pub fn tagged<'t>(self, all: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let all: Vec<(&str, &str)> = all.into_iter().collect();
        let made_as = all.iter().find(|(key, _)| *key == Scope::RESOURCE_TAG);
        let made_as = made_as.map(|(_, value)| (*value).to_owned());
        Self { tags: Some(tags::seen(all)), made_as, ..self }
    }
}

/// A change that most likely nobody means ([`super::Kind::mistaken`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub code: Code,
    pub why: String,
    pub help: &'static str,
}

/// What others have put into something that is about to be read ([`super::Kind::mixed`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mixed {
    pub code: Code,
    /// The end of a sentence that begins with the name of the resource.
    pub what: String,
    pub help: &'static str,
}

impl Mixed {
    /// The sentence about the one of this kind and name.
    pub fn said(&self, kind: KindName, physical: &str) -> String {
        format!("{} `{physical}` {}", kind.words(), self.what)
    }
}
