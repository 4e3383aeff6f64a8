//! What `opsctl plan` costs: calls, CPU seconds and peak memory, by number of resources.
//!
//! `cargo bench --profile dev --bench plan` (or without `--profile dev`, where half an hour of compiling is
//! no matter). Each size is deployed into a sandbox in this process, whose endpoints and functions do not
//! really run; then the command runs in a process of its own, against that sandbox. CPU time and peak memory
//! are the kernel's (Linux).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../e2e/support/inside.rs"]
mod inside;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use inside::{DEPLOY, Project, with_more};
use opsctl_sandbox::effect::Effect;
use opsctl_sandbox::{AwsRule, Sandbox, SandboxOptions};

/// The name under which this program is opsctl.
const ONE: &str = "opsctl-one";
const SIZES: [usize; 4] = [100, 300, 1_000, 3_000];

fn main() -> ExitCode {
    if std::env::args().next().is_some_and(|name| name == ONE) {
        let exit = opsctl::cli::main();
        eprintln!("{:.0} {:.0}", cpu_ms(), peak_mb());
        return exit;
    }
    let sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!("{:>10} {:>7} {:>8} {:>9} {:>9}", "resources", "plan", "calls", "CPU ms", "peak MB");
    for size in if sizes.is_empty() { SIZES.to_vec() } else { sizes } {
        runtime.block_on(measure(size));
    }
    ExitCode::SUCCESS
}

async fn measure(resources: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = SandboxOptions::new(folder.path());
    (options.runs, options.announce) = (false, true);
    // Twenty instances of a type are few here.
    options.rules_off.insert(AwsRule::Quota);
    let sandbox = Sandbox::start(options).await.expect("the sandbox starts");
    // The shipped project has 18 resources.
    let more = resources.saturating_sub(18) / 10;
    let project = Project::edited(&sandbox, |text| with_more(&text, more)).await;
    let resources = project.desired.nodes.len();
    let config = folder.path().join("config");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let copied = Command::new("cp").arg("-r").arg(&shipped).arg(&config).status().expect("cp runs");
    assert!(copied.success());
    let file = config.join("opsctl.toml");
    let text = std::fs::read_to_string(&file).expect("the shipped config");
    std::fs::write(&file, with_more(&text, more)).expect("the folder is ours");
    plan(&sandbox, &file, resources, "first").await;
    project.succeed(DEPLOY).await;
    plan(&sandbox, &file, resources, "again").await;
    sandbox.stop().await;
}

/// The best of three: the machine is shared, and noise only adds.
async fn plan(sandbox: &Sandbox, file: &Path, resources: usize, what: &str) {
    let mut best: Option<(u64, u64)> = None;
    let mut calls = 0;
    for _ in 0..3 {
        sandbox.state().calls.reset();
        let root = sandbox.state().root.clone();
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg0(ONE).args(["--sandbox", "plan", "-q", "-c"]).arg(file).env("OPSCTL_SANDBOX", root);
        let ended =
            tokio::task::spawn_blocking(move || command.output().expect("a child")).await.expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{said}");
        let numbers = said.lines().last().and_then(|line| line.split_once(' '));
        let numbers = numbers.and_then(|(cpu, peak)| Some((cpu.parse().ok()?, peak.parse().ok()?)));
        let numbers: (u64, u64) = numbers.expect("the child tells what it took");
        calls = sandbox.state().calls.with(Effect::Reads);
        best = Some(best.map_or(numbers, |best| best.min(numbers)));
    }
    let (cpu, peak) = best.expect("three runs");
    println!("{resources:>10} {what:>7} {calls:>8} {cpu:>9} {peak:>9}");
}

/// User and system time of all threads.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in parentheses, may hold anything; the times are the 12th and 13th after it, in hundredths of
    // a second.
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        * 10.0
}

fn peak_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|kb| kb.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}
