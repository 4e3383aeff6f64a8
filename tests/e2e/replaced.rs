//! An archive that somebody has put in the place of the one that a job left, or of the one that opsctl
//! packed.

use opsctl::aws::Clients;
use opsctl::domain::ResourceId;

use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};
use crate::support::{Beside, World};

const BUCKET: &str = "digits-dev-123456789012-us-east-1";
const TAG: &str = "opsctl:model-etag";

fn archive(root: &str, project: &Project, id: &str) -> String {
    let id: ResourceId = id.parse().expect("an id");
    let job = &project.desired.node(&id).expect("wanted").physical;
    match root {
        "models" => format!("models/{job}/model.tar.gz"),
        _ => format!("{root}/{job}/output/model.tar.gz"),
    }
}

async fn put(aws: &Clients, key: &str, body: Vec<u8>) {
    aws.s3.put_object().bucket(BUCKET).key(key).body(body.into()).send().await.expect("put");
}

async fn get(aws: &Clients, key: &str) -> Vec<u8> {
    let found = aws.s3.get_object().bucket(BUCKET).key(key).send().await.expect("there");
    found.body.collect().await.expect("read").to_vec()
}

/// Wherever it ran: strangers' weights are not packed and not served, and nobody's archive is overwritten.
#[tokio::test(flavor = "multi_thread")]
async fn another_archive_than_the_job_left_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    for (root, id) in [("training", "training/numbers"), ("instances", "instance/numbers-on-ec2")] {
        let key = archive(root, &project, id);
        let own = get(aws, &key).await;
        put(aws, &key, b"theirs".to_vec()).await;
        let refused = project.plan(DEPLOY).await.expect_err("whose weights are these?");
        assert!(refused.contains("E245") && refused.contains("somebody has replaced"), "{refused}");
        assert_eq!(get(aws, &key).await, b"theirs");
        // The same bytes again are the same archive.
        put(aws, &key, own).await;
        assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
        put(aws, &key, b"theirs".to_vec()).await;
        assert!(!project.plan(DESTROY).await.expect("planned").is_empty());
        // Deleted, it is one that is gone, as ever.
        aws.s3.delete_object().bucket(BUCKET).key(&key).send().await.expect("deleted");
        project.succeed(DEPLOY).await;
        assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    }
    sandbox.stop().await;
}

/// A job of an older opsctl has no note: then one archive is as good as another, as it was.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_noted_is_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    let job = &project.desired.node(&"training/numbers".parse().expect("an id")).expect("wanted").physical;
    let arn = format!("arn:aws:sagemaker:us-east-1:123456789012:training-job/{job}");
    aws.sagemaker.delete_tags().resource_arn(arn).tag_keys(TAG).send().await.expect("untagged");
    let key = archive("training", &project, "training/numbers");
    put(aws, &key, b"accepted".to_vec()).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    sandbox.stop().await;
}

/// What opsctl packed itself, it packs again.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_whose_archive_was_replaced_gets_its_own_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    let key = archive("models", &project, "model/numbers");
    let own = get(aws, &key).await;
    put(aws, &key, b"theirs".to_vec()).await;
    let plan = project.plan(DEPLOY).await.expect("planned");
    let why: Vec<&str> = plan.steps.iter().flat_map(|step| &step.why).map(String::as_str).collect();
    assert_eq!(why, ["archive: replaced by somebody -> packed again"]);
    project.succeed(DEPLOY).await;
    assert_eq!(get(aws, &key).await, own);
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    sandbox.stop().await;
}

/// Nobody is handed weights of which nobody knows whose they are.
#[test]
fn a_replaced_archive_is_not_pulled() {
    let world = World::shipped().sandbox();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let sandbox = sandbox(&world.sandbox_folder()).await;
        let project = Project::open(&sandbox).await;
        project.succeed(DEPLOY).await;
        for (root, id) in [("training", "training/numbers"), ("instances", "instance/numbers-on-ec2")] {
            put(&project.world.aws, &archive(root, &project, id), b"theirs".to_vec()).await;
        }
        sandbox.stop().await;
    });
    let _beside = Beside::start(&world, &[]);
    for job in ["training/numbers", "training/numbers-on-ec2"] {
        let pull = ["-c", "config/opsctl.toml", "model", "pull", job, "--to", "pulled.tar.gz"];
        let _ = world.run(pull).ended(1).says("E245").says("delete the object");
        assert!(!world.path("pulled.tar.gz").exists());
    }
    let status = world.run(["-c", "config/opsctl.toml", "status"]).success();
    assert!(status.stdout.contains("somebody has replaced its model.tar.gz"), "{status}");
}
