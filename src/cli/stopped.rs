//! The summary of a run that a signal or `--timeout` stopped: what continues in AWS, and how to stop that.

use crate::domain::usage::Runs;
use crate::domain::{HumanDuration, Verb, many};
use crate::engine::RunOutcome;
use crate::plan::{Op, Plan, Step};
use crate::run::Session;

/// A line for each thing that runs on in AWS, and what comes next.
pub fn summary(session: &Session, plan: &Plan, outcome: &RunOutcome) -> String {
    let mut text = String::new();
    let runs = match (session.is_aws, session.is_sandbox) {
        (true, _) => "still running in AWS, which bills it",
        (false, true) => "still running in the sandbox",
        (false, false) => "still running",
    };
    let was_made =
        |step: &&Step| outcome.unfinished.contains(&step.id) && !outcome.refused.contains(&step.id);
    for step in plan.steps.iter().filter(was_made) {
        let target = &step.target;
        let kind = session.kind(target.kind);
        let stops = kind.stops();
        text += &match step.op.verb() {
            // What runs in this process ends with it.
            Verb::Create | Verb::Update if session.is_all_here && stops => format!(
                "{target}: it ended with this command, because the sandbox did. The next command in the sandbox \
                 begins it again; `opsctl sandbox serve` in another terminal outlives them.\n"
            ),
            _ if session.is_all_here => continue,
            Verb::Delete => format!("{target}: AWS may still be deleting it.\n"),
            _ if stops => {
                let limit = limit(step).map(|limit| format!("; it ends by itself after {limit}"));
                let limit = limit.unwrap_or_default();
                format!("{target}: {runs}{limit}. To stop it: `opsctl stop {target}`\n")
            }
            verb => match kind.continues(verb) {
                Some(sentence) => format!("{target}: {sentence}\n"),
                None => continue,
            },
        };
    }
    let rest = match outcome.not_started {
        0 => String::new(),
        n => format!("{} {} not started. ", many(n, "step"), if n == 1 { "was" } else { "were" }),
    };
    text + &format!("{rest}Run the same command again to resume.")
}

/// How long a job may run.
fn limit(step: &Step) -> Option<HumanDuration> {
    let (Op::Create { spec } | Op::Update { spec, .. }) = &step.op else { return None };
    match spec.usage().runs {
        Runs::Once { at_most, .. } => Some(at_most),
        Runs::Always | Runs::UntilIdle => None,
    }
}
