//! Credentials, tokens and values of `environment` are said nowhere: in no output, at no verbosity, in no
//! file that opsctl leaves.

use std::fs;
use std::path::Path;

use crate::support::commands::{CHANGES, LOOKS};
use crate::support::{Beside, Ran, World};

/// What is planted. Each is a word that nothing else has in it.
const CREDENTIALS: [&str; 3] = ["AKIAPLANTEDKEY000001", "planted/secret+key", "planted-session-token"];
const VALUES: [&str; 5] =
    ["planted-training", "planted-instance", "planted-container", "planted-function", "planted-changed"];

/// The shipped project with a value in every `environment` that there is.
fn world() -> World {
    let world = World::shipped();
    let file = "config/opsctl.toml";
    world.edit(file, "PYTHONUNBUFFERED = \"1\"", "TOKEN = \"planted-training\"");
    world.edit(file, "MODEL_NAME = \"digits\"", "TOKEN = \"planted-container\"");
    world.edit(file, "LOG_LEVEL = \"INFO\"", "TOKEN = \"planted-function\"");
    let ec2 = "[training.numbers-on-ec2.hyperparameters]";
    world.edit(
        file,
        ec2,
        &format!("[training.numbers-on-ec2.environment]\nTOKEN = \"planted-instance\"\n{ec2}"),
    );
    world
        .env("AWS_ACCESS_KEY_ID", CREDENTIALS[0])
        .env("AWS_SECRET_ACCESS_KEY", CREDENTIALS[1])
        .env("AWS_SESSION_TOKEN", CREDENTIALS[2])
}

#[track_caller]
fn is_clean(what: &str, text: &str) {
    for planted in CREDENTIALS.iter().chain(&VALUES) {
        assert!(!text.contains(planted), "`{planted}` is in {what}:\n{text}");
    }
}

#[track_caller]
fn says_nothing(ran: &Ran) {
    is_clean("what it said", &ran.to_string());
    is_clean("stderr", &ran.stderr);
}

/// Every file below a folder, but for the user's own config.
fn files_are_clean(folder: &Path) {
    for entry in fs::read_dir(folder).expect("readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_are_clean(&path);
        } else if !path.ends_with("opsctl.toml") {
            is_clean(
                &path.display().to_string(),
                &String::from_utf8_lossy(&fs::read(&path).expect("readable")),
            );
        }
    }
}

#[test]
fn a_whole_life_says_and_keeps_no_secret() {
    let world = world();
    let beside = Beside::start(&world, &[]);
    // Signed with the planted keys, as calls to AWS are.
    let url = beside.url();
    let run = |arguments: &[&str]| {
        let ran = world.run(["--endpoint-url", &url].into_iter().chain(arguments.iter().copied()));
        says_nothing(&ran);
        ran
    };
    for command in [
        &["check", "-vv"][..],
        &["plan", "--why", "-vv"],
        &["plan", "-o", "json"],
        &["plan", "--out", "plan.json"],
        &["deploy", "--plan", "plan.json", "-vv", "-o", "json"],
        &["status", "-vv"],
        &["status", "-o", "json"],
        &["lease", "show", "-vv"],
        &["upload", "--yes", "-vv"],
        &["audit-iam", "-vv", "--save", "audit.json"],
        &["report", "-vv", "--out", "report.html"],
        &["report", "-vv", "--out", "-", "--format", "markdown"],
        &["report", "-o", "json"],
    ] {
        let _ = run(command).success();
    }
    says_nothing(&world.run(["audit-iam", "-o", "json", "--input", "audit.json", "-vv"]).success());
    // Nothing runs behind it, so some of these fail, which says more.
    for command in LOOKS.iter().chain(CHANGES) {
        let words: Vec<&str> = command.split(' ').chain(["-vv"]).collect();
        let _ = run(&words);
    }
    let _ = run(&["invoke", "-vv", "-o", "json"]);
    // A change of each, refused and throttled by AWS in its own words, and then made.
    let text = world.read("config/opsctl.toml");
    let planted = VALUES[..4].iter().fold(text, |text, value| text.replace(value, "planted-changed"));
    world.write("config/opsctl.toml", &planted);
    let _ = run(&["plan", "--why", "-vv"]).success();
    for fault in ["fail=ValidationException@writes#2x0", "fail=AccessDenied@writes#2x0", "cut@writes#2x0"] {
        beside.strike(&[fault]);
        assert_ne!(run(&["deploy", "--yes", "-vv"]).code, Some(0));
        assert_ne!(run(&["deploy", "--yes", "-vv", "-o", "json"]).code, Some(0));
    }
    beside.strike(&[]);
    let _ = run(&["deploy", "--yes", "-vv"]).success();
    let _ = run(&["destroy", "--yes", "-vv"]).success();
    files_are_clean(&world.path(""));
}

/// A problem is shown with its line, and the line may hold a value.
#[test]
fn what_is_wrong_with_a_line_does_not_show_its_value() {
    let world = world();
    let file = "config/opsctl.toml";
    let good = world.read(file);
    for (line, code) in [
        ("\"A B\" = \"planted-changed\"", "C"),
        ("ENDPOINT_NAME = \"planted-changed\"", "C022"),
        ("TOKEN = \"planted-changed", "C001"),
        ("TOKEN = planted-changed", "C001"),
        ("TOKEN = [\"planted-changed\"]", "C004"),
        ("TOKEN = { x = \"planted-changed\" }", "C004"),
        ("TOKEN = \"\"\"\nplanted-changed\"\"\"\n\"A B\" = 1", "C0"),
        ("TOKEN = \"\"\"\nplanted-changed", "C001"),
    ] {
        world.write(file, &good.replace("TOKEN = \"planted-function\"", line));
        for arguments in [&["check"][..], &["check", "-vv"], &["check", "-o", "json"], &["plan", "--why"]] {
            let ran = world.run(arguments.iter().copied()).ended(3);
            says_nothing(&ran);
            assert!(ran.stdout.contains(code) || ran.stderr.contains(code), "{ran}");
        }
    }
    // Written in other ways.
    let table = "[function.classify.environment] # ENDPOINT_NAME is always set; ${endpoint.NAME} is an endpoint's exact name; no secrets\nTOKEN = \"planted-function\"";
    assert!(good.contains(table));
    for other in [
        "environment = { \"A B\" = \"planted-changed\" }",
        "environment = { TOKEN = \"planted-changed\"",
        "environment.\"A B\" = \"planted-changed\"",
        "environment.TOKEN = \"planted-changed",
        "environment = \"planted-changed\"",
        "environment = [\"planted-changed\"]",
        "[env.dev.function.classify.environment]\n\"A B\" = \"planted-changed\"",
        "[env.dev.function.classify]\nenvironment.\"A B\" = \"planted-changed\"",
    ] {
        world.write(file, &good.replace(table, other));
        for arguments in [&["check"][..], &["check", "-o", "json"]] {
            says_nothing(&world.run(arguments.iter().copied()).ended(3));
        }
    }
}
