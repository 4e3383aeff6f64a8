//! Fails every call of a deploy in turn, and demands that running again converges (docs/decisions/0022).

use futures_util::{StreamExt, stream};
use opsctl_sandbox::faults::Rule;

use crate::support::inside::{DEPLOY, Project, sandbox};

/// Nobody retries it: what was made until then stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_survives_a_refusal_of_every_call() {
    strike_every_call(&["fail=AccessDenied"]).await;
}

/// The SDK retries these.
#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_survives_an_accident_at_every_call() {
    strike_every_call(&["throttle", "fail", "cut-after"]).await;
}

/// Deploys once per call that a deploy makes, with that call struck by the faults in turn.
async fn strike_every_call(faults: &[&str]) {
    let calls = {
        let folder = tempfile::tempdir().expect("a folder");
        let sandbox = sandbox(folder.path()).await;
        let project = Project::open(&sandbox).await;
        project.succeed(DEPLOY).await;
        let total = project.world.aws.calls.total();
        sandbox.stop().await;
        total.reads + total.writes
    };
    assert!(calls > 100, "a deploy of every kind makes many calls, not {calls}");
    // Most of the time passes in backoffs, so some go side by side.
    stream::iter(1..=calls)
        .for_each_concurrent(4, |call| async move {
            let fault = faults[call as usize % faults.len()];
            // The order of parallel calls differs a little, so the last few may not be reached.
            strike(call, fault, call + 20 < calls).await;
        })
        .await;
}

async fn strike(call: u64, fault: &str, surely: bool) {
    let rule: Rule = format!("{fault}@*#{call}").parse().expect("a rule");
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    sandbox.world().faults.extend(vec![rule]);
    // It may fail or not; what counts is what is left behind.
    let _ = project.run(DEPLOY).await;
    if surely {
        assert_eq!(sandbox.world().faults.hits(), 1, "call {call} was struck by {fault}");
    }
    sandbox.world().faults.clear();
    let again = project.run(DEPLOY).await.unwrap_or_else(|e| panic!("call {call}, {fault}: {e}"));
    assert!(again.failed.is_empty(), "call {call}, {fault}: {:?}", again.failed);
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "call {call}, {fault}");
    sandbox.stop().await;
}

/// What cannot be read is what it is: throttled or broken is not denied, and may be run again.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_fails_says_how() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    for (fault, code) in [
        ("fail=AccessDenied@iam:GetRole#1x0", "E202"),
        ("throttle@iam:GetRole#1x0", "E207"),
        ("fail=InternalFailure@sagemaker:DescribeEndpoint#1x0", "E237"),
    ] {
        sandbox.world().faults.extend(vec![fault.parse().expect("a rule")]);
        let problems = project.plan(DEPLOY).await.expect_err("it cannot be read");
        assert!(problems.contains(code), "{fault}: {problems}");
        sandbox.world().faults.clear();
    }
    sandbox.stop().await;
}

/// Speed is a feature: what a plan reads depends on the number of resources, and it waits for few answers in
/// turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_reads_in_at_most_four_round_trips() {
    const LATENCY: std::time::Duration = std::time::Duration::from_millis(400);
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::open(&sandbox).await;
    project.succeed(DEPLOY).await;
    let before = project.world.aws.calls.total();
    let rule: Rule = format!("delay={}ms@*#1x0", LATENCY.as_millis()).parse().expect("a rule");
    sandbox.world().faults.extend(vec![rule]);
    let start = std::time::Instant::now();
    project.plan(DEPLOY).await.expect("planned");
    let trips = start.elapsed().as_secs_f64() / LATENCY.as_secs_f64();
    // GetCallerIdentity, made by the session before, is the fourth.
    assert!(trips < 4.0, "{trips:.1} round trips");
    let reads = project.world.aws.calls.total().reads - before.reads;
    assert_eq!(project.world.aws.calls.total().writes, before.writes);
    assert!(reads < 6 * project.desired.nodes.len() as u64, "{reads} reads");
    sandbox.stop().await;
}
