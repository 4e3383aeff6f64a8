//! Green only when green: what a run says, writes and leaves behind when something is in its way.

use std::fs::File;
use std::io::{PipeWriter, pipe};
use std::path::Path;
use std::time::Duration;

use opsctl::aws::{OpErrorKind, OpResult, SdkResultExt};
use opsctl::domain::KindName;
use opsctl::engine::lease::{self, Lease, LeaseHolder, LeaseTiming};
use opsctl::engine::{self, Cause, Event, Events, OpCx, Probe, RunResult};
use opsctl::plan::Mode;
use opsctl::run::{Difference, Host, Refusal, Run, Verified};
use opsctl_sandbox::Sandbox;
use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::World;
use crate::support::inside::{DEPLOY, Project, sandbox};

const DESTROY: Mode = Mode::Destroy { adopted: false };

const BUCKET: &str = "[project]\nname = \"streams\"\nregion = \"us-east-1\"\n";

/// A pipe whose reader has ended.
fn closed() -> PipeWriter {
    pipe().expect("a pipe").1
}

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("this is Linux")
}

/// Nothing that could not be said is a success: not to a full disk, not to a reader that ended.
#[test]
fn what_could_not_be_written_is_not_done() {
    let world = World::with_config(BUCKET).sandbox();
    for command in [&["explain"][..], &["--help"], &["schema"], &["plan"], &["check"]] {
        assert!(world.run_into(command.iter().copied(), full()).ended(1).stderr.contains("E215"));
        let ran = world.run_into(command.iter().copied(), closed()).ended(141);
        assert!(!ran.stderr.contains("error"), "a reader may leave: {ran}");
    }
    // What was asked for by an exit code is answered by it, whoever reads.
    let changes = ["plan", "--detailed-exitcode", "-o", "json"];
    let _ = world.run_into(changes, closed()).ended(2);
    // A plan that nobody could see is not carried out.
    let role = json!({"RoleName": "all", "Arn": "arn:aws:iam::123456789012:role/all", "Path": "/",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
        "RolePolicyList": [{"PolicyName": "all", "PolicyDocument": {"Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}]});
    let file = World::empty();
    file.write("dump.json", &json!({"RoleDetailList": [role], "Policies": []}).to_string());
    let audit = ["audit-iam", "--input", "dump.json", "--fail-on", "high"];
    let _ = file.run(audit).ended(2);
    let _ = file.run_into(audit, closed()).ended(2);
    assert!(file.run_into(audit, full()).ended(1).stderr.contains("E215"));
    let ran = world.run_into(["deploy", "--yes"], full()).ended(1).says("E215");
    let _ = ran.says("the empty bucket `");
    let _ = world.run(changes).ended(2);
    // What has begun continues to its end without its reader.
    let _ = world.run_into(["deploy", "--yes", "-o", "json"], closed()).ended(141);
    let _ = world.run(changes).success();
}

fn flow(project: &Project, mode: Mode) -> Run<'_> {
    let Project { kinds, registry, desired, world } = project;
    Run { context: world, registry, kinds, desired, mode, whole: true, gates: None, host: Host::Other }
}

fn who(user: &str) -> LeaseHolder {
    LeaseHolder { user: user.into(), host: "test".into(), process: 7 }
}

async fn take(project: &Project, user: &str, terms: LeaseTiming) -> OpResult<Lease> {
    let bucket = project.world.wanted(KindName::Bucket).next().expect("there is a bucket");
    lease::acquire(&project.world, bucket, &who(user), terms).await
}

/// What others see of the lease.
async fn holder(project: &Project) -> Option<String> {
    let bucket = project.world.wanted(KindName::Bucket).next().expect("there is a bucket");
    lease::read(&project.world.aws, bucket).await.expect("it can be read").map(|found| found.who())
}

async fn strike(sandbox: &Sandbox, rule: &str) {
    sandbox.state().faults.extend(vec![rule.parse().expect("a rule")]);
}

/// Puts something else where the lease lies, as nobody's fence allows.
async fn overwrite(project: &Project, body: &'static str) {
    let bucket = project.world.wanted(KindName::Bucket).next().expect("there is a bucket");
    let put = project.world.aws.s3.put_object().bucket(bucket).key(lease::KEY);
    put.body(body.as_bytes().to_vec().into()).send().await.expect("nobody guards it");
}

/// A run on another machine: it shares the bucket and no folder.
async fn elsewhere(sandbox: &Sandbox, folder: &Path, edit: impl FnOnce(String) -> String) -> Project {
    let mut project = Project::edited(sandbox, edit).await;
    project.world.cache = folder.join("elsewhere");
    project
}

fn scaled(max: &str) -> impl FnOnce(String) -> String {
    move |text| {
        assert!(text.contains("\nmax = 4"), "the shipped config scales to 4");
        text.replace("\nmax = 4", &format!("\nmax = {max}"))
    }
}

/// The lease lies in the bucket, so a config with another bucket's name must not get round a run that is
/// under way with the old one.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_under_the_buckets_old_name_keeps_others_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let renamed = |text: String| {
        let from = "# name = \"my-files\"";
        assert!(text.contains(from));
        text.replace(from, "name = \"digits-dev-files\"")
    };
    let other = elsewhere(&sandbox, folder.path(), renamed).await;
    let (plan, have) = flow(&other, DESTROY).plan().await.expect("planned");
    assert!(plan.steps.iter().any(|step| step.target.kind == KindName::Bucket), "the old one is to go");
    let held = take(&project, "ann", LeaseTiming::default()).await.expect("free");
    let gated = flow(&other, DESTROY).gate(plan, have).await.expect("it has no gates");
    match flow(&other, DESTROY).begin(gated, &who("bob"), false).await {
        Err(Refusal::Lease(error)) => assert_eq!(error.kind, OpErrorKind::LeaseHeld, "{error}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("ann holds the lease"),
    }
    held.release().await.expect("still ours");
    let (plan, have) = flow(&other, DESTROY).plan().await.expect("planned");
    let gated = flow(&other, DESTROY).gate(plan, have).await.expect("it has no gates");
    let begun = flow(&other, DESTROY).begin(gated, &who("bob"), false).await.expect("free");
    begun.release().await;
    sandbox.stop().await;
}

/// A bucket whose name the config had once is found by its tags, whatever the name: its lease counts, and it
/// goes with the project.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_another_name_is_not_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let named = |text: String| text.replace("# name = \"my-files\"", "name = \"all-my-files\"");
    let before = elsewhere(&sandbox, &folder.path().join("a"), named).await;
    before.succeed(DEPLOY).await;
    let now = elsewhere(&sandbox, &folder.path().join("b"), |text| text).await;
    let held = take(&before, "ann", LeaseTiming::default()).await.expect("free");
    let (plan, have) = flow(&now, DEPLOY).plan().await.expect("planned");
    assert!(have.leftovers.iter().any(|left| left.physical == "all-my-files"), "{:?}", have.leftovers);
    let gated = flow(&now, DEPLOY).gate(plan, have).await.expect("it has no gates");
    let refused = flow(&now, DEPLOY).begin(gated, &who("bob"), false).await.err();
    assert!(matches!(refused, Some(Refusal::Lease(_))), "ann holds the lease: {refused:?}");
    held.release().await.expect("still ours");
    now.succeed(DESTROY).await;
    let left = now.world.aws.s3.list_buckets().send().await.expect("listed");
    assert_eq!(
        left.buckets().iter().filter_map(|bucket| bucket.name()).collect::<Vec<_>>(),
        Vec::<&str>::new()
    );
    sandbox.stop().await;
}

/// Of two first deploys one wins, and before that neither has made more than the empty bucket. A plan that
/// was shown must still be true under the lease.
#[tokio::test(flavor = "multi_thread")]
async fn one_writer_from_the_first_deploy_on_and_only_what_was_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let (a, b) = (Project::open(&sandbox).await, elsewhere(&sandbox, folder.path(), |text| text).await);
    let (ours, theirs) = (flow(&a, DEPLOY), flow(&b, DEPLOY));
    let (first, have) = ours.plan().await.expect("planned");
    let (late, had) = theirs.plan().await.expect("planned");
    let held = ours.lease(&first, &have, &who("ann")).await.expect("free").expect("there is a bucket");
    let error = theirs.lease(&late, &had, &who("bob")).await.expect_err("ann has it");
    assert_eq!(error.kind, OpErrorKind::LeaseHeld);
    assert!(
        error.message.contains("ann@test, process 7, since 2") && error.message.contains("expires in"),
        "{error}"
    );
    let writes = |project: &Project| -> Vec<String> {
        let all = project.world.aws.calls.by_operation().into_keys();
        all.filter(|call| {
            !call.contains(":Get")
                && !call.contains(":List")
                && !call.contains(":Describe")
                && !call.contains(":Head")
        })
        .collect()
    };
    assert_eq!(writes(&a), ["S3:CreateBucket", "S3:PutObject"]);
    assert_eq!(writes(&b), ["S3:CreateBucket", "S3:PutObject"]);
    // The bucket that was made for the lease is what was shown as to be made.
    let (plan, _) = ours.plan_again(&first, true).await.expect("nothing changed");
    assert_eq!(opsctl::run::differences(&first, &plan), [] as [Difference; 0]);
    let outcome = engine::execute(&plan, &a.registry, &a.world).await;
    assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
    assert!(matches!(ours.verify(&plan).await, Verified::AsWanted));
    held.release().await.expect("ours to the end");
    assert_eq!(holder(&a).await, None);

    // Two plans are shown; the second is carried out, so the first is not what was shown any more.
    let (six, seven) =
        (Project::edited(&sandbox, scaled("6")).await, Project::edited(&sandbox, scaled("7")).await);
    let waits = flow(&six, DEPLOY);
    let (shown, have) = waits.plan().await.expect("planned");
    seven.succeed(DEPLOY).await;
    let held = waits.lease(&shown, &have, &who("ann")).await.expect("free").expect("there is a bucket");
    let before = six.world.aws.calls.total().writes;
    let Err(Refusal::Changed(different)) = waits.plan_again(&shown, true).await else { panic!("it changed") };
    assert_eq!(Difference::texts(&different), ["to update autoscaling/numbers in another way"]);
    assert_eq!(six.world.aws.calls.total().writes, before);
    // Whoever was shown nothing gets what is right now.
    assert!(waits.plan_again(&shown, false).await.is_ok());
    held.release().await.expect("ours to the end");
    sandbox.stop().await;
}

/// What lost its lease, or slept over it, writes nothing; neither does it touch the lease of another.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_fences() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let a = Project::open(&sandbox).await;
    a.succeed(DEPLOY).await;
    // It slept: nothing goes out, until it is confirmed.
    let short = Duration::from_millis(100);
    let sleeper =
        LeaseTiming { margin: LeaseTiming::default().life.saturating_sub(short), ..LeaseTiming::default() };
    let held = take(&a, "ann", sleeper).await.expect("free");
    let stop = || a.world.aws.sagemaker.delete_model().model_name("nobody").send();
    while a.world.aws.fence.check().is_ok() {
        tokio::task::yield_now().await;
    }
    let error = stop()
        .await
        .op(opsctl::domain::action::sagemaker::DeleteModel)
        .expect_err("nobody knows whose the lease is");
    assert_eq!(error.kind, OpErrorKind::LeaseLost, "{error}");
    a.world.aws.fence.ready().await.expect("it is still ours");
    held.release().await.expect("ours to the end");

    // Somebody else takes it over, and nobody notices before the end: that is not success either.
    let held = take(&a, "ann", LeaseTiming::default()).await.expect("free");
    overwrite(&a, "{}").await;
    assert!(held.release().await.expect_err("it was not ours").to_string().contains("lost to somebody"));
    sandbox.state().clock.advance(LeaseTiming::default().life);

    // Somebody else takes it over; the next renewal finds out.
    let beating = LeaseTiming { heartbeat: Duration::from_millis(20), ..LeaseTiming::default() };
    let held = take(&a, "ann", beating).await.expect("free");
    let b = Project::edited(&sandbox, scaled("7")).await;
    overwrite(&b, r#"{"token":"b","who":"bob@\u001b[31melsewhere"}"#).await;
    a.world.cancel.drain.cancelled().await;
    assert_eq!(a.world.cancel.cause(), Some(Cause::LeaseLost));
    let writes = a.world.aws.calls.by_operation();
    assert_eq!(
        stop().await.op(opsctl::domain::action::sagemaker::DeleteModel).expect_err("lost").kind,
        OpErrorKind::LeaseLost
    );
    let plan = b.plan(DEPLOY).await.expect("planned");
    let outcome = engine::execute(&plan, &a.registry, &a.world).await;
    assert_eq!((outcome.not_started, outcome.result()), (plan.steps.len(), RunResult::Failed));
    assert_eq!(outcome.lease_lost.expect("it says so").to_string(), "the lease is lost to bob@[31melsewhere");
    assert!(held.release().await.is_err());
    assert_eq!(holder(&b).await.as_deref(), Some("bob@[31melsewhere"), "a lease of another was removed");
    assert_eq!(a.world.aws.calls.by_operation(), writes, "something was sent");
    sandbox.stop().await;
}

/// A lease that is taken away is obeyed by what begins next and by what continues after a wait, long before
/// it would be renewed; one that cannot be confirmed is relied upon as long as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_lease_stops_the_next_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    Project::open(&sandbox).await.succeed(DEPLOY).await;
    let wary = LeaseTiming { fresh: Duration::ZERO, ..LeaseTiming::default() };
    let (waits, begins) =
        (Project::edited(&sandbox, scaled("6")).await, Project::edited(&sandbox, scaled("6")).await);
    let ends = Project::open(&sandbox).await;
    let plan = begins.plan(DEPLOY).await.expect("planned");

    let held = take(&waits, "ann", wary).await.expect("free");
    strike(&sandbox, "fail=InternalError@s3:PutObject#1x0").await;
    waits.world.aws.fence.ready().await.expect("ours for a minute still");
    sandbox.state().faults.clear();
    break_lease(&waits).await;
    let cx = OpCx::new(&waits.world, plan.steps[0].target.clone());
    let second = Duration::from_secs(1);
    let waited = cx.wait("it", second, second, async || Ok(Probe::Ready(()))).await;
    let error = waited.expect_err("the lease is gone");
    assert_eq!(error.kind, OpErrorKind::LeaseLost);
    assert!(waits.world.cancel.caused(&error) && error.to_string().contains("lease break"), "{error}");
    assert!(held.release().await.is_err());

    let held = take(&begins, "bob", wary).await.expect("free");
    break_lease(&begins).await;
    let outcome = engine::execute(&plan, &begins.registry, &begins.world).await;
    assert_eq!((outcome.not_started, outcome.result()), (plan.steps.len(), RunResult::Failed));
    assert!(outcome.lease_lost.is_some() && held.release().await.is_err());

    // Nobody has it at the end, and who had it meanwhile is not known.
    let held = take(&ends, "cid", LeaseTiming::default()).await.expect("free");
    break_lease(&ends).await;
    assert!(held.release().await.expect_err("it was not ours").to_string().contains("lease break"));
    sandbox.stop().await;
}

/// As `opsctl lease break` does.
async fn break_lease(project: &Project) {
    let bucket = project.world.wanted(KindName::Bucket).next().expect("there is a bucket");
    let aws = &project.world.aws;
    let found = lease::read(aws, bucket).await.expect("it can be read").expect("it is held");
    lease::remove(aws, bucket, &found).await.expect("nobody renews it now");
}

/// By S3's clock, whatever is written in it, and whatever happens to answers; a dead run of this machine
/// waits for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_by_s3s_clock() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let a = Project::open(&sandbox).await;
    a.succeed(DEPLOY).await;
    strike(&sandbox, "cut-after@s3:PutObject").await;
    let held = take(&a, "ann", LeaseTiming::default()).await.expect("our own request, sent twice, is ours");
    sandbox.state().faults.clear();
    // As a kill leaves it.
    let far = elsewhere(&sandbox, folder.path(), |text| text).await;
    assert_eq!(
        take(&far, "bob", LeaseTiming::default()).await.expect_err("alive").kind,
        OpErrorKind::LeaseHeld
    );
    drop(held);
    assert_eq!(
        take(&far, "bob", LeaseTiming::default()).await.expect_err("who knows").kind,
        OpErrorKind::LeaseHeld
    );
    let near = Project::open(&sandbox).await;
    take(&near, "ann again", LeaseTiming::default())
        .await
        .expect("its holder is dead")
        .release()
        .await
        .expect("ours");

    // Taking over from a dead run may fail, and be tried again.
    drop(take(&near, "ann", LeaseTiming::default()).await.expect("free"));
    strike(&sandbox, "fail=AccessDenied@s3:PutObject#2").await;
    assert_eq!(
        take(&near, "bob", LeaseTiming::default()).await.expect_err("refused").kind,
        OpErrorKind::Denied
    );
    sandbox.state().faults.clear();
    take(&near, "bob", LeaseTiming::default()).await.expect("still dead").release().await.expect("ours");
    // What could not be deleted with its bucket is given back.
    let held = take(&near, "bob", LeaseTiming::default()).await.expect("free");
    near.world.aws.fence.open();
    held.release().await.expect("ours");
    assert_eq!(holder(&near).await, None);

    for body in ["", "{}", r#"{"expires":99999999999999,"life_s":99999999}"#] {
        overwrite(&far, body).await;
        assert_eq!(
            take(&far, "bob", LeaseTiming::default()).await.expect_err(body).kind,
            OpErrorKind::LeaseHeld
        );
        sandbox.state().clock.advance(Duration::from_secs(91));
        take(&far, "bob", LeaseTiming::default()).await.expect(body).release().await.expect("ours");
    }
    assert_eq!(holder(&far).await, None);
    sandbox.stop().await;
}

/// A look that failed is not a look at nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_seen_is_not_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    Project::open(&sandbox).await.succeed(DEPLOY).await;
    let epochs = |text: String| text.replace("epochs        = 40", "epochs        = 41");
    let project = Project::edited(&sandbox, epochs).await;
    project.succeed(DEPLOY).await;
    let (deploy, destroy) = (flow(&project, DEPLOY), flow(&project, DESTROY));
    let (nothing, have) = deploy.plan().await.expect("planned");
    let old = have.leftovers.iter().find(|l| l.id.kind == KindName::Model).expect("the old model").id.clone();

    strike(&sandbox, "fail=AccessDeniedException@sagemaker:DescribeModel#2x0").await;
    let Err(Refusal::Problems(problems)) = destroy.plan().await else {
        panic!("the old model cannot be seen")
    };
    assert!(problems.0.iter().any(|problem| problem.message.contains(&old.name)), "{problems:?}");
    sandbox.state().faults.clear();
    strike(&sandbox, "fail=AccessDeniedException@sagemaker:DescribeModel#2x0").await;
    let (_, have) = deploy.plan().await.expect("what is wanted can be seen");
    assert_eq!(have.unread.iter().map(|(id, ..)| id).collect::<Vec<_>>(), [&old]);
    // A run for a part of the config is told of what it is about.
    sandbox.state().faults.clear();
    strike(&sandbox, "fail=AccessDeniedException@sagemaker:DescribeModel#2x0").await;
    let (_, have) = Run { whole: false, ..flow(&project, DEPLOY) }.plan().await.expect("planned");
    assert_eq!(have.unread.iter().map(|(id, ..)| id).collect::<Vec<_>>(), [&old]);
    sandbox.state().faults.clear();

    strike(&sandbox, "fail=AccessDenied@iam:GetRole#1x0").await;
    let verified = deploy.verify(&nothing).await;
    assert!(matches!(verified, Verified::Unread(Refusal::Problems(_))), "{verified:?}");
    sandbox.state().faults.clear();
    assert!(matches!(deploy.verify(&nothing).await, Verified::AsWanted));

    // Who reads the events is told, too.
    let mut other = Project::edited(&sandbox, epochs).await;
    let (sender, mut told) = unbounded_channel();
    other.world.events = Events::to(sender);
    strike(&sandbox, "fail=AccessDeniedException@sagemaker:DescribeModel#2x0").await;
    let done = flow(&other, DEPLOY).carry_out(&who("ann")).await.expect("what is wanted can be seen");
    assert!(done.is_ok(), "{done:?}");
    let told: Vec<Event> = std::iter::from_fn(|| told.try_recv().ok()).collect();
    let is_told = |event: &Event| matches!(event, Event::Unread { target, .. } if *target == old);
    assert!(told.iter().any(is_told), "{told:?}");
    sandbox.state().faults.clear();

    // The last lines of a function make its log group again.
    let (plan, have) = destroy.plan().await.expect("planned");
    let held = destroy.lease(&plan, &have, &who("ann")).await.expect("free").expect("there is a bucket");
    let outcome = engine::execute(&plan, &project.registry, &project.world).await;
    assert!(outcome.failed.is_empty() && outcome.lease_lost.is_none(), "{:?}", outcome.failed);
    let group = plan
        .steps
        .iter()
        .find(|s| s.target.kind == KindName::LogGroup)
        .expect("a log group")
        .physical
        .clone();
    let logs = &project.world.aws.logs;
    logs.create_log_group().log_group_name(&group).send().await.expect("as AWS does");
    assert!(matches!(destroy.verify(&plan).await, Verified::AsWanted));
    let left =
        logs.describe_log_groups().log_group_name_prefix(&group).send().await.expect("they can be listed");
    assert!(left.log_groups().is_empty(), "{left:?}");
    held.release().await.expect("ours to the end");
    sandbox.stop().await;
}

/// Who holds it, and how it is taken away.
#[test]
fn a_lease_is_shown_and_broken() {
    let world = World::with_config(BUCKET).sandbox();
    world.run(["lease", "show"]).success().says("Nobody holds the lease.");
    let _ = world.run(["deploy", "--yes"]).success();
    assert_eq!(world.run(["lease", "show", "-o", "json"]).success().json()["held"], false);
    // Nobody need be asked.
    let _ = world.run(["lease", "break"]).success();
    world.run(["lease", "break", "--yes"]).success().says("Nobody holds the lease.");
}
