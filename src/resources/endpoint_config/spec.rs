use serde::{Deserialize, Serialize};

use crate::config::section::NoSection;
use crate::desired::Kind;
use crate::domain::{FieldChange, KindName, Needs, Owner, Status, changes};

pub struct EndpointConfig;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// Physical name of the model.
    pub model: String,
    pub instance_type: String,
    /// Instances at the first start; later counts are the endpoint's own (docs/decisions/0024).
    pub instance_count: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub owner: Owner,
    pub model: String,
    pub instance_type: String,
    pub instance_count: i32,
}

impl EndpointConfig {
    /// The one variant. Its name must stay the same across updates
    /// (docs/aws/sagemaker-endpoints.md#deployment-policies).
    pub const VARIANT: &'static str = "AllTraffic";
}

impl Kind for EndpointConfig {
    const NAME: KindName = KindName::EndpointConfig;
    const FINGERPRINTED: bool = true;
    type Section = NoSection;
    type Spec = Spec;
    type Seen = Seen;

    fn diff(want: &Spec, seen: &Seen) -> Vec<FieldChange> {
        changes()
            .field("model", &seen.model, &want.model, Needs::Replace)
            .field("instance_type", &seen.instance_type, &want.instance_type, Needs::Replace)
            .field("instance_count", seen.instance_count, want.instance_count, Needs::Replace)
            .done()
    }

    fn status(_: &Seen) -> Status {
        Status::ready("Available")
    }

    fn owner(seen: &Seen) -> Owner {
        seen.owner.clone()
    }

    fn summary(want: &Spec) -> String {
        format!("{} × {}", want.instance_type, want.instance_count)
    }

    fn iam_actions() -> &'static [&'static str] {
        &[
            "sagemaker:ListEndpointConfigs",
            "sagemaker:DescribeEndpointConfig",
            "sagemaker:ListTags",
            "sagemaker:AddTags",
            "sagemaker:CreateEndpointConfig",
            "sagemaker:DeleteEndpointConfig",
        ]
    }
}
