//! Ctrl-C, SIGTERM, SIGHUP and `--timeout`: answered whatever opsctl is doing, with words that are true.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use opsctl::aws::OpErrorKind;
use opsctl::domain::{KindName, LEASE_KEY};
use opsctl::engine::{Cause, Event, Events, RunResult, StepResult};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::tempdir;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::inside::{self, DEPLOY, Project};
use crate::support::{Beside, Ran, World, pause};

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
        (&["deploy", "--yes"], Signal::HUP, 143),
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
    let (listener, url) = silent();
    let mut held = None;
    let ran = world.signal_when(["plan", "-o", "json", "--endpoint-url", &url], Signal::INT, |_| {
        held = listener.accept().ok();
        held.is_some()
    });
    let error = ran.ended(130).json()["error"].take();
    let told = (&error["code"], &error["message"], &error["help"]);
    // That nothing was changed, and that AWS keeps working, cannot both be.
    assert_eq!(
        told,
        (&"E213".into(), &"interrupted. Nothing was changed.".into(), &"run the same command again".into())
    );
}

/// `nohup` has SIGHUP ignored, and a handler would end that.
#[test]
fn what_is_to_outlive_its_terminal_does_not_hear_that_it_was_closed() {
    let world = World::shipped().credentials();
    let mask = |process: u32, name: &str| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    };
    let (listener, url) = silent();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]);
    let mut running = world.through(shell, ["plan", "--endpoint-url", &url]).spawn().expect("it starts");
    let mut held = None;
    while held.is_none() {
        assert!(running.try_wait().expect("our own child").is_none(), "it waits for an answer");
        held = listener.accept().ok();
        pause(Duration::from_millis(20));
    }
    let masks = (mask(running.id(), "SigIgn:"), mask(running.id(), "SigCgt:"));
    running.kill().expect("our own child takes signals");
    running.wait().expect("our own child can be awaited");
    let (Some(ignored), Some(caught)) = masks else { return }; // no Linux
    assert_eq!((ignored & 1, caught & 1), (1, 0), "ignored {ignored:x}, caught {caught:x}");
}

/// A run that is stopped as soon as the rule strikes a call, which is never answered: by two signals, so that
/// nobody waits for the answer. Which of them is heard first is nobody's to say.
fn stopped_by(world: &World, beside: &Beside, rule: &str, command: &[&str]) -> Ran {
    beside.strike(&[rule]);
    let before = beside.hits();
    let ran = world.signal_when(command.iter().copied(), Signal::TERM, |process| {
        let enough = beside.hits() > before;
        if enough {
            let process = Pid::from_raw(process.cast_signed()).expect("a process has a number");
            kill_process(process, Signal::INT).expect("our own child takes signals");
        }
        enough
    });
    beside.strike(&[]);
    assert!([Some(130), Some(143)].contains(&ran.code), "{ran}");
    ran
}

/// What runs on is an event, with the command that stops it and the options that this command needs; and a
/// closing look that was cut off is no call that somebody has to allow.
#[test]
fn a_program_is_told_what_continues() {
    let config = "[project]\nname = \"stops\"\nregion = \"us-east-1\"\n";
    let world = World::with_config(config).sandbox();
    let beside = Beside::start(&world, &[]);
    let deploy = ["deploy", "--yes", "-o", "json"];
    let _ = world.run(deploy).success();
    let config = format!("{config}[bucket]\nkeep_old_versions = \"10d\"\n");
    world.write("opsctl.toml", &config);
    // Looks before and under the lease, and the last.
    let ran = stopped_by(&world, &beside, "delay=300s@s3:GetBucketVersioning#3x0", &deploy);
    let events = ran.events();
    assert!(events.iter().any(|event| event["event"] == "cancelling"), "it was heard: {ran}");
    let error = events.iter().find(|event| event["event"] == "error").expect("it is not verified");
    assert_eq!(error["error"]["code"], "E213", "{ran}");
    let message = "every step succeeded, but the run was interrupted before the result was verified";
    assert_eq!(error["error"]["message"], message, "{ran}");
    assert_eq!(ran.finished()["result"], "interrupted", "{ran}");

    world.write("opsctl.toml", &format!("{config}[training.lab]\nsource = \"code\"\nmax_runtime = \"1h\"\n"));
    world.write("code/train.py", "");
    let ran = stopped_by(&world, &beside, "delay-after=300s@sagemaker:CreateTrainingJob", &deploy);
    let continues: Vec<Value> =
        ran.events().into_iter().filter(|event| event["event"] == "continues").collect();
    assert_eq!(continues.len(), 1, "{ran}");
    assert_eq!(continues[0]["target"], "training/lab");
    assert_eq!(continues[0]["stop"], "opsctl --sandbox stop training/lab");
    let reason = continues[0]["reason"].as_str().unwrap_or_default();
    assert!(
        reason.starts_with("it may be running in the sandbox")
            && reason.contains("`opsctl --sandbox status`")
    );
    assert_eq!(ran.finished()["result"], "interrupted", "{ran}");
}

/// Whoever is stopped while the lease is taken away cannot know whether it is.
#[test]
fn a_lease_that_is_broken_without_an_answer_may_be_gone() {
    let world = World::with_config("[project]\nname = \"stops\"\nregion = \"us-east-1\"\n").sandbox();
    let beside = Beside::start(&world, &[]);
    let _ = world.run(["deploy", "--yes"]).success();
    let leave = || {
        beside.with("us-east-1", async |aws| {
            let put = aws.s3.put_object().bucket("stops-dev-123456789012-us-east-1").key(LEASE_KEY);
            put.body(br#"{"who":"ann@elsewhere"}"#.to_vec().into()).send().await.expect("put");
        });
    };
    let unknown = "The last request to AWS may or may not have taken effect.";
    for json in [false, true] {
        leave();
        let command = ["lease", "break", "--yes", "-o", if json { "json" } else { "human" }];
        let ran = stopped_by(&world, &beside, "delay-after=300s@s3:DeleteObject", &command);
        let told = if json { ran.json()["error"]["message"].to_string() } else { ran.stderr.clone() };
        assert!(told.contains(unknown) && !told.contains("Nothing was changed"), "{ran}");
        world.run(["lease", "show"]).success().says("Nobody holds the lease.");
    }
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
    // Thinking takes longer than the whole command may, and then it continues.
    let (seen, exit) = at_a_terminal(r"y\n", &["bucket", "--timeout", "10m"]);
    assert_eq!(exit, 0, "{seen}");
    let (seen, exit) = at_a_terminal(r"\x03", &["destroy"]);
    assert_eq!(exit, 130, "{seen}");
    assert!(seen.contains("Nothing was changed."), "{seen}");
    world.run(["destroy", "--yes"]).success();
}

/// The kernel sends SIGHUP, and each write fails from then on.
#[test]
fn a_terminal_is_closed() {
    let config = "[project]\nname = \"stops\"\nregion = \"us-east-1\"\n\
                  [training.lab]\nsource = \"code\"\nmax_runtime = \"1h\"\n";
    let world = World::with_config(config).sandbox().env("TERM", "xterm").env("TERMINAL_CLOSES", 1);
    world.write("code/train.py", "");
    let beside = Beside::start(&world, &[]);
    let closed_at = |text: &str, program: &[&str], arguments: &[&str]| -> i64 {
        let terminal = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/support/terminal.py");
        let mut command = Command::new("python3");
        command.arg(terminal).args([text, ""]).args(program);
        let output = world.through(command, arguments.iter().copied()).output().expect("python3 starts");
        let told: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        assert!(told["seen"].as_str().unwrap_or_default().contains(text), "{told}");
        told["exit"].as_i64().unwrap_or_default()
    };
    assert_eq!(closed_at("[y/N]", &[], &["bucket"]), 143);
    let _ = world.run(["bucket", "--yes"]).success();
    // While lines are rewritten.
    beside.strike(&["delay=20s@iam:CreateRole"]);
    assert_eq!(closed_at("creating", &[], &["deploy", "--yes"]), 143);
    world.run(["lease", "show"]).success().says("Nobody holds the lease.");
    // What is to outlive it continues to its end.
    beside.strike(&["delay=2s@iam:CreateRole"]);
    let outlives = ["/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh"];
    let _ = closed_at("creating", &outlives, &["deploy", "--yes"]);
    assert!(beside.count("sagemaker:CreateTrainingJob") > 0, "it went on");
    world.run(["lease", "show"]).success().says("Nobody holds the lease.");
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

/// The installer of a function's packages ends with the command, and leaves nothing.
#[test]
fn what_installs_packages_does_not_outlive_the_command() {
    let (listener, url) = silent();
    let index = format!("{url}/simple");
    let world = World::shipped().sandbox().env("PIP_INDEX_URL", &index).env("UV_INDEX_URL", index);
    world.edit("config/opsctl.toml", "# source                = \"function\"", "source = \"function\" #");
    world.write("config/function/handler.py", "def lambda_handler(event, context): pass\n");
    world.write("config/function/requirements.txt", "requests==2.32.0\n");
    let _beside = Beside::start(&world, &[]);
    // The installer is told the folder that it fills.
    let folder = world.path("").to_string_lossy().into_owned();
    let installers = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let commands = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        commands.filter(|command| String::from_utf8_lossy(command).contains(&folder)).count()
    };
    let mut held = Vec::new();
    let (mut seen, mut parts) = (0, 0);
    let left = || {
        let kept = std::fs::read_dir(world.path(".opsctl/cache")).into_iter().flatten().flatten();
        kept.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part")).count()
    };
    let ran = world.signal_when(["deploy", "--yes"], Signal::TERM, |_| {
        held.extend(listener.accept().ok());
        (seen, parts) = (installers(), left());
        !held.is_empty()
    });
    assert_eq!((ran.code, parts), (Some(143), 1), "{ran}");
    assert!(seen > 0 || !std::path::Path::new("/proc").exists(), "it was installing: {folder}");
    assert_eq!((installers(), left()), (0, 0), "{ran}");
}
