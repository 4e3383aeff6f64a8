//! The sandbox that `invoke` leaves in the background: who finds it, and what ends it
//! (docs/decisions/0046-a-sandbox-that-stays.md).

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{World, pause};

const CONFIG: &str = r#"
[project]
name = "small"
region = "us-east-1"
[training.t]
source = "src"
[endpoint.e]
model = "t"
"#;

/// One whose sandbox stays this long. Nothing is deployed in it: that the endpoint is missing is an answer
/// too.
fn world(idle: &str) -> Guard {
    let world = World::with_config(CONFIG).sandbox().env("OPSCTL_SANDBOX_IDLE", idle);
    world.write("src/train.py", "");
    Guard(world)
}

/// Leaves no process behind, whatever the test finds.
struct Guard(World);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.run(["sandbox", "stop"]);
    }
}

impl Guard {
    fn ask(&self) {
        self.0.run(["invoke", "--payload", "{}"]).ended(1).says("E212");
    }

    fn status(&self) -> Value {
        self.0.run(["sandbox", "status", "-o", "json"]).success().json()
    }

    /// The process that stays.
    fn process(&self) -> Pid {
        let status = self.status();
        assert_eq!(status["background"], true, "{status}");
        let pid = status["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        pid.expect("the number of a process")
    }
}

/// Whether a process is there. One that has ended may be kept by whoever inherited it.
fn lives(pid: Pid) -> bool {
    let about = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    about.is_ok_and(|about| about.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')))
}

fn wait_for_end(pid: Pid) {
    while lives(pid) {
        pause(Duration::from_millis(20));
    }
}

#[test]
fn the_next_commands_find_the_sandbox_that_invoke_has_left() {
    let world = world("10m");
    assert_eq!(world.status()["in_use"], false);
    world.ask();
    let process = world.process();
    world.ask();
    assert_eq!(world.process(), process, "it is the same");
    world.0.run(["sandbox", "status"]).success().says("in the background").says("sandbox stop` ends it");
    // Commands that come at once start one of them.
    world.0.run(["sandbox", "stop"]).success();
    std::thread::scope(|all| {
        for _ in 0..4 {
            all.spawn(|| world.ask());
        }
    });
    let process = world.process();
    // Others use it too, and are not in each other's way.
    world.0.run(["bucket", "--yes"]).success();
    world.0.run(["sandbox", "serve"]).ended(1).says("U305");
    world.0.run(["sandbox", "stop"]).success().says("has ended");
    wait_for_end(process);
    world.0.run(["bucket", "--yes"]).success().says("Nothing to do");
    world.0.run(["sandbox", "stop"]).success().says("No sandbox is running");
}

#[test]
fn it_ends_when_nobody_needs_it_or_can_find_it() {
    let idle = world("1s");
    idle.ask();
    wait_for_end(idle.process());

    let kept = world("10m");
    kept.ask();
    let process = kept.process();
    fs::remove_dir_all(kept.0.sandbox_folder()).expect("it is there");
    wait_for_end(process);
    // One that was killed is in nobody's way.
    kept.ask();
    let process = kept.process();
    kill_process(process, Signal::KILL).expect("it is ours");
    wait_for_end(process);
    kept.ask();
    let process = kept.process();
    kept.0.run(["sandbox", "reset", "--yes"]).success().says("is empty");
    wait_for_end(process);
    kept.ask();
    let process = kept.process();
    kept.0.run(["destroy", "--yes"]).success();
    wait_for_end(process);
}

/// A project is renamed while its sandbox stays: the next command does not use what is about to end.
#[test]
fn one_whose_folder_was_renamed_is_not_used() {
    let mut kept = world("10m");
    kept.ask();
    let process = kept.process();
    let (before, now) = (kept.0.sandbox_folder(), kept.0.path("renamed"));
    fs::rename(before, &now).expect("renamed");
    let world = std::mem::replace(&mut kept.0, World::empty());
    kept.0 = world.env("OPSCTL_SANDBOX", now.display());
    kept.ask();
    assert!(!lives(process));
    assert_ne!(kept.process(), process);
}

/// A lock of whoever runs opsctl, such as a step of a pipeline, must not be held for minutes.
#[test]
fn it_keeps_nothing_open_that_its_command_has_inherited() {
    let world = world("10m");
    for number in ["9", "12"] {
        let lock = world.0.path("lock");
        let mut bash = Command::new("bash");
        let script = format!("exec {number}>lock; flock {number}; \"$@\"; echo \"ended $?\"");
        bash.args(["-c", &script, "bash"]);
        let ran = world.0.through(bash, ["invoke", "--payload", "{}"]).output().expect("bash starts");
        assert!(String::from_utf8_lossy(&ran.stdout).contains("ended 1"), "{ran:?}");
        File::open(&lock).and_then(|lock| lock.try_lock().map_err(Into::into)).expect("nobody has it");
        let process = world.process();
        let open = fs::read_dir(format!("/proc/{}/fd", process.as_raw_nonzero())).expect("this is Linux");
        let open: Vec<_> = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
        assert!(!open.contains(&lock), "{open:?}");
        world.0.run(["sandbox", "stop"]).success();
    }
}

/// Its state may be another's to read: what an older build has left is replaced.
#[test]
fn another_build_does_not_use_it() {
    let world = world("10m");
    world.ask();
    let (process, announcement) = (world.process(), world.0.sandbox_folder().join("serve.json"));
    let text = fs::read_to_string(&announcement).expect("it is announced");
    let mut announced: Value = serde_json::from_str(&text).expect("JSON");
    let program = announced["program"].as_str().expect("text");
    assert!(Path::new(program.split(' ').next().expect("a path")).exists(), "{program}");
    announced["program"] = "/usr/bin/opsctl 1 1".into();
    fs::write(&announcement, announced.to_string()).expect("the folder is ours");
    world.ask();
    wait_for_end(process);
    assert_ne!(world.process(), process);
}

/// Whoever ends it is told whose work would end with it, and that work is told what has ended.
#[test]
fn a_sandbox_that_others_use_is_not_ended_under_them() {
    let world = world("10m");
    world.0.write("src/train.py", "import time\nprint('begun', flush=True)\ntime.sleep(900)\n");
    world.ask();
    std::thread::scope(|all| {
        let train = all.spawn(|| world.0.run(["train", "--yes"]));
        while !world.0.run(["logs", "t"]).stdout.contains("begun") {
            pause(Duration::from_millis(50));
        }
        for verb in [&["stop"][..], &["reset", "--yes"]] {
            let refused = world.0.run([&["sandbox"], verb].concat()).ended(1);
            refused.says("U311").says("in use by opsctl train (process ").says("--force`");
        }
        world.0.run(["sandbox", "stop", "--force"]).success().says("has ended");
        let train = train.join().expect("it ends");
        let train = train.ended(1);
        assert!(train.stderr.contains("E241]: training/t failed: the sandbox has ended"), "{train}");
        assert!(!train.stderr.contains("the proxy"), "{train}");
    });
}

#[test]
fn one_that_is_not_to_stay_does_not() {
    let none = world("0s");
    none.ask();
    assert_eq!(none.status()["in_use"], false);
    let wrong = world("soon");
    wrong.0.run(["invoke", "--payload", "{}"]).ended(64).says("OPSCTL_SANDBOX_IDLE").says("\"0s\" for none");
}

/// As one whose terminal has got a Ctrl-Z: it holds the folder, takes connections, and answers none.
#[test]
fn a_served_sandbox_that_stands_still_is_not_waited_for() {
    let world = World::shipped().sandbox();
    let folder = world.sandbox_folder();
    let _held = opsctl_sandbox::SandboxRoot::take(&folder).expect("a new folder");
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let announced = serde_json::json!({ "pid": std::process::id(), "endpoint": format!("http://{address}") });
    std::fs::write(folder.join("serve.json"), announced.to_string()).expect("written");
    let ran = world.run(["status"]).ended(1);
    drop(ran.says("error[U305]").says("in another terminal").says("continue that process"));
    world.run(["sandbox", "stop"]).ended(1).says("error[U305]").says("it does not answer");
}
