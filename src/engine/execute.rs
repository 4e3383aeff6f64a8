//! Does what the plan says: each step as soon as the steps before it have succeeded.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::events::ms;
use super::{Cause, Event, OpCx, Registry, RunResult, StepResult, World};
use crate::aws::{LeaseLost, OpError};
use crate::domain::{Contents, ResourceId};
use crate::plan::{Op, Plan, Step, StepId};

/// How the run ended, step by step.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Failed steps, in the order of failing. Their dependents were skipped, everything else was done.
    pub failed: Vec<(ResourceId, OpError)>,
    /// Begun when the run was stopped, and not known to be finished: the steps' numbers.
    pub unfinished: Vec<StepId>,
    /// Steps whose turn did not come because the run was stopped.
    pub not_started: usize,
    /// The lease went to somebody else, or nobody knows: nothing more was written.
    pub lost: Option<LeaseLost>,
    stopped: Option<RunResult>,
}

impl Outcome {
    pub fn result(&self) -> RunResult {
        match self.stopped {
            Some(stopped) => stopped,
            None if self.failed.is_empty() && self.lost.is_none() => RunResult::Ok,
            None => RunResult::Failed,
        }
    }
}

/// How a step left those that need it.
enum Ground {
    Firm,
    /// Whose failure is to blame.
    Failed(ResourceId),
    /// The run was stopped before it, or in it.
    Stopped,
}

/// Never an error: every step has a result, and nothing is rolled back, because running again converges.
pub async fn execute(plan: &Plan, registry: &Registry, world: &World) -> Outcome {
    world.events.send(Event::RunStarted { steps: plan.steps.len() });
    let mut outcome = Outcome::default();
    let mut ended: BTreeMap<StepId, Ground> = BTreeMap::new();
    let mut waiting: Vec<&Step> = plan.steps.iter().collect();
    let mut running = FuturesUnordered::new();
    loop {
        // A lease that slept is confirmed first; one that is lost ends the run.
        let drained = world.aws.fence.ready().await.is_err() || world.cancel.drain.is_cancelled();
        // Ready steps start; steps whose ground is gone end at once, which may end others: hence the loop.
        loop {
            let ready = |step: &&Step| step.after.iter().all(|after| ended.contains_key(after));
            let (now, later): (Vec<&Step>, Vec<&Step>) = waiting.into_iter().partition(ready);
            waiting = later;
            if now.is_empty() {
                break;
            }
            for step in now {
                let culprit = step.after.iter().find_map(|after| match &ended[after] {
                    Ground::Failed(culprit) => Some(culprit.clone()),
                    _ => None,
                });
                let gone = step.after.iter().any(|after| matches!(ended[after], Ground::Stopped));
                if let Some(because_of) = culprit {
                    finish(world, step, StepResult::Skipped { because_of: because_of.clone() }, 0);
                    ended.insert(step.id, Ground::Failed(because_of));
                } else if drained || gone {
                    outcome.not_started += 1;
                    finish(world, step, StepResult::NotStarted, 0);
                    ended.insert(step.id, Ground::Stopped);
                } else {
                    running.push(perform(step, plan.contents.get(&step.target), registry, world));
                }
            }
        }
        let Some((step, result, elapsed)) = running.next().await else { break };
        let ground = match result {
            Ok(()) => {
                finish(world, step, StepResult::Ok, elapsed);
                Ground::Firm
            }
            Err(error) if world.cancel.caused(&error) => {
                finish(world, step, StepResult::Unfinished { reason: error.message }, elapsed);
                outcome.unfinished.push(step.id);
                Ground::Stopped
            }
            Err(error) => {
                let (code, retryable) = (error.code().as_str(), error.retryable());
                finish(
                    world,
                    step,
                    StepResult::Failed { error: error.to_string(), code, retryable },
                    elapsed,
                );
                outcome.failed.push((step.target.clone(), error));
                Ground::Failed(step.target.clone())
            }
        };
        ended.insert(step.id, ground);
    }
    outcome.lost = world.aws.fence.lost();
    // Stopped after the last step: then nothing was left out.
    if outcome.not_started > 0 || !outcome.unfinished.is_empty() {
        outcome.stopped = Some(match world.cancel.cause() {
            Some(Cause::Deadline(_)) => RunResult::TimedOut,
            Some(Cause::LeaseLost) => RunResult::Failed,
            // The fence knows before the run is told to stop.
            None if outcome.lost.is_some() => RunResult::Failed,
            _ => RunResult::Interrupted,
        });
    }
    outcome
}

async fn perform<'a>(
    step: &'a Step,
    contents: Option<&'a Contents>,
    registry: &'a Registry,
    world: &'a World,
) -> (&'a Step, Result<(), OpError>, u64) {
    let start = Instant::now();
    let (target, op) = (step.target.clone(), step.op.verb());
    let contents = contents.filter(|_| op.removes()).cloned();
    let physical = step.physical.clone();
    world.events.send(Event::StepStarted { step: step.id, target, op, physical, contents });
    let cx = OpCx { world, step: step.id, target: step.target.clone() };
    let driver = registry.of(step.target.kind);
    let adopts = matches!(&step.op, Op::Update { changes, .. } if changes.iter().any(|c| c.path == "owner"));
    let result = async {
        if adopts {
            driver.adopt(&cx, &step.physical).await?;
        }
        driver.perform(&cx, step).await
    };
    (step, world.cancel.writing("waiting for an answer", result).await, ms(start.elapsed()))
}

fn finish(world: &World, step: &Step, result: StepResult, elapsed_ms: u64) {
    let (target, op) = (step.target.clone(), step.op.verb());
    world.events.send(Event::StepFinished { step: step.id, target, op, result, elapsed_ms });
}
