use serde::{Deserialize, Serialize};

use crate::config::section::NoSection;
use crate::desired::{Kind, Seen};
use crate::domain::{
    Action, Attributes, FieldChange, KindName, Needs, Scope, action, attributes, changes, console,
};

use crate::resources::encryption::KEY;

/// The kind.
pub struct EndpointConfig;

/// As `[endpoint.NAME]` asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Physical name of the model.
    pub model: String,
    pub instance_type: String,
    /// Instances at the first start; later counts are the endpoint's own (docs/decisions/0024).
    pub instance_count: i32,
    /// Encrypts the volumes of its instances; none of types whose disks are their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Of each instance, in GiB. `None`: as AWS makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_gb: Option<i32>,
    /// Seconds to fetch and unpack the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_timeout_s: Option<i32>,
    /// Seconds until the container answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_timeout_s: Option<i32>,
}

/// AWS returns the whole spec.
pub type State = Spec;

impl EndpointConfig {
    /// The one variant. Its name must stay the same across updates
    /// (docs/aws/sagemaker-endpoints.md#deployment-policies).
    pub const VARIANT: &'static str = "AllTraffic";
}

impl Kind for EndpointConfig {
    const NAME: KindName = KindName::EndpointConfig;
    const FINGERPRINTED: bool = true;
    const GRANTS_KEY: bool = true;
    type Section = NoSection;
    type Spec = Spec;
    type State = State;

    fn wanted(want: &Spec) -> State {
        want.clone()
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        changes()
            .field("model", &seen.model, &want.model, Needs::Replace)
            .field("instance_type", &seen.instance_type, &want.instance_type, Needs::Replace)
            .field("instance_count", seen.instance_count, want.instance_count, Needs::Replace)
            .kms_key(&seen.kms_key, &want.kms_key, Needs::Replace)
            .chosen("volume_gb", seen.volume_gb, want.volume_gb, |size| size.to_string())
            .chosen("download_timeout", seen.download_timeout_s, want.download_timeout_s, attributes::seconds)
            .chosen("startup_timeout", seen.startup_timeout_s, want.startup_timeout_s, attributes::seconds)
            .done()
    }

    fn made_of(seen: &State) -> Option<(KindName, String)> {
        Some((KindName::Model, seen.model.clone()))
    }

    fn summary(want: &Spec) -> String {
        format!("{} × {}", want.instance_type, want.instance_count)
    }

    fn console_path(physical: &str, _: &State, region: &str) -> Option<String> {
        Some(console::sagemaker("endpointConfig", physical, region))
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        vec![scope.arn("sagemaker", &format!("endpoint-config/{physical}"))]
    }

    fn attributes(state: &State) -> Attributes {
        attributes::listed([
            ("Model", state.model.clone()),
            ("Instances at the first start", state.instance_count.to_string()),
            (KEY, state.kms_key.clone().unwrap_or_default()),
            ("Disk", state.volume_gb.map(|size| format!("{size} GB")).unwrap_or_default()),
            ("Download time-out", state.download_timeout_s.map(attributes::seconds).unwrap_or_default()),
            ("Start-up time-out", state.startup_timeout_s.map(attributes::seconds).unwrap_or_default()),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::sagemaker::ListEndpointConfigs,
            action::sagemaker::DescribeEndpointConfig,
            action::sagemaker::ListTags,
            action::sagemaker::AddTags,
            action::sagemaker::DeleteTags,
            action::sagemaker::CreateEndpointConfig,
            action::sagemaker::DeleteEndpointConfig,
        ]
    }
}
