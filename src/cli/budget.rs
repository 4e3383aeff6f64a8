//! What a plan costs, shown, and held against what it may cost.

use super::error::Failure;
use super::exit::Exit;
use super::ui::Ui;
use crate::cost::Cost;
use crate::domain::{Money, codes};
use crate::plan::{Observed, Plan};
use crate::report::cost as render;
use crate::run::{Intent, Session};

/// What a plan costs, of what it looked at.
pub fn of(session: &Session, intent: &Intent, plan: &Plan, have: &Observed) -> Cost {
    let prices = session.prices();
    Cost::of(plan, &intent.desired, have, &session.kinds, prices)
}

/// The same as text; empty where nothing is billed.
pub fn text(session: &Session, cost: &Cost, why: bool, ui: &Ui) -> String {
    let reasons = why.then_some(&session.desired.reasons);
    render::human(cost, reasons, ui.width_out(), ui.styled_out())
}

/// Refuses to start what has stopped when the project could cost more with it than it may: as [`gate`] does
/// for a plan. What has run before may have been outside of what is allowed now.
///
/// # Errors
/// It could, or nobody knows.
pub fn gate_start(session: &Session, have: &Observed, limit: Option<Money>) -> Result<(), Failure> {
    let Some(limit) = Limit::of(session, limit) else { return Ok(()) };
    // Everything that is there, with as many instances as the config gives it.
    let nothing = Plan::empty(session.context.scope.clone());
    limit.holds(session, &nothing, have)
}

/// Refuses a plan that could cost more than it may: `limit` of the command line, or that of the config.
///
/// # Errors
/// It could, or nobody knows.
pub fn gate(
    session: &Session,
    intent: &Intent,
    plan: &Plan,
    have: &Observed,
    limit: Option<Money>,
) -> Result<(), Failure> {
    let Some(limit) = Limit::of(session, limit) else { return Ok(()) };
    // Taking away and doing nothing are always allowed.
    if intent.mode.destroys() || plan.is_empty() {
        return Ok(());
    }
    limit.holds(session, plan, have)
}

/// What a month may cost, and where that is written.
struct Limit {
    most: Money,
    name: &'static str,
}

impl Limit {
    /// That of the command line, or that of the config.
    fn of(session: &Session, given: Option<Money>) -> Option<Self> {
        let configured = || Some(Self { most: session.config.budget.monthly?, name: "[budget] monthly" });
        given.map(|most| Self { most, name: "--max-monthly" }).or_else(configured)
    }

    fn holds(&self, session: &Session, plan: &Plan, have: &Observed) -> Result<(), Failure> {
        let (limit, name) = (self.most, self.name);
        let prices = session.prices();
        // All of the project counts, whatever part of it the command is about.
        let prices_note = prices.note().map(str::to_owned);
        let cost = Cost::of(plan, &session.desired, have, &session.kinds, prices);
        match cost.highest_month() {
            Ok(most) if most <= limit => Ok(()),
            Ok(most) => {
                let message =
                    format!("a month could cost {} USD, and {name} allows {}", most.cents(), limit.cents());
                let mut parts: Vec<(Money, String)> = Vec::new();
                for estimate in &cost.after.0 {
                    let run = estimate.run.as_ref().filter(|_| cost.runs.contains(&estimate.id));
                    let price = run.map_or(estimate.most.per_month(), |run| run.highest_price());
                    parts.push((price, format!("{} {}", estimate.id, price.coarse())));
                }
                parts.sort_by_key(|part| std::cmp::Reverse(part.0));
                let parts: Vec<String> = parts.into_iter().take(3).map(|(_, text)| text).collect();
                let help = format!(
                    "that is everything at its maximum all month, and each training of this plan as long as \
                     `max_runtime` lets it ({}); lower those, or allow more",
                    parts.join(", ")
                );
                Err(Failure::new(codes::OVER_BUDGET, Exit::Gate, message, help))
            }
            Err(unknown) => {
                let region = &session.context.scope.region;
                let message = format!(
                    "{name} allows {} USD a month, and nobody knows what this would cost in {region}: unknown {}",
                    limit.cents(),
                    unknown.join(", ")
                );
                let help = match prices_note {
                    Some(why) => format!(
                        "AWS's price list has them, and could not be read ({why}): allow `pricing:GetProducts`, or \
                         leave the budget out"
                    ),
                    None => "AWS's price list has none of them: use another instance type, or leave the budget out"
                        .to_owned(),
                };
                Err(Failure::new(codes::COST_UNKNOWN, Exit::Gate, message, help))
            }
        }
    }
}
