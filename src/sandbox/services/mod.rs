//! The services, one folder or file each. A service is a constant table of operations; it is registered here.

pub mod autoscaling;
pub mod logs;
pub mod runtime;
pub mod sagemaker;
pub mod ssm;
pub mod sts;

use std::sync::Arc;

use super::protocol::Service;
use super::world::World;

/// Every service of the sandbox: one line each.
pub(super) fn all(world: &Arc<World>) -> Vec<Box<dyn Service>> {
    sagemaker::resume(world);
    vec![
        Box::new(autoscaling::API),
        Box::new(logs::API),
        Box::new(runtime::API),
        Box::new(sagemaker::API),
        Box::new(ssm::API),
        Box::new(sts::API),
    ]
}
