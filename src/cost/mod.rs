//! What a project costs: per hour and month, idle and at the maximum, and per run of a job. Pure.
//!
//! Kinds say what is billed ([`crate::desired::Kind::usage`], `used`), `prices` has what AWS asks for it, and
//! `bill` makes sums of them. Sums are exact; only what is shown is rounded.

mod bill;
mod list;
mod plan;
mod prices;

pub use bill::{Bill, Estimate, HOURS_A_MONTH, Rate, Run};
pub use list::{Question, items};
pub use plan::{Cost, live};
pub use prices::{Item, Listed, PRICE_LIST, Prices, Source, TABLE_OF_OPSCTL};
