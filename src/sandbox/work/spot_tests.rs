//! A spot job loses its instance, resumes from its checkpoint, and leaves a model.

use std::time::Duration;

use aws_sdk_s3 as s3;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::objects::RoleObjects;
use super::training;
use crate::clock::{epoch_seconds, real_sleep};
use crate::runners::archive::pack_tar_gz;
use crate::services::sagemaker::Job;
use crate::{Sandbox, SandboxOptions};

const REGION: &str = "eu-west-1";

/// Waits for its interruption when it finds no checkpoint.
const SCRIPT: &str = r#"
import os, pathlib, threading
checkpoint = pathlib.Path(os.environ["SM_CHECKPOINT_DIR"]) / "deep" / "epoch.txt"
data = pathlib.Path(os.environ["SM_CHANNEL_DIGITS"], "train", "0.csv").read_text()
if not checkpoint.exists():
    checkpoint.parent.mkdir()
    checkpoint.write_text("7")
    print("waiting", flush=True)
    threading.Event().wait()
print(f"resumed at {checkpoint.read_text()} accuracy=0.5 then accuracy=0.75")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(data)
"#;

async fn until(what: &str, mut met: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if met() {
            return;
        }
        real_sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

async fn started(folder: &TempDir) -> Sandbox {
    let cache = std::env::temp_dir().join("opsctl-test-environments");
    let options = SandboxOptions { cache, ..SandboxOptions::new(folder.path().join("sandbox")) };
    Sandbox::start(options).await.unwrap()
}

/// A sandbox in which the spot job `spot` runs. The folder must outlive it.
async fn begun(stopping: Value) -> (TempDir, Sandbox, Job) {
    let folder = TempDir::new().unwrap();
    let sandbox = started(&folder).await;
    let shared = sandbox.state();
    let region = s3::types::BucketLocationConstraint::EuWest1;
    let client = s3::Client::from_conf(
        s3::Config::builder()
            .behavior_version(s3::config::BehaviorVersion::latest())
            .endpoint_url(sandbox.endpoint_url())
            .force_path_style(true)
            .region(s3::config::Region::new(REGION))
            .credentials_provider(s3::config::Credentials::for_tests())
            .build(),
    );
    let location = s3::types::CreateBucketConfiguration::builder().location_constraint(region).build();
    client.create_bucket().bucket("data").create_bucket_configuration(location).send().await.unwrap();
    let code = folder.path().join("code");
    std::fs::create_dir(&code).unwrap();
    std::fs::write(code.join("train.py"), SCRIPT).unwrap();
    let archive = folder.path().join("sourcedir.tar.gz");
    pack_tar_gz(&code, &archive).await.unwrap();
    let objects = RoleObjects::new(shared, None);
    objects.upload("s3://data/code.tar.gz", &archive).await.unwrap();
    objects.upload("s3://data/digits/train/0.csv", &code.join("train.py")).await.unwrap();

    let document = json!({
        "TrainingJobName": "spot", "TrainingJobArn": "arn", "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting", "CreationTime": epoch_seconds(shared.clock.now()),
        "EnableManagedSpotTraining": true,
        "AlgorithmSpecification": {"MetricDefinitions": [{"Name": "accuracy",
            "Regex": "then accuracy=([0-9.]+)"}]},
        "InputDataConfig": [{"ChannelName": "digits", "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/digits"},
        }}],
        "OutputDataConfig": {"S3OutputPath": "s3://data/out"},
        "StoppingCondition": stopping,
        "CheckpointConfig": {"S3Uri": "s3://data/checkpoints/"},
        // AWS's SDK writes them as JSON.
        "HyperParameters": {
            "sagemaker_program": "\"train.py\"", "sagemaker_submit_directory": "\"s3://data/code.tar.gz\"",
        },
    });
    shared.table("sagemaker.training-job", REGION).put("spot", document).unwrap();
    let job = Job::new(shared, REGION, "spot");
    training::start(job.clone());
    // The first save happens while the script runs.
    until("a checkpoint", || stored(&sandbox, "checkpoints/deep/epoch.txt")).await;
    (folder, sandbox, job)
}

fn stored(sandbox: &Sandbox, key: &str) -> bool {
    !crate::services::s3::api::list(sandbox.state(), "data", key).unwrap().is_empty()
}

async fn ended(job: &Job) -> Value {
    until("an end", || job.document().unwrap()["TrainingJobStatus"] != "InProgress").await;
    job.document().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spot_job_that_takes_too_long_in_all_is_stopped() {
    let limits = json!({"MaxRuntimeInSeconds": 86_400, "MaxWaitTimeInSeconds": 86_400});
    let (_folder, sandbox, job) = begun(limits).await;
    sandbox.state().clock.advance(Duration::from_secs(86_400));
    let document = ended(&job).await;
    assert_eq!(document["TrainingJobStatus"], "Stopped", "{document:#}");
    assert_eq!(document["SecondaryStatus"], "MaxWaitTimeExceeded", "{document:#}");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_spot_job_goes_on_from_its_checkpoint() {
    let (_folder, sandbox, job) = begun(json!({})).await;
    let shared = sandbox.state();
    training::interrupt(shared, &json!({"job": "spot", "region": REGION})).unwrap();
    let document = ended(&job).await;
    assert_eq!(document["TrainingJobStatus"], "Completed", "{document:#}");
    let stages: Vec<&Value> = document["SecondaryStatusTransitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| &stage["Status"])
        .collect();
    let expected = [
        "Downloading",
        "Training",
        "Interrupted",
        "Restarting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ];
    assert_eq!(stages, expected);
    assert_eq!(document["FinalMetricDataList"][0]["Value"], 0.75);
    assert_eq!(document["ModelArtifacts"]["S3ModelArtifacts"], "s3://data/out/spot/output/model.tar.gz");
    assert!(
        stored(&sandbox, "out/spot/output/model.tar.gz")
            && !stored(&sandbox, "out/spot/output/output.tar.gz")
    );
    assert!(!super::container(shared, &["training", REGION, "spot"]).exists(), "its files are left");
    sandbox.stop().await;
}

/// It would be called after what it was made for.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_a_restart_broke_off_does_not_begin_again_with_other_data() {
    let (folder, sandbox, _) = begun(json!({})).await;
    let other = folder.path().join("other");
    std::fs::write(&other, "other").unwrap();
    RoleObjects::new(sandbox.state(), None).upload("s3://data/digits/train/0.csv", &other).await.unwrap();
    sandbox.stop().await;
    let sandbox = started(&folder).await;
    let document = ended(&Job::new(sandbox.state(), REGION, "spot")).await;
    let reason = document["FailureReason"].as_str().unwrap();
    assert!(reason.contains("its data has changed since"), "{document:#}");
    sandbox.stop().await;
}
