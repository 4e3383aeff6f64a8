//! Strikes every call of every operation of the shipped project with every fault, and tells what became of
//! it (docs/reliability.md).
//!
//! `cargo bench --profile dev --bench sweep -- [--operation WORD]… [--fault WORD]… [--every N] [--reads N]
//! [--offset K] [--jobs N]`: only what contains the words, one case in N, of reads one in N of these.
//! Findings and the table go to stdout, progress to stderr; the exit status is 1 when something did not
//! converge or an exit 0 was not true.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../e2e/support/inside.rs"]
mod inside;
#[path = "../e2e/support/sweep.rs"]
mod sweep;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use sweep::{Case, Ended, FAULTS, Fault, Operation, Sweep, Told};

struct TargetOptions {
    operations: Vec<String>,
    faults: Vec<String>,
    every: u64,
    /// Which one of so many: each run with another number strikes others.
    offset: u64,
    /// One read in so many: most of them are looks, which leave nothing.
    reads: u64,
    jobs: usize,
}

impl TargetOptions {
    fn read() -> Self {
        let mut choice =
            Self { operations: Vec::new(), faults: Vec::new(), every: 1, offset: 0, reads: 1, jobs: 8 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            match argument.as_str() {
                "--operation" => choice.operations.push(value()),
                "--fault" => choice.faults.push(value()),
                "--every" => choice.every = value().parse().expect("a number"),
                "--offset" => choice.offset = value().parse().expect("a number"),
                "--reads" => choice.reads = value().parse().expect("a number"),
                "--jobs" => choice.jobs = value().parse().expect("a number"),
                // Cargo says that it is a benchmark.
                "--bench" => {}
                other => panic!("{other} is not known"),
            }
        }
        choice
    }

    fn draws(&self, case: &Case) -> bool {
        let share = if case.reads() { self.every * self.reads } else { self.every };
        case.draw() % share == self.offset % share
    }

    fn has(words: &[String], name: &str) -> bool {
        words.is_empty() || words.iter().any(|word| name.contains(word.as_str()))
    }
}

/// What became of the cases of one operation with one fault.
#[derive(Default)]
struct Row {
    cases: usize,
    unstruck: usize,
    green: usize,
    red: usize,
    killed: usize,
    wrong: usize,
}

fn main() -> ExitCode {
    let choice = TargetOptions::read();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let started = Instant::now();
    let mut rows: BTreeMap<(Operation, Fault), Row> = BTreeMap::new();
    for operation in Operation::ALL {
        if TargetOptions::has(&choice.operations, &operation.to_string()) {
            runtime.block_on(run(operation, &choice, &mut rows));
        }
    }
    table(&rows);
    let cases: usize = rows.values().map(|row| row.cases).sum();
    let wrong: usize = rows.values().map(|row| row.wrong).sum();
    println!("\n{cases} cases, {wrong} wrong, {:.0} s", started.elapsed().as_secs_f64());
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(operation: Operation, choice: &TargetOptions, rows: &mut BTreeMap<(Operation, Fault), Row>) {
    let sweep = Sweep::of(operation).await;
    let faults: Vec<Fault> =
        FAULTS.into_iter().filter(|f| TargetOptions::has(&choice.faults, f.name)).collect();
    let all = sweep.cases(&faults);
    let cases: Vec<Case> = all.into_iter().filter(|case| choice.draws(case)).collect();
    eprintln!("{operation}: {} calls, {} cases", sweep.calls.len(), cases.len());
    let total = cases.len();
    let mut results = stream::iter(cases)
        .map(|case| async {
            let told = sweep.strike(&case).await;
            (case, told)
        })
        .buffer_unordered(choice.jobs);
    let mut done = 0;
    while let Some((case, told)) = results.next().await {
        done += 1;
        if done % 100 == 0 {
            eprintln!("  {done} of {total}");
        }
        tell(&case, &told);
        let row = rows.entry((operation, case.fault)).or_default();
        row.cases += 1;
        row.unstruck += usize::from(!told.struck);
        row.wrong += usize::from(!told.wrong.is_empty());
        match told.first {
            Ended::Green => row.green += 1,
            Ended::Red(_) => row.red += 1,
            Ended::Killed => row.killed += 1,
        }
    }
    eprintln!("  {} different accounts were left", sweep.states());
}

fn tell(case: &Case, told: &Told) {
    // What the SDK tries again is nobody's business.
    if let (true, Ended::Red(why)) = (case.fault.name.ends_with("once"), &told.first) {
        println!("FAILED {case}: {}", why.chars().take(300).collect::<String>());
    }
    if told.wrong.is_empty() {
        return;
    }
    println!("WRONG {case}: first {:?}, again {:?}", told.first, told.again);
    for wrong in &told.wrong {
        println!("    {wrong}");
    }
}

fn table(rows: &BTreeMap<(Operation, Fault), Row>) {
    println!(
        "| Operation | Fault | Cases | Succeeded all the same | Failed | Killed | Came too late | Did not converge, or falsely green |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    for ((operation, fault), row) in rows {
        let Row { cases, unstruck, green, red, killed, wrong } = row;
        println!(
            "| {operation} | {} | {cases} | {} | {red} | {killed} | {unstruck} | {wrong} |",
            fault.name,
            green - unstruck.min(green)
        );
    }
}
