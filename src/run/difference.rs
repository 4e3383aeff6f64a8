//! How a plan differs from another one: what was shown or saved before, and what would be done now.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::Deserialize;

use crate::domain::{Scope, few};

/// One thing in which they differ. Its text is a person's, for the middle of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// They are of different projects, environments, accounts or regions.
    Place { before: Place, now: Place },
    /// What was to be done is not, and is not to be done any more either.
    NothingLeft,
    /// It is not to be done any more.
    Gone { verb: String, id: String },
    /// It is to be done besides.
    New { verb: String, id: String },
    /// The same is to be done with other values.
    Another { verb: String, id: String },
    /// The resource is made of other parts.
    MadeOf { id: String, parts: Vec<String> },
    /// It is made of the same, and has another name in AWS.
    Renamed { id: String },
    /// These change because others do.
    Along { ids: Vec<String> },
    /// The same is to be done for another reason.
    Reason { verb: String, id: String, why: Vec<String> },
    /// What is read from a bucket of others is not what it was.
    Elsewhere { uri: String },
    /// None of the above.
    TagsOrOrder,
}

/// Where a plan is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Place {
    project: String,
    environment: String,
    account: String,
    region: String,
}

impl Place {
    /// That of a scope.
    pub fn of(Scope { project, environment, account, region, partition: _ }: &Scope) -> Self {
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

impl Difference {
    /// What of the steps of two plans differs: what is done (`does` names verb and resource), and how.
    pub fn of_steps<K: Ord, V: PartialEq>(
        before: &BTreeMap<K, V>,
        now: &BTreeMap<K, V>,
        does: impl Fn(&K) -> (String, String),
    ) -> Vec<Self> {
        let gone = before.keys().filter(|key| !now.contains_key(*key)).map(&does);
        let gone = gone.map(|(verb, id)| Self::Gone { verb, id });
        let new = now.iter().filter_map(|(key, how)| {
            let (verb, id) = does(key);
            match before.get(key) {
                None => Some(Self::New { verb, id }),
                Some(known) if known == how => None,
                Some(_) => Some(Self::Another { verb, id }),
            }
        });
        gone.chain(new).collect()
    }

    /// All of them, as texts.
    pub fn texts(all: &[Self]) -> Vec<String> {
        all.iter().map(Self::to_string).collect()
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place { before, now } => write!(f, "it is of {before}, and this is {now}"),
            Self::NothingLeft => {
                f.write_str("nothing is left to do, and what was saved is not what is there")
            }
            Self::Gone { verb, id } => write!(f, "no longer to {verb} {id}"),
            Self::New { verb, id } => write!(f, "also to {verb} {id}"),
            Self::Another { verb, id } => write!(f, "to {verb} {id} in another way"),
            Self::MadeOf { id, parts } => write!(f, "{id} has another {}", few(parts, 5)),
            Self::Renamed { id } => write!(f, "{id} gets another name in AWS"),
            Self::Along { ids } => {
                let change = if ids.len() == 1 { "changes" } else { "change" };
                write!(f, "{} {change} with it", few(ids, 5))
            }
            Self::Reason { verb, id, why } => {
                write!(f, "to {verb} {id} for another reason ({})", why.join(", "))
            }
            Self::Elsewhere { uri } => write!(f, "{uri} holds something else"),
            Self::TagsOrOrder => f.write_str("the tags of the project, or the order of the steps"),
        }
    }
}
