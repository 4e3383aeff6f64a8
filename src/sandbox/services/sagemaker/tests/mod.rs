//! SageMaker, its runtime and its scaling at AWS's pace, with a clock that is moved by hand. Refusals are
//! asked for in JSON; what answers look like is read by the real SDK.

mod hosting;
mod notebooks;
mod scaling;
mod training;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::API;
use crate::clock::real_sleep;
use crate::extensions::Plug;
use crate::protocol::json11::Api;
use crate::protocol::{Service as _, full};
use crate::services::objects::Objects;
use crate::services::{autoscaling, runtime};
use crate::state::SandboxState;
use crate::{AwsRule, Sandbox, SandboxOptions, StatePace};

const REGION: &str = "eu-west-1";
const DIMENSION: &str = "sagemaker:variant:DesiredInstanceCount";
const ROLE: &str = "arn:aws:iam::123456789012:role/project/exec";
const INFERENCE: &str = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312";
const TRAINING: &str = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312";

/// A sandbox at AWS's pace, with a role that SageMaker can assume.
struct Bench {
    root: tempfile::TempDir,
    sandbox: Sandbox,
}

impl Bench {
    async fn new(rules_off: &[AwsRule]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let sandbox = start(root.path(), rules_off).await;
        let trust = json!({"Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"Service": "sagemaker.amazonaws.com"}},
        ]});
        let role = json!({"RoleName": "exec", "Arn": ROLE, "AssumeRolePolicyDocument": trust.to_string(),
            "Path": "/", "Attached": {}, "Inline": {}});
        sandbox.state().global("iam.role").put("exec", role).unwrap();
        Self { root, sandbox }
    }

    fn shared(&self) -> &Arc<SandboxState> {
        self.sandbox.state()
    }

    fn advance(&self, minutes: u64) {
        self.shared().clock.advance(Duration::from_secs(60 * minutes));
    }

    async fn ask_of(&self, api: &'static Api, operation: &str, input: Value) -> Result<Value, String> {
        let request = hyper::Request::post("/")
            .header("x-amz-target", format!("{}.{operation}", api.target))
            .header("authorization", scope(api.signing_name))
            .body(full(input.to_string()))
            .unwrap();
        let response = api.handle(self.shared(), request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        if status == 200 {
            Ok(body)
        } else {
            Err(format!("{}: {}", text(&body["__type"]), text(&body["message"])))
        }
    }

    async fn ask(&self, operation: &str, input: Value) -> Result<Value, String> {
        self.ask_of(&API, operation, input).await
    }

    async fn scaling(&self, operation: &str, input: Value) -> Result<Value, String> {
        self.ask_of(&autoscaling::API, operation, input).await
    }

    /// Invokes endpoint `e`. There is no model here, but the call counts.
    async fn invoke(&self) {
        let request = hyper::Request::post("/endpoints/e/invocations")
            .header("authorization", scope("sagemaker"))
            .body(full("[]"))
            .unwrap();
        let status = runtime::API.handle(self.shared(), request).await.status().as_u16();
        assert_eq!(status, 501);
    }

    /// A call that has to succeed.
    async fn done(&self, operation: &str, input: Value) -> Value {
        self.ask(operation, input).await.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// Advances the clock and waits until the work has caught up with it.
    async fn becomes(&self, operation: &str, input: Value, member: &str, status: &str) -> Value {
        for _ in 0..500 {
            let doc = self.done(operation, input.clone()).await;
            if doc[member] == status {
                return doc;
            }
            real_sleep(Duration::from_millis(2)).await;
        }
        panic!("{operation} {input} never shows {status}");
    }

    async fn endpoint_becomes(&self, status: &str) -> Value {
        self.becomes("DescribeEndpoint", json!({"EndpointName": "e"}), "EndpointStatus", status).await
    }

    async fn job_becomes(&self, name: &str, status: &str) -> Value {
        self.becomes("DescribeTrainingJob", json!({"TrainingJobName": name}), "TrainingJobStatus", status)
            .await
    }

    async fn model(&self, name: &str, image: &str) {
        let container = json!({"Image": image, "ModelDataUrl": "s3://b/model.tar.gz"});
        let model = json!({"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container});
        self.done("CreateModel", model).await;
    }

    async fn config(&self, name: &str, model: &str, instance_type: &str) -> Result<Value, String> {
        let variant = json!({
            "VariantName": "main", "ModelName": model, "InstanceType": instance_type,
            "InitialInstanceCount": 1,
        });
        self.ask("CreateEndpointConfig", json!({"EndpointConfigName": name, "ProductionVariants": [variant]}))
            .await
    }

    /// Endpoint `e` of model `m` in service.
    async fn endpoint(&self, instance_type: &str) {
        self.model("m", INFERENCE).await;
        self.config("c", "m", instance_type).await.unwrap();
        self.done("CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "c"})).await;
        self.advance(30);
        self.endpoint_becomes("InService").await;
    }
}

async fn start(root: &std::path::Path, rules_off: &[AwsRule]) -> Sandbox {
    let rules_off = rules_off.iter().copied().collect();
    let options =
        SandboxOptions { pace: StatePace::Realistic, rules_off, runs: false, ..SandboxOptions::new(root) };
    let sandbox = Sandbox::start(options).await.unwrap();
    // These tests are about the control plane: S3 has whatever they name.
    sandbox.state().extensions.plug(<dyn Objects as Plug>::unplugged());
    sandbox
}

fn scope(service: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=k/20261130/{REGION}/{service}/aws4_request")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn job(name: &str) -> Value {
    json!({
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": TRAINING, "TrainingInputMode": "File"},
        "HyperParameters": {"epochs": "3"},
        "InputDataConfig": [{
            "ChannelName": "training",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/data/"}},
        }],
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    })
}

/// `base` with one change.
fn with(mut base: Value, patch: Value) -> Value {
    crate::store::merge(&mut base, patch);
    base
}
