//! What CloudWatch asks of what is in use now, and nobody measures. Those services measure by CloudWatch, so
//! it knows only this trait of them.

use std::sync::Arc;

use super::MetricId;
use crate::extensions::Plug;
use crate::state::SandboxState;

/// The metrics of the namespace `AWS/Usage`.
pub trait Usage: Send + Sync {
    /// What is in use now; `None`: no such metric. AWS publishes none where nothing is in use.
    fn in_use(&self, shared: &SandboxState, region: &str, metric: &MetricId<'_>) -> Option<f64>;
}

/// Nothing is in use.
struct NoUsage;

impl Usage for NoUsage {
    fn in_use(&self, _: &SandboxState, _: &str, _: &MetricId<'_>) -> Option<f64> {
        None
    }
}

impl Plug for dyn Usage {
    fn unplugged() -> Arc<Self> {
        Arc::new(NoUsage)
    }
}

/// What is in use in this sandbox.
pub(super) fn of(shared: &SandboxState) -> Arc<dyn Usage> {
    shared.extensions.plugged()
}
