//! `[budget]`: how much a project may cost.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::Money;

/// `[budget]`: what a plan must not exceed. It is a gate of opsctl's, not one of AWS's.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// The most that a month may cost, in US dollars at AWS's list prices: with everything at its maximum,
    /// and each training that the plan runs as long as its `max_runtime`. `--max-monthly` takes its place.
    pub monthly: Option<Money>,
}
