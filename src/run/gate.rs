//! What a plan must pass before its first write: what a month may cost, and what the account allows.

use std::cmp::Reverse;

use super::doctor::{self, Check};
use super::{Intent, Session, played, prices};
use crate::aws::OpResult;
use crate::cost::{Cost, Estimate};
use crate::desired::Desired;
use crate::domain::{Diagnostic, Money, ResourceId};
use crate::plan::{Observed, Plan, Step};

/// What the plans of a run are held against.
#[derive(Clone, Copy)]
pub struct Gates<'a> {
    session: &'a Session,
    limit: Option<MonthlyLimit>,
}

/// What a month may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthlyLimit {
    pub most: Money,
    /// Given for this run, in the place of the config's.
    pub given: bool,
}

/// Why a plan is not begun: it could cost more than a month may.
#[derive(Debug)]
pub struct OverBudget {
    pub limit: MonthlyLimit,
    pub month: Month,
}

/// What a month could cost, with everything at its maximum.
#[derive(Debug)]
pub enum Month {
    /// In all, and what of it costs how much, the most first.
    Known { most: Money, parts: Vec<(ResourceId, Money)> },
    /// Nobody knows what these cost; why the price list could not be read, if it was asked.
    Unknown { what: Vec<String>, note: Option<String> },
}

impl MonthlyLimit {
    /// The given one, else that of the config.
    pub(super) fn of(session: &Session, given: Option<Money>) -> Option<Self> {
        let configured = || Some(Self { most: session.config.budget.monthly?, given: false });
        given.map(|most| Self { most, given: true }).or_else(configured)
    }
}

impl<'a> Gates<'a> {
    /// Those of the config.
    pub(super) fn of(session: &'a Session) -> Self {
        Self { session, limit: MonthlyLimit::of(session, None) }
    }

    /// With another limit than the config's, where one is given.
    pub(super) fn within(self, monthly: Option<Money>) -> Self {
        Self { limit: MonthlyLimit::of(self.session, monthly), ..self }
    }

    /// Refuses a plan of these resources that could cost more than a month may.
    ///
    /// # Errors
    /// It could, or nobody knows.
    pub(super) async fn afford(self, plan: &Plan, of: &Desired, have: &Observed) -> Result<(), OverBudget> {
        match self.limit {
            Some(limit) => hold(self.session, limit, plan, of, have).await,
            None => Ok(()),
        }
    }

    /// Refuses a plan of which the place cannot do all.
    ///
    /// # Errors
    /// What it cannot do.
    pub(super) async fn fit_host(self, plan: &Plan) -> Result<(), Diagnostic> {
        let session = self.session;
        let runs = |step: &Step| !step.op.verb().removes() && session.kind(step.target.kind).runs_code();
        match session.player.as_deref().filter(|_| plan.steps.iter().any(runs)) {
            Some(player) => {
                played::refuse(&session.desired, plan, player)?;
                player.is_ready().await
            }
            None => Ok(()),
        }
    }

    /// What keeps a plan from succeeding, as far as the account tells: [`doctor::before`].
    ///
    /// # Errors
    /// The look was cut off.
    pub(super) async fn look_ahead(self, plan: &Plan) -> OpResult<Vec<Check>> {
        let look = async { Ok(Box::pin(doctor::before(self.session, plan)).await) };
        self.session.context.cancel.reading("looking", look).await
    }
}

/// Refuses to start what has stopped where the project could cost more with it than a month may: everything
/// that is there, with as many instances as the config gives it.
///
/// # Errors
/// It could, or nobody knows.
pub(super) async fn afford_start(
    session: &Session,
    limit: MonthlyLimit,
    have: &Observed,
) -> Result<(), OverBudget> {
    let nothing = Plan::empty(session.context.scope.clone());
    hold(session, limit, &nothing, &session.desired, have).await
}

async fn hold(
    session: &Session,
    limit: MonthlyLimit,
    plan: &Plan,
    of: &Desired,
    have: &Observed,
) -> Result<(), OverBudget> {
    let prices = prices::load(session, of, have).await;
    // All of the project counts, whatever part of it the command is about, and what the command alone names.
    let note = prices.note().map(str::to_owned);
    let cost = Cost::of(plan, &session.desired.and(of), have, &session.kinds, prices);
    let month = match cost.highest_month() {
        Ok(most) if most <= limit.most => return Ok(()),
        Ok(most) => {
            let part = |estimate: &Estimate| {
                let run = estimate.run.as_ref().filter(|_| cost.runs.contains(&estimate.id));
                let price = run.map_or(estimate.most.per_month(), |run| run.highest_price());
                (estimate.id.clone(), price)
            };
            let mut parts: Vec<(ResourceId, Money)> = cost.after.0.iter().map(part).collect();
            parts.sort_by_key(|part| Reverse(part.1));
            Month::Known { most, parts }
        }
        Err(what) => Month::Unknown { what, note },
    };
    Err(OverBudget { limit, month })
}

/// What a plan costs, of what it looked at.
pub fn cost(session: &Session, intent: &Intent, plan: &Plan, have: &Observed) -> Cost {
    let cost = Cost::of(plan, &intent.desired, have, &session.kinds, session.prices());
    Cost { is_part: !intent.whole, ..cost }
}
