//! How a run ended.

use tokio::time::Instant;

use super::lease::ProjectLease;
use super::{Continues, Host, Refusal, Verified};
use crate::aws::OpErrorKind;
use crate::domain::{Code, codes, few_sentences};
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
    /// What of it runs on, although nobody waits for it here.
    pub continues: Vec<Continues>,
    /// The lease of a killed run in a bucket that a destroy leaves to others.
    pub lease_beside: Option<ProjectLease>,
}

impl Done {
    /// Whether everything is as wanted now.
    pub fn is_ok(&self) -> bool {
        let verified = matches!(self.verified, Verified::AsWanted);
        self.outcome.result() == RunResult::Ok && verified && self.left().is_none()
    }

    /// That a destroy has left something of this project. Nothing failed, but whoever has it run by a
    /// pipeline would take it for gone.
    pub fn left(&self) -> Option<Left> {
        let scope = &self.plan.scope;
        let left = self.plan.foreign.iter().filter(|foreign| foreign.may_be_ours(scope));
        let left: Vec<String> = left.map(|foreign| foreign.target.to_string()).collect();
        let (of, left_of_it) = (format!("{} / {}", scope.project, scope.environment), few_sentences(&left));
        let message = format!("not all of {of} is gone: {left_of_it}");
        (!left.is_empty() && self.plan.destroys()).then_some(Left {
            code: codes::FOREIGN,
            message,
            help: LEFT,
        })
    }

    /// Whether a signal or a time limit ended the steps.
    pub fn is_stopped(&self) -> bool {
        matches!(self.outcome.result(), RunResult::Interrupted | RunResult::TimedOut)
    }

    /// The last events: what belongs to no step, and how the run ended. The time includes the verification.
    pub(super) fn tell(&self, context: &RunContext, host: Host, began: Instant) {
        // What was in this process has ended with it.
        for it in self.continues.iter().filter(|_| host != Host::InProcess) {
            let (target, reason, stop) = (it.target.clone(), it.reason.clone(), it.command());
            context.events.send(Event::Continues { target, reason, stop });
        }
        for foreign in &self.plan.foreign {
            let lease = self.lease_beside.as_ref().filter(|lease| lease.bucket == foreign.physical);
            let lease = lease.map(|lease| format!(" {}", lease.is_left())).unwrap_or_default();
            let reason = format!("{}.{lease}", foreign.why(&self.plan.scope));
            let (target, physical) = (foreign.target.clone(), foreign.physical.clone());
            let used_by = foreign.used_by.clone();
            context.events.send(Event::Kept { target, physical, reason, used_by });
        }
        let error = |code: Code, message: String, help: String| {
            let error = RunError { code, message, help, resource: None, retryable: true };
            context.events.send(Event::Error { error });
        };
        if let Some(lost) = &self.outcome.lease_lost {
            error(codes::LEASE_LOST, lost.to_string(), general(codes::LEASE_LOST));
        }
        match &self.verified {
            Verified::AsWanted => {
                let left = self.left().filter(|_| self.outcome.result() == RunResult::Ok);
                if let Some(Left { code, message, help }) = left {
                    let error =
                        RunError { code, message, help: help.into(), resource: None, retryable: false };
                    context.events.send(Event::Error { error });
                }
            }
            Verified::Unlike(differences) => {
                for difference in differences {
                    let message = format!("still differs from the config: {difference}");
                    error(codes::FAILED, message, general(codes::FAILED));
                }
            }
            Verified::Unread(why) => {
                let Unverified { code, message, help } = Unverified::of(why, context);
                error(code, message, help);
            }
        }
        let result = match (self.outcome.result(), &self.verified) {
            (RunResult::Ok, Verified::AsWanted) if self.left().is_none() => RunResult::Ok,
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

const LEFT: &str = "what has lost its tags, or may be used by what has, is not deleted: give it its tags \
                    back, or delete by hand what has none, and run `opsctl destroy` again; \
                    `opsctl destroy --dry-run` says which";

/// What a destroy has left, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub code: Code,
    pub message: String,
    pub help: &'static str,
}

/// That the closing look found nothing out: why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    pub code: Code,
    pub message: String,
    pub help: String,
}

impl Unverified {
    /// In the words of what went wrong. One that was cut off is no failure, and nobody has to allow anything.
    pub fn of(why: &Refusal, context: &RunContext) -> Self {
        let (code, what) = match (why.is_of_a_stop(context), context.cancel.cause()) {
            (true, Some(Cause::Deadline(_))) => {
                (codes::TIMED_OUT, "--timeout was over before the result was verified")
            }
            (true, _) => (codes::INTERRUPTED, "the run was interrupted before the result was verified"),
            (false, _) => return Self::unread(why),
        };
        let help = "run the same command again: it does only what is missing".to_owned();
        Self { code, message: format!("every step succeeded, but {what}"), help }
    }

    /// The help is that of the first problem, where there is one: a bucket that lost its tags meanwhile is no
    /// call that could be allowed.
    fn unread(why: &Refusal) -> Self {
        let (why, own) = match why {
            Refusal::Op(error) | Refusal::Lease(error) => (error.to_string(), None),
            Refusal::Problems(problems) => {
                let messages: Vec<_> = problems.0.iter().map(|problem| problem.message.clone()).collect();
                let mut helps = problems.0.iter().map(|problem| problem.help.clone());
                (few_sentences(&messages), helps.find(|help| !help.is_empty()))
            }
            Refusal::Unsound(all) => (few_sentences(all), None),
            // A look asks for none of these.
            Refusal::Changed(_)
            | Refusal::OutOfDate(_)
            | Refusal::OverBudget(_)
            | Refusal::Impossible(_)
            | Refusal::NotHere(_) => (String::new(), None),
        };
        let message = format!("every step succeeded, but the result could not be verified: {why}");
        let help = own.unwrap_or_else(|| general(codes::NOT_VERIFIED));
        Self { code: codes::NOT_VERIFIED, message, help }
    }
}

/// What a code says of all its errors.
fn general(code: Code) -> String {
    codes::explained(code.as_str()).map_or("", |e| e.text).to_owned()
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
            let done =
                Done { plan, outcome, verified, have: None, continues: Vec::new(), lease_beside: None };
            assert_eq!(done.is_ok(), ok);
        }
    }

    #[test]
    fn the_help_is_about_what_went_wrong() {
        let help = "use --adopt: its tags were lost";
        let lost = Diagnostic::error(codes::FOREIGN, KeyPath::default(), "not this project's", help);
        let told = Unverified::unread(&Refusal::Problems(Diagnostics(vec![lost])));
        assert_eq!((told.code, &*told.help), (codes::NOT_VERIFIED, help));
        let denied = Unverified::unread(&Refusal::Op(crate::aws::OpError::local("reading", "denied"))).help;
        assert!(denied.contains("Allow the call"), "{denied}");
    }
}
