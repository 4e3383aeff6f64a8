//! What a run that ended before its steps did leaves running in AWS, and what stops that.

use crate::desired::{AnyKind, kind_of};
use crate::domain::usage::Runs;
use crate::domain::{Action, HumanDuration, ResourceId, Verb, action};
use crate::engine::RunOutcome;
use crate::plan::{Op, Plan, Step, StepId};

/// Where the resources of a run are, which decides what outlives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    Aws,
    /// A sandbox in another process of this machine.
    Sandbox,
    /// A sandbox in this process, which ends with it.
    InProcess,
    /// Another endpoint.
    Other,
}

/// Something that a run has begun and not awaited to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continues {
    pub target: ResourceId,
    /// What it does now, in sentences.
    pub reason: String,
    pub stop: Option<Stop>,
}

/// What ends something that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    One,
    /// It ends with the whole project alone.
    Destroy,
}

impl Continues {
    /// The command that ends it, as it is typed.
    pub fn command(&self) -> Option<String> {
        let said = match self.stop? {
            Stop::One => format!("`opsctl stop {}`", self.target),
            Stop::Destroy => "`opsctl destroy`".to_owned(),
        };
        Some(said.trim_matches('`').to_owned())
    }
}

/// Everything that may run on, although nobody waits for it here.
pub(super) fn of(
    plan: &Plan,
    outcome: &RunOutcome,
    kinds: &[Box<dyn AnyKind>],
    host: Host,
) -> Vec<Continues> {
    let unfinished = plan.steps.iter().filter(|step| outcome.unfinished.contains(&step.id));
    let all = unfinished.filter_map(|step| {
        let known = Known::of(step.id, step.op.verb(), outcome);
        let (reason, stop) = told(step, kind_of(kinds, step.target.kind), known, host)?;
        Some(Continues { target: step.target.clone(), reason, stop })
    });
    all.collect()
}

fn told(step: &Step, kind: &dyn AnyKind, known: Known, host: Host) -> Option<(String, Option<Stop>)> {
    let verb = step.op.verb();
    let makes = matches!(verb, Verb::Create | Verb::Update);
    let stop = kind.stops().then_some(Stop::One);
    let place = match host {
        Host::Aws => " in AWS, which bills it",
        Host::Sandbox => " in the sandbox",
        Host::InProcess | Host::Other => "",
    };
    match (known, host) {
        (Known::Nothing, _) => None,
        (Known::Unanswered, Host::InProcess) if makes => None,
        (Known::Unanswered, _) if makes => {
            let lasts = stop.is_some() || kind.continues(verb).is_some();
            let whether = "`opsctl status` shows whether it is.";
            lasts.then(|| (format!("it may be running{place}: AWS had not answered. {whether}"), stop))
        }
        // What runs in this process ends with it.
        (_, Host::InProcess) => (makes && stop.is_some()).then(|| {
            let reason = "it ended with this command, because the sandbox did. The next command in the \
                          sandbox begins it again; `opsctl sandbox serve` in another terminal outlives them.";
            (reason.to_owned(), None)
        }),
        _ if verb == Verb::Delete => Some(("AWS may still be deleting it.".to_owned(), None)),
        _ if stop.is_some() => {
            let limit = limit(step).map(|limit| format!("; it ends by itself after {limit}"));
            Some((format!("still running{place}{}.", limit.unwrap_or_default()), stop))
        }
        _ => {
            let stop = (verb == Verb::Create).then_some(Stop::Destroy);
            kind.continues(verb).map(|sentence| (sentence.to_owned(), stop))
        }
    }
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

    /// What ended with the sandbox of this process has no line; anything else has one, and its command.
    #[test]
    fn what_runs_on_has_the_command_that_stops_it() {
        let kinds = crate::resources::kinds();
        let kind = kinds.iter().find(|kind| kind.stops()).unwrap();
        // What makes something has a spec, and is in `tests/e2e/person.rs`.
        let (target, physical) = (ResourceId::new(kind.name(), "lab"), "x-dev-lab".to_owned());
        let (op, after, why) = (Op::Delete, Default::default(), Vec::new());
        let step = Step { id: 0, target: target.clone(), physical, op, after, why };
        let deleting = Some(("AWS may still be deleting it.".to_owned(), None));
        for (known, host, expected) in [
            (Known::Made, Host::Aws, &deleting),
            (Known::Unanswered, Host::Other, &deleting),
            (Known::Nothing, Host::Aws, &None),
            (Known::Made, Host::InProcess, &None),
        ] {
            assert_eq!(&told(&step, kind.as_ref(), known, host), expected, "{known:?} {host:?}");
        }
        let it = |stop| Continues { target: target.clone(), reason: String::new(), stop };
        assert_eq!(it(Some(Stop::One)).command(), Some(format!("opsctl stop {target}")));
        assert_eq!(it(Some(Stop::Destroy)).command().as_deref(), Some("opsctl destroy"));
        assert_eq!(it(None).command(), None);
    }
}
