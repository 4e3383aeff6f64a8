//! Models and endpoint configurations: what endpoints are made of. Neither can be changed
//! (docs/aws/sagemaker-endpoints.md).

use serde_json::{Value, json};

use super::instances::has_own_disk;
use super::resource::invalid;
use super::{ENDPOINT_CONFIG, MODEL, backend, roles};
use crate::call::{Answer, Call};
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::rules::AwsRule;

/// Answers CreateModel.
pub async fn create_model(call: Call) -> Answer {
    let containers: Vec<&Value> =
        call.list("Containers").iter().chain(call.input.get("PrimaryContainer")).collect();
    if containers.is_empty()
        || (!call.list("Containers").is_empty() && call.input.get("PrimaryContainer").is_some())
    {
        return Err(invalid("You must provide either PrimaryContainer or Containers, not both"));
    }
    let role = call.maybe("ExecutionRoleArn").ok_or_else(|| invalid("ExecutionRoleArn must be provided"))?;
    roles::assumable(&call.shared, role)?;
    for container in containers {
        check_container(&call, container, role).await?;
    }

    let mut doc = MODEL.document(&call, json!({"EnableNetworkIsolation": false}));
    if let Value::Object(container) = &mut doc["PrimaryContainer"] {
        container.entry("Mode").or_insert("SingleModel".into());
        container.entry("Environment").or_insert(json!({}));
    } else if let Value::Object(model) = &mut doc {
        model.remove("PrimaryContainer");
    }
    MODEL.create(&call, doc)
}

/// Access to the image and to the archive is checked when the model is made
/// (docs/aws/errors-and-retries.md#model-access, docs/aws/sagemaker-endpoints.md#models).
async fn check_container(call: &Call, container: &Value, role: &str) -> Result<(), Fault> {
    match container["Image"].as_str() {
        Some(image) => check_image_region(call, image)?,
        None if container["ModelPackageName"].is_null() => {
            return Err(invalid("A container definition must have an Image or a ModelPackageName"));
        }
        None => {}
    }
    // In bytes (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html).
    let mut size = 0;
    for (key, value) in container["Environment"].as_object().into_iter().flatten() {
        let Some(text) = value.as_str() else {
            let message = format!("the value of '{key}' in environment cannot be converted to an String");
            return Err(Fault::new(400, "SerializationException", message));
        };
        if key.len() > 1024 || text.len() > 1024 {
            return Err(invalid(format!("The environment variable {key} is longer than 1024 bytes")));
        }
        size += key.len() + text.len();
    }
    if size > 32 << 10 {
        return Err(invalid(format!("The environment has {size} bytes, which is more than 32 KB")));
    }
    let Some(data) = container["ModelDataUrl"].as_str() else { return Ok(()) };
    if call.shared.enforces(AwsRule::ModelDataAccess)
        && !backend::holds(&call.shared, &call.region, data).await
    {
        let region = &call.region;
        return Err(invalid(format!(
            "Could not access model data at {data}. Please ensure that the role \"{role}\" exists and that \
             its trust relationship policy allows the action \"sts:AssumeRole\" for the service principal \
             \"sagemaker.amazonaws.com\". Also ensure that the role has \"s3:GetObject\" permissions and \
             that the object is located in {region}."
        )));
    }
    Ok(())
}

/// Images come from the registry of the region where they run (docs/aws/sagemaker.md#framework-images). The
/// text is not AWS's.
pub fn check_image_region(call: &Call, image: &str) -> Result<(), Fault> {
    let registry = image.split_once(".dkr.ecr.").and_then(|(_, rest)| rest.split_once('.'));
    match registry {
        Some((region, _)) if region != call.region && call.shared.enforces(AwsRule::ImageRegion) => {
            Err(invalid(format!("The image '{image}' is not in the region {} of this request", call.region)))
        }
        _ => Ok(()),
    }
}

/// What CreateEndpointConfig takes.
pub const CREATE_ENDPOINT_CONFIG: &[Constraint] = &[
    super::MODEL_NAME.at("ProductionVariants[].ModelName").required(),
    Constraint::ANY
        .at("ProductionVariants[].ServerlessConfig.MemorySizeInMB")
        .required()
        .one_of(&["1024", "2048", "3072", "4096", "5120", "6144"]),
];

/// Answers CreateEndpointConfig.
pub fn create_endpoint_config(call: &Call) -> Answer {
    let variants = call.list("ProductionVariants");
    for (index, variant) in variants.iter().enumerate() {
        let name = variant["VariantName"].as_str().unwrap_or_default();
        if variants[..index].iter().any(|earlier| earlier["VariantName"] == name) {
            return Err(invalid(format!("Duplicate variant name \"{name}\"")));
        }
        check_variant(call, variant)?;
        let instance_type = variant["InstanceType"].as_str().unwrap_or_default();
        if call.maybe("KmsKeyId").is_some() && has_own_disk(instance_type) {
            return Err(invalid(format!("KmsKeyId is not supported for instance type {instance_type}")));
        }
        if !variant["VolumeSizeInGB"].is_null() && has_own_disk(instance_type) {
            let text = format!("VolumeSizeInGB is not supported for instance type {instance_type}");
            return Err(invalid(text));
        }
        MODEL.get(call, variant["ModelName"].as_str().unwrap_or_default())?;
    }
    let mut doc = ENDPOINT_CONFIG.document(call, json!({"EnableNetworkIsolation": false}));
    for variant in doc["ProductionVariants"].as_array_mut().into_iter().flatten() {
        if variant["InitialVariantWeight"].is_null() {
            variant["InitialVariantWeight"] = 1.0.into();
        }
    }
    ENDPOINT_CONFIG.create(call, doc)
}

/// Instances or serverless, not both
/// (docs/aws/sagemaker-endpoints.md#endpoint-configurations).
fn check_variant(call: &Call, variant: &Value) -> Result<(), Fault> {
    match (variant["InstanceType"].as_str(), variant.get("ServerlessConfig")) {
        (Some(_), Some(_)) => return Err(invalid("InstanceType and ServerlessConfig exclude each other")),
        (None, None) => {
            return Err(invalid("InstanceType is required for a variant without ServerlessConfig"));
        }
        (Some(_), None) => {
            if variant["InitialInstanceCount"].is_null() {
                return Err(invalid("InitialInstanceCount is required for a variant with an InstanceType"));
            }
        }
        (None, Some(serverless)) => {
            let provisioned = serverless["ProvisionedConcurrency"].as_i64();
            if provisioned > serverless["MaxConcurrency"].as_i64() {
                return Err(invalid("ProvisionedConcurrency must not be greater than MaxConcurrency"));
            }
        }
    }
    if !variant["ManagedInstanceScaling"].is_null() && call.shared.enforces(AwsRule::ManagedInstanceScaling) {
        return Err(invalid("ManagedInstanceScaling is only supported for inference component endpoints."));
    }
    Ok(())
}
