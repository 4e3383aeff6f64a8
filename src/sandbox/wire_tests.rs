//! The sandbox as a client sees it: the real SDK over real HTTP.

use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_ssm as ssm;
use aws_sdk_sts as sts;
use logs::types::InputLogEvent;
use serde_json::{Value, json};

use super::effect::Effect;
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

    let calls = &sandbox.state().calls;
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
            "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member \
             must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
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
    super::services::logs::append(sandbox.state(), "eu-west-1", "/g", "s/[$LATEST]", &["later", " "])
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
    assert!(super::tags::all(sandbox.state()).is_empty());
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
    assert_eq!(sandbox.state().faults.hits(), 3);
    sandbox.stop().await;
}

/// A request by hand, for what no SDK sends.
async fn raw(sandbox: &Sandbox, method: &str, path: &str, host: &str, body: &str) -> (u16, Value) {
    let (status, body) = sent(sandbox, method, path, &[("host", host)], body).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

async fn sent(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    use http_body_util::{BodyExt as _, Full};
    let stream = tokio::net::TcpStream::connect(sandbox.address()).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut request = hyper::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(bytes::Bytes::from(body.to_owned()));
    let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// A sandbox with one role, `victim`.
async fn with_victim() -> (tempfile::TempDir, Sandbox, aws_sdk_iam::Client) {
    use aws_sdk_iam as iam;
    let (root, sandbox) = sandbox(&[]).await;
    let client = client!(iam, sandbox);
    client.create_role().role_name("victim").assume_role_policy_document(TRUST).send().await.unwrap();
    (root, sandbox, client)
}

/// What a web page can make a browser send, without a preflight, to a sandbox that is served.
#[tokio::test]
async fn a_web_page_changes_nothing() {
    let (_root, sandbox, iam) = with_victim().await;
    let host = sandbox.address().to_string();
    let delete = "Action=DeleteRole&RoleName=victim&Version=2010-05-08";
    let signature = |signature: &str| {
        format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fiam%2Faws4_request\
             &X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
        )
    };
    let (odd, whole) = (signature("00"), signature(&"0a".repeat(32)));
    let image = [("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")];
    let form = ("content-type", "application/x-www-form-urlencoded");
    let firefox = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:69.0)");
    type Try<'a> = (&'a str, String, &'a [(&'a str, &'a str)], &'a str);
    let tries: [Try<'_>; 8] = [
        ("GET", format!("/?{delete}&{odd}"), &image, ""),
        ("GET", format!("/?{delete}&{odd}"), &[], ""),
        ("GET", format!("/?{delete}&{whole}"), &[], ""),
        ("GET", format!("/?{delete}"), &[firefox], ""),
        ("POST", format!("/?{whole}"), &[form, ("origin", "https://example.com")], delete),
        ("POST", format!("/?{whole}"), &[form, ("origin", "null")], delete),
        ("POST", format!("/?{whole}"), &[form, firefox], delete),
        ("POST", "/_sandbox/faults".to_owned(), &[("content-type", "text/plain"), firefox], "\"cut@*\""),
    ];
    for (method, path, headers, body) in tries {
        let headers = [&[("host", host.as_str())], headers].concat();
        let (status, said) = sent(&sandbox, method, &path, &headers, body).await;
        assert!((400..500).contains(&status), "{method} {path} {headers:?}: {status} {said}");
    }
    iam.get_role().role_name("victim").send().await.unwrap();
    assert_eq!(sandbox.state().faults.report(), json!([]));
    // What reads may come by a presigned GET: `aws sts get-caller-identity` of Vault and of EKS does.
    let me = format!("/?Action=GetCallerIdentity&Version=2011-06-15&{}", whole.replace("iam", "sts"));
    assert_eq!(sent(&sandbox, "GET", &me, &[("host", &host)], "").await.0, 200);
    // Unsigned, nothing but S3 is asked at all.
    for (path, headers) in [
        ("/", vec![("x-amz-target", "SageMaker.ListModels")]),
        ("/2015-03-31/functions/f/invocations", vec![("content-type", "application/json")]),
    ] {
        let headers = [vec![("host", host.as_str())], headers].concat();
        let (status, said) = sent(&sandbox, "POST", path, &headers, "{}").await;
        assert!(status == 403 && said.contains("MissingAuthenticationToken"), "{path}: {status} {said}");
    }
    sandbox.stop().await;
}

/// What no program means to send, and what must not end or block the sandbox for all others.
#[tokio::test]
async fn no_input_ends_the_sandbox() {
    let (_root, sandbox, iam) = with_victim().await;
    let host = ("host", "localhost");
    let scope = |service: &str, region: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=a/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    };
    let (to_iam, to_logs, to_s3) =
        (scope("iam", "us-east-1"), scope("logs", "us-east-1"), scope("s3", "us-east-1"));
    let odd = scope("logs", "..");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let logs = ("x-amz-target", "Logs_20140328.CreateLogGroup");
    let deep = format!("Action=CreateRole&{}=x", vec!["a.member.1"; 20_000].join("."));
    let nested = format!("{{\"a\":{}", "[".repeat(200_000));
    let many = format!("{{\"a\":[{}0]}}", "0,".repeat(1_500_000));
    let large = format!("{{\"logGroupName\":\"{}\"}}", "a".repeat(9 << 20));
    let xml = format!("<Tagging>{}", "<a>".repeat(200_000));
    type Try<'a> = (u16, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);
    let tries: [Try<'_>; 9] = [
        (400, "POST", "/_sandbox/clock", &[], r#"{"advance_ms": 18446744073709551615}"#),
        (400, "POST", "/", &[form, ("authorization", &to_iam)], &deep),
        (400, "POST", "/", &[logs, ("authorization", &to_logs)], &nested),
        (400, "POST", "/", &[logs, ("authorization", &to_logs)], &many),
        (413, "POST", "/", &[logs, ("authorization", &to_logs)], &large),
        (403, "POST", "/", &[logs, ("authorization", &odd)], r#"{"logGroupName": "a"}"#),
        (400, "PUT", "/bucket?tagging", &[("authorization", &to_s3)], &xml),
        (404, "PATCH", "/_sandbox/clock", &[], "x"),
        (403, "OPTIONS", "/", &[], ""),
    ];
    for (expected, method, path, headers, body) in tries {
        let headers = [&[host], headers].concat();
        let (status, said) = sent(&sandbox, method, path, &headers, body).await;
        assert_eq!(status, expected, "{method} {path} {:?}: {said:.300}", headers.last());
    }
    // A name with a NUL comes back in an answer that is XML.
    let named = "Action=GetRole&RoleName=a%00b&Version=2010-05-08";
    let (status, said) = sent(&sandbox, "POST", "/", &[host, form, ("authorization", &to_iam)], named).await;
    assert_eq!(status, 400, "{said}");
    assert!(!said.contains('\0'), "{said}");
    // A head that never ends holds up nobody.
    let mut half = tokio::net::TcpStream::connect(sandbox.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut half, b"POST / HTTP/1.1\r\nhost: local").await.unwrap();
    iam.get_role().role_name("victim").send().await.unwrap();
    sandbox.stop().await;
}

/// A document that power or a full disk has broken costs one resource, is named, and is kept.
#[tokio::test]
async fn a_broken_document_is_set_aside_and_the_rest_works() {
    use aws_sdk_iam as iam;
    let (root, sandbox, client) = with_victim().await;
    client.create_role().role_name("other").assume_role_policy_document(TRUST).send().await.unwrap();
    sandbox.stop().await;
    let file = root.path().join("state/iam.role/global%2Fvictim.json");
    let whole = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();

    let sandbox = Sandbox::start(SandboxOptions::new(root.path())).await.unwrap();
    let said = sandbox.set_aside().iter().map(ToString::to_string).collect::<String>();
    assert!(said.contains("global%2Fvictim.json") && said.contains("set-aside"), "{said}");
    let client = client!(iam, sandbox);
    let roles = client.list_roles().send().await.unwrap();
    let names: Vec<&str> = roles.roles().iter().map(|role| role.role_name()).collect();
    assert_eq!(names, ["other"]);
    client.create_role().role_name("victim").assume_role_policy_document(TRUST).send().await.unwrap();
    sandbox.stop().await;
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
    let before = sandbox.state().clock.now();
    let (_, clock) = raw(&sandbox, "POST", "/_sandbox/clock", local, r#"{"advance_ms": 60000}"#).await;
    assert!(clock["now_ms"].as_u64().unwrap() >= before + 60_000);
    assert_eq!(raw(&sandbox, "GET", "/_sandbox/calls", local, "").await.1["by_operation"], json!({}));
    assert_eq!(raw(&sandbox, "GET", "/bucket/key", local, "").await.0, 403);
    sandbox.stop().await;
}
