//! The services, one folder or file each. A service is a constant table of operations; it is registered here.

pub mod cloudwatch;
pub mod lambda;
pub mod logs;
pub mod ssm;
pub mod sts;

use std::sync::Arc;

use super::protocol::Service;
use super::world::World;

/// Every service of the sandbox: one line each.
pub(super) fn all(world: &Arc<World>) -> Vec<Box<dyn Service>> {
    vec![
        Box::new(cloudwatch::API),
        Box::new(lambda::open(world, lambda::Seams::default())),
        Box::new(logs::API),
        Box::new(ssm::API),
        Box::new(sts::API),
    ]
}
