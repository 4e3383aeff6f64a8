//! The AWS that opsctl carries: no account, no network, nothing set up.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::World;

#[test]
fn a_plan_needs_no_account() {
    let world = World::shipped().sandbox();
    for config in ["config/opsctl.toml", "config/dog-breeds.toml"] {
        let planned = world.run(["-c", config, "plan", "--detailed-exitcode", "-o", "json"]).ended(2).json();
        let steps = planned["steps"].as_array().expect("a list");
        assert_eq!(steps.len(), 18, "{planned}");
        assert!(steps.iter().all(|step| step["op"] == "create"), "{planned}");
        // Steps stand after what they need.
        for (place, step) in steps.iter().enumerate() {
            let after = step["after"].as_array().expect("a list").iter().filter_map(Value::as_u64);
            assert!(after.max().is_none_or(|last| last < place as u64), "{step}");
        }
    }
    let status = world.run(["status", "-o", "json"]).success().json();
    let resources = status["resources"].as_array().expect("a list");
    assert!(resources.iter().all(|resource| resource["state"] == "absent"), "{status}");
    let done = world.run(["destroy", "--yes", "-o", "json"]).success().finished();
    assert_eq!((&done["result"], &done["calls"]["writes"]), (&json!("ok"), &json!(0)));
}

#[test]
fn it_tells_where_it_is_and_forgets() {
    let world = World::with_config("[project]\nname = \"small\"\n[notebook.lab]\n").sandbox();
    world.run(["bucket", "--yes", "--region", "eu-west-1"]).success();
    let status = world.run(["sandbox", "status", "-o", "json"]).success().json();
    assert_eq!(status["in_use"], false);
    let region = ["--region", "eu-west-1", "plan", "--detailed-exitcode"];
    // The bucket is there from command to command, until it is forgotten.
    let steps = |world: &World| {
        let planned = world.run(region.iter().copied().chain(["-o", "json"])).ended(2).json();
        planned["steps"].as_array().expect("a list").len()
    };
    let left = steps(&world);
    world.run(["sandbox", "reset"]).ended(64).says("U301");
    assert_eq!(steps(&world), left);
    let reset = world.run(["sandbox", "reset", "--yes"]).success();
    assert!(reset.stderr.contains("documents"), "{}", reset.stderr);
    assert!(!world.sandbox_folder().exists(), "a sandbox has made what a reset does not know");
    assert_eq!(steps(&world), left + 1, "the bucket is to be made again");
}

/// `OPSCTL_SANDBOX=~ opsctl sandbox reset` removed the home folder, unasked.
#[test]
fn it_removes_only_what_a_sandbox_made() {
    let world = World::with_config("[project]\nname = \"small\"\nregion = \"us-east-1\"\n").sandbox();
    let root = world.sandbox_folder();
    std::fs::create_dir_all(root.join("state")).unwrap();
    std::fs::write(root.join("state/thesis.json"), "mine").unwrap();
    for command in
        [["sandbox", "reset"], ["sandbox", "status"], ["sandbox", "serve"], ["bucket", "--dry-run"]]
    {
        world.run(command.into_iter().chain(["--yes"])).ended(1).says("U310");
    }
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 1, "nothing was added either");
    assert_eq!(std::fs::read_to_string(root.join("state/thesis.json")).unwrap(), "mine");

    // A folder of its own, with something of the user's put into it later, and a document that is broken.
    std::fs::remove_dir_all(&root).unwrap();
    world.run(["bucket", "--yes"]).success();
    std::fs::write(root.join("notes.txt"), "mine").unwrap();
    std::fs::write(root.join("state/s3.buckets/x.json"), "{\"key\":").unwrap();
    let looked = world.run(["bucket", "--dry-run"]).success();
    assert!(looked.stderr.contains("x.json") && looked.stderr.contains("set-aside"), "{}", looked.stderr);
    let status = world.run(["sandbox", "status", "-o", "json"]).success().json();
    assert_eq!(status["set_aside"].as_array().map(Vec::len), Some(1), "{status}");
    // Worse than a broken document.
    std::fs::remove_dir_all(root.join("state")).unwrap();
    std::fs::write(root.join("state"), "a file").unwrap();
    world.run(["bucket", "--dry-run"]).success().says("state cannot be read (it is not a folder)");
    let reset = world.run(["sandbox", "reset", "--yes"]).success();
    assert!(reset.stderr.contains("notes.txt"), "{}", reset.stderr);
    assert_eq!(std::fs::read_to_string(root.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn it_says_why_it_cannot_start() {
    let world = World::with_config("[project]\nname = \"small\"\nregion = \"us-east-1\"\n").sandbox();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    world.run(["sandbox", "serve", "--port", &port]).ended(1).says("in use").says("--port");
    world.run(["sandbox", "serve", "--port", "0", "--timeout", "1s"]).ended(8);
    world.run(["sandbox", "serve", "--speed", "0"]).ended(64).says("0.001 to 100000");
    let file = world.sandbox_folder();
    let _ = std::fs::remove_dir_all(&file);
    std::fs::write(&file, "a file").unwrap();
    world.run(["sandbox", "status"]).ended(1).says("Not a directory").says("in the way");
    world.run(["bucket", "--dry-run"]).ended(1).says("in the way");
}

/// README's first command and what follows it: everything really trains, serves and answers.
#[test]
fn the_shipped_project_really_lives() {
    let world = World::shipped().sandbox();
    let first = world.run(["deploy", "--yes", "-o", "json"]).success();
    assert_eq!(first.finished()["result"], "ok");

    let status = world.run(["status", "-o", "json"]).success().json();
    let resources = status["resources"].as_array().expect("a list");
    assert!(resources.iter().all(|resource| resource["ready"] == true), "{status}");
    let kinds: BTreeSet<&str> = resources.iter().filter_map(|r| r["kind"].as_str()).collect();
    assert_eq!(kinds.len(), opsctl::domain::KindName::ALL.len() - 1, "every kind, but that of a `ttl`");

    let second = world.run(["deploy", "--yes", "-o", "json"]).success().finished();
    assert_eq!((&second["result"], &second["calls"]["writes"]), (&json!("ok"), &json!(0)));
    world.run(["plan", "--detailed-exitcode"]).ended(0);

    // The shipped model sees a seven, in the shape of the case, through the function and without it.
    let answer = world.run(["invoke", "-o", "json"]).success().json();
    assert_eq!(answer["status"], 200);
    let response = &answer["response"];
    assert_eq!(response["type-result"], "<class 'str'>");
    assert!(
        response["COntent-Type-In"].as_str().is_some_and(|t| t.starts_with("LambdaContext([")),
        "{response}"
    );
    let body: Value = serde_json::from_str(response["body"].as_str().expect("text")).expect("JSON");
    assert_eq!((&body[0]["label"], &answer["answer"]), (&json!("7"), &body));
    assert!(body[0]["score"].as_f64().is_some_and(|score| score > 0.9), "{body}");
    let human = world.run(["invoke"]).success();
    assert!(human.stdout.starts_with("7 (") && human.stderr.contains(", warm\n"), "{human}");
    world.run(["invoke", "--raw"]).success().says("COntent-Type-In");
    let direct = world.run(["invoke", "--endpoint", "numbers", "-o", "json"]).success().json();
    assert_eq!(direct["response"], body);

    // What opsctl makes passes its own audit.
    world.run(["audit-iam", "--fail-on", "medium"]).ended(0);
    world.run(["logs", "training/numbers"]).success().says("final test_accuracy=0.98");

    the_report_shows_it(&world);
    changes_do_what_the_plan_says(&world);

    world.run(["destroy", "--yes"]).success();
    let gone = world.run(["status", "-o", "json"]).success().json();
    let resources = gone["resources"].as_array().expect("a list");
    assert!(resources.iter().all(|resource| resource["state"] == "absent"), "{gone}");
    assert_eq!(gone["leftovers"], json!([]));
}

/// What was trained, served and asked here is in the report.
fn the_report_shows_it(world: &World) {
    let ran = world.run(["report", "--invoke", "--out", "report.html"]).success();
    assert_eq!(ran.stdout, "report.html\n");
    let page = world.read("report.html");
    for said in [
        "7 (over 99.9 %)",
        "All 18 resources of the config are deployed and ready",
        "test:accuracy by measurement",
        "Invocations of the endpoint",
        "4 vCPU without a GPU",
        "ml.t3.xlarge",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let report = world.run(["report", "-o", "json", "--audit", "none"]).success().json();
    assert_eq!(
        (&report["gaps"], &report["invocation"], &report["audit"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    let jobs = report["jobs"].as_array().expect("a list");
    assert!(jobs.iter().all(|job| job["artifact"]["bytes"].as_u64() > Some(1_000)), "{jobs:?}");
    let metrics = jobs[0]["metrics"].as_array().expect("a list");
    let loss = metrics.iter().find(|metric| metric["name"] == "train:loss").expect("it was measured");
    assert_eq!(loss["points"].as_array().map(Vec::len), Some(40), "a point for each epoch: {loss}");
    let asked = report["endpoints"][0]["invocations"]["points"].as_array().expect("a list");
    assert!(asked.iter().filter_map(|point| point[1].as_f64()).sum::<f64>() >= 4.0, "{asked:?}");
    let markdown = world.run(["report", "--out", "-", "--format", "markdown"]).success();
    assert!(markdown.stdout.starts_with("# digits / dev\n"), "{markdown}");
    world.run(["report", "--out", "report.pdf"]).ended(64).says("not as `.pdf`");
    let failed = world.run(["report", "--invoke", "--payload", "{}", "--out", "failed.html"]).ended(1);
    assert!(world.read("failed.html").contains("Test invocation"), "{failed}");
}

/// Each change of the file or the sources, the steps that follow, and that nothing is left to do afterwards.
fn changes_do_what_the_plan_says(world: &World) {
    let plan = |world: &World| -> Vec<String> {
        let planned = world.run(["plan", "--detailed-exitcode", "-o", "json"]).ended(2).json();
        let steps = planned["steps"].as_array().expect("a list").clone();
        let line =
            |s: &Value| format!("{} {}", s["op"].as_str().unwrap_or(""), s["target"].as_str().unwrap_or(""));
        steps.iter().map(line).collect()
    };
    let done = |world: &World| {
        world.run(["deploy", "--yes"]).success();
        world.run(["plan", "--detailed-exitcode"]).ended(0);
    };
    world.edit(
        "config/opsctl.toml",
        "target_invocations_per_instance = 10\n",
        "target_invocations_per_instance = 20\n",
    );
    assert_eq!(plan(world), ["update autoscaling/numbers"]);
    done(world);

    world.edit("config/opsctl.toml", "\"ml.m5.large\"", "\"ml.m5.xlarge\"");
    // A scaled variant cannot change its type: scaling steps aside and comes back (docs/decisions/0024).
    assert_eq!(
        plan(world),
        [
            "delete autoscaling/numbers",
            "create endpoint-config/numbers",
            "update endpoint/numbers",
            "create autoscaling/numbers"
        ]
    );
    done(world);

    world.edit("config/opsctl.toml", "memory_mb               = 128", "memory_mb               = 256");
    assert_eq!(plan(world), ["update function/classify"]);
    done(world);
}

/// The config is tried as it is written; the shell's region counts where it names none.
#[test]
fn its_region_is_the_configs() {
    let lab = "[project]\nname = \"lab\"\n[notebook.lab]\ninstance_type = \"ml.t3.xlarge\"\n";
    let with = lab.replace("\n[n", "\nregion = \"us-east-1\"\n[n");
    for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        for (config, region) in [(lab, "eu-west-1"), (&with, "us-east-1")] {
            let world = World::with_config(config).sandbox().env(variable, "eu-west-1");
            world.run(["plan"]).success().says(&format!("SANDBOX, {region}"));
            world.run(["plan", "--region", "us-west-2"]).success().says("SANDBOX, us-west-2");
        }
        let world = World::with_config(lab).sandbox().env(variable, "a/b");
        world.run(["plan"]).ended(64).says("it comes from AWS_REGION or AWS_DEFAULT_REGION");
    }
}
