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
            Verified::Unread(why) => {
                let (code, help) = (codes::NOT_VERIFIED, help_of_unverified(why));
                let error =
                    RunError { code, message: unverified(why), help, resource: None, retryable: true };
                context.events.send(Event::Error { error });
            }
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
        // A look asks for neither.
        Refusal::OverBudget(_) | Refusal::Impossible(_) => String::new(),
    };
    format!("every step succeeded, but the result could not be verified: {why}")
}

/// What to do about it: what the first problem says, where there is one (a bucket that lost its tags
/// meanwhile is no call that could be allowed).
pub fn help_of_unverified(why: &Refusal) -> String {
    let own = match why {
        Refusal::Problems(problems) => {
            problems.0.iter().map(|problem| problem.help.as_str()).find(|h| !h.is_empty())
        }
        _ => None,
    };
    let general = || codes::explained(codes::NOT_VERIFIED.as_str()).map_or("", |e| e.text);
    own.unwrap_or_else(general).to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::domain::{Diagnostic, Diagnostics, KeyPath, Scope};

    #[test]
    fn what_was_not_seen_is_no_success() {
        let scope = Scope::new("shop", "dev", Scope::NO_ACCOUNT, "us-east-1");
        let plan = Plan {
            tags: Default::default(),
            scope,
            steps: Vec::new(),
            unchanged: Vec::new(),
            leftovers: Vec::new(),
            contents: BTreeMap::new(),
            foreign: Vec::new(),
            took: BTreeMap::new(),
        };
        let unread = || Verified::Unread(Refusal::Op(crate::aws::OpError::local("reading", "denied")));
        for (verified, ok) in
            [(Verified::AsWanted, true), (Verified::Unlike(vec!["role".into()]), false), (unread(), false)]
        {
            let (plan, outcome) = (plan.clone(), RunOutcome::default());
            assert_eq!(Done { plan, outcome, verified, have: None }.is_ok(), ok);
        }
    }

    #[test]
    fn the_help_is_about_what_went_wrong() {
        let help = "use --adopt: its tags were lost";
        let lost = Diagnostic::error(codes::FOREIGN, KeyPath::default(), "not this project's", help);
        assert_eq!(help_of_unverified(&Refusal::Problems(Diagnostics(vec![lost]))), help);
        let denied = help_of_unverified(&Refusal::Op(crate::aws::OpError::local("reading", "denied")));
        assert!(denied.contains("Allow the call"), "{denied}");
    }
}
