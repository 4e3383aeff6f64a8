//! The summary of a run that a signal or `--timeout` stopped: what continues in AWS, and how to stop that.

use crate::domain::usage::Runs;
use crate::domain::{Action, HumanDuration, Verb, action, many};
use crate::engine::RunOutcome;
use crate::plan::{Op, Plan, Step, StepId};
use crate::run::Session;

/// A line for each thing that runs on in AWS, and what comes next.
pub fn summary(session: &Session, plan: &Plan, outcome: &RunOutcome) -> String {
    let rest = match outcome.not_started {
        0 => String::new(),
        n => format!("{} {} not started. ", many(n, "step"), if n == 1 { "was" } else { "were" }),
    };
    running(session, plan, outcome) + &format!("{rest}Run the same command again to resume.")
}

/// A line for each thing that runs on in AWS, although nobody waits for it here.
pub fn running(session: &Session, plan: &Plan, outcome: &RunOutcome) -> String {
    let mut text = String::new();
    let (runs, place) = match (session.is_aws, session.is_sandbox) {
        (true, _) => ("still running in AWS, which bills it", " in AWS, which bills it"),
        (false, true) => ("still running in the sandbox", " in the sandbox"),
        (false, false) => ("still running", ""),
    };
    for step in plan.steps.iter().filter(|step| outcome.unfinished.contains(&step.id)) {
        let target = &step.target;
        let kind = session.kind(target.kind);
        let stops = kind.stops();
        let known = Known::of(step.id, step.op.verb(), outcome);
        text += &match step.op.verb() {
            _ if known == Known::Nothing => continue,
            verb @ (Verb::Create | Verb::Update) if known == Known::Unanswered => {
                let may_run = stops || kind.continues(verb).is_some();
                if session.is_all_here || !may_run {
                    continue;
                }
                format!("{target}: it may be running{place}: AWS had not answered. `opsctl status` tells.\n")
            }
            // What runs in this process ends with it.
            Verb::Create | Verb::Update if session.is_all_here && stops => format!(
                "{target}: it ended with this command, because the sandbox did. The next command in the \
                 sandbox begins it again; `opsctl sandbox serve` in another terminal outlives them.\n"
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
    text
}

/// What is known of a step that a stop has left unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It was awaited, so it was there.
    Made,
    /// The call that makes it was sent, and has no answer.
    Unanswered,
    /// AWS refused that call, or it was not sent.
    Nothing,
}

/// The calls that make what runs on.
const MAKING: [Action; 4] = [
    action::sagemaker::CreateTrainingJob,
    action::sagemaker::CreateNotebookInstance,
    action::sagemaker::CreateEndpoint,
    action::ec2::RunInstances,
];

impl Known {
    fn of(step: StepId, verb: Verb, outcome: &RunOutcome) -> Self {
        match outcome.unanswered.get(&step) {
            _ if outcome.refused.contains(&step) => Self::Nothing,
            Some(call) if verb == Verb::Create && MAKING.iter().all(|action| action.name != call) => {
                Self::Nothing
            }
            Some(_) => Self::Unanswered,
            None => Self::Made,
        }
    }
}

/// How long a job may run.
fn limit(step: &Step) -> Option<HumanDuration> {
    let (Op::Create { spec } | Op::Update { spec, .. }) = &step.op else { return None };
    match spec.usage().runs {
        Runs::Once { at_most, .. } => Some(at_most),
        Runs::Always | Runs::UntilIdle => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_awaited_is_said_to_run() {
        let unfinished = |unanswered: Option<&str>| {
            let mut outcome = RunOutcome::default();
            outcome.unfinished.push(7);
            outcome.unanswered.extend(unanswered.map(|call| (7, call.to_owned())));
            outcome
        };
        let (awaited, mut refused) = (unfinished(None), unfinished(None));
        refused.refused.push(7);
        let unanswered = |call| unfinished(Some(call));
        let known = |verb, outcome: &RunOutcome| Known::of(7, verb, outcome);
        assert_eq!(known(Verb::Create, &awaited), Known::Made);
        assert_eq!(known(Verb::Create, &refused), Known::Nothing);
        for making in MAKING {
            assert_eq!(known(Verb::Create, &unanswered(making.name)), Known::Unanswered);
        }
        // The code's upload, the record, the image's parameter.
        assert_eq!(known(Verb::Create, &unanswered("waiting for an answer")), Known::Nothing);
        assert_eq!(known(Verb::Update, &unanswered("waiting for an answer")), Known::Unanswered);
        assert_eq!(known(Verb::Update, &unanswered("sagemaker:UpdateEndpoint")), Known::Unanswered);
    }
}
