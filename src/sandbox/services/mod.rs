//! The services, one folder or file each. A service is a constant table of operations; it is registered here.

pub mod autoscaling;
pub mod cloudwatch;
pub mod ec2;
mod glob;
pub mod iam;
pub mod lambda;
pub mod logs;
pub mod quotas;
pub mod runtime;
pub mod s3;
pub mod sagemaker;
pub mod ssm;
pub mod sts;
pub mod tagging;

use std::sync::Arc;

use super::protocol::Service;
use super::work;
use super::world::World;

/// Every service of the sandbox: one line each.
pub(super) fn all(world: &Arc<World>) -> Vec<Box<dyn Service>> {
    sagemaker::resume(world);
    if world.runs {
        work::ec2::install(world);
    }
    vec![
        Box::new(autoscaling::API),
        Box::new(cloudwatch::API),
        Box::new(ec2::API),
        Box::new(iam::API),
        Box::new(lambda::open(world, work::functions(world))),
        Box::new(logs::API),
        Box::new(quotas::API),
        Box::new(runtime::API),
        Box::new(s3::Service::new(world)),
        Box::new(sagemaker::API),
        Box::new(ssm::API),
        Box::new(sts::API),
        Box::new(tagging::API),
    ]
}
