//! AWS's Price List as it is asked and as it answers
//! (<https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html>). What it says comes
//! from outside: a product counts only when it is the one that was asked for, in the unit that is expected.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Item;
use crate::desired::Desired;
use crate::domain::usage::{Purpose, Storage};
use crate::domain::{Money, Usage};
use crate::plan::{Observation, Observed};

/// What is asked for one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub service: &'static str,
    /// The attributes that the product has.
    pub have: Vec<(&'static str, String)>,
    /// Its usage type, without the region before it.
    usage: String,
    /// How its unit begins.
    unit: &'static str,
}

impl Question {
    /// How AWS is asked what an item costs in a region.
    pub fn of(item: &Item, region: &str) -> Self {
        let region = ("regionCode", region.to_owned());
        let own = |name, value: &str| (name, value.to_owned());
        let ml = |component: &str, usage: &str, of: &str| Self {
            service: "AmazonSageMaker",
            have: vec![region.clone(), own("instanceName", of), own("platoinstancetype", component)],
            usage: format!("{usage}:{of}"),
            unit: "h",
        };
        let stored = |service, have, usage: &str| Self {
            service,
            have: vec![region.clone(), own("productFamily", "Storage"), have],
            usage: usage.to_owned(),
            unit: "gb-mo",
        };
        match item {
            Item::Instance(Purpose::Hosting, of) => ml("Hosting", "Host", of),
            Item::Instance(Purpose::Training, of) => ml("Training", "Train", of),
            Item::Instance(Purpose::Notebook, of) => ml("Notebook", "Notebk", of),
            Item::Instance(Purpose::Ec2, of) => Self {
                service: "AmazonEC2",
                have: vec![
                    region,
                    own("instanceType", of),
                    own("operatingSystem", "Linux"),
                    own("tenancy", "Shared"),
                    own("preInstalledSw", "NA"),
                    own("capacitystatus", "Used"),
                ],
                usage: format!("BoxUsage:{of}"),
                unit: "h",
            },
            Item::Provisioned { is_arm } => {
                let arm = if *is_arm { "-ARM" } else { "" };
                let group = format!("AWS-Lambda-Provisioned-Concurrency{arm}");
                Self {
                    service: "AWSLambda",
                    have: vec![region, ("group", group)],
                    usage: format!("Lambda-Provisioned-Concurrency{arm}"),
                    unit: "lambda-gb-second",
                }
            }
            Item::Stored(Storage::MlVolume) => {
                let have = own("platoclassificationtype", "Host:VolumeUsage");
                stored("AmazonSageMaker", have, "Host:VolumeUsage.gp2")
            }
            Item::Stored(Storage::Ebs) => {
                stored("AmazonEC2", own("volumeApiName", "gp3"), "EBS:VolumeUsage.gp3")
            }
            Item::Stored(Storage::S3) => {
                stored("AmazonS3", own("volumeType", "Standard"), "TimedStorage-ByteHrs")
            }
        }
    }

    /// What the products say that it costs. `None`: none of them is it, or they do not agree.
    pub fn answered(&self, products: &[Value]) -> Option<Money> {
        let prices: BTreeSet<Money> = products
            .iter()
            .filter(|product| self.is(product))
            .filter_map(|product| self.price(product))
            .collect();
        match prices.into_iter().collect::<Vec<_>>()[..] {
            [price] => Some(price),
            _ => None,
        }
    }

    fn is(&self, product: &Value) -> bool {
        let attributes = &product["product"]["attributes"];
        let usage = attributes["usagetype"].as_str().unwrap_or_default();
        // `EUC1-Host:ml.m5.large`; in us-east-1 some have no region.
        let is_usage = match usage.strip_suffix(self.usage.as_str()) {
            Some("") => true,
            Some(region) => region
                .strip_suffix('-')
                .is_some_and(|region| region.len() <= 5 && region.bytes().all(|b| b.is_ascii_alphanumeric())),
            None => false,
        };
        let region = self.have.iter().find(|(name, _)| *name == "regionCode");
        is_usage && region.is_some_and(|(_, region)| attributes["regionCode"] == region.as_str())
    }

    /// The price on demand of the first unit, in US dollars.
    fn price(&self, product: &Value) -> Option<Money> {
        let terms = product["terms"]["OnDemand"].as_object()?.values();
        let mut dimensions =
            terms.filter_map(|term| term["priceDimensions"].as_object()).flat_map(|all| all.values());
        let first = dimensions.find(|one| one["beginRange"].as_str().is_none_or(|begin| begin == "0"))?;
        let unit = first["unit"].as_str()?.to_ascii_lowercase();
        let price: Money = first["pricePerUnit"]["USD"].as_str()?.parse().ok()?;
        (unit.starts_with(self.unit) && !price.is_zero()).then_some(price)
    }
}

/// What of a project has a price: as it is wanted, and as it is.
pub fn items(want: &Desired, have: &Observed) -> BTreeSet<Item> {
    let present = have.observations.values().filter_map(|look| match look {
        Observation::Present(seen) => Some(seen.used()),
        _ => None,
    });
    let left = have.seen_leftovers.values().map(|seen| seen.used());
    let wanted = want.nodes.iter().map(|node| node.spec.usage());
    let all: Vec<Usage> = wanted.chain(present).chain(left).collect();
    let mut items = BTreeSet::new();
    for usage in &all {
        let instances = usage.instances.as_ref();
        items.extend(instances.map(|of| Item::Instance(of.purpose, of.instance_type.clone())));
        items.extend(
            usage.stored.iter().filter(|(_, bytes)| *bytes > 0).map(|(storage, _)| Item::Stored(*storage)),
        );
    }
    // A part has the number, its whole the memory.
    if all.iter().any(|usage| usage.environments.is_some_and(|n| n > 0)) {
        let memories = all.iter().filter_map(|usage| usage.memory);
        items.extend(memories.map(|memory| Item::Provisioned { is_arm: memory.is_arm }));
    }
    items
}
