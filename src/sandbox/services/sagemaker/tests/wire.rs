//! The runtime, restarts, and what the SDK makes of it all.

use std::sync::Arc;

use aws_sdk_applicationautoscaling as scaling_sdk;
use aws_sdk_iam as iam_sdk;
use aws_sdk_sagemaker as sdk;
use aws_sdk_sagemakerruntime as runtime_sdk;
use futures_util::future::BoxFuture;
use runtime_sdk::error::ProvideErrorMetadata as _;
use sdk::types as t;
use serde_json::json;

use super::{Bench, DIMENSION, INFERENCE, REGION, job, start};
use crate::fault::Fault;
use crate::services::sagemaker::backend::{Backend, Invocation, Prediction, model_error};
use crate::services::sagemaker::{End, Endpoint, Job};

/// Answers with what it was asked, and fails for `bad`.
struct Echo;

impl Backend for Echo {
    fn train(&self, job: Job) {
        job.enter("Training", "again");
    }

    fn stop(&self, job: Job) {
        job.end(End::stopped(None));
    }

    fn deploy(&self, endpoint: Endpoint) {
        assert_eq!(endpoint.wanted()[0].model["PrimaryContainer"]["ModelDataUrl"], "s3://b/model.tar.gz");
        endpoint.ready();
    }

    fn restore(&self, _: Endpoint) {}

    fn remove(&self, _: Endpoint) {}

    fn invoke(
        &self,
        endpoint: Endpoint,
        variant: String,
        request: Invocation,
    ) -> BoxFuture<'static, Result<Prediction, Fault>> {
        Box::pin(async move {
            if request.body == "bad" {
                return Err(model_error(&endpoint, 500, "Traceback"));
            }
            let body = format!("{variant}:{}", String::from_utf8_lossy(&request.body)).into();
            Ok(Prediction {
                body,
                content_type: "text/plain".into(),
                custom_attributes: request.custom_attributes,
            })
        })
    }
}

macro_rules! client {
    ($service:ident, $sandbox:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version($service::config::BehaviorVersion::latest())
                .endpoint_url($sandbox.endpoint_url())
                .region($service::config::Region::new(REGION))
                .credentials_provider($service::config::Credentials::for_tests())
                .retry_config($service::config::retry::RetryConfig::disabled())
                .build(),
        )
    };
}

#[tokio::test]
async fn the_runtime_passes_on_and_refuses_as_aws_does() {
    let bench = Bench::new(&[]).await;
    let client = client!(runtime_sdk, bench.sandbox);
    let invoke = |body: &str| {
        client
            .invoke_endpoint()
            .endpoint_name("e")
            .content_type("text/csv")
            .body(body.as_bytes().to_vec().into())
    };
    let unknown = invoke("x").send().await.unwrap_err();
    let (code, message) = (unknown.code().map(str::to_owned), unknown.message().map(str::to_owned));
    assert_eq!(code.as_deref(), Some("ValidationError"));
    assert_eq!(message.as_deref(), Some("Endpoint e of account 123456789012 not found."));

    // While it is created it is not there either (docs/aws/sagemaker-endpoints.md#invoking).
    bench.model("early", INFERENCE).await;
    bench.config("early", "early", "ml.m5.large").await.unwrap();
    bench.done("CreateEndpoint", json!({"EndpointName": "early", "EndpointConfigName": "early"})).await;
    let creating =
        client.invoke_endpoint().endpoint_name("early").body(b"x".to_vec().into()).send().await.unwrap_err();
    assert_eq!(creating.message(), Some("Endpoint early of account 123456789012 not found."));

    // Nothing serves behind the default: it says so and never makes up a prediction.
    bench.endpoint("ml.m5.large").await;
    let nothing = invoke("x").send().await.unwrap_err();
    assert_eq!(nothing.raw_response().unwrap().status().as_u16(), 501);

    bench.shared().extensions.plug::<dyn Backend>(Arc::new(Echo));
    let answer = invoke("1,2").custom_attributes("c7").send().await.unwrap();
    assert_eq!(answer.body.unwrap().into_inner(), b"main:1,2");
    assert_eq!(
        (answer.content_type.as_deref(), answer.custom_attributes.as_deref()),
        (Some("text/plain"), Some("c7"))
    );
    assert_eq!(answer.invoked_production_variant.as_deref(), Some("main"));
    let other = invoke("x").target_variant("other").send().await.unwrap_err();
    assert_eq!(other.code(), Some("ValidationError"));
    let large = invoke(&"x".repeat(6_291_457)).send().await.unwrap_err();
    assert_eq!(large.code(), Some("ValidationError"));
    let raised = invoke("bad").send().await.unwrap_err().into_service_error();
    let runtime_sdk::operation::invoke_endpoint::InvokeEndpointError::ModelError(raised) = raised else {
        panic!("{raised:?}");
    };
    assert_eq!((raised.original_status_code(), raised.original_message()), (Some(500), Some("Traceback")));
    assert!(raised.message().unwrap().starts_with("Received server error (500) from primary with message"));
    assert!(raised.log_stream_arn().unwrap().ends_with("log-group:/aws/sagemaker/Endpoints/e"));
}

#[tokio::test]
async fn what_was_under_way_goes_on_after_a_restart() {
    let bench = Bench::new(&[]).await;
    bench.model("m", INFERENCE).await;
    bench.config("c", "m", "ml.m5.large").await.unwrap();
    bench.done("CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "c"})).await;
    bench.done("CreateTrainingJob", job("j")).await;
    let Bench { root, sandbox } = bench;
    sandbox.stop().await;
    let bench = Bench { sandbox: start(root.path(), &[]).await, root };
    bench.advance(30);
    bench.endpoint_becomes("InService").await;
    bench.job_becomes("j", "Completed").await;
}

#[tokio::test]
async fn the_sdk_reads_what_is_described() {
    let bench = Bench::new(&[]).await;
    let client = client!(sdk, bench.sandbox);
    bench.endpoint("ml.m5.large").await;
    bench.done("CreateTrainingJob", job("j")).await;
    bench.advance(10);
    bench.job_becomes("j", "Completed").await;

    let job = client.describe_training_job().training_job_name("j").send().await.unwrap();
    assert_eq!(job.training_job_status(), Some(&t::TrainingJobStatus::Completed));
    assert_eq!(job.hyper_parameters().unwrap()["epochs"], "3");
    assert_eq!(job.secondary_status_transitions().len(), 5);
    let endpoint = client.describe_endpoint().endpoint_name("e").send().await.unwrap();
    assert_eq!(endpoint.endpoint_status(), Some(&t::EndpointStatus::InService));
    assert_eq!(endpoint.production_variants()[0].current_instance_count(), Some(1));
    let config = client.describe_endpoint_config().endpoint_config_name("c").send().await.unwrap();
    let variant = &config.production_variants()[0];
    assert_eq!(variant.instance_type(), Some(&t::ProductionVariantInstanceType::MlM5Large));
    let model = client.describe_model().model_name("m").send().await.unwrap();
    assert_eq!(model.primary_container().unwrap().image(), Some(INFERENCE));
    let listed = client.list_endpoints().name_contains("e").send().await.unwrap();
    assert_eq!(listed.endpoints()[0].endpoint_name(), Some("e"));

    let scaling = client!(scaling_sdk, bench.sandbox);
    let namespace = scaling_sdk::types::ServiceNamespace::Sagemaker;
    let register = scaling.register_scalable_target().service_namespace(namespace.clone());
    let register = register.resource_id("endpoint/e/variant/main").scalable_dimension(DIMENSION.into());
    register.min_capacity(1).max_capacity(3).send().await.unwrap();
    let targets = scaling.describe_scalable_targets().service_namespace(namespace).send().await.unwrap();
    assert_eq!(targets.scalable_targets()[0].max_capacity(), 3);
    // The role that acts for it is one of the account's.
    let roles = client!(iam_sdk, bench.sandbox).list_roles().send().await.unwrap();
    let acts = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint";
    assert!(roles.roles().iter().any(|role| role.role_name() == acts), "{roles:?}");
}
