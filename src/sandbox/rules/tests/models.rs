//! What AWS's models refuse: each with the rule, and let through without it.

use serde_json::{Value, json};

use super::lab::{Lab, ROLE, Told};
use crate::AwsRule;

/// A call with the code of its refusal.
enum Call {
    Json(&'static str, &'static str, Value),
    Lambda(&'static str, Value),
    Iam(&'static [(&'static str, &'static str)]),
}

fn training(member: &str, value: Value) -> Call {
    let mut job = json!({
        "TrainingJobName": "j", "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "x", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 0},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    });
    job[member] = value;
    Call::Json("sagemaker", "SageMaker.CreateTrainingJob", job)
}

fn function(member: &str, value: Value) -> Call {
    let mut function =
        json!({"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": "UEsDBA=="}, "Handler": "a.b"});
    function[member] = value;
    Call::Lambda("POST /2015-03-31/functions", function)
}

fn scaling(operation: &'static str, member: &str, value: Value) -> Call {
    let mut input = json!({"ServiceNamespace": "sagemaker"});
    input[member] = value;
    Call::Json("application-autoscaling", operation, input)
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const ROLE_IN_CHINESE: &[(&str, &str)] = &[
    ("Action", "CreateRole"),
    ("RoleName", "r"),
    ("AssumeRolePolicyDocument", TRUST),
    ("Description", "\u{6a21}"),
];
const PAGE_OF_WORDS: &[(&str, &str)] = &[("Action", "ListRoles"), ("MaxItems", "many")];

fn constraints() -> Vec<(&'static str, Call)> {
    let invalid = "ValidationException";
    let model = |member: &str, value: Value| {
        // One name each: without the rule they are made.
        let mut model = json!({"ModelName": format!("with-{member}"), "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {"Image": "x"}});
        model[member] = value;
        Call::Json("sagemaker", "SageMaker.CreateModel", model)
    };
    let long = "x".repeat(2_000);
    vec![
        (invalid, training("Environment", json!({"A-B": "x"}))),
        (invalid, training("HyperParameters", json!({"k": "v".repeat(2_501)}))),
        (invalid, training("Tags", json!([{"Key": "k"}]))),
        (invalid, model("PrimaryContainer", json!({"Image": "x", "Environment": {"A-B": "x"}}))),
        (invalid, model("Tags", json!([{"Key": "k"}]))),
        (invalid, function("Environment", json!({"Variables": {"A-B": "x"}}))),
        ("ValidationError", Call::Iam(ROLE_IN_CHINESE)),
        (invalid, scaling("AnyScaleFrontendService.DescribeScalableTargets", "ResourceIds", json!([long]))),
        (invalid, scaling("AnyScaleFrontendService.DescribeScalingPolicies", "PolicyNames", json!([""]))),
        (invalid, scaling("AnyScaleFrontendService.DescribeScalingActivities", "ResourceId", json!(""))),
        (
            "InvalidParameterException",
            Call::Json(
                "tagging",
                "ResourceGroupsTaggingAPI_20170126.GetResources",
                json!({"TagFilters": [{"Key": "k", "Values": ["v".repeat(257)]}]}),
            ),
        ),
    ]
}

fn types() -> Vec<(&'static str, Call)> {
    let mistyped = "SerializationException";
    vec![
        (mistyped, training("HyperParameters", json!("abc"))),
        (mistyped, training("HyperParameters", json!({"epochs": 3}))),
        (mistyped, training("ResourceConfig", json!({"InstanceType": "ml.m5.xlarge", "InstanceCount": "1"}))),
        (mistyped, training("EnableManagedSpotTraining", json!("yes"))),
        (mistyped, training("Tags", json!({"k": "v"}))),
        (mistyped, training("OutputDataConfig", json!(["s3://b/out"]))),
        (mistyped, function("MemorySize", json!("large"))),
        (mistyped, function("Environment", json!({"Variables": {"A1": 1}}))),
        (mistyped, Call::Json("logs", "Logs_20140328.DescribeLogGroups", json!({"limit": "10"}))),
        ("MalformedInput", Call::Iam(PAGE_OF_WORDS)),
    ]
}

async fn told(lab: &Lab, call: &Call) -> Told {
    match call {
        Call::Json(service, target, input) => lab.json(service, target, input.clone()).await,
        Call::Lambda(line, input) => lab.lambda(line, input.clone()).await,
        Call::Iam(parameters) => lab.iam(parameters).await,
    }
}

#[tokio::test]
async fn what_a_model_refuses_is_refused_and_let_through_without_the_rule() {
    for (rule, cases) in [(AwsRule::ModelConstraints, constraints()), (AwsRule::ModelTypes, types())] {
        for off in [None, Some(rule)] {
            let lab = Lab::new(off, false).await;
            for (number, (code, call)) in cases.iter().enumerate() {
                let told = told(&lab, call).await;
                let refused = told == Err((*code).to_owned());
                assert_eq!(refused, off.is_none(), "{rule} {number}, off: {off:?}: {told:?}");
            }
            lab.sandbox.stop().await;
        }
    }
}
