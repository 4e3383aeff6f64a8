//! The end of a run: the last events, the last words for a person, and the exit code.

use tokio::time::Instant;

use super::act::{Intent, few};
use super::commands::logs;
use super::error::{exit_of, help_of};
use super::exit::Exit;
use super::session::Session;
use super::stopped;
use super::ui::Ui;
use crate::aws::OpErrorKind;
use crate::domain::{Code, codes};
use crate::engine::{Cause, Event, Outcome, RunError, RunResult, ms};
use crate::plan::{Op, Plan};
use crate::run::{Refusal, Verified};

/// What was done, and what was seen afterwards.
pub struct Done {
    pub plan: Plan,
    pub outcome: Outcome,
    pub verified: Verified,
    pub began: Instant,
}

impl Done {
    /// The last events: what no step tells, and how it ended. The closing look is in the time.
    pub fn tell(&self, session: &Session) {
        let events = &session.world.events;
        let error = |code: Code, message: String| {
            let help = help_of(code).to_owned();
            events.send(Event::Error {
                error: RunError { code, message, help, resource: None, retryable: true },
            });
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
            (RunResult::Ok, Verified::Unread(why)) if is_stopped(session, why) => {
                match session.world.cancel.cause() {
                    Some(Cause::Deadline(_)) => RunResult::TimedOut,
                    _ => RunResult::Interrupted,
                }
            }
            (RunResult::Ok, _) => RunResult::Failed,
            (result, _) => result,
        };
        let calls = session.world.aws.calls.total();
        events.send(Event::RunFinished { result, calls, elapsed_ms: ms(self.began.elapsed()) });
    }

    /// The last words for a person, and the exit code.
    pub fn report(&self, session: &Session, intent: &Intent, ui: &Ui) -> Exit {
        if !ui.json() {
            self.say(session, intent, ui);
        }
        match (self.outcome.failed.first(), &self.verified) {
            _ if self.outcome.lost.is_some() => Exit::LeaseHeld,
            _ if self.is_stopped() => Exit::Interrupted,
            (Some((_, error)), _) => exit_of(&error.kind),
            (None, Verified::AsWanted) => Exit::Done,
            (None, Verified::Unlike(_)) => Exit::Failed,
            (None, Verified::Unread(why)) if is_stopped(session, why) => Exit::Interrupted,
            (None, Verified::Unread(_)) => Exit::Incomplete,
        }
    }

    fn is_stopped(&self) -> bool {
        matches!(self.outcome.result(), RunResult::Interrupted | RunResult::TimedOut)
    }

    fn say(&self, session: &Session, intent: &Intent, ui: &Ui) {
        for (resource, error) in &self.outcome.failed {
            let code = error.code();
            ui.error(code, &format!("{resource} failed: {error}"), help_of(code));
            if matches!(error.kind, OpErrorKind::BadState | OpErrorKind::RolledBack)
                && let Some(writer) = logs::writer(resource)
            {
                ui.err(&format!("  log: `opsctl logs {writer}`"));
            }
        }
        if let Some(lost) = &self.outcome.lost {
            ui.error(codes::LEASE_LOST, &lost.to_string(), help_of(codes::LEASE_LOST));
        } else if self.is_stopped() {
            ui.err(&stopped::last_words(session, &self.plan, &self.outcome));
        }
        match &self.verified {
            Verified::Unlike(differences) => {
                for difference in differences {
                    let text = format!("still differs from the config: {difference}");
                    ui.error(codes::FAILED, &text, "run the same command again");
                }
            }
            Verified::Unread(why) if is_stopped(session, why) => ui.err(&unverified(why)),
            Verified::Unread(why) => {
                ui.error(codes::NOT_VERIFIED, &unverified(why), help_of(codes::NOT_VERIFIED));
            }
            // Only what was looked at is said.
            Verified::AsWanted if intent.mode.destroys() && self.outcome.result() == RunResult::Ok => {
                let scope = &session.world.scope;
                let gone = if self.plan.is_empty() { "There was nothing" } else { "Nothing is left" };
                ui.say(&format!("{gone} of {} / {} in {}.", scope.project, scope.environment, session.place));
                for step in self.plan.steps.iter().filter(|step| step.op == Op::Release) {
                    ui.say(&format!(
                        "{} `{}` is kept: others have put something there.",
                        step.target, step.physical
                    ));
                }
            }
            Verified::AsWanted => {}
        }
    }
}

fn is_stopped(session: &Session, why: &Refusal) -> bool {
    let Refusal::Op(error) = why else { return false };
    error.kind != OpErrorKind::LeaseLost && session.world.cancel.caused(error)
}

fn unverified(why: &Refusal) -> String {
    let why = match why {
        Refusal::Op(error) => error.to_string(),
        Refusal::Problems(problems) => {
            few(&problems.0.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>())
        }
        Refusal::Unsound(all) | Refusal::Changed(all) => few(all),
    };
    format!("every step succeeded, but the result could not be verified: {why}")
}
