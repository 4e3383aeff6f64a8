//! A scalable target: what it is, its capacity, and how that is changed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{ACTIVITIES, invalid, uuid};
use crate::call::Call;
use crate::clock::{Millis, epoch_seconds};
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::services::lambda;
use crate::services::sagemaker::{Endpoint, instances};
use crate::state::SandboxState;
use crate::store::merge;

/// What is scaled: namespace, resource and dimension name it (docs/aws/autoscaling.md#identifiers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub namespace: String,
    pub resource: String,
    pub dimension: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Instances (or provisioned concurrency) of an endpoint's variant.
    Variant { endpoint: String, variant: String, serverless: bool },
    /// Provisioned concurrency of a function's alias or version.
    Function { name: String, qualifier: String },
}

pub(super) const INSTANCES: &str = "sagemaker:variant:DesiredInstanceCount";
pub(super) const SERVERLESS: &str = "sagemaker:variant:DesiredProvisionedConcurrency";
const CONCURRENCY: &str = "lambda:function:ProvisionedConcurrency";

impl Target {
    /// None: not something that the sandbox scales.
    pub fn new(namespace: &str, resource: &str, dimension: &str) -> Option<Self> {
        let parts: Vec<&str> = resource.split(['/', ':']).collect();
        let kind = match (namespace, dimension, parts.as_slice()) {
            ("sagemaker", INSTANCES | SERVERLESS, ["endpoint", endpoint, "variant", variant]) => {
                Kind::Variant {
                    endpoint: (*endpoint).to_owned(),
                    variant: (*variant).to_owned(),
                    serverless: dimension == SERVERLESS,
                }
            }
            // Not $LATEST, which has no provisioned concurrency (docs/aws/autoscaling.md#identifiers,
            // docs/aws/lambda.md#provisioned-concurrency).
            ("lambda", CONCURRENCY, ["function", name, qualifier]) if *qualifier != "$LATEST" => {
                Kind::Function { name: (*name).to_owned(), qualifier: (*qualifier).to_owned() }
            }
            _ => return None,
        };
        let [namespace, resource, dimension] = [namespace, resource, dimension].map(str::to_owned);
        Some(Self { namespace, resource, dimension, kind })
    }

    pub(super) fn of(call: &Call) -> Result<Self, Fault> {
        let [namespace, resource, dimension] =
            ["ServiceNamespace", "ResourceId", "ScalableDimension"].map(|name| call.text(name));
        Self::new(namespace, resource, dimension).ok_or_else(|| match namespace {
            "sagemaker" | "lambda" => {
                invalid("Unsupported service namespace, resource type or scalable dimension")
            }
            other => Fault::not_implemented("application-autoscaling", &format!("targets of {other}")),
        })
    }

    pub(super) fn key(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.dimension, self.resource)
    }

    pub(super) fn policy_key(&self, name: &str) -> String {
        format!("{}#{name}", self.key())
    }

    pub(super) fn missing(&self) -> Fault {
        let Self { namespace, resource, dimension, .. } = self;
        let message = format!(
            "No scalable target registered for service namespace: {namespace}, resource ID: {resource}, \
             scalable dimension: {dimension}"
        );
        Fault::new(400, "ObjectNotFoundException", message)
    }

    /// The service whose own role AWS makes at the first registration
    /// (docs/aws/autoscaling.md#registering-a-target).
    pub(super) fn service(&self) -> String {
        format!("{}.application-autoscaling.amazonaws.com", self.namespace)
    }

    /// The metric that AWS has predefined for it under this name (docs/aws/autoscaling.md#identifiers):
    /// namespace, name, statistic.
    pub(super) fn predefined(
        &self,
        specification: &Value,
    ) -> Option<(&'static str, &'static str, &'static str)> {
        let metric = specification["PredefinedMetricType"].as_str()?;
        Some(match (&self.kind, metric) {
            (Kind::Variant { serverless: false, .. }, "SageMakerVariantInvocationsPerInstance") => {
                ("AWS/SageMaker", "InvocationsPerInstance", "Sum")
            }
            (
                Kind::Variant { serverless: false, .. },
                "SageMakerVariantConcurrentRequestsPerModelHighResolution",
            ) => ("AWS/SageMaker", "ConcurrentRequestsPerModel", "Maximum"),
            (Kind::Variant { serverless: true, .. }, "SageMakerVariantProvisionedConcurrencyUtilization") => {
                ("AWS/SageMaker", "ServerlessProvisionedConcurrencyUtilization", "Maximum")
            }
            (Kind::Function { .. }, "LambdaProvisionedConcurrencyUtilization") => {
                ("AWS/Lambda", "ProvisionedConcurrencyUtilization", "Maximum")
            }
            _ => return None,
        })
    }

    /// What the alarms of a policy watch, as members of an alarm.
    pub(super) fn metric(&self, tracking: &Value) -> Value {
        let Some((namespace, metric, statistic)) =
            self.predefined(&tracking["PredefinedMetricSpecification"])
        else {
            let custom = &tracking["CustomizedMetricSpecification"];
            let members = ["Namespace", "MetricName", "Statistic", "Dimensions", "Unit"];
            return Value::Object(
                members
                    .iter()
                    .filter_map(|name| Some(((*name).to_owned(), custom.get(name)?.clone())))
                    .collect(),
            );
        };
        let dimensions = match &self.kind {
            Kind::Variant { endpoint, variant, .. } => [("EndpointName", endpoint), ("VariantName", variant)]
                .map(|(name, value)| json!({"Name": name, "Value": value})),
            Kind::Function { name, qualifier } => {
                [("FunctionName", name), ("Resource", &format!("{name}:{qualifier}"))]
                    .map(|(name, value)| json!({"Name": name, "Value": value}))
            }
        };
        json!({"Namespace": namespace, "MetricName": metric, "Statistic": statistic,
            "Dimensions": dimensions})
    }

    /// Its capacity now. None: it is not in service, so its capacity is not touched
    /// (docs/aws/autoscaling.md#registering-a-target).
    pub fn capacity(&self, shared: &Arc<SandboxState>, region: &str) -> Option<u64> {
        match &self.kind {
            Kind::Variant { endpoint, variant, serverless: false } => {
                let endpoint = Endpoint::new(shared, region, endpoint);
                if endpoint.status()? != "InService" {
                    return None;
                }
                endpoint.serving().into_iter().find(|live| live.name == *variant).map(|live| live.instances)
            }
            Kind::Variant { .. } => None,
            Kind::Function { name, qualifier } => lambda::provisioned(shared, region, name, qualifier),
        }
    }

    /// What a capacity is counted in, in AWS's texts.
    fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Variant { .. } => "instance count",
            Kind::Function { .. } => "concurrency",
        }
    }

    /// The cooldown of a policy that names none, in milliseconds (docs/aws/autoscaling.md#target-tracking).
    pub(super) fn cooldown(&self) -> Millis {
        match self.kind {
            Kind::Variant { .. } => 300_000,
            Kind::Function { .. } => 0,
        }
    }

    /// The key of an activity, or what the keys of all begin with. Keys sort by time.
    pub(super) fn activity_key(&self, at: Option<Millis>) -> String {
        let at = at.map(|at| format!("{at:020}")).unwrap_or_default();
        format!("{}#{at}", self.key())
    }

    /// Sets the capacity and records it as an activity, also when the service refuses it.
    pub fn scale(
        &self,
        shared: &Arc<SandboxState>,
        region: &str,
        capacity: u64,
        cause: &str,
    ) -> Result<(), Fault> {
        let before = self.capacity(shared, region);
        let done = match &self.kind {
            Kind::Variant { endpoint, variant, .. } => {
                Endpoint::new(shared, region, endpoint).set_instances(variant, capacity)
            }
            Kind::Function { name, qualifier } => {
                lambda::provision(shared, region, name, qualifier, capacity)
            }
        };
        let (now, unit, service) = (shared.clock.now(), self.unit(), &self.namespace);
        let mut activity = json!({
            "ActivityId": uuid(&format!("{}{now}{capacity}", self.key())),
            "ServiceNamespace": self.namespace,
            "ResourceId": self.resource,
            "ScalableDimension": self.dimension,
            "Description": format!("Setting desired {unit} to {capacity}."),
            "Cause": cause,
            "StartTime": epoch_seconds(now),
            "StatusCode": "InProgress",
            "StatusMessage": format!(
                "Successfully set desired {unit} to {capacity}. Waiting for change to be fulfilled by {service}."
            ),
            "_From": before,
            "_To": capacity,
        });
        if let Err(fault) = &done {
            activity["StatusCode"] = "Failed".into();
            activity["StatusMessage"] =
                format!("Failed to set desired {unit} to {capacity}. Reason: {}", fault.message).into();
            activity["EndTime"] = epoch_seconds(now);
        }
        shared.table(ACTIVITIES, region).put(&self.activity_key(Some(now)), activity)?;
        done
    }

    /// Ends the activities whose capacity is there by now.
    pub(super) fn settle(&self, shared: &Arc<SandboxState>, region: &str) -> Result<(), Fault> {
        let Some(capacity) = self.capacity(shared, region) else { return Ok(()) };
        let (unit, service) = (self.unit(), &self.namespace);
        let ended = match &self.kind {
            Kind::Variant { endpoint, .. } => Endpoint::new(shared, region, endpoint).modified(),
            Kind::Function { .. } => shared.clock.now(),
        };
        let table = shared.table(ACTIVITIES, region);
        for (key, doc) in table.list(&self.activity_key(None)) {
            if doc["StatusCode"] != "InProgress" {
                continue;
            }
            let (status, message) = match doc["_To"] == capacity {
                true => (
                    "Successful",
                    format!(
                        "Successfully set desired {unit} to {capacity}. Change successfully fulfilled by {service}."
                    ),
                ),
                false => ("Overridden", "The desired capacity was changed by a later activity.".to_owned()),
            };
            table.update(&key, |entry| {
                let end =
                    json!({"StatusCode": status, "StatusMessage": message, "EndTime": epoch_seconds(ended)});
                merge(&mut entry.doc, end);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Refuses what cannot be a target (docs/aws/autoscaling.md#registering-a-target; the texts for what is
    /// missing are not verified).
    pub(super) fn check(&self, shared: &Arc<SandboxState>, region: &str) -> Result<(), Fault> {
        match &self.kind {
            Kind::Variant { endpoint, variant, .. } => {
                check_variant(&Endpoint::new(shared, region, endpoint), variant)
            }
            Kind::Function { name, qualifier } => {
                let known = lambda::has(shared, region, name, qualifier);
                if known || !shared.enforces(AwsRule::ScalableTargetExists) {
                    return Ok(());
                }
                let key = format!("{name}:{qualifier}");
                Err(invalid(format!(
                    "Function not found: {}",
                    shared.arn("lambda", region, &format!("function:{key}"))
                )))
            }
        }
    }
}

fn check_variant(endpoint: &Endpoint, variant: &str) -> Result<(), Fault> {
    let shared = &endpoint.shared;
    let known = [endpoint.serving(), endpoint.wanted()].concat();
    let Some(found) = known.into_iter().find(|known| known.name == variant) else {
        if !shared.enforces(AwsRule::ScalableTargetExists) {
            return Ok(());
        }
        let name = endpoint.name.to_ascii_lowercase();
        let arn = shared.arn("sagemaker", &endpoint.region, &format!("endpoint/{name}"));
        return Err(invalid(match endpoint.status() {
            None => format!("Could not find endpoint \"{arn}\"."),
            Some(_) => format!("Could not find variant \"{variant}\" of endpoint \"{arn}\"."),
        }));
    };
    let instance_type = found.instance_type.unwrap_or_default();
    if instances::is_burstable(&instance_type) && shared.enforces(AwsRule::BurstableVariant) {
        return Err(invalid(format!(
            "You cannot register a variant with {instance_type} instance type as a scalable target. This is \
             because the burstable performance of these instances can lead to unpredictable behavior with \
             Auto Scaling."
        )));
    }
    Ok(())
}
