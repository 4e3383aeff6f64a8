//! Lambda as its clients see it: the real SDK over real HTTP, at AWS's pace with a clock that is moved by
//! hand.

mod scaling;
mod urls;

use std::io::{Cursor, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_lambda as sdk;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Environment, FunctionCode, InvocationType, LastUpdateStatus, LogType,
    ProvisionedConcurrencyStatusEnum as Provisioned, Runtime, State,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::{Backend, FunctionVersion, Invocation, Invoked};
use crate::extensions::Plug;
use crate::fault::Fault;
use crate::services::cloudwatch::{self, MetricId};
use crate::services::quotas;
use crate::state::SandboxState;
use crate::{Sandbox, SandboxOptions, StatePace};

const REGION: &str = "eu-west-1";
const ROLE: &str = "arn:aws:iam::123456789012:role/project/exec";
const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f";

/// Answers with what it was asked, and notes what it was told.
#[derive(Default)]
struct Echo(Arc<Mutex<Vec<String>>>);

impl Echo {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

impl Backend for Echo {
    fn invoke(
        &self,
        _: Arc<SandboxState>,
        version: FunctionVersion,
        invocation: Invocation,
    ) -> BoxFuture<'static, Result<Invoked, Fault>> {
        let event: serde_json::Value = serde_json::from_slice(&invocation.payload).unwrap();
        let raised = event["raise"] == true;
        let answer = json!({
            "event": event, "version": version.version, "arn": invocation.invoked_arn,
            "greeting": version.environment.get("GREETING"), "provisioned": version.provisioned,
            "zipped": version.code.is_file(),
        });
        Box::pin(async move {
            Ok(Invoked {
                payload: Bytes::from(answer.to_string()),
                function_error: raised.then(|| "Unhandled".to_owned()),
                log_tail: "END\n".into(),
                duration: Duration::from_millis(5),
                provisioned: version.provisioned > 0,
            })
        })
    }

    fn provision(
        &self,
        _: Arc<SandboxState>,
        version: FunctionVersion,
        count: u32,
    ) -> BoxFuture<'static, Result<(), String>> {
        self.note(format!("provision {} {count}", version.version));
        let broken = version.environment.contains_key("BROKEN");
        Box::pin(async move { if broken { Err("boom".to_owned()) } else { Ok(()) } })
    }

    fn discard(&self, _: &SandboxState, version: &FunctionVersion) {
        self.note(format!("discard {}", version.version));
    }
}

struct Bench {
    root: tempfile::TempDir,
    sandbox: Sandbox,
    client: sdk::Client,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    /// A sandbox with a role that Lambda may assume.
    async fn new() -> Self {
        let bench = Self::open(tempfile::tempdir().unwrap()).await;
        let trust = json!({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                          "Principal": {"Service": "lambda.amazonaws.com"}}]});
        let role = json!({"RoleName": "exec", "Arn": ROLE, "AssumeRolePolicyDocument": trust.to_string(),
            "UsableAt": 0, "Path": "/", "Attached": {}, "Inline": {}});
        bench.shared().global("iam.role").put("exec", role).unwrap();
        bench
    }

    async fn open(root: tempfile::TempDir) -> Self {
        let options = SandboxOptions { pace: StatePace::Realistic, ..SandboxOptions::new(root.path()) };
        let sandbox = Sandbox::start(options).await.unwrap();
        let config = sdk::Config::builder()
            .behavior_version(sdk::config::BehaviorVersion::latest())
            .endpoint_url(sandbox.endpoint_url())
            .region(sdk::config::Region::new(REGION))
            .credentials_provider(sdk::config::Credentials::for_tests())
            .retry_config(sdk::config::retry::RetryConfig::disabled())
            .build();
        let client = sdk::Client::from_conf(config);
        let echo = Echo::default();
        let notes = Arc::clone(&echo.0);
        sandbox.state().extensions.plug::<dyn Backend>(Arc::new(echo));
        client.get_account_settings().send().await.unwrap();
        Self { root, sandbox, client, notes }
    }

    fn shared(&self) -> &SandboxState {
        self.sandbox.state()
    }

    fn create(&self, name: &str) -> sdk::operation::create_function::builders::CreateFunctionFluentBuilder {
        self.client
            .create_function()
            .function_name(name)
            .runtime(Runtime::Python312)
            .handler("app.handler")
            .role(ROLE)
            .code(FunctionCode::builder().zip_file(Blob::new(archive("one"))).build())
    }

    /// What was begun is done.
    async fn settle(&self) {
        self.shared().clock.advance(Duration::from_secs(10));
    }

    async fn active(&self, name: &str) {
        self.create(name).send().await.unwrap();
        self.settle().await;
    }

    async fn publish(&self, name: &str) -> String {
        let version =
            self.client.publish_version().function_name(name).send().await.unwrap().version.unwrap();
        self.settle().await;
        version
    }

    /// A change of `$LATEST`, so that the next version is another one.
    async fn change(&self, name: &str, description: &str) {
        let update = self.client.update_function_configuration().function_name(name);
        update.description(description).send().await.unwrap();
        self.settle().await;
    }

    async fn alias(&self, name: &str, version: &str) {
        let alias = self.client.create_alias().function_name("f").name(name).function_version(version);
        alias.send().await.unwrap();
    }

    async fn provision(&self, qualifier: &str, count: i32) -> Result<(), (u16, String, String)> {
        let put = self.client.put_provisioned_concurrency_config().function_name("f").qualifier(qualifier);
        told(put.provisioned_concurrent_executions(count).send().await).map(|_| ())
    }

    async fn provisioned(&self, qualifier: &str) -> (Provisioned, i32) {
        let get = self.client.get_provisioned_concurrency_config().function_name("f").qualifier(qualifier);
        let found = get.send().await.unwrap();
        let allocated = found.allocated_provisioned_concurrent_executions.unwrap();
        (found.status.unwrap(), allocated)
    }

    async fn ready(&self, qualifier: &str) -> (Provisioned, i32) {
        self.shared().clock.advance(Duration::from_secs(100));
        for _ in 0..200 {
            let now = self.provisioned(qualifier).await;
            if now.0 != Provisioned::InProgress {
                return now;
            }
        }
        panic!("provisioned concurrency stays in progress");
    }

    async fn invoke(&self, name: &str, payload: &str) -> serde_json::Value {
        let invoke = self.client.invoke().function_name(name).payload(Blob::new(payload));
        serde_json::from_slice(invoke.send().await.unwrap().payload.unwrap().as_ref()).unwrap()
    }
}

/// Status, code and message of a refusal.
fn told<T, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E>>,
) -> Result<T, (u16, String, String)> {
    result.map_err(|error| {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        let error = error.as_service_error().expect("the sandbox answered");
        (status, error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
    })
}

fn refused<T: std::fmt::Debug>(result: Result<T, (u16, String, String)>) -> (u16, String, String) {
    result.expect_err("AWS refuses this")
}

fn archive(text: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(text.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

const ROLE_TEXT: &str = "The role defined for the function cannot be assumed by Lambda.";

#[tokio::test]
async fn a_function_is_pending_then_active_and_its_code_can_be_had() {
    let bench = Bench::new().await;
    let environment = Environment::builder().variables("GREETING", "hi").build();
    let created = bench
        .create("f")
        .environment(environment)
        .tags("opsctl:project", "dogs")
        .memory_size(256)
        .send()
        .await
        .unwrap();
    assert_eq!((created.state, created.function_arn.as_deref()), (Some(State::Pending), Some(ARN)));
    assert_eq!((created.timeout, created.memory_size), (Some(3), Some(256)));
    let pending = "The operation cannot be performed at this time. The function is currently in the \
                   following state: Pending";
    let conflict = |message: &str| (409, "ResourceConflictException".to_owned(), message.to_owned());
    let client = &bench.client;
    assert_eq!(refused(told(client.invoke().function_name("f").send().await)), conflict(pending));
    assert_eq!(refused(told(client.publish_version().function_name("f").send().await)), conflict(pending));
    let again = refused(told(bench.create("f").send().await));
    assert_eq!(again, conflict("Function already exist: f"));

    bench.settle().await;
    let found = client.get_function().function_name(ARN).send().await.unwrap();
    let configuration = found.configuration.unwrap();
    assert_eq!(configuration.state, Some(State::Active));
    assert_eq!(configuration.last_update_status, Some(LastUpdateStatus::Successful));
    assert_ne!(configuration.revision_id, created.revision_id);
    assert_eq!(found.tags.unwrap()["opsctl:project"], "dogs");
    let url = found.code.unwrap().location.unwrap();
    let path = url.strip_prefix(bench.sandbox.endpoint_url()).unwrap().to_owned();
    assert_eq!(download(&bench, &path).await, archive("one"));
    assert_eq!(bench.invoke("f", "").await["greeting"], "hi");

    // An update is a conflict for all others until it is done.
    let stale = client.update_function_code().function_name("f").revision_id("stale");
    let stale = stale.zip_file(Blob::new(archive("two"))).send().await;
    assert_eq!(refused(told(stale)).0, 412);
    let update = client.update_function_code().function_name("f").zip_file(Blob::new(archive("two")));
    let updated = update.clone().send().await.unwrap();
    assert_ne!(updated.code_sha256, created.code_sha256);
    assert_eq!(updated.last_update_status, Some(LastUpdateStatus::InProgress));
    let in_progress = format!(
        "The operation cannot be performed at this time. An update is in progress for resource: {ARN}"
    );
    for refusal in [
        refused(told(update.send().await)),
        refused(told(client.update_function_configuration().function_name("f").timeout(9).send().await)),
        refused(told(client.publish_version().function_name("f").send().await)),
        refused(told(client.tag_resource().resource(ARN).tags("k", "v").send().await)),
    ] {
        assert_eq!(refusal, conflict(&in_progress));
    }
    bench.invoke("f", "{}").await;
    bench.settle().await;
    client.tag_resource().resource(ARN).tags("k", "v").send().await.unwrap();
    client.untag_resource().resource(ARN).tag_keys("opsctl:project").send().await.unwrap();
    let tags = client.list_tags().resource(ARN).send().await.unwrap().tags.unwrap();
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("k".to_owned(), "v".to_owned())]);
    assert_eq!(*bench.notes.lock().unwrap(), ["discard $LATEST"]);

    // All of it is there after a restart, and the code that is no longer used is not.
    let root = bench.root;
    bench.sandbox.stop().await;
    let bench = Bench::open(root).await;
    let found = bench.client.get_function_configuration().function_name("f").send().await.unwrap();
    assert_eq!(found.code_sha256, updated.code_sha256);
    assert_eq!(std::fs::read_dir(bench.root.path().join("lambda/code")).unwrap().count(), 1);
    bench.client.delete_function().function_name("f").send().await.unwrap();
    let gone = refused(told(bench.client.get_function().function_name("f").send().await));
    let missing = format!("Function not found: {ARN}");
    assert_eq!(gone, (404, "ResourceNotFoundException".to_owned(), missing));
    assert!(crate::tags::all(bench.shared()).is_empty());
}

/// Without credentials, as whoever has the URL.
async fn download(bench: &Bench, path: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(bench.sandbox.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    answer.split_off(body)
}

#[tokio::test]
async fn a_role_must_exist_trust_lambda_and_be_known() {
    let bench = Bench::new().await;
    let refusal = (400, "InvalidParameterValueException".to_owned(), ROLE_TEXT.to_owned());
    let roles = || bench.shared().global("iam.role");
    let trust = |service: &str| {
        json!({"Statement": {"Effect": "Allow", "Principal": {"Service": service},
        "Action": "sts:AssumeRole"}})
    };
    let usable_at = bench.shared().clock.now() + 8_000;
    for (name, service, at) in
        [("wrong", "sagemaker.amazonaws.com", 0), ("young", "lambda.amazonaws.com", usable_at)]
    {
        let arn = format!("arn:aws:iam::123456789012:role/{name}");
        let trust = trust(service).to_string();
        let role = json!({"RoleName": name, "Arn": arn, "AssumeRolePolicyDocument": trust,
            "UsableAt": at, "Path": "/", "Attached": {}, "Inline": {}});
        roles().put(name, role).unwrap();
    }
    for name in ["missing", "wrong", "young"] {
        let create = bench.create("f").role(format!("arn:aws:iam::123456789012:role/{name}"));
        assert_eq!(refused(told(create.send().await)), refusal, "{name}");
    }
    bench.shared().clock.advance(Duration::from_secs(8));
    bench.create("f").role("arn:aws:iam::123456789012:role/young").send().await.unwrap();
}

#[tokio::test]
async fn settings_out_of_limits_are_refused() {
    let bench = Bench::new().await;
    let create = || bench.create("f");
    let variables = |name: &str, length| Environment::builder().variables(name, "x".repeat(length)).build();
    let invalid = "InvalidParameterValueException";
    // An archive that claims 4 GB: the size is at byte 24 of the central directory's entry.
    let mut huge = archive("one");
    let entry = huge.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    huge[entry + 24..entry + 28].fill(0xfe);
    for (request, code) in [
        (create().memory_size(64), "ValidationException"),
        (create().memory_size(10_241), invalid),
        (create().timeout(901), invalid),
        (create().runtime(Runtime::Python38), invalid),
        (create().runtime(Runtime::from("python4")), invalid),
        (create().environment(variables("TOKEN", 4_096)), invalid),
        (create().environment(variables("AWS_REGION", 1)), invalid),
        (create().environment(variables("1", 1)), "ValidationException"),
        (create().function_name("a b"), "ValidationException"),
        (create().function_name("f".repeat(65)), "ValidationException"),
        (create().code(FunctionCode::builder().zip_file(Blob::new("no zip")).build()), invalid),
        (create().code(FunctionCode::builder().build()), invalid),
        (create().code(FunctionCode::builder().zip_file(Blob::new(huge)).build()), invalid),
        (create().tags("aws:x", "v"), invalid),
    ] {
        let refusal = refused(told(request.send().await));
        assert_eq!(refusal.1, code, "{refusal:?}");
        assert!(!refusal.2.contains("xxxx"), "values of the environment are not told");
    }
    assert!(bench.client.list_functions().send().await.unwrap().functions.unwrap().is_empty());
}

#[tokio::test]
async fn versions_are_published_once_and_aliases_hold_them() {
    let bench = Bench::new().await;
    bench.active("f").await;
    let client = &bench.client;
    let wrong = client.publish_version().function_name("f").code_sha256("AAAA").send().await;
    assert_eq!(refused(told(wrong)).1, "InvalidParameterValueException");
    let first = client.publish_version().function_name("f").send().await.unwrap();
    assert_eq!((first.version(), first.state()), (Some("1"), Some(&State::Pending)));
    assert_eq!(first.function_arn, Some(format!("{ARN}:1")));
    bench.settle().await;
    assert_eq!(bench.publish("f").await, "1", "nothing has changed");
    bench.change("f", "second").await;
    assert_eq!(bench.publish("f").await, "2");

    bench.alias("live", "1").await;
    let again = client.create_alias().function_name("f").name("live").function_version("1").send().await;
    let exists = format!("Alias already exists: {ARN}:live");
    assert_eq!(refused(told(again)), (409, "ResourceConflictException".to_owned(), exists));
    let digits = client.create_alias().function_name("f").name("12").function_version("1").send().await;
    assert_eq!(refused(told(digits)).1, "ValidationException");
    let ghost = client.create_alias().function_name("f").name("x").function_version("9").send().await;
    assert_eq!(
        refused(told(ghost)),
        (404, "ResourceNotFoundException".into(), format!("Function not found: {ARN}:9"))
    );
    let held = client.delete_function().function_name("f").qualifier("1").send().await;
    assert_eq!(refused(told(held)).1, "ResourceConflictException");

    // Weights: two published versions, and they stay until they are cleared.
    let weights =
        |version: &str| AliasRoutingConfiguration::builder().additional_version_weights(version, 1.0).build();
    let update = || client.update_alias().function_name("f").name("live");
    assert_eq!(
        refused(told(update().routing_config(weights("1")).send().await)).1,
        "InvalidParameterValueException"
    );
    update().routing_config(weights("2")).send().await.unwrap();
    let kept = update().description("d").send().await.unwrap();
    assert_eq!(kept.routing_config.unwrap().additional_version_weights.unwrap()["2"], 1.0);
    let answer = bench.invoke("f:live", "{}").await;
    assert_eq!((&answer["version"], &answer["arn"]), (&json!("2"), &json!(format!("{ARN}:live"))));
    update().routing_config(AliasRoutingConfiguration::builder().build()).send().await.unwrap();
    assert_eq!(bench.invoke(&format!("{ARN}:live"), "{}").await["version"], "1");
    let stale = update().function_version("2").revision_id("stale").send().await;
    assert_eq!(refused(told(stale)).0, 412);
    update().function_version("2").send().await.unwrap();
    let found =
        client.get_function_configuration().function_name("f").qualifier("live").send().await.unwrap();
    assert_eq!((found.version, found.function_arn), (Some("2".into()), Some(format!("{ARN}:live"))));
    client.delete_function().function_name("f:1").send().await.unwrap();
    let clash = client.get_function().function_name("f:live").qualifier("2").send().await;
    assert_eq!(refused(told(clash)).1, "InvalidParameterValueException");
    let away = client.get_function().function_name(ARN.replace("eu-west-1", "us-east-1")).send().await;
    assert_eq!(refused(told(away)).0, 404);

    let versions = client.list_versions_by_function().function_name("f").max_items(1).send().await.unwrap();
    assert_eq!(versions.versions()[0].version(), Some("$LATEST"));
    assert_eq!(versions.versions()[0].state(), None, "lists have no states");
    let more = client.list_versions_by_function().function_name("f").set_marker(versions.next_marker);
    assert_eq!(more.send().await.unwrap().versions()[0].version(), Some("2"));
    // A number is not used again.
    client.delete_alias().function_name("f").name("live").send().await.unwrap();
    client.delete_function().function_name("f").qualifier("2").send().await.unwrap();
    assert_eq!(bench.publish("f").await, "3");
}

#[tokio::test]
async fn provisioned_concurrency_is_refused_allocated_and_moved_as_on_aws() {
    let bench = Bench::new().await;
    bench.active("f").await;
    let (client, invalid) = (&bench.client, "InvalidParameterValueException");
    let unpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
    let refusal = (400, invalid.to_owned(), unpublished.to_owned());
    assert_eq!(refused(bench.provision("$LATEST", 2).await), refusal);
    bench.alias("dev", "$LATEST").await;
    assert_eq!(refused(bench.provision("dev", 2).await), refusal);
    assert_eq!(bench.publish("f").await, "1");
    bench.alias("live", "1").await;

    // A small account has nothing left over; another keeps 100.
    for (limit, count, least) in [(10, 1, 10), (50, 1, 50), (1_000, 901, 100)] {
        quotas::post(bench.shared(), json!({"L-B99A9384": limit})).unwrap();
        let message = format!(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{least}]."
        );
        assert_eq!(refused(bench.provision("live", count).await), (400, invalid.to_owned(), message));
    }
    let none = client.get_provisioned_concurrency_config().function_name("f").qualifier("live").send().await;
    assert_eq!(refused(told(none)).1, "ProvisionedConcurrencyConfigNotFoundException");

    bench.provision("live", 2).await.unwrap();
    assert_eq!(bench.provisioned("live").await, (Provisioned::InProgress, 0));
    assert_eq!(bench.ready("live").await, (Provisioned::Ready, 2));
    assert_eq!(bench.invoke("f:live", "{}").await["provisioned"], 2);
    assert_eq!(bench.invoke("f", "{}").await["provisioned"], 0);
    assert_eq!(refused(bench.provision("1", 1).await).1, "ResourceConflictException");
    let listed = client.list_provisioned_concurrency_configs().function_name("f").send().await.unwrap();
    let arns: Vec<_> = listed.provisioned_concurrency_configs().iter().map(|c| c.function_arn()).collect();
    assert_eq!(arns, [Some(format!("{ARN}:live").as_str())]);
    let low =
        client.put_function_concurrency().function_name("f").reserved_concurrent_executions(1).send().await;
    assert_eq!(refused(told(low)).1, invalid);
    let high =
        client.put_function_concurrency().function_name("f").reserved_concurrent_executions(901).send().await;
    assert_eq!(refused(told(high)).1, invalid);

    // It follows its alias, and is there again after a restart.
    bench.change("f", "second").await;
    assert_eq!(bench.publish("f").await, "2");
    client.update_alias().function_name("f").name("live").function_version("2").send().await.unwrap();
    assert_eq!(bench.provisioned("live").await, (Provisioned::InProgress, 0));
    assert_eq!(bench.ready("live").await, (Provisioned::Ready, 2));
    {
        let notes = bench.notes.lock().unwrap();
        for note in ["provision 1 2", "provision 2 2", "provision 1 0"] {
            assert!(notes.iter().any(|known| known == note), "{note} in {notes:?}");
        }
    }
    let weights = AliasRoutingConfiguration::builder().additional_version_weights("1", 0.5).build();
    client.update_alias().function_name("f").name("live").routing_config(weights).send().await.unwrap();
    let message = "Alias with weights cannot be used with Provisioned Concurrency".to_owned();
    assert_eq!(refused(bench.provision("live", 3).await), (400, invalid.to_owned(), message));
    let cleared = AliasRoutingConfiguration::builder().build();
    client.update_alias().function_name("f").name("live").routing_config(cleared).send().await.unwrap();
    bench.provision("live", 3).await.unwrap();
    let root = bench.root;
    bench.sandbox.stop().await;
    let bench = Bench::open(root).await;
    assert_eq!(bench.ready("live").await, (Provisioned::Ready, 3));
    bench.client.delete_function().function_name("f").send().await.unwrap();
    assert!(bench.shared().store.list(super::region::PROVISIONED, "").is_empty());
}

#[tokio::test]
async fn a_failing_init_ends_in_failed() {
    let bench = Bench::new().await;
    let environment = Environment::builder().variables("BROKEN", "1").build();
    bench.create("f").environment(environment).publish(true).send().await.unwrap();
    bench.settle().await;
    bench.provision("1", 1).await.unwrap();
    assert_eq!(bench.ready("1").await, (Provisioned::Failed, 0));
    let get = bench.client.get_provisioned_concurrency_config().function_name("f").qualifier("1");
    assert_eq!(get.send().await.unwrap().status_reason(), Some("FUNCTION_ERROR_INIT_FAILURE: boom"));
}

#[tokio::test]
async fn invocations_tell_version_error_and_log_and_are_measured() {
    let bench = Bench::new().await;
    bench.active("f").await;
    let invoke = || bench.client.invoke().function_name("f");
    let raised =
        invoke().payload(Blob::new(r#"{"raise": true}"#)).log_type(LogType::Tail).send().await.unwrap();
    assert_eq!((raised.status_code, raised.function_error()), (200, Some("Unhandled")));
    assert_eq!((raised.executed_version(), raised.log_result()), (Some("$LATEST"), Some("RU5ECg==")));
    assert_eq!(invoke().invocation_type(InvocationType::DryRun).send().await.unwrap().status_code, 204);
    assert_eq!(invoke().invocation_type(InvocationType::Event).send().await.unwrap().status_code, 202);
    let text = |length: usize| Blob::new(format!("\"{}\"", "x".repeat(length)));
    for (kind, length) in [(InvocationType::RequestResponse, 6 << 20), (InvocationType::Event, 1 << 20)] {
        let too_large = invoke().invocation_type(kind).payload(text(length)).send().await;
        let refusal = refused(told(too_large));
        assert_eq!((refusal.0, refusal.1.as_str()), (413, "RequestTooLargeException"));
    }
    let broken = invoke().payload(Blob::new("{")).send().await;
    assert_eq!(refused(told(broken)).1, "InvalidRequestContentException");
    let concurrency = bench.client.put_function_concurrency().function_name("f");
    concurrency.reserved_concurrent_executions(0).send().await.unwrap();
    let throttled = refused(told(invoke().send().await));
    assert_eq!((throttled.0, throttled.1.as_str()), (429, "TooManyRequestsException"));

    let dimensions = [("FunctionName", "f".to_owned())];
    let count = |metric| {
        let measure = MetricId { namespace: "AWS/Lambda", metric, dimensions: &dimensions, unit: "" };
        let all = cloudwatch::read(bench.shared(), REGION, &measure, 0, u64::MAX, 60_000);
        all.values().map(|statistics| statistics.sum).sum::<f64>()
    };
    assert_eq!((count("Invocations"), count("Errors"), count("Throttles")), (2.0, 1.0, 1.0));

    // Without a runner the sandbox says so, and invents no answer.
    bench.client.delete_function_concurrency().function_name("f").send().await.unwrap();
    bench.shared().extensions.plug(<dyn Backend as Plug>::unplugged());
    let nobody = refused(told(invoke().send().await));
    assert_eq!((nobody.0, nobody.1.as_str()), (501, "ServiceException"));
}

#[tokio::test]
async fn permissions_are_statements_of_a_policy() {
    let bench = Bench::new().await;
    bench.active("f").await;
    let client = &bench.client;
    let add = || {
        let add =
            client.add_permission().function_name("f").statement_id("s").action("lambda:InvokeFunction");
        add.principal("events.amazonaws.com").source_arn("arn:aws:events:eu-west-1:123456789012:rule/r")
    };
    add().send().await.unwrap();
    assert_eq!(refused(told(add().send().await)).0, 409);
    assert_eq!(refused(told(add().qualifier("$LATEST").send().await)).0, 400);
    let policy = client.get_policy().function_name("f").send().await.unwrap().policy.unwrap();
    let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
    let statement = &policy["Statement"][0];
    assert_eq!(
        (&statement["Resource"], &statement["Principal"]["Service"]),
        (&json!(ARN), &json!("events.amazonaws.com"))
    );
    client.remove_permission().function_name("f").statement_id("s").send().await.unwrap();
    assert_eq!(refused(told(client.get_policy().function_name("f").send().await)).0, 404);
}
