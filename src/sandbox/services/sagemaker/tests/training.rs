//! Training jobs, roles and lists.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{Bench, INFERENCE, REGION, ROLE, TRAINING, job, text, with};
use crate::AwsRule;
use crate::fault::Fault;
use crate::services::objects::{ObjectName, Objects};
use crate::services::sagemaker::{End, Ended, Job};
use crate::state::SandboxState;

#[tokio::test]
async fn a_job_is_refused_as_sagemaker_refuses_it_unless_the_rule_is_off() {
    let refusals = [
        (
            Some(AwsRule::RoleExists),
            json!({"RoleArn": "arn:aws:iam::123456789012:role/gone"}),
            "Could not assume role",
        ),
        (
            Some(AwsRule::TrainingInstanceType),
            json!({"ResourceConfig": {"InstanceType": "ml.t2.medium"}}),
            "enum value set",
        ),
        (
            Some(AwsRule::SpotWaitTime),
            json!({"EnableManagedSpotTraining": true}),
            "Invalid MaxWaitTimeInSeconds",
        ),
        (
            Some(AwsRule::Quota),
            json!({"ResourceConfig": {"InstanceCount": 21}}),
            "ResourceLimitExceeded: The account-level",
        ),
        (
            Some(AwsRule::ImageRegion),
            json!({"AlgorithmSpecification": {"TrainingImage": TRAINING.replace("eu-west-1", "us-east-1")}}),
            "not in the region",
        ),
        (None, json!({"HyperParameters": {"epochs": 3}}), "SerializationException"),
        (None, json!({"ResourceConfig": {"VolumeSizeInGB": null}}), "VolumeSizeInGB is required"),
        (None, json!({"StoppingCondition": null}), "Value null at 'stoppingCondition'"),
        (
            None,
            json!({"StoppingCondition": {"MaxRuntimeInSeconds": 2_419_201}}),
            "less than or equal to 2419200",
        ),
        (
            None,
            json!({"AlgorithmSpecification": {"AlgorithmName": "a"}}),
            "Either AlgorithmName or TrainingImage",
        ),
        (None, json!({"TrainingJobName": "a_b"}), "regular expression"),
        (None, json!({"Tags": [{"Key": "aws:x", "Value": "1"}]}), "aws:"),
    ];
    let strict = Bench::new(&[]).await;
    let off: Vec<AwsRule> = refusals.iter().filter_map(|(rule, ..)| *rule).collect();
    let lenient = Bench::new(&off).await;
    for (number, (rule, patch, expected)) in refusals.into_iter().enumerate() {
        let input = with(job(&format!("j{number}")), patch);
        let error = strict.ask("CreateTrainingJob", input.clone()).await.unwrap_err();
        assert!(error.contains(expected), "{rule:?}: {error}");
        let lenient = lenient.ask("CreateTrainingJob", input).await;
        assert_eq!(lenient.is_ok(), rule.is_some(), "{rule:?} off: {lenient:?}");
    }
    // Nothing of a refused job is there.
    assert_eq!(strict.done("ListTrainingJobs", json!({})).await["TrainingJobSummaries"], json!([]));
}

#[tokio::test]
async fn a_new_role_is_not_assumable_at_once() {
    let bench = Bench::new(&[]).await;
    let roles = bench.shared().global("iam.role");
    let usable_at = bench.shared().clock.now() + 60_000;
    let mut role = roles.get("exec").unwrap();
    role["UsableAt"] = usable_at.into();
    roles.put("exec", role).unwrap();
    let early = bench.ask("CreateTrainingJob", job("j")).await.unwrap_err();
    assert!(
        early.starts_with(&format!("ValidationException: Could not assume role {ROLE}. Please")),
        "{early}"
    );
    bench.advance(1);
    bench.done("CreateTrainingJob", job("j")).await;

    let mut role = roles.get("exec").unwrap();
    role["AssumeRolePolicyDocument"] = json!({"Statement": []}).to_string().into();
    roles.put("exec", role).unwrap();
    let untrusted = bench.ask("CreateTrainingJob", job("k")).await.unwrap_err();
    assert!(untrusted.contains("allows principal 'sagemaker.amazonaws.com' to assume"), "{untrusted}");
}

/// An S3 that has nothing, and takes nothing.
struct Nothing;

impl Objects for Nothing {
    fn holds(&self, _: Arc<SandboxState>, _: String, _: String) -> BoxFuture<'static, bool> {
        Box::pin(async { false })
    }

    fn put(
        &self,
        _: Arc<SandboxState>,
        _: String,
        _: String,
        _: Bytes,
    ) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Err("NoSuchBucket".into()) })
    }

    fn read(
        &self,
        _: Arc<SandboxState>,
        _: String,
        _: ObjectName,
    ) -> BoxFuture<'static, Result<Bytes, Fault>> {
        Box::pin(async { Err(Fault::new(404, "NoSuchBucket", "The specified bucket does not exist")) })
    }
}

#[tokio::test]
async fn what_s3_lacks_fails_a_job_and_refuses_a_model() {
    let bench = Bench::new(&[]).await;
    bench.shared().extensions.plug::<dyn Objects>(Arc::new(Nothing));
    bench.done("CreateTrainingJob", job("no-data")).await;
    let mut without_channels = job("no-bucket");
    without_channels["InputDataConfig"].take();
    bench.done("CreateTrainingJob", without_channels).await;
    bench.advance(10);
    for (name, expected) in [
        ("no-data", "ClientError: No S3 objects found under S3 URL \"s3://b/data/\""),
        ("no-bucket", "ClientError: Failed to upload s3://b/out/no-bucket/output/model.tar.gz: NoSuchBucket"),
    ] {
        let failed = bench.job_becomes(name, "Failed").await;
        assert!(text(&failed["FailureReason"]).starts_with(expected), "{failed}");
        assert_eq!(failed["ModelArtifacts"], Value::Null);
    }
    let container = json!({"Image": INFERENCE, "ModelDataUrl": "s3://b/model.tar.gz"});
    let model = json!({"ModelName": "m", "ExecutionRoleArn": ROLE, "PrimaryContainer": container});
    let refused = bench.ask("CreateModel", model).await.unwrap_err();
    assert!(refused.contains("Could not access model data at s3://b/model.tar.gz"), "{refused}");
}

#[tokio::test]
async fn a_job_goes_through_its_stages_and_ends_once() {
    let bench = Bench::new(&[]).await;
    bench.done("CreateTrainingJob", job("j")).await;
    let taken = bench.ask("CreateTrainingJob", job("j")).await.unwrap_err();
    assert!(taken.starts_with("ResourceInUse: Training job names must be unique"), "{taken}");
    let early = bench.ask("DeleteTrainingJob", json!({"TrainingJobName": "j"})).await.unwrap_err();
    assert!(early.starts_with("ResourceInUse"), "{early}");

    bench.advance(10);
    let done = bench.job_becomes("j", "Completed").await;
    let stages: Vec<&str> = done["SecondaryStatusTransitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| text(&stage["Status"]))
        .collect();
    assert_eq!(stages, ["Starting", "Downloading", "Training", "Uploading", "Completed"]);
    assert_eq!(done["ModelArtifacts"]["S3ModelArtifacts"], "s3://b/out/j/output/model.tar.gz");
    assert!(done["TrainingEndTime"].as_f64() >= done["TrainingStartTime"].as_f64());
    assert_eq!(done["BillableTimeInSeconds"], done["TrainingTimeInSeconds"]);
    let late = bench.ask("StopTrainingJob", json!({"TrainingJobName": "j"})).await.unwrap_err();
    assert!(
        late.contains("The request was rejected because the training job is in status Completed"),
        "{late}"
    );

    bench.done("CreateTrainingJob", job("k")).await;
    bench.done("StopTrainingJob", json!({"TrainingJobName": "k"})).await;
    bench.job_becomes("k", "Stopping").await;
    bench.advance(5);
    assert_eq!(bench.job_becomes("k", "Stopped").await["SecondaryStatus"], "Stopped");
    // The walk of a stopped job has nothing more to say.
    Job::new(bench.shared(), REGION, "k").end(End::completed("s3://b/x".into()));
    assert_eq!(bench.job_becomes("k", "Stopped").await["ModelArtifacts"], Value::Null);

    bench.done("DeleteTrainingJob", json!({"TrainingJobName": "k"})).await;
    bench.advance(1);
    for (operation, code) in
        [("DescribeTrainingJob", "ValidationException"), ("DeleteTrainingJob", "ResourceNotFound")]
    {
        let gone = bench.ask(operation, json!({"TrainingJobName": "k"})).await.unwrap_err();
        assert_eq!(gone, format!("{code}: Requested resource not found."));
    }
}

#[tokio::test]
async fn time_limits_stop_and_reasons_are_cut() {
    let bench = Bench::new(&[]).await;
    for (name, ended) in [("slow", Ended::MaxRuntimeExceeded), ("broken", Ended::Failed("x".repeat(2_000)))] {
        bench.done("CreateTrainingJob", job(name)).await;
        let job = Job::new(bench.shared(), REGION, name);
        assert!(job.enter("Training", "Training in progress."));
        job.end(End { status: ended, metrics: vec![("acc".into(), 0.5)], ..End::stopped(None) });
    }
    let slow = bench.job_becomes("slow", "Stopped").await;
    assert_eq!(slow["SecondaryStatus"], "MaxRuntimeExceeded");
    assert_eq!(slow["FinalMetricDataList"][0]["MetricName"], "acc");
    assert_eq!(text(&bench.job_becomes("broken", "Failed").await["FailureReason"]).len(), 1_024);
}

#[tokio::test]
async fn lists_filter_sort_and_page_as_their_own() {
    let bench = Bench::new(&[]).await;
    for name in ["breeds-1", "breeds-2", "other", "breeds-3"] {
        bench.done("CreateTrainingJob", job(name)).await;
        bench.shared().clock.advance(Duration::from_secs(1));
    }
    bench.done("StopTrainingJob", json!({"TrainingJobName": "breeds-1"})).await;
    let names = |answer: &Value| -> Vec<String> {
        let jobs = answer["TrainingJobSummaries"].as_array().unwrap();
        jobs.iter().map(|job| text(&job["TrainingJobName"]).to_owned()).collect()
    };
    let newest = bench.done("ListTrainingJobs", json!({"NameContains": "breeds", "MaxResults": 2})).await;
    assert_eq!(names(&newest), ["breeds-3", "breeds-2"]);
    let next = json!({"NameContains": "breeds", "MaxResults": 2, "NextToken": newest["NextToken"]});
    assert_eq!(names(&bench.done("ListTrainingJobs", next).await), ["breeds-1"]);
    let sorted = json!({"SortBy": "Name", "SortOrder": "Ascending"});
    assert_eq!(names(&bench.done("ListTrainingJobs", sorted).await).last().unwrap(), "other");

    // The page is taken first and filtered then: an empty one with a token is normal
    // (docs/aws/sagemaker-training.md#listing).
    let stopping = bench.done("ListTrainingJobs", json!({"StatusEquals": "Stopping", "MaxResults": 2})).await;
    assert!(names(&stopping).is_empty() && stopping["NextToken"].is_string());
    let bad = bench.ask("ListTrainingJobs", json!({"NextToken": "?"})).await.unwrap_err();
    assert!(bad.starts_with("ValidationException"), "{bad}");
}
