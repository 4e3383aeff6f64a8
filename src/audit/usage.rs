//! Which services a role used, by IAM's service-last-accessed data.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use opsctl_iam::time::Instant;

/// Service-last-accessed data by role ARN. Empty when it was not asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Usage {
    pub roles: BTreeMap<String, Vec<ServiceUse>>,
}

/// One service that a role's policies allow, and when the role last tried it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceUse {
    /// `s3`
    pub service_namespace: String,
    /// Absent: not within the tracking period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_authenticated: Option<Instant>,
    /// Who of the policy's holders it was, in a report on a policy.
    #[serde(rename = "LastAuthenticatedEntity", skip_serializing_if = "Option::is_none")]
    pub last_entity: Option<String>,
    /// For the services whose actions are tracked, if asked for at that granularity.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "list_or_null")]
    pub tracked_actions_last_accessed: Vec<ActionUse>,
}

/// One tracked action.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ActionUse {
    /// `GetBucketAcl`, without the service.
    #[serde(rename = "ActionName")]
    pub name: String,
    #[serde(rename = "LastAccessedTime", skip_serializing_if = "Option::is_none")]
    pub last_accessed: Option<Instant>,
}

/// The AWS CLI writes `null` where actions were not asked for.
fn list_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ActionUse>, D::Error> {
    Option::<Vec<ActionUse>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Usage {
    /// Reads `{"ROLE ARN": [{"ServiceNamespace": "s3", "LastAuthenticated": "…"}]}`.
    ///
    /// # Errors
    /// When the text is not of that shape.
    pub fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }
}
