//! How many instances of each type the account may use. Which types there are for which use says the model.

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::services::quotas::{self, Use};
use crate::state::SandboxState;

/// Types whose family has disks of its own: they take no volume size
/// (docs/aws/sagemaker-training.md#creating-a-job).
pub fn has_own_disk(instance_type: &str) -> bool {
    let family = instance_type.split('.').nth(1).unwrap_or_default();
    ["g4dn", "g5", "g6", "g6e", "g7", "g7e", "m5d", "c5d", "r5d", "p3dn", "trn1", "trn1n", "trn2"]
        .contains(&family)
        || ["p4", "p5", "p6"].iter().any(|prefix| family.starts_with(prefix))
}

/// Burstable types (docs/aws/autoscaling.md#registering-a-target).
pub fn is_burstable(instance_type: &str) -> bool {
    instance_type.starts_with("ml.t")
}

/// Instances by type.
pub type Count = BTreeMap<String, u64>;

/// Refuses to use `more` instances beside those in use (docs/aws/sagemaker.md#quotas).
pub fn within_quota(shared: &SandboxState, usage: Use, used: &Count, more: &Count) -> Result<(), Fault> {
    if !shared.enforces(AwsRule::Quota) {
        return Ok(());
    }
    for (instance_type, more) in more {
        let (name, limit) = quotas::instances(shared, instance_type, usage);
        let used = used.get(instance_type).copied().unwrap_or(0);
        if (used + more) as f64 > limit {
            return Err(Fault::new(
                400,
                "ResourceLimitExceeded",
                format!(
                    "The account-level service limit '{name}' is {limit} Instances, with current utilization \
                     of {used} Instances and a request delta of {more} Instances. Please use AWS Service \
                     Quotas to request an increase for this quota. If AWS Service Quotas is not available, \
                     contact AWS support to request an increase for this quota."
                ),
            ));
        }
    }
    Ok(())
}
