//! Instance types, by what they are offered for [botocore 1.44.5: TrainingInstanceType,
//! ProductionVariantInstanceType, InstanceType], and how many of each the account may use.

use std::collections::BTreeMap;

use serde_json::json;

use super::resource::invalid;
use crate::call::Fault;
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
    /// The rule that guards the offer, the types offered, and the words of the quota's name.
    fn facts(self) -> (AwsRule, &'static [(&'static str, &'static str)], &'static str) {
        match self {
            Self::Endpoint => (AwsRule::HostingInstanceType, HOSTING, "endpoint usage"),
            Self::Training => (AwsRule::TrainingInstanceType, TRAINING, "training job usage"),
            Self::SpotTraining => (AwsRule::TrainingInstanceType, TRAINING, "spot training job usage"),
            Self::Notebook => (AwsRule::NotebookInstanceType, NOTEBOOK, "notebook instance usage"),
        }
    }

    /// Refuses a type that is not offered, as AWS refuses a value that is not in its enumeration; `path` is where
    /// the input has it. There is no `ml.t3` for hosting, and training has it only from medium to 2xlarge.
    pub fn offers(self, world: &World, instance_type: &str, path: &str) -> Result<(), Fault> {
        let (rule, offered, _) = self.facts();
        if !world.enforces(rule) || all(offered).any(|known| known == instance_type) {
            return Ok(());
        }
        let set: Vec<String> = all(offered).collect();
        Err(invalid(format!(
            "1 validation error detected: Value '{instance_type}' at '{path}' failed to satisfy constraint: Member \
             must satisfy enum value set: [{}]",
            set.join(", ")
        )))
    }
}

fn all(offered: &'static [(&str, &str)]) -> impl Iterator<Item = String> {
    offered.iter().flat_map(|(families, sizes)| {
        families
            .split(' ')
            .flat_map(move |family| sizes.split(' ').map(move |size| format!("ml.{family}.{size}")))
    })
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
const QUOTAS: &str = "servicequotas.sagemaker";

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
    format!("{instance_type} for {}", usage.facts().2)
}

/// The account's limit for a type: what was set, else what a raised account has.
pub fn quota(world: &World, region: &str, instance_type: &str, usage: Usage) -> u64 {
    let set = world.shelf(QUOTAS, region);
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
    world.shelf(QUOTAS, region).put(&quota_name(instance_type, usage), json!({"Value": value}))
}

/// Makes the account a fresh one in a region: nothing for `ml.m5.*` but spot training.
pub fn make_account_fresh(world: &World, region: &str) -> Result<(), Fault> {
    world.shelf(QUOTAS, region).put("*", json!({"Value": 0}))?;
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

const TRAINING: &[(&str, &str)] = &[
    ("m4", "xlarge 2xlarge 4xlarge 10xlarge 16xlarge"),
    ("g4dn c7i-flex c8i-flex", "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    ("m5", "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge"),
    ("c4", "xlarge 2xlarge 4xlarge 8xlarge"),
    ("p2", "xlarge 8xlarge 16xlarge"),
    ("p3", "2xlarge 8xlarge 16xlarge"),
    ("p3dn p4d p4de", "24xlarge"),
    ("p5", "4xlarge 48xlarge"),
    ("p5e p5en trn2 p6-b200 p6-b300", "48xlarge"),
    ("c5 c5n", "xlarge 2xlarge 4xlarge 9xlarge 18xlarge"),
    ("g5 g6 g6e", "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("trn1", "2xlarge 32xlarge"),
    ("trn1n", "32xlarge"),
    ("m6i r6i", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
    ("c6i", "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
    ("r5d r5", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    ("t3", "medium large xlarge 2xlarge"),
    ("m7i c7i r7i", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("p6e-gb200", "36xlarge"),
    ("g7e g7", "2xlarge 4xlarge 8xlarge 12xlarge 24xlarge 48xlarge"),
    ("m8i r8i", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge 96xlarge"),
    ("c8i", "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge 96xlarge"),
    ("m7i-flex m8i-flex r8i-flex", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
];
const HOSTING: &[(&str, &str)] = &[
    ("t2", "medium large xlarge 2xlarge"),
    ("m4", "xlarge 2xlarge 4xlarge 10xlarge 16xlarge"),
    ("m5 m5d r5 r5d", "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge"),
    ("c4", "large xlarge 2xlarge 4xlarge 8xlarge"),
    ("p2", "xlarge 8xlarge 16xlarge"),
    ("p3", "2xlarge 8xlarge 16xlarge"),
    ("c5 c5d", "large xlarge 2xlarge 4xlarge 9xlarge 18xlarge"),
    ("g4dn", "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    ("inf1", "xlarge 2xlarge 6xlarge 24xlarge"),
    ("dl1 p4d p4de", "24xlarge"),
    ("c6i m6i r6i c6in", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
    ("g5 g6 g6e", "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("r8g c8g m8g", "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("g7e g7", "2xlarge 4xlarge 8xlarge 12xlarge 24xlarge 48xlarge"),
    ("c7g m6g m6gd c6g c6gd c6gn r6g r6gd", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    ("trn1", "2xlarge 32xlarge"),
    ("trn1n", "32xlarge"),
    ("trn2 p5e p5en p6-b200 p6-b300", "48xlarge"),
    ("inf2", "xlarge 8xlarge 24xlarge 48xlarge"),
    ("p5", "4xlarge 48xlarge"),
    ("m7i c7i r7i", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("r7gd", "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    ("p6e-gb200", "36xlarge"),
];
const NOTEBOOK: &[(&str, &str)] = &[
    ("t2 t3", "medium large xlarge 2xlarge"),
    ("m4", "xlarge 2xlarge 4xlarge 10xlarge 16xlarge"),
    ("m5", "xlarge 2xlarge 4xlarge 12xlarge 24xlarge"),
    ("m5d r5", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    ("c4", "xlarge 2xlarge 4xlarge 8xlarge"),
    ("c5 c5d", "xlarge 2xlarge 4xlarge 9xlarge 18xlarge"),
    ("p2", "xlarge 8xlarge 16xlarge"),
    ("p3", "2xlarge 8xlarge 16xlarge"),
    ("p3dn p4d p4de", "24xlarge"),
    ("g4dn", "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    ("g5 g6 g6e", "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("inf1", "xlarge 2xlarge 6xlarge 24xlarge"),
    ("trn1", "2xlarge 32xlarge"),
    ("trn1n", "32xlarge"),
    ("inf2", "xlarge 8xlarge 24xlarge 48xlarge"),
    ("p5", "4xlarge 48xlarge"),
    ("p6-b200 p5en", "48xlarge"),
    (
        "m6i c6i r6i m6id c6id r6id",
        "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
    ),
    ("m7i c7i r7i", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("g7e", "2xlarge 4xlarge 8xlarge 12xlarge 24xlarge 48xlarge"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_as_many_types_as_the_model() {
        assert_eq!([TRAINING, HOSTING, NOTEBOOK].map(|table| all(table).count()), [225, 277, 189]);
        assert!(all(TRAINING).any(|name| name == "ml.t3.xlarge"));
        assert!(!all(HOSTING).any(|name| name.starts_with("ml.t3")));
    }
}
