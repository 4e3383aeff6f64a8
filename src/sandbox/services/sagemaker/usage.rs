//! How many instances of each type are in use.

use super::instances::Count;
use super::{endpoints, notebooks, training};
use crate::services::quotas::Use;
use crate::state::SandboxState;

/// Instances that are in use in a region, by type.
pub fn in_use(shared: &SandboxState, region: &str, usage: Use) -> Count {
    match usage {
        Use::Endpoint => endpoints::in_use(shared, region),
        Use::Training => training::in_use(shared, region, false),
        Use::SpotTraining => training::in_use(shared, region, true),
        Use::Notebook => notebooks::in_use(shared, region),
        Use::Processing => Count::new(),
    }
}
