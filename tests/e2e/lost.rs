//! What has lost tags, or was changed where nobody looks: it stays whose it was, and whatever depends on it
//! says so.

use aws_sdk_s3::types::{Tag, Tagging};
use aws_sdk_sagemaker::types::NotebookInstanceLifecycleHook;
use opsctl::aws::{Clients, OpErrorKind};
use opsctl::engine::lease::{self, LeaseHolder, LeaseTiming};
use opsctl::plan::{Mode, Op};
use opsctl::run::{Host, Run};
use opsctl_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};

const ADOPT: Mode = Mode::Deploy { prune: false, adopt: true };
const BUCKET: &str = "digits-dev-123456789012-us-east-1";
const ROLE: &str = "digits-dev-training-numbers-us-east-1";

async fn untag_bucket(aws: &Clients, lost: &[&str]) {
    let found = aws.s3.get_bucket_tagging().bucket(BUCKET).send().await.expect("it has some");
    let kept: Vec<Tag> = found.tag_set.into_iter().filter(|tag| !lost.contains(&tag.key.as_str())).collect();
    let tagging = Tagging::builder().set_tag_set(Some(kept)).build().expect("complete");
    aws.s3.put_bucket_tagging().bucket(BUCKET).tagging(tagging).send().await.expect("put");
}

/// The mark of what was adopted is on it twice: one tag less does not make it ours, to be stripped and
/// deleted.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_adopted_stays_theirs_without_its_tag() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    let aws = &project.world.aws;
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Glue", "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "glue.amazonaws.com" },
    }] });
    let call = aws.iam.create_role().role_name(ROLE).path("/opsctl/digits/dev/");
    call.assume_role_policy_document(trust.to_string()).send().await.expect("made");
    let allow = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*" },
    ] });
    let call = aws.iam.put_role_policy().role_name(ROLE).policy_name("precious");
    call.policy_document(allow.to_string()).send().await.expect("put");
    project.succeed(ADOPT).await;
    for tag in ["opsctl:adopted", "opsctl:resource"] {
        aws.iam.untag_role().role_name(ROLE).tag_keys(tag).send().await.expect("untagged");
        if tag == "opsctl:adopted" {
            assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
        } else {
            let refused = project.plan(DEPLOY).await.expect_err("nobody knows whose it is");
            assert!(refused.contains("has lost tags"), "{refused}");
        }
    }
    project.succeed(ADOPT).await;
    project.succeed(DESTROY).await;
    let left = aws.iam.list_role_policies().role_name(ROLE).send().await.expect("the role is theirs");
    assert_eq!(left.policy_names(), ["precious"]);
    sandbox.stop().await;
}

/// What opsctl made is taken back as that: a destroy deletes it.
#[tokio::test(flavor = "multi_thread")]
async fn what_opsctl_made_is_not_adopted_because_of_a_lost_tag() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let aws = &project.world.aws;
    untag_bucket(aws, &["opsctl:project"]).await;
    aws.iam.untag_role().role_name(ROLE).tag_keys("opsctl:environment").send().await.expect("untagged");
    project.succeed(ADOPT).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    let plan = project.plan(DESTROY).await.expect("planned");
    for id in ["bucket/main", "role/training-numbers"] {
        let step = plan.steps.iter().find(|step| step.target.to_string() == id);
        assert_eq!(step.map(|step| &step.op), Some(&Op::Delete), "{id}");
    }
    sandbox.stop().await;
}

/// A tagging script takes tags off the bucket while somebody deploys: the lease in it is no less held.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_without_its_tags_is_locked_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let (a, b) = (Project::open(&sandbox).await, Project::open(&sandbox).await);
    a.succeed(DEPLOY).await;
    let who = |user: &str| LeaseHolder { user: user.into(), host: "test".into(), process: 7 };
    let held = lease::acquire(&a.world, BUCKET, &who("ann"), LeaseTiming::default()).await.expect("free");
    let Project { kinds, registry, desired, world } = &b;
    let run = Run {
        context: world,
        registry,
        kinds,
        desired,
        mode: DESTROY,
        whole: true,
        gates: None,
        host: Host::Other,
    };
    for lost in [&["opsctl:environment"][..], &["opsctl:project", "opsctl:resource"]] {
        untag_bucket(&a.world.aws, lost).await;
        let (plan, have) = run.plan().await.expect("planned");
        assert!(!plan.is_empty(), "all but the bucket is to go");
        let refused = run.lease(&plan, &have, &who("bob")).await.expect_err("ann has it");
        assert_eq!(refused.kind, OpErrorKind::LeaseHeld, "{lost:?}");
        let refused = opsctl::run::leased(world, &who("bob")).await.expect_err("ann has it");
        assert_eq!(refused.kind, OpErrorKind::LeaseHeld, "{lost:?}");
    }
    held.release().await.expect("ours to the end");
    sandbox.stop().await;
}

/// The shipped project with another recipe, so that it trains again.
async fn trains_again(sandbox: &Sandbox) -> Project {
    Project::edited(sandbox, |text| {
        assert!(text.contains("epochs"));
        text.replacen("epochs", "more_epochs", 1)
    })
    .await
}

/// What nobody uploaded would be trained on, whether the data set has its manifest or not.
#[tokio::test(flavor = "multi_thread")]
async fn data_of_others_is_found_before_a_training_reads_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let s3 = &project.world.aws.s3;
    let other = trains_again(&sandbox).await;
    let put = async |key: &str, text: &str| {
        let body = text.as_bytes().to_vec().into();
        s3.put_object().bucket(BUCKET).key(key).body(body).send().await.expect("put");
    };
    let refused = async |file: &str| {
        let refused = other.plan(DEPLOY).await.expect_err("it would be trained on");
        assert!(refused.contains("E203") && refused.contains(file), "{refused}");
    };
    // One that left the folder and stays in the bucket, replaced by somebody.
    let key = "data/digits.opsctl-manifest.json";
    let found = s3.get_object().bucket(BUCKET).key(key).send().await.expect("there");
    let manifest = found.body.collect().await.expect("read").into_bytes();
    let mut more: Value = serde_json::from_slice(&manifest).expect("JSON");
    let files = more["files"].as_object_mut().expect("a table");
    let one = files.values().next().expect("a file").clone();
    files.insert("left.csv".to_owned(), one);
    put(key, &more.to_string()).await;
    put("data/digits/left.csv", "replaced").await;
    refused("left.csv").await;
    // The same beside an upload that was killed.
    for file in std::fs::read_dir(sandbox.state().root.join("cache")).expect("a cache").flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if let Some(set) = name.strip_prefix("manifest-") {
            let journal = file.path().with_file_name(format!("journal-{set}"));
            std::fs::write(journal, "{\"opened\":{}}\n").expect("written");
        }
    }
    refused("left.csv").await;
    // No manifest, and something that is not of the folder.
    s3.delete_object().bucket(BUCKET).key(key).send().await.expect("deleted");
    refused("left.csv").await;
    s3.delete_object().bucket(BUCKET).key("data/digits/left.csv").send().await.expect("deleted");
    let steps = other.steps(DEPLOY).await;
    assert!(steps.contains(&"create data/digits".to_owned()), "{steps:?}");
    other.succeed(DEPLOY).await;
    sandbox.stop().await;
}

/// A script that runs as root at a notebook's creation is none of ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_script_of_the_notebook_is_taken_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let sagemaker = &project.world.aws.sagemaker;
    let hook = NotebookInstanceLifecycleHook::builder().content("bHM=").build();
    let call = sagemaker.update_notebook_instance_lifecycle_config().on_create(hook);
    call.notebook_instance_lifecycle_config_name("digits-dev-lab").send().await.expect("put");
    assert_eq!(project.steps(DEPLOY).await, ["update notebook/lab"]);
    project.succeed(DEPLOY).await;
    let call = sagemaker.describe_notebook_instance_lifecycle_config();
    let found = call.notebook_instance_lifecycle_config_name("digits-dev-lab").send().await.expect("there");
    assert!(found.on_create().is_empty() && !found.on_start().is_empty(), "{found:?}");
    sandbox.stop().await;
}
