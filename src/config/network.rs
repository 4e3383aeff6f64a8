//! `[network.NAME]`: where in a VPC of the user's something runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Name;
use crate::domain::{Changes, Diagnostic, Diagnostics, KeyPath, Needs, codes, many};

/// `[network.NAME]`: subnets and security groups that you have. Trainings, endpoints, functions and notebooks
/// that name it by `network` run there; nothing of it is made, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// IDs of subnets of one VPC, in different zones where you can. A notebook is in the first.
    pub subnets: Vec<String>,
    /// IDs of security groups of that VPC. They and its routes decide what it may reach: S3, ECR, CloudWatch
    /// and SageMaker have to be among it.
    pub security_groups: Vec<String>,
}

/// By name.
pub type Networks = BTreeMap<Name, Network>;

impl Network {
    /// `subnet-1, subnet-2 with sg-1`
    pub fn words(&self) -> String {
        format!("{} with {}", self.subnets.join(", "), self.security_groups.join(", "))
    }

    /// As AWS answers it, which keeps no order; `None` outside of any VPC.
    pub fn found<'t>(
        subnets: impl IntoIterator<Item = &'t String>,
        groups: impl IntoIterator<Item = &'t String>,
    ) -> Option<Self> {
        let subnets: Vec<String> = subnets.into_iter().cloned().collect();
        let security_groups = groups.into_iter().cloned().collect();
        (!subnets.is_empty()).then(|| Self { subnets, security_groups }.sorted())
    }

    /// With its first subnet alone, as it is written.
    #[must_use]
    pub fn first(mut self) -> Self {
        self.subnets.truncate(1);
        self.sorted()
    }

    /// In one order: AWS keeps none.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.subnets.sort();
        self.security_groups.sort();
        self
    }
}

impl Changes {
    /// Adds the network when it is another, or none.
    pub fn network(self, seen: &Option<Network>, want: &Option<Network>, needs: Needs) -> Self {
        let words =
            |network: &Option<Network>| network.as_ref().map_or_else(|| "none".into(), Network::words);
        self.field("network", words(seen), words(want), needs)
    }
}

/// What AWS would refuse. Of each there are 16 at most, and 5 groups
/// (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_VpcConfig.html>).
pub(super) fn lint(networks: &Networks, problems: &mut Diagnostics) {
    for (name, network) in networks {
        let at = KeyPath::of(["network", name]);
        for (key, ids, prefix, most) in [
            ("subnets", &network.subnets, "subnet-", 16),
            ("security_groups", &network.security_groups, "sg-", 5),
        ] {
            let key = at.join(key);
            if ids.is_empty() || ids.len() > most {
                let text =
                    format!("`{}` has {}: AWS takes 1 to {most}", key.last(), many(ids.len(), "entry"));
                problems.push(Diagnostic::error(codes::LIMIT, key.clone(), text, "list IDs of your VPC"));
            }
            for (place, id) in ids.iter().enumerate() {
                let is_hex = |rest: &str| {
                    (8..=17).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
                };
                if !id.strip_prefix(prefix).is_some_and(is_hex) {
                    let text = format!(
                        "`{id}` is no ID of a {}",
                        if prefix == "sg-" { "security group" } else { "subnet" }
                    );
                    let help =
                        format!("it is {prefix} and 17 digits and letters, as the VPC's console shows it");
                    problems.push(Diagnostic::error(
                        codes::BAD_VALUE,
                        key.join(place.to_string()),
                        text,
                        help,
                    ));
                }
            }
        }
    }
}
