//! Scheduler as a client sees it: the real SDK over real HTTP, with a clock that is moved by hand.

use std::time::Duration;

use aws_sdk_iam as iam;
use aws_sdk_sagemaker as sagemaker;
use aws_sdk_scheduler as scheduler;
use sagemaker::types::InstanceType;
use scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Tag, Target,
};
use serde_json::json;

use super::fire_due;
use crate::wire_tests::client;
use crate::{Sandbox, SandboxOptions};

const STOP: &str = "arn:aws:scheduler:::aws-sdk:sagemaker:stopNotebookInstance";

macro_rules! refused {
    ($call:expr) => {
        $call.send().await.unwrap_err().into_service_error().meta().code().unwrap_or_default().to_owned()
    };
}

/// A sandbox with a notebook that runs, and a role for Scheduler that may do `action`.
async fn lab(action: &str) -> (tempfile::TempDir, Sandbox, String) {
    let root = tempfile::tempdir().unwrap();
    let options = SandboxOptions { runs: false, ..SandboxOptions::new(root.path()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let iam = client!(iam, sandbox);
    let mut arn = String::new();
    for service in ["sagemaker", "scheduler"] {
        let trust = json!({ "Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "Service": format!("{service}.amazonaws.com") },
        } });
        let made =
            iam.create_role().role_name(service).assume_role_policy_document(trust.to_string()).send().await;
        arn = made.unwrap().role.unwrap().arn;
    }
    let lab = "arn:aws:sagemaker:eu-west-1:123456789012:notebook-instance/lab";
    let allow = json!({ "Effect": "Allow", "Action": action, "Resource": lab });
    let policy = json!({ "Version": "2012-10-17", "Statement": allow }).to_string();
    let put = iam.put_role_policy().role_name("scheduler").policy_name("p").policy_document(policy);
    put.send().await.unwrap();
    sandbox.state().clock.advance(Duration::from_secs(60));
    let notebook = client!(sagemaker, sandbox).create_notebook_instance().notebook_instance_name("lab");
    let notebook =
        notebook.instance_type(InstanceType::MlT3Medium).role_arn(arn.replace("scheduler", "sagemaker"));
    notebook.send().await.unwrap();
    sandbox.state().clock.advance(Duration::from_secs(60));
    client!(scheduler, sandbox).create_schedule_group().name("g").send().await.unwrap();
    (root, sandbox, arn)
}

/// `at(…)`, so many seconds from now by the sandbox's clock.
fn at(sandbox: &Sandbox, seconds: u64) -> String {
    let at = std::time::UNIX_EPOCH
        + Duration::from_millis(sandbox.state().clock.now())
        + Duration::from_secs(seconds);
    format!("at({})", humantime::format_rfc3339_seconds(at).to_string().trim_end_matches('Z'))
}

fn target(role: &str) -> Target {
    let retry = RetryPolicy::builder().maximum_event_age_in_seconds(600).build();
    let target = Target::builder().arn(STOP).role_arn(role).input(r#"{"NotebookInstanceName":"lab"}"#);
    target.retry_policy(retry).build().unwrap()
}

fn off() -> FlexibleTimeWindow {
    FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().unwrap()
}

async fn state(sandbox: &Sandbox) -> String {
    let call = client!(sagemaker, sandbox).describe_notebook_instance().notebook_instance_name("lab");
    call.send().await.unwrap().notebook_instance_status.unwrap().as_str().to_owned()
}

#[tokio::test]
async fn a_schedule_calls_once_with_its_roles_permissions_and_is_gone() {
    let (_root, sandbox, role) = lab("sagemaker:StopNotebookInstance").await;
    let client = client!(scheduler, sandbox);
    let create = |name: &str, expression: String| {
        let create = client.create_schedule().name(name).group_name("g").schedule_expression(expression);
        create.flexible_time_window(off()).action_after_completion(ActionAfterCompletion::Delete)
    };
    let stop = create("stop", at(&sandbox, 3_600)).target(target(&role));
    stop.clone().send().await.unwrap();
    assert_eq!(refused!(stop), "ConflictException");
    let nobody = role.replace("scheduler", "nobody");
    assert_eq!(refused!(create("x", at(&sandbox, 60)).target(target(&nobody))), "ValidationException");
    let sagemakers = role.replace("scheduler", "sagemaker");
    assert_eq!(refused!(create("x", at(&sandbox, 60)).target(target(&sagemakers))), "ValidationException");
    assert_eq!(refused!(create("x", "at(tomorrow)".into()).target(target(&role))), "ValidationException");
    assert_eq!(refused!(create("x", "rate(1 hour)".into()).target(target(&role))), "NotImplemented");
    let elsewhere = create("x", at(&sandbox, 60)).target(target(&role)).group_name("h");
    assert_eq!(refused!(elsewhere), "ResourceNotFoundException");

    let listed = client.list_schedules().group_name("g").send().await.unwrap();
    assert_eq!(listed.schedules()[0].name(), Some("stop"));
    let got = client.get_schedule().group_name("g").name("stop").send().await.unwrap();
    let retry = got.target().unwrap().retry_policy().unwrap();
    assert_eq!(retry.maximum_retry_attempts(), Some(185), "AWS fills it in");
    fire_due(sandbox.state()).await;
    assert_eq!(state(&sandbox).await, "InService", "it is not due");
    sandbox.state().clock.advance(Duration::from_secs(3_600));
    fire_due(sandbox.state()).await;
    sandbox.state().clock.advance(Duration::from_secs(60));
    assert_eq!(state(&sandbox).await, "Stopped");
    assert_eq!(refused!(client.get_schedule().group_name("g").name("stop")), "ResourceNotFoundException");
    let role = client!(iam, sandbox).get_role().role_name("scheduler").send().await.unwrap().role.unwrap();
    assert!(role.role_last_used().unwrap().last_used_date().is_some(), "it was used");
    sandbox.stop().await;
}

#[tokio::test]
async fn what_its_role_may_not_do_is_tried_again_and_given_up() {
    let (_root, sandbox, role) = lab("sagemaker:DescribeNotebookInstance").await;
    let client = client!(scheduler, sandbox);
    let create = client.create_schedule().name("stop").group_name("g").target(target(&role));
    let create = create.schedule_expression(at(&sandbox, 60)).flexible_time_window(off());
    create.action_after_completion(ActionAfterCompletion::Delete).send().await.unwrap();
    for _ in 0..20 {
        sandbox.state().clock.advance(Duration::from_secs(61));
        fire_due(sandbox.state()).await;
    }
    assert_eq!(state(&sandbox).await, "InService");
    assert_eq!(sandbox.state().everywhere(super::EVENTS).len(), 0, "given up");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_group_has_tags_and_takes_its_schedules_with_it() {
    let (_root, sandbox, role) = lab("sagemaker:StopNotebookInstance").await;
    let client = client!(scheduler, sandbox);
    let tag = |key: &str| Tag::builder().key(key).value("v").build().unwrap();
    let group = client.get_schedule_group().name("g").send().await.unwrap().arn.unwrap();
    client.tag_resource().resource_arn(&group).tags(tag("a")).tags(tag("b")).send().await.unwrap();
    client.untag_resource().resource_arn(&group).tag_keys("a").send().await.unwrap();
    let tags = client.list_tags_for_resource().resource_arn(&group).send().await.unwrap();
    assert_eq!(tags.tags().iter().map(Tag::key).collect::<Vec<_>>(), ["b"]);
    assert_eq!(refused!(client.create_schedule_group().name("g")), "ConflictException");
    assert_eq!(refused!(client.get_schedule_group().name("h")), "ResourceNotFoundException");

    let create = client.create_schedule().name("stop").group_name("g").target(target(&role));
    create.schedule_expression(at(&sandbox, 60)).flexible_time_window(off()).send().await.unwrap();
    client.delete_schedule_group().name("g").send().await.unwrap();
    sandbox.state().clock.advance(Duration::from_secs(3_600));
    fire_due(sandbox.state()).await;
    assert_eq!(state(&sandbox).await, "InService", "nothing of it fires");
    assert_eq!(refused!(client.get_schedule_group().name("g")), "ResourceNotFoundException");
    sandbox.stop().await;
}
