//! A project that ends itself: EventBridge Scheduler, played by the sandbox with a clock that is moved by
//! hand.

use std::time::Duration;

use opsctl::domain::{KindName, Phase};
use opsctl::engine::OpCx;
use opsctl::plan::Observation;
use opsctl_sandbox::Sandbox;
use opsctl_sandbox::services::scheduler::fire_due;

use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};

const ENDED: [&str; 4] = [
    "create autoscaling/numbers",
    "create concurrency/classify",
    "create endpoint/numbers",
    "update schedule/ttl",
];

/// Time passes, and what is due is fired; what that takes is done a minute later.
async fn pass(sandbox: &Sandbox, minutes: u64) {
    sandbox.state().clock.advance(Duration::from_secs(minutes * 60));
    fire_due(sandbox.state()).await;
    sandbox.state().clock.advance(Duration::from_secs(60));
}

async fn steps(project: &Project) -> Vec<String> {
    let mut steps = project.steps(DEPLOY).await;
    steps.sort();
    steps
}

async fn phase(project: &Project, kind: KindName) -> Option<Phase> {
    let have = project.observe().await.expect("it can be read");
    let node = project.desired.nodes.iter().find(|node| node.id.kind == kind).expect("it is wanted");
    match have.observations.get(&node.id) {
        Some(Observation::Present(seen)) => Some(seen.status().phase),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_ends_by_itself_and_a_deploy_makes_it_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    Project::whole(&sandbox).await.succeed(DEPLOY).await;
    let soon = Project::whole(&sandbox).await;
    assert_eq!(soon.steps(DEPLOY).await, Vec::<String>::new(), "a moment later there is nothing to renew");

    // Each deploy renews it.
    pass(&sandbox, 7 * 60).await;
    let later = Project::whole(&sandbox).await;
    assert_eq!(later.steps(DEPLOY).await, ["update schedule/ttl"]);
    later.succeed(DEPLOY).await;
    assert_eq!(later.steps(DEPLOY).await, Vec::<String>::new());
    pass(&sandbox, 7 * 60).await;
    assert_eq!(phase(&later, KindName::Endpoint).await, Some(Phase::Ready), "it was renewed");

    // Nobody does: what bills by the hour ends, and what cannot be made again stays.
    pass(&sandbox, 90).await;
    fire_due(sandbox.state()).await;
    let after = Project::whole(&sandbox).await;
    assert_eq!(phase(&after, KindName::Endpoint).await, None);
    assert_eq!(phase(&after, KindName::Notebook).await, Some(Phase::Stopped));
    assert_eq!(phase(&after, KindName::Schedule).await, Some(Phase::Stopped));
    assert_eq!(steps(&after).await, ENDED);
    let plan = after.plan(DEPLOY).await.expect("it can be planned");
    let why: Vec<&str> = plan.steps.iter().flat_map(|step| &step.why).map(String::as_str).collect();
    assert!(why.iter().filter(|why| why.starts_with("ended by its ttl at ")).count() >= 3, "{why:?}");

    after.succeed(DEPLOY).await;
    assert_eq!(after.steps(DEPLOY).await, Vec::<String>::new());
    pass(&sandbox, 60).await;
    assert_eq!(phase(&after, KindName::Endpoint).await, Some(Phase::Ready), "no old schedule ends it");
    sandbox.stop().await;
}

/// The end is counted from what was seen first, which on a first deploy is that there is no schedule.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_deploy_that_takes_long_is_right_at_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    project.succeed(DEPLOY).await;
    sandbox.state().clock.advance(Duration::from_secs(12 * 60));
    // The look that verifies is of the same run.
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new());
    let next = Project::whole(&sandbox).await;
    assert_eq!(next.steps(DEPLOY).await, ["update schedule/ttl"]);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_destroyed_or_is_no_longer_to_end_is_not_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    project.succeed(DEPLOY).await;
    // Without the key it goes, pruned or not.
    let without = Project::open(&sandbox).await;
    assert_eq!(without.steps(DEPLOY).await, ["delete schedule/digits-dev-ttl"]);
    without.succeed(DEPLOY).await;
    pass(&sandbox, 9 * 60).await;
    assert_eq!(phase(&without, KindName::Endpoint).await, Some(Phase::Ready));

    // A destroy takes it last, and nothing of it fires into what is deployed after it.
    let project = Project::whole(&sandbox).await;
    project.succeed(DEPLOY).await;
    let plan = project.plan(DESTROY).await.expect("it can be planned");
    let place = |kind| plan.steps.iter().position(|step| step.target.kind == kind).expect("it goes");
    assert!(place(KindName::Schedule) > place(KindName::Endpoint).max(place(KindName::Notebook)));
    project.succeed(DESTROY).await;
    assert!(sandbox.state().everywhere("scheduler.schedule").is_empty());
    without.succeed(DEPLOY).await;
    pass(&sandbox, 9 * 60).await;
    assert_eq!(phase(&without, KindName::Endpoint).await, Some(Phase::Ready));
    sandbox.stop().await;
}

/// A deploy sets the end before it makes anything, so that one which is broken off is ended too; and it is
/// not ended while it runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_is_broken_off_ends_and_one_that_runs_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let project = Project::whole(&sandbox).await;
    let plan = project.plan(DEPLOY).await.expect("it can be planned");
    let schedule = plan.steps.iter().find(|step| step.target.kind == KindName::Schedule).expect("it is made");
    for kind in [KindName::Endpoint, KindName::Notebook, KindName::Concurrency] {
        let step = plan.steps.iter().find(|step| step.target.kind == kind).expect("it is made");
        assert!(step.after.contains(&schedule.id), "{} does not wait for its end", step.target);
    }
    project.succeed(DEPLOY).await;
    // Two minutes before the end a deploy begins: it renews the end first.
    pass(&sandbox, 8 * 60 - 3).await;
    let late = Project::whole(&sandbox).await;
    let node = late.desired.nodes.iter().find(|node| node.id.kind == KindName::Schedule).expect("wanted");
    let cx = OpCx::new(&late.world, node.id.clone());
    let driver = late.registry.of(node.id.kind);
    assert!(driver.observe(&cx, &node.physical).await.expect("readable").is_some());
    late.succeed(DEPLOY).await;
    pass(&sandbox, 30).await;
    fire_due(sandbox.state()).await;
    assert_eq!(phase(&late, KindName::Endpoint).await, Some(Phase::Ready));
    sandbox.stop().await;
}
