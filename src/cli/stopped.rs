//! The summary of a run that a signal or `--timeout` stopped: what continues in AWS, and how to stop that.

use super::hints::quoted;
use crate::domain::{KindName, Verb};
use crate::engine::RunOutcome;
use crate::plan::{Plan, Step};
use crate::run::Session;

/// A line for each thing that runs on in AWS, and what comes next.
pub fn summary(session: &Session, plan: &Plan, outcome: &RunOutcome) -> String {
    let mut text = String::new();
    // What runs in this process ends with it.
    let unfinished = plan.steps.iter().filter(|step| outcome.unfinished.contains(&step.id));
    for step in unfinished.filter(|_| !session.is_all_here) {
        let target = &step.target;
        match ended_by(step, session) {
            _ if step.op.verb() == Verb::Delete => {
                text += &format!("{target}: AWS may still be deleting it.\n")
            }
            Some(command) => text += &format!("{target}: still running in AWS. To stop it: {command}\n"),
            None => {}
        }
    }
    let rest = match outcome.not_started {
        0 => String::new(),
        1 => "1 step was not started. ".to_owned(),
        n => format!("{n} steps were not started. "),
    };
    text + &format!("{rest}Run the same command again to resume.")
}

/// The command that ends what a step has begun, where it costs money for as long as it runs.
fn ended_by(step: &Step, session: &Session) -> Option<String> {
    let name = &step.physical;
    let aws = |command: &str| Some(format!("aws {command} {name}{}", options(session)));
    match step.target.kind {
        KindName::Training => aws("sagemaker stop-training-job --training-job-name"),
        KindName::Endpoint => aws("sagemaker delete-endpoint --endpoint-name"),
        KindName::Notebook => Some(format!("`opsctl notebook stop --name {}`", step.target.name)),
        // Its id is AWS's; it has a limit of its own.
        KindName::Instance => Some("`opsctl destroy`; else its `max_runtime` does".to_owned()),
        _ => None,
    }
}

/// Where the AWS CLI goes to the same place.
fn options(session: &Session) -> String {
    let options = [("profile", &session.profile), ("endpoint-url", &session.endpoint)];
    let options = options.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let options = options.map(|(name, value)| format!(" --{name} {}", quoted(value)));
    format!(" --region {}{}", session.context.scope.region, options.collect::<String>())
}
