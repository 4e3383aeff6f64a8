//! What an audit costs: CPU seconds and peak memory, by number of roles, and of one enormous policy.
//!
//! `cargo bench --no-default-features --bench audit`. Each size runs in a process of its own that reads the
//! dump from a file, as `opsctl audit-iam --input` does, and writes both the report for people and the JSON;
//! CPU time and peak memory are the kernel's own (Linux). The time counts from the last byte read. `--against
//! OLD NEW` counts the reading, too.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../core/audit/generate/mod.rs"]
mod generate;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../core/audit/world.rs"]
mod world;

use std::process::Command;

use opsctl::audit::report::{Format, Options, plain, render};
use opsctl::audit::{Account, Settings, Usage, against, audit};
use opsctl_iam::catalogue::Catalogue;
use serde_json::{Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        ["--one", path] => one(path, true),
        ["--wide", path] => one(path, false),
        ["--against", old, new] => compared(old, new),
        // What a comparison says, to be laid beside what it said before.
        ["--gains", old, new] => gains(old, new).iter().for_each(|gain| println!("{gain}")),
        // For `audit_compare.py`: what is found, the dump itself, and where this program is.
        ["--json", path] => print!("{}", found(path, Format::Json)),
        // For `tests/report/run.sh`.
        ["--html", path] => print!("{}", found(path, Format::Html)),
        ["--write", path, roles] => {
            let size = roles.parse().expect("a number of roles");
            let dump = generate::generate(size).0.json();
            let mut dump: Value = serde_json::from_slice(&dump).expect("JSON");
            inline_documents(&mut dump).for_each(decode);
            std::fs::write(path, dump.to_string()).expect("a file");
        }
        ["--write-joining", path, users, groups] => {
            let [users, groups] = [users, groups].map(|number| number.parse().expect("a number"));
            std::fs::write(path, generate::crowds::joining(users, groups).json()).expect("a file");
        }
        ["--write-rewriting", path, roles] => {
            let size = roles.parse().expect("a number of roles");
            std::fs::write(path, rewriting(size)).expect("a file");
        }
        ["--path"] => println!("{}", std::env::current_exe().expect("this program").display()),
        _ => all(),
    }
}

fn all() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("dump.json");
    println!(
        "{:>17} {:>9} {:>9} {:>11} {:>9} {:>9}",
        "", "dump MB", "CPU ms", "of it read", "peak MB", "findings"
    );
    for size in [100, 1_000, 3_000, 10_000] {
        std::fs::write(&path, generate::generate(size).0.json()).expect("a file");
        println!("{:>17} {}", format!("{size} roles"), best("--one", &path));
    }
    // Twice as much as IAM takes of a policy, and what it just takes.
    for (actions, resources) in [(20_000, 20_000), (2_400, 2_400)] {
        std::fs::write(&path, wide(actions, resources)).expect("a file");
        println!("{:>17} {}", format!("{actions} x {resources}"), best("--wide", &path));
    }
    std::fs::write(&path, wild(9_000, 6_000)).expect("a file");
    println!("{:>17} {}", "9000 x 6000 wild", best("--wide", &path));
    std::fs::write(&path, generate::crowds::joining(1_000, 300).json()).expect("a file");
    println!("{:>17} {}", "1000 join 300", best("--wide", &path));
    std::fs::write(&path, rewriting(3_000)).expect("a file");
    println!("{:>17} {}", "3000 rewrite", best("--wide", &path));
}

/// The best of five runs: the machine is shared, and noise only adds.
fn best(how: &str, path: &std::path::Path) -> String {
    let program = std::env::current_exe().expect("this program");
    let run = |_| {
        let output = Command::new(&program).arg(how).arg(path).output().expect("a child");
        String::from_utf8(output.stdout).expect("text")
    };
    (0..5).map(run).min_by_key(|line| cpu_of(line)).expect("five runs")
}

/// A role with one statement of that many actions and resources.
fn wide(actions: usize, resources: usize) -> Vec<u8> {
    let catalogue = Catalogue::embedded();
    let actions: Vec<&str> = catalogue.all().take(actions).map(|id| catalogue.name(id)).collect();
    let arns: Vec<String> = (0..resources).map(|n| format!("arn:aws:s3:::b{n}/*")).collect();
    let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
    world::World::of([world::role("wide").can(world::allow(&actions, &arns))]).json()
}

/// A role with one statement of that many patterns, each of which may be anywhere in anything.
fn wild(actions: usize, resources: usize) -> Vec<u8> {
    let all: Vec<String> = (0..actions.max(resources)).map(|n| format!("*{n}*")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let statement = world::allow(&all[..actions], &all[..resources]);
    world::World::of([world::role("wild").can(statement)]).json()
}

/// Roles that rewrite each other under conditions and by patterns, of which none holds what another does.
fn rewriting(size: usize) -> Vec<u8> {
    use world::{allow, policy_arn, role, role_arn, trust_own_account, when};
    let roles = (0..size).map(|n| {
        let (team, next) = (n % 20, (n + 1) % 20);
        let of = |team: usize| role_arn(&format!("team-{team}-*"));
        let bounded = |statement: Value| {
            when(statement, "StringEquals", "iam:PermissionsBoundary", policy_arn(&format!("bound-{n}")))
        };
        let log = allow(&["logs:PutLogEvents"], &[&format!("arn:aws:logs:*:*:log-group:/{n}:*")]);
        let own = match n % 4 {
            0 => bounded(allow(&["iam:PutRolePolicy", "iam:AttachRolePolicy"], &["*"])),
            1 => allow(&["iam:DeleteRolePermissionsBoundary", "iam:DetachRolePolicy"], &[&of(next)]),
            2 => allow(&["sts:AssumeRole"], &[&of(next)]),
            _ => allow(&["iam:PassRole", "glue:CreateJob"], &["*"]),
        };
        let spared = json!({"Effect": "Deny", "Action": ["iam:Put*", "iam:PassRole", "sts:AssumeRole"],
            "NotResource": [of(team), of(next)]});
        role(&format!("team-{team}-{n}")).trusts(trust_own_account()).can(vec![log, own, spared])
    });
    world::World::of(roles).json()
}

fn inline_documents(dump: &mut Value) -> impl Iterator<Item = &mut Value> {
    let roles = dump["RoleDetailList"].as_array_mut().into_iter().flatten();
    let policies = roles.filter_map(|role| role["RolePolicyList"].as_array_mut()).flatten();
    policies.map(|policy| &mut policy["PolicyDocument"])
}

/// Cloudsplaining fails on documents that are still text.
fn decode(document: &mut Value) {
    if let Some(text) = document.as_str() {
        let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        *document = serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("a document");
    }
}

fn cpu_of(line: &str) -> u64 {
    line.split_whitespace()
        .nth(1)
        .and_then(|ms| ms.parse::<f64>().ok())
        .map_or(u64::MAX, |ms| (ms * 1e3) as u64)
}

fn found(path: &str, form: Format) -> String {
    let account = Account::from_json(&std::fs::read(path).expect("a dump")).expect("a dump");
    let result = audit(&account, &Usage::default(), &Settings::at(world::now()));
    render(&result, form, Options { location: "opsctl.toml", fail_on: None, paint: plain })
}

fn one(path: &str, planted: bool) {
    let text = std::fs::read(path).expect("a dump");
    let bytes = text.len();
    let before = cpu_ms();
    let account = Account::from_json(&text).expect("a dump");
    drop(text);
    let read = cpu_ms() - before;
    let result = audit(&account, &Usage::default(), &Settings::at(world::now()));
    let options = Options { location: "opsctl.toml", fail_on: None, paint: plain };
    let shown = [Format::Human, Format::Json].map(|form| render(&result, form, options));
    let (total, peak) = (cpu_ms() - before, peak_mb());
    std::hint::black_box(shown);
    if planted {
        let truth = generate::truth(result.summary.roles - generate::FIXED);
        assert_eq!(generate::errors(&result, &truth), [""; 0], "what is fast must also be right");
    }
    print!("{:>9.1} {total:>9.1} {read:>11.1} {peak:>9.1} {:>9}", bytes as f64 / 1e6, result.findings.len());
}

fn compared(old: &str, new: &str) {
    let before = cpu_ms();
    let found = gains(old, new).len();
    println!("{:>9.1} ms {:>9.1} MB {found:>9} lines", cpu_ms() - before, peak_mb());
}

/// As `audit-iam --input NEW --against OLD` asks it.
fn gains(old: &str, new: &str) -> Vec<String> {
    let read = |path: &str| Account::from_json(&std::fs::read(path).expect("a dump")).expect("a dump");
    let (before, after) = (read(old), read(new));
    let gains = against::new_access(&before, &after, world::now());
    let unknown = against::unknown(&before, &after, world::now());
    let gaps = against::gaps(&before, &after);
    let of = |resource: &str, line: &str| format!("{resource}: {line}");
    let lines = gains.iter().flat_map(|gain| gain.lines.iter().map(|line| of(&gain.principal, line)));
    let unknown = unknown.iter().map(|gap| of(&gap.resource, &gap.reason));
    lines.chain(unknown).chain(gaps.iter().map(|gap| of(&gap.resource, &gap.reason))).collect()
}

/// CPU time of this thread, which is the only one.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e6
}

fn peak_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|kb| kb.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}
