//! The summary of a run that a signal or `--timeout` stopped: what continues in AWS, and how to stop that.

use crate::domain::{HumanDuration, KindName, Verb};
use crate::engine::RunOutcome;
use crate::plan::{Op, Plan, Step};
use crate::resources::instance::Instance;
use crate::resources::training::Training;
use crate::run::Session;

/// A line for each thing that runs on in AWS, and what comes next.
pub fn summary(session: &Session, plan: &Plan, outcome: &RunOutcome) -> String {
    let mut text = String::new();
    let goes_on = |step: &&Step| {
        let was_made = outcome.unfinished.contains(&step.id) && !outcome.refused.contains(&step.id);
        // What runs in this process ends with it.
        was_made && !session.is_all_here
    };
    for step in plan.steps.iter().filter(goes_on) {
        let target = &step.target;
        let stops = session.kind(target.kind).stops();
        text += &match step.op.verb() {
            Verb::Delete => format!("{target}: AWS may still be deleting it.\n"),
            _ if stops => {
                let limit = limit(step).map(|limit| format!("; it ends by itself after {limit}"));
                let limit = limit.unwrap_or_default();
                format!("{target}: still running in AWS{limit}. To stop it: `opsctl stop {target}`\n")
            }
            Verb::Update if target.kind == KindName::Endpoint => {
                format!(
                    "{target}: AWS continues the update; the instances of before answer until it is done.\n"
                )
            }
            _ if target.kind == KindName::Endpoint => {
                format!("{target}: AWS is still creating it, and bills it. To delete all: `opsctl destroy`\n")
            }
            _ => continue,
        };
    }
    let rest = match outcome.not_started {
        0 => String::new(),
        1 => "1 step was not started. ".to_owned(),
        n => format!("{n} steps were not started. "),
    };
    text + &format!("{rest}Run the same command again to resume.")
}

/// How long a job may run.
fn limit(step: &Step) -> Option<HumanDuration> {
    let (Op::Create { spec } | Op::Update { spec, .. }) = &step.op else { return None };
    let training = spec.of::<Training>().map(|spec| spec.max_runtime_s);
    let seconds = training.or_else(|| spec.of::<Instance>().map(|spec| spec.max_runtime_s))?;
    Some(HumanDuration::seconds(u64::from(seconds.unsigned_abs())))
}
