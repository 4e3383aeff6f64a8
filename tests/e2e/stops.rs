//! Ctrl-C, SIGTERM and `--timeout`: answered whatever opsctl is doing, with words that are true.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use opsctl::aws::OpErrorKind;
use opsctl::domain::KindName;
use opsctl::engine::{Cause, Event, Events, RunResult, StepResult};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::World;
use crate::support::inside::{self, DEPLOY, Project};

/// Takes connections and never answers: the kernel does, as nobody accepts them.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.set_nonblocking(true).expect("it may be asked");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    (listener, url)
}

#[test]
fn a_call_that_is_never_answered_ends_with_a_signal_or_with_the_time() {
    let world = World::shipped().credentials();
    for (command, signal, exit) in [
        (&["plan"][..], Signal::INT, 130),
        (&["plan"], Signal::TERM, 143),
        (&["deploy", "--yes"], Signal::TERM, 143),
        (&["audit-iam"], Signal::INT, 130),
        (&["status"], Signal::INT, 130),
        (&["logs", "-f", "training/numbers"], Signal::TERM, 143),
    ] {
        let (listener, url) = silent();
        let arguments = command.iter().copied().chain(["--endpoint-url", &url]);
        let mut held = None;
        let ran = world.signal_when(arguments, signal, |_| {
            held = listener.accept().ok();
            held.is_some()
        });
        assert_eq!(ran.code, Some(exit), "{ran}");
        assert!(!ran.stderr.contains("error"), "{ran}");
    }
    let (_listener, url) = silent();
    let late = ["plan", "--timeout", "1s", "--endpoint-url", &url];
    world.run(late).ended(8).says("error[E205]: not finished within 1s (--timeout). Nothing was changed.");
    let ran = world.run(late.into_iter().chain(["-o", "json"])).ended(8);
    let told: Value = serde_json::from_str(&ran.stdout).expect("one document");
    assert_eq!((&told["error"]["code"], &told["error"]["retryable"]), (&"E205".into(), &true.into()));
}

#[test]
fn a_file_that_is_read_for_long_holds_nobody_up() {
    let world = World::shipped().sandbox();
    // It takes minutes to read, and no room.
    let giant =
        std::fs::File::create(world.path("config/data/digits/giant.bin")).expect("the folder is ours");
    giant.set_len(500 << 30).expect("files may be sparse");
    world.run(["plan", "--timeout", "1s"]).ended(8).says("not finished within 1s");
    let reads = |process: u32| {
        let open = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|file| file.ends_with("giant.bin"))
    };
    let ran = world.signal_when(["plan"], Signal::INT, reads);
    assert_eq!(ran.code, Some(130), "{ran}");
}

#[test]
fn a_question_is_left_with_ctrl_c() {
    let world = World::shipped().sandbox();
    let at_a_terminal = |keys: &str, arguments: &[&str]| -> (String, i64) {
        let terminal = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/support/terminal.py");
        let mut command = Command::new("python3");
        command.arg(terminal).args(["[y/N]", keys]);
        let output = world.through(command, arguments.iter().copied()).output().expect("python3 starts");
        let told: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (told["seen"].as_str().unwrap_or_default().to_owned(), told["exit"].as_i64().unwrap_or_default())
    };
    let (seen, exit) = at_a_terminal(r"\x03", &["bucket"]);
    assert_eq!(exit, 130, "{seen}");
    assert!(seen.contains("Interrupted. Nothing was changed."), "{seen}");
    // Thinking takes longer than the whole command may, and then it goes on.
    let (seen, exit) = at_a_terminal(r"y\n", &["bucket", "--timeout", "10m"]);
    assert_eq!(exit, 0, "{seen}");
    let (seen, exit) = at_a_terminal(r"\x03", &["destroy"]);
    assert_eq!(exit, 130, "{seen}");
    assert!(seen.contains("Nothing was changed."), "{seen}");
    world.run(["destroy", "--yes"]).success();
}

/// What was under way is unfinished, what needs it is not started, and nothing has failed.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_is_not_failed() {
    let folder = tempdir().expect("a folder");
    let sandbox = inside::sandbox(folder.path()).await;
    for cause in [Cause::Interrupt, Cause::Deadline(Duration::from_secs(1))] {
        let mut project = Project::open(&sandbox).await;
        let (sender, mut events) = unbounded_channel();
        project.world.events = Events::to(sender);
        let struck = sandbox.state().faults.hits();
        sandbox.state().faults.extend(vec!["delay=60s@iam:CreateRole".parse().expect("a rule")]);
        let (cancel, counters) = (project.world.cancel.clone(), Arc::clone(sandbox.state()));
        let stop = tokio::spawn(async move {
            while counters.faults.hits() == struck {
                tokio::task::yield_now().await;
            }
            cancel.stop(cause);
            cancel.abort.cancel();
        });
        let outcome = project.run(DEPLOY).await.expect("it can be planned");
        stop.await.expect("it stops");
        let expected = if cause == Cause::Interrupt { RunResult::Interrupted } else { RunResult::TimedOut };
        assert_eq!((outcome.result(), outcome.failed.len()), (expected, 0), "{:?}", outcome.failed);
        assert!(!outcome.unfinished.is_empty() && outcome.not_started > 3);
        project.world.events = Events::nowhere();
        let mut results = Vec::new();
        while let Some(event) = events.recv().await {
            if let Event::StepFinished { result, .. } = event {
                assert!(
                    !matches!(result, StepResult::Skipped { .. } | StepResult::Failed { .. }),
                    "{result:?}"
                );
                results.push(result);
            }
        }
        assert!(results.iter().any(|r| matches!(r, StepResult::Unfinished { .. })));
        assert!(results.iter().any(|r| matches!(r, StepResult::NotStarted)));
        sandbox.state().faults.clear();
    }
    // A look is dropped at the first signal, however long it takes.
    let project = Project::open(&sandbox).await;
    sandbox.state().faults.extend(vec!["delay=60s@iam:GetRole".parse().expect("a rule")]);
    project.world.cancel.stop(Cause::Terminate);
    let look = project.world.cancel.reading("looking", project.observe()).await;
    assert_eq!(look.expect_err("it is dropped").kind, OpErrorKind::Cancelled);
    sandbox.stop().await;
}

/// What a stopped step leaves is said by the call that had no answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_an_answer_is_known_by_its_name() {
    let folder = tempdir().expect("a folder");
    let sandbox = inside::sandbox(folder.path()).await;
    for (rule, left) in [
        ("delay=60s@ssm:GetParameter", "waiting for an answer"),
        ("delay=60s@ec2:RunInstances", "ec2:RunInstances"),
        ("delay-after=60s@ec2:RunInstances", "ec2:RunInstances"),
    ] {
        let mut project = Project::open(&sandbox).await;
        project.desired = project.desired.only(|node| node.id.kind == KindName::Instance, true);
        let struck = sandbox.state().faults.hits();
        sandbox.state().faults.extend(vec![rule.parse().expect("a rule")]);
        let (cancel, counters) = (project.world.cancel.clone(), Arc::clone(sandbox.state()));
        let stop = tokio::spawn(async move {
            while counters.faults.hits() == struck {
                tokio::task::yield_now().await;
            }
            cancel.stop(Cause::Interrupt);
            cancel.abort.cancel();
        });
        let outcome = project.run(DEPLOY).await.expect("it can be planned");
        stop.await.expect("it stops");
        assert_eq!(outcome.unanswered.values().collect::<Vec<_>>(), [left], "{rule}");
        assert!(outcome.refused.is_empty(), "{rule}");
        sandbox.state().faults.clear();
    }
    sandbox.stop().await;
}
