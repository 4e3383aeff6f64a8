//! Other people's clients: boto3, the AWS CLI and Amazon's SageMaker SDK take `opsctl sandbox serve` for AWS.

use serde_json::{Value, json};

use crate::support::{Served, python};

const WORKFLOW: &str =
    concat!(include_str!("support/clients/programs.py"), include_str!("support/clients/workflow.py"));
const CLI: &str = include_str!("support/clients/workflow.sh");
const SDK: &str =
    concat!(include_str!("support/clients/programs.py"), include_str!("support/clients/sagemaker_sdk.py"));
const SDK_REQUIREMENTS: &str = include_str!("support/clients/sagemaker_sdk.txt");

/// From a bucket to a function in front of a scaled endpoint, and nothing left of it. The data say y = 3x +
/// 2.
#[test]
fn boto3_runs_the_whole_workflow() {
    let served = Served::start(&["--speed", "60"]);
    let report = served.client("python", &["-c", WORKFLOW]);
    assert_eq!(report["account"], "123456789012");
    assert_eq!(report["job"], json!({"TrainingJobStatus": "Completed", "FailureReason": null}));
    assert_eq!(report["metrics"], json!({"slope": 3.0}), "it really trains");
    let log = report["log"].as_array().expect("a list");
    assert!(log.iter().any(|line| line == "slope=3.0"), "{report:#}");
    assert_eq!(report["endpoint"], json!({"y": 32.0}));
    assert_eq!(report["alarms"], json!({"GreaterThanThreshold": 2.0, "LessThanThreshold": 1.8}));
    assert_eq!(report["activities"], json!(["Setting desired instance count to 2."]));
    assert!(report["invoked"].as_f64().is_some_and(|invoked| invoked > 6.0), "{report:#}");
    assert_eq!(report["provisioned"], "READY");
    let answer = json!({"y": 302.0, "version": "1", "initialization": "provisioned-concurrency"});
    assert_eq!(report["function"], answer);
    // Both first calls at the same time: two environments wait for them.
    let logs: Vec<&str> =
        report["tails"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(logs.len(), 2, "{report:#}");
    assert!(logs.iter().all(|log| log.contains("REPORT ") && !log.contains("Init Duration")), "{logs:#?}");
    assert_eq!(report["left"], json!([]), "{}", served.log());
}

/// A part of it as a person types it.
#[test]
fn the_aws_cli_works_as_it_is() {
    let served = Served::start(&["--speed", "60"]);
    let report = served.client("bash", &["-c", CLI]);
    let expected = json!({"Functions": ["cli"], "Answer": {"x": 100}, "Provisioned": "READY", "Log": "REPORT",
        "Left": []});
    assert_eq!(report, expected, "{}", served.log());
}

/// It trains, deploys, predicts and deletes with its own names, archives, waits and logs.
#[test]
fn the_sagemaker_sdk_works_as_it_is() {
    let served = Served::start(&["--speed", "60"]);
    let report = served.client_of(&python::environment(SDK_REQUIREMENTS), "python", &["-c", SDK]);
    let expected = json!({"sdk": "2.257.7", "job": "Completed", "metrics": {"slope": 3.0},
        "answer": {"y": 32.0}, "left": []});
    assert_eq!(report, expected, "{}", served.log());
}
