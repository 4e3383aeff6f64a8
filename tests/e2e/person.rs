//! What a person reads and types around a run: its last lines, the status, names, and what stops, starts and
//! opens.

use expect_test::expect;
use rustix::process::Signal;
use serde_json::json;

use crate::support::{Beside, World};

const CONFIG: &str = r#"
[project]
name = "person"
region = "us-east-1"
[notebook.lab]
[notebook.other]
[training.lab]
source = "code"
max_runtime = "1h"
"#;

fn world(script: &str) -> World {
    let world = World::with_config(CONFIG).sandbox();
    world.write("code/train.py", script);
    world
}

/// The lines from one that begins so.
fn from(text: &str, beginning: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.starts_with(beginning));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_run_ends_with_what_it_made_and_names_are_found() {
    let world = world("print('hello')\n");
    let beside = Beside::start(&world, &[]);
    let ran = world.run(["deploy", "--yes"]).success();
    let end = from(&ran.stderr, "✓ ");
    let (first, rest) = end.split_once('\n').expect("lines");
    assert!(first.starts_with("✓ person / dev (SANDBOX, us-east-1): 7 created in "), "{ran}");
    // How long the job took is nobody's to say.
    let rest: String =
        rest.lines().map(|line| line.split(" · took ").next().unwrap().to_owned() + "\n").collect();
    expect![[r#"
        ✓ …

          training/lab    Completed
          notebook/lab    InService · ml.t3.xlarge
          notebook/other  InService · ml.t3.xlarge

          costs       on AWS 0.4019 USD/h now; `opsctl --sandbox stop notebook/lab` and `opsctl --sandbox stop notebook/other` end it
          work in it  `opsctl --sandbox open notebook/lab`
          look        `opsctl --sandbox status`
    "#]]
    .assert_eq(&format!("✓ …\n{rest}"));
    assert!(!ran.stderr.contains(" reads and "), "{ran}");
    // In a pipe nothing is colored, also not what opsctl does in detail.
    let detailed = world.run(["deploy", "--yes", "-v"]).success();
    assert!(detailed.stderr.contains("DEBUG") && !detailed.stderr.contains('\u{1b}'), "{detailed}");
    let status = world.run(["status"]).success();
    assert!(status.stdout.starts_with("person / dev  SANDBOX, us-east-1\n\nRESOURCE"), "{status}");
    assert!(status.stdout.lines().all(|line| line == line.trim_end()), "{status}");

    for (command, exit, message, help) in [
        ("logs", 64, "several resources are named `lab`", "training/lab or notebook/lab?"),
        ("stop", 64, "several resources are named `lab`", "training/lab or notebook/lab?"),
    ] {
        world.run([command, "lab"]).ended(exit).says(message).says(help);
    }
    world.run(["logs", "training/labb"]).ended(64).says("did you mean `training/lab`?");
    world.run(["stop", "other2"]).ended(64).says("did you mean `notebook/other`?");
    world.run(["stop", "bucket/main"]).ended(64).says("`bucket/main` is nothing that can be stopped");
    world.run(["start", "training/lab"]).ended(64).says("what can be started: notebook/lab, notebook/other");
    world.run(["invoke", "lab", "--payload", "1"]).ended(64).says("`lab` is nothing that can be invoked");
    world.run(["model", "pull", "labb"]).ended(64).says("did you mean `training/lab`?");
    world.run(["logs", "labb"]).ended(64).says("did you mean `training/lab` or `notebook/lab`?");
    world.run(["open", "training/lab"]).ended(1).says("is not in AWS, so");

    world.run(["stop", "training/lab"]).success().says("training/lab has ended already.");
    world.run(["stop", "other"]).success().says("notebook/other is stopped.");
    world.run(["open", "other"]).ended(1).says("`opsctl --sandbox start notebook/other` starts it");
    world.run(["start", "other"]).success().says("notebook/other is running.");
    let opened = world.run(["open", "notebook/other"]).success();
    assert!(opened.stdout.starts_with("https://") && opened.stderr.contains("no Jupyter"), "{opened}");

    // A program gets one document of each; a person who names the notebook gets the same as without.
    for (command, key, value) in [
        (["stop", "training/lab"].as_slice(), "state", "ended"),
        (&["notebook", "stop", "--name", "other"], "state", "stopped"),
        (&["notebook", "start", "--name", "other"], "state", "running"),
        (&["notebook", "url", "--name", "other"], "address", "https://"),
    ] {
        let document = world.run(command.iter().copied().chain(["-o", "json"])).success().json();
        assert_eq!(document["format"], 1, "{document}");
        assert!(document[key].as_str().unwrap().starts_with(value), "{document}");
    }
    world.run(["notebook", "stop", "--name", "other"]).success().says("notebook/other is stopped.");
    world.run(["notebook", "url", "--name", "other"]).ended(1).says("start notebook/other` starts it");
    drop(beside);
    assert_eq!(world.run(["sandbox", "reset", "--yes", "-o", "json"]).success().json()["left"], json!([]));
}

/// A page that is looked at again is written when something has changed, and not before.
#[test]
fn a_watch_tells_each_change_once() {
    let world = world("print('hello')\n");
    let beside = Beside::start(&world, &[]);
    let looks = || beside.count("sagemaker:ListNotebookInstances");
    let mut deployed_at = None;
    let ran = world.signal_when(["status", "--watch", "-o", "json"], Signal::INT, |_| match deployed_at {
        None if looks() > 2 => {
            let _ = world.run(["bucket", "--yes"]).success();
            deployed_at = Some(looks());
            false
        }
        None => false,
        Some(then) => looks() > then + 3,
    });
    assert_eq!(ran.code, Some(130), "{ran}");
    let states: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a document a line"))
        .map(|page| page["resources"][0]["state"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(states.first().is_some_and(|state| state == "absent"), "{ran}");
    assert!(states.last().is_some_and(|state| state != "absent") && states.len() <= 4, "{ran}");
}

/// Before anything is made, and before anybody is asked to look for the error of a script.
#[test]
fn a_machine_without_python_is_told_before_anything_is_made() {
    let world = world("print('hello')\n").env("PATH", "/nonexistent");
    world
        .run(["deploy", "--yes"])
        .ended(1)
        .says("E242")
        .says("no Python 3.9 or newer was found")
        .says("apt install");
    let status = world.run(["status", "-o", "json"]).success().json();
    assert!(
        status["resources"].as_array().expect("a list").iter().all(|r| r["state"] == "absent"),
        "{status}"
    );
    // What runs nothing needs none.
    world.run(["bucket", "--yes"]).success();
}

/// Interrupted is not failed: what runs on is said with what stops it, and that works while nobody holds the
/// lease.
#[test]
fn what_runs_on_is_stopped_by_the_command_that_is_shown() {
    let world = world("import time\nprint('begun', flush=True)\ntime.sleep(900)\n");
    let _beside = Beside::running(&world);
    let ran = world.signal_when(["train", "--yes"], Signal::INT, |_| {
        let begun = world.run(["logs", "training/lab"]).stdout.contains("begun");
        if begun {
            // What bills is ended by a command that is not refused.
            world.run(["status"]).success().says("until `opsctl --sandbox stop --force training/lab`: ");
            // Whoever waits for it, perhaps elsewhere, is not robbed of it by a slip.
            let ran = world.run(["stop", "training/lab"]).ended(5).says("E211").says("may be waiting for");
            ran.says("`opsctl --sandbox stop --force training/lab` stops the job all the same");
        }
        begun
    });
    assert_eq!(ran.code, Some(130), "{ran}");
    let running = "training/lab: still running in the sandbox; it ends by itself after 1h. To stop it: `opsctl --sandbox stop training/lab`";
    assert!(ran.stderr.contains(running) && !ran.stderr.contains("error"), "{ran}");
    let log = world.run(["logs", "training/lab"]).success();
    // On a machine where it is the first, making the environment of Python is in it, too.
    assert_eq!(log.stdout.lines().last(), Some("begun"));
    world.run(["status"]).success().says("until `opsctl --sandbox stop training/lab`: ");
    world.run(["stop", "training/lab"]).success().says("training/lab is stopped.");
    let status = world.run(["status"]).success();
    assert!(status.stdout.contains("Stopped"), "{status}");

    world.write("code/train.py", "import time\nprint('again', flush=True)\ntime.sleep(900)\n");
    let ran = world.signal_when(["train", "--yes"], Signal::INT, |_| {
        let begun = world.run(["logs", "training/lab"]).stdout.contains("again");
        if begun {
            let ran = world.run(["stop", "--force", "training/lab"]).success();
            ran.says("what waits there for training/lab ends as failed").says("training/lab is stopped.");
        }
        begun
    });
    assert_ne!(ran.code, Some(0), "{ran}");
}

/// In the sandbox there is no page of AWS's to ask for more on.
#[test]
fn a_quota_that_is_full_in_the_middle_is_told_as_one() {
    let world = world("print('hello')\n");
    let _beside = Beside::start(&world, &["fail=ResourceLimitExceeded@sagemaker:CreateTrainingJob#1x0"]);
    world.run(["train", "--yes"]).ended(9).says("error[E206]: training/lab failed").does_not_say("Its page");
}

/// Credentials that were found and are refused: what is wrong with them, not how they are looked for.
#[test]
fn refused_credentials_say_what_is_wrong_with_them() {
    for (refusal, help) in [
        ("ExpiredToken", "have expired: log in again"),
        ("InvalidClientTokenId", "AWS does not know this access key"),
        ("SignatureDoesNotMatch", "the secret key is not that of this access key"),
    ] {
        let world = world("print('hello')\n");
        let _beside = Beside::start(&world, &[&format!("fail={refusal}@*#1x0")]);
        let ran = world.run(["status"]).ended(4).says("error[E201]").says(help);
        ran.does_not_say("opsctl uses the same chain");
    }
    // Policies are asked for before there are credentials.
    let world = World::with_config("[project]\nname = \"x\"\nregion = \"us-east-1\"\n");
    for whom in ["deployer", "planner"] {
        world.run(["policy", whom]).ended(4).says("error[E201]").says("--account 123456789012");
        world.run(["policy", whom, "--account", "123456789012"]).success();
    }
}

/// Two documents one after the other are none, and whoever writes them into a file would not see it.
#[test]
fn several_policies_are_not_written_into_one_file() {
    let world = World::shipped().env("OPSCTL_CONFIG", "config/opsctl.toml");
    let deployer = ["policy", "deployer", "--account", "123456789012"];
    let ran = world.run(deployer).ended(64).says("error[U302]").says("there are 3 documents, and a file");
    let ran = ran.says("`--part 1` to `--part 3` print one each, `-o json` prints all in a list");
    assert_eq!(ran.stdout, "");
    for part in ["1", "2", "3"] {
        let ran = world.run(deployer.into_iter().chain(["--part", part])).success();
        assert!(ran.json()["Statement"].is_array(), "{ran}");
    }
    let all = world.run(deployer.into_iter().chain(["-o", "json"])).success().json();
    assert_eq!(all["documents"].as_array().map(Vec::len), Some(3));
}

#[test]
fn github_marks_the_lines_of_the_file() {
    let world = World::with_config("[project]\nname = \"x\"\nregion = \"us-east-1\"\nname2 = 1\n")
        .env("GITHUB_ACTIONS", "true");
    let ran = world.run(["check"]).ended(3);
    let marked =
        "::error file=opsctl.toml,line=4,col=1,title=C002::unknown key `name2`%0Adid you mean `name`?";
    assert!(ran.stderr.lines().any(|line| line.starts_with(marked)), "{ran}");
    // GitHub looks for the file from the root of the checkout on, wherever the step runs.
    let root = world.path("..").display().to_string();
    let ran = world.env("GITHUB_WORKSPACE", root).run(["check"]).ended(3);
    let marked = marked.replace("file=opsctl.toml", "file=work/opsctl.toml");
    assert!(ran.stderr.lines().any(|line| line.starts_with(&marked)), "{ran}");
}
