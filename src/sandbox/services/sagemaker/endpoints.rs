//! Endpoints (docs/aws/sagemaker-endpoints.md).

use std::time::Duration;

use serde_json::{Value, json};

use super::endpoint::{Endpoint, Variant, Wanted, check_idle, instances_of, serving, want, wanted};
use super::instances::{Count, within_quota};
use super::resource::invalid;
use super::{ENDPOINT, ENDPOINT_CONFIG, MODEL, backend, scaling};
use crate::call::{Answer, Call};
use crate::clock::epoch_seconds;
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::services::quotas::Use;
use crate::state::SandboxState;

/// What UpdateEndpointWeightsAndCapacities takes.
pub const UPDATE_CAPACITIES: &[Constraint] = &[
    Constraint::ANY.at("DesiredWeightsAndCapacities").required().length(1, 10),
    Constraint::ANY.at("DesiredWeightsAndCapacities[].DesiredInstanceCount").range(1, i64::MAX),
];

fn endpoint(call: &Call) -> Endpoint {
    Endpoint::new(&call.shared, &call.region, call.text("EndpointName"))
}

/// What a configuration asks for, with the models it names.
fn from_config(call: &Call) -> Result<Wanted, Fault> {
    let name = call.text("EndpointConfigName");
    let endpoint_config = ENDPOINT_CONFIG.get(call, name)?;
    let variant = |variant: &Value| {
        let text = |member: &str| variant[member].as_str().map(str::to_owned);
        Ok(Variant {
            name: text("VariantName").unwrap_or_default(),
            instance_type: text("InstanceType"),
            instances: variant["InitialInstanceCount"].as_u64().unwrap_or(0),
            weight: variant["InitialVariantWeight"].as_f64().unwrap_or(1.0),
            model: MODEL.get(call, variant["ModelName"].as_str().unwrap_or_default())?,
            production_variant: variant.clone(),
        })
    };
    let variants = endpoint_config["ProductionVariants"].as_array().into_iter().flatten().map(variant);
    let capture = &endpoint_config["DataCaptureConfig"];
    let data_capture = match capture["EnableCapture"].as_bool() {
        Some(enabled) => json!({
            "EnableCapture": enabled,
            "CaptureStatus": if enabled { "Started" } else { "Stopped" },
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture["KmsKeyId"].as_str().unwrap_or_default(),
        }),
        None => Value::Null,
    };
    Ok(Wanted {
        endpoint_config: name.to_owned(),
        variants: variants.collect::<Result<_, Fault>>()?,
        data_capture,
        deployment: call.input["DeploymentConfig"].clone(),
    })
}

/// Answers CreateEndpoint.
pub fn create(call: &Call) -> Answer {
    let wanted = from_config(call)?;
    check_quota(&call.shared, &call.region, &instances_of(&wanted.variants))?;
    let mut doc = ENDPOINT.document(call, json!({}));
    if let Some(members) = doc.as_object_mut() {
        members.remove("DeploymentConfig");
    }
    want(&mut doc, "Creating", &wanted, call.timestamp());
    let answer = ENDPOINT.create(call, doc)?;
    backend::of(&call.shared).deploy(endpoint(call));
    Ok(answer)
}

/// Answers UpdateEndpoint.
pub fn update(call: &Call) -> Answer {
    let doc = ENDPOINT.find(call)?;
    let arn = ENDPOINT.arn_of(&call.shared, &call.region, call.text("EndpointName"));
    check_idle(&call.shared, &doc, &arn)?;
    let mut wanted = from_config(call)?;
    let live = serving(&doc);
    check_scaled(call, &live, &wanted.variants)?;
    check_deployment(call, &live, &wanted.variants)?;
    retain(call, &live, &mut wanted.variants);
    if call.flag("RetainDeploymentConfig") {
        wanted.deployment = doc["LastDeploymentConfig"].clone();
    }
    check_quota(&call.shared, &call.region, &instances_of(&wanted.variants))?;

    let pending = |variant: &Variant| {
        json!({
            "VariantName": variant.name,
            "DesiredWeight": variant.weight,
            "DesiredInstanceCount": variant.instances,
            "CurrentInstanceCount": 0,
            "VariantStatus": [{"Status": "Creating", "StartTime": call.timestamp()}],
        })
    };
    let summary = json!({
        "EndpointConfigName": wanted.endpoint_config,
        "ProductionVariants": wanted.variants.iter().map(pending).collect::<Vec<_>>(),
        "StartTime": call.timestamp(),
    });
    endpoint(call).update(&wanted, Some(summary))?;
    Ok(json!({"EndpointArn": arn}))
}

/// Unless the caller asks to retain them, live counts and weights fall back to those of the configuration: an
/// endpoint that was scaled out shrinks at once
/// (docs/aws/sagemaker-endpoints.md#updating-variant-properties).
fn retain(call: &Call, live: &[Variant], wanted: &mut [Variant]) {
    if !call.flag("RetainAllVariantProperties") && call.shared.enforces(AwsRule::UpdateResetsLiveCounts) {
        return;
    }
    let excluded = |property: &str| {
        call.list("ExcludeRetainedVariantProperties")
            .iter()
            .any(|item| item["VariantPropertyType"] == property)
    };
    for variant in wanted {
        let Some(live) = live.iter().find(|live| live.name == variant.name) else { continue };
        if !excluded("DesiredInstanceCount") {
            variant.instances = live.instances;
        }
        if !excluded("DesiredWeight") {
            variant.weight = live.weight;
        }
    }
}

/// A variant that is a scalable target can neither change its instance type nor go
/// (docs/aws/sagemaker-endpoints.md#updating-under-autoscaling, whose text is not verified).
fn check_scaled(call: &Call, live: &[Variant], wanted: &[Variant]) -> Result<(), Fault> {
    if !call.shared.enforces(AwsRule::ScaledVariantKeepsType) {
        return Ok(());
    }
    let name = call.text("EndpointName");
    for live in live {
        let stays = wanted
            .iter()
            .any(|variant| variant.name == live.name && variant.instance_type == live.instance_type);
        if !stays && scaling::of(&call.shared).scales(&call.shared, &call.region, name, &live.name) {
            return Err(invalid(format!(
                "Cannot change the instance type of, or remove, the variant \"{}\" of the endpoint \
                 \"{name}\": it is registered as a scalable target with Application Auto Scaling. Deregister \
                 it first.",
                live.name
            )));
        }
    }
    Ok(())
}

/// Deployment guardrails need the same variant names; a rolling update needs one variant
/// (docs/aws/sagemaker-endpoints.md#deployment-policies).
fn check_deployment(call: &Call, live: &[Variant], wanted: &[Variant]) -> Result<(), Fault> {
    let deployment = &call.input["DeploymentConfig"];
    if deployment.is_null() || !call.shared.enforces(AwsRule::DeploymentGuardrails) {
        return Ok(());
    }
    let same = live.len() == wanted.len()
        && live.iter().all(|live| wanted.iter().any(|variant| variant.name == live.name));
    if !same {
        return Err(invalid(
            "DeploymentConfig needs the same variant names in the old and the new EndpointConfig",
        ));
    }
    if !deployment["RollingUpdatePolicy"].is_null() && wanted.len() > 1 {
        return Err(invalid("RollingUpdatePolicy is not supported for endpoints with several variants"));
    }
    Ok(())
}

/// Answers UpdateEndpointWeightsAndCapacities.
pub fn update_capacities(call: &Call) -> Answer {
    let doc = ENDPOINT.find(call)?;
    let capacity = |item: &Value| {
        let name = item["VariantName"].as_str().unwrap_or_default().to_owned();
        (name, item["DesiredInstanceCount"].as_u64(), item["DesiredWeight"].as_f64())
    };
    let capacities: Vec<_> = call.list("DesiredWeightsAndCapacities").iter().map(capacity).collect();
    endpoint(call).set_capacities(&capacities)?;
    Ok(json!({"EndpointArn": doc["EndpointArn"]}))
}

/// An endpoint under way cannot be deleted either. Its name stays taken until it is gone; its scalable
/// targets go with it (docs/aws/sagemaker-endpoints.md#endpoint-states,
/// docs/aws/autoscaling.md#removing-a-target).
pub fn delete(call: &Call) -> Answer {
    let doc = ENDPOINT.update(call, |entry| {
        let arn = entry.doc["EndpointArn"].as_str().unwrap_or_default();
        if entry.doc["EndpointStatus"] != "Failed" {
            check_idle(&call.shared, &entry.doc, arn)?;
        }
        entry.doc["EndpointStatus"] = "Deleting".into();
        entry.timeline = call.shared.timeline().then_gone(Duration::from_secs(20)).into();
        Ok(entry.doc.clone())
    })?;
    scaling::of(&call.shared).endpoint_deleted(&call.shared, &call.region, call.text("EndpointName"))?;
    ENDPOINT.forget_tags(call, &doc)?;
    backend::of(&call.shared).remove(endpoint(call));
    Ok(json!({}))
}

impl Endpoint {
    /// Starts an update, when the endpoint is in service still.
    fn update(&self, wanted: &Wanted, pending: Option<Value>) -> Result<(), Fault> {
        let now = epoch_seconds(self.shared.clock.now());
        let arn = ENDPOINT.arn_of(&self.shared, &self.region, &self.name);
        self.shared
            .table(ENDPOINT.table, &self.region)
            .update(&self.name, |entry| {
                check_idle(&self.shared, &entry.doc, &arn)?;
                want(&mut entry.doc, "Updating", wanted, now);
                if let Some(pending) = pending {
                    entry.doc["PendingDeploymentSummary"] = pending;
                }
                Ok(())
            })?
            .ok_or_else(|| (ENDPOINT.missing)(&arn))?;
        backend::of(&self.shared).deploy(self.clone());
        Ok(())
    }

    /// Asks for so many instances of a variant, as UpdateEndpointWeightsAndCapacities and auto scaling do.
    ///
    /// # Errors
    /// What the control plane would refuse: a busy endpoint, a variant that is not there, a quota.
    pub fn set_instances(&self, variant: &str, instances: u64) -> Result<(), Fault> {
        self.set_capacities(&[(variant.to_owned(), Some(instances), None)])
    }

    /// As [`Endpoint::set_instances`], for instances and weights of several variants.
    fn set_capacities(&self, capacities: &[(String, Option<u64>, Option<f64>)]) -> Result<(), Fault> {
        let doc = self.document();
        let mut variants = serving(&doc);
        let before = instances_of(&variants);
        for (name, instances, weight) in capacities {
            let Some(variant) = variants.iter_mut().find(|variant| variant.name == *name) else {
                let arn = ENDPOINT.arn_of(&self.shared, &self.region, &self.name);
                return Err(if doc.is_null() {
                    (ENDPOINT.missing)(&arn)
                } else {
                    check_idle(&self.shared, &doc, &arn).err().unwrap_or_else(|| {
                        invalid(format!("The variant \"{name}\" does not exist in the endpoint \"{arn}\""))
                    })
                });
            };
            variant.instances = instances.unwrap_or(variant.instances);
            variant.weight = weight.unwrap_or(variant.weight);
        }
        let mut more = instances_of(&variants);
        for (instance_type, count) in &mut more {
            *count = count.saturating_sub(before.get(instance_type).copied().unwrap_or(0));
        }
        more.retain(|_, count| *count > 0);
        check_quota(&self.shared, &self.region, &more)?;
        let wanted = Wanted {
            endpoint_config: doc["EndpointConfigName"].as_str().unwrap_or_default().to_owned(),
            variants,
            data_capture: doc["DataCaptureConfig"].clone(),
            deployment: doc["LastDeploymentConfig"].clone(),
        };
        self.update(&wanted, None)
    }
}

/// Refuses `more` instances beside those of all endpoints. A new fleet is there beside the old one until it
/// serves; a change of capacities is not a new fleet.
fn check_quota(shared: &SandboxState, region: &str, more: &Count) -> Result<(), Fault> {
    within_quota(shared, Use::Endpoint, &in_use(shared, region), more)
}

/// What the endpoints have.
pub(super) fn in_use(shared: &SandboxState, region: &str) -> Count {
    let mut used = Count::new();
    for (_, doc) in shared.table(ENDPOINT.table, region).list("") {
        let coming = wanted(&doc).map(|wanted| instances_of(&wanted.variants));
        let replaced = coming.is_some() && doc["PendingDeploymentSummary"].is_null();
        let serving = if replaced { Count::new() } else { instances_of(&serving(&doc)) };
        for (instance_type, count) in coming.unwrap_or_default().into_iter().chain(serving) {
            *used.entry(instance_type).or_default() += count;
        }
    }
    used
}
