//! The services, one folder or file each. A service is a constant table of operations; it is registered here.

pub mod logs;
pub mod s3;
pub mod ssm;
pub mod sts;

use std::sync::Arc;

use super::protocol::Service;
use super::world::World;

/// Every service of the sandbox: one line each.
pub(super) fn all(world: &Arc<World>) -> Vec<Box<dyn Service>> {
    vec![Box::new(logs::API), Box::new(s3::Service::new(world)), Box::new(ssm::API), Box::new(sts::API)]
}
