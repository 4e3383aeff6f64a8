//! The identity of a resource, and its owner.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{fingerprint, places};
use crate::domain::KindName;
use opsctl_iam::arn::Arn;

/// What the user calls a resource: `endpoint/breeds`. Its AWS name is `Node::physical`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    pub kind: KindName,
    pub name: String,
}

impl ResourceId {
    /// The name is the one in the config, or the physical one of what is in no config.
    pub fn new(kind: KindName, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl std::str::FromStr for ResourceId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once('/').ok_or_else(|| format!("`{text}` is not KIND/NAME"))?;
        Ok(Self::new(kind.parse()?, name))
    }
}

impl Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ResourceId {
    fn schema_name() -> Cow<'static, str> {
        "ResourceId".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "KIND/NAME", "pattern": "^[a-z-]+/." })
    }
}

/// One project in one environment, account and region: everything that decides a physical name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    pub project: String,
    pub environment: String,
    /// Twelve digits; [`Scope::NO_ACCOUNT`] while offline.
    pub account: String,
    pub region: String,
    /// `aws`, `aws-cn`, `aws-us-gov` …
    pub partition: String,
}

impl Scope {
    /// The account that offline commands compute names with: as long as a real one.
    pub const NO_ACCOUNT: &'static str = "000000000000";
    /// Names the project on all that is its own.
    pub const PROJECT_TAG: &'static str = "opsctl:project";
    /// Names the environment beside it.
    pub const ENVIRONMENT_TAG: &'static str = "opsctl:environment";
    /// Names the resource, as `KIND/NAME`.
    pub const RESOURCE_TAG: &'static str = "opsctl:resource";
    /// Beside the others on what somebody else made and this project uses.
    pub const ADOPTED_TAG: &'static str = "opsctl:adopted";
    /// With it begins the value of [`Self::RESOURCE_TAG`] there.
    const ADOPTED_RESOURCE: &'static str = "adopted ";

    /// The partition follows from the region.
    pub fn new(project: &str, environment: &str, account: &str, region: &str) -> Self {
        Self {
            project: project.into(),
            environment: environment.into(),
            account: account.into(),
            region: region.into(),
            partition: places::partition(region).0.into(),
        }
    }

    /// What every physical name of this project and environment begins with, the hyphen included.
    pub fn prefix(&self) -> String {
        format!("{}-{}-", self.project, self.environment)
    }

    /// `<project>/<environment>`: whose something is, as documents say it.
    pub fn whose(&self) -> String {
        format!("{}/{}", self.project, self.environment)
    }

    /// `<project>-<environment>-<name>`.
    pub fn physical(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    /// Whether this is a generation of the resource of that name, the present one or an earlier one.
    pub fn is_generation(&self, name: &str, physical: &str) -> bool {
        fingerprint::stem(physical).and_then(|stem| stem.strip_prefix(&self.prefix())) == Some(name)
    }

    /// The IAM path that all roles of this project and environment live under (docs/decisions/0021).
    pub fn iam_path(&self) -> String {
        format!("/opsctl/{}/{}/", self.project, self.environment)
    }

    /// An ARN of `service` in this account and region; `rest` is what follows the account.
    pub fn arn(&self, service: &str, rest: &str) -> String {
        let Self { partition, region, account, .. } = self;
        Arn { partition, service, region, account, resource: rest }.to_string()
    }

    /// An ARN of IAM, which has no regions, in this account.
    pub fn iam_arn(&self, rest: &str) -> String {
        let Self { partition, account, .. } = self;
        Arn { partition, service: "iam", region: "", account, resource: rest }.to_string()
    }

    /// The ARN of a bucket, or of what is in it: the name says neither the region nor the account.
    pub fn s3_arn(&self, rest: &str) -> String {
        Arn { partition: &self.partition, service: "s3", region: "", account: "", resource: rest }.to_string()
    }

    /// The same, and in small letters: SageMaker writes names into ARNs so, in some places and at some times,
    /// and policies name both.
    pub fn cased(&self, service: &str, rest: &str) -> Vec<String> {
        let mut arns = vec![self.arn(service, rest)];
        let lower = self.arn(service, &rest.to_ascii_lowercase());
        if lower != arns[0] {
            arns.push(lower);
        }
        arns
    }

    /// The host suffix of the partition (`amazonaws.com`, in China `amazonaws.com.cn`).
    pub fn dns_suffix(&self) -> &'static str {
        places::partition(&self.region).1
    }

    /// The ownership tags of one resource (docs/decisions/0021).
    pub fn tags(&self, id: &ResourceId) -> BTreeMap<String, String> {
        BTreeMap::from([
            (Self::PROJECT_TAG.into(), self.project.clone()),
            (Self::ENVIRONMENT_TAG.into(), self.environment.clone()),
            (Self::RESOURCE_TAG.into(), id.to_string()),
        ])
    }

    /// The tags of a resource that somebody else made and that this project uses from now on. Two of them say
    /// that: without either it would count as made by opsctl, and be deleted.
    pub fn adopted_tags(&self, id: &ResourceId) -> BTreeMap<String, String> {
        let mut tags = self.tags(id);
        tags.insert(Self::RESOURCE_TAG.into(), format!("{}{id}", Self::ADOPTED_RESOURCE));
        tags.insert(Self::ADOPTED_TAG.into(), "true".into());
        tags
    }

    /// The keys of all these tags: what is taken off when a resource is released.
    pub fn tag_keys() -> [&'static str; 4] {
        [Self::PROJECT_TAG, Self::ENVIRONMENT_TAG, Self::RESOURCE_TAG, Self::ADOPTED_TAG]
    }
}

/// Whose resource it is, by its tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// opsctl made it, for this project and environment.
    Ours,
    /// Somebody else made it, and this project uses it (`--adopt`): ours is only what opsctl has put into it.
    Adopted,
    /// Another project or environment of opsctl: `<project>/<environment>`.
    Other(String),
    /// Carries some of this project's tags and none of another's: the others were taken off.
    Partly {
        /// `<project>/<environment>`, as far as they say.
        said: String,
        /// Whether they say that opsctl made it.
        made: bool,
    },
    /// Carries none of our tags.
    Nobody,
}

impl Owner {
    /// By the tags of a resource: who may change it.
    pub fn of<'a>(tags: impl IntoIterator<Item = (&'a str, &'a str)>, scope: &Scope) -> Self {
        let (mut project, mut environment, mut resource, mut adopted) = (None, None, false, false);
        for (key, value) in tags {
            match key {
                Scope::PROJECT_TAG => project = Some(value),
                Scope::ENVIRONMENT_TAG => environment = Some(value),
                Scope::RESOURCE_TAG => {
                    resource = true;
                    adopted |= value.starts_with(Scope::ADOPTED_RESOURCE);
                }
                Scope::ADOPTED_TAG => adopted = true,
                _ => {}
            }
        }
        match (project, environment) {
            (Some(p), Some(e)) if p == scope.project && e == scope.environment => {
                match (adopted, resource) {
                    (true, _) => Self::Adopted,
                    (false, true) => Self::Ours,
                    // Which of both it was, nobody knows.
                    (false, false) => Self::Partly { said: format!("{p}/{e}"), made: false },
                }
            }
            (None, None) => Self::Nobody,
            (p, e) => {
                let fits = p.is_none_or(|p| p == scope.project) && e.is_none_or(|e| e == scope.environment);
                let said = format!("{}/{}", p.unwrap_or("?"), e.unwrap_or("?"));
                if fits { Self::Partly { said, made: resource && !adopted } } else { Self::Other(said) }
            }
        }
    }

    /// Whether opsctl made it for this project, also where it has lost tags since.
    pub fn is_made(&self) -> bool {
        matches!(self, Self::Ours | Self::Partly { made: true, .. })
    }

    /// Whether this project looks after it, wholly or in part.
    pub fn is_managed(&self) -> bool {
        matches!(self, Self::Ours | Self::Adopted)
    }
}

/// Whose, in a person's words.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours => f.write_str("this project"),
            Self::Adopted => f.write_str("this project, adopted"),
            Self::Other(other) => f.write_str(other),
            Self::Partly { said, .. } => write!(f, "{said}, as far as its tags say"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}
