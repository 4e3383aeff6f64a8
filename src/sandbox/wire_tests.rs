//! The sandbox as a client sees it: the real SDK over real HTTP.

use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_ssm as ssm;
use aws_sdk_sts as sts;
use logs::types::InputLogEvent;
use serde_json::{Value, json};

use super::counters::Effect;
use super::{Sandbox, SandboxOptions};

/// Settings for any SDK client of a sandbox. One attempt: a retry would hide a fault.
macro_rules! client {
    ($service:ident, $sandbox:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version($service::config::BehaviorVersion::latest())
                .endpoint_url($sandbox.endpoint_url())
                .region($service::config::Region::new("eu-west-1"))
                .credentials_provider($service::config::Credentials::for_tests())
                .retry_config($service::config::retry::RetryConfig::disabled())
                .build(),
        )
    };
}

pub(super) use client;

/// A sandbox in a directory of its own, which must outlive it.
pub(super) async fn sandbox(faults: &[&str]) -> (tempfile::TempDir, Sandbox) {
    let root = tempfile::tempdir().unwrap();
    let faults = faults.iter().map(|word| word.parse().unwrap()).collect();
    let options = SandboxOptions { faults, ..SandboxOptions::new(root.path()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    (root, sandbox)
}

#[tokio::test]
async fn sts_and_ssm_answer_and_are_counted() {
    let (_root, sandbox) = sandbox(&[]).await;
    let me = client!(sts, sandbox).get_caller_identity().send().await.unwrap();
    assert_eq!(me.account(), Some("123456789012"));

    let ssm = client!(ssm, sandbox);
    let name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    let image = ssm.get_parameter().name(name).send().await.unwrap().parameter.unwrap();
    assert!(image.value().unwrap().starts_with("ami-0"));
    assert_eq!(image.arn(), Some(format!("arn:aws:ssm:eu-west-1::parameter{name}").as_str()));
    let missing = ssm.get_parameter().name("/no/such").send().await.unwrap_err().into_service_error();
    assert!(missing.is_parameter_not_found());
    let unknown = ssm.describe_parameters().send().await.unwrap_err();
    let raw = unknown.raw_response().unwrap();
    assert_eq!(raw.status().as_u16(), 501);
    assert!(unknown.into_service_error().to_string().contains("NotImplemented"));

    let calls = &sandbox.world().calls;
    assert_eq!(calls.of("ssm:GetParameter"), 2);
    assert_eq!((calls.with(Effect::Reads), calls.with(Effect::Writes)), (4, 0));
    sandbox.stop().await;
}

#[tokio::test]
async fn a_log_stream_is_read_to_its_end_from_both_sides() {
    let (root, sandbox) = sandbox(&[]).await;
    let client = client!(logs, sandbox);
    let refused =
        client.create_log_group().log_group_name("a b").send().await.unwrap_err().into_service_error();
    assert_eq!(
        refused.meta().message(),
        Some(
            "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )
    );
    client.create_log_group().log_group_name("/g").tags("k", "v").send().await.unwrap();
    let again = client.create_log_group().log_group_name("/g").send().await.unwrap_err().into_service_error();
    assert!(again.is_resource_already_exists_exception());
    client.put_retention_policy().log_group_name("/g").retention_in_days(30).send().await.unwrap();
    let groups = client.describe_log_groups().log_group_name_prefix("/").send().await.unwrap();
    let group = &groups.log_groups()[0];
    assert_eq!(group.retention_in_days(), Some(30));
    let tags =
        client.list_tags_for_resource().resource_arn(group.log_group_arn().unwrap()).send().await.unwrap();
    assert_eq!(tags.tags().unwrap()["k"], "v");

    client.create_log_stream().log_group_name("/g").log_stream_name("s/[$LATEST]").send().await.unwrap();
    let event = |n: i64| InputLogEvent::builder().timestamp(n).message(format!("line {n}")).build().unwrap();
    let put = client.put_log_events().log_group_name("/g").log_stream_name("s/[$LATEST]");
    put.set_log_events(Some((1..=5).map(event).collect())).send().await.unwrap();

    // Forward in pages of two, until the token repeats.
    let get = || client.get_log_events().log_group_name("/g").log_stream_name("s/[$LATEST]").limit(2);
    let (mut seen, mut token) = (Vec::new(), None);
    let last = loop {
        let page = get().start_from_head(true).set_next_token(token.clone()).send().await.unwrap();
        seen.extend(page.events().iter().map(|event| event.timestamp().unwrap()));
        let next = page.next_forward_token.clone();
        if next == token {
            break page;
        }
        token = next;
    };
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    // What comes later is found behind that token.
    super::services::logs::append(sandbox.world(), "eu-west-1", "/g", "s/[$LATEST]", &["later", " "])
        .unwrap();
    let more = get().set_next_token(last.next_forward_token).send().await.unwrap();
    assert_eq!(more.events()[0].message(), Some("later"));
    assert_eq!(more.events().len(), 1);

    // Without a token and from the tail: the last page, and backwards from there.
    let tail = get().send().await.unwrap();
    assert_eq!(tail.events()[0].timestamp(), Some(5));
    let before = get().set_next_token(tail.next_backward_token).send().await.unwrap();
    assert_eq!(before.events().iter().map(|e| e.timestamp().unwrap()).collect::<Vec<_>>(), [3, 4]);

    // All of it is there after a restart; a deleted group leaves nothing.
    sandbox.stop().await;
    let sandbox = Sandbox::start(SandboxOptions::new(root.path())).await.unwrap();
    let client = client!(logs, sandbox);
    let found = client.filter_log_events().log_group_name("/g").filter_pattern("line").limit(3);
    let first = found.clone().send().await.unwrap();
    let second = found.set_next_token(first.next_token.clone()).send().await.unwrap();
    assert_eq!((first.events().len(), second.events().len(), second.next_token()), (3, 2, None));
    client.delete_log_group().log_group_name("/g").send().await.unwrap();
    let gone =
        client.describe_log_streams().log_group_name("/g").send().await.unwrap_err().into_service_error();
    assert!(gone.is_resource_not_found_exception());
    assert_eq!(std::fs::read_dir(root.path().join("logs/eu-west-1")).unwrap().count(), 0);
    assert!(super::tags::all(sandbox.world()).is_empty());
    sandbox.stop().await;
}

#[tokio::test]
async fn injected_faults_reach_the_client_and_a_cut_after_the_work_leaves_it_done() {
    let faults = [
        "throttle@logs:DescribeLogGroups",
        "fail=LimitExceededException@logs:CreateLogGroup#2",
        "cut-after@logs:CreateLogGroup#3",
    ];
    let (_root, sandbox) = sandbox(&faults).await;
    let client = client!(logs, sandbox);
    let throttled = client.describe_log_groups().send().await.unwrap_err().into_service_error();
    assert_eq!(throttled.meta().code(), Some("ThrottlingException"));
    client.create_log_group().log_group_name("one").send().await.unwrap();
    let failed =
        client.create_log_group().log_group_name("two").send().await.unwrap_err().into_service_error();
    assert!(failed.is_limit_exceeded_exception());
    let cut = client.create_log_group().log_group_name("three").send().await.unwrap_err();
    assert!(cut.as_service_error().is_none(), "there was an answer: {cut:?}");

    let groups = client.describe_log_groups().send().await.unwrap();
    let names: Vec<_> = groups.log_groups().iter().filter_map(|group| group.log_group_name()).collect();
    assert_eq!(names, ["one", "three"]);
    assert_eq!(sandbox.world().faults.hits(), 3);
    sandbox.stop().await;
}

/// A request by hand, for what no SDK sends.
async fn raw(sandbox: &Sandbox, method: &str, path: &str, host: &str, body: &str) -> (u16, Value) {
    use http_body_util::{BodyExt as _, Full};
    let stream = tokio::net::TcpStream::connect(sandbox.address()).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::builder().method(method).uri(path).header("host", host);
    let body = Full::new(bytes::Bytes::from(body.to_owned()));
    let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn control_paths_serve_loopback_names_only() {
    let (_root, sandbox) = sandbox(&[]).await;
    let local = "localhost";
    assert_eq!(raw(&sandbox, "GET", "/_sandbox/health", "example.com", "").await.0, 403);
    let (status, health) = raw(&sandbox, "GET", "/_sandbox/health", local, "").await;
    assert_eq!((status, health["endpoint"].as_str()), (200, Some(sandbox.endpoint_url())));
    let (_, faults) = raw(&sandbox, "POST", "/_sandbox/faults", local, "\"cut@sts:*\"").await;
    assert_eq!(faults[0]["rule"]["on"], "sts:*");
    assert_eq!(raw(&sandbox, "POST", "/_sandbox/faults", local, "\"cut\"").await.0, 400);
    let before = sandbox.world().clock.now();
    let (_, clock) = raw(&sandbox, "POST", "/_sandbox/clock", local, r#"{"advance_ms": 60000}"#).await;
    assert!(clock["now_ms"].as_u64().unwrap() >= before + 60_000);
    assert_eq!(raw(&sandbox, "GET", "/_sandbox/calls", local, "").await.1["by_operation"], json!({}));
    assert_eq!(raw(&sandbox, "GET", "/bucket/key", local, "").await.0, 403);
    sandbox.stop().await;
}
