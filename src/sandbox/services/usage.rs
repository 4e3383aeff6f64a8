//! What is in use of the account's quotas, as CloudWatch shows it. CloudWatch knows of it as a plug only, and
//! Service Quotas not at all: EC2 and SageMaker ask that for their limits.

use super::cloudwatch::{MetricId, Usage};
use super::quotas::{self, Counted};
use super::{ec2, sagemaker};
use crate::state::SandboxState;

/// All that EC2 and SageMaker have running.
pub struct AccountUsage;

impl Usage for AccountUsage {
    fn in_use(&self, shared: &SandboxState, region: &str, metric: &MetricId<'_>) -> Option<f64> {
        let used = match quotas::counted(metric.namespace, metric.metric, metric.dimensions)? {
            Counted::Vcpus(quota) => ec2::vcpus_in_use(shared, region, &quota),
            Counted::Instances { instance_type, usage } => {
                sagemaker::in_use(shared, region, usage).get(&instance_type).copied().unwrap_or(0)
            }
        };
        (used > 0).then_some(used as f64)
    }
}
