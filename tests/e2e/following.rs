//! A training as its user follows it: its log and its model, also after the script was edited, and how it
//! fails.

use aws_sdk_cloudwatchlogs::types::InputLogEvent;

use crate::support::{Beside, World};

const CONFIG: &str = r#"
[project]
name = "follow"
region = "us-east-1"
[training.cloud]
source = "code"
instance_count = 2
max_runtime = "5m"
[training.plain]
on = "ec2"
source = "code"
max_runtime = "5m"
"#;

const SCRIPT: &str = "import os\nprint('the first script runs')\nopen(os.environ['SM_MODEL_DIR'] + '/model', 'w').write('1')\n";

fn world(script: &str) -> World {
    let world = World::with_config(CONFIG).sandbox();
    world.write("code/train.py", script);
    world
}

/// The names in AWS that `opsctl status` lists as leftovers of a kind.
fn leftover(world: &World, kind: &str) -> String {
    let status = world.run(["status", "-o", "json"]).success().json();
    let leftovers = status["leftovers"].as_array().expect("a list").iter();
    let of_kind = leftovers.filter_map(|l| l["id"].as_str()?.strip_prefix(kind)?.strip_prefix('/'));
    let names: Vec<String> = of_kind.map(str::to_owned).collect();
    assert_eq!(names.len(), 1, "{status}");
    names[0].clone()
}

#[test]
fn log_and_model_of_the_job_before_an_edit_are_within_reach() {
    let world = world(SCRIPT);
    let ran = world.run(["deploy", "--yes"]).success();
    // Both logs are shown while the jobs run.
    for training in ["training/cloud", "instance/plain"] {
        assert!(ran.stderr.contains(&format!("{training} | the first script runs")), "{ran}");
    }
    for training in ["training/cloud", "training/plain"] {
        // Following ends with the job.
        let log = world.run(["logs", "-f", training]).success();
        assert!(log.stdout.contains("the first script runs"), "{log}");
        assert!(!log.stderr.contains("the job before it"), "{log}");
        // So does its reader's going.
        let gone = std::io::pipe().expect("a pipe").1;
        let _ = world.run_into(["logs", "-f", training], gone).ended(141);
        let several = log.stdout.contains("opsctl sandbox: 1 of 2 instances runs here");
        assert_eq!(several, training == "training/cloud", "{log}");
    }
    world.edit("code/train.py", "first script", "second script");
    for (training, kind) in [("cloud", "training"), ("plain", "instance")] {
        let earlier = leftover(&world, kind);
        let log = world.run(["logs", &format!("training/{training}")]).success();
        assert!(log.stdout.contains("the first script runs"), "{log}");
        assert!(log.stderr.contains(&earlier), "{log}");
        let log = world.run(["logs", &format!("{kind}/{earlier}")]).success();
        assert!(log.stdout.contains("the first script runs"), "{log}");
        let pulled = world.run(["model", "pull", training, "--to", "pulled.tar.gz", "-o", "json"]).success();
        assert_eq!(pulled.json()["job"], earlier, "{pulled}");
        let pulled = world.run(["model", "pull", &earlier, "--to", "again.tar.gz"]).success();
        assert!(pulled.stdout.contains(&earlier), "{pulled}");
        assert_eq!(
            world.path("pulled.tar.gz").metadata().expect("it is there").len(),
            world.path("again.tar.gz").metadata().expect("it is there").len()
        );
    }
    // Nothing of the user's is replaced, and what opsctl wrote itself is.
    world.write("model.tar.gz", "mine");
    world.run(["model", "pull", "plain"]).ended(1).says("error[U315]: model.tar.gz is there");
    assert_eq!(std::fs::read_to_string(world.path("model.tar.gz")).expect("it is there"), "mine");
    world.run(["model", "pull", "plain", "--force"]).success();
    world.run(["model", "pull", "cloud"]).success();
    let config = world.read("opsctl.toml");
    world
        .run(["model", "pull", "cloud", "--to", "opsctl.toml"])
        .ended(1)
        .says("error[U315]: opsctl.toml is there");
    assert_eq!(world.read("opsctl.toml"), config);
    let several = world.run(["model", "pull"]).ended(64).says("several resources may be meant: name one");
    several.says("what leaves a model: training/cloud, instance/plain");
    let unknown = world.run(["logs", "training/follow-dev-cloud-0000000000"]).ended(64);
    assert!(unknown.stderr.contains("U303"), "{unknown}");
}

#[test]
fn a_training_that_saves_nothing_says_so_when_it_ends() {
    let world = world("print('nothing to save')\n");
    let ran = world.run(["train", "--yes"]).ended(1);
    let said = ran.stderr.matches("train.py ended well, but wrote nothing to SM_MODEL_DIR").count();
    assert!(said >= 2, "one of each place\n{ran}");
    // All say the same, and nothing is trained again for nothing.
    let status = world.run(["status", "-o", "json"]).success().json();
    let jobs: Vec<_> =
        status["resources"].as_array().expect("a list").iter().filter(|r| r["kind"] != "role").collect();
    let jobs: Vec<_> =
        jobs.into_iter().filter(|r| r["kind"] == "training" || r["kind"] == "instance").collect();
    assert_eq!(jobs.len(), 2, "{status}");
    for job in jobs {
        assert_eq!(job["ready"], false, "{status}");
        assert!(job["reason"].as_str().is_some_and(|why| why.contains("wrote nothing")), "{status}");
    }
    for command in [&["plan", "--detailed-exitcode"][..], &["deploy", "--yes"], &["train", "--yes"]] {
        let ran = world.run(command.iter().copied()).ended(1);
        let said = ran.stderr.matches("error[E240]").count();
        assert_eq!(said, 2, "{ran}");
    }
    for name in ["cloud", "plain"] {
        world.run(["model", "pull", name]).ended(1).says("E240").says("wrote nothing to SM_MODEL_DIR");
    }
    // Changed code is trained, and what it saved and somebody deleted is trained again.
    world.write("code/train.py", SCRIPT);
    let _ = world.run(["train", "--yes"]).success();
}

/// The job that is made again waits for the end of the one that failed.
#[test]
fn a_failed_training_is_run_again_and_fails_again() {
    let world = world("import sys\nsys.exit('no luck')\n");
    for _ in 0..2 {
        let ran = world.run(["train", "--yes"]).ended(1);
        assert!(ran.stderr.contains("no luck"), "{ran}");
        assert!(!ran.stderr.contains("E220"), "{ran}");
    }
}

/// What the user's own code prints is text of others: in a CI log it is no command, and in a terminal no
/// code.
#[test]
fn what_a_log_says_commands_nobody() {
    let config = "[project]\nname = \"follow\"\nregion = \"us-east-1\"\n[notebook.lab]\n";
    let world = World::with_config(config).sandbox();
    let beside = Beside::start(&world, &[]);
    world.run(["deploy", "--yes"]).success();
    let lines = ["::error::x", "a ##[group]b", "\u{1b}]0;t\u{7}", "äöü 🚀\ttab"];
    beside.with("us-east-1", async |aws| {
        let (group, stream) = ("/aws/sagemaker/NotebookInstances", "follow-dev-lab/jupyter.log");
        // Its start may have made it.
        let _ = aws.logs.create_log_group().log_group_name(group).send().await;
        let made = aws.logs.create_log_stream().log_group_name(group).log_stream_name(stream);
        made.send().await.expect("made");
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now").as_millis();
        let events = lines.map(|line| {
            let event = InputLogEvent::builder().timestamp(now.try_into().expect("small")).message(line);
            event.build().expect("complete")
        });
        let put = aws.logs.put_log_events().log_group_name(group).log_stream_name(stream);
        put.set_log_events(Some(events.into())).send().await.expect("put");
    });
    let log = world.run(["logs", "notebook/lab"]).success();
    let shown = ["\\u{3a}:error::x", "a \\u{23}#[group]b", "\\u{1b}]0;t\\u{7}", "äöü 🚀\ttab"];
    assert_eq!(log.stdout.lines().collect::<Vec<_>>(), shown, "{log}");
    // A program gets one document a line, with all that was printed.
    let exact = world.run(["logs", "notebook/lab", "-o", "json"]).success();
    let events = exact.events();
    let (version, events) = events.split_first().expect("the version");
    assert_eq!(*version, serde_json::json!({ "event": "version", "format": 1 }));
    for (event, line) in events.iter().zip(lines) {
        assert_eq!((&event["target"], &event["line"]), (&"notebook/lab".into(), &line.into()), "{exact}");
    }
    assert_eq!(events.len(), lines.len(), "{exact}");
}
