//! Real Python, real packages. They come from PyPI once, into a cache that all tests (and later runs) share.

mod image;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use super::ApiAccess;
use super::ec2::{Ec2Outcome, Ec2Run};
use super::families::{Handlers, Played};
use super::lambda::{FunctionSpec, Initialization, Invocation, InvocationResult, LogSink, Pool};
use super::metrics::{LastValues, Metric};
use super::process::{Line, LineSink, Process, Program};
use super::python::{CONTAINER_PACKAGES, Environments, Python};
use super::serving::{ModelServer, ModelServerSpec, STARTUP_LIMIT, StartCause};
use super::training::{StartError, Training, TrainingEnd, TrainingRun};

/// Lines that a run wrote.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn sink(&self) -> LineSink {
        let lines = self.clone();
        Arc::new(move |line: Line| lines.0.lock().unwrap().push(line.text))
    }

    fn log_sink(&self) -> LogSink {
        let lines = self.clone();
        Arc::new(move |_: &str, line: Line| lines.0.lock().unwrap().push(line.text))
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until a line has `part`.
    async fn wait_for(&self, part: &str) {
        let seen = async {
            while !self.all().iter().any(|line| line.contains(part)) {
                pause().await;
            }
        };
        timeout(Duration::from_secs(60), seen)
            .await
            .unwrap_or_else(|_| panic!("no {part} in {:#?}", self.all()));
    }
}

async fn pause() {
    let _ = timeout(Duration::from_millis(10), std::future::pending::<()>()).await;
}

async fn environments() -> Environments {
    let python = Python::find(None, None).await.unwrap();
    Environments { python, cache: std::env::temp_dir().join("opsctl-test-environments") }
}

fn reach() -> ApiAccess {
    ApiAccess { region: "eu-west-1".to_owned(), endpoint_url: "http://127.0.0.1:9".to_owned(), keys: None }
}

/// A `.tar.gz` with the given files.
fn archive(path: PathBuf, files: &[(&str, &str)]) -> PathBuf {
    let file = std::fs::File::create(&path).unwrap();
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    path
}

async fn start_training(root: &Path, program: &str, files: &[(&str, &str)], lines: &Lines) -> Training {
    training(root, program, files).start(&environments().await, lines.sink()).await.unwrap()
}

fn training(root: &Path, program: &str, files: &[(&str, &str)]) -> TrainingRun {
    let channel = root.join("downloaded");
    std::fs::create_dir_all(&channel).unwrap();
    std::fs::write(channel.join("data.csv"), "1,2,3").unwrap();
    TrainingRun {
        root: root.join("container"),
        source: archive(root.join("sourcedir.tar.gz"), files),
        program: program.to_owned(),
        channels: vec![("train".to_owned(), channel)],
        input: serde_json::json!({ "train": { "TrainingInputMode": "File" } }),
        hyperparameters: [("epochs", "3"), ("resume", "/opt/ml/checkpoints")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        environment: [("MINE".to_owned(), "yes".to_owned())].into(),
        job_name: "job-1".to_owned(),
        job_arn: "arn:aws:sagemaker:eu-west-1:123456789012:training-job/job-1".to_owned(),
        instance_type: "ml.m5.large".to_owned(),
        packages: Vec::new(),
        contents: None,
        max_runtime: Duration::from_secs(60),
        reach: reach(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_script_finds_its_contract_and_leaves_a_model() {
    const SCRIPT: &str = r#"
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--resume")
asked = parser.parse_args()
assert os.path.isdir(asked.resume), asked.resume
assert os.environ["SM_HP_EPOCHS"] == "3" and os.environ["MINE"] == "yes"
assert "CARGO" not in os.environ, "the parent's environment leaks"
assert json.load(open(os.environ["SM_INPUT_CONFIG_DIR"] + "/hyperparameters.json"))["epochs"] == "3"
assert json.loads(os.environ["SM_CHANNELS"]) == ["train"]
text = open(os.environ["SM_CHANNEL_TRAIN"] + "/data.csv").read()
for epoch in range(asked.epochs):
    print(f"epoch {epoch} accuracy={0.5 + epoch / 10}")
print("to stderr", file=sys.stderr)
open(os.environ["SM_MODEL_DIR"] + "/model.txt", "w").write(text)
"#;
    let root = TempDir::new().unwrap();
    let lines = Lines::default();
    let run = start_training(root.path(), "train.py", &[("train.py", SCRIPT)], &lines).await;
    assert_eq!(run.outcome().await, TrainingEnd::Completed, "{:#?}", lines.all());
    assert_eq!(lines.all().last().unwrap(), "to stderr");
    let last = LastValues::of([Metric::new("accuracy", "accuracy=([0-9.]+)").unwrap()]);
    for line in lines.all() {
        last.see(&line);
    }
    assert_eq!(last.all(), [("accuracy".to_owned(), 0.7)]);
    let artifacts = run.pack(root.path()).await.unwrap();
    assert_eq!(artifacts.output, None);
    let unpacked = root.path().join("unpacked");
    super::archive::unpack_tar_gz(&artifacts.model.unwrap(), &unpacked).await.unwrap();
    assert_eq!(std::fs::read_to_string(unpacked.join("model.txt")).unwrap(), "1,2,3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_script_is_told_as_sagemaker_tells_it() {
    let root = TempDir::new().unwrap();
    let lines = Lines::default();
    let files = [("train.py", "def main():\n    raise ValueError('bad data')\nmain()\n")];
    let run = start_training(root.path(), "train.py", &files, &lines).await;
    let TrainingEnd::Failed { reason } = run.outcome().await else { panic!("{:#?}", lines.all()) };
    assert!(
        reason.starts_with("AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage \"Traceback"),
        "{reason}"
    );
    assert!(
        reason.contains("line 2, in main") && reason.contains("ValueError: bad data\"\nCommand \""),
        "{reason}"
    );
    assert!(
        reason.contains("train.py --epochs 3 --resume /") && reason.ends_with("\", exit code: 1"),
        "{reason}"
    );

    let files = [("run.sh", "#!/bin/sh\nprintf 'my own words' > \"$SM_OUTPUT_DIR/failure\"; exit 3\n")];
    let run = start_training(&root.path().join("second"), "run.sh", &files, &lines).await;
    assert_eq!(
        run.outcome().await,
        TrainingEnd::Failed { reason: "AlgorithmError: my own words, exit code: 1".to_owned() }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requirements_that_do_not_exist_fail_the_job() {
    let root = TempDir::new().unwrap();
    let files = [("train.py", ""), ("requirements.txt", "./no-such-package.whl\n")];
    let run = training(root.path(), "train.py", &files);
    let error = run.start(&environments().await, Lines::default().sink()).await.unwrap_err();
    assert!(matches!(error, StartError::Refused(_)), "{error}");
    assert!(
        error.failure_reason().starts_with("AlgorithmError: InstallRequirementsError:\nExitCode 1\n"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_script_may_save_its_model_and_an_interrupted_one_resumes() {
    const SCRIPT: &str = r#"
import os, signal, sys, threading
def save(*_):
    open(os.environ["SM_MODEL_DIR"] + "/model.txt", "w").write("half")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("started")
threading.Event().wait()
"#;
    let root = TempDir::new().unwrap();
    let lines = Lines::default();
    let run = start_training(root.path(), "train.py", &[("train.py", SCRIPT)], &lines).await;
    lines.wait_for("started").await;
    run.stop(Duration::from_secs(20)).await;
    assert_eq!(run.outcome().await, TrainingEnd::Stopped);
    assert!(run.pack(root.path()).await.unwrap().model.is_some());

    // A spot interruption of a script that does not listen, and its restart in the same root.
    const DEAF: &str = r#"
import os, signal, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
checkpoint = sys.argv[sys.argv.index("--resume") + 1] + "/epoch"
if os.path.exists(checkpoint):
    sys.exit(len(os.listdir(os.environ["SM_MODEL_DIR"])))
for directory in (os.path.dirname(checkpoint), os.environ["SM_MODEL_DIR"]):
    open(directory + "/epoch", "w").write("1")
print("saved")
threading.Event().wait()
"#;
    let lines = Lines::default();
    let root = root.path().join("second");
    let run = start_training(&root, "train.py", &[("train.py", DEAF)], &lines).await;
    lines.wait_for("saved").await;
    run.interrupt(Duration::from_millis(100)).await;
    assert_eq!(run.outcome().await, TrainingEnd::Interrupted);
    let run = start_training(&root, "train.py", &[("train.py", DEAF)], &lines).await;
    assert_eq!(run.outcome().await, TrainingEnd::Completed, "{:#?}", lines.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_limit_ends_a_job_as_stopped_not_failed() {
    let root = TempDir::new().unwrap();
    let files = [("train.py", "import threading; threading.Event().wait()")];
    let run =
        TrainingRun { max_runtime: Duration::from_millis(300), ..training(root.path(), "train.py", &files) };
    let run = run.start(&environments().await, Lines::default().sink()).await.unwrap();
    assert_eq!(run.outcome().await, TrainingEnd::MaxRuntimeExceeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_process_takes_its_children_with_it() {
    let lines = Lines::default();
    let root = TempDir::new().unwrap();
    let program = Program::new("/bin/sh", root.path()).args(["-c", "sleep 600 & echo child $!; wait"]);
    let process = Process::start(&program, lines.sink()).unwrap();
    lines.wait_for("child ").await;
    let child = lines.all()[0].trim_start_matches("child ").to_owned();
    drop(process);
    let gone = async {
        // A killed child that nobody has awaited yet has no command line any more.
        while !std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default().is_empty() {
            pause().await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.unwrap();
}

const INFERENCE: &str = r#"
import json, os
def model_fn(model_dir):
    print("loading")
    return float(open(os.path.join(model_dir, "weight.txt")).read())
def predict_fn(data, model):
    if data.size == 0:
        raise ValueError("no rows")
    return (data * model).tolist()
"#;

async fn serve(
    root: &Path,
    files: &[(&str, &str)],
    lines: &Lines,
) -> Result<ModelServer, super::serving::StartFailure> {
    serve_as(Handlers::Torch, root, files, lines).await
}

async fn serve_as(
    handlers: Handlers,
    root: &Path,
    files: &[(&str, &str)],
    lines: &Lines,
) -> Result<ModelServer, super::serving::StartFailure> {
    serve_with(handlers, root, files, BTreeMap::new(), lines).await
}

async fn serve_with(
    handlers: Handlers,
    root: &Path,
    files: &[(&str, &str)],
    mut environment: BTreeMap<String, String>,
    lines: &Lines,
) -> Result<ModelServer, super::serving::StartFailure> {
    environment.insert("SAGEMAKER_SUBMIT_DIRECTORY".to_owned(), "/opt/ml/model/code".to_owned());
    let spec = ModelServerSpec {
        root: root.join("instance"),
        model: archive(root.join("model.tar.gz"), files),
        code: None,
        handlers,
        alone: Played::AsAws,
        environment,
        packages: CONTAINER_PACKAGES.iter().map(|package| (*package).to_owned()).collect(),
        contents: None,
        startup_limit: STARTUP_LIMIT,
        reach: reach(),
    };
    ModelServer::start(spec, &environments().await, lines.sink()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_server_answers_as_the_toolkit_does() {
    let root = TempDir::new().unwrap();
    let lines = Lines::default();
    let files = [("weight.txt", "2.5"), ("code/inference.py", INFERENCE)];
    let begun = Instant::now();
    let server = serve(root.path(), &files, &lines).await.unwrap();
    println!("model server: {:?}", begun.elapsed());
    assert!(server.ping().await);
    assert!(lines.all().iter().any(|line| line == "loading"));
    assert!(!lines.all().iter().any(|line| line.contains("opsctl-listening")));

    let json = Some("application/json");
    let reply = server.invoke(Bytes::from_static(b"[2, 4]"), json, None).await.unwrap();
    assert_eq!((reply.status, reply.body.as_ref()), (200, b"[5.0, 10.0]".as_slice()));
    assert_eq!(reply.content_type.as_deref(), json);
    let reply = server.invoke(Bytes::from_static(b"[2, 4]"), json, Some("text/csv")).await.unwrap();
    assert_eq!(
        (reply.content_type.as_deref(), reply.body.as_ref()),
        (Some("text/csv"), b"5.0\n10.0\n".as_slice())
    );
    let reply = server.invoke(Bytes::from_static(b"2,4\n"), Some("text/csv"), json).await.unwrap();
    assert_eq!(reply.body.as_ref(), b"[5.0, 10.0]");

    let reply = server.invoke(Bytes::from_static(b"[]"), json, None).await.unwrap();
    let said = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, 500);
    assert!(
        said.starts_with("no rows\nTraceback") && said.contains("inference.py\", line 8, in predict_fn"),
        "{said}"
    );
    let reply = server.invoke(Bytes::from_static(b"x"), Some("image/png"), None).await.unwrap();
    assert_eq!(reply.status, 500);
    assert!(String::from_utf8_lossy(&reply.body).contains("Content type image/png is not supported"));
}

/// Scripts that leave to the container what they may. What stands in for the frameworks is as large as what
/// is called of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_loaded_gives_its_own_error() {
    let root = TempDir::new().unwrap();
    let failure =
        serve(root.path(), &[("code/inference.py", INFERENCE)], &Lines::default()).await.unwrap_err();
    assert!(matches!(failure.cause, StartCause::Ended { .. }), "{failure}");
    assert!(failure.to_string().contains("FileNotFoundError"), "{failure}");
    assert!(
        failure.log_tail.iter().any(|line| line.contains("inference.py\", line 5, in model_fn")),
        "{failure:?}"
    );
}

const HANDLER: &str = r#"
import json, os, sys, threading
import boto3
print("importing")
def handler(event, context):
    print("got", event)
    if event == "raise":
        raise KeyError("no url")
    if event == "hang":
        threading.Event().wait()
    if event == "die":
        os._exit(3)
    if event == "eat":
        return len(bytearray(os.urandom(1024)) * 1024 * 300)
    client = boto3.client("s3")
    return {"context": str(context), "left": context.get_remaining_time_in_millis(), "kind":
            os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "endpoint": client.meta.endpoint_url, "pid": os.getpid()}
"#;

fn spec(code: PathBuf) -> FunctionSpec {
    FunctionSpec {
        name: "front".to_owned(),
        version: "1".to_owned(),
        code,
        handler: "app.handler".to_owned(),
        runtime: "python3.12".to_owned(),
        memory_mb: 256,
        timeout: Duration::from_secs(30),
        environment: BTreeMap::new(),
        log_group: "/aws/lambda/front".to_owned(),
        reach: reach(),
    }
}

async fn pool(root: &Path, code: &str, change: impl FnOnce(&mut FunctionSpec)) -> (Pool, Lines) {
    let lines = Lines::default();
    let zip = root.join("function.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    writer.start_file("app.py", zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(code.as_bytes()).unwrap();
    writer.finish().unwrap();
    let mut spec = spec(zip);
    change(&mut spec);
    let environments = environments().await;
    let directory = root.join("function");
    let pool = Pool::open(spec, &environments, &directory, lines.log_sink(), &lines.sink()).await.unwrap();
    (pool, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_runs_where_the_runtime_client_has_no_wheel() {
    let root = TempDir::new().unwrap();
    std::fs::write(root.path().join("app.py"), HANDLER).unwrap();
    let mut environments = environments().await;
    environments.python.manylinux = false;
    let lines = Lines::default();
    let spec = spec(root.path().to_owned());
    let directory = root.path().join("function");
    let pool = Pool::open(spec, &environments, &directory, lines.log_sink(), &lines.sink()).await.unwrap();
    let answered = pool.invoke(call("r-1", &json!("é"))).await.unwrap();
    assert_eq!(answered.function_error, None, "{:#?}", lines.all());
    assert_eq!(answered.log[1], "got é");
    let raised = pool.invoke(call("r-2", &json!("raise"))).await.unwrap();
    assert_eq!(document(&raised)["errorType"], "KeyError");
}

fn call(id: &str, payload: &Value) -> Invocation {
    Invocation {
        request_id: id.to_owned(),
        invoked_arn: "arn:aws:lambda:eu-west-1:123456789012:function:front:1".to_owned(),
        payload: payload.to_string().into(),
        client_context: None,
    }
}

fn document(result: &InvocationResult) -> Value {
    serde_json::from_slice(&result.payload).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_starts_cold_then_warm_and_raises_and_dies() {
    let root = TempDir::new().unwrap();
    let (pool, lines) = pool(root.path(), HANDLER, |_| {}).await;
    let cold = pool.invoke(call("r-1", &json!({"url": "x"}))).await.unwrap();
    let answer = document(&cold);
    println!("cold: init {:?}, duration {:?}, {} MB", cold.init, cold.duration, cold.peak_memory_mb);
    assert!(cold.init.is_some() && cold.function_error.is_none(), "{answer} {:#?}", lines.all());
    assert_eq!(answer["endpoint"], "http://127.0.0.1:9");
    assert_eq!(answer["kind"], "on-demand");
    let context = answer["context"].as_str().unwrap();
    let stream = &cold.log_stream;
    for part in [
        "LambdaContext([aws_request_id=r-1,log_group_name=/aws/lambda/front,",
        &format!("log_stream_name={stream},function_name=front,memory_limit_in_mb=256,function_version=1,"),
        "invoked_function_arn=arn:aws:lambda:eu-west-1:123456789012:function:front:1,client_context=None",
    ] {
        assert!(context.contains(part), "{part} in {context}");
    }
    assert!((1..=30_000).contains(&answer["left"].as_u64().unwrap()));
    assert_eq!(cold.log[0], "START RequestId: r-1 Version: 1");
    assert_eq!(cold.log[1], "got {'url': 'x'}");
    let [.., end, report] = cold.log.as_slice() else { panic!("{:?}", cold.log) };
    assert_eq!(end, "END RequestId: r-1");
    assert!(
        report.starts_with("REPORT RequestId: r-1\t") && report.contains("\tInit Duration: "),
        "{report}"
    );
    assert!(lines.all().contains(&"importing".to_owned()));

    let warm = pool.invoke(call("r-2", &json!({}))).await.unwrap();
    println!("warm: {:?}", warm.duration);
    assert_eq!((warm.init, &warm.log_stream), (None, stream));
    assert_eq!(document(&warm)["pid"], answer["pid"]);

    let raised = pool.invoke(call("r-3", &json!("raise"))).await.unwrap();
    assert_eq!(raised.function_error, Some("Unhandled"));
    let error = document(&raised);
    assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("KeyError"), &json!("'no url'")));
    assert!(error["stackTrace"][0].as_str().unwrap().contains("app.py\", line 8, in handler"), "{error}");
    assert!(raised.log_tail().contains("[ERROR] KeyError: 'no url'\nTraceback"), "{}", raised.log_tail());

    let eaten = pool.invoke(call("r-4", &json!("eat"))).await.unwrap();
    assert_eq!(
        document(&eaten)["errorMessage"],
        "RequestId: r-4 Error: Runtime exited with error: signal: killed"
    );
    assert!(eaten.log.last().unwrap().contains("Max Memory Used: 256 MB"), "{:?}", eaten.log);

    let died = pool.invoke(call("r-5", &json!("die"))).await.unwrap();
    assert!(died.init.is_some(), "the environment before was killed");
    assert_eq!(document(&died)["errorType"], "Runtime.ExitError");
    assert_eq!(
        document(&died)["errorMessage"],
        "RequestId: r-5 Error: Runtime exited with error: exit status 3"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_times_out_and_a_missing_module_is_named() {
    let root = TempDir::new().unwrap();
    let (slow, _) = pool(root.path(), HANDLER, |spec| spec.timeout = Duration::from_secs(1)).await;
    let result = slow.invoke(call("r-1", &json!("hang"))).await.unwrap();
    assert_eq!(document(&result)["errorMessage"], "RequestId: r-1 Error: Task timed out after 1.00 seconds");
    assert!(result.log_tail().contains(" r-1 Task timed out after 1.00 seconds\nEND RequestId: r-1\n"));

    let (broken, _) =
        pool(&root.path().join("."), "import nowhere", |spec| spec.handler = "app.handler".to_owned()).await;
    let result = broken.invoke(call("r-2", &json!({}))).await.unwrap();
    assert_eq!(result.function_error, Some("Unhandled"));
    assert_eq!(document(&result)["errorType"], "Runtime.ImportModuleError");
    assert_eq!(document(&result)["errorMessage"], "Unable to import module 'app': No module named 'nowhere'");
    let log = result.log_tail();
    assert!(
        log.contains(
            "\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\nSTART RequestId: r-2"
        ),
        "{log}"
    );
    let failure = broken.provision(1).await.unwrap_err();
    assert!(failure.document.contains("Runtime.ImportModuleError"), "{failure}");
    assert_eq!(broken.provisioned().allocated, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn provisioned_environments_have_no_init_time_and_the_third_call_spills_over() {
    let root = TempDir::new().unwrap();
    let (pool, _) = pool(root.path(), HANDLER, |_| {}).await;
    pool.provision(2).await.unwrap();
    assert_eq!(pool.provisioned().available, 2);
    let calls = ["r-1", "r-2", "r-3"].map(|id| call(id, &json!({})));
    let results = futures_util::future::join_all(calls.map(|call| pool.invoke(call))).await;
    let kinds: Vec<_> = results.iter().map(|result| result.as_ref().unwrap().initialization).collect();
    let provisioned = kinds.iter().filter(|kind| **kind == Initialization::ProvisionedConcurrency).count();
    assert_eq!(provisioned, 2, "{kinds:?}");
    for result in results.into_iter().map(Result::unwrap) {
        assert_eq!(result.init.is_none(), result.initialization == Initialization::ProvisionedConcurrency);
        let kind = document(&result)["kind"].clone();
        assert_eq!(kind == "provisioned-concurrency", result.init.is_none());
    }
    pool.provision(0).await.unwrap();
    assert_eq!(pool.provisioned().allocated, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn user_data_runs_until_it_shuts_down() {
    let root = TempDir::new().unwrap();
    let lines = Lines::default();
    let run = |name: &str, user_data: &str| Ec2Run {
        root: root.path().join(name),
        user_data: user_data.to_owned(),
        // An hour lasts a second.
        speed: 3_600.0,
        packages: Vec::new(),
        requirements: None,
        environment: BTreeMap::new(),
        reach: reach(),
    };
    let script = "#!/bin/bash\nset -e\ntrap 'shutdown -h now' EXIT\nshutdown -h +6000\ncd \"$OPSCTL_ROOT\"\n\
                  python3 -c 'import boto3; print(\"sdk\")'\naws s3 cp nothing s3://b/k || echo refused\n";
    let instance = run("one", script).start(&environments().await, lines.sink()).await.unwrap();
    assert_eq!(instance.outcome().await, Ec2Outcome::ShutDown, "{:#?}", lines.all());
    assert!(
        lines.all().contains(&"sdk".to_owned()) && lines.all().contains(&"refused".to_owned()),
        "{:#?}",
        lines.all()
    );

    let instance =
        run("two", "#!/bin/sh\nexit 4\n").start(&environments().await, lines.sink()).await.unwrap();
    assert_eq!(instance.outcome().await, Ec2Outcome::Ended { code: Some(4) });
    let instance =
        run("three", "#!/bin/sh\nsleep 600\n").start(&environments().await, lines.sink()).await.unwrap();
    instance.terminate(Duration::from_secs(5)).await;
    assert_eq!(instance.outcome().await, Ec2Outcome::Terminated);

    let limits = "#!/bin/bash\nshutdown -h +600\ntimeout 3600 sleep 600 || echo \"limit $?\"\nsleep 600\n";
    let instance = run("four", limits).start(&environments().await, lines.sink()).await.unwrap();
    assert_eq!(instance.outcome().await, Ec2Outcome::ShutDown, "{:#?}", lines.all());
    assert!(lines.all().contains(&"limit 124".to_owned()), "{:#?}", lines.all());
}
