use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Endpoint, Spec, section};
use crate::desired::{Draft, Kind, Log, Seen};
use crate::domain::usage::{Instances, Purpose, counted};
use crate::domain::{
    Action, Attributes, Facts, FieldChange, HumanDuration, KindName, Needs, Phase, Scope, Usage, Verb,
    action, attributes, changes, console,
};
use crate::inputs::Source;
use crate::limits::Bound;
use crate::resources::autoscaling::Autoscaling;
use crate::resources::log_group::LogGroup;
use crate::resources::model::section::warn_of_unused;

/// What of it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The endpoint configuration that it really runs.
    #[serde(rename = "config")]
    pub endpoint_config: String,
    /// Of the live configuration; unknown when somebody deleted that.
    pub instance_type: Option<String>,
    /// How many serve now: autoscaling changes it.
    #[serde(default)]
    pub instances: Option<i32>,
}

impl Kind for Endpoint {
    const NAME: KindName = KindName::Endpoint;
    const IGNORES_CAPITALS: bool = true;
    const SECTION: Option<&'static str> = Some("endpoint");
    const GRANTS_KEY: bool = true;
    const INVOKED: Option<Action> = Some(action::sagemaker::InvokeEndpoint);
    const REPORTED: &'static [Action] = &[action::autoscaling::DescribeScalingActivities];
    const RUNS_CODE: bool = true;
    const LOG: Option<fn(&str) -> Log> = Some(|physical| {
        let group = format!("{}{physical}", LogGroup::ENDPOINTS);
        Log::Streams { group, prefix: None }
    });
    type Section = section::Section;
    type Spec = Spec;
    type State = State;

    fn sources(section: &Self::Section) -> Vec<Source> {
        section::sources(section)
    }

    fn desired(section: &Self::Section, draft: &mut Draft<'_>) {
        for (name, item) in section {
            section::add(name, item, draft);
        }
        warn_of_unused(&draft.texts_written("endpoint", "model"), draft);
    }

    fn bound() -> &'static [Bound] {
        section::BOUND
    }

    fn wanted(want: &Spec) -> State {
        State {
            endpoint_config: want.endpoint_config.clone(),
            instance_type: Some(want.instance_type.clone()),
            instances: None,
        }
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        let live = seen.instance_type.as_deref().unwrap_or("unknown");
        changes()
            .field("configuration", &seen.endpoint_config, &want.endpoint_config, Needs::Update)
            .field("instance_type", live, &want.instance_type, Needs::Detach)
            .done()
    }

    fn made_of(seen: &State) -> Option<(KindName, String)> {
        Some((KindName::EndpointConfig, seen.endpoint_config.clone()))
    }

    fn uses(physical: &str, seen: &State) -> Vec<(KindName, String)> {
        let log = (KindName::LogGroup, format!("{}{physical}", LogGroup::ENDPOINTS));
        Self::made_of(seen).into_iter().chain([log]).collect()
    }

    fn named_in<'t>(text: &'t str, _: &Scope) -> Option<Cow<'t, str>> {
        LogGroup::writer(LogGroup::ENDPOINTS, text).map(Cow::Borrowed)
    }

    fn facts(seen: &State) -> Facts {
        let (instances, instance_type) = (seen.instances, seen.instance_type.clone());
        Facts { instances, instance_type, ..Facts::default() }
    }

    fn usage(want: &Spec) -> Usage {
        hosts(&want.instance_type, want.instance_count)
    }

    fn used(Seen { status, state, .. }: &Seen<State>) -> Usage {
        match (&state.instance_type, state.instances) {
            (Some(instance_type), Some(count)) => hosts(instance_type, count),
            // One that failed, or that is being made, has no instances yet.
            _ if status.phase != Phase::Ready => Usage::default(),
            _ => Usage { unknown: Some("number of instances"), ..Usage::default() },
        }
    }

    fn usual(verb: Verb) -> Option<HumanDuration> {
        Some(match verb {
            Verb::Create => HumanDuration::minutes(5),
            Verb::Update => HumanDuration::minutes(8),
            Verb::Delete | Verb::Release => HumanDuration::minutes(2),
        })
    }

    fn console_path(physical: &str, _: &State, region: &str) -> Option<String> {
        Some(console::sagemaker("endpoints", physical, region))
    }

    fn way_back() -> Option<&'static str> {
        Some("revert the commit, then `opsctl deploy`: earlier models are kept")
    }

    fn continues(verb: Verb) -> Option<&'static str> {
        Some(match verb {
            Verb::Update => "AWS continues the update; the instances of before answer until it is done.",
            _ => "AWS is still creating it, and bills it.",
        })
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        // Its deletion ends its scaling.
        Autoscaling::arns_on(scope, physical)
    }

    fn attributes(state: &State) -> Attributes {
        attributes::listed([
            (attributes::INSTANCE_TYPE, state.instance_type.clone().unwrap_or_default()),
            ("Instances now", state.instances.map(|count| count.to_string()).unwrap_or_default()),
            ("Configuration", state.endpoint_config.clone()),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::tag::GetResources,
            action::sagemaker::ListEndpoints,
            action::sagemaker::DescribeEndpoint,
            action::sagemaker::DescribeEndpointConfig,
            action::sagemaker::ListTags,
            action::sagemaker::AddTags,
            action::sagemaker::DeleteTags,
            action::sagemaker::CreateEndpoint,
            action::sagemaker::UpdateEndpoint,
            action::sagemaker::DeleteEndpoint,
            action::autoscaling::DeregisterScalableTarget,
        ]
    }
}

fn hosts(instance_type: &str, count: i32) -> Usage {
    let instance_type = instance_type.to_owned();
    let instances = Instances { purpose: Purpose::Hosting, instance_type, count: counted(count) };
    Usage { instances: Some(instances), by_use: vec!["data in and out"], ..Usage::default() }
}
