//! Models, endpoint configurations, endpoints, quotas.

use serde_json::{Value, json};

use super::{Bench, INFERENCE, ROLE, TRAINING, text, with};
use crate::AwsRule;
use crate::services::quotas;

#[tokio::test]
async fn models_and_configurations_are_checked_when_made() {
    let bench = Bench::new(&[]).await;
    bench.model("m", INFERENCE).await;
    let both = json!({"ModelName": "n", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": INFERENCE},
                      "Containers": [{"Image": INFERENCE}]});
    assert!(bench.ask("CreateModel", both).await.unwrap_err().contains("not both"));
    let t3 = bench.config("c", "m", "ml.t3.medium").await.unwrap_err();
    assert!(t3.contains("Value 'ml.t3.medium' at 'productionVariants.1.member.instanceType'"), "{t3}");
    let variant = json!({"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1});
    for (patch, expected) in [
        (
            json!({"ManagedInstanceScaling": {"Status": "ENABLED"}}),
            "only supported for inference component endpoints.",
        ),
        (json!({"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2}}), "exclude each other"),
        (json!({"InitialInstanceCount": null}), "InitialInstanceCount is required"),
        (json!({"VolumeSizeInGB": 513}), "volumeSizeInGB' failed to satisfy constraint"),
        (json!({"ModelDataDownloadTimeoutInSeconds": 59}), "TimeoutInSeconds' failed to satisfy constraint"),
        (
            json!({"ContainerStartupHealthCheckTimeoutInSeconds": 3601}),
            "TimeoutInSeconds' failed to satisfy constraint",
        ),
        (json!({"VolumeSizeInGB": 9, "InstanceType": "ml.g5.xlarge"}), "VolumeSizeInGB is not supported"),
        (
            json!({"InitialVariantWeight": -1.0}),
            "initialVariantWeight' failed to satisfy constraint: Member must have value greater than or equal to 0",
        ),
    ] {
        let config = json!({"EndpointConfigName": "c", "ProductionVariants": [with(variant.clone(), patch)]});
        let error = bench.ask("CreateEndpointConfig", config).await.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let unknown = bench.config("c", "x", "ml.m5.large").await.unwrap_err();
    let arn = "arn:aws:sagemaker:eu-west-1:123456789012";
    assert_eq!(unknown, format!("ValidationException: Could not find model \"{arn}:model/x\"."));
    bench.config("c", "m", "ml.m5.large").await.unwrap();
    let taken = bench.config("c", "m", "ml.m5.large").await.unwrap_err();
    assert_eq!(
        taken,
        format!(
            "ValidationException: Cannot create already existing endpoint configuration \"{arn}:endpoint-config/c\"."
        )
    );

    let config = json!({"ResourceArn": format!("{arn}:endpoint-config/c")});
    bench.done("AddTags", with(config.clone(), json!({"Tags": [{"Key": "a", "Value": "1"}]}))).await;
    assert_eq!(bench.done("ListTags", config.clone()).await["Tags"], json!([{"Key": "a", "Value": "1"}]));
    bench.done("DeleteTags", with(config.clone(), json!({"TagKeys": ["a"]}))).await;
    bench.done("DeleteEndpointConfig", json!({"EndpointConfigName": "c"})).await;
    let gone = bench.ask("ListTags", config).await.unwrap_err();
    assert!(gone.contains("Could not find endpoint configuration"), "{gone}");
}

#[tokio::test]
async fn an_endpoint_under_way_is_left_alone_and_a_failed_one_only_goes() {
    let bench = Bench::new(&[]).await;
    let name = json!({"EndpointName": "e"});
    bench.model("m", INFERENCE).await;
    bench.model("trains", TRAINING).await;
    bench.config("c", "trains", "ml.m5.large").await.unwrap();
    let create = json!({"EndpointName": "e", "EndpointConfigName": "c"});
    bench.done("CreateEndpoint", create.clone()).await;
    for operation in ["DeleteEndpoint", "UpdateEndpoint"] {
        let busy = bench.ask(operation, create.clone()).await.unwrap_err();
        assert!(busy.starts_with("ValidationException: Cannot update in-progress endpoint \"arn:"), "{busy}");
    }
    // A container that does not serve keeps its endpoint Creating for 24 minutes.
    bench.advance(23);
    bench.endpoint_becomes("Creating").await;
    bench.advance(2);
    let failed = bench.endpoint_becomes("Failed").await;
    assert!(text(&failed["FailureReason"]).contains("main did not pass the ping health check"));
    assert!(bench.ask("UpdateEndpoint", create.clone()).await.unwrap_err().contains("only be deleted"));

    bench.done("DeleteEndpoint", name.clone()).await;
    bench.endpoint_becomes("Deleting").await;
    let taken = bench.ask("CreateEndpoint", create.clone()).await.unwrap_err();
    assert!(taken.contains("Cannot create already existing endpoint"), "{taken}");
    bench.advance(1);
    let gone = bench.ask("DescribeEndpoint", name).await.unwrap_err();
    assert!(gone.starts_with("ValidationException: Could not find endpoint \"arn:"), "{gone}");
}

#[tokio::test]
async fn a_failed_update_rolls_back_without_a_sound() {
    for (off, status) in [(&[][..], "InService"), (&[AwsRule::FailedUpdateRollsBack][..], "Failed")] {
        let bench = Bench::new(off).await;
        bench.endpoint("ml.m5.large").await;
        bench.model("trains", TRAINING).await;
        bench.config("c2", "trains", "ml.m5.large").await.unwrap();
        bench.done("UpdateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "c2"})).await;
        let updating = bench.endpoint_becomes("Updating").await;
        assert_eq!(updating["PendingDeploymentSummary"]["EndpointConfigName"], "c2");
        bench.advance(30);
        let back = bench.endpoint_becomes(status).await;
        assert_eq!(back["EndpointConfigName"], "c");
        assert!(text(&back["FailureReason"]).contains("ping health check"));
        assert_eq!(back["PendingDeploymentSummary"], Value::Null);
    }
}

#[tokio::test]
async fn an_update_resets_live_counts_unless_they_are_retained() {
    let bench = Bench::new(&[]).await;
    bench.endpoint("ml.m5.large").await;
    bench.config("c2", "m", "ml.m5.large").await.unwrap();
    let count = |doc: Value| doc["ProductionVariants"][0]["CurrentInstanceCount"].as_u64().unwrap();
    let three = json!([{"VariantName": "main", "DesiredInstanceCount": 3}]);
    // Guardrails cannot swap variants of other names.
    let renamed = json!({"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1});
    bench
        .done("CreateEndpointConfig", json!({"EndpointConfigName": "c3", "ProductionVariants": [renamed]}))
        .await;
    let routing = json!({"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0});
    let guarded = json!({
        "EndpointName": "e", "EndpointConfigName": "c3",
        "DeploymentConfig": {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}},
    });
    assert!(bench.ask("UpdateEndpoint", guarded).await.unwrap_err().contains("same variant names"));
    for (retain, left) in [(true, 3), (false, 1)] {
        let change = json!({"EndpointName": "e", "DesiredWeightsAndCapacities": three});
        bench.done("UpdateEndpointWeightsAndCapacities", change).await;
        bench.advance(10);
        assert_eq!(count(bench.endpoint_becomes("InService").await), 3);
        let update =
            json!({"EndpointName": "e", "EndpointConfigName": "c2", "RetainAllVariantProperties": retain});
        bench.done("UpdateEndpoint", update).await;
        bench.advance(10);
        assert_eq!(count(bench.endpoint_becomes("InService").await), left);
    }
}

#[tokio::test]
async fn a_fresh_account_has_no_m5_and_an_update_needs_both_fleets() {
    let bench = Bench::new(&[]).await;
    quotas::post(bench.shared(), json!({"account": "fresh"})).unwrap();
    bench.model("m", INFERENCE).await;
    bench.config("c", "m", "ml.m5.large").await.unwrap();
    let create = json!({"EndpointName": "e", "EndpointConfigName": "c"});
    let refused = bench.ask("CreateEndpoint", create.clone()).await.unwrap_err();
    assert!(
        refused.starts_with(
            "ResourceLimitExceeded: The account-level service limit 'ml.m5.large for endpoint usage' is 0 \
             Instances, with current utilization of 0 Instances and a request delta of 1 Instances."
        ),
        "{refused}"
    );
    quotas::post(bench.shared(), json!({"L-614B09FD": 1})).unwrap();
    bench.done("CreateEndpoint", create.clone()).await;
    bench.advance(30);
    bench.endpoint_becomes("InService").await;
    let refused = bench.ask("UpdateEndpoint", create).await.unwrap_err();
    assert!(refused.contains("current utilization of 1 Instances"), "{refused}");
}
