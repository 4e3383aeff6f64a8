//! One job, one instance: however slowly EC2 shows it, and whenever opsctl is killed.

use std::path::Path;
use std::time::Duration;

use aws_sdk_ec2::types::InstanceStateName;
use futures_util::join;
use opsctl::aws::OpErrorKind;
use opsctl::desired::Node;
use opsctl::domain::KindName;
use opsctl::plan::{Mode, Op};
use opsctl_sandbox::{Sandbox, SandboxOptions, StatePace};

use crate::support::inside::{self, DEPLOY, DESTROY, Project, perform};

/// As `opsctl sandbox serve` has its times: an instance shows after two seconds of its clock, and runs after
/// fifteen.
async fn realistic(root: &Path, speed: f64) -> Sandbox {
    let mut options = SandboxOptions::new(root);
    options.runs = false;
    options.pace = StatePace::Realistic;
    options.speed = speed;
    Sandbox::start(options).await.expect("the sandbox starts")
}

/// The training on EC2 alone, with what it needs.
async fn open(sandbox: &Sandbox) -> Project {
    let mut project = Project::open(sandbox).await;
    project.desired = project.desired.only(|node| node.id.kind == KindName::Instance, true);
    project
}

fn job(project: &Project) -> &Node {
    project.desired.nodes.iter().find(|node| node.id.kind == KindName::Instance).expect("a job")
}

async fn instances(project: &Project) -> Vec<InstanceStateName> {
    let found = project.world.aws.ec2.describe_instances().send().await.expect("a list");
    let all = found.reservations().iter().flat_map(|r| r.instances());
    all.filter_map(|i| i.state()?.name().cloned()).collect()
}

/// A first run that is killed as soon as RunInstances has answered.
async fn killed_at_the_start(sandbox: &Sandbox) -> Project {
    let project = open(sandbox).await;
    let needs = project.desired.only(|node| node.id.kind != KindName::Instance, true);
    let mut ground = open(sandbox).await;
    ground.desired = needs;
    ground.succeed(DEPLOY).await;
    // A new instance profile is unknown to EC2 for some seconds.
    sandbox.state().clock.advance(Duration::from_secs(60));
    project.world.cancel.drain.cancel();
    let node = job(&project);
    let error = perform(&project, node, Op::Create { spec: node.spec.clone() }).await.expect_err("it waits");
    assert_eq!(error.kind, OpErrorKind::Cancelled, "{error}");
    assert_eq!(sandbox.state().calls.of("ec2:RunInstances"), 1);
    open(sandbox).await
}

/// Lets time pass when so many instances have been asked for.
async fn after_launch(sandbox: &Sandbox, launches: u64, seconds: u64) {
    while sandbox.state().calls.of("ec2:RunInstances") < launches {
        tokio::task::yield_now().await;
    }
    sandbox.state().clock.advance(Duration::from_secs(seconds));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_passes_at_the_first_try_where_instances_show_late() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = realistic(folder.path(), 20.0).await;
    let project = open(&sandbox).await;
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    assert_eq!(instances(&project).await.len(), 1);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_at_the_start_is_repeated_with_one_instance() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = realistic(folder.path(), 0.1).await;
    let project = killed_at_the_start(&sandbox).await;
    assert_eq!(instances(&project).await, [], "it shows already: nothing is tried");
    let plan = project.plan(DEPLOY).await.expect("it can be planned");
    let steps: Vec<String> =
        plan.steps.iter().map(|s| format!("{} {}: {:?}", s.op.verb().as_str(), s.target, s.why)).collect();
    assert_eq!(steps, ["update instance/numbers-on-ec2: [\"status: NotStarted -> ready\"]"]);
    join!(project.succeed(DEPLOY), after_launch(&sandbox, 2, 120));
    assert_eq!(instances(&project).await.len(), 1);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_just_started_is_destroyed_with_its_instance() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = realistic(folder.path(), 20.0).await;
    let project = killed_at_the_start(&sandbox).await;
    // It shows only now, or on a slow machine already.
    project.succeed(Mode::Destroy { adopted: false }).await;
    assert_eq!(instances(&project).await, [InstanceStateName::Terminated]);
    sandbox.stop().await;
}

/// An instance costs money whether or not its folder is there.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_folder_was_emptied_is_found_and_destroyed() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = realistic(folder.path(), 20.0).await;
    let project = killed_at_the_start(&sandbox).await;
    sandbox.state().clock.advance(Duration::from_secs(60));
    let (s3, bucket) = (&project.world.aws.s3, "digits-dev-123456789012-us-east-1");
    let record = format!("instances/{}/job.json", job(&project).physical);
    s3.delete_object().bucket(bucket).key(record).send().await.expect("deleted");
    // Its fingerprint is another one by now.
    let mut project = Project::edited(&sandbox, |text| text.replace("epochs = 40", "epochs = 41")).await;
    project.desired = project.desired.only(|node| node.id.kind == KindName::Instance, true);
    let plan = project.plan(Mode::Destroy { adopted: false }).await.expect("planned");
    assert!(plan.steps.iter().any(|step| step.target.kind == KindName::Instance), "{:?}", plan.steps);
    project.succeed(Mode::Destroy { adopted: false }).await;
    assert_eq!(instances(&project).await, [InstanceStateName::Terminated]);
    sandbox.stop().await;
}

/// Whoever may write to the bucket can spoil a file in it: that costs one job at most, and is no dead end.
/// Whoever takes the tags off takes nothing from AWS's bill: the instance is found by its token, awaited and
/// ended, and no second one is started beside it.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_its_tags_is_found_and_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = realistic(folder.path(), 0.01).await;
    let project = killed_at_the_start(&sandbox).await;
    // It shows, and does not run yet.
    sandbox.state().clock.advance(Duration::from_secs(5));
    let ec2 = &project.world.aws.ec2;
    let found = ec2.describe_instances().send().await.expect("a list");
    let id = found.reservations()[0].instances()[0].instance_id().expect("an id").to_owned();
    ec2.delete_tags().resources(&id).send().await.expect("untagged");
    let left = ec2.describe_instances().instance_ids(&id).send().await.expect("there");
    assert!(left.reservations()[0].instances()[0].tags().is_empty());
    let plan = project.plan(DEPLOY).await.expect("planned");
    let why: Vec<&str> = plan.steps.iter().flat_map(|step| &step.why).map(String::as_str).collect();
    assert_eq!(why, ["status: pending -> ready"]);
    let ended = async {
        while sandbox.state().calls.of("ec2:TerminateInstances") == 0 {
            tokio::task::yield_now().await;
        }
        sandbox.state().clock.advance(Duration::from_secs(300));
    };
    join!(project.succeed(Mode::Destroy { adopted: false }), ended);
    assert_eq!(instances(&project).await, [InstanceStateName::Terminated]);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_spoiled_is_named_and_holds_nothing_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = realistic(folder.path(), 20.0).await;
    let project = killed_at_the_start(&sandbox).await;
    sandbox.state().clock.advance(Duration::from_secs(60));
    let (s3, bucket) = (&project.world.aws.s3, "digits-dev-123456789012-us-east-1");
    let folder = format!("instances/{}", job(&project).physical);
    let spoil = async |file: &str| {
        let body = b"{\"x\":".to_vec();
        let call = s3.put_object().bucket(bucket).key(format!("{folder}/{file}")).body(body.into());
        call.send().await.expect("written");
    };
    let why = async || project.plan(DEPLOY).await.expect("it can be planned").steps[0].why.join(" ");

    spoil("job.json").await;
    project.succeed(DEPLOY).await;
    assert_eq!(sandbox.state().calls.of("ec2:RunInstances"), 1, "the one that runs is awaited");
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "the result decides");
    spoil("output/result.json").await;
    let spoiled = format!("s3://{bucket}/{folder}/output/result.json is not what opsctl wrote there");
    assert!(why().await.contains(&spoiled), "{}", why().await);
    let key = format!("{folder}/output/result.json");
    s3.delete_object().bucket(bucket).key(key).send().await.expect("deleted");
    sandbox.state().clock.advance(Duration::from_secs(120));
    let spoiled = format!("s3://{bucket}/{folder}/job.json is not what opsctl wrote there");
    assert!(why().await.contains(&spoiled), "{}", why().await);

    // As one that is no longer in the config.
    let mut project = Project::edited(&sandbox, |text| text.replace("epochs = 40", "epochs = 41")).await;
    project.desired = project.desired.only(|node| node.id.kind == KindName::Instance, true);
    project.succeed(Mode::Destroy { adopted: false }).await;
    assert_eq!(instances(&project).await, [InstanceStateName::Terminated]);
    assert!(project.observe().await.expect("observed").leftovers.is_empty());
    sandbox.stop().await;
}

/// Failed once, and said once: the next run begins again.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_ends_without_a_result_has_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = realistic(folder.path(), 0.1).await;
    let project = killed_at_the_start(&sandbox).await;
    let waiting = async {
        let outcome = project.run(DEPLOY).await.expect("it can be planned");
        let [(_, error)] = outcome.failed.as_slice() else { panic!("{:?}", outcome.failed) };
        assert!(error.to_string().contains("left no result (Client.UserInitiatedShutdown"), "{error}");
    };
    let ending = async {
        after_launch(&sandbox, 2, 3).await;
        let found = project.world.aws.ec2.describe_instances().send().await.expect("a list");
        let id = found.reservations()[0].instances()[0].instance_id().expect("an id");
        project.world.aws.ec2.terminate_instances().instance_ids(id).send().await.expect("it ends");
        sandbox.state().clock.advance(Duration::from_secs(60));
    };
    join!(waiting, ending);
    let why = project.plan(DEPLOY).await.expect("it can be planned").steps[0].why.join(" ");
    assert!(why.contains("left no result"), "{why}");
    join!(project.succeed(DEPLOY), after_launch(&sandbox, 3, 120));
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    let states = instances(&project).await;
    assert_eq!(states.len(), 2, "{states:?}");
    sandbox.stop().await;
}

/// The project `digits` with the environment `dev` writes names that begin like those of `digits-dev`.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_project_in_a_shared_bucket_is_left_alone() {
    const BUCKET: &str = "shared-files";
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = inside::sandbox(folder.path()).await;
    let shared = |text: String| {
        let from = "# name = \"my-files\"";
        assert!(text.contains(from));
        text.replace(from, &format!("name = \"{BUCKET}\""))
    };
    let other = |text: String| shared(text.replacen("= \"digits\"", "= \"digits-dev\"", 1));
    let (theirs, ours) = (Project::edited(&sandbox, other).await, Project::edited(&sandbox, shared).await);
    theirs.succeed(DEPLOY).await;
    let physical = job(&theirs).physical.clone();
    assert!(physical.starts_with(&ours.world.scope.prefix()), "{physical}");
    let leftovers = async |project: &Project| {
        let have = project.observe().await.expect("observed");
        assert_eq!(have.unread, []);
        have.leftovers.into_iter().map(|leftover| leftover.physical).collect::<Vec<_>>()
    };
    assert_eq!(leftovers(&ours).await, Vec::<String>::new());
    let removed = ours.steps(DESTROY).await;
    assert!(removed.iter().all(|step| !step.contains("instance")), "{removed:?}");

    // Records of older versions do not say whose they are; then the bucket does, once the instance is gone.
    let (s3, key) = (&theirs.world.aws.s3, format!("instances/{physical}/job.json"));
    let read = s3.get_object().bucket(BUCKET).key(&key).send().await.expect("a record");
    let text = read.body.collect().await.expect("a body").to_vec();
    let mut record: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(record["scope"], serde_json::json!({"project": "digits-dev", "environment": "dev"}));
    let fields = record.as_object_mut().expect("an object");
    fields.retain(|field, _| !["scope", "attempt"].contains(&field.as_str()));
    let body = record.to_string().into_bytes().into();
    s3.put_object().bucket(BUCKET).key(&key).body(body).send().await.expect("written");
    assert_eq!(leftovers(&ours).await, Vec::<String>::new());
    // To their own project it is what it was.
    assert_eq!(theirs.steps(DEPLOY).await, Vec::<String>::new());
    let mut theirs = theirs;
    theirs.desired = theirs.desired.only(|node| node.id.kind != KindName::Instance, true);
    assert_eq!(leftovers(&theirs).await, [physical]);
    sandbox.stop().await;
}
