//! Executes the plan: each step as soon as the steps that it depends on have succeeded.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::events::ms;
use super::{Cause, Event, OpCx, Registry, RunContext, RunResult, StepResult};
use crate::aws::{LeaseLost, OpError, PollPace};
use crate::domain::{FieldChange, ResourceId, Scope, tags};
use crate::plan::{Op, Plan, Step, StepId, Verb};

/// Looks once more at what a step reads, right before it is begun: the steps before it may have taken hours.
pub trait BeforeStep: Sync {
    /// # Errors
    /// It is not what it was planned with, so the step fails, or it cannot be read.
    fn look<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), OpError>>;
}

/// How the run ended, step by step.
#[derive(Debug, Default)]
pub struct RunOutcome {
    /// Failed steps, in the order of failing. Their dependents were skipped, everything else was done.
    pub failed: Vec<(ResourceId, OpError)>,
    /// Steps that had started when the run was stopped and are not known to be finished, by number.
    pub unfinished: Vec<StepId>,
    /// Those of them that AWS still refused: nothing of them was made.
    pub refused: Vec<StepId>,
    /// Those of them whose last call has no answer, with its action; or with other words, where it was a call
    /// that prepares the one that makes something.
    pub unanswered: BTreeMap<StepId, String>,
    /// Steps whose turn did not come because the run was stopped.
    pub not_started: usize,
    /// The lease was lost, or may have been: nothing more was written.
    pub lease_lost: Option<LeaseLost>,
    stopped: Option<RunResult>,
}

impl RunOutcome {
    /// How the run ended, by how its steps did.
    pub fn result(&self) -> RunResult {
        match self.stopped {
            Some(stopped) => stopped,
            None if self.failed.is_empty() && self.lease_lost.is_none() => RunResult::Ok,
            None => RunResult::Failed,
        }
    }
}

/// What the end of a step means for the steps that depend on it.
enum Standing {
    Ready,
    /// Whose failure is to blame.
    Failed(ResourceId),
    /// The run was stopped before it, or in it.
    Stopped,
}

/// Never an error: every step has a result, and nothing is rolled back, because running again converges.
pub async fn execute(plan: &Plan, registry: &Registry, context: &RunContext) -> RunOutcome {
    execute_with(plan, registry, context, None).await
}

/// [`execute`], with a look before each step that others came before.
pub async fn execute_with(
    plan: &Plan,
    registry: &Registry,
    context: &RunContext,
    before: Option<&dyn BeforeStep>,
) -> RunOutcome {
    context.events.send(Event::RunStarted { steps: plan.steps.len() });
    let mut outcome = RunOutcome::default();
    let mut ended: BTreeMap<StepId, Standing> = BTreeMap::new();
    let mut waiting: Vec<&Step> = plan.steps.iter().collect();
    let mut running = FuturesUnordered::new();
    loop {
        // A lease that slept is confirmed first; one that is lost ends the run.
        let confirmed =
            context.cancel.reading("lease", async { Ok(context.aws.fence.ready().await.is_ok()) });
        let drained = !confirmed.await.unwrap_or(false) || context.cancel.drain.is_cancelled();
        // Ready steps start; steps whose dependencies failed end at once, which may end others: hence the
        // loop.
        loop {
            let ready = |step: &&Step| step.after.iter().all(|after| ended.contains_key(after));
            let (now, later): (Vec<&Step>, Vec<&Step>) = waiting.into_iter().partition(ready);
            waiting = later;
            if now.is_empty() {
                break;
            }
            for step in now {
                match not_begun(step, &ended, drained) {
                    None => {
                        // It was looked at a moment ago where nothing was done since.
                        let before = before.filter(|_| !ended.is_empty());
                        running.push(perform(step, plan, registry, context, before));
                    }
                    Some((result, standing)) => {
                        outcome.not_started += usize::from(matches!(standing, Standing::Stopped));
                        finish(context, step, result, 0);
                        ended.insert(step.id, standing);
                    }
                }
            }
        }
        let Some((step, result, elapsed)) = running.next().await else { break };
        let (result, standing) = outcome.ended(step, result, context);
        finish(context, step, result, elapsed);
        ended.insert(step.id, standing);
    }
    outcome.lease_lost = context.aws.fence.lost();
    // Stopped after the last step: then nothing was left out.
    if outcome.not_started > 0 || !outcome.unfinished.is_empty() {
        outcome.stopped = Some(match context.cancel.cause() {
            Some(Cause::Deadline(_)) => RunResult::TimedOut,
            Some(Cause::LeaseLost) => RunResult::Failed,
            // The fence knows before the run is told to stop.
            None if outcome.lease_lost.is_some() => RunResult::Failed,
            _ => RunResult::Interrupted,
        });
    }
    outcome
}

/// Why a step is not begun whose turn it is, and what that means for those after it.
fn not_begun(
    step: &Step,
    ended: &BTreeMap<StepId, Standing>,
    drained: bool,
) -> Option<(StepResult, Standing)> {
    let needed = || step.after.iter().map(|after| &ended[after]);
    let culprit = needed().find_map(|standing| match standing {
        Standing::Failed(culprit) => Some(culprit.clone()),
        _ => None,
    });
    if let Some(because_of) = culprit {
        return Some((StepResult::Skipped { because_of: because_of.clone() }, Standing::Failed(because_of)));
    }
    let stopped = drained || needed().any(|standing| matches!(standing, Standing::Stopped));
    stopped.then_some((StepResult::NotStarted, Standing::Stopped))
}

impl RunOutcome {
    /// Counts the end of a step that was begun.
    fn ended(
        &mut self,
        step: &Step,
        result: Result<(), OpError>,
        context: &RunContext,
    ) -> (StepResult, Standing) {
        let told = StepResult::of(&result, &context.cancel);
        let standing = match result {
            Ok(()) => Standing::Ready,
            Err(error) if context.cancel.caused(&error) => {
                self.unfinished.push(step.id);
                self.refused.extend(error.refused.then_some(step.id));
                self.unanswered.extend(error.unanswered.then(|| (step.id, error.action.to_string())));
                Standing::Stopped
            }
            Err(error) => {
                self.failed.push((step.target.clone(), error));
                Standing::Failed(step.target.clone())
            }
        };
        (told, standing)
    }
}

async fn perform<'a>(
    step: &'a Step,
    plan: &'a Plan,
    registry: &'a Registry,
    context: &'a RunContext,
    before: Option<&'a dyn BeforeStep>,
) -> (&'a Step, Result<(), OpError>, u64) {
    let start = Instant::now();
    let (target, op) = (step.target.clone(), step.op.verb());
    let contents = plan.contents.get(&target).filter(|_| op.removes()).cloned();
    let physical = step.physical.clone();
    let driver = registry.of(target.kind);
    // What AWS says is true of AWS.
    let awss = || driver.awss_usual(op).filter(|_| context.pace == PollPace::Declared);
    let usual = plan.took.get(&target).copied().filter(|_| op == Verb::Create).or_else(awss);
    let usual_ms = usual.map(|usual| ms(usual.0));
    context.events.send(Event::StepStarted { step: step.id, target, op, physical, contents, usual_ms });
    let cx = OpCx::new(context, step.target.clone()).in_step(step.id);
    let changes = match &step.op {
        Op::Update { changes, .. } => changes.as_slice(),
        _ => &[],
    };
    let tags: Vec<&str> = changes.iter().filter_map(tags::changed).collect();
    let result = async {
        if let Some(before) = before {
            before.look(step).await?;
        }
        if changes.iter().any(FieldChange::is_adoption) {
            driver.adopt(&cx, &step.physical).await?;
        }
        if !tags.is_empty() {
            let mut put = cx.user_tags();
            if tags.contains(&Scope::RESOURCE_TAG) {
                put.insert(Scope::RESOURCE_TAG.to_owned(), step.target.to_string());
            }
            // Without tags there is no list of them either.
            let listed = tags.iter().copied().chain([tags::KEYS_TAG]);
            let gone: BTreeSet<String> =
                listed.filter(|key| !put.contains_key(*key)).map(str::to_owned).collect();
            driver.retag(&cx, &step.physical, gone.into_iter().collect(), put).await?;
        }
        // Another tag alone is no reason to stop a notebook, or to wait for an endpoint.
        let only_tags = !tags.is_empty() && tags.len() == changes.len();
        if only_tags { Ok(()) } else { driver.perform(&cx, step).await }
    };
    (step, context.cancel.writing("waiting for an answer", result).await, ms(start.elapsed()))
}

fn finish(context: &RunContext, step: &Step, result: StepResult, elapsed_ms: u64) {
    let (target, op) = (step.target.clone(), step.op.verb());
    context.events.send(Event::StepFinished { step: step.id, target, op, result, elapsed_ms });
}
