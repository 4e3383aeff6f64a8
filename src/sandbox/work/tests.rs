//! Functions and instances that really run, as clients see them.

use std::io::{Cursor, Write as _};
use std::time::Duration;

use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_ec2 as ec2;
use aws_sdk_iam as iam;
use aws_sdk_lambda as lambda;
use aws_sdk_s3 as s3;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda::primitives::Blob;
use lambda::types::{FunctionCode, LogType, ProvisionedConcurrencyStatusEnum as Provisioned, Runtime, State};
use serde_json::{Value, json};

use crate::clock::real_sleep;
use crate::wire_tests::client;
use crate::{AwsRule, Sandbox, SandboxOptions};

const FUNCTION: &str = "\
import os
import boto3

def handler(event, context):
    print('called', event)
    if event.get('fail'):
        raise ValueError('no')
    account = boto3.client('sts').get_caller_identity()['Account']
    return {'account': account, 'type': os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']}
";

async fn start(root: &tempfile::TempDir) -> Sandbox {
    let rules_off = [AwsRule::RoleExists, AwsRule::ImageArchitecture].into();
    let cache = std::env::temp_dir().join("opsctl-test-environments");
    let options = SandboxOptions { rules_off, cache, ..SandboxOptions::new(root.path()) };
    Sandbox::start(options).await.unwrap()
}

/// Looks until there is something to see.
async fn until<T, F: Future<Output = Option<T>>>(look: impl Fn() -> F) -> T {
    for _ in 0..3_000 {
        if let Some(seen) = look().await {
            return seen;
        }
        real_sleep(Duration::from_millis(40)).await;
    }
    panic!("it did not come in two minutes");
}

async fn call(client: &lambda::Client, qualifier: &str, event: &str) -> (Value, Option<String>, String) {
    let invoke = client.invoke().function_name("f").qualifier(qualifier).log_type(LogType::Tail);
    let answer = invoke.payload(Blob::new(event)).send().await.unwrap();
    let log = STANDARD.decode(answer.log_result().unwrap()).unwrap();
    let payload = serde_json::from_slice(answer.payload().unwrap().as_ref()).unwrap();
    (payload, answer.function_error().map(str::to_owned), String::from_utf8(log).unwrap())
}

#[tokio::test]
async fn a_function_runs_and_its_provisioned_environments_outlive_the_process() {
    let root = tempfile::tempdir().unwrap();
    let sandbox = start(&root).await;
    let (client, buckets) = (client!(lambda, sandbox), client!(s3, sandbox));
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(FUNCTION.as_bytes()).unwrap();
    let archive = zip.finish().unwrap().into_inner();
    let place = s3::types::CreateBucketConfiguration::builder()
        .location_constraint(s3::types::BucketLocationConstraint::EuWest1);
    buckets.create_bucket().bucket("code").create_bucket_configuration(place.build()).send().await.unwrap();
    buckets.put_object().bucket("code").key("f.zip").body(archive.into()).send().await.unwrap();
    let create = |key: &str| {
        let code = FunctionCode::builder().s3_bucket("code").s3_key(key).build();
        let create = client.create_function().function_name("f").runtime(Runtime::Python312);
        create.handler("app.handler").role("arn:aws:iam::123456789012:role/r").timeout(30).code(code)
    };
    let refused = create("missing").send().await.unwrap_err().into_service_error();
    assert!(refused.to_string().starts_with("InvalidParameterValueException"), "{refused}");
    create("f.zip").send().await.unwrap();
    until(|| async {
        let shown = client.get_function_configuration().function_name("f").send().await.unwrap();
        (shown.state() == Some(&State::Active)).then_some(())
    })
    .await;

    let (answer, error, log) = call(&client, "$LATEST", "{}").await;
    assert_eq!((answer["account"].as_str(), error), (Some("123456789012"), None), "{log}");
    assert!(log.contains("called {}") && log.contains("Init Duration"), "{log}");
    let (answer, error, log) = call(&client, "$LATEST", r#"{"fail": true}"#).await;
    assert_eq!((answer["errorType"].as_str(), error.as_deref()), (Some("ValueError"), Some("Unhandled")));
    assert!(!log.contains("Init Duration"), "warm: {log}");
    let events = client!(logs, sandbox).filter_log_events().log_group_name("/aws/lambda/f");
    let lines = events.send().await.unwrap();
    assert!(lines.events().iter().any(|event| event.message().unwrap().starts_with("REPORT ")), "{lines:?}");

    let version = client.publish_version().function_name("f").send().await.unwrap();
    let version = version.version().unwrap();
    until(|| async {
        let put = client.put_provisioned_concurrency_config().function_name("f").qualifier(version);
        put.provisioned_concurrent_executions(1).send().await.ok()
    })
    .await;
    until(|| async {
        let get = client.get_provisioned_concurrency_config().function_name("f").qualifier(version);
        let shown = get.send().await.unwrap();
        assert_ne!(shown.status(), Some(&Provisioned::Failed), "{shown:?}");
        (shown.status() == Some(&Provisioned::Ready)).then_some(())
    })
    .await;
    assert_eq!(call(&client, version, "{}").await.0["type"], "provisioned-concurrency");
    assert_eq!(call(&client, "$LATEST", "{}").await.0["type"], "on-demand");
    sandbox.stop().await;

    let sandbox = start(&root).await;
    assert_eq!(call(&client!(lambda, sandbox), version, "{}").await.0["type"], "provisioned-concurrency");
    sandbox.stop().await;
}

/// The profile of a role that writes into the bucket `out`.
async fn writer(client: &iam::Client) -> ec2::types::IamInstanceProfileSpecification {
    let policy = |what: Value| json!({"Version": "2012-10-17", "Statement": [what]}).to_string();
    let trust =
        json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}});
    client.create_role().role_name("w").assume_role_policy_document(policy(trust)).send().await.unwrap();
    let puts = json!({"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::out/*"});
    let put = client.put_role_policy().role_name("w").policy_name("p").policy_document(policy(puts));
    put.send().await.unwrap();
    client.create_instance_profile().instance_profile_name("w").send().await.unwrap();
    client.add_role_to_instance_profile().instance_profile_name("w").role_name("w").send().await.unwrap();
    ec2::types::IamInstanceProfileSpecification::builder().name("w").build()
}

#[tokio::test]
async fn an_instance_runs_its_user_data_and_ends() {
    let root = tempfile::tempdir().unwrap();
    let sandbox = start(&root).await;
    let (client, buckets) = (client!(ec2, sandbox), client!(s3, sandbox));
    let place = s3::types::CreateBucketConfiguration::builder()
        .location_constraint(s3::types::BucketLocationConstraint::EuWest1);
    buckets.create_bucket().bucket("out").create_bucket_configuration(place.build()).send().await.unwrap();
    let script = "#!/bin/bash\nset -e\ntrap 'shutdown -h now' EXIT\nshutdown -h +60\necho booted\n\
                  test -x \"$OPSCTL_VENV/bin/python\"\n\
                  code=0; timeout --kill-after=5 0.5 sleep 60 || code=$?\n\
                  echo $code >\"$OPSCTL_ROOT/result\"\naws s3 cp \"$OPSCTL_ROOT/result\" s3://out/result\n";
    let run = client
        .run_instances()
        .image_id("resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64");
    let run = run.instance_type(ec2::types::InstanceType::T3Medium).min_count(1).max_count(1);
    let run = run.iam_instance_profile(writer(&client!(iam, sandbox)).await);
    let run = run.instance_initiated_shutdown_behavior(ec2::types::ShutdownBehavior::Terminate);
    let run = run.user_data(STANDARD.encode(script));
    // A new profile is not there at once.
    let made = until(|| async { run.clone().send().await.ok() }).await;
    let id = made.instances()[0].instance_id().unwrap();
    until(|| async {
        let shown = client.describe_instances().instance_ids(id).send().await.ok()?;
        let state = shown.reservations()[0].instances()[0].state()?.name()?.clone();
        (state == ec2::types::InstanceStateName::Terminated).then_some(())
    })
    .await;
    let console = client.get_console_output().instance_id(id).send().await.unwrap();
    let console = String::from_utf8(STANDARD.decode(console.output().unwrap()).unwrap()).unwrap();
    assert!(console.contains("booted\n"), "{console}");
    let result = buckets.get_object().bucket("out").key("result").send().await.unwrap();
    assert_eq!(result.body.collect().await.unwrap().into_bytes(), "124\n");
    assert!(!root.path().join("run/ec2").join(id).exists());
    sandbox.stop().await;
}
