//! What a plan costs, and why it may not cost that, in words.

use super::error::Failure;
use super::exit::Exit;
use super::ui::Ui;
use crate::cost::Cost;
use crate::domain::codes;
use crate::report::cost as render;
use crate::report::page::Suggest;
use crate::run::overview::Overview;
use crate::run::{Month, OverBudget, Session};

/// What a plan costs as text; empty where nothing is billed.
pub fn text(session: &Session, cost: &Cost, why: bool, ui: &Ui) -> String {
    let reasons = why.then_some(&session.desired.reasons);
    render::human(cost, reasons, cost_look(&|text| ui.suggest(text), ui))
}

/// What there is costs that, as text.
pub fn now(overview: &Overview, ui: &Ui) -> String {
    render::now(&overview.bill, &overview.prices, cost_look(&|text| ui.suggest(text), ui))
}

fn cost_look<'a>(suggest: Suggest<'a>, ui: &'a Ui) -> render::CostLook<'a> {
    render::CostLook { width: ui.width_out(), styles: ui.styled_out(), suggest }
}

/// Why a plan is not begun, or something is not started.
pub fn refused(session: &Session, over: &OverBudget) -> Failure {
    /// Parts of the sum that are named.
    const SHOWN: usize = 3;
    let limit = over.limit.most.cents();
    let name = if over.limit.given { "--max-monthly" } else { "[budget] monthly" };
    match &over.month {
        Month::Known { most, parts } => {
            let message = format!("a month could cost {} USD, and {name} allows {limit}", most.cents());
            let parts = parts.iter().take(SHOWN).map(|(id, price)| format!("{id} {}", price.coarse()));
            let help = format!(
                "that is everything at its maximum all month, and each training of this plan as long as \
                 `max_runtime` lets it ({}); lower those, or allow more",
                parts.collect::<Vec<_>>().join(", ")
            );
            Failure::new(codes::OVER_BUDGET, Exit::OverLimit, message, help)
        }
        Month::Unknown { what, note } => {
            let region = &session.context.scope.region;
            let message = format!(
                "{name} allows {limit} USD a month, and nobody knows what this would cost in {region}: unknown {}",
                what.join(", ")
            );
            let help = match note {
                Some(why) => format!(
                    "AWS's price list has them, and could not be read ({why}): allow `pricing:GetProducts`, \
                     or leave the budget out"
                ),
                None => {
                    "AWS's price list has none of them: use another instance type, or leave the budget out"
                        .to_owned()
                }
            };
            Failure::new(codes::COST_UNKNOWN, Exit::OverLimit, message, help)
        }
    }
}
