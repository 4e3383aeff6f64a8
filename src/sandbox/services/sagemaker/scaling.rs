//! Application Auto Scaling as SageMaker asks it. It knows SageMaker, so SageMaker knows this much of it
//! only.

use std::sync::Arc;

use crate::extensions::Plug;
use crate::fault::Fault;
use crate::world::World;

/// What registered targets mean for an endpoint.
pub trait Scaling: Send + Sync {
    /// Whether a variant is a scalable target, which binds its instance type
    /// (docs/aws/sagemaker-endpoints.md#updating-under-autoscaling).
    fn scales(&self, world: &World, region: &str, endpoint: &str, variant: &str) -> bool;

    /// The endpoint is being deleted, and its targets go with it (docs/aws/autoscaling.md#removing-a-target).
    ///
    /// # Errors
    /// Only when the sandbox cannot write its files.
    fn endpoint_deleted(&self, world: &World, region: &str, endpoint: &str) -> Result<(), Fault>;
}

/// Nothing is scaled.
struct Nothing;

impl Scaling for Nothing {
    fn scales(&self, _: &World, _: &str, _: &str, _: &str) -> bool {
        false
    }

    fn endpoint_deleted(&self, _: &World, _: &str, _: &str) -> Result<(), Fault> {
        Ok(())
    }
}

impl Plug for dyn Scaling {
    fn unplugged() -> Arc<Self> {
        Arc::new(Nothing)
    }
}

/// Who scales the endpoints of this world.
pub(super) fn of(world: &World) -> Arc<dyn Scaling> {
    world.extensions.plugged()
}
