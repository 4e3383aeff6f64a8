//! What a plan costs, shown, and held against what it may cost.

use super::error::Failure;
use super::exit::Exit;
use super::ui::Ui;
use crate::cost::{Cost, Prices};
use crate::domain::{Money, codes};
use crate::plan::{Observed, Plan};
use crate::report::cost as render;
use crate::run::{Intent, Session};

/// What a plan costs, of what it looked at.
pub fn of(session: &Session, intent: &Intent, plan: &Plan, have: &Observed) -> Cost {
    let prices = Prices::of(&session.context.scope.region);
    Cost::of(plan, &intent.desired, have, &session.kinds, prices)
}

/// The same as text; empty where nothing is billed.
pub fn text(session: &Session, cost: &Cost, why: bool, ui: &Ui) -> String {
    let reasons = why.then_some(&session.desired.reasons);
    render::human(cost, reasons, ui.width_out(), ui.styled_out())
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
    let (limit, name) = match (limit, session.config.budget.monthly) {
        (Some(limit), _) => (limit, "--max-monthly"),
        (None, Some(limit)) => (limit, "[budget] monthly"),
        (None, None) => return Ok(()),
    };
    // Taking away and doing nothing are always allowed.
    if intent.mode.destroys() || plan.is_empty() {
        return Ok(());
    }
    let prices = Prices::of(&session.context.scope.region);
    // All of the project counts, whatever part of it the command is about.
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
            let help = "use an instance type and a region that docs/cost.md lists, or leave the budget out";
            Err(Failure::new(codes::COST_UNKNOWN, Exit::Gate, message, help))
        }
    }
}
