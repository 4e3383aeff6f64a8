//! EC2: instances with user data, and the little of images, types and network that launching them needs.
//!
//! What runs on an instance is a [`Backend`]'s matter; without one it just stays until it is terminated.

mod backend;
mod catalog;
mod console;
mod filter;
mod instance_types;
mod instances;
mod regions;
mod run;
mod state;
mod tagging;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::paging::Page;
use crate::protocol::query::{Api, Flavor};
use crate::state::SandboxState;
use crate::tags;

pub use backend::{Backend, BootedInstance, resume};
pub use console::write_console;
pub use instance_types::InstanceType;
pub use run::vcpus_in_use;
pub use state::{fail, shut_down, went_off};

/// Instances by id, in a region. `Shown` is what describing shows.
const INSTANCES: &str = "ec2.instance";

const MAX_RESULTS: Constraint = Constraint::ANY.at("MaxResults").range(5, 1_000);
const RESOURCES: Constraint = Constraint::ANY.at("ResourceId").required().length(1, 1_000);

/// The operations.
pub const API: Api = Api {
    name: "ec2",
    flavor: Flavor::Ec2,
    namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
    invalid: "InvalidParameterValue",
    faults: FaultCodes { throttle: (503, "RequestLimitExceeded"), internal: (500, "InternalError") },
    operations: &[
        op(
            "RunInstances",
            &[
                Constraint::ANY.at("ImageId").required(),
                Constraint::ANY.at("MinCount").required().range(1, 100),
                Constraint::ANY.at("MaxCount").required().range(1, 100),
                Constraint::ANY.at("ClientToken").length(0, 64),
                Constraint::ANY.at("MetadataOptions.HttpPutResponseHopLimit").range(1, 64),
                Constraint::ANY.at("CreditSpecification.CpuCredits").one_of(&["standard", "unlimited"]),
                Constraint::ANY.at("InstanceMarketOptions.MarketType").one_of(&["spot"]),
            ],
            run::run_instances,
        ),
        op("DescribeInstances", &[MAX_RESULTS], instances::describe_instances),
        op("DescribeInstanceStatus", &[MAX_RESULTS], instances::describe_instance_status),
        op("GetConsoleOutput", &[], console::get_console_output),
        op("TerminateInstances", &[], instances::terminate_instances),
        op("StopInstances", &[], instances::stop_instances),
        op("StartInstances", &[], instances::start_instances),
        op("CreateTags", &[RESOURCES], tagging::create_tags),
        op("DeleteTags", &[RESOURCES], tagging::delete_tags),
        op("DescribeTags", &[MAX_RESULTS], tagging::describe_tags),
        op("DescribeImages", &[], catalog::describe_images),
        op("DescribeInstanceTypes", &[], instance_types::describe_instance_types),
        op("DescribeRegions", &[], regions::describe_regions),
        op("DescribeVpcs", &[], catalog::describe_vpcs),
        op("DescribeSubnets", &[], catalog::describe_subnets),
        op("DescribeSecurityGroups", &[], catalog::describe_security_groups),
    ],
};

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidParameterValue", message)
}

fn invalid_id(code: &'static str, id: &str) -> Fault {
    Fault::new(400, code, format!("Invalid id: \"{id}\""))
}

/// That a call would have succeeded is told as an error, after all checks (docs/aws/ec2.md#dry-runs).
fn dry_run(call: &Call) -> Result<(), Fault> {
    if call.flag("DryRun") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Fault::new(412, "DryRunOperation", message));
    }
    Ok(())
}

/// `arn:aws:ec2:<region>:<account>:<kind>/<id>`
fn arn(shared: &SandboxState, region: &str, kind: &str, id: &str) -> String {
    shared.arn("ec2", region, &format!("{kind}/{id}"))
}

fn page<T>(call: &Call, items: Vec<(String, T)>) -> Result<Page<T>, Fault> {
    let size = call.number("MaxResults").and_then(|size| usize::try_from(size).ok()).unwrap_or(1_000);
    let refuse = || Fault::new(400, "InvalidNextToken", "The specified NextToken is not valid.");
    call.page(items, "NextToken", size).ok_or_else(refuse)
}

/// The answer of a listing operation.
fn listed(call: &Call, member: &str, items: Vec<(String, Value)>) -> Answer {
    let page = page(call, items)?;
    Ok(json!({member: page.items, "nextToken": page.next}))
}

/// Instances of one launch, as they are shown: with their tags.
fn reservation(shared: &SandboxState, region: &str, instances: &[(String, Value)]) -> Value {
    let shown = |(id, instance): &(String, Value)| {
        let tags = tags::of(shared, &arn(shared, region, "instance", id));
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        let mut shown = instance["Shown"].clone();
        if !tags.is_empty() {
            shown["tagSet"] = tags.into();
        }
        shown
    };
    json!({
        "reservationId": instances.first().map(|(_, instance)| &instance["ReservationId"]),
        "ownerId": shared.account,
        "groupSet": [],
        "instancesSet": instances.iter().map(shown).collect::<Vec<_>>(),
    })
}

/// Nothing of an instance that is no more may keep a tag.
pub(super) fn forget_gone(shared: &SandboxState, region: &str) -> Result<(), Fault> {
    let prefix = arn(shared, region, "", "").trim_end_matches('/').to_owned();
    let known = shared.table(INSTANCES, region).list("");
    for (arn, _) in tags::all(shared).into_iter().filter(|(arn, _)| arn.starts_with(&prefix)) {
        let id = arn.rsplit('/').next().unwrap_or_default();
        if !known.iter().any(|(name, instance)| name == id || instance["VolumeId"] == id) {
            tags::forget(shared, &arn)?;
        }
    }
    Ok(())
}
