//! How a run ends: what it says and how its process ends when something fails before, in or after its steps.

use serde_json::{Value, json};

use crate::support::{Beside, Ran, World};

const CONFIG: &str = "[project]\nname = \"ends\"\nregion = \"us-east-1\"\n";
const DEPLOY: [&str; 4] = ["deploy", "--yes", "-o", "json"];

fn world() -> World {
    World::with_config(CONFIG).sandbox()
}

/// Every line is a JSON document, and the last tells how it ended.
fn result(ran: &Ran) -> (Value, Vec<Value>) {
    let events = ran.events();
    assert_eq!(events.last().expect("there are lines")["event"], "run_finished", "{ran}");
    (
        events.last().expect("there are lines")["result"].clone(),
        events.iter().filter(|event| event["event"] == "error").cloned().collect(),
    )
}

#[test]
fn events_tell_of_every_failure_and_end_with_the_result() {
    let world = world();
    let beside = Beside::start(&world, &["fail=AccessDenied@s3:PutBucketVersioning#1x0"]);
    let ran = world.run(DEPLOY).ended(4);
    let (ended, _) = result(&ran);
    assert_eq!(ended, "failed");
    let failed = ran.events().into_iter().find(|event| event["event"] == "step_finished").expect("a step");
    assert_eq!((&failed["result"], &failed["code"]), (&json!("failed"), &json!("E202")), "{ran}");

    // Done, and nobody knows whether it lasted: looks before and under the lease, and the last.
    beside.strike(&["fail=InternalError@s3:GetBucketVersioning#3x0"]);
    let ran = world.run(DEPLOY).ended(10);
    let (ended, errors) = result(&ran);
    assert_eq!((ended, errors[0]["error"]["code"].as_str()), (json!("failed"), Some("E230")));

    // Before there is a run there is one document, which is a line too.
    beside.strike(&["throttle@s3:GetBucketVersioning#1x0"]);
    let ran = world.run(DEPLOY).ended(10);
    assert_eq!((ran.events().len(), ran.error_code().as_str()), (1, "E207"), "{ran}");
    assert_eq!(ran.json()["error"]["retryable"], true);
    let _ = world.run(["plan"]).ended(10).says("E207");
}

#[test]
fn a_lease_that_cannot_be_given_back_is_in_nobodys_way() {
    let world = world();
    let beside = Beside::start(&world, &["fail=InternalError@s3:DeleteObject#1x0"]);
    let left = "`opsctl --sandbox lease break` takes it away";
    let _ = world.run(DEPLOY).success().says("The lease was not given back (").says(left);
    assert_eq!(world.run(["lease", "show", "-o", "json"]).success().json()["held"], true);
    beside.strike(&[]);
    world.write("opsctl.toml", &format!("{CONFIG}\n[bucket]\nkeep_old_versions = \"10d\"\n"));
    let _ = world.run(DEPLOY).success();
    assert_eq!(world.run(["lease", "show", "-o", "json"]).success().json()["held"], false);
}

/// What is done is done: nobody waits a minute for the lease to be taken back, and it is said that it is
/// left.
#[test]
fn a_lease_whose_release_hangs_is_left_and_said() {
    let world = world();
    let _beside = Beside::start(&world, &["delay=300s@s3:DeleteObject#1x0"]);
    let _ = world.run(DEPLOY).success().says("The lease was not given back (no answer within 10s)");
}

/// Nothing that is stopped waits for the lease to be confirmed, so there is time to give it back.
#[test]
fn a_call_that_hangs_keeps_nobody_from_giving_the_lease_back() {
    for command in [&["deploy", "--yes"][..], &["upload", "--yes"]] {
        let world = world();
        world.write("opsctl.toml", &format!("{CONFIG}\n[data.set]\npath = \"set\"\n"));
        world.write("set/a.csv", "1");
        let _ = world.run(DEPLOY).success();
        world.write("set/a.csv", "2");
        // The lease is taken; after five seconds it has to be confirmed.
        let _beside = Beside::start(&world, &["delay=300s@s3:PutObject#2x0"]);
        let ran = world.run([command, &["--timeout", "7s"]].concat()).ended(8);
        let lease = world.run(["lease", "show", "-o", "json"]).success().json();
        assert_eq!(lease["held"], false, "{command:?}: {lease}: {ran}");
    }
}

/// Commands in a plan go where the command goes.
/// The look that verifies is part of the run.
#[test]
fn a_run_took_as_long_as_its_last_look() {
    let world = world();
    let beside = Beside::start(&world, &[]);
    world.run(DEPLOY).success();
    world.write("opsctl.toml", &format!("{CONFIG}[bucket]\nkeep_old_versions = \"10d\"\n"));
    // Looks before and under the lease, and the last.
    beside.strike(&["delay=700ms@s3:GetBucketVersioning#3"]);
    let ran = world.run(DEPLOY).success();
    assert_eq!(beside.hits(), 1, "{ran}");
    assert!(ran.finished()["elapsed_ms"].as_u64().is_some_and(|ms| ms >= 700), "{ran}");
}

#[test]
fn a_plan_suggests_with_the_same_options() {
    let world = world();
    let beside = Beside::start(&world, &[]);
    let _ = world.run(DEPLOY).success();
    beside.with("us-east-1", async |aws| {
        let put = aws.s3.put_object().bucket("ends-dev-123456789012-us-east-1").key("mine");
        put.body(b"1".to_vec().into()).send().await.expect("put");
    });
    let _ = world.run(["destroy", "--yes"]).success().says("`opsctl --sandbox destroy --adopted`");
}

#[test]
fn a_lease_that_was_somebody_elses_at_the_end_is_no_success() {
    let world = world();
    // The one look at the lease is that at the end.
    let _beside = Beside::start(&world, &["fail=NoSuchKey@s3:GetObject#1x0"]);
    let ran = world.run(DEPLOY).ended(5);
    let (ended, errors) = result(&ran);
    assert_eq!((ended, errors[0]["error"]["code"].as_str()), (json!("failed"), Some("E229")), "{ran}");
    let help = errors[0]["error"]["help"].as_str().unwrap_or_default();
    assert!(help.contains("`opsctl --sandbox lease break`"), "{ran}");
}

#[test]
fn a_saved_plan_must_still_be_true_under_the_lease() {
    let world = world();
    let beside = Beside::start(&world, &[]);
    let _ = world.run(DEPLOY).success();
    world.write("opsctl.toml", &format!("{CONFIG}\n[bucket]\nkeep_old_versions = \"10d\"\n"));
    let saved = world.run(["plan", "--out", "plan.json", "-o", "json"]).success().json();
    assert_eq!(saved["target"], "SANDBOX, us-east-1");
    let writes = beside.count("s3:PutObject");
    // True at first, and under the lease no more.
    beside.strike(&["fail=ServerSideEncryptionConfigurationNotFoundError@s3:GetBucketEncryption#2"]);
    let saved = ["deploy", "--plan", "plan.json", "-o", "json"];
    let ran = world.run(saved).ended(1);
    assert_eq!(ran.error_code(), "E216", "{ran}");
    assert_eq!(
        (beside.count("s3:PutObject") - writes, beside.count("s3:PutBucketLifecycleConfiguration")),
        (1, 1)
    );
    assert_eq!(world.run(["lease", "show", "-o", "json"]).success().json()["held"], false);
    beside.strike(&[]);
    let _ = world.run(saved).success();
    // Done, as whoever runs the job again wants it.
    let writes = beside.count("s3:PutObject");
    let again = world.run(saved).success().says("The saved plan was applied already.\n");
    assert_eq!((again.finished()["result"].as_str(), beside.count("s3:PutObject")), (Some("ok"), writes));
    let _ = world.run(["deploy", "--plan", "plan.json"]).success().says("Nothing to do");
    // What has been something else since was not applied, though nothing is left to do either.
    world.write("opsctl.toml", &format!("{CONFIG}\n[bucket]\nkeep_old_versions = \"20d\"\n"));
    let _ = world.run(DEPLOY).success();
    let _ = world.run(["deploy", "--plan", "plan.json"]).ended(1).says("error[E216]");
}

/// The command that `plan --out` suggests does what was shown.
#[test]
fn a_plan_that_was_saved_with_prune_is_applied_with_it() {
    let world = world();
    world.write("opsctl.toml", &format!("{CONFIG}\n[notebook.lab]\n"));
    let _ = world.run(DEPLOY).success();
    world.write("opsctl.toml", CONFIG);
    let saved = ["deploy", "--plan", "plan.json"];
    let _ = world.run(["plan", "--prune", "--out", "plan.json"]).success().says("2 to delete");
    let _ = world.run(saved).success().says("2 deleted in");
    let _ = world.run(saved).success().says("The saved plan was applied already.");
    // Without it nothing is taken away.
    world.write("opsctl.toml", &format!("{CONFIG}\n[notebook.lab]\n"));
    let _ = world.run(DEPLOY).success();
    let _ = world.run(saved).ended(1).says("error[E216]");
}

/// What was changed, and not only that something was; what follows from it is named beside it.
#[test]
fn a_saved_plan_that_is_out_of_date_says_what_differs() {
    let world = World::shipped().sandbox().env("OPSCTL_CONFIG", "config/opsctl.toml");
    let _ = world.run(["plan", "--out", "plan.json"]).success();
    let script = world.read("config/training/train.py");
    world.write("config/training/train.py", &format!("{script}# changed\n"));
    let ran = world.run(["deploy", "--plan", "plan.json"]).ended(1).says("error[E216]");
    let ran = ran.says("what differs: training/numbers has another `code`; ").says(" change with it\n");
    let _ = ran.says("model/numbers").does_not_say("to create").does_not_say("role/");
    world.write("config/training/train.py", &script);
    let _ = world.run(["--env", "prod", "deploy", "--plan", "plan.json"]).ended(1).says(
        "it is of digits / dev in account 123456789012, us-east-1, and this is digits / prod in account",
    );
}

/// Nobody is shown a plan where nobody is asked: the events say how much goes.
#[test]
fn the_events_of_a_destroy_count_what_goes() {
    let world = world();
    let _beside = Beside::start(&world, &[]);
    world.write("opsctl.toml", &format!("{CONFIG}\n[data.things]\npath = \"things\"\n"));
    world.write("things/a.txt", "four");
    let _ = world.run(DEPLOY).success();
    let shown = world.run(["destroy", "--dry-run", "-o", "json"]).success().json();
    let ran = world.run(["destroy", "--yes", "-o", "json"]).success();
    let ours = |event: &Value| event["contents"]["ours"].as_object().cloned();
    let counted: Vec<_> = ran.events().iter().filter_map(ours).collect();
    assert!(counted.iter().any(|tally| tally["objects"].as_u64() > Some(0)), "{ran}");
    // The lease of the run itself is none of it.
    let shown: Vec<_> = shown["steps"].as_array().expect("steps").iter().filter_map(ours).collect();
    assert_eq!(counted, shown, "{ran}");
}
