//! Which regions the account has enabled.

use std::iter;

use serde_json::{Value, json};

use super::filter::Filters;
use super::listed;
use crate::call::{Answer, Call};
use crate::regions;

/// The region of the call, those that are asked for, and those that are off. Which others there are, the
/// sandbox does not say: it answers in all of them.
pub(super) fn describe_regions(call: &Call) -> Answer {
    let filters = Filters::of(call, &["region-name", "opt-in-status", "endpoint"])?;
    let off = regions::off(&call.shared);
    let asked: Vec<&str> = call.list("RegionName").iter().filter_map(Value::as_str).collect();
    let all = call.flag("AllRegions");
    let mut names: Vec<&str> = match asked.is_empty() {
        false => asked,
        true => iter::once(call.region.as_str()).chain(off.iter().map(String::as_str)).collect(),
    };
    names.sort_unstable();
    names.dedup();
    let status =
        |name: &str| if off.iter().any(|one| one == name) { "not-opted-in" } else { "opt-in-not-required" };
    let endpoint = |name: &str| format!("ec2.{name}.amazonaws.com");
    let shown = names.into_iter().filter(|name| all || status(name) != "not-opted-in").filter(|name| {
        filters.admit(|filter| {
            vec![match filter {
                "region-name" => (*name).to_owned(),
                "opt-in-status" => status(name).to_owned(),
                _ => endpoint(name),
            }]
        })
    });
    let shown = shown.map(|name| {
        let region =
            json!({ "regionName": name, "regionEndpoint": endpoint(name), "optInStatus": status(name) });
        (name.to_owned(), region)
    });
    listed(call, "regionInfo", shown.collect())
}
