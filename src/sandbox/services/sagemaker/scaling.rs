//! What SageMaker asks Application Auto Scaling. That service depends on SageMaker, so SageMaker knows only
//! this trait of it.

use std::sync::Arc;

use crate::extensions::Plug;
use crate::fault::Fault;
use crate::state::SandboxState;

/// What registered targets mean for an endpoint.
pub trait Scaling: Send + Sync {
    /// Whether a variant is a scalable target, which binds its instance type
    /// (docs/aws/sagemaker-endpoints.md#updating-under-autoscaling).
    fn scales(&self, shared: &SandboxState, region: &str, endpoint: &str, variant: &str) -> bool;

    /// The endpoint is being deleted, and its targets go with it (docs/aws/autoscaling.md#removing-a-target).
    ///
    /// # Errors
    /// Only when the sandbox cannot write its files.
    fn endpoint_deleted(&self, shared: &SandboxState, region: &str, endpoint: &str) -> Result<(), Fault>;
}

/// Nothing is scaled.
struct NoScaling;

impl Scaling for NoScaling {
    fn scales(&self, _: &SandboxState, _: &str, _: &str, _: &str) -> bool {
        false
    }

    fn endpoint_deleted(&self, _: &SandboxState, _: &str, _: &str) -> Result<(), Fault> {
        Ok(())
    }
}

impl Plug for dyn Scaling {
    fn unplugged() -> Arc<Self> {
        Arc::new(NoScaling)
    }
}

/// Who scales the endpoints of this sandbox.
pub(super) fn of(shared: &SandboxState) -> Arc<dyn Scaling> {
    shared.extensions.plugged()
}
