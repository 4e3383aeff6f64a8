//! The summary of a run that a signal or `--timeout` stopped: what continues in AWS, and how to stop that.

use crate::domain::many;
use crate::run::{Continues, Done, Stop};

/// A line for each thing that runs on in AWS, and what comes next.
pub fn summary(done: &Done) -> String {
    let rest = match done.outcome.not_started {
        0 => String::new(),
        n => format!("{} {} not started. ", many(n, "step"), if n == 1 { "was" } else { "were" }),
    };
    running(done) + &format!("{rest}Run the same command again to resume.")
}

/// A line for each thing that runs on in AWS, although nobody waits for it here.
pub fn running(done: &Done) -> String {
    done.continues.iter().map(line).collect()
}

fn line(it: &Continues) -> String {
    let what = match it.stop {
        Some(Stop::One) => "To stop it",
        Some(Stop::Destroy) => "To delete all",
        None => "",
    };
    let how = it.command().map(|command| format!(" {what}: `{command}`")).unwrap_or_default();
    format!("{}: {}{how}\n", it.target, it.reason)
}
