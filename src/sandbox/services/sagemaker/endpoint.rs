//! An endpoint as its model servers and its scaling see it: what is to serve, what serves, and how an update
//! ends.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::resource::{failure_reason, invalid, modified};
use super::{ENDPOINT, instances};
use crate::clock::{Millis, epoch_seconds};
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::state::SandboxState;
use crate::store::Entry;

/// One endpoint of a region, by name.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub shared: Arc<SandboxState>,
    pub region: String,
    pub name: String,
}

/// A production variant with all that its servers need; it outlives its configuration and its model.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    pub name: String,
    /// None for a serverless variant.
    pub instance_type: Option<String>,
    pub instances: u64,
    pub weight: f64,
    /// What `DescribeModel` answered: `PrimaryContainer.{Image, ModelDataUrl, Environment}`,
    /// `ExecutionRoleArn`.
    pub model: Value,
    /// The variant in the endpoint configuration.
    pub production_variant: Value,
}

/// The values of the model's environment are the user's secrets, so the documents are not shown.
impl fmt::Debug for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, instance_type, instances, weight, .. } = self;
        write!(f, "Variant({name} {instances}x{instance_type:?} weight {weight})")
    }
}

/// What an endpoint is to become.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub endpoint_config: String,
    pub variants: Vec<Variant>,
    pub data_capture: Value,
    /// The deployment's policy; null for the default, blue/green all at once
    /// (docs/aws/sagemaker-endpoints.md#deployment-policies).
    pub deployment: Value,
}

const SERVING: &str = "_Serving";
const WANTED: &str = "_Wanted";

/// What serves, by an endpoint's document.
pub(super) fn serving(doc: &Value) -> Vec<Variant> {
    serde_json::from_value(doc[SERVING].clone()).unwrap_or_default()
}

/// What is to serve once the deployment under way is done.
pub(super) fn wanted(doc: &Value) -> Option<Wanted> {
    serde_json::from_value(doc[WANTED].clone()).ok()
}

/// Instances by type. Old and new fleet count both while an update runs (docs/aws/sagemaker.md#quotas).
pub(super) fn instances_of(variants: &[Variant]) -> instances::Count {
    let mut count = instances::Count::new();
    for variant in variants {
        if let Some(instance_type) = &variant.instance_type {
            *count.entry(instance_type.clone()).or_default() += variant.instances;
        }
    }
    count
}

/// Puts what an endpoint is to become into its document.
pub(super) fn want(doc: &mut Value, status: &str, wanted: &Wanted, now: Value) {
    doc["EndpointStatus"] = status.into();
    doc["LastModifiedTime"] = now;
    doc[WANTED] = json!(wanted);
    if let Some(members) = doc.as_object_mut() {
        members.remove("FailureReason");
    }
    show_desired(doc, &wanted.variants);
}

/// A variant in `DescribeEndpoint`, as it serves.
fn shown(variant: &Variant, now: &Value) -> Value {
    let image = &variant.model["PrimaryContainer"]["Image"];
    let mut shown = json!({
        "VariantName": variant.name,
        "DeployedImages": [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": now}],
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.weight,
        "CurrentInstanceCount": variant.instances,
        "DesiredInstanceCount": variant.instances,
    });
    if let Some(serverless) = variant.production_variant.get("ServerlessConfig") {
        shown["CurrentServerlessConfig"] = serverless.clone();
        shown["DesiredServerlessConfig"] = serverless.clone();
    }
    shown
}

/// While an update runs, the variants that serve show what is desired of them.
fn show_desired(doc: &mut Value, variants: &[Variant]) {
    for shown in doc["ProductionVariants"].as_array_mut().into_iter().flatten() {
        if let Some(variant) = variants.iter().find(|variant| shown["VariantName"] == variant.name) {
            shown["DesiredInstanceCount"] = variant.instances.into();
            shown["DesiredWeight"] = variant.weight.into();
        }
    }
}

impl Endpoint {
    /// The endpoint of this name.
    pub fn new(shared: &Arc<SandboxState>, region: &str, name: &str) -> Self {
        Self { shared: Arc::clone(shared), region: region.to_owned(), name: name.to_owned() }
    }

    /// Its log group; the streams are `<variant>/<instance>`
    /// (docs/aws/sagemaker-endpoints.md#endpoint-states).
    pub fn log_group(&self) -> String {
        format!("/aws/sagemaker/Endpoints/{}", self.name)
    }

    pub(super) fn document(&self) -> Value {
        self.shared.table(ENDPOINT.table, &self.region).get(&self.name).unwrap_or_default()
    }

    /// `EndpointStatus`; none when there is no such endpoint.
    pub fn status(&self) -> Option<String> {
        self.document()["EndpointStatus"].as_str().map(str::to_owned)
    }

    /// When its state last changed.
    pub fn modified(&self) -> Millis {
        modified(&self.document())
    }

    /// The variants in service.
    pub fn serving(&self) -> Vec<Variant> {
        serving(&self.document())
    }

    /// The variants that the deployment under way is to bring; empty when none is.
    pub fn wanted(&self) -> Vec<Variant> {
        wanted(&self.document()).map(|wanted| wanted.variants).unwrap_or_default()
    }

    /// The deployment is done: what was wanted serves.
    pub fn ready(&self) {
        let now = epoch_seconds(self.shared.clock.now());
        self.change(|entry| {
            let doc = &mut entry.doc;
            let Some(wanted) = wanted(doc) else { return Ok(()) };
            doc["EndpointStatus"] = "InService".into();
            doc["EndpointConfigName"] = wanted.endpoint_config.as_str().into();
            doc["ProductionVariants"] = wanted.variants.iter().map(|variant| shown(variant, &now)).collect();
            doc[SERVING] = json!(wanted.variants);
            doc["DataCaptureConfig"] = wanted.data_capture;
            doc["LastDeploymentConfig"] = wanted.deployment;
            doc["LastModifiedTime"] = now;
            end_deployment(doc);
            Ok(())
        });
    }

    /// The deployment has failed. A new endpoint is `Failed` and can only be deleted; an update is rolled
    /// back without a sound: the endpoint is `InService` again, on the old configuration
    /// (docs/aws/sagemaker-endpoints.md#endpoint-states).
    pub fn failed(&self, reason: &str) {
        let now = epoch_seconds(self.shared.clock.now());
        let rolls_back = self.shared.enforces(AwsRule::FailedUpdateRollsBack);
        self.change(|entry| {
            let doc = &mut entry.doc;
            if wanted(doc).is_none() {
                return Ok(());
            }
            let old = serving(doc);
            let status = if old.is_empty() || !rolls_back { "Failed" } else { "InService" };
            doc["EndpointStatus"] = status.into();
            doc["FailureReason"] = failure_reason(reason).into();
            doc["LastModifiedTime"] = now;
            show_desired(doc, &old);
            end_deployment(doc);
            Ok(())
        });
    }

    /// There is nobody to refuse to: trouble with the store's files goes to the log.
    fn change(&self, change: impl FnOnce(&mut Entry) -> Result<(), Fault>) {
        if let Err(fault) = self.shared.table(ENDPOINT.table, &self.region).update(&self.name, change) {
            tracing::warn!(endpoint = self.name, fault = fault.message, "an endpoint's state is not kept");
        }
    }
}

fn end_deployment(doc: &mut Value) {
    if let Some(members) = doc.as_object_mut() {
        members.remove(WANTED);
        members.remove("PendingDeploymentSummary");
        members.retain(|_, value| !value.is_null());
    }
}

/// While something is under way nothing else may be begun; a failed endpoint can only be deleted
/// (docs/aws/sagemaker.md#not-found-and-wrong-state, docs/aws/sagemaker-endpoints.md#endpoint-states). The
/// text for the latter is not AWS's.
pub(super) fn check_idle(shared: &SandboxState, doc: &Value, arn: &str) -> Result<(), Fault> {
    match doc["EndpointStatus"].as_str().unwrap_or_default() {
        "InService" => Ok(()),
        "Failed" if shared.enforces(AwsRule::FailedEndpointIsDeletedOnly) => Err(invalid(format!(
            "Cannot update endpoint \"{arn}\" in status Failed; it can only be deleted."
        ))),
        "Failed" => Ok(()),
        _ if shared.enforces(AwsRule::EndpointBusy) => {
            Err(invalid(format!("Cannot update in-progress endpoint \"{arn}\".")))
        }
        _ => Ok(()),
    }
}
