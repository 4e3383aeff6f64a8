//! Strikes calls, and demands that running again converges (docs/decisions/0022). Here one fault at every
//! write and a sample of all others; `tests/bench/sweep.rs` has the whole (docs/reliability.md).

use futures_util::{StreamExt, stream};
use opsctl_sandbox::faults::FaultRule;

use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};
use crate::support::sweep::{Case, FAULTS, Operation, Sweep};

/// One case in so many is struck here.
const SAMPLE: u64 = 400;

/// One fault at every write of every operation, and at every call of `scale`: the process dies when AWS has
/// acted, and before it knows. Of the other looks one in forty: they leave what the write before them left.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_after_every_write_is_survived() {
    let kill: Vec<_> = FAULTS.into_iter().filter(|fault| fault.name == "SIGKILL after").collect();
    assert_eq!(kill.len(), 1);
    for operation in Operation::ALL {
        let sweep = Sweep::of(operation).await;
        let drawn =
            |case: &Case| operation == Operation::Scale || !case.reads() || case.draw().is_multiple_of(40);
        strike(&sweep, sweep.cases(&kill).into_iter().filter(drawn).collect()).await;
    }
}

/// A sample of everything but silence, which takes a minute to be noticed.
#[tokio::test(flavor = "multi_thread")]
async fn a_sample_of_all_operations_with_all_faults_is_survived() {
    let faults: Vec<_> = FAULTS.into_iter().filter(|fault| fault.name != "no answer").collect();
    for operation in Operation::ALL {
        let sweep = Sweep::of(operation).await;
        // What writes is where something can be left.
        let share = |case: &Case| if case.reads() { 4 * SAMPLE } else { SAMPLE / 4 };
        let drawn = |case: &Case| case.draw().is_multiple_of(share(case));
        let cases: Vec<Case> = sweep.cases(&faults).into_iter().filter(drawn).collect();
        assert!(operation == Operation::Scale || !cases.is_empty(), "{operation}");
        strike(&sweep, cases).await;
    }
}

async fn strike(sweep: &Sweep, cases: Vec<Case>) {
    // Most of the time passes in backoffs, so some go side by side.
    let told = stream::iter(cases).map(async |case| (sweep.strike(&case).await, case));
    let told: Vec<_> = told.buffer_unordered(8).collect().await;
    // The order of parallel calls differs a little, so the last few may come too late.
    assert!(told.iter().filter(|(told, _)| !told.struck).count() < 3 + told.len() / 4, "what was struck?");
    let wrong: Vec<String> = told
        .iter()
        .filter(|(told, _)| !told.wrong.is_empty())
        .map(|(told, case)| format!("{case}: {:?}, then {:?}: {:#?}", told.first, told.again, told.wrong))
        .collect();
    let (cases, accounts) = (told.len(), sweep.states());
    assert!(wrong.is_empty(), "{cases} cases left {accounts} accounts\n{}", wrong.join("\n"));
}

/// What cannot be read is what it is: throttled or broken is not denied, and may be run again.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_fails_says_how() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    for (fault, code) in [
        ("fail=AccessDenied@iam:GetRole#1x0", "E202"),
        ("throttle@iam:GetRole#1x0", "E207"),
        ("fail=InternalFailure@sagemaker:DescribeEndpoint#1x0", "E237"),
    ] {
        sandbox.state().faults.extend(vec![fault.parse().expect("a rule")]);
        let problems = project.plan(DEPLOY).await.expect_err("it cannot be read");
        assert!(problems.contains(code), "{fault}: {problems}");
        sandbox.state().faults.clear();
    }
    sandbox.stop().await;
}

/// The SDK repeats a request that had no answer, and none whose answer broke off in its body.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_body_broke_off_is_asked_for_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    let rule = |call| format!("truncate@s3:GetObject#{call}").parse().expect("a rule");
    let faults = &sandbox.state().faults;
    faults.extend((1..200).step_by(4).map(rule).collect());
    project.succeed(DEPLOY).await;
    project.plan(DEPLOY).await.expect("all of it is read");
    let deployed = faults.hits();
    assert!(deployed >= 3, "{deployed}");
    project.succeed(DESTROY).await;
    assert!(faults.hits() > deployed, "the lease and the manifest are read for it");
    sandbox.stop().await;
}

/// Speed is a feature: what a plan reads depends on the number of resources, and it waits for few answers in
/// turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_reads_in_at_most_four_round_trips() {
    // Long beside what the program itself takes, also in a debug build on a busy machine.
    const LATENCY: std::time::Duration = std::time::Duration::from_millis(1_500);
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    project.succeed(DEPLOY).await;
    let before = project.world.aws.calls.total();
    let rule: FaultRule = format!("delay={}ms@*#1x0", LATENCY.as_millis()).parse().expect("a rule");
    sandbox.state().faults.extend(vec![rule]);
    let start = std::time::Instant::now();
    project.plan(DEPLOY).await.expect("planned");
    let trips = start.elapsed().as_secs_f64() / LATENCY.as_secs_f64();
    // GetCallerIdentity, made by the session before, is the fourth. Of a data set that keeps what left its
    // folder, the session reads the manifest besides (docs/decisions/0082): the fifth.
    assert!(trips < 4.0, "{trips:.1} round trips");
    let reads = project.world.aws.calls.total().reads - before.reads;
    assert_eq!(project.world.aws.calls.total().writes, before.writes);
    assert!(reads < 6 * project.desired.nodes.len() as u64, "{reads} reads");
    sandbox.stop().await;
}
