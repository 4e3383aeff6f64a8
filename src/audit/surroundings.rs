//! What stands around the policies of an account's principals: policies of resources, and those of the
//! organization.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

use opsctl_iam::arn::Arn;
use opsctl_iam::policy::Document;

/// The file of `--resources`, each policy by the ARN of its resource or by its own name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct Surroundings {
    /// Of buckets, keys, queues, functions, secrets: by the ARN of what they are on.
    pub resource_policies: BTreeMap<String, Document>,
    /// What the organization lets the account's principals do at most, at each level.
    pub service_control_policies: Levels,
    /// What the organization lets anybody do to the account's resources at most, by name.
    pub resource_control_policies: BTreeMap<String, Document>,
}

/// Service control policies by name, by the level that they are attached to: the root, an organizational
/// unit, the account. What one level leaves out, no other gives.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html>
#[derive(Clone, Debug, Default)]
pub struct Levels(pub BTreeMap<String, BTreeMap<String, Document>>);

impl<'de> Deserialize<'de> for Levels {
    /// `{level: {name: document}}`, or `{name: document}` where all are of one level.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let mut levels = Self::default();
        let is_level = |value: &Value| {
            value
                .as_object()
                .is_some_and(|map| !map.contains_key("Statement") && !map.contains_key("Version"))
        };
        for (name, value) in given {
            if is_level(&value) {
                let policies = serde_json::from_value(value).map_err(D::Error::custom)?;
                levels.0.insert(name, policies);
            } else {
                let document = serde_json::from_value(value).map_err(D::Error::custom)?;
                levels.0.entry(String::new()).or_default().insert(name, document);
            }
        }
        Ok(levels)
    }
}

impl Levels {
    /// All policies, by name.
    pub fn policies(&self) -> impl Iterator<Item = (&String, &Document)> {
        self.0.values().flatten()
    }
}

impl Surroundings {
    /// Reads the file. A policy that is none is kept as such, so that it is told.
    ///
    /// # Errors
    /// When it is no JSON of this shape.
    pub fn from_value(value: Value) -> Result<Self, serde_json::Error> {
        // A list would be read as the fields of an object in their order.
        match value {
            Value::Object(_) => serde_json::from_value(value),
            _ => Err(Error::custom("it is no object")),
        }
    }

    /// What could not be read: whose, and why.
    pub fn malformed(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.resource_policies.iter().chain(&self.resource_control_policies);
        all.chain(self.service_control_policies.policies()).filter_map(|(of, document)| match document {
            Document::Malformed(why) => Some((of.as_str(), why.as_str())),
            Document::Parsed(_) => None,
        })
    }

    /// The part that an account has: a resource that names another is another's.
    pub(super) fn of(&self, account: &str, is_first: bool) -> Self {
        let is_own = |arn: &String| account_of(arn).map_or(is_first, |of| of == account);
        let mut own = self.clone();
        own.resource_policies.retain(|arn, _| is_own(arn));
        own
    }
}

/// The account field of an ARN, when it has one.
fn account_of(arn: &str) -> Option<&str> {
    Arn::pattern(arn).map(|arn| arn.account).filter(|account| !account.is_empty())
}
