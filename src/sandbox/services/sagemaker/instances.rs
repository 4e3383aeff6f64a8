//! How many instances of each type the account may use. Which types there are for which use says the model.

use std::collections::BTreeMap;

use serde_json::json;

use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::world::World;

/// What instances are used for. AWS counts each use apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    Endpoint,
    Training,
    SpotTraining,
    Notebook,
}

impl Usage {
    /// As the quota's name has it.
    fn words(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint usage",
            Self::Training => "training job usage",
            Self::SpotTraining => "spot training job usage",
            Self::Notebook => "notebook instance usage",
        }
    }
}

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

/// Quotas that were set, by AWS's name of the quota; `*` is that of all others.
const QUOTAS: &str = "sagemaker.quota";

/// What an account has that AWS has raised: the sandbox's default, enough for any example.
const RAISED: u64 = 20;

/// What a fresh account has (docs/aws/sagemaker.md#quotas); everything that is not here is zero.
const FRESH: &[(&str, Usage, u64)] = &[
    ("ml.m5.large", Usage::SpotTraining, 4),
    ("ml.m5.xlarge", Usage::SpotTraining, 4),
    ("ml.m5.2xlarge", Usage::SpotTraining, 4),
    ("ml.m4.xlarge", Usage::SpotTraining, 4),
    ("ml.m5.xlarge", Usage::Notebook, 1),
    ("ml.m5.2xlarge", Usage::Notebook, 1),
    ("ml.t3.xlarge", Usage::Notebook, 6),
    ("ml.t2.medium", Usage::Endpoint, 2),
    ("ml.m6g.large", Usage::Endpoint, 2),
    ("ml.m6g.xlarge", Usage::Endpoint, 1),
];

fn quota_name(instance_type: &str, usage: Usage) -> String {
    format!("{instance_type} for {}", usage.words())
}

/// The account's limit for a type: what was set, else what a raised account has.
pub fn quota(world: &World, region: &str, instance_type: &str, usage: Usage) -> u64 {
    let set = world.table(QUOTAS, region);
    let value = set.get(&quota_name(instance_type, usage)).or_else(|| set.get("*"));
    value.and_then(|doc| doc["Value"].as_u64()).unwrap_or(RAISED)
}

/// Sets one quota of the account in a region.
pub fn set_quota(
    world: &World,
    region: &str,
    instance_type: &str,
    usage: Usage,
    value: u64,
) -> Result<(), Fault> {
    world.table(QUOTAS, region).put(&quota_name(instance_type, usage), json!({"Value": value}))
}

/// Makes the account a fresh one in a region: nothing for `ml.m5.*` but spot training.
pub fn make_account_fresh(world: &World, region: &str) -> Result<(), Fault> {
    world.table(QUOTAS, region).put("*", json!({"Value": 0}))?;
    FRESH
        .iter()
        .try_for_each(|(instance_type, usage, value)| set_quota(world, region, instance_type, *usage, *value))
}

/// Refuses to use `more` instances beside those in use (docs/aws/sagemaker.md#quotas).
pub fn within_quota(
    world: &World,
    region: &str,
    usage: Usage,
    used: &Count,
    more: &Count,
) -> Result<(), Fault> {
    if !world.enforces(AwsRule::Quota) {
        return Ok(());
    }
    for (instance_type, more) in more {
        let limit = quota(world, region, instance_type, usage);
        let used = used.get(instance_type).copied().unwrap_or(0);
        if used + more > limit {
            let name = quota_name(instance_type, usage);
            return Err(Fault::new(
                400,
                "ResourceLimitExceeded",
                format!(
                    "The account-level service limit '{name}' is {limit} Instances, with current utilization of \
                     {used} Instances and a request delta of {more} Instances. Please use AWS Service Quotas to \
                     request an increase for this quota. If AWS Service Quotas is not available, contact AWS support \
                     to request an increase for this quota."
                ),
            ));
        }
    }
    Ok(())
}
