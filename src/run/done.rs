//! How a run ended.

use tokio::time::Instant;

use super::{Refusal, Verified};
use crate::aws::OpErrorKind;
use crate::domain::{Code, codes};
use crate::engine::{Cause, Event, RunContext, RunError, RunOutcome, RunResult, ms};
use crate::plan::{Observed, Plan};

/// What was done, and what was seen afterwards.
#[derive(Debug)]
pub struct Done {
    pub plan: Plan,
    pub outcome: RunOutcome,
    pub verified: Verified,
    /// What there is now, as far as it was looked at again.
    pub have: Option<Observed>,
}

impl Done {
    /// Whether everything is as wanted now.
    pub fn is_ok(&self) -> bool {
        self.outcome.result() == RunResult::Ok && matches!(self.verified, Verified::AsWanted)
    }

    /// Whether a signal or a time limit ended the steps.
    pub fn is_stopped(&self) -> bool {
        matches!(self.outcome.result(), RunResult::Interrupted | RunResult::TimedOut)
    }

    /// The last events: what belongs to no step, and how the run ended. The time includes the verification.
    pub(super) fn tell(&self, context: &RunContext, began: Instant) {
        let error = |code: Code, message: String| {
            let help = codes::explained(code.as_str()).map_or("", |e| e.text).to_owned();
            let error = RunError { code, message, help, resource: None, retryable: true };
            context.events.send(Event::Error { error });
        };
        if let Some(lost) = &self.outcome.lost {
            error(codes::LEASE_LOST, lost.to_string());
        }
        match &self.verified {
            Verified::AsWanted => {}
            Verified::Unlike(differences) => {
                for difference in differences {
                    error(codes::FAILED, format!("still differs from the config: {difference}"));
                }
            }
            Verified::Unread(why) => error(codes::NOT_VERIFIED, unverified(why)),
        }
        let result = match (self.outcome.result(), &self.verified) {
            (RunResult::Ok, Verified::AsWanted) => RunResult::Ok,
            (RunResult::Ok, Verified::Unread(why)) if why.is_of_a_stop(context) => {
                match context.cancel.cause() {
                    Some(Cause::Deadline(_)) => RunResult::TimedOut,
                    _ => RunResult::Interrupted,
                }
            }
            (RunResult::Ok, _) => RunResult::Failed,
            (result, _) => result,
        };
        let calls = context.aws.calls.total();
        context.events.send(Event::RunFinished { result, calls, elapsed_ms: ms(began.elapsed()) });
        tracing::debug!(calls = ?context.aws.calls.by_operation(), "calls");
    }
}

impl Refusal {
    /// Whether a signal or a time limit cut the look off.
    pub fn is_of_a_stop(&self, context: &RunContext) -> bool {
        let Self::Op(error) = self else { return false };
        error.kind != OpErrorKind::LeaseLost && context.cancel.caused(error)
    }
}

/// That the closing look found nothing out, and why.
pub fn unverified(why: &Refusal) -> String {
    let why = match why {
        Refusal::Op(error) | Refusal::Lease(error) => error.to_string(),
        Refusal::Problems(problems) => {
            few(&problems.0.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>())
        }
        Refusal::Unsound(all) | Refusal::Changed(all) => few(all),
    };
    format!("every step succeeded, but the result could not be verified: {why}")
}

/// The first of many.
pub fn few(all: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > SHOWN {
        text += &format!("; and {} more", all.len() - SHOWN);
    }
    text
}
