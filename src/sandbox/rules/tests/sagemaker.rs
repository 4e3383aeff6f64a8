//! SageMaker, its runtime and Application Auto Scaling.

use serde_json::{Value, json};

use super::lab::{Lab, ROLE, Told};
use crate::store::merge;

const INFERENCE: &str = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312";
const TRAINING: &str = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312";
const ENDPOINT: &str = "endpoint/e/variant/main";

fn with(mut base: Value, patch: Value) -> Value {
    merge(&mut base, patch);
    base
}

async fn train(lab: &Lab, name: &str, patch: Value) -> Told {
    let job = json!({
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": TRAINING, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    });
    lab.sagemaker("CreateTrainingJob", with(job, patch)).await
}

pub async fn role_exists(lab: &Lab) -> Told {
    train(lab, "j", json!({"RoleArn": "arn:aws:iam::123456789012:role/gone"})).await
}

pub async fn role_trust(lab: &Lab) -> Told {
    let role = lab.role("other", &["ec2.amazonaws.com"]);
    train(lab, "j", json!({"RoleArn": role})).await
}

pub async fn role_propagation(lab: &Lab) -> Told {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    lab.iam(&[("Action", "CreateRole"), ("RoleName", "new"), ("AssumeRolePolicyDocument", trust)]).await?;
    train(lab, "j", json!({"RoleArn": "arn:aws:iam::123456789012:role/new"})).await
}

pub async fn training_instance_type(lab: &Lab) -> Told {
    train(lab, "j", json!({"ResourceConfig": {"InstanceType": "ml.t2.medium"}})).await
}

/// A name of a variable that the model's pattern of keys has not.
pub async fn model_constraints(lab: &Lab) -> Told {
    train(lab, "j", json!({"Environment": {"A-B": "x"}})).await
}

pub async fn model_types(lab: &Lab) -> Told {
    train(lab, "j", json!({"HyperParameters": "abc"})).await
}

pub async fn spot_wait_time(lab: &Lab) -> Told {
    train(lab, "j", json!({"EnableManagedSpotTraining": true})).await
}

pub async fn quota(lab: &Lab) -> Told {
    train(lab, "j", json!({"ResourceConfig": {"InstanceCount": 21}})).await
}

pub async fn image_region(lab: &Lab) -> Told {
    let image = TRAINING.replace("eu-west-1", "us-east-1");
    train(lab, "j", json!({"AlgorithmSpecification": {"TrainingImage": image}})).await
}

pub async fn delete_ended_jobs_only(lab: &Lab) -> Told {
    train(lab, "j", json!({})).await?;
    lab.sagemaker("DeleteTrainingJob", json!({"TrainingJobName": "j"})).await
}

pub async fn list_filters_pages(lab: &Lab) -> Told {
    for name in ["a", "b"] {
        train(lab, name, json!({})).await?;
    }
    lab.sagemaker("StopTrainingJob", json!({"TrainingJobName": "a"})).await?;
    let first =
        json!({"StatusEquals": "Stopping", "MaxResults": 1, "SortBy": "Name", "SortOrder": "Descending"});
    let page = lab.sagemaker("ListTrainingJobs", first).await?;
    if page["TrainingJobSummaries"] == json!([]) { Err("empty page".into()) } else { Ok(page) }
}

async fn model(lab: &Lab, name: &str, container: Value) -> Told {
    let model = json!({"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container});
    lab.sagemaker("CreateModel", model).await
}

pub async fn model_data_access(lab: &Lab) -> Told {
    model(lab, "m", json!({"Image": INFERENCE, "ModelDataUrl": "s3://nowhere/model.tar.gz"})).await
}

async fn config(lab: &Lab, name: &str, image: &str, patch: Value) -> Told {
    model(lab, name, json!({"Image": image})).await?;
    let variant = json!({
        "VariantName": "main", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1,
    });
    let config = json!({"EndpointConfigName": name, "ProductionVariants": [with(variant, patch)]});
    lab.sagemaker("CreateEndpointConfig", config).await
}

pub async fn hosting_instance_type(lab: &Lab) -> Told {
    config(lab, "c", INFERENCE, json!({"InstanceType": "ml.t3.medium"})).await
}

pub async fn managed_instance_scaling(lab: &Lab) -> Told {
    config(lab, "c", INFERENCE, json!({"ManagedInstanceScaling": {"Status": "ENABLED"}})).await
}

async fn create(lab: &Lab, image: &str, patch: Value) -> Told {
    config(lab, "c", image, patch).await?;
    lab.sagemaker("CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "c"})).await
}

async fn settled(lab: &Lab) -> Value {
    let under_way = ["Creating", "Updating"];
    let done = |endpoint: &Value| !under_way.iter().any(|status| endpoint["EndpointStatus"] == *status);
    lab.until("DescribeEndpoint", json!({"EndpointName": "e"}), done).await
}

async fn update(lab: &Lab, config: &str, patch: Value) -> Told {
    lab.sagemaker("UpdateEndpoint", with(json!({"EndpointName": "e", "EndpointConfigName": config}), patch))
        .await
}

/// Endpoint `e` in service on one `ml.m5.large`.
async fn endpoint(lab: &Lab) -> Result<(), String> {
    create(lab, INFERENCE, json!({})).await?;
    settled(lab).await;
    Ok(())
}

pub async fn endpoint_busy(lab: &Lab) -> Told {
    create(lab, INFERENCE, json!({})).await?;
    lab.sagemaker("DeleteEndpoint", json!({"EndpointName": "e"})).await
}

pub async fn training_image_does_not_serve(lab: &Lab) -> Told {
    create(lab, TRAINING, json!({})).await?;
    let endpoint = settled(lab).await;
    match endpoint["EndpointStatus"].as_str() {
        Some("InService") => Ok(endpoint),
        status => Err(status.unwrap_or_default().to_owned()),
    }
}

pub async fn failed_endpoint(lab: &Lab) -> Told {
    create(lab, TRAINING, json!({})).await?;
    assert_eq!(settled(lab).await["EndpointStatus"], "Failed");
    config(lab, "better", INFERENCE, json!({})).await?;
    update(lab, "better", json!({})).await
}

pub async fn failed_update(lab: &Lab) -> Told {
    endpoint(lab).await?;
    config(lab, "worse", TRAINING, json!({})).await?;
    update(lab, "worse", json!({})).await?;
    let endpoint = settled(lab).await;
    assert!(endpoint["FailureReason"].is_string(), "{endpoint}");
    if endpoint["EndpointStatus"] == "InService" { Err("rolled back".into()) } else { Ok(endpoint) }
}

pub async fn update_resets_live_counts(lab: &Lab) -> Told {
    endpoint(lab).await?;
    let two = json!([{"VariantName": "main", "DesiredInstanceCount": 2}]);
    let scale = json!({"EndpointName": "e", "DesiredWeightsAndCapacities": two});
    lab.sagemaker("UpdateEndpointWeightsAndCapacities", scale).await?;
    settled(lab).await;
    config(lab, "next", INFERENCE, json!({})).await?;
    update(lab, "next", json!({})).await?;
    let endpoint = settled(lab).await;
    if endpoint["ProductionVariants"][0]["CurrentInstanceCount"] == 1 {
        Err("reset".into())
    } else {
        Ok(endpoint)
    }
}

pub async fn deployment_guardrails(lab: &Lab) -> Told {
    endpoint(lab).await?;
    config(lab, "other", INFERENCE, json!({"VariantName": "other"})).await?;
    let routing = json!({"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0});
    let policy = json!({"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}});
    update(lab, "other", json!({"DeploymentConfig": policy})).await
}

async fn invoke(lab: &Lab, body: Vec<u8>) -> Told {
    lab.send(Some("sagemaker"), "POST /endpoints/e/invocations", &[], body).await
}

pub async fn invoke_needs_service(lab: &Lab) -> Told {
    endpoint(lab).await?;
    lab.sagemaker("DeleteEndpoint", json!({"EndpointName": "e"})).await?;
    invoke(lab, Vec::new()).await
}

pub async fn invoke_payload_limit(lab: &Lab) -> Told {
    endpoint(lab).await?;
    invoke(lab, vec![b' '; (6 << 20) + 1]).await
}

async fn register(lab: &Lab, least: u64) -> Told {
    let target = json!({
        "ServiceNamespace": "sagemaker",
        "ResourceId": ENDPOINT,
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": least,
        "MaxCapacity": 4,
    });
    lab.scaling("RegisterScalableTarget", target).await
}

pub async fn scalable_target_exists(lab: &Lab) -> Told {
    register(lab, 1).await
}

pub async fn scalable_target_minimum(lab: &Lab) -> Told {
    endpoint(lab).await?;
    register(lab, 0).await
}

pub async fn burstable_variant(lab: &Lab) -> Told {
    create(lab, INFERENCE, json!({"InstanceType": "ml.t2.medium"})).await?;
    settled(lab).await;
    register(lab, 1).await
}

pub async fn capacity_within_range(lab: &Lab) -> Told {
    endpoint(lab).await?;
    register(lab, 2).await?;
    let endpoint = lab.sagemaker("DescribeEndpoint", json!({"EndpointName": "e"})).await?;
    match endpoint["ProductionVariants"][0]["DesiredInstanceCount"].as_u64() {
        Some(2) => Err("moved".into()),
        _ => Ok(endpoint),
    }
}

pub async fn scaled_variant_keeps_type(lab: &Lab) -> Told {
    endpoint(lab).await?;
    register(lab, 1).await?;
    config(lab, "bigger", INFERENCE, json!({"InstanceType": "ml.m5.xlarge"})).await?;
    update(lab, "bigger", json!({})).await
}

pub async fn policy_needs_target(lab: &Lab) -> Told {
    let metric = json!({"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"});
    let policy = json!({
        "PolicyName": "p",
        "ServiceNamespace": "sagemaker",
        "ResourceId": ENDPOINT,
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1,
            "PredefinedMetricSpecification": metric},
    });
    lab.scaling("PutScalingPolicy", policy).await
}

async fn notebook(lab: &Lab, patch: Value) -> Told {
    let notebook = json!({"NotebookInstanceName": "n", "InstanceType": "ml.t3.medium", "RoleArn": ROLE});
    lab.sagemaker("CreateNotebookInstance", with(notebook, patch)).await
}

pub async fn notebook_instance_type(lab: &Lab) -> Told {
    notebook(lab, json!({"InstanceType": "ml.m5.large"})).await
}

pub async fn notebook_platform(lab: &Lab) -> Told {
    notebook(lab, json!({"PlatformIdentifier": "notebook-al2-v3"})).await
}

pub async fn notebook_without_internet(lab: &Lab) -> Told {
    notebook(lab, json!({"DirectInternetAccess": "Disabled"})).await
}

pub async fn notebook_state(lab: &Lab) -> Told {
    notebook(lab, json!({})).await?;
    lab.sagemaker("StopNotebookInstance", json!({"NotebookInstanceName": "n"})).await
}

pub async fn notebook_volume_grows(lab: &Lab) -> Told {
    notebook(lab, json!({"VolumeSizeInGB": 10})).await?;
    lab.advance(10);
    lab.sagemaker("StopNotebookInstance", json!({"NotebookInstanceName": "n"})).await?;
    lab.advance(10);
    let smaller = json!({"NotebookInstanceName": "n", "VolumeSizeInGB": 5});
    lab.sagemaker("UpdateNotebookInstance", smaller).await
}

pub async fn lifecycle_base64(lab: &Lab) -> Told {
    let script = json!({"NotebookInstanceLifecycleConfigName": "l", "OnStart": [{"Content": "#!/bin/bash"}]});
    lab.sagemaker("CreateNotebookInstanceLifecycleConfig", script).await
}

pub async fn lifecycle_config_in_use(lab: &Lab) -> Told {
    let name = json!({"NotebookInstanceLifecycleConfigName": "l"});
    lab.sagemaker("CreateNotebookInstanceLifecycleConfig", name.clone()).await?;
    notebook(lab, json!({"LifecycleConfigName": "l"})).await?;
    lab.sagemaker("DeleteNotebookInstanceLifecycleConfig", name).await
}
