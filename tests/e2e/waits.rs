//! `--wait`: a run waits while another holds the lease, says so once, and gives up when it is told to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opsctl::aws::OpErrorKind;
use opsctl::engine::lease::{self, LeaseHolder, LeaseTiming};
use opsctl::engine::{Cause, Event, Events, Patience};
use opsctl::run::{Host, Run};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};

const BUCKET: &str = "digits-dev-123456789012-us-east-1";

fn who(user: &str) -> LeaseHolder {
    LeaseHolder { user: user.into(), host: "ci".into(), process: 1 }
}

/// Patience of this length, and what it was told.
fn patience(limit: Option<Duration>) -> (Patience, UnboundedReceiver<String>) {
    let (sender, told) = unbounded_channel();
    let tell = move |holder: &str| drop(sender.send(holder.to_owned()));
    (Patience { limit, tell: Arc::new(tell) }, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_the_holder_and_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let first = Project::open(&sandbox).await;
    first.succeed(DEPLOY).await;
    let take = async |project: &Project, name| {
        lease::acquire(&project.world, BUCKET, &who(name), LeaseTiming::default()).await
    };
    let held = take(&first, "ann").await.expect("nobody has it");

    // Without patience, as ever.
    let mut other = Project::open(&sandbox).await;
    // On another machine: what ours left behind is no proof that it is dead.
    other.world.cache = folder.path().join("another");
    let refused = take(&other, "bob").await.expect_err("ann has it");
    assert_eq!(refused.kind, OpErrorKind::LeaseHeld);

    // With some, until it is over.
    let (some, mut told) = patience(Some(Duration::ZERO));
    other.world.patience = Some(some);
    let refused = take(&other, "bob").await.expect_err("ann has it");
    assert_eq!(refused.kind, OpErrorKind::LeaseHeld);
    assert!(refused.message.ends_with("; waited 0s"), "{refused}");
    assert!(told.try_recv().is_err(), "nobody waited");

    // With enough: it says once for whom, and takes the lease when that is given back.
    let (some, mut told) = patience(None);
    other.world.patience = Some(some);
    let heard = async {
        assert_eq!(told.recv().await.as_deref(), Some("ann@ci, process 1"));
        // It has looked again, and says no more.
        let before = sandbox.state().calls.of("s3:GetObject");
        while sandbox.state().calls.of("s3:GetObject") < before + 4 {
            tokio::task::yield_now().await;
        }
        held.release().await.expect("it is ours");
    };
    let (taken, ()) = tokio::join!(take(&other, "bob"), heard);
    let held = taken.expect("ann gave it back");
    assert!(told.try_recv().is_err(), "it says it once");
    // Somebody else's project under another name of the bucket is waited for in the same way.
    let (some, mut told) = patience(None);
    let mut third = Project::open(&sandbox).await;
    third.world.cache = folder.path().join("third");
    third.world.patience = Some(some);
    let heard = async {
        assert_eq!(told.recv().await.as_deref(), Some("bob@ci, process 1"));
        held.release().await.expect("it is ours");
    };
    let (free, ()) = tokio::join!(lease::ensure_free(&third.world, BUCKET), heard);
    free.expect("it is free now");

    // A signal ends it.
    let held = take(&first, "ann").await.expect("nobody has it");
    let causes = [Cause::Interrupt, Cause::Deadline(Duration::from_secs(1))];
    for (cause, kind) in causes.into_iter().zip([OpErrorKind::Cancelled, OpErrorKind::TimedOut]) {
        let (some, mut told) = patience(None);
        let mut third = Project::open(&sandbox).await;
        third.world.cache = folder.path().join("third");
        third.world.patience = Some(some);
        let stop = async {
            let heard = told.recv().await;
            assert!(heard.is_some());
            third.world.cancel.stop(cause);
        };
        let (ended, ()) = tokio::join!(take(&third, "cat"), stop);
        assert_eq!(ended.expect_err("ann has it").kind, kind);
    }
    held.release().await.expect("it is ours");
    sandbox.stop().await;
}

/// Its whole time has the wait in it, as the clock before its lines has.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_took_as_long_as_it_waited_and_longer() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let first = Project::open(&sandbox).await;
    first.succeed(DEPLOY).await;
    let held = lease::acquire(&first.world, BUCKET, &who("ann"), LeaseTiming::default()).await;
    let held = held.expect("nobody has it");
    let mut other = Project::open(&sandbox).await;
    other.world.cache = folder.path().join("another");
    let (some, mut told) = patience(None);
    let (sender, mut events) = unbounded_channel();
    (other.world.patience, other.world.events) = (Some(some), Events::to(sender));
    let run = Run {
        context: &other.world,
        registry: &other.registry,
        kinds: &other.kinds,
        desired: &other.desired,
        mode: DESTROY,
        whole: true,
        gates: None,
        host: Host::InProcess,
    };
    let wait = async {
        told.recv().await.expect("it waits");
        let began = Instant::now();
        let before = sandbox.state().calls.of("s3:GetObject");
        while sandbox.state().calls.of("s3:GetObject") < before + 4 {
            tokio::task::yield_now().await;
        }
        let waited = began.elapsed();
        held.release().await.expect("it is ours");
        waited
    };
    let bob = who("bob");
    let (done, waited) = tokio::join!(run.carry_out(&bob), wait);
    assert!(done.expect("it begins").is_ok());
    let last = std::iter::from_fn(|| events.try_recv().ok()).last().expect("an event");
    let Event::RunFinished { elapsed_ms, .. } = last else { panic!("{last:?}") };
    assert!(u128::from(elapsed_ms) >= waited.as_millis(), "{elapsed_ms} ms, and it waited {waited:?}");
    sandbox.stop().await;
}
