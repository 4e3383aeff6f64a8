//! Every request that opsctl sends, held against AWS's own models: those of the shipped project and its
//! updates, of a config at every limit that AWS has, and of the commands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opsctl::plan::Mode;
use serde_json::{Value, json};

use crate::support::commands::{CHANGES, LOOKS, run};
use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};
use crate::support::tap::{Sent, Tap};
use crate::support::{World, python};

const CHECK: &str = include_str!("../bench/models/check.py");
const EXTREME: &str = include_str!("../bench/models/extreme.py");
/// The newest when `src/limits/data` was made, and what it needs.
const REQUIREMENTS: &str = "botocore==1.44.8\njmespath==1.1.0\npython-dateutil==2.9.0.post0\n\
                            regex==2026.11.15\nsix==1.17.0\nurllib3==2.8.0\n";

/// What AWS's models say of all this: a list of `violations`.
pub fn held(requests: &[Sent]) -> Value {
    let lines = requests
        .iter()
        .map(|(head, body)| format!("{}\n", json!({ "head": head, "body": STANDARD.encode(body) })));
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), lines.collect::<String>()).expect("it is written");
    let mut python = std::process::Command::new(python::environment(REQUIREMENTS).join("python"));
    python::document(python.args(["-c", CHECK]).arg(file.path()))
}

/// As much of everything as AWS takes: `check` finds nothing in it.
fn extreme(epochs: u32) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut python = std::process::Command::new("python3");
    let status = python.args(["-c", EXTREME]).arg(file.path()).arg(epochs.to_string()).status();
    assert!(status.expect("python3 is there").success());
    std::fs::read_to_string(file.path()).expect("it is written")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_breaks_a_model_of_aws() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let tap = Tap::on(sandbox.endpoint_url());
    for epochs in [1, 2] {
        let project = Project::through(&sandbox, &tap.url, |_| extreme(epochs)).await;
        project.succeed(DEPLOY).await;
        if epochs == 2 {
            project.succeed(DESTROY).await;
        }
    }
    let at_the_limits = tap.sent().len();
    Project::through(&sandbox, &tap.url, |text| text).await.succeed(DEPLOY).await;
    let other = Project::through(&sandbox, &tap.url, |text| {
        let text = text
            .replace("memory_mb               = 128", "memory_mb = 256")
            .replace("epochs = ", "spare = \"1.10\"\nepochs = ");
        let text = text
            .replace("\"ml.m5.large\"", "\"ml.c5.large\"")
            .replace("volume_gb     = 5 ", "volume_gb = 6 ");
        text.replace("keep_old_versions   = \"30d\"", "keep_old_versions = \"31d\"")
            .replace("max = 4", "max = 5")
    });
    other.await.succeed(Mode::Deploy { prune: true, adopt: false }).await;
    let url = tap.url.clone();
    tokio::task::spawn_blocking(move || commands(&url)).await.expect("they run");

    let said = held(&tap.sent());
    eprintln!("{at_the_limits} of them at the limits: {said:#}");
    assert_eq!(said["violations"], json!([]));
    let (requests, operations) = (said["requests"].as_u64().expect("a number"), &said["operations"]);
    assert_eq!(requests, tap.sent().len() as u64);
    assert!(operations.as_object().expect("a table").len() > 80, "{operations:#}");
    // Who finds nothing must be able to.
    let said = held(&spoiled(&tap.sent()))["violations"].to_string();
    for (of, from, to, finding) in SPOILED {
        assert!(said.contains(&finding.replace('"', "\\\"")), "{of}, {from} -> {to}: {said}");
    }
    sandbox.stop().await;
}

/// A request that was sent, changed in one place, and what must be said of it then.
const SPOILED: [(&str, &str, &str, &str); 8] = [
    ("SageMaker.CreateModel", "\"ModelName\"", "\"ModelNam\"", "sagemaker:CreateModel?ModelNam: unknown"),
    ("SageMaker.CreateModel", "\"ModelName\"", "\"ModelNam\"", "sagemaker:CreateModel.ModelName: required"),
    ("SageMaker.CreateTrainingJob", "\"ml.m5.xlarge\"", "\"ml.m5.tiny\"", "'ml.m5.tiny' is none of the enum"),
    (
        "SageMaker.CreateTrainingJob",
        "\"VolumeSizeInGB\":30",
        "\"VolumeSizeInGB\":\"30\"",
        "'30' is no integer",
    ),
    ("SageMaker.CreateEndpoint", "EndpointName\":\"", "EndpointName\":\"-", "is not [a-zA-Z0-9]"),
    ("/2015-03-31/functions", "\"MemorySize\":128", "\"MemorySize\":12", "MemorySize: 12 is not within 128"),
    ("Action=CreateRole", "RoleName=", "RolName=", "iam:CreateRole?RolName: unknown"),
    ("?versioning", "Enabled", "enabled", "s3:PutBucketVersioning: the crc32 is not the body's"),
];

fn spoiled(sent: &[Sent]) -> Vec<Sent> {
    let spoil = |(of, from, to, _): &(&str, &str, &str, &str)| {
        let texts = sent.iter().map(|(head, body)| (head, String::from_utf8_lossy(body)));
        let mut of_it = texts.filter(|(head, body)| {
            (head.iter().any(|line| line.contains(of)) || body.starts_with(of)) && body.contains(from)
        });
        let (head, body) = of_it.next().unwrap_or_else(|| panic!("no {of} with {from}"));
        (head.clone(), body.replacen(from, to, 1).into_bytes())
    };
    SPOILED.iter().map(spoil).collect()
}

/// What people type, whatever becomes of it here, where nothing really runs.
fn commands(url: &str) {
    let world = World::shipped().credentials();
    for list in [&["deploy --yes"][..], LOOKS, CHANGES, &["destroy --yes"]] {
        run(&world, url, list);
    }
}
