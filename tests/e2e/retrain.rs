//! Whatever a training is made of: when it changes, the weights are those of a fresh run. Nothing of an
//! earlier generation may come back, neither checkpoints nor code nor data; and the same recipe resumes.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use futures_util::future::join_all;
use opsctl::aws::OpErrorKind;
use opsctl::config::Document;
use opsctl::domain::{KeyPath, KindName};
use opsctl_sandbox::{AwsRule, Sandbox, SandboxOptions};
use serde_json::{Map, Value, json};

use crate::support::inside::{DEPLOY, Project};

/// Every key of `[training.NAME]` is in one of the two, which `every_key_is_tried` demands.
const CONFIG: &str = r#"
[project]
name = "leaf"
region = "us-east-1"
[data.numbers]
path    = "data"
include = ["**"]
exclude = ["*.bak"]
delete  = true
max_concurrency = 8
bandwidth = "100MB/s"
[training.cloud]
on             = "sagemaker"
source         = "code"
entry          = "train.py"
packages       = ["six==1.16.0"]
image          = "pytorch-2.6"
instance_type  = "ml.m5.large"
instance_count = 1
volume_gb      = 30
data           = ["numbers"]
max_runtime    = "1h"
spot           = true
max_wait       = "2h"
checkpoints    = true
hyperparameters = { rate = 1 }
metrics         = { loss = "loss=([0-9.]+)" }
environment     = { WORD = "one" }
[training.plain]
on             = "ec2"
source         = "code"
entry          = "train.py"
packages       = ["six==1.16.0"]
image          = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
instance_type  = "m5.large"
volume_gb      = 30
data           = ["numbers"]
max_runtime    = "1h"
hyperparameters = { rate = 1 }
environment     = { WORD = "one" }
inputs          = { numbers = "here" }
outputs         = ["kept"]
"#;

/// Its weights tell all that it saw, and all that those before it saw whose state it found in any place that
/// it may write to.
const SCRIPT: &str = r#"
import hashlib, json, os, pathlib, sys, tempfile
import six

places = [os.environ.get("SM_CHECKPOINT_DIR"), os.environ["SM_MODEL_DIR"], os.environ["SM_OUTPUT_DATA_DIR"],
          os.environ["HOME"], tempfile.gettempdir(), os.getcwd()]
states = [pathlib.Path(place, "state.json") for place in places if place]
code = pathlib.Path(__file__).resolve().parent
channels = [pathlib.Path(os.environ[f"SM_CHANNEL_{name.upper()}"]) for name in json.loads(os.environ["SM_CHANNELS"])]
files = [(str(file.relative_to(folder)), file) for folder in [code, *channels] for file in sorted(folder.rglob("*"))]
files = [(name, file) for name, file in files if file.is_file() and "__pycache__" not in name]
seen = hashlib.sha256(json.dumps([sys.argv[1:], os.environ["SM_HPS"], os.environ["WORD"], six.__version__]).encode())
for name, file in files:
    seen.update(name.encode() + file.read_bytes())
history = next((json.loads(state.read_text()) for state in states if state.is_file()), [])
history.append({"digest": seen.hexdigest(), "files": [name for name, _ in files]})
for state in states:
    if state.parent.is_dir():
        state.write_text(json.dumps(history))
if os.environ["WORD"] == "stumble" and len(history) == 1:
    sys.exit("stumbled")
"#;

const OTHER_IMAGE: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-x86_64";

/// What happens to weights when a leaf changes.
enum Effect {
    /// No other job: the leaf says how to upload, not what.
    Nothing,
    /// A fresh run that sees the same as before.
    SameWeights,
    /// A fresh run that sees something else.
    OtherWeights,
}
use Effect::{Nothing, OtherWeights, SameWeights};

/// Another value of a leaf, what has to change with it, and its effect.
fn another(leaf: &str) -> (Value, Vec<(&'static str, Value)>, Effect) {
    let (section, key) = leaf.split_once('.').and_then(|(_, rest)| rest.split_once('.')).unwrap_or_default();
    let alone = |value, effect| (value, vec![], effect);
    match (section, key) {
        ("cloud", "on") => {
            let along = [
                ("image", json!(OTHER_IMAGE)),
                ("instance_type", json!("m5.large")),
                ("spot", json!(false)),
                ("max_wait", Value::Null),
                ("checkpoints", json!(false)),
                ("metrics", json!({})),
            ];
            (json!("ec2"), along.to_vec(), SameWeights) // as `plain`
        }
        ("plain", "on") => {
            let along = [
                ("image", Value::Null),
                ("instance_type", json!("ml.m5.large")),
                ("inputs", json!({})),
                ("outputs", json!([])),
            ];
            (json!("sagemaker"), along.to_vec(), SameWeights) // as `cloud`
        }
        (_, "source") => alone(json!("code2"), OtherWeights),
        (_, "entry") => alone(json!("other.py"), SameWeights),
        // Its version is in the weights.
        (_, "packages") => alone(json!(["six==1.17.0"]), OtherWeights),
        ("cloud", "image") => alone(json!("pytorch-2.5"), SameWeights),
        ("plain", "image") => alone(json!(OTHER_IMAGE), SameWeights),
        ("cloud", "instance_type") => alone(json!("ml.m5.xlarge"), SameWeights),
        ("plain", "instance_type") => alone(json!("m5.xlarge"), SameWeights),
        (_, "instance_count") => alone(json!(2), SameWeights),
        (_, "volume_gb") => alone(json!(31), SameWeights),
        // What appears in the script's folder must be data of the job.
        ("plain", "data") => (json!([]), vec![("inputs", json!({}))], OtherWeights),
        (_, "data") => alone(json!([]), OtherWeights),
        (_, "inputs.numbers") => alone(json!("there"), SameWeights),
        (_, "outputs") => alone(json!(["left"]), SameWeights),
        (_, "max_runtime") => alone(json!("2h"), SameWeights),
        (_, "max_wait") => alone(json!("3h"), SameWeights),
        (_, "spot") => (json!(false), vec![("max_wait", Value::Null)], SameWeights),
        (_, "checkpoints") => alone(json!(false), SameWeights),
        (_, "hyperparameters.rate") => alone(json!(2), OtherWeights),
        (_, "metrics.loss") => alone(json!("other=([0-9.]+)"), SameWeights),
        (_, "environment.WORD") => alone(json!("two"), OtherWeights),
        ("numbers", "path") => alone(json!("data2"), OtherWeights),
        ("numbers", "include") => alone(json!(["a.csv"]), OtherWeights),
        ("numbers", "exclude") => alone(json!(["b.csv"]), OtherWeights),
        // Nothing has left the folder: `strays` is about what has.
        ("numbers", "delete") => alone(json!(false), Nothing),
        ("numbers", "max_concurrency") => alone(json!(9), Nothing),
        ("numbers", "bandwidth") => alone(json!("90MB/s"), Nothing),
        _ => panic!("{leaf} needs another value in this test"),
    }
}

/// Paths of all leaves; a list is one.
fn leaves(table: &Map<String, Value>, at: &KeyPath, found: &mut Vec<KeyPath>) {
    for (key, value) in table {
        match value {
            Value::Object(table) => leaves(table, &at.join(key), found),
            _ => found.push(at.join(key)),
        }
    }
}

fn keys(of: &Value) -> BTreeSet<String> {
    of.as_object().expect("a table").keys().cloned().collect()
}

#[test]
fn every_key_is_tried() {
    let config: Value = toml::from_str(CONFIG).expect("it is TOML");
    let schema: Value = serde_json::from_str(include_str!("../../config/opsctl.schema.json")).expect("JSON");
    let known = |name: &str| keys(&schema["definitions"][name]["properties"]);
    let tried: BTreeSet<String> =
        ["cloud", "plain"].iter().flat_map(|t| keys(&config["training"][t])).collect();
    // A reason is for readers: `core plan::cost::a_reason_changes_no_plan`. The others are in
    // `core plan::channels`, `core inputs`, `core network` and `core kinds::role`.
    let elsewhere = [
        "why",
        "algorithm",
        "include",
        "exclude",
        "role",
        "permissions",
        "instance_profile",
        "network",
        "isolation",
    ];
    let here = known("Training").into_iter().filter(|key| !elsewhere.contains(&&**key)).collect();
    assert_eq!(tried, here);
    // Data of others is in `core plan::outside`.
    let elsewhere = ["channel", "content_type", "input_mode", "distribution", "uri", "version"];
    let here = known("Data").into_iter().filter(|key| !elsewhere.contains(&&**key)).collect();
    assert_eq!(keys(&config["data"]["numbers"]), here);
}

/// A sandbox that really trains, in which any number of jobs may run at once.
async fn training_sandbox(root: &Path) -> Sandbox {
    let mut options = SandboxOptions::new(root);
    options.cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/sandbox-cache").into();
    // Variants that run at once change the policies of one role under each other.
    options.rules_off = [AwsRule::Quota, AwsRule::VcpuLimit, AwsRule::RolePolicies].into();
    Sandbox::start(options).await.expect("the sandbox starts")
}

/// The trainings of a project: their physical names, and what their archives say.
async fn weights(project: &Project) -> Vec<(String, Value)> {
    let of_job = |kind| matches!(kind, KindName::Training | KindName::Instance);
    let jobs = project.desired.nodes.iter().filter(|node| of_job(node.id.kind)).map(|node| async {
        let root = if node.id.kind == KindName::Training { "training" } else { "instances" };
        let bucket = project.world.wanted(KindName::Bucket).next().expect("a bucket");
        let key = format!("{root}/{}/output/model.tar.gz", node.physical);
        let object =
            project.world.aws.s3.get_object().bucket(bucket).key(key).send().await.expect("an archive");
        let archive = object.body.collect().await.expect("bytes").into_bytes();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*archive));
        let mut text = String::new();
        for file in archive.entries().expect("tar") {
            let mut file = file.expect("tar");
            if file.path().expect("a path").ends_with("state.json") {
                file.read_to_string(&mut text).expect("text");
            }
        }
        (node.physical.clone(), serde_json::from_str(&text).expect("JSON"))
    });
    join_all(jobs).await
}

/// Deploys a variant, and compares its jobs with those of the base.
async fn try_leaf(
    sandbox: &Sandbox,
    document: &Document,
    leaf: &str,
    effect: Effect,
    base: &[(String, Value)],
) {
    let project = Project::of(sandbox, document).await;
    project.succeed(DEPLOY).await;
    let new: Vec<(String, Value)> =
        weights(&project).await.into_iter().filter(|job| !base.contains(job)).collect();
    assert_eq!(new.is_empty(), matches!(effect, Nothing), "{leaf}: {new:?}");
    for (job, history) in new {
        assert_eq!(
            history.as_array().map(Vec::len),
            Some(1),
            "{leaf}: {job} found what another one left: {history}"
        );
        let same = base.iter().any(|(_, old)| *old == history);
        assert_eq!(
            same,
            matches!(effect, SameWeights),
            "{leaf}: {job} saw {history}, those before it {base:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_changes_is_trained_from_nothing_and_the_same_recipe_resumes() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| {
        let file = folder.path().join(file);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    };
    for code in ["code/train.py", "code/other.py", "code2/train.py"] {
        write(code, SCRIPT);
    }
    write("code2/more.py", "");
    for (file, text) in [("data/a.csv", "1"), ("data/b.csv", "2"), ("data2/a.csv", "3")] {
        write(file, text);
    }
    let sandbox = training_sandbox(&folder.path().join("sandbox")).await;
    let sandbox = &sandbox;
    let original = Document::parse(&folder.path().join("opsctl.toml"), CONFIG.to_owned()).expect("TOML");
    let project = Project::of(sandbox, &original).await;
    project.succeed(DEPLOY).await;
    let base = &weights(&project).await;
    assert_eq!(base.len(), 2);

    // Leaves of the trainings, all at once: what is shared is what the base left.
    let mut all = Vec::new();
    let values = original.environment("dev").values().clone();
    leaves(values["training"].as_object().expect("a table"), &KeyPath::of(["training"]), &mut all);
    let tries = all.iter().map(|at| async {
        let leaf = at.to_string();
        let (value, along, effect) = another(&leaf);
        let mut document = original.clone();
        document.set(at, value);
        let section = KeyPath::of(leaf.split('.').take(2));
        for (key, value) in along {
            document.set(&section.join(key), value);
        }
        try_leaf(sandbox, &document, &leaf, effect, base).await;
    });
    join_all(tries).await;

    // Leaves of the data set one after another: it lies in one place.
    let mut all = Vec::new();
    leaves(values["data"].as_object().expect("a table"), &KeyPath::of(["data"]), &mut all);
    for at in &all {
        let leaf = at.to_string();
        let (value, _, effect) = another(&leaf);
        let mut document = original.clone();
        document.set(at, value);
        try_leaf(sandbox, &document, &leaf, effect, base).await;
    }

    // The files themselves.
    for (file, text) in [("data/a.csv", "9"), ("code/train.py", &*format!("{SCRIPT}# another\n"))] {
        write(file, text);
        try_leaf(sandbox, &original, file, OtherWeights, base).await;
    }

    // The same recipe: a job that failed is made again under its name, and resumes from its checkpoint.
    let mut document = original.clone();
    document.set(&KeyPath::of(["training", "cloud", "environment", "WORD"]), json!("stumble"));
    let project = Project::of(sandbox, &document).await;
    let outcome = project.run(DEPLOY).await.expect("it can be planned");
    assert!(
        outcome.failed.iter().any(|(_, error)| error.kind == OpErrorKind::BadState),
        "{:?}",
        outcome.failed
    );
    let again = Project::of(sandbox, &document).await;
    again.succeed(DEPLOY).await;
    let (_, history) = &weights(&again).await[0];
    assert_eq!(history.as_array().map(Vec::len), Some(2), "it began again: {history}");
}
