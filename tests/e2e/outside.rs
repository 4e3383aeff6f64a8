//! Data and models in buckets of others: read by what is deployed, and there as before when all of it is
//! gone.

use std::path::Path;

use opsctl::aws::{self, Clients, TargetOptions};
use opsctl::config::Document;
use opsctl::engine::lease::LeaseHolder;
use opsctl::run::{Connection, Difference, Done, Folders, Intent, OpenError, Project, Refusal, Session};
use opsctl_sandbox::Sandbox;

use crate::support::World;
use crate::support::inside::sandbox;

const HEAD: &str = "[project]\nname = \"shop\"\nregion = \"us-east-1\"\n";

pub async fn opened(
    sandbox: &Sandbox,
    folder: &Path,
    text: &str,
    folders: Folders,
) -> Result<Session, OpenError> {
    let document = Document::parse(&folder.join("opsctl.toml"), format!("{HEAD}{text}")).expect("it is TOML");
    let project = Project::read(&document, "dev", folders).expect("it is valid");
    let (region, address) = (Some("us-east-1".into()), Some(sandbox.endpoint_url().to_owned()));
    let target = aws::connect(&TargetOptions { region, sandbox: address, ..TargetOptions::default() }).await;
    Session::open(project, Connection::to(target)).await
}

pub async fn deployed(sandbox: &Sandbox, folder: &Path, text: &str) -> (Session, Done) {
    let session = Box::pin(opened(sandbox, folder, text, Folders::Read)).await.expect("it opens");
    let intent = Intent::deploy(&session, true, false);
    let done = Box::pin(session.run(&intent).carry_out(&LeaseHolder::default())).await.expect("it begins");
    assert!(done.is_ok(), "{done:#?}");
    (session, done)
}

pub fn made(done: &Done) -> Vec<String> {
    done.plan.steps.iter().map(|step| format!("{} {}", step.op.verb().as_str(), step.target)).collect()
}

async fn put(aws: &Clients, key: &str, body: &[u8]) {
    let call = aws.s3.put_object().bucket("theirs").key(key).body(body.to_vec().into());
    call.send().await.expect("put");
}

async fn theirs(aws: &Clients) -> Vec<(String, String)> {
    let found = aws.s3.list_objects_v2().bucket("theirs").send().await.expect("listed");
    let objects = found.contents.unwrap_or_default().into_iter();
    objects.map(|o| (o.key.expect("a key"), o.e_tag.expect("a tag"))).collect()
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, text) in [
        ("code/train.py", "print('trains')"),
        ("code/inference.py", "def model_fn(d): ..."),
        ("weights/model.pth", "weights"),
    ] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    folder
}

const ALL: &str = r#"
[data.dogs]
uri = "s3://theirs/dogs"
[data.one]
uri = "s3://theirs/labels.csv"
[training.breeds]
source = "code"
data = ["dogs", "one"]
[model.far]
artifact = "s3://theirs/model.tar.gz"
[model.near]
artifact = "weights"
[endpoint.far]
model = "far"
[endpoint.coded]
model = "far"
code = "code"
[endpoint.near]
model = "near"
[endpoint.packed]
model = "near"
code = "code"
"#;

/// A debug build keeps more on the stack of what is awaited below than the 2 MB that a test's thread has; the
/// program's own has 8 (`cli::run`).
#[test]
fn what_others_have_in_s3_is_read_and_never_touched() {
    const STACK: usize = 16 << 20;
    let body = || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build();
        runtime.expect("a runtime").block_on(read_and_never_touched());
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(body).expect("a thread");
    thread.join().expect("it passes");
}

async fn read_and_never_touched() {
    let (folder, state) = (project(), tempfile::tempdir().expect("a folder"));
    let sandbox = sandbox(state.path()).await;
    let (region, address) = (Some("us-east-1".into()), Some(sandbox.endpoint_url().to_owned()));
    let options = TargetOptions { region, sandbox: address, ..TargetOptions::default() };
    let aws = Clients::new(&aws::connect(&options).await);

    let said = |opened: Result<Session, OpenError>| match opened {
        Err(OpenError::Invalid(problems)) => problems.1.0.iter().map(|p| p.code.to_string()).collect(),
        _ => vec!["it opened".to_owned()],
    };
    let refused = said(opened(&sandbox, folder.path(), ALL, Folders::Read).await);
    assert_eq!(refused, ["E257"; 3], "the bucket is not there: each section that names it says so");
    // What takes away or looks does without.
    assert!(opened(&sandbox, folder.path(), ALL, Folders::Spared).await.is_ok());

    aws.s3.create_bucket().bucket("theirs").send().await.expect("made");
    let archive = opsctl::archive::tar_gz(&[("model.pth", b"far weights")]);
    put(&aws, "model.tar.gz", &archive).await;
    put(&aws, "dogs/", b"").await;
    put(&aws, "labels.csv", b"1,2").await;
    put(&aws, "labels.csv.bak", b"1").await;
    let refused = said(opened(&sandbox, folder.path(), ALL, Folders::Read).await);
    assert_eq!(refused, ["E257", "E261"], "a folder of the console is no file, and a key begins another");
    aws.s3.delete_object().bucket("theirs").key("labels.csv.bak").send().await.expect("deleted");
    put(&aws, "dogs/1.jpg", b"a dog").await;
    put(&aws, "dogs2/1.jpg", b"of somebody else").await;
    let before = theirs(&aws).await;

    let (session, done) = deployed(&sandbox, folder.path(), ALL).await;
    assert!(made(&done).contains(&"create training/breeds".to_owned()), "{:?}", made(&done));
    assert!(!made(&done).iter().any(|step| step.contains("data/")), "{:?}", made(&done));
    let bucket = session.bucket().to_owned();
    let key = |id: &str| {
        let node = session.desired.node(&id.parse().expect("an id")).expect("wanted");
        let spec = node.spec_as::<opsctl::resources::model::Model>().expect("a model");
        spec.data_url(&node.physical).expect("an archive")
    };
    assert_eq!(key("model/far"), "s3://theirs/model.tar.gz");
    for (id, with_code) in [("model/coded", true), ("model/near", false), ("model/packed", true)] {
        let url = key(id);
        let key = url.strip_prefix(&format!("s3://{bucket}/")).expect("in our bucket").to_owned();
        let found = aws.s3.get_object().bucket(&bucket).key(key).send().await.expect("there");
        let bytes = found.body.collect().await.expect("read").to_vec();
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let files: Vec<String> = tar
            .entries()
            .expect("an archive")
            .map(|e| e.expect("an entry").path().expect("a path").to_string_lossy().into_owned())
            .collect();
        let expected: &[&str] =
            if with_code { &["model.pth", "code/inference.py", "code/train.py"] } else { &["model.pth"] };
        assert_eq!(files, expected, "{id}");
    }
    let (_, again) = deployed(&sandbox, folder.path(), ALL).await;
    assert_eq!(made(&again), [] as [String; 0]);

    // Another object under the same key is another model, and more objects are other data.
    let archive = opsctl::archive::tar_gz(&[("model.pth", b"better weights")]);
    put(&aws, "model.tar.gz", &archive).await;
    put(&aws, "dogs/2.jpg", b"another dog").await;
    let (_, done) = deployed(&sandbox, folder.path(), ALL).await;
    let steps = made(&done);
    for step in ["create training/breeds", "create model/far", "create model/coded", "update endpoint/far"] {
        assert!(steps.contains(&step.to_owned()), "{step}: {steps:?}");
    }
    assert!(!steps.iter().any(|step| step.ends_with("/near") || step.ends_with("/packed")), "{steps:?}");

    let session = opened(&sandbox, folder.path(), ALL, Folders::Spared).await.expect("it opens");
    let destroy = Intent::destroy(&session, false);
    let done = session.run(&destroy).carry_out(&LeaseHolder::default()).await.expect("it begins");
    assert!(done.is_ok(), "{done:#?}");
    let (mut after, mut expected) = (theirs(&aws).await, before);
    let changed = |(key, _): &(String, String)| key == "model.tar.gz" || key == "dogs/2.jpg";
    after.retain(|object| !changed(object));
    expected.retain(|object| !changed(object));
    assert_eq!(after, expected);
    sandbox.stop().await;
}

/// opsctl moves nothing to or from a bucket of others, and says so instead of that there is no such data set.
#[test]
fn data_of_others_is_neither_uploaded_nor_pulled() {
    let world = World::empty().sandbox();
    let config = "[project]\nname = \"x\"\nregion = \"us-east-1\"\n[data.d]\nuri = \"s3://company/set\"\n";
    world.write("opsctl.toml", config);
    for command in [&["data", "pull", "d"][..], &["data", "pull"], &["upload", "d"], &["upload"]] {
        let _ = world.run(command.iter().copied()).ended(64).says("data/d has a `uri`").says("aws s3 sync");
    }
}

/// Names are made of what is there, and somebody may change it while a person reads the plan.
#[tokio::test(flavor = "multi_thread")]
async fn what_changes_meanwhile_is_not_trained_on_under_another_name() {
    let (folder, state) = (project(), tempfile::tempdir().expect("a folder"));
    let sandbox = sandbox(state.path()).await;
    let text = "[data.d]\nuri = \"s3://theirs/in/\"\n[training.t]\nsource = \"code\"\ndata = [\"d\"]\n";
    let (region, address) = (Some("us-east-1".into()), Some(sandbox.endpoint_url().to_owned()));
    let target = aws::connect(&TargetOptions { region, sandbox: address, ..TargetOptions::default() }).await;
    let aws = Clients::new(&target);
    aws.s3.create_bucket().bucket("theirs").send().await.expect("made");
    put(&aws, "in/a", b"1").await;
    let open =
        async || Box::pin(opened(&sandbox, folder.path(), text, Folders::Read)).await.expect("it opens");
    let carry_out = async |session: &Session| {
        let intent = Intent::deploy(session, true, false);
        Box::pin(session.run(&intent).carry_out(&LeaseHolder::default())).await
    };
    let late = open().await;
    put(&aws, "in/b", b"2").await;
    match carry_out(&late).await {
        Err(Refusal::Changed(different)) => {
            assert_eq!(Difference::texts(&different), ["s3://theirs/in/ holds something else"]);
        }
        other => panic!("{other:?}"),
    }
    let (now, other) = (open().await, open().await);
    assert!(carry_out(&now).await.expect("it begins").is_ok());
    // What makes nothing that is named after it goes on.
    put(&aws, "in/c", b"3").await;
    assert!(carry_out(&other).await.expect("it begins").plan.is_empty());
    sandbox.stop().await;
}

/// The plan is true when the lease is taken, and what is read may change while other steps take their time.
#[tokio::test(flavor = "multi_thread")]
async fn what_changes_in_mid_deploy_is_not_trained_on_either() {
    let text = "[data.d]\nuri = \"s3://theirs/in/\"\n[data.own]\npath = \"weights\"\n\
                [training.t]\nsource = \"code\"\ndata = [\"d\", \"own\"]\n";
    let own = "shop-dev-123456789012-us-east-1";
    for (bucket, key, said) in [
        ("theirs", "in/b", "s3://theirs/in/ holds something else than when this was planned"),
        (
            own,
            "data/own/by-hand",
            "holds 1 object that opsctl did not upload, and a training would read: by-hand",
        ),
    ] {
        let (folder, state) = (project(), tempfile::tempdir().expect("a folder"));
        let sandbox = sandbox(state.path()).await;
        let (region, address) = (Some("us-east-1".into()), Some(sandbox.endpoint_url().to_owned()));
        let target =
            aws::connect(&TargetOptions { region, sandbox: address, ..TargetOptions::default() }).await;
        let aws = Clients::new(&target);
        aws.s3.create_bucket().bucket("theirs").send().await.expect("made");
        put(&aws, "in/a", b"1").await;
        let session = Box::pin(opened(&sandbox, folder.path(), text, Folders::Read)).await.expect("it opens");
        let rule = "delay=8s@iam:PutRolePolicy#1x1";
        sandbox.state().faults.extend(vec![rule.parse().expect("a rule")]);
        let intent = Intent::deploy(&session, true, false);
        let (run, who) = (session.run(&intent), LeaseHolder::default());
        let by_hand = async {
            let manifest = aws.s3.head_object().bucket(own).key("data/own.opsctl-manifest.json");
            while manifest.clone().send().await.is_err() {
                tokio::task::yield_now().await;
            }
            let call = aws.s3.put_object().bucket(bucket).key(key).body(b"2".to_vec().into());
            call.send().await.expect("put");
        };
        let (done, ()) = tokio::join!(Box::pin(run.carry_out(&who)), by_hand);
        let failed = done.expect("it begins").outcome.failed;
        let failed: Vec<String> = failed.iter().map(|(id, error)| format!("{id}: {error}")).collect();
        assert!(failed.len() == 1 && failed[0].contains(said), "{failed:?}");
        assert!(failed[0].starts_with("training/t"), "{failed:?}");
        let jobs = session.context.aws.sagemaker.list_training_jobs().send().await.expect("a list");
        assert!(jobs.training_job_summaries().is_empty());
        sandbox.stop().await;
    }
}
