//! What people see at 80 and at 40 columns, in a pipe and in a job of GitHub Actions, in files beside this
//! one: whoever changes the words of a command sees it as they do.

use std::path::Path;
use std::process::Command;

use expect_test::expect_file;
use regex_lite::Regex;
use serde_json::Value;

use crate::support::{Beside, World};

const TERMINAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/support/terminal.py");

/// Where a person reads.
#[derive(Clone, Copy, PartialEq)]
enum Where {
    Columns(u32),
    Pipe,
    Github,
}

const ALL: [(&str, Where); 4] = [
    ("80", Where::Columns(80)),
    ("40", Where::Columns(40)),
    ("pipe", Where::Pipe),
    ("github", Where::Github),
];

/// What is seen there of a command, but for what differs each time: stdout, and then stderr where they are
/// two.
fn seen(world: &World, place: Where, arguments: &[&str]) -> String {
    stable(&shown(world, place, arguments), world)
}

/// The same with all that a terminal is told.
fn shown(world: &World, place: Where, arguments: &[&str]) -> String {
    let mut program = Command::new(if matches!(place, Where::Columns(_)) { "python3" } else { "env" });
    if matches!(place, Where::Columns(_)) {
        program.args([TERMINAL, "[y/N]", "n\\n"]);
    }
    let mut command = world.through(program, arguments.iter().copied());
    // `through` takes the environment away.
    command.env("NO_COLOR", "1").env("TERM", "xterm");
    match place {
        Where::Columns(columns) => drop(command.env("TERMINAL_COLUMNS", columns.to_string())),
        Where::Github => drop(command.env("GITHUB_ACTIONS", "true")),
        Where::Pipe => {}
    }
    let output = command.output().expect("it starts");
    match place {
        Where::Columns(_) => {
            let told: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
            told["seen"].as_str().expect("a text").replace("\r\n", "\n")
        }
        _ => String::from_utf8([output.stdout, output.stderr].concat()).expect("text"),
    }
}

/// Without what differs each time.
fn stable(text: &str, world: &World) -> String {
    let text = text.replace(&world.path("").display().to_string(), "PROJECT/");
    let mut text = text;
    for (pattern, to) in [
        ("\u{1b}\\[[0-9;?]*[A-Za-z]", ""),
        (r"-[0-9a-f]{10}\b", "-FINGERPRINT"),
        (r"[0-9.]+ ms\b", "N ms"),
        (r"(in|after|took) [0-9.:]+ ?s?\b", "$1 TIME"),
        (r"took [0-9]+m\b", "took TIME"),
        (r"list prices of [0-9-]+", "list prices of DATE"),
        (r"price list of [0-9-]+", "price list of DATE"),
        (r"table of [0-9-]+", "table of DATE"),
        (r"/[^ \n]*python3[^ \n]*\s+\([0-9.]+\)", "PYTHON"),
    ] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, to).into_owned();
    }
    let lines = text.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

/// The last words of a run: of the lines before, nobody knows the order.
fn summary(text: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.starts_with(['✓', '✗', '■']));
    lines.map(|line| format!("{line}\n")).collect()
}

fn compare(name: &str, place: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/e2e/captures/{name}-{place}.txt"));
    expect_file![file].assert_eq(text);
}

#[test]
fn a_plan_a_deploy_and_the_doctor_read_well_everywhere() {
    let world = World::empty();
    world.run(["init", "digits"]).success();
    let world = world.env("OPSCTL_CONFIG", "digits/opsctl.toml").sandbox();
    let _beside = Beside::start(&world, &[]);
    for (place, how) in ALL {
        compare("plan", place, &seen(&world, how, &["plan"]));
        let text = seen(&world, how, &["doctor"]);
        if let Where::Columns(columns) = how {
            // A word that is longer stays whole.
            let shorter = |line: &str| line.rsplit_once(' ').map_or(0, |(rest, _)| rest.chars().count());
            let wide = |line: &&str| line.chars().count().min(shorter(line) + 1) > columns as usize;
            assert_eq!(text.lines().find(wide), None, "{columns}");
        }
        compare("doctor", place, &text);
        compare("deploy", place, &summary(&seen(&world, how, &["deploy", "--yes"])));
        world.run(["destroy", "--yes"]).success();
    }
}

#[test]
fn an_answer_reads_well_everywhere() {
    let world = World::empty();
    world.run(["init", "digits"]).success();
    let world = world.env("OPSCTL_CONFIG", "digits/opsctl.toml").sandbox();
    let _beside = Beside::running(&world);
    world.run(["deploy", "--yes"]).success();
    for (place, how) in ALL {
        compare("invoke", place, &seen(&world, how, &["invoke"]));
    }
}

/// `NO_COLOR` is about color alone: what is under way is still drawn, and drawn over.
#[test]
fn without_color_a_run_is_still_live() {
    let world = World::with_config("[project]\nname = \"live\"\nregion = \"us-east-1\"\n").sandbox();
    let _beside = Beside::start(&world, &["delay=1s@s3:CreateBucket"]);
    let text = shown(&world, Where::Columns(80), &["deploy", "--yes"]);
    let live = text.find("\u{1b}[2K").unwrap_or_else(|| panic!("nothing is drawn over: {text:?}"));
    let done = text.find('✓').unwrap_or_else(|| panic!("it does not end: {text:?}"));
    assert!(live < done, "{text:?}");
    let colored = Regex::new("\u{1b}\\[[0-9;]*m").expect("a pattern");
    assert!(!colored.is_match(&text), "{text:?}");
}
